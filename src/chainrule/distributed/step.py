"""One step of a network on several ranks: each computes its rows, then all add up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.aligned import room
from chainrule.distributed.communicator import part_of
from chainrule.distributed.messages import Messages, add_in_pairs
from chainrule.engine.cache import ProgramCache
from chainrule.engine.compiled.values import NotCompilable
from chainrule.engine.sharding import ShardedForm, ShardProgram
from chainrule.errors import SettingError
from chainrule.graph.reads import outdated
from chainrule.lang.messages import _
from chainrule.networks import Network
from chainrule.networks.steps import Segments, segments_of

__all__ = ["ShardedStep"]

Array = npt.NDArray[Any]


class ShardedStep:
    """The step of a batch that is divided among ranks; loss and gradients are those of all rows.

    `stops` is whether any rank wanted to stop, at the latest step.

    Raises:
        SettingError: the step cannot be divided; the message says why.
    """

    def __init__(
        self,
        network: Network,
        x: Array,
        t: Array,
        w: Array | None,
        division: Callable[[Network], Messages],
    ) -> None:
        """`division`: gives the messages by which ranks share the batches of the network as it is."""
        self.network, self.division = network, division
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
        messages = self.messages = self.division(network)
        each = messages.parts or 1
        #: Into how many parts a batch is divided, and which of them are computed here.
        self.parts = each * messages.size
        self._own = range(each * messages.rank, each * (messages.rank + 1))
        #: What the parts computed here have to add to the gradients.
        self._kept = [
            room((each, *m.shape), m.dtype) if messages.reproducible else None
            for m in messages.gradients
        ]
        self._programs: ProgramCache[list[ShardProgram]] = ProgramCache(8)
        names = [(name, a) for name, a in zip("xtw", self.data, strict=False)]
        try:
            self._form = ShardedForm(network, names, messages.more[:1].reshape(()))
        except NotCompilable as reason:
            raise self._indivisible(reason) from None

    def _indivisible(self, reason: NotCompilable) -> SettingError:
        return SettingError(
            _(
                "the rows of a batch cannot be divided among ranks: {why}. Train it on one rank.",
                why=reason.reason,
            )
        )

    def _renew(self) -> None:
        if self._revision != self.network._revision.number or outdated(self._form.reads):
            self._begin()

    def run(self, rows: Array) -> float:
        """The loss of these rows, of which this rank computes its part; gradients as everywhere."""
        self._renew()
        n, messages = len(rows), self.messages
        programs = self._programs.get(n, self._revision)
        if programs is None:
            programs = self._programs.put(n, self._revision, self._plan(rows))
        given: list[tuple[Any, ...]] = []
        for part in self._own:
            start, stop = part_of(n, part, self.parts)
            given.append((*self.data, np.ascontiguousarray(rows[start:stop]), rows))
        last = len(programs[0].sections) - 1
        for s in range(last):
            for k, program in enumerate(programs):
                saved = program.sections[s][0](*given[k])
                given[k] = (saved,) if saved else ()
            for sums in zip(*(program.sections[s][1] for program in programs), strict=True):
                add_in_pairs(sums)
                messages.add_up(sums[0])
                for other in sums[1:]:
                    other[...] = sums[0]
        for k, program in enumerate(programs):
            program.sections[last][0](*given[k])
            for gradients, kept in zip(messages.gradients, self._kept, strict=True):
                if kept is not None:
                    kept[k] = gradients
        for gradients, kept in zip(messages.gradients, self._kept, strict=True):
            if kept is not None:
                add_in_pairs(list(kept))
                gradients[...] = kept[0]
        loss, self.stops = messages.add_up_gradients(float(messages.more[0]))
        return loss

    def _plan(self, rows: Array) -> list[ShardProgram]:
        n, own = len(rows), self._own
        try:
            programs = [
                self._form.program(
                    n, *part_of(n, part, self.parts), first=part == 0, writes=part == own[-1]
                )
                for part in own
            ]
        except NotCompilable as reason:
            # The step of the whole batch may say better what is wrong with it.
            self.network.step_program(self.x, self.t, self.w, rows=rows)
            raise self._indivisible(reason) from None
        self.source = programs[0].source
        return programs

    @property
    def sent(self) -> float:
        """The seconds that messages between ranks have taken so far."""
        return self.messages.seconds

    def segments(self) -> Segments:
        """The arrays to update: the long runs of the flat buffers."""
        self._renew()
        return self._segments
