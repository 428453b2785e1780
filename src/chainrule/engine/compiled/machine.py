"""Compiled kernels: found in the cache or compiled, loaded into the process, and called.

A kernel takes the address of a table of 64-bit words with its arguments in order: an integer as
itself, an array as its address and its lengths. So a kernel is loaded and called without Numba,
which takes longer to import than many a training.
"""

from __future__ import annotations

import ctypes
import operator
import os
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.engine.compiled import cache
from chainrule.engine.compiled.helpers import salt
from chainrule.engine.compiled.locks import Say
from chainrule.engine.compiled.values import NotCompilable
from chainrule.lang.messages import _
from chainrule.version import __version__

__all__ = ["Call", "Kernel", "kernel"]

#: Intel's vector functions, which Numba uses in place of scalar ones if they are installed.
_VECTOR_MATHS = ("intel-cmplr-lib-rt", "icc-rt")

# int function(int64 *result, void **exception, int64 words), as Numba lays it out.
_FORM = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


class Kernel:
    """A compiled function, for arguments of the kinds that it was compiled for."""

    def __init__(self, code: cache.Code) -> None:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self._jit = llvm.create_lljit_compiler(suppress_errors=True)
        library = llvm.JITLibraryBuilder().add_object_img(code.data).add_current_process()
        # The tracker keeps the code in memory; a symbol that is not found raises here.
        self._tracker = library.export_symbol(code.symbol).link(self._jit, "kernel")
        self.function = _FORM(self._tracker[code.symbol])

    def call(self, given: Mapping[str, Any]) -> Call:
        """A call with these arguments by name: integers, contiguous arrays, and tuples of them."""
        return Call(self, given)


class Call:
    """A kernel with its arguments: calling it runs the kernel. For one thread at a time.

    It keeps references to the arrays, whose memory the kernel uses directly.
    """

    def __init__(self, kernel: Kernel, given: Mapping[str, Any]) -> None:
        self._kernel, self._given = kernel, dict(given)  # the kernel keeps its code in memory
        self._function = kernel.function
        words = [0, 0]  # for the result, and for an exception
        self._places = {}
        for name, argument in given.items():
            self._places[name] = len(words)
            _lay_out(argument, words)
        self._words = np.array(words, np.int64)
        at = self._words.ctypes.data
        self._addresses = at, at + 8, at + 16

    def change(self, **given: Any) -> None:
        """Replace arguments by others of the same kinds."""
        laid_out: list[tuple[int, list[int]]] = []
        for name, argument in given.items():
            words: list[int] = []
            _lay_out(argument, words)
            laid_out.append((self._places[name], words))
        for first, words in laid_out:
            self._words[first : first + len(words)] = words
        self._given.update(given)

    def forget(self, *names: str) -> None:
        """Drop references to arguments, which must be replaced before the next run."""
        for name in names:
            del self._given[name]

    def __call__(self) -> int:
        """Run; gives the kernel's result."""
        if self._function(*self._addresses):
            raise RuntimeError("a compiled kernel has raised an exception")
        return int(self._words[0])


def _lay_out(argument: Any, words: list[int]) -> None:
    if isinstance(argument, tuple):
        for part in argument:
            _lay_out(part, words)
    elif isinstance(argument, np.ndarray):
        assert argument.flags.c_contiguous
        assert argument.flags.aligned
        words.append(argument.__array_interface__["data"][0])
        words.extend(argument.shape)
    else:
        words.append(operator.index(argument))


def _kind(argument: Any) -> str:
    """The kind of an argument, as the machine code treats it."""
    if isinstance(argument, tuple):
        return f"({' '.join(map(_kind, argument))})"
    if isinstance(argument, np.ndarray):
        return f"{argument.dtype}[{argument.ndim}]"
    return "int"


def kernel(
    source: str,
    name: str,
    given: Mapping[str, Any],
    say: Say | None,
    seconds: Callable[[], float] | None = None,
) -> Kernel:
    """The compiled function `name` of a source, for arguments of the same kinds as those given.

    `seconds` gives about how long compiling takes, which `say` shows.
    """

    def make(path: Path) -> cache.Code:
        try:
            from chainrule.engine.compiled.compiling import machine_code
        except ImportError as error:  # such as a Numba that is too old for this NumPy
            raise NotCompilable(_("Numba cannot be loaded ({error})", error=error)) from error
        return machine_code(source, path, name, tuple(given.values()))

    ingredients = [_kind(tuple(given.values())), *_ingredients()]
    return cache.obtain(source, name, ingredients, make, Kernel, say, seconds)


def _ingredients() -> list[str]:
    """The things that machine code depends on besides the source and the kinds of arguments."""
    import llvmlite.binding as llvm

    packages = [f"{p} {_version(p)}" for p in ("numba", "llvmlite", *_VECTOR_MATHS)]
    options = [f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith("NUMBA_")]
    features = llvm.get_host_cpu_features().flatten()
    processor = [llvm.get_host_cpu_name(), features]
    return [__version__, salt(), *packages, *processor, np.__version__, *options]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"
