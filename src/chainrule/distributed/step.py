"""One step of a network on several ranks: each computes its rows, then all add up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.distributed.communicator import Communicator, part_of
from chainrule.engine.cache import ProgramCache
from chainrule.engine.compiled.values import NotCompilable
from chainrule.engine.sharding import ShardedForm, ShardProgram
from chainrule.errors import SettingError
from chainrule.graph.reads import outdated
from chainrule.lang.messages import _
from chainrule.networks import Network
from chainrule.networks.flat import MORE
from chainrule.networks.steps import Segments, segments_of

__all__ = ["ShardedStep"]

Array = npt.NDArray[Any]


class ShardedStep:
    """The step of a batch that is divided among ranks; loss and gradients are those of all rows.

    The gradients are added up in the memory where the network has them, with the loss and the wish to
    stop behind them: one message a step. `wishes` says whether this rank wants to stop; `stops` is
    whether any rank wanted to, at the latest step.

    Raises:
        SettingError: the step cannot be divided; the message says why.
    """

    def __init__(
        self,
        network: Network,
        x: Array,
        t: Array,
        w: Array | None,
        communicator: Communicator,
        wishes: Callable[[], bool] = lambda: False,
    ) -> None:
        self.network, self.communicator, self.wishes = network, communicator, wishes
        self.x, self.t, self.w = x, t, w
        self.data = (x, t) if w is None else (x, t, w)
        self.source: str | None = None
        self.stops = False
        self._begin()

    def _begin(self) -> None:
        """Make the form of the step, for the network as it is now."""
        network = self.network
        self._revision = network._revision.number
        self._segments = segments_of(network)
        flats = network._flatten_parameters()
        #: What is added up over the ranks; the first also carries the loss and the wish to stop.
        self._messages = [flat.message for flat in flats]
        inside = {id(p) for flat in flats for p in flat.parameters}
        lent = [p for p in network.named_parameters().values() if id(p) not in inside]
        if not flats:
            self._messages.append(np.zeros(MORE, network.dtype))
        self._messages += [p.grad for p in lent if p.trainable]
        self._more = self._messages[0][-MORE:]
        self._programs: ProgramCache[ShardProgram] = ProgramCache(8)
        for parameter in network.named_parameters().values():
            parameter.grad[...] = 0  # what no step writes stays 0
        names = [(name, a) for name, a in zip("xtw", self.data, strict=False)]
        try:
            self._form = ShardedForm(network, names, self._more[:1].reshape(()))
        except NotCompilable as reason:
            raise self._indivisible(reason) from None

    def _indivisible(self, reason: NotCompilable) -> SettingError:
        return SettingError(
            _(
                "the rows of a batch cannot be divided among {size} ranks: {why}. Train it on one rank.",
                size=self.communicator.size,
                why=reason.reason,
            )
        )

    def _renew(self) -> None:
        if self._revision != self.network._revision.number or outdated(self._form.reads):
            self._begin()

    def run(self, rows: Array) -> float:
        """The loss of these rows, of which this rank computes its part; gradients as everywhere."""
        self._renew()
        start, stop = part_of(len(rows), self.communicator.rank, self.communicator.size)
        program = self._programs.get(len(rows), self._revision)
        if program is None:
            program = self._programs.put(len(rows), self._revision, self._plan(rows, start, stop))
        given: tuple[Any, ...] = (*self.data, np.ascontiguousarray(rows[start:stop]))
        for function, sums in program.sections:
            saved = function(*given)
            for each in sums:
                self.communicator.all_reduce(each)
            given = (saved,) if saved else ()
        self._more[1] = self.wishes()
        for message in self._messages:
            self.communicator.all_reduce(message)
        self.stops = bool(self._more[1])
        return float(self._more[0])

    def _plan(self, rows: Array, start: int, stop: int) -> ShardProgram:
        try:
            program = self._form.program(len(rows), start, stop)
        except NotCompilable as reason:
            # The step of the whole batch may say better what is wrong with it.
            self.network.step_program(self.x, self.t, self.w, rows=rows)
            raise self._indivisible(reason) from None
        self.source = program.source
        return program

    def segments(self) -> Segments:
        """The arrays to update: the long runs of the flat buffers."""
        self._renew()
        return self._segments
