"""Calls: operations on all rows at once or without rows, such as products, totals and loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.engine.compiled.arrays import Written
from chainrule.engine.compiled.constants import TILED, WIDE
from chainrule.engine.compiled.elements import LONG, LOOPS, Elements
from chainrule.engine.compiled.marks import Marks
from chainrule.engine.compiled.places import Place, lined_up, picked, plus
from chainrule.engine.compiled.reductions import accumulate, start_of, store_into
from chainrule.engine.compiled.rows import (
    REDUCTIONS,
    affine,
    is_elementwise,
    is_row,
    is_view,
    root_of,
    total,
    wide,
)
from chainrule.engine.compiled.schedule import Schedule
from chainrule.engine.compiled.symbolic import Value
from chainrule.engine.compiled.values import NotCompilable, lengths, no_form
from chainrule.engine.names import bare
from chainrule.engine.primitives import pick, take_rows
from chainrule.lang.messages import _
from chainrule.nodes.indexing import add_at, chosen

__all__ = ["Calls"]

_LETTERS = f"i{LOOPS}"


class Calls:
    """Writes the lines of a kernel outside the passes over the rows."""

    def __init__(self, schedule: Schedule, elements: Elements, written: Sequence[Written]) -> None:
        self.schedule, self.e = schedule, elements
        self.ends = {root_of(v) for _, _, v, _ in written}
        self.lines: list[str] = []
        self.marks = Marks()

    def write(self, calls: Sequence[Value]) -> None:
        """Write the lines for these calls, in order; loops of the same shape are joined."""
        for run in self.schedule.runs(calls):
            with self.marks.of(run, self.lines):
                if self.schedule.shares(run[0]):
                    self._own_run(run)
                else:
                    self._call(run[0])
            self.e.forget()

    def _call(self, v: Value) -> None:
        f = v.function
        if f is affine:
            self._multiply("affine", v)
        elif f is np.matmul:
            if v.ndim == 2:
                self._product(v)
            else:
                self._stacked_product(v)
        elif f is total:
            self._total(v)
        elif f is np.reshape:
            self._reshape(v)
        elif f in (np.concatenate, np.stack):
            self._join(v)
        elif f in REDUCTIONS:
            self._reduction(v)
        elif f is add_at:
            self._add_at(v)
        elif is_elementwise(v) or f in (chosen, take_rows, pick):
            self._elementwise(v)
        else:
            raise no_form(f)

    # -- loops over all elements -----------------------------------------------------------------

    def _nest(self, v: Value, near: Sequence[Value] = ()) -> tuple[list[str], Place]:
        """Loops over all elements of a value, and the place in them."""
        loops: list[str] = []
        place: list[str] = []
        for d in v.shape:
            if d == 1:
                place.append("0")
                continue
            place.append(_LETTERS[len(loops)])
            length = self.e.length(d, (v, *near))
            rows = not loops and is_row(v)
            head = self.e.over_rows(place[-1], length) if rows else None
            loops.append(head or f"for {place[-1]} in range({length}):")
        return loops, tuple(place)

    def _nested(self, loops: Sequence[str], *lines: str) -> None:
        for depth, loop in enumerate(loops):
            self.lines.append("    " * depth + loop)
        self.lines += ["    " * len(loops) + line for line in lines]

    def _set(self, v: Value, text: str) -> None:
        """Set all elements of the value's array."""
        self.lines.append(f"{self.e.array[v]}[:] = {text}")

    def _elementwise(self, v: Value) -> None:
        if not v.shape:
            name = self.e.names.unique(self.e.wanted(v))
            self.lines.append(f"{name} = {bare(self.e.expression(v, ()))}")
            self.e.local[v] = name
            return
        loops, place = self._nest(v, v.operands)
        text = bare(self.e.expression(v, place))
        self._nested(loops, f"{store_into(self.e, v, place)} = {text}")

    def _reduction(self, v: Value) -> None:
        x, axes = v.args[0], v.kwargs["axis"]
        loops, place = self._nest(x, [root_of(x)])
        start = start_of(self.e, v)
        if v.shape:
            self._set(v, start)
            target = store_into(self.e, v, tuple(p for a, p in enumerate(place) if a not in axes))
        else:
            target = self.e.names.unique(self.e.wanted(v))
            self.lines.append(f"{target} = {start}")
        text = self.e.element(x, place)
        self._nested(loops, accumulate(self.e, v, target, text))
        if not v.shape:
            self.e.local[v] = target

    def _add_at(self, v: Value) -> None:
        """Zeros, with values added where a key says."""
        x, key = v.args
        self._set(v, self.e.literal(0, v.dtype))
        loops, place = self._nest(x, [root_of(x)])
        at = picked(key, v.ndim, place, self.e.number, self.e.element)
        text = bare(self.e.element(x, place))
        self._nested(loops, f"{store_into(self.e, v, at)} += {text}")

    def _join(self, v: Value) -> None:
        """Concatenate parts along an axis, or stack them along a new one."""
        axis, offset = v.kwargs["axis"] % v.ndim, "0"
        for i, part in enumerate(v.args[0]):
            loops, place = self._nest(part, [root_of(part)])
            at = list(place)
            if v.function is np.stack:
                at.insert(axis, str(i))
            else:
                at[axis] = plus(at[axis], offset)
                size = self.e.length(part.shape[axis], [root_of(part)])
                offset = size if offset == "0" else f"{offset} + {size}"
            text = bare(self.e.element(part, place, v.dtype))
            self._nested(loops, f"{store_into(self.e, v, tuple(at))} = {text}")

    # -- loops that have no rows, several operations in one ----------------------------------------

    def _own_run(self, values: Sequence[Value]) -> None:
        """Elementwise operations of one shape, in one loop: over the axes, or over all elements.

        All reads come before all stores, since a value may overwrite one of its operands.
        """
        e, mine = self.e, set(values)
        kept = [v for v in values if v in self.ends or set(self.schedule.readers(v)) - mine]
        e.flat = values[0] in self.schedule.flat
        place: Place = ()
        if e.flat:
            size = f"{e.array[kept[0]]}.size" if wide(kept[0]) else "n"
            loops = [e.over_rows("i", size)]
        else:
            loops, place = self._nest(values[0], [r for v in values for r in (v, *v.operands)])
        body: list[str] = []
        stores: list[str] = []
        for v in values:
            text = e.expression(v, place)
            inside = [u for u in self.schedule.readers(v) if u in mine]
            if v not in kept and self._once(v, inside) and len(text) < LONG:
                e.local[v] = text
            elif kept == [v] and not inside:
                stores.append(f"{store_into(e, v, place)} = {bare(text)}")
            else:
                name = e.local[v] = e.variable(v)
                body.append(f"{name} = {bare(text)}")
                if v in kept:
                    stores.append(f"{store_into(e, v, place)} = {name}")
        for v in values:
            e.local.pop(v, None)
        e.flat = False
        self._nested(loops, *body, *stores)

    def _once(self, v: Value, users: Sequence[Value]) -> bool:
        """Whether the value is read exactly once."""
        return len(users) == 1 and [root_of(o) for o in users[0].operands].count(v) == 1

    # -- products and totals -----------------------------------------------------------------------

    def _product(self, v: Value) -> None:
        """A matrix product; transposed operands are read as they are stored."""
        flags = "".join("t" if is_view(o) else "n" for o in v.operands)
        function = {"nn": "dot", "tn": "dot_t", "nt": "dot_by_t", "tt": "dot_t_by_t"}[flags]
        self._multiply(function, v)

    def _multiply(self, function: str, v: Value) -> None:
        """Call a function for a product."""
        arrays = ", ".join(self.e.array[o] for o in (*map(root_of, v.operands), v))
        if self.e.abreast and any(o.has_rows for o in v.operands):
            function = f"{'add_' if self.e.adds_to(v) else ''}{function}_abreast"
            team = "team, " if function.endswith("dot_t_abreast") else ""
            self.lines.append(f"{function}({team}{arrays})")
        else:
            who = self._who(v, function)
            if who == "team" and self.e.part:
                function += "_in_parts"
            self.lines.append(f"{function}(blas, {who}, {arrays})")
        self.e.imports.add(function)

    def _who(self, v: Value, function: str) -> str:
        """The team that computes a product: all threads of the step where possible, or each alone."""
        # Of the sums over rows, those that nothing reads in the step: gradients, in their own arrays.
        argument = self.e.arguments.get(self.e.array[v])
        gradient = argument is not None and argument.role == "gradient"
        together = self.e.gathered and self.schedule.mixed is None and not self.e.in_turn
        if v in self.schedule.parts:
            together &= gradient and not self.schedule.readers(v)
            together &= all(is_row(root_of(o)) for o in v.operands)
            together &= not self.e.part or function == "dot_t"
        else:
            together &= is_row(v) and is_row(v.operands[0])
            together &= not self.e.part or self._pays_in_tiles(v)
        if together and argument is not None:
            argument.whole = gradient
        return "team" if together else "alone"

    def _pays_in_tiles(self, v: Value) -> bool:
        """Whether a product is so large, and wide, that eight threads may share it in tiles."""
        m, n = lengths(v.shape, self.e.part)
        return n >= 8 * WIDE and m * n * lengths(v.operands[0].shape, self.e.part)[1] >= TILED

    def _stacked_product(self, v: Value) -> None:
        """The products of a stack of matrices, one after the other, in plain loops."""
        a, b = v.operands
        loops, place = self._nest(v, [root_of(a), root_of(b)])
        inner = "0" if a.shape[-1] == 1 else _LETTERS[len(loops)]
        if inner != "0":
            length = self.e.length(a.shape[-1], [root_of(a), root_of(b)])
            loops.append(f"for {inner} in range({length}):")
        self._set(v, self.e.literal(0, v.dtype))
        front = place[:-2]
        left = self.e.element(a, (*lined_up(front, a.shape[:-2]), place[-2], inner), v.dtype)
        right = self.e.element(b, (*lined_up(front, b.shape[:-2]), inner, place[-1]), v.dtype)
        self._nested(loops, f"{store_into(self.e, v, place)} += {left} * {right}")

    def _total(self, v: Value) -> None:
        """Sum the parts of all shards; every shard gets the sum."""
        e, x = self.e, v.args[0]
        e.imports.add("together" if v.shape else "together_number")
        parts = e.argument(f"{e.wanted(x)}_parts", "part", Value(None, (), {}, v.shape, v.dtype))
        if v.shape:
            arrays = f"{e.array[x]}, {parts}, {e.array[v]}"
            self.lines.append(f"together(crew, shard, shards, {arrays})")
            return
        name = e.names.unique(f"whole_{e.wanted(x)}")
        own = e.element(x, ())
        e.imports.add(v.dtype.name)
        self.lines.append(
            f"{name} = {v.dtype.name}(together_number(crew, shard, shards, {own}, {parts}))"
        )
        e.local[v] = name

    def _reshape(self, v: Value) -> None:
        """A view of an array; no numbers move."""
        name = self.e.array[v]
        if not v.shape:
            raise NotCompilable(_("it makes a single number of an array by reshaping"))
        root = root_of(v.args[0])
        sizes = ", ".join(self.e.length(d, [root]) for d in v.shape)
        self.e.imports.add("shaped")
        self.lines.append(f"{name} = shaped({self.e.array[root]}, ({sizes},))")

    # -- targets -------------------------------------------------------------------------------------

    def finish(self, role: str, name: str, v: Value, payload: Any) -> None:
        """Copy a target into its array, if it was not computed there."""
        e = self.e
        if role == "loss":
            text = bare(e.element(v, ()))
            once = "shard == 0 and rank == 0" if e.ranked else "shard == 0"
            part = v in self.schedule.parts
            self.lines.append(f"return {text}" if part else f"return {text} if {once} else 0.0")
            return
        there = e.arguments.get(e.array.get(v, ""))
        if there is not None and there.role == role and there.payload is payload:
            return
        # A 0-dimensional gradient is the network's own array; other single numbers are arrays (1,).
        target = e.argument(name, role, v, payload)
        loops, place = self._nest(v)
        at = ", ".join(place) or ("()" if role == "gradient" else "0")
        sign = "+=" if role == "gradient" and e.adding else "="
        text, indent = bare(e.element(v, place)), ""
        if role == "gradient" and v not in self.schedule.parts:  # it counts once
            if e.ranked:
                text = f"{text} if rank == 0 else {e.literal(0, v.dtype)}"
            self.lines.append("if shard == 0:")
            indent = "    "
        loops = [f"{indent}{loop}" for loop in loops]
        self._nested(loops, f"{indent}{target}[{at}] {sign} {text}")
