"""What a training step costs, and compiling it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.cost import Estimate, Work, estimate
from chainrule.engine.plans import update_work
from chainrule.networks import Network
from chainrule.optimizers import Optimizer
from chainrule.training.state import Training

__all__ = ["step_work", "weighed"]

Array = npt.NDArray[Any]


def weighed(trainer: Training, x: Array, t: Array, w: Array | None) -> Estimate:
    """What a step on this batch costs on each engine, with the update, and what compiling it does."""
    return estimate(step_work(trainer.model, trainer.optimizer, x, t, w))


def step_work(network: Network, optimizer: Optimizer, x: Array, t: Array, w: Array | None) -> Work:
    """What a training step on this batch has to do, update and all."""
    work = network.step_program(x, t, w, rows=np.arange(len(x))).work
    for run in network._segments():
        work += update_work(optimizer, *run)
    return work
