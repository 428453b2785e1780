"""One step of a network on several ranks: each computes its rows, then all add up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.aligned import room
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

#: The parts of a batch, if its bits are to be those of any number of ranks.
PARTS = 8


class ShardedStep:
    """The step of a batch that is divided among ranks; loss and gradients are those of all rows.

    The gradients are added up in the memory where the network has them, with the loss and the wish to
    stop behind them: one message a step. `wishes` says whether this rank wants to stop; `stops` is
    whether any rank wanted to, at the latest step.

    `reproducible`: a batch is divided into 8 parts, however many ranks there are (1, 2, 4 or 8), and
    these are added up in pairs, always the same; so that the bits do not depend on the ranks.

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
        *,
        reproducible: bool = False,
    ) -> None:
        self.reproducible = reproducible
        #: Into how many parts a batch is divided, and which of them are computed here.
        self.parts = PARTS if reproducible else communicator.size
        if self.parts % communicator.size:
            raise SettingError(
                _(
                    "reproducible=True divides every batch into {parts} parts, and {size} ranks cannot"
                    " share them evenly: give 1, 2, 4 or 8 ranks.",
                    parts=PARTS,
                    size=communicator.size,
                )
            )
        each = self.parts // communicator.size
        self._own = range(each * communicator.rank, each * (communicator.rank + 1))
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
        # The loss goes with gradients of its own dtype.
        flats = sorted(
            network._flatten_parameters(), key=lambda flat: flat.data.dtype != network.dtype
        )
        #: What is added up over the ranks; the first also carries the loss and the wish to stop.
        self._messages = [flat.message for flat in flats]
        inside = {id(p) for flat in flats for p in flat.parameters}
        lent = [p for p in network.named_parameters().values() if id(p) not in inside]
        if not flats:
            self._messages.append(np.zeros(MORE, network.dtype))
        self._messages += [p.grad for p in lent if p.trainable]
        self._more = self._messages[0][-MORE:]
        #: What the parts computed here have to add to each message.
        self._kept = [
            room((len(self._own), *m.shape), m.dtype) if self.reproducible else None
            for m in self._messages
        ]
        self._programs: ProgramCache[list[ShardProgram]] = ProgramCache(8)
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
        n = len(rows)
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
                self._add_up(sums)
                for other in sums[1:]:
                    other[...] = sums[0]
        for k, program in enumerate(programs):
            program.sections[last][0](*given[k])
            self._more[1] = self.wishes()
            for message, kept in zip(self._messages, self._kept, strict=True):
                if kept is not None:
                    kept[k] = message
        for message, kept in zip(self._messages, self._kept, strict=True):
            if kept is None:
                self.communicator.all_reduce(message)
            else:
                self._add_up(list(kept))
                message[...] = kept[0]
        self.stops = bool(self._more[1])
        return float(self._more[0])

    def _add_up(self, own: Sequence[Array]) -> None:
        """Put the sum over all parts, of which these are this rank's, into the first of them."""
        first = own[0]
        if not self.reproducible:
            self.communicator.all_reduce(first)
            return
        _add_in_pairs(own)
        if self.communicator.size > 1:
            table = np.zeros((self.communicator.size, *first.shape), first.dtype)
            table[self.communicator.rank] = first
            self.communicator.all_reduce(table)
            _add_in_pairs(list(table))
            first[...] = table[0]
        first += 0  # a table of 0 has no -0, and one rank needs none

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

    def segments(self) -> Segments:
        """The arrays to update: the long runs of the flat buffers."""
        self._renew()
        return self._segments


def _add_in_pairs(arrays: Sequence[Array]) -> None:
    """Add 2^k arrays up into the first, in pairs: ((0 + 1) + (2 + 3)) + …, whoever adds which."""
    step = 1
    while step < len(arrays):
        for i in range(0, len(arrays), 2 * step):
            arrays[i][...] += arrays[i + step]
        step *= 2
