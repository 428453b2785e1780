"""When each operation of a step runs: passes over the rows, and the calls between them.

A pass goes over the rows of a batch once and computes everything that needs one row at a time. An
operation that needs all rows of an operand first (a matrix product) is a call, and separates one
pass from the next. So does an exponential, a logarithm or a tanh, with the elementwise operations
before and after it: one loop over all elements uses vector instructions, however short the rows are.
A sum over the rows is computed in the pass that computes its summands; each shard of the batch
computes its own part. Parts are added over the shards at the end of the step if only gradients and
the loss need them, or at once (`total`) if the step itself reads the sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainrule.engine.compiled.rows import (
    REDUCTIONS,
    affine,
    is_elementwise,
    is_row,
    is_view,
    long_axes,
    root_of,
    row_problem,
    total,
    wide,
)
from chainrule.engine.compiled.symbolic import Symbolic, Value
from chainrule.engine.primitives import filled, pick, take_rows
from chainrule.lang.messages import Text
from chainrule.nodes.indexing import add_at, chosen, replaced
from chainrule.nodes.random import cells

__all__ = ["Schedule"]


#: Functions that take many instructions, which are faster for many numbers at once.
_LONG = (np.exp, np.log, np.log1p, np.tanh)

#: A sum of many parts, such as a gradient with one from every step of time, is added up in loops of
#: at most so many.
MOST_ADDED = 8


class Stage:
    """Calls, then a pass over the rows."""

    def __init__(self) -> None:
        self.calls: list[Value] = []
        self.rows: list[Value] = []


class Schedule:
    """The stages of a step, the values that are parts of sums, and why it cannot be sharded, if so."""

    def __init__(
        self, step: Symbolic, whole: Iterable[Value] = (), *, gather: bool = False
    ) -> None:
        """`whole`: targets of which every shard needs the whole, such as new buffers. `gather`: the
        rows of a batch are gathered once, not wherever they are read."""
        self._gather = gather
        self.mixed: Text | None = None
        self.parts: set[Value] = set()
        self._totals: dict[Value, Value] = {}
        self._copies: dict[Value, Value] = {}
        folded = _with_biases(step)
        values = [taken for v in step.values if (taken := folded.get(v, v)) is not None]
        self._whole = self._needed_whole(values, whole)
        self.parts.clear()
        #: The operations, and what operands were exchanged for: totals, copies in arrays.
        self.values: list[Value] = []
        self._own: dict[Value, Value] = {}
        for v in step.values:
            if (taken := folded.get(v, v)) is not None:
                self._own[v] = self._entered(taken)
        for v in whole:
            self.total(self.own(v))
        self.users: dict[Value, list[Value]] = {v: [] for v in self.values}
        for v in self.values:
            for o in v.operands:
                self.users[o].append(v)
        targets = [self.own(v) for v in step.targets if isinstance(v, Value)]
        #: Operations on rows that are done for all elements in one loop.
        self.flat: set[Value] = set()
        self._flatten({root_of(v) for v in targets})
        self._passes: dict[Value, bool] = {}
        self.stages = self._stages(targets)
        #: Operations outside the passes that share a loop, and the number of each one's loop.
        self.loops = [run for stage in self.stages for run in self.runs(stage.calls)]
        self.loop = {v: k for k, run in enumerate(self.loops) for v in run}

    # -- what each operation may be given -----------------------------------------------------

    def own(self, v: Value) -> Value:
        """The schedule's own value for one of the step's, with other operands perhaps."""
        return self._own[v]

    def _entered(self, v: Value) -> Value:
        if v.function is None:
            self.values.append(v)
            return v
        self.mixed = self.mixed or row_problem(v)
        v = v.given(self._exchanged(v.args, self._given))
        part = self._is_part(v)
        if not part:
            v = v.given(self._exchanged(v.args, self.total))
        if v.function is np.reshape and not is_view(v):
            v = v.given(self._exchanged(v.args, self._untransposed))
        elif v.function in (np.matmul, affine) and v.ndim == 2:
            v = v.given(self._exchanged(v.args, self._array))
        elif self._gather:
            v = v.given(self._exchanged(v.args, self._gathered))
        if part:
            self.parts.add(v)
        self.values.append(v)
        return v

    def _needed_whole(self, values: Sequence[Value], whole: Iterable[Value]) -> set[Value]:
        """The sums over rows that the step itself reads."""
        behind: dict[Value, set[Value]] = {}
        found: set[Value] = set()
        for v in values:
            if v.function is None:
                continue
            if not self._is_part(v):
                for o in v.operands:
                    found |= behind.get(o, set())
                continue
            self.parts.add(v)
            behind[v] = set[Value]().union(*(behind.get(o, ()) for o in v.operands)) or {v}
        for v in whole:
            found |= behind.get(v, set())
        return found

    def _exchanged(self, args: Any, by: Any) -> Any:
        if isinstance(args, Value):
            return by(args)
        if isinstance(args, tuple):
            return tuple(self._exchanged(a, by) for a in args)
        return args

    def _given(self, v: Value) -> Value:
        """The schedule's own value; or the total, for a sum that some of its users need whole."""
        return self.total(self.own(v)) if v in self._whole else self.own(v)

    def total(self, v: Value) -> Value:
        """The whole of a sum, where only the shard's part is known."""
        if v not in self.parts:
            return v
        if v not in self._totals:
            if is_view(v):
                made = v.given((self.total(v.args[0]), *v.args[1:]))
            else:
                made = Value(total, (v,), {}, v.shape, v.dtype, name=v.name, origins=v.origins)
            self._totals[v] = made
            self.values.append(made)
        return self._totals[v]

    def _array(self, v: Value) -> Value:
        """What a call reads: an array, which a slice or a repeated value is not."""
        if v.function is np.transpose and v.ndim == 2:
            x = self._array(v.args[0])
            if x is v.args[0]:
                return v
            made = Value(np.transpose, (x, v.args[1]), {}, v.shape, v.dtype, origins=v.origins)
            self.values.append(made)
            return made
        if self._gathered(v) is not v:
            return self._gathered(v)
        return v if root_of(v) is v else self._copy(v, "")

    def _gathered(self, v: Value) -> Value:
        """The batch's own rows, gathered, for the data that they are rows of."""
        given = v.function is None and v.payload.array is None and is_row(v)
        return self._copy(v, v.name) if given else v

    def _untransposed(self, v: Value) -> Value:
        """The array that a reshaped value is a view of, without transpositions."""
        return self._copy(v, "") if v.function is np.transpose else self._array(v)

    def _copy(self, v: Value, name: str) -> Value:
        if v not in self._copies:
            made = Value(filled, (v,), {}, v.shape, v.dtype, name=name, origins=v.origins)
            self._copies[v] = made
            self.values.append(made)
        return self._copies[v]

    def in_pass(self, v: Value) -> bool:
        """Whether the operation is done row by row, in a pass."""
        if v not in self._passes:
            self._passes[v] = self._goes_in_pass(v)
        return self._passes[v]

    def _goes_in_pass(self, v: Value) -> bool:
        if is_view(v) or v.function is None or v in self.flat or row_problem(v):
            return False
        if v.function in REDUCTIONS:
            x = v.args[0]
            axes = v.kwargs["axis"]
            if not is_row(x):
                return False
            if 0 in axes:
                return v.function is np.sum
            return not wide(v)
        if v.function is add_at:
            key = v.args[1]
            return is_row(v.args[0]) and not v.has_rows and len(key) == 1 and is_row(key[0])
        if v.function in (chosen, take_rows, pick):
            return is_row(v)
        return is_elementwise(v) and is_row(v)

    def _is_part(self, v: Value) -> bool:
        """Whether a shard has only its part of the value: sums over rows, and what is linear in them."""
        f = v.function
        if v.has_rows:
            return False
        if f in (np.sum, add_at, np.matmul) and v.args[0].has_rows:
            return True
        parts = [o in self.parts for o in v.operands]
        if not any(parts):
            return False
        if f in (np.add, np.subtract):
            return all(parts) and len(parts) == 2
        if f is np.multiply:
            return len(parts) == 1 or parts.count(True) == 1
        if f is np.divide:
            return v.args[0] in self.parts and v.args[1] not in self.parts
        return f in (np.negative, np.positive, np.sum, filled) or is_view(v)

    # -- loops over all elements ---------------------------------------------------------------

    def _flatten(self, ends: set[Value]) -> None:
        """Find the operations to do in one loop over all elements: long functions, and their neighbours."""
        ahead = [v for v in self.values if v.function in _LONG and self._may_be_flat(v)]
        self.flat.update(ahead)
        while ahead:
            v = ahead.pop()
            readers = self.readers(v)
            found = readers if len(readers) == 1 and v not in ends else []
            for o in map(root_of, v.operands):
                if o not in ends and all(u in self.flat for u in self.readers(o)):
                    found = [*found, o]
            for u in found:
                if u not in self.flat and self._may_be_flat(u):
                    self.flat.add(u)
                    ahead.append(u)

    def _may_be_flat(self, v: Value) -> bool:
        """Whether every element comes from those in the same place of arrays of the same form."""
        if not (is_elementwise(v) and is_row(v)) or v.function in (replaced, cells):
            return False
        return not row_problem(v) and all(self._is_alike(o, v) for o in v.operands)

    def _is_alike(self, o: Value, v: Value) -> bool:
        r = root_of(o)
        if not r.shape:
            return True
        while is_view(o):
            if o.function is not np.reshape:
                return False
            o = o.args[0]
        given = o.function is None and o.payload.array is None  # rows that are yet to be gathered
        return long_axes(o.shape) == long_axes(v.shape) and not given

    def runs(self, calls: Sequence[Value]) -> list[list[Value]]:
        """Calls in order, those that can share a loop together."""
        runs: list[list[Value]] = []
        for v in calls:
            if runs and self._follows(v, runs[-1]):
                runs[-1].append(v)
            else:
                runs.append([v])
        return runs

    def _follows(self, v: Value, run: Sequence[Value]) -> bool:
        """Whether the operation can join a loop."""
        first = run[0]
        if v in self.flat or first in self.flat:
            return {v, first} <= self.flat and long_axes(first.shape) == long_axes(v.shape)
        if len(run) >= MOST_ADDED and all(u.function is np.add for u in run):
            return False
        if not (self.shares(v) and self.shares(first) and first.shape == v.shape):
            return False
        return not any(is_view(o) and root_of(o) in run for o in v.operands)

    def shares(self, v: Value) -> bool:
        """Whether the operation is a loop over elements that others can join."""
        if v in self.flat:
            return True
        if not is_elementwise(v) or not v.shape or v.has_rows or v.function is cells:
            return False
        return not any(o.has_rows for o in v.operands)

    # -- passes and calls ------------------------------------------------------------------------

    def _stages(self, targets: list[Value]) -> list[Stage]:
        soonest: dict[Value, int] = {}
        for v in self.values:
            level = 0
            for o in v.operands:
                r = root_of(o)
                step = 1 if self.in_pass(r) and not self._joins(v) else 0
                level = max(level, soonest[r] + step)
            soonest[v] = level
        place = self._latest(soonest, targets)
        stages = [Stage() for _ in range(max(place.values(), default=0) + 1)]
        for v in self.values:
            if v.function is None or is_view(v):
                continue
            stage = stages[place[v]]
            (stage.rows if self.in_pass(v) else stage.calls).append(v)
        self.place = place
        return stages

    def _joins(self, v: Value) -> bool:
        """Whether the value is made in a pass, or is a view, read wherever its user is."""
        return is_view(v) or self.in_pass(v)

    def _latest(self, soonest: dict[Value, int], targets: list[Value]) -> dict[Value, int]:
        """Move elementwise operations to the pass that needs them, so that fewer values are stored."""
        place = dict(soonest)
        ends = {root_of(t) for t in targets}
        for v in reversed(self.values):
            users = self.readers(v)
            movable = self.in_pass(v) and is_elementwise(v) and is_row(v) and users
            if v in ends or not movable:
                continue
            wanted = [place[u] if self.in_pass(u) else place[u] - 1 for u in users]
            place[v] = max(place[v], min(wanted))
        return place

    def readers(self, v: Value) -> list[Value]:
        """The operations that read the value, directly or through views."""
        found: list[Value] = []
        ahead = list(self.users.get(v, ()))
        while ahead:
            u = ahead.pop()
            if is_view(u):
                ahead.extend(self.users.get(u, ()))
            else:
                found.append(u)
        return found


def _with_biases(step: Symbolic) -> dict[Value, Value | None]:
    """What stands in place of some operations: nothing for a product to which nothing but a bias is
    done, and a product that takes the bias in for their sum."""
    users = Counter(o for v in step.values for o in v.operands)
    users.update(v for v in step.targets if isinstance(v, Value))
    found: dict[Value, Value | None] = {}
    for v in step.values:
        if v.function is not np.add or v.ndim != 2 or not v.has_rows:
            continue
        if len(v.operands) != 2:
            continue
        for product, bias in (v.args, v.args[::-1]):
            if bias.function is np.broadcast_to:
                bias = bias.args[0]
            if (
                product.function is np.matmul
                and product.shape == v.shape
                and users[product] == 1
                and not any(is_view(o) for o in product.args)
                and isinstance(bias, Value)
                and bias.shape == v.shape[1:]
                and product.dtype == bias.dtype == v.dtype
            ):
                found[product] = None
                args = (*product.args, bias)
                origins = v.origins.union(*(o.origins for o in v.operands))
                found[v] = Value(affine, args, {}, v.shape, v.dtype, name=v.name, origins=origins)
                break
    return found
