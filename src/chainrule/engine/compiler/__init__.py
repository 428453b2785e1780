"""From the text of a kernel to machine code: a small language, read with `ast`, written as LLVM IR."""
