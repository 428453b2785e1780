"""Expressions: the source text of one element of a value, in terms of arrays and variables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from chainrule.engine.compiled.formulas import formula, text_of
from chainrule.engine.compiled.places import Place, lined_up, picked, rows_text, through
from chainrule.engine.compiled.rows import is_row, is_view, root_of, total, wide
from chainrule.engine.compiled.symbolic import Dim, NotCompilable, Number, Rows, Value, Width
from chainrule.engine.names import Names
from chainrule.engine.primitives import cast, filled, pick, take_rows
from chainrule.lang.messages import _
from chainrule.nodes.indexing import add_at, chosen, replaced
from chainrule.nodes.random import cells

__all__ = ["LONG", "LOOPS", "Argument", "Elements", "own_place"]

#: The loop variables of the axes after the rows.
LOOPS = "jklmuv"

#: Longer expressions are assigned to a variable.
LONG = 60

#: Reserved letters.
_KEPT = f"i{LOOPS}nr"

#: The names of values without a name in the network, by function.
_HINTS: dict[Any, str] = {
    np.exp: "e", np.log: "log", np.log1p: "log", np.max: "largest", np.min: "smallest",
    np.sum: "total", np.sqrt: "root", np.reciprocal: "inverse", np.matmul: "product",
    np.add: "added", np.subtract: "difference", np.multiply: "term", np.divide: "ratio",
    np.negative: "minus", np.tanh: "bend", np.power: "power", np.maximum: "larger",
    np.minimum: "smaller", np.where: "kept", np.equal: "equal", np.greater: "above",
    np.less: "below", np.bitwise_xor: "mixed", np.right_shift: "shifted", np.concatenate: "joined",
    np.stack: "joined", chosen: "own", replaced: "other", cells: "cell", cast: "cast",
    total: "whole", add_at: "scattered", pick: "picked", np.reshape: "table", filled: "copy",
}  # fmt: skip

#: The names of arrays of such values.
_PLURALS: dict[Any, str] = {
    np.exp: "exps", np.log: "logs", np.log1p: "logs", np.sum: "totals", np.sqrt: "roots",
    np.reciprocal: "inverses", np.matmul: "products", np.add: "sums", np.subtract: "differences",
    np.multiply: "terms", np.divide: "ratios", np.negative: "opposites", np.tanh: "bends",
    np.power: "powers", cast: "casts", filled: "copies", replaced: "others",
}  # fmt: skip


@dataclass
class Argument:
    """An array argument of a kernel: its role, and what is needed to make or find it.

    `role` is "data", "bound", "constant", "work", "part", "gradient", "written" or "out". A `whole`
    gradient is that of all rows, to which every thread has contributed. `stacked`: the first axis is
    that of a stack of arrays.
    """

    name: str
    role: str
    shape: tuple[Dim, ...]
    dtype: np.dtype[Any]
    payload: Any = None
    whole: bool = False
    stacked: bool = False

    @property
    def by_row(self) -> bool:
        """Whether it is an array of rows, or a stack of such arrays."""
        return isinstance(self.shape[1 if self.stacked else 0], Rows)

    @property
    def shared(self) -> bool:
        """Whether it contains the rows of all threads, thread by thread."""
        first, *others = self.shape[1:] if self.stacked else self.shape
        leads = isinstance(first, Rows) and first.plus == 0
        return self.role == "work" and leads and not any(isinstance(d, Rows) for d in others)


def own_place(v: Value) -> Place:
    """The place of a value's element in the loops around it: rows by i, other axes by j, k, …"""
    loops = iter(LOOPS)
    if is_row(v):
        return ("i", *("0" if d == 1 else next(loops) for d in v.shape[1:]))
    return tuple("0" if d == 1 else next(loops) for d in v.shape)


