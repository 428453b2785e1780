"""What a training step costs, and what compiling it costs."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.cost import Estimate, Work, estimate
from chainrule.engine.plans import update_work
from chainrule.networks import Network
from chainrule.optimizers import Optimizer
from chainrule.training.state import Training

__all__ = ["step_estimate", "step_work"]

Array = npt.NDArray[Any]
#: Rows of the largest batch whose step is recorded to count its work.
MOST = 1024


def step_estimate(trainer: Training, x: Array, t: Array, w: Array | None) -> Estimate:
    """The seconds of a step on this batch on each engine, update included, and of compiling it."""
    return estimate(step_work(trainer.model, trainer.optimizer, x, t, w))


def step_work(network: Network, optimizer: Optimizer, x: Array, t: Array, w: Array | None) -> Work:
    """The work of a training step on this batch, update included; of many rows, by what few of them take."""
    n = len(x)
    if n <= MOST:
        work = network.step_program(x, t, w, rows=np.arange(n)).work
    else:  # recording holds all values of a batch, which may be more than there is memory for
        few, more = (
            network.step_program(x, t, w, rows=np.arange(k)).work for k in (MOST // 2, MOST)
        )
        pairs = zip(astuple(few), astuple(more), strict=True)
        work = Work(*(b + round((b - a) * (n - MOST) / (MOST // 2)) for a, b in pairs))
    for run in network._segments():
        work += update_work(optimizer, *run)
    return work
