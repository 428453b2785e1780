"""Messages: the sums that the ranks of a training make together, in each step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.distributed.communicator import Communicator
from chainrule.errors import SettingError
from chainrule.lang.messages import _
from chainrule.networks import Network
from chainrule.networks.flat import MORE

__all__ = ["PARTS", "Messages", "add_in_pairs"]

Array = npt.NDArray[Any]

#: The parts of a batch, if its bits are to be those of any number of ranks.
PARTS = 8


class Messages:
    """What the ranks add up in a step: sums over rows, and at its end gradients and loss.

    The gradients are added up in the memory where the network has them, with the loss and the wish to
    stop behind them: one message a step. `wishes` says whether this rank wants to stop.

    `reproducible`: a batch is divided into 8 parts, however many ranks there are (1, 2, 4 or 8), and
    these are added up in pairs, always the same; so that the bits do not depend on the ranks.

    Raises:
        SettingError: so many ranks cannot share 8 parts evenly.
    """

    def __init__(
        self,
        network: Network,
        communicator: Communicator,
        wishes: Callable[[], bool] = lambda: False,
        *,
        reproducible: bool = False,
    ) -> None:
        self.communicator, self.wishes, self.reproducible = communicator, wishes, reproducible
        self.rank, self.size = communicator.rank, communicator.size
        #: Into how many parts a batch is divided, and how many of them are computed here.
        self.parts = PARTS // self.size if reproducible else None
        if reproducible and PARTS % self.size:
            raise SettingError(
                _(
                    "reproducible=True divides every batch into {parts} parts, and {size} ranks cannot"
                    " share them evenly: give 1, 2, 4 or 8 ranks.",
                    parts=PARTS,
                    size=self.size,
                )
            )
        #: The seconds that adding up has taken, with the wait for other ranks.
        self.seconds = 0.0
        # The loss goes with gradients of its own dtype.
        flats = sorted(
            network._flatten_parameters(), key=lambda flat: flat.data.dtype != network.dtype
        )
        #: The arrays of gradients; the first also carries the loss and the wish to stop.
        self.gradients = [flat.message for flat in flats]
        inside = {id(p) for flat in flats for p in flat.parameters}
        lent = [p for p in network.named_parameters().values() if id(p) not in inside]
        if not flats:
            self.gradients.append(np.zeros(MORE, network.dtype))
        self.gradients += [p.grad for p in lent if p.trainable]
        #: The loss, and the wish to stop.
        self.more = self.gradients[0][-MORE:]
        for parameter in network.named_parameters().values():
            parameter.grad[...] = 0  # what no step writes stays 0

    def add_up(self, array: Array) -> None:
        """Put the sum over all ranks into an array: the same bits everywhere."""
        began = time.perf_counter()
        if self.reproducible:
            self._add_up_in_pairs(array)
        else:
            self.communicator.all_reduce(array)
        self.seconds += time.perf_counter() - began

    def _add_up_in_pairs(self, array: Array) -> None:
        distance = 1
        while distance < self.size:
            array += self.communicator.exchange(array, self.rank ^ distance)
            distance *= 2

    def add_up_gradients(self, loss: float) -> tuple[float, bool]:
        """Add up the network's gradients; gives the loss of all, and whether one wants to stop."""
        self.more[:] = loss, self.wishes()
        for gradients in self.gradients:
            self.add_up(gradients)
        return float(self.more[0]), bool(self.more[1])


def add_in_pairs(arrays: Sequence[Array]) -> None:
    """Add 2^k arrays up into the first, in pairs: ((0 + 1) + (2 + 3)) + …, as ranks then go on."""
    step = 1
    while step < len(arrays):
        for i in range(0, len(arrays), 2 * step):
            arrays[i][...] += arrays[i + step]
        step *= 2
