"""Compiling a kernel's source to machine code: the only part that needs Numba, once per kernel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core import errors
from numba.extending import intrinsic

from chainrule.engine.compiled.cache import Code
from chainrule.engine.compiled.kernels import ALONE, OPTIONS
from chainrule.engine.compiled.layout import laid_out
from chainrule.engine.compiled.values import NotCompilable
from chainrule.lang.messages import _

__all__ = ["machine_code"]

#: Numba's exceptions for code that it cannot compile; some exist only in newer versions.
_FAILURES: tuple[type[Exception], ...] = (
    errors.NumbaError,
    getattr(errors, "UnsupportedBytecodeError", errors.NumbaError),
    NotImplementedError,
)


def machine_code(source: str, path: Path, name: str, given: Sequence[Any]) -> Code:
    """The machine code of the function `name`, called as `machine.Call` does.

    Raises:
        NotCompilable: Numba cannot compile it.
    """
    # A wrapper as text, so that Numba can inline the function into it, and compiles it only once.
    text = ", ".join(f"given[{i}]" for i in range(len(given)))
    text = f"\n\ndef entry(words):\n    given = unpacked(words)\n    return {name}({text})\n"
    module: dict[str, Any] = {"__name__": name}
    njit: Any = numba.njit
    try:
        module["unpacked"] = _unpacker(_type(tuple(given)))
        exec(compile(source + text, str(path), "exec"), module)  # noqa: S102 - our own text
        compiled = njit(module["entry"], **ALONE, **OPTIONS)
        if not hasattr(compiled, "overloads"):
            raise NotCompilable(_("Numba is told not to compile (NUMBA_DISABLE_JIT)"))
        compiled.compile((types.int64,))
    except _FAILURES as error:
        raise NotCompilable(_("Numba cannot compile it: {error}", error=_why(error))) from error
    (result,) = compiled.overloads.values()
    data = result.library.serialize_using_object_code()[2][0]
    return Code(result.fndesc.llvm_func_name, data)


def _why(error: Exception) -> str:
    """The reason, in one line: Numba's message has many lines, of which the first say where."""
    lines = [line.strip(" >") for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("Failed in ")]
    if len(lines) > 1 and lines[0].endswith(":"):
        return f"{lines[0]} {lines[1]}"
    return lines[0] if lines else type(error).__name__


def _type(argument: Any) -> Any:
    """The Numba type of an argument."""
    if isinstance(argument, tuple):
        several: Any = types.Tuple
        return several([_type(part) for part in argument])
    if isinstance(argument, np.ndarray):
        return types.Array(numba.from_dtype(argument.dtype), argument.ndim, "C")
    return types.int64


def _unpacker(kinds: Any) -> Any:
    """A Numba function that makes a tuple of arguments from the address of their words."""

    def unpack(typing: Any, words: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            int64 = context.get_value_type(types.int64)
            table, place = builder.inttoptr(args[0], int64.as_pointer()), iter(range(2**31))

            def word() -> Any:
                at = context.get_constant(types.int64, next(place))
                return builder.load(builder.gep(table, [at]))

            def made(kind: Any) -> Any:
                if isinstance(kind, types.Array):
                    element = context.get_data_type(kind.dtype)
                    data = builder.inttoptr(word(), element.as_pointer())
                    lengths = [word() for _ in range(kind.ndim)]
                    return laid_out(context, builder, kind, data, lengths)
                if kind == types.int64:
                    return word()
                return context.make_tuple(builder, kind, [made(part) for part in kind])

            return made(kinds)

        return kinds(types.int64), codegen

    return intrinsic(unpack)
