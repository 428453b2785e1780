"""From the text of a kernel to machine code: a small language, read with `ast`, written as LLVM IR.

A text means what it means as Python on NumPy's arrays and scalars; what the language does not have,
or what would come out otherwise, is refused. Three things are left to the text: that indices and
parts lie within their arrays, that Python's own whole numbers stay within 64 bits, and that rows
abreast do not read what others write.
"""
