"""The operations of a step for batches of any size, traced for some rows of a batch of one size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.compiled.rows import affine
from chainrule.engine.compiled.symbolic import Cut, Dim, Number, NumberTable, Rows, Value
from chainrule.engine.primitives import filled, pick
from chainrule.engine.trace import Trace, Traced
from chainrule.nodes.indexing import add_at
from chainrule.nodes.random import cells

__all__ = ["SizedOperations", "sizes"]


class SizedOperations:
    """The operations on rows start to stop of a batch of n rows, in a trace for the NumPy engine.

    batch: the gathered rows of each of the data. `made` has the traced value of every operation.
    """

    def __init__(
        self,
        trace: Trace,
        table: NumberTable,
        dtype: npt.DTypeLike,
        batch: Mapping[str, Traced],
        n: int,
        start: int,
        stop: int,
    ) -> None:
        self.trace, self.table, self.dtype, self.batch = trace, table, dtype, batch
        self.n, self.start, self.rows = n, start, stop - start
        self.numbers = table.at(n)
        self.made: dict[Value, Traced] = {}

    def number(self, number: Number) -> Traced:
        """A number of the step, as it is for n rows."""
        value, dtype = number.literal, number.dtype
        if value is None:
            value = self.numbers[number.index]
            leaf = self.table.leaves[number.index][0]
            if dtype is None and isinstance(leaf, Traced):
                return self.trace.constant(value, leaf.dtype)
        if dtype is not None:
            return self.trace.constant(np.asarray(value, dtype))
        return self.trace.constant(value, self.dtype if isinstance(value, float) else None)

    def _given(self, argument: Any) -> Any:
        if isinstance(argument, Value):
            return self.made[argument]
        if isinstance(argument, Number):
            return self.number(argument)
        if isinstance(argument, tuple):
            return tuple(map(self._given, argument))
        return argument

    def _leaf(self, v: Value) -> Traced:
        leaf: Traced = v.payload
        if leaf.array is None:
            return self.batch[leaf.name]
        bound = self.trace.bind(leaf.array, leaf.name)
        bound.known = leaf.known
        return bound

    def add(self, v: Value) -> None:
        """Trace an operation whose operands are traced."""
        self.made[v] = self._traced(v)

    def _traced(self, v: Value) -> Traced:
        f, trace = v.function, self.trace
        if f is None:
            return self._leaf(v)
        shape = sizes(v.shape, self.rows)
        if f is cells:
            rows = v.shape[0]
            whole = cells(np.uint64(0), sizes(v.shape, self.n))
            first = rows.times * self.start if isinstance(rows, Rows) else 0
            return trace.constant(whole[first : first + shape[0]].copy())
        args = self._given(v.args)
        value: Traced
        if f is np.reshape:
            value = trace.rules[np.reshape](trace, args[0], shape)
        elif f is np.broadcast_to:
            value = trace.repeated(trace.lift(args[0], np.add), shape)
        elif f is affine:
            a, b, bias = args
            value = a @ b + bias
        elif f is pick:
            value = trace.call(pick, args[0], self._key(v.args[1], shape))
        elif f is add_at:
            values = sizes(v.args[0].shape, self.rows)
            value = trace.call(add_at, args[0], self._key(v.args[1], values), shape)
        elif f is filled:
            value = trace.call(filled, args[0])
        else:
            value = f(*args, **v.kwargs)
        assert value.shape == shape, f"{f} gives {value.shape} for {shape}"
        return value

    def _key(self, key: tuple[Any, ...], shape: Sequence[int]) -> tuple[Any, ...]:
        """What stands between the brackets of x[...], whose result has this shape."""
        ids = [i for i, k in enumerate(key) if isinstance(k, Value)]
        ndim = max((k.ndim for k in key if isinstance(k, Value)), default=0)
        if ids:  # a number among ids counts as one
            ids = [i for i, k in enumerate(key) if isinstance(k, Value | int | Number)]
        apart = bool(ids) and ids != list(range(ids[0], ids[-1] + 1))
        left = list(shape)[ndim if apart else 0 :]
        parts: list[Any] = []
        at = 0
        for i, k in enumerate(key):
            if ids and i == ids[0] and not apart:
                at += ndim
            if k is None:
                parts.append(None)
                at += 1
            elif isinstance(k, Value):
                parts.append(self.made[k])
            elif isinstance(k, Cut):
                parts.append(self._cut(k, left[at]))
                at += 1
            else:
                parts.append(self._offset(k))
        return tuple(parts)

    def _cut(self, cut: Cut, length: int) -> slice:
        if cut.whole:
            return slice(None)
        start = self._offset(cut.start)
        stop = start + cut.step * length
        return slice(start, stop if stop >= 0 else None, cut.step)

    def _offset(self, offset: int | Rows | Number) -> int:
        if isinstance(offset, Rows):
            return offset.at(self.rows)
        return offset if isinstance(offset, int) else self.table.now(offset)


def sizes(shape: Iterable[Dim], n: int) -> tuple[int, ...]:
    """The lengths of axes for n rows, as plain numbers."""
    return tuple(d.at(n) if isinstance(d, Rows) else int(d) for d in shape)
