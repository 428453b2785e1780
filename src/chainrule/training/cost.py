"""What a training step costs, and what compiling it costs."""

from __future__ import annotations

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


def step_estimate(trainer: Training, x: Array, t: Array, w: Array | None) -> Estimate:
    """The seconds of a step on this batch on each engine, update included, and of compiling it."""
    return estimate(step_work(trainer.model, trainer.optimizer, x, t, w))


def step_work(network: Network, optimizer: Optimizer, x: Array, t: Array, w: Array | None) -> Work:
    """The work of a training step on this batch, update included."""
    work = network.step_program(x, t, w, rows=np.arange(len(x))).work
    for run in network._segments():
        work += update_work(optimizer, *run)
    return work
