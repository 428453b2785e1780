"""A training step for one part of a batch: what several ranks compute together is the step of all rows.

The step is that of the compiled engine's threads, which share a batch in the same way. Every operation
is done row by row, or is a sum over the rows, of which each part of the batch has its own part; a sum
that the step itself reads is added up over the parts at once, in the midst of the step, and gradients
and the loss at its end. Means, variances and masks are therefore those of the whole batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.engine.compiled.ids import check_ids
from chainrule.engine.compiled.record import record_step
from chainrule.engine.compiled.rows import affine, total
from chainrule.engine.compiled.schedule import Schedule
from chainrule.engine.compiled.symbolic import Cut, Dim, NotCompilable, Number, Rows, Value, overlay
from chainrule.engine.primitives import Array, Function, filled, pick, take_rows
from chainrule.engine.program import Section, build
from chainrule.engine.protocols import RecordableNetwork
from chainrule.engine.rules import FUNCTIONS
from chainrule.engine.trace import Trace, Traced
from chainrule.nodes.base import ignore_fp_errors
from chainrule.nodes.indexing import add_at
from chainrule.nodes.random import cells

__all__ = ["ShardProgram", "ShardedForm"]

#: Rows of the data that a recording is made with.
SAMPLE = 16


class ShardProgram(NamedTuple):
    """The step of some rows of a batch, in sections: after each, its sums are added over all parts.

    The first section takes the data and the numbers of the rows, each other one what the one before
    gave. Behind the last the gradients and the loss are this part's own.
    """

    sections: list[tuple[Function, list[Array]]]
    source: str
    nbytes: int


class ShardedForm:
    """The step of a network for any part of a batch of any size.

    data: the pairs ("x", x), ("t", t) and, with weights, ("w", w). `loss` is the number, as an array
    without axes, that every program writes the loss to; gradients go where the parameters have them.

    Raises:
        NotCompilable: a row of the batch needs other rows, in another way than by sums, or the step
            is not known, since a part of it is written by hand.
    """

    def __init__(
        self, network: RecordableNetwork, data: Sequence[tuple[str, Array]], loss: Array
    ) -> None:
        self.data, self.loss, self.dtype = data, loss, network.dtype
        record, self.targets = record_step(network, [(name, a[:SAMPLE].copy()) for name, a in data])
        widths = {d for _, a in data for d in a.shape[1:]}
        widths |= {d for p in network.named_parameters().values() for d in p.shape}
        self.step = overlay(record, widths)
        self.reads = self.step.reads
        check_ids(self.step, dict(data))
        pairs = list(zip(self.targets, self.step.targets, strict=True))
        whole = [v for t, v in pairs if t.role == "written" and isinstance(v, Value)]
        self.schedule = Schedule(self.step, whole)
        if self.schedule.mixed is not None:
            raise NotCompilable(self.schedule.mixed)

    def program(self, n: int, start: int, stop: int, *, first: bool, writes: bool) -> ShardProgram:
        """The program for rows start to stop of a batch of n rows.

        first: whether it is the first part of the batch, which counts what no rows go into; writes:
            whether it writes the layers' buffers, which are the same for all parts.
        """
        with ignore_fp_errors():
            return _Shard(self, n, start, stop, first, writes).program()


class _Shard:
    """The operations of a form, traced for rows start to stop of n."""

    def __init__(
        self, form: ShardedForm, n: int, start: int, stop: int, first: bool, writes: bool
    ) -> None:
        self.form, self.n, self.start, self.rows = form, n, start, stop - start
        self.first, self.writes = first, writes
        self.numbers = form.step.numbers.at(n)
        self.trace = Trace(FUNCTIONS)
        self.made: dict[Value, Traced] = {}
        whole = [
            (name, self.trace.argument(a.shape, a.dtype, f"{name}_all")) for name, a in form.data
        ]
        rows = self.trace.argument((self.rows,), np.intp, "rows")
        self.arguments = [*(data for _, data in whole), rows]
        self.batch = {name: self.trace.call(take_rows, data, rows) for name, data in whole}
        #: The sums that are added over all parts, by how many such sums they need before.
        self.totals: list[list[tuple[Value, Value]]] = []
        self._level: dict[Value, int] = {}

    def program(self) -> ShardProgram:
        """The program, of as many sections as sums need each other."""
        self._find_totals()
        places: dict[Value, Array] = {}
        sent = [_arrays([(v, _sizes(v.shape, 0)) for v, _ in sums], places) for sums in self.totals]
        for v in self.form.schedule.values:
            if v.function is total:
                self.made[v] = self.trace.bind(places[v], v.name or "total")
            else:
                self.made[v] = self._traced(v)
        sections = []
        for k, sums in enumerate(self.totals):
            writes = [(self.trace.bind(places[v], "part"), self.made[part]) for v, part in sums]
            sections.append(Section(f"step{k}", [] if k else self.arguments, [], writes))
        last = [] if sections else self.arguments
        sections.append(Section(f"step{len(sections)}", last, [], self._results()))
        program = build(sections, planned=True)
        functions = [program.functions[section.name] for section in sections]
        return ShardProgram(
            list(zip(functions, [*sent, []], strict=True)), program.source, program.nbytes
        )

    def _find_totals(self) -> None:
        for v in self.form.schedule.values:
            level = max((self._level[o] for o in v.operands), default=0)
            if v.function is total:
                if level == len(self.totals):
                    self.totals.append([])
                self.totals[level].append((v, v.args[0]))
                level += 1
            self._level[v] = level

    def _results(self) -> list[tuple[Traced, Traced]]:
        """What the last section writes: buffers, the loss, gradients."""
        schedule, writes = self.form.schedule, []
        for target, value in zip(self.form.targets, self.form.step.targets, strict=True):
            own = schedule.own(value) if isinstance(value, Value) else value
            if target.role == "written":
                if self.writes:
                    whole = schedule.total(own) if isinstance(own, Value) else own
                    # In memory of its own, since others may read what was there before.
                    new = self.trace.call(filled, self._as_array(whole, target.payload))
                    writes.append((self.trace.bind(target.payload, target.name), new))
                continue
            array = self.form.loss if target.role == "loss" else target.payload.grad
            # What no rows go into is counted once.
            counts = self.first or own in schedule.parts
            new = self._as_array(own if counts else Number(0.0), array)
            writes.append((self.trace.bind(array, target.name), new))
        return writes

    def _as_array(self, value: Value | Number, array: Array) -> Traced:
        """A value to write into an array; a number is repeated."""
        if isinstance(value, Value):
            return self.made[value]
        number = self._number(value)
        return self.trace.repeated(number, array.shape) if array.shape else number

    # -- the operations ---------------------------------------------------------------------------

    def _number(self, number: Number) -> Traced:
        value, dtype = number.literal, number.dtype
        if value is None:
            value = self.numbers[number.index]
            leaf = self.form.step.numbers.leaves[number.index][0]
            if dtype is None and isinstance(leaf, Traced):
                return self.trace.constant(value, leaf.dtype)
        if dtype is not None:
            return self.trace.constant(np.asarray(value, dtype))
        return self.trace.constant(value, self.form.dtype if isinstance(value, float) else None)

    def _given(self, argument: Any) -> Any:
        if isinstance(argument, Value):
            return self.made[argument]
        if isinstance(argument, Number):
            return self._number(argument)
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

    def _traced(self, v: Value) -> Traced:
        """The operation at this size."""
        f, trace = v.function, self.trace
        if f is None:
            return self._leaf(v)
        shape = _sizes(v.shape, self.rows)
        if f is cells:
            rows = v.shape[0]
            whole = cells(np.uint64(0), _sizes(v.shape, self.n))
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
            values = _sizes(v.args[0].shape, self.rows)
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
        return offset if isinstance(offset, int) else self.form.step.numbers.now(offset)


def _sizes(shape: Iterable[Dim], n: int) -> tuple[int, ...]:
    """The lengths of axes for n rows, as plain numbers."""
    return tuple(d.at(n) if isinstance(d, Rows) else int(d) for d in shape)


def _arrays(
    sums: Sequence[tuple[Value, tuple[int, ...]]], places: dict[Value, Array]
) -> list[Array]:
    """Arrays that hold these sums, one for each dtype; `places` gets the part of each."""
    sizes: dict[np.dtype[Any], int] = {}
    for v, shape in sums:
        sizes[v.dtype] = sizes.get(v.dtype, 0) + math.prod(shape)
    arrays = {dtype: np.zeros(size, dtype) for dtype, size in sizes.items()}
    used = dict.fromkeys(arrays, 0)
    for v, shape in sums:
        start, size = used[v.dtype], math.prod(shape)
        places[v] = arrays[v.dtype][start : start + size].reshape(shape)
        used[v.dtype] = start + size
    return list(arrays.values())
