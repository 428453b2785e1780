"""A step for batches of any size, from two recordings at two batch sizes.

A recording contains only the sizes it was made at. A comparison of two recordings at different batch
sizes shows which axes depend on the batch (`Rows`), and which numbers do (1/N). The result is one
list of operations for every batch size; its other sizes and its numbers are read at run time, so
that one compiled kernel serves every network of the same form.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.compiled.axes import Axes, Axis
from chainrule.engine.compiled.values import (
    ROWS,
    Cut,
    Dim,
    NotCompilable,
    Number,
    Rows,
    Value,
    Width,
)
from chainrule.engine.memory import needed
from chainrule.engine.origins import Origin
from chainrule.engine.primitives import VIEWS, pick
from chainrule.engine.trace import Traced
from chainrule.graph.recording import Reads
from chainrule.lang.messages import _, _n
from chainrule.nodes.indexing import add_at

__all__ = [
    "ROWS",
    "Cut",
    "Dim",
    "NotCompilable",
    "Number",
    "Rows",
    "SizedRecording",
    "Symbolic",
    "Value",
    "Width",
    "overlay",
    "unlike",
]

Array = npt.NDArray[Any]


@dataclass
class SizedRecording:
    """One recording: its targets in a fixed order, and the names of some values."""

    rows: int
    targets: list[Traced]
    names: dict[Traced, str] = field(default_factory=dict)
    reads: Reads = field(default_factory=list)
    #: The node of each value, where that was asked for.
    origins: dict[Traced, Origin] = field(default_factory=dict)


@dataclass
class Symbolic:
    """The operations in order, and the target values in the order of the recordings."""

    values: list[Value]
    targets: list[Value | Number]
    numbers: NumberTable
    #: The arrays read while recording that the kernels do not read themselves.
    reads: Reads


#: Numbers that are literals in the text. Any other may be a setting, or depend on a width that
#: happens to be 2, and is read at run time: so one text serves all settings and widths.
_WRITTEN = frozenset({0.0, 1.0, -1.0})
#: Exponents that are literals: their powers are products and roots.
_EXPONENTS = frozenset({2.0, 3.0, 4.0, 0.5, -0.5, -2.0, 1.5, -1.5})


#: How numbers depend on the batch size: as 1/n in a mean, as n/(n - 1) in a variance.
_FORMS: tuple[Callable[[int], float], ...] = (
    lambda n: 1 / n,
    lambda n: n,
    lambda n: 1 / (n - 1),
    lambda n: n / (n - 1),
)


class NumberTable:
    """The numbers a step reads at run time, for every batch size."""

    def __init__(self, record: Callable[[int], SizedRecording], sizes: tuple[int, int]) -> None:
        self._record, self._sizes = record, sizes
        self.leaves: list[tuple[Any, Any]] = []
        self._first: SizedRecording | None = None
        self._known: dict[int, list[Any]] = {}

    def begin(self, first: SizedRecording) -> None:
        """The recording that the leaves belong to."""
        self._first = first

    def place(self, a: Any, b: Any) -> int:
        """The index of a number in the table, given as in the two recordings: a leaf, or itself."""
        self.leaves.append((a, b))
        return len(self.leaves) - 1

    def now(self, number: int | Number) -> int:
        """An index in an axis that does not depend on the batch."""
        if not isinstance(number, Number):
            return number
        return int(
            _number(self.leaves[number.index][0]) if number.literal is None else number.literal
        )

    def at(self, n: int) -> list[Any]:
        """Every number, for a batch of n rows."""
        if n not in self._known:
            self._known[n] = self._evaluate(n)
        return self._known[n]

    def tables(self, sizes: Sequence[int]) -> tuple[Array, Array]:
        """The numbers for each of some batch sizes: as floats, and as 64-bit words."""
        rows = [self.at(n) for n in sizes]
        numbers = np.zeros((len(sizes), max(len(rows[0]), 1)))
        words = np.zeros(numbers.shape, np.uint64)
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                numbers[i, j] = value
                if isinstance(value, int):
                    words[i, j] = value % 2**64
        return numbers, words

    def others(self, record: Callable[[int], SizedRecording]) -> dict[int, Any] | None:
        """The numbers that are others in another recording of the step, by their places.

        None if the step is another one, if only since numbers are equal there that are not so here.
        """
        assert self._first is not None
        theirs = _Matching(self._first.targets, record(self._sizes[0]).targets)
        twins = {j: theirs.twin[a] for j, (a, _) in enumerate(self.leaves) if a in theirs.twin}
        if theirs.differs or len(set(twins.values())) < len({self.leaves[j][0] for j in twins}):
            return None
        return {j: _number(b) for j, b in twins.items() if _number(b) != _number(self.leaves[j][0])}

    def _evaluate(self, n: int) -> list[Any]:
        (m1, m2), found = self._sizes, []
        for a, b in self.leaves:
            va, vb = _number(a), _number(b)
            if va == vb or (va != va and vb != vb):
                found.append(va)
                continue
            fits = (f for f in _FORMS if math.isclose(va * f(m2), vb * f(m1), rel_tol=1e-12))
            form = next(fits, None)
            if form is None or (n == 1 and form not in _FORMS[:2]):
                break
            found.append(float(va) / form(m1) * form(n))
        else:
            return found
        assert self._first is not None
        there = _Matching(self._first.targets, self._record(n).targets)
        if there.differs:
            raise NotCompilable(
                _n(
                    "a number in it goes with the batch in a way unknown for {n} row",
                    "a number in it goes with the batch in a way unknown for {n} rows",
                    n,
                )
            )
        return [_number(there.twin[a]) if isinstance(a, Traced) else a for a, _ in self.leaves]


def _name_of(a: float, b: float, m1: int, m2: int) -> str:
    """The name of a number that goes with the batch, from what it is for two sizes."""
    if math.isclose(a * m1, b * m2, rel_tol=1e-12):
        return "per_row"
    return "count" if math.isclose(a * m2, b * m1, rel_tol=1e-12) else "ratio"


def _number(leaf: Any) -> Any:
    known = leaf.known if isinstance(leaf, Traced) else leaf
    return known.item() if isinstance(known, np.ndarray) else known


class _Matching:
    """The matching of the values of two recordings; `differs` if they do not match."""

    def __init__(self, ours: Sequence[Traced], theirs: Sequence[Traced]) -> None:
        self.twin: dict[Traced, Traced] = {}
        self.differs = False
        ahead = list(zip(ours, theirs, strict=True))
        while ahead and not self.differs:
            a, b = ahead.pop()
            known = self.twin.get(a)
            if known is not None:
                self.differs = known is not b and not _same_constant(known, b)
                continue
            self.twin[a] = b
            ours_, theirs_ = a.operands, b.operands
            self.differs = not _alike(a, b) or len(ours_) != len(theirs_)
            ahead.extend(zip(ours_, theirs_, strict=False))


def _alike(a: Traced, b: Traced) -> bool:
    """Whether two recordings may mean one operation, or one leaf."""
    if a.function is not b.function or a.ndim != b.ndim or a.dtype != b.dtype:
        return False
    if a.function is not None:
        return a.kwargs == b.kwargs
    return a.name == b.name and a.weak == b.weak and (a.known is None) == (b.known is None)


def _same_constant(a: Traced, b: Traced) -> bool:
    leaves = a.function is None and b.function is None
    known = leaves and a.known is not None and b.known is not None
    return known and np.array_equal(a.known, b.known)


def overlay(record: Callable[[int], SizedRecording], widths: Iterable[int]) -> Symbolic:
    """The step for a batch of any size, from recordings at two sizes unlike all widths."""
    for sizes in unlike(set(widths)):
        first, second = record(sizes[0]), record(sizes[1])
        matching = _Matching(first.targets, second.targets)
        if not matching.differs:
            numbers = NumberTable(record, sizes)
            numbers.begin(first)
            return _Overlay(first, matching.twin, sizes, numbers).symbolic()
    raise NotCompilable(_("it takes other operations for another batch size"))


def unlike(widths: set[int]) -> list[tuple[int, int]]:
    """Two pairs of small batch sizes, coprime within a pair, and unequal to all widths.

    The second pair is for when a batch-dependent number equals one of the formula's at the first.
    """
    found: list[int] = []
    n = 5
    while len(found) < 4:
        prime = all(n % k for k in range(2, math.isqrt(n) + 1))
        if prime and not any(w == n or (w > n and w % n == 0) for w in widths):
            found.append(n)
        n += 2
    return [(found[0], found[1]), (found[2], found[3])]


class _Overlay:
    def __init__(
        self,
        first: SizedRecording,
        twin: dict[Traced, Traced],
        sizes: tuple[int, int],
        numbers: NumberTable,
    ) -> None:
        self.first, self.twin, self.sizes, self.numbers = first, twin, sizes, numbers
        self.made: dict[Traced, Value | Number] = {}
        self.values: list[Value] = []
        self._widths: dict[Axis, Width] = {}
        wanted = needed(first.targets)
        self._order = [t for t in first.targets[0].trace.values if t in wanted]
        self._axes = Axes(self._order)
        powers = [t for t in self._order if t.function is np.power]
        self._exponents = {t.args[1] for t in powers if isinstance(t.args[1], Traced)}

    def symbolic(self) -> Symbolic:
        for traced in self._order:
            self.made[traced] = self._make(traced, self.twin[traced])
        targets = [self.made[t] for t in self.first.targets]
        return Symbolic(self.values, targets, self.numbers, self.first.reads)

    def _make(self, a: Traced, b: Traced) -> Value | Number:
        if a.known is not None and a.ndim == 0:
            return self._make_number(a, b)
        if a.known is not None and (
            a.shape != b.shape
            or not np.array_equal(a.known, b.known, equal_nan=a.dtype.kind == "f")
        ):
            if a.dtype.kind in "iu" and np.array_equal(a.known, np.arange(a.size)):
                raise NotCompilable(
                    _(
                        "the numbers of its rows stand in an index, as in h[np.arange(len(h)), t]; write"
                        " cr.sum(h * cr.one_hot(t, classes), axis=1)"
                    )
                )
            raise NotCompilable(_("a constant array in it goes with the batch"))
        sizes = enumerate(zip(a.shape, b.shape, strict=True))
        shape = tuple(self._dim(p, q, a, i) for i, (p, q) in sizes)
        payload = a if a.function is None else None
        name = self.first.names.get(a, a.name)
        args = self._arguments(a, b)
        origins = frozenset([self.first.origins[a]] if a in self.first.origins else [])
        value = Value(
            a.function,
            args,
            dict(a.kwargs),
            shape,
            a.dtype,
            name=name,
            payload=payload,
            origins=origins,
        )
        self.values.append(value)
        return value

    def _arguments(self, a: Traced, b: Traced) -> tuple[Any, ...]:
        """The arguments of the operation for any sizes: shapes follow from the result."""
        if a.function in VIEWS:
            more = (a.args[1],) if a.function is np.transpose else ()
            return (self._argument(a.args[0]), *more)
        if a.function is pick:
            shapes = a.args[0].shape, b.args[0].shape
        elif a.function is add_at:
            shapes = a.shape, b.shape
        else:
            return tuple(map(self._argument, a.args))
        key = a.args[1] if isinstance(a.args[1], tuple) else (a.args[1],)
        twin = b.args[1] if isinstance(b.args[1], tuple) else (b.args[1],)
        return self._argument(a.args[0]), self._key(key, twin, *shapes)

    def _argument(self, p: Any) -> Any:
        if isinstance(p, Traced):
            return self.made[p]
        return tuple(map(self._argument, p)) if isinstance(p, tuple | list) else p

    def _make_number(self, a: Traced, b: Traced) -> Number:
        va, vb = _number(a), _number(b)
        dtype = None if a.weak else a.dtype
        if isinstance(va, bool):
            return Number(va, dtype=dtype)
        real = isinstance(va, float)
        written = _WRITTEN | _EXPONENTS if a in self._exponents else _WRITTEN
        if va == vb and a.dtype.kind != "u" and float(va) in written:
            return Number(va, dtype=dtype, real=real)
        name = a.name or ("" if va == vb else _name_of(va, vb, *self.sizes))
        return Number(None, self.numbers.place(a, b), dtype, real, name)

    def _dim(self, p: int, q: int, a: Traced, axis: int) -> Dim:
        if p != q:
            return self._rows(p, q)
        if p == 1:
            return 1
        head = self._axes.head(a, axis)
        if head not in self._widths:
            width = self._widths[head] = Width(p)
            width.number = Number(None, self.numbers.place(p, p), np.dtype(np.int64))
        return self._widths[head]

    def _rows(self, p: int, q: int) -> Rows:
        m1, m2 = self.sizes
        times, rest = divmod(q - p, m2 - m1)
        if rest or times < 1:
            raise NotCompilable(_("a length in it does not go evenly with the batch size"))
        return Rows(times, p - times * m1)

    # -- keys: what stands between the brackets of x[...] -------------------------------------

    def _key(
        self,
        key: tuple[Any, ...],
        twin: tuple[Any, ...],
        shape: tuple[int, ...],
        other: tuple[int, ...],
    ) -> tuple[Any, ...]:
        """A key for axes of any length: numbers, cuts, None and values, counted from the start."""
        parts: list[Any] = []
        axis = 0
        for p, q in zip(key, twin, strict=True):
            if p is None:
                parts.append(None)
                continue
            if p is Ellipsis:
                skipped = len(shape) - sum(k is not None and k is not Ellipsis for k in key)
                parts += [Cut()] * skipped
                axis += skipped
                continue
            if isinstance(p, Traced):
                if len(key) > 1 and p.known is None:
                    raise NotCompilable(
                        _("it picks by ids along several axes, or not along the first")
                    )
                parts.append(self.made[p])
            elif isinstance(p, slice):
                parts.append(self._cut(p.indices(shape[axis]), q.indices(other[axis]), shape[axis]))
            else:
                parts.append(self._offset(int(p) % shape[axis], int(q) % other[axis]))
            axis += 1
        return tuple(parts)

    def _cut(self, p: tuple[int, int, int], q: tuple[int, int, int], length: int) -> Cut:
        return Cut(self._offset(p[0], q[0]), p[2], p == (0, length, 1))

    def _offset(self, p: int, q: int) -> int | Rows | Number:
        """An offset: 0, one that depends on the widths, or one that depends on the batch."""
        if p != q:
            return self._rows(p, q)
        return Number(None, self.numbers.place(p, p), np.dtype(np.int64)) if p else 0
