"""Callbacks: what may look at training, and stop it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from chainrule.errors import SettingError, shown

if TYPE_CHECKING:
    from chainrule.training.trainer import Trainer

__all__ = ["Callback", "EarlyStopping"]


class Callback:
    """Called by `Trainer.fit`; overwrite what you need. `trainer.stop("why")` ends training.

    A plain function of the trainer can stand for a callback: it is called after every epoch.
    """

    def on_start(self, trainer: Trainer) -> None:
        """Before the first step of a fit."""

    def on_step(self, trainer: Trainer) -> None:
        """After every step."""

    def on_epoch(self, trainer: Trainer) -> None:
        """After every epoch, when `trainer.history.epochs[-1]` is complete."""

    def on_end(self, trainer: Trainer) -> None:
        """After the last step of a fit, also when it ended early."""


class EarlyStopping(Callback):
    """End when `monitor` has not improved for `patience` epochs, and go back to the best epoch.

    `monitor` is a column of the history, such as "val_loss" or "val_accuracy"; smaller is
    better for losses and errors, larger for accuracy and R². Parameters, buffers and the
    optimizer's state return to what they were.
    """

    def __init__(
        self, monitor: str = "val_loss", patience: int = 10, min_delta: float = 0.0
    ) -> None:
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise SettingError(
                f"patience={shown(patience)} must be a whole number of epochs, from 1."
            )
        self.monitor, self.patience, self.min_delta = monitor, patience, float(min_delta)
        self.sign = -1.0 if monitor.removeprefix("val_") in ("accuracy", "r2") else 1.0

    def on_start(self, trainer: Trainer) -> None:
        """Begin anew."""
        self.best, self.best_epoch, self._kept = math.inf, 0, trainer.snapshot()

    def on_epoch(self, trainer: Trainer) -> None:
        """Keep the best; stop when it has been too long ago."""
        epoch = trainer.history.epochs[-1]
        if self.monitor not in epoch:
            hint = " Give fit(..., validation=0.2)." if self.monitor.startswith("val_") else ""
            raise SettingError(
                f'EarlyStopping watches "{self.monitor}", which this training does not have; it has'
                f" {', '.join(epoch)}.{hint}"
            )
        value = self.sign * epoch[self.monitor]
        if value < self.best - self.min_delta:
            self.best, self.best_epoch = value, trainer.current_epoch
            self._kept = trainer.snapshot()
        elif trainer.current_epoch - self.best_epoch >= self.patience:
            trainer.stop(f"{self.monitor} has not improved for {self.patience} epochs")

    def on_end(self, trainer: Trainer) -> None:
        """Go back to the best epoch."""
        if self.best < math.inf:
            trainer.restore(self._kept)
