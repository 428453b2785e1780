"""Greedy selection: of many networks, those whose mean answers rows left out best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError
from chainrule.lang.messages import _
from chainrule.layers import Loss
from chainrule.settings import whole

__all__ = ["Selection", "greedy_selection"]

Array = npt.NDArray[Any]
#: A loss that is smaller by this part of it alone is the same.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Selection:
    """How often each network was taken, and the loss of the mean of those taken."""

    counts: tuple[int, ...]
    loss: float

    @property
    def members(self) -> list[int]:
        """The networks that were taken."""
        return [i for i, count in enumerate(self.counts) if count]

    @property
    def weights(self) -> list[float]:
        """How much each of them counts."""
        return [float(count) for count in self.counts if count]


def greedy_selection(
    outputs: Sequence[npt.ArrayLike], t: npt.ArrayLike, loss: Loss, most: int = 32
) -> Selection:
    """Take networks one after another, each time the one with which the mean answers best.

    `outputs` are those of each network for the same n rows, as `network.predict` gives them, `t` the
    targets (n, …); `loss` scores `loss.average` of the outputs. A network may be taken again, which
    gives it more weight, `most` times in all; what counts is the shortest row of choices with the
    smallest loss.

    Source: Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models",
    2004.

    >>> import chainrule as cr
    >>> answers = [[[2.0], [0.0]], [[0.0], [2.0]], [[9.0], [9.0]]]
    >>> greedy_selection(answers, [[1.0], [1.0]], cr.MeanSquaredError()).counts
    (1, 1, 0)
    """
    given = [np.asarray(output) for output in outputs]
    targets = np.asarray(t)
    if not given or not len(targets):
        raise DataError(_("there is nothing to select from: give outputs and rows."))
    counts, mean = np.zeros(len(given), int), given[0]
    best = Selection((), np.inf)
    for taken in range(whole(most, "most")):
        old, new = taken / (taken + 1), 1 / (taken + 1)
        means = [
            np.asarray(loss.average([mean, output], [old, new])) if taken else output
            for output in given
        ]
        losses = [float(loss.forward(each, targets)) for each in means]
        chosen = int(np.argmin(losses))
        counts[chosen] += 1
        mean = means[chosen]
        if losses[chosen] < best.loss * (1 - ROUNDING):
            best = Selection(tuple(counts.tolist()), losses[chosen])
    return best
