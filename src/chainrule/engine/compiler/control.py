"""The processor's control word, in which a kernel has subnormal numbers count as 0."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator

from chainrule.engine.compiler.writer import Writer

__all__ = ["X86", "subnormals_as_zero"]

X86 = platform.machine().lower() in ("x86_64", "amd64")
#: The bits of x86's word for results (flush to zero) and for operands (denormals are zero).
_RESULTS, _OPERANDS = 1 << 15, 1 << 6
_STORE, _LOAD = "llvm.x86.sse.stmxcsr", "llvm.x86.sse.ldmxcsr"


@contextlib.contextmanager
def subnormals_as_zero(w: Writer) -> Iterator[None]:
    """Write what is within so that subnormal numbers count as 0; after it the word is as it was.

    Only x86 is slow with them, by a hundred cycles for each operation.
    """
    if not X86:
        yield
        return
    before, within = w.slot("i32"), w.slot("i32")
    for name in (_STORE, _LOAD):
        w.module.declare(f"void @{name}(ptr)")
    w.do(f"call void @{_STORE}(ptr {before})")
    old = w.op(f"load i32, ptr {before}")
    w.do(f"store i32 {w.op(f'or i32 {old}, {_RESULTS | _OPERANDS}')}, ptr {within}")
    w.do(f"call void @{_LOAD}(ptr {within})")
    yield
    w.do(f"call void @{_LOAD}(ptr {before})")
