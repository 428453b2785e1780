"""Trajectory: the values of the parameters, epoch by epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.settings import whole
from chainrule.training.callbacks import Callback
from chainrule.training.state import Training, moving_arrays

__all__ = ["Trajectory", "moving_arrays"]

Array = npt.NDArray[Any]


class Trajectory(Callback):
    """Stores all parameters as one vector: at the start, after every `every` epochs, and at the end.

    `points` are the vectors, `epochs` their epochs. `cr.draw_surface(network, x, t, trajectory)`
    draws the path on the loss surface. A vector takes as much memory as the parameters.

    >>> import chainrule as cr
    >>> x, t = cr.datasets.spiral()
    >>> path = cr.Trajectory(every=2)
    >>> history = cr.Trainer(cr.TwoLayerNet(2, 10, 3)).fit(x, t, 5, callbacks=[path], progress=None)
    >>> path.epochs, path.points[0].shape
    ([0, 2, 4, 5], (63,))
    """

    def __init__(self, every: int = 1) -> None:
        self.every = whole(every, "every")
        self.epochs: list[int] = []
        self.points: list[Array] = []

    def on_start(self, trainer: Training) -> None:
        """Store the first point."""
        self._store(trainer)

    def on_epoch(self, trainer: Training) -> None:
        """Store an epoch that is due."""
        if trainer.current_epoch % self.every == 0:
            self._store(trainer)

    def on_end(self, trainer: Training) -> None:
        """Store the last point."""
        self._store(trainer)

    def _store(self, trainer: Training) -> None:
        if not self.epochs or self.epochs[-1] != trainer.current_epoch:
            self.epochs.append(trainer.current_epoch)
            self.points.append(np.concatenate([p.ravel() for p in moving_arrays(trainer.model)]))