class Elements:
    """The location of every value, and the text that reads one element of it."""

    def __init__(
        self,
        dtype: np.dtype[Any],
        names: Names,
        *,
        gathered: bool,
        abreast: bool = False,
        adding: bool = False,
        ranked: bool = False,
        part: int = 0,
        in_turn: bool = False,
    ) -> None:
        self.dtype, self.names, self.gathered = dtype, names, gathered
        #: Whether ranks share a batch; how many rows each thread has of it if all that they compute is
        #: to be the same however many ranks there are, else 0.
        self.ranked, self.part = ranked, part
        #: Whether a thread computes several such parts, one after the other.
        self.in_turn = in_turn
        #: Whether several rows are computed at a time, one in each lane.
        self.abreast = abreast
        #: Whether gradients are added to, block of rows by block.
        self.adding = adding
        self.arguments: dict[str, Argument] = {}
        #: The names of the arrays of values; `scratch` are arrays of a single row.
        self.array: dict[Value, str] = {}
        self.scratch: set[Value] = set()
        #: Values that are currently a variable, or an expression to insert where they are read.
        self.local: dict[Value, str] = {}
        #: Numbers written as literals, and those read from the tables.
        self.literals: dict[tuple[str, Any], str] = {}
        self.numbers: dict[tuple[str, int], str] = {}
        self.imports: set[str] = set()
        #: Inside a pass: whether the row number is used, and the elements read once per row.
        self.inside = self.uses_row = False
        #: Inside a loop over all elements, whatever their axes.
        self.flat = False
        self.read_first: list[str] = []
        self._given: list[tuple[tuple[str, Any], str]] = []
        self._free: dict[tuple[str, Any], list[str]] = {}

    # -- names -----------------------------------------------------------------------------------

    def argument(self, wanted: str, role: str, v: Value, payload: Any = None) -> str:
        """Add an array argument to the kernel; gives its name."""
        name = self.names.unique(wanted)
        self.arguments[name] = Argument(name, role, v.shape or (1,), v.dtype, payload)
        return name

    def wanted(self, v: Value) -> str:
        """The preferred name of a value."""
        return v.name or _HINTS.get(v.function, "value")

    def wanted_array(self, v: Value) -> str:
        """The preferred name of a value's array."""
        return v.name or _PLURALS.get(v.function) or self.wanted(v)

    def variable(self, v: Value) -> str:
        """A variable for the value, until `forget`: a free one of the same name and dtype, or a new one."""
        wanted = self.wanted(v)
        if v in self.array and v.name:  # hidden[i, j] as h
            array = self.array[v]
            wanted = array[:3] if array[0] in _KEPT else array[0]
        free = self._free.get((wanted, v.dtype))
        name = free.pop(0) if free else self.names.unique(wanted)
        self._given.append(((wanted, v.dtype), name))
        return name

    def forget(self) -> None:
        """Free the variables of a loop for other values of the same name and dtype."""
        for kind, name in self._given:
            self._free.setdefault(kind, []).append(name)
        self._given.clear()

    # -- numbers ---------------------------------------------------------------------------------

    def literal(self, value: Any, dtype: np.dtype[Any]) -> str:
        """A literal number, in a dtype."""
        if dtype.kind == "b":
            return str(bool(value))
        value = float(value) if dtype.kind == "f" else int(value)
        key = (dtype.name, value)
        if key not in self.literals:
            self.imports.add(dtype.name)
            self.literals[key] = self.names.unique(text_of(value, dtype, self.dtype))
        return self.literals[key]

    def number(self, number: Number, dtype: np.dtype[Any] | None = None) -> str:
        """A number of the step; a Python number takes the dtype of the other operand."""
        dtype = number.dtype or dtype or self.dtype
        if number.literal is not None:
            return self.literal(number.literal, dtype)
        key = (dtype.name, number.index)
        if key not in self.numbers:
            self.imports.add(dtype.name)
            self.numbers[key] = self.names.unique(number.name or f"c{len(self.numbers) + 1}")
        return self.numbers[key]

    def length(self, d: Dim, near: Iterable[Value] = ()) -> str:
        """The text of a length, read from an array of that length if there is one."""
        if isinstance(d, Rows):
            return rows_text(d)
        if not isinstance(d, Width):
            return str(d)
        for v in chain(near, self.array):
            if self.array.get(v) not in self.arguments or d not in v.shape:
                continue  # in no array, or in a view that is made later
            axis = v.shape.index(d) - (v in self.scratch)
            return f"{self.array[v]}.shape[{axis}]"
        return self.number(d.number)

    def adds_to(self, v: Value) -> bool:
        """Whether the value's array is a gradient that is added to."""
        argument = self.arguments.get(self.array.get(v, ""))
        return self.adding and argument is not None and argument.role == "gradient"

    def over_rows(self, variable: str, length: str) -> str:
        """The head of a loop over rows, or over all elements of some."""
        if not self.abreast:
            return f"for {variable} in range({length}):"
        self.imports.add("abreast")
        return f"for {variable} in abreast({length}):"

    # -- elements --------------------------------------------------------------------------------

    def element(self, v: Value | Number, place: Place, dtype: np.dtype[Any] | None = None) -> str:
        """The text of one element, cast to a dtype if one is given."""
        if isinstance(v, Number):
            return self.number(v, dtype)
        if self.flat:
            v = root_of(v)
        if is_view(v):
            x = v.args[0]
            if isinstance(x, Number):
                return self.element(x, (), dtype or v.dtype)
            return self.element(x, through(v, place, self.number), dtype)
        text = self.local.get(v)
        if text is None:
            text = self.flat_place(v) if self.flat and v.shape else self._from_array(v, place)
        return self._in_dtype(text, v.dtype, dtype)

    def flat_place(self, v: Value) -> str:
        """The text of element i of a value's flattened array."""
        return f"{self.array[v]}[i]" if v.ndim == 1 else f"{self.array[v]}.flat[i]"

    def _from_array(self, v: Value, place: Place) -> str:
        if v not in self.array:
            raise NotCompilable(_("a value in it is kept in no array"))
        # An id may say where along an axis of length 1 (`x[:, [0, 0, 0]]`): there is one place only.
        place = tuple("0" if d == 1 else p for d, p in zip(v.shape, place, strict=True))
        if v.function is None and v.payload.array is None and self.gathered and v.has_rows:
            row = "r" if self.inside and place[0] == "i" else f"rows[{place[0]}]"
            self.uses_row |= row == "r"
            at: Place = (row, *place[1:])
        else:
            at = place[1:] if v in self.scratch else place
        text = f"{self.array[v]}[{', '.join(at) if v.shape else '0'}]"
        if self.inside and is_row(v) and not wide(v) and place[0] == "i":
            # One number for the whole row is read once.
            name = self.local[v] = self.variable(v)
            self.read_first.append(f"{name} = {text}")
            return name
        return text

    def _in_dtype(self, text: str, have: np.dtype[Any], want: np.dtype[Any] | None) -> str:
        """A text cast to another dtype, said where the reader sees it."""
        if want is None or want == have:
            return text
        if want.kind == "b":
            return f"({text} != {self.literal(0, have)})"
        self.imports.add(want.name)
        return f"{want.name}({text})"

    def expression(self, v: Value, place: Place) -> str:
        """The text of an element of a value, in terms of its operands' elements."""
        f = v.function
        if f is chosen:
            x, t = v.args
            return self.element(x, (*place, self._repeated(t, place)))
        if f is pick:
            x, key = v.args
            return self.element(x, picked(key, x.ndim, place, self.number, self.element))
        if f is take_rows:
            table, ids = v.args
            return self.element(table, (self.element(ids, place[: ids.ndim]), *place[ids.ndim :]))
        if f is replaced:
            x, t, new = v.args
            self.imports.add("where")
            at, other = self._repeated(t, place[:-1]), self._repeated(new, place[:-1], v.dtype)
            return f"where({place[-1]} == {at}, {other}, {self.element(x, place, v.dtype)})"
        if f is cells:
            return self._cell(v, place)
        wants = _meeting(v)
        operands = v.args[:1] if f is cast else v.args
        texts = [
            self._repeated(a, place, want or (None if isinstance(a, Value) else v.dtype))
            for a, want in zip(operands, wants, strict=True)
        ]
        if f is np.reciprocal:
            texts.insert(0, self.literal(1, v.dtype))
        return formula(v, texts, self.imports)

    def _repeated(self, x: Any, place: Place, dtype: np.dtype[Any] | None = None) -> str:
        """The element of an operand that NumPy would broadcast; a number is the same everywhere."""
        if isinstance(x, Value):
            return self.element(x, place if self.flat else lined_up(place, x.shape), dtype)
        if isinstance(x, Number):
            return self.number(x, dtype)
        return self.literal(x, dtype or self.dtype)

    def _cell(self, v: Value, place: Place) -> str:
        """The number of an element, from its row in the whole batch and its column."""
        self.imports.add("cell")
        column = place[1] if len(place) > 1 else "0"
        for axis in range(2, len(place)):
            column = f"({column}) * {self.length(v.shape[axis], [v])} + {place[axis]}"
        d = v.shape[0] if v.shape else 1
        if not isinstance(d, Rows):
            return f"cell({place[0] if place else '0'}, {column})"
        first = "(before + first)" if self.ranked else "first"
        first = first if d.times == 1 else f"{d.times} * {first}"
        return f"cell({first} + {place[0]}, {column})"


#: Comparisons, which give booleans and compare the operands in their own dtypes.
_COMPARISONS = (
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
)  # fmt: skip
_LOGICAL = (np.logical_and, np.logical_or, np.logical_not)


def _meeting(v: Value) -> list[np.dtype[Any] | None]:
    """The dtype that each operand is cast to before the operation."""
    f, n = v.function, 1 if v.function is cast else len(v.args)
    if f is np.where:
        return [np.dtype(bool), v.dtype, v.dtype]
    if f in _LOGICAL:
        return [np.dtype(bool)] * n
    if f in _COMPARISONS:
        found = [a.dtype for a in v.args if a.dtype is not None]
        common = np.result_type(*found)
        if common.kind in "biu" and any(a.real for a in v.args if isinstance(a, Number)):
            common = np.dtype(np.float64)
        return [common] * n
    if f in (cast, np.isfinite):
        return [None] * n
    return [v.dtype] * n
