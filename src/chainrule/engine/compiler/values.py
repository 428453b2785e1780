"""What a name stands for while a kernel is translated: numbers, arrays, tuples, dtypes, functions."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from chainrule.engine.compiler.kinds import BOOL, FLOAT, INT, KINDS, Kind
from chainrule.engine.compiler.refusals import Refused

__all__ = [
    "Abreast",
    "Array",
    "Dtype",
    "Flat",
    "Number",
    "Rows",
    "Value",
    "constant",
    "fits",
    "known_int",
    "literal",
    "of_python",
    "text_of",
]


@dataclass(frozen=True)
class Number:
    """A number, or a vector of them, in a register (`%t7`) or as a constant (`3`).

    `known` is the value of a Python number of the text.
    """

    kind: Kind
    ir: str
    known: bool | int | float | None = None


@dataclass(frozen=True)
class Rows(Number):
    """The numbers of several rows, one in each lane, the first of them in `first`.

    Where there are fewer rows than lanes, the last row stands in the others.
    """

    first: Number = field(kw_only=True)
    #: The last row that there is, and for each lane whether its row is there.
    last: Number = field(kw_only=True)
    there: Number = field(kw_only=True)


@dataclass(frozen=True)
class Array:
    """An array: a pointer to its first element, lengths, and strides in elements.

    Without strides its rows lie one after the other. With `room` the numbers of one place in all rows
    lie side by side instead, in room for so many rows: whole vectors of them. `base` is the pointer
    of the array that it is a part of. `private`: only this thread writes to its memory.
    """

    pointer: str
    kind: Kind
    shape: tuple[Number, ...]
    strides: tuple[Number, ...] | None = None
    base: str = ""
    private: bool = True
    room: Number | None = None


@dataclass(frozen=True)
class Abreast:
    """The numbers from 0 to the rows, so many at a time."""

    rows: Number
    count: int


@dataclass(frozen=True)
class Flat:
    """All elements of an array in order."""

    array: Array


@dataclass(frozen=True)
class Dtype:
    """A dtype, which converts numbers when it is called."""

    kind: Kind


Value: TypeAlias = Any


def text_of(value: float, kind: Kind) -> str:
    """A constant as LLVM reads it."""
    if kind.lanes > 1:
        one = kind.wide(1)
        return f"splat ({one.ir} {text_of(value, one)})"
    if kind.sort == "f":
        with np.errstate(over="ignore"):
            number = float(np.float32(value)) if kind.size == 4 else float(value)
        return "0x{:016X}".format(*struct.unpack(">Q", struct.pack(">d", number)))
    if kind.sort == "b":
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused(f"{value} is no whole number")
    if not fits(value, kind):
        raise Refused(f"{value} does not fit into a {kind.name}")
    return str(int(value))


def fits(value: float, kind: Kind) -> bool:
    """Whether a whole number is one of this kind of whole numbers."""
    low = 0 if kind.sort == "u" else -(2 ** (8 * kind.size - 1))
    return bool(low <= int(value) < low + 2 ** (8 * kind.size))


def literal(value: bool | int | float) -> Number:
    """A Python number of the text.

    A whole number may be too large for its kind: as one of uint64 it is not, and elsewhere `cast` refuses.
    """
    kind = BOOL if isinstance(value, bool) else INT if isinstance(value, int) else FLOAT
    ir = text_of(value, kind) if kind != INT or fits(value, INT) else "too large"
    return Number(kind, ir, value)


def constant(value: Any, kind: Kind) -> Number:
    """A number of this kind whose value is known."""
    return Number(kind, text_of(value, kind))


def known_int(x: Value, what: str) -> int:
    """A whole number that has to be known when the text is translated."""
    if isinstance(x, Number) and isinstance(x.known, int):
        return int(x.known)
    raise Refused(f"{what} must be a number that the text says")


def of_python(x: Any) -> Value:
    """A Python object that the text names, as a value."""
    if isinstance(x, np.generic):
        kind = KINDS.get(x.dtype.name)
        if kind is None:
            raise Refused(f"{x.dtype.name} numbers")
        return constant(x.item(), kind)
    if isinstance(x, bool | int | float):
        return literal(x)
    if isinstance(x, type) and issubclass(x, np.generic):
        kind = KINDS.get(np.dtype(x).name)
        if kind is None:
            raise Refused(f"{x.__name__} numbers")
        return Dtype(kind)
    if isinstance(x, tuple):
        return tuple(map(of_python, x))
    return x
