"""Compiled kernels: found in the cache or compiled, loaded into the process, and called.

A kernel takes the address of a table of 64-bit words with its arguments in order: an integer as
itself, an array as its address and its lengths. A kernel from the cache is loaded and called without
the part that compiles.
"""

from __future__ import annotations

import ctypes
import functools
import operator
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.engine.compiled import cache
from chainrule.engine.compiled.helpers import salt
from chainrule.engine.compiled.locks import Say
from chainrule.engine.compiled.values import NotCompilable
from chainrule.engine.compiler.refusals import Broken
from chainrule.engine.compiler.sized import Sized
from chainrule.lang.messages import _
from chainrule.version import __version__

__all__ = ["Call", "Kernel", "kernel"]

# int64 function(int64 words)
_FORM = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)


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
        self.address: int = self._tracker[code.symbol]
        self.function = _FORM(self.address)

    def call(self, given: Mapping[str, Any]) -> Call:
        """A call with these arguments by name: integers, contiguous arrays, and tuples of them."""
        return Call(self, given)


class Call:
    """A kernel with its arguments: calling it runs the kernel. For one thread at a time.

    It keeps references to the arrays, whose memory the kernel uses directly.
    """

    def __init__(self, kernel: Kernel, given: Mapping[str, Any]) -> None:
        self.kernel, self._given = kernel, dict(given)  # the kernel keeps its code in memory
        self._function = kernel.function
        words: list[int] = []
        self._places = {}
        for name, argument in given.items():
            self._places[name] = len(words)
            _lay_out(argument, words)
        #: The table.
        self.words = np.array(words, np.int64)
        self._address = self.words.ctypes.data

    def change(self, **given: Any) -> None:
        """Replace arguments by others of the same kinds."""
        laid_out: list[tuple[int, list[int]]] = []
        for name, argument in given.items():
            words: list[int] = []
            _lay_out(argument, words)
            laid_out.append((self._places[name], words))
        for first, words in laid_out:
            self.words[first : first + len(words)] = words
        self._given.update(given)

    def arrays(self) -> Iterator[tuple[str, int, np.ndarray[Any, Any]]]:
        """Every array: the argument that it is in, and where its address stands in the table."""
        for name, argument in self._given.items():
            place = self._places[name]
            for part in _parts(argument):
                if isinstance(part, np.ndarray):
                    yield name, place, part
                    place += part.ndim
                place += 1

    def forget(self, *names: str) -> None:
        """Drop references to arguments, which must be replaced before the next run."""
        for name in names:
            del self._given[name]

    def bare(self) -> Callable[[], int]:
        """The call as it stands now, in the quickest form."""
        run = functools.partial(self._function, self._address)
        run.__dict__["call"] = self  # keeps the table and the arrays in memory
        return run

    def __call__(self) -> int:
        """Run; gives the kernel's result."""
        return int(self._function(self._address))


def _parts(argument: Any) -> Iterator[Any]:
    """The arrays and integers of an argument, in order."""
    if isinstance(argument, tuple):
        for part in argument:
            yield from _parts(part)
    else:
        yield argument.array if isinstance(argument, Sized) else argument


def _lay_out(argument: Any, words: list[int]) -> None:
    for part in _parts(argument):
        if isinstance(part, np.ndarray):
            assert part.flags.c_contiguous
            assert part.flags.aligned
            words.append(part.__array_interface__["data"][0])
            words.extend(part.shape)
        else:
            words.append(operator.index(part))


def _kind(argument: Any) -> str:
    """The kind of an argument, as the machine code treats it."""
    if isinstance(argument, tuple):
        return f"({' '.join(map(_kind, argument))})"
    if isinstance(argument, Sized):
        return f"{argument.array.dtype}{list(argument.array.shape)}{argument.rows_last}{argument.stacked}"
    if isinstance(argument, np.ndarray):
        return f"{argument.dtype}[{argument.ndim}]"
    return "int"


def kernel(
    source: str,
    name: str,
    given: Mapping[str, Any],
    say: Say | None,
    seconds: Callable[[], float] | None = None,
    **known: int,
) -> Kernel:
    """The compiled function `name` of a source, for arguments of the same kinds as those given.

    `known` are integers among them that the machine code is made for. `seconds` gives about how long
    compiling takes, which `say` shows.
    """

    def make(path: Path) -> cache.Code:
        from chainrule.engine.compiler.entry import SYMBOL, machine_code

        try:
            return cache.Code(SYMBOL, machine_code(source, path.name, name, given, known))
        except Broken as error:
            raise NotCompilable(
                _("its kernel cannot be compiled ({error})", error=error)
            ) from error

    ingredients = [_kind(tuple(given.values())), repr(known), *_ingredients()]
    return cache.obtain(source, name, ingredients, make, Kernel, say, seconds)


def _ingredients() -> list[str]:
    """The things that machine code depends on besides the source and the kinds of arguments."""
    from chainrule.engine.compiler.target import processor

    return [__version__, salt(), f"llvmlite {_version('llvmlite')}", *processor(), np.__version__]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"
