"""The kinds of numbers in a kernel, and the kind in which two of them meet: NumPy's rules.

A number that NumPy's scalars stand for has a dtype, such as float32. Python's own numbers (lengths,
loop counters, literals) are weak: beside a float32 they are float32. So a kernel computes the same
as machine code and as plain Python.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from chainrule.engine.compiler.refusals import Refused

__all__ = ["BOOL", "FLOAT", "INT", "KINDS", "Kind", "meet"]


@dataclass(frozen=True)
class Kind:
    """What a number is: its name, LLVM's type, its bytes, and b(ool), i(nteger), u(nsigned) or f(loat).

    With several `lanes` it is a vector of such numbers.
    """

    name: str
    llvm: str
    size: int
    sort: str
    weak: bool = False
    lanes: int = 1

    @property
    def ir(self) -> str:
        """LLVM's type of the value in a register."""
        return self.llvm if self.lanes == 1 else f"<{self.lanes} x {self.llvm}>"

    @property
    def in_memory(self) -> str:
        """LLVM's type of one number in an array, where a boolean takes a byte."""
        return "i8" if self.sort == "b" else self.llvm

    def wide(self, lanes: int) -> Kind:
        """A vector of so many of these."""
        return self if self.lanes == lanes else dataclasses.replace(self, lanes=lanes)


def _named(name: str, llvm: str) -> Kind:
    dtype = np.dtype(name)
    return Kind(name, llvm, dtype.itemsize, dtype.kind)


#: Every dtype that a kernel takes, by NumPy's name.
KINDS = {
    "float32": _named("float32", "float"),
    "float64": _named("float64", "double"),
    "bool": _named("bool", "i1"),
    **{
        f"{sign}int{bits}": _named(f"{sign}int{bits}", f"i{bits}")
        for bits in (8, 16, 32, 64)
        for sign in ("", "u")
    },
}
#: Python's own numbers.
INT = Kind("int", "i64", 8, "i", weak=True)
FLOAT = Kind("float", "double", 8, "f", weak=True)
BOOL = KINDS["bool"]


def meet(a: Kind, b: Kind) -> Kind:
    """The kind of a + b."""
    lanes = max(a.lanes, b.lanes)
    if 1 < min(a.lanes, b.lanes) < lanes:
        raise Refused(f"a vector of {a.lanes} numbers meets one of {b.lanes}")
    a, b = a.wide(1), b.wide(1)
    return _met(a, b).wide(lanes)


def _met(a: Kind, b: Kind) -> Kind:
    if a == b:
        return a
    if a.weak and b.weak:
        return FLOAT
    if not (a.weak or b.weak):
        return KINDS[np.result_type(a.name, b.name).name]
    weak, strong = (a, b) if a.weak else (b, a)
    if weak.sort == "f" and strong.sort != "f":
        return KINDS["float64"]
    return KINDS["int64"] if strong.sort == "b" else strong
