"""Texts run both ways, as plain Python and compiled, and compared: numbers, and their dtypes.

`note` is a function of the language that only these tests have. It writes down a number's bits, and
what it is: a Python number ("int", "float") or one with a dtype.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from chainrule.engine.compiled import cache, machine
from chainrule.engine.compiler import entry, functions
from chainrule.engine.compiler.arithmetic import cast
from chainrule.engine.compiler.arrays import index, store
from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.kinds import KINDS
from chainrule.engine.compiler.refusals import Broken
from chainrule.engine.compiler.registry import rule
from chainrule.engine.compiler.sized import Sized
from chainrule.engine.compiler.values import Array, Number, known_int

__all__ = ["HEAD", "Run", "as_written_only", "both", "compiled", "note", "plain", "refused", "same"]

Floats = npt.NDArray[Any]

#: What texts may call.
HEAD = """
import numpy as np
from numpy import bool_, float32, float64
from numpy import int8, int16, int32, int64, uint8, uint16, uint32, uint64
from chainrule.engine.compiled.kernels import *
from chainrule.engine.compiler.memory import *
from tests.engine.compiler.language import note

"""

_noted: dict[int, str] = {}


def note(words: Any, turn: Any, k: Any, x: Any) -> None:
    """words[turn, k] = the bits of x."""
    kind = type(x).__name__
    kind = "bool" if kind == "bool_" else kind
    assert _noted.setdefault(k, kind) == kind, f"number {k} is a {_noted[k]}, and a {kind}"
    words[turn, k] = bits(x)


def bits(x: Any) -> np.uint64:
    """A number's bits; a whole one's are those of an int64 or uint64."""
    if isinstance(x, float | np.floating):
        width = np.uint32 if isinstance(x, np.float32) else np.uint64
        return np.uint64(np.asarray(x).view(width))
    return np.uint64(int(x) % 2**64)


@rule(note)
def _note(body: Body, words: Array, turn: Number, k: Number, x: Number) -> None:
    n, word = known_int(k, "the number of a note"), KINDS["uint64"]
    assert _noted.setdefault(n, x.kind.name) == x.kind.name
    if x.kind.sort == "f":
        whole = KINDS[f"uint{8 * x.kind.size}"]
        x = Number(whole, body.w.op(f"bitcast {x.kind.ir} {x.ir} to {whole.ir}"))
    else:
        x = cast(body.w, x, KINDS["uint64" if x.kind.sort == "u" else "int64"])
    at = index(body.w, words, [turn, k])
    assert not isinstance(at, Array)
    store(body.w, at, cast(body.w, x, word))


class Run:
    """What a text has left: its result, its arrays by name, and what the notes are."""

    def __init__(self, result: Any, given: Mapping[str, Any], kinds: Mapping[int, str]) -> None:
        self.result, self.given, self.kinds = result, dict(given), dict(kinds)

    def numbers(self) -> Iterator[tuple[str, Floats]]:
        """All arrays, the notes as numbers of their dtypes."""
        for name, array in _arrays(self.given, self.given.get("n")):
            if name != "words":
                yield name, array
        for k, kind in sorted(self.kinds.items()):
            column = np.ascontiguousarray(self.given["words"][:, k])
            if kind == "float32":
                yield f"number {k}", column.astype(np.uint32).view(np.float32)
            else:
                dtype = {"float": "float64", "int": "int64", "bool": "int64"}.get(kind, kind)
                wide = np.dtype(dtype).kind == "f"
                yield f"number {k}", column.view(dtype) if wide else column.astype(dtype)


def _arrays(given: Mapping[str, Any], n: Any) -> Iterator[tuple[str, Any]]:
    for name, x in given.items():
        if isinstance(x, tuple):
            yield from _arrays({f"{name}[{i}]": part for i, part in enumerate(x)}, n)
        elif isinstance(x, Sized):
            own = x.plain[:, :n] if x.stacked else x.plain[:n]
            yield name, np.ascontiguousarray(own if x.rows_last else x.array)
        elif isinstance(x, np.ndarray):
            yield name, x


def _copied(x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(map(_copied, x))
    if isinstance(x, Sized):
        return Sized(x.array.copy(), x.rows_last, x.stacked)
    return x.copy() if isinstance(x, np.ndarray) else x


def plain(source: str, name: str, given: Mapping[str, Any]) -> Run:
    """Run a text as Python."""
    _noted.clear()
    given = {key: _copied(x) for key, x in given.items()}
    names: dict[str, Any] = {}
    exec(compile(source, "<text>", "exec"), names)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = names[name](
            **{k: x.plain if isinstance(x, Sized) else x for k, x in given.items()}
        )
    return Run(result, given, _noted)


def compiled(source: str, name: str, given: Mapping[str, Any], **known: int) -> Run:
    """Compile a text and run it."""
    _noted.clear()
    given = {key: _copied(x) for key, x in given.items()}
    code = cache.Code(entry.SYMBOL, entry.machine_code(source, "text.py", name, given, known))
    return Run(machine.Kernel(code).call(given)(), given, _noted)


def refused(source: str, name: str, given: Mapping[str, Any], **known: int) -> str | None:
    """Why a text is refused, if it is."""
    _noted.clear()
    try:
        entry.written(source, "text.py", name, given, known)
    except Broken as error:
        return str(error)
    return None


@contextmanager
def as_written_only() -> Iterator[None]:
    """Inside, no operation may be replaced by another one: every bit is NumPy's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functions, "FREE", "")
        patch.setattr(functions, "CAREFUL", "")
        functions.function_of.cache_clear()
        yield
    functions.function_of.cache_clear()


def same(ours: Run, theirs: Run, ulp: int = 0) -> None:
    """Both have left the same; NaN is NaN whatever its bits."""
    assert set(theirs.kinds.items()) <= set(ours.kinds.items())  # not every line is reached
    theirs.kinds = ours.kinds
    assert ours.result == (theirs.result or 0)
    for (name, a), (_, b) in zip(ours.numbers(), theirs.numbers(), strict=True):
        assert a.dtype == b.dtype, name
        if a.dtype.kind != "f":
            np.testing.assert_array_equal(a, b, err_msg=name)
        elif ulp:
            np.testing.assert_array_max_ulp(a, b, maxulp=ulp)
        else:
            nothing = np.isnan(a) & np.isnan(b)
            whole = np.uint32 if a.dtype == np.float32 else np.uint64
            here, there = np.where(nothing, 0, a.view(whole)), np.where(nothing, 0, b.view(whole))
            np.testing.assert_array_equal(here, there, err_msg=f"{name}: {a} {b}")


def both(source: str, name: str, given: Mapping[str, Any], **known: int) -> Run:
    """Run a text both ways, to the same bits."""
    with as_written_only():
        ours = compiled(source, name, given, **known)
    same(ours, plain(source, name, given))
    return ours
