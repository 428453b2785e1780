"""A training step for one part of a batch: what several ranks compute together is the step of all rows.

The step is that of the compiled engine's threads, which share a batch in the same way. Every operation
is done row by row, or is a sum over the rows, of which each part of the batch has its own part; a sum
that the step itself reads is added up over the parts at once, in the midst of the step, and gradients
and the loss at its end. Means, variances and masks are therefore those of the whole batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.engine.compiled.ids import check_ids
from chainrule.engine.compiled.record import record_step
from chainrule.engine.compiled.rows import total
from chainrule.engine.compiled.schedule import Schedule
from chainrule.engine.compiled.symbolic import NotCompilable, Number, Value, overlay
from chainrule.engine.primitives import Array, Function, filled, take_rows
from chainrule.engine.program import Section, build
from chainrule.engine.protocols import RecordableNetwork
from chainrule.engine.rules import FUNCTIONS
from chainrule.engine.sized_operations import SizedOperations, sizes
from chainrule.engine.trace import Trace, Traced
from chainrule.nodes.base import ignore_fp_errors
from chainrule.nodes.random import cells

__all__ = ["ShardProgram", "ShardedForm"]

#: Rows of the data that a recording is made with.
SAMPLE = 16


class ShardProgram(NamedTuple):
    """The step of some rows of a batch, in sections: after each, its sums are added over all parts.

    The first section takes the data, the numbers of its rows, and those of all rows of the batch, each
    other one what the one before gave. Behind the last the gradients and the loss are this part's own.
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
        self.form, self.first, self.writes = form, first, writes
        self.trace = Trace(FUNCTIONS)
        data = [
            (name, self.trace.argument(a.shape, a.dtype, f"{name}_all")) for name, a in form.data
        ]
        rows = self.trace.argument((stop - start,), np.intp, "rows")
        everyone = self.trace.argument((n,), np.intp, "batch")
        self.arguments = [*(a for _, a in data), rows, everyone]
        gathered = [
            {name: self.trace.call(take_rows, a, r) for name, a in data} for r in (rows, everyone)
        ]
        more = self.trace, form.step.numbers, form.dtype
        self.own = SizedOperations(*more, gathered[0], n, start, stop)
        #: Operations on the weights of rows alone, which every part knows of all rows.
        self.whole = SizedOperations(*more, gathered[1], n, 0, n)
        #: The sums that are added over all parts, by how many such sums they need before.
        self.totals: list[list[Value]] = []
        self._level: dict[Value, int] = {}

    def program(self) -> ShardProgram:
        """The program, of as many sections as sums need each other."""
        self._find_totals()
        places: dict[Value, Array] = {}
        sent = [_arrays(sums, places) for sums in self.totals]
        own, whole = self.own, self.whole
        for v in self.form.schedule.values:
            if v.function is not total:
                own.add(v)
            elif v in places:
                own.made[v] = self.trace.bind(places[v], v.name or "total")
            else:
                own.made[v] = whole.made[v.args[0]]
        sections = []
        for k, sums in enumerate(self.totals):
            writes = [(self.trace.bind(places[v], "part"), own.made[v.args[0]]) for v in sums]
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
            if v.function is total and v.args[0] not in self.whole.made:
                if level == len(self.totals):
                    self.totals.append([])
                self.totals[level].append(v)
                level += 1
            elif v.function is not total and self._is_of_weights(v):
                self.whole.add(v)
            self._level[v] = level

    def _is_of_weights(self, v: Value) -> bool:
        """Whether the value comes from the weights of the rows alone."""
        if v.function is None:
            leaf: Traced = v.payload
            return leaf.known is not None or (leaf.array is None and leaf.name == "w")
        return all(o in self.whole.made for o in v.operands) and v.function is not cells

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
            return self.own.made[value]
        number = self.own.number(value)
        return self.trace.repeated(number, array.shape) if array.shape else number


def _arrays(sums: Sequence[Value], places: dict[Value, Array]) -> list[Array]:
    """Arrays that hold these sums, one for each dtype; `places` gets the part of each."""
    shapes = {v: sizes(v.shape, 0) for v in sums}
    lengths: dict[np.dtype[Any], int] = {}
    for v, shape in shapes.items():
        lengths[v.dtype] = lengths.get(v.dtype, 0) + math.prod(shape)
    arrays = {dtype: np.zeros(size, dtype) for dtype, size in lengths.items()}
    used = dict.fromkeys(arrays, 0)
    for v, shape in shapes.items():
        start, size = used[v.dtype], math.prod(shape)
        places[v] = arrays[v.dtype][start : start + size].reshape(shape)
        used[v.dtype] = start + size
    return list(arrays.values())
