"""Texts compiled for the arguments that tests give them, and what LLVM makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.engine.compiled import machine

__all__ = ["FIRST", "compiled", "ir_of", "run"]

#: What comes before the function of a text.
FIRST = "from chainrule.engine.compiled.kernels import kernel\n\n\n@kernel\n"


def compiled(source: str, name: str, given: dict[str, Any], **known: int) -> Callable[..., int]:
    """The function of a text, as a function of its arguments in order, of the kinds of those given."""
    kernel, names = machine.kernel(source, name, given, None, None, **known), list(given)

    def call(*arguments: Any) -> int:
        return kernel.call(dict(zip(names, arguments, strict=True)))()

    return call


def run(source: str, name: str, /, **given: Any) -> int:
    """Compile a text for these arguments, and call it with them."""
    return compiled(source, name, given)(*given.values())


def ir_of(source: str, name: str, given: dict[str, Any], **known: int) -> str:
    """The text as LLVM IR, as it is written, before LLVM works on it."""
    from chainrule.engine.compiler.entry import written

    return written(source, f"{name}.py", name, given, known)
