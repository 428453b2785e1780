"""Callbacks: objects that observe training, and may stop it."""

from __future__ import annotations

import math
from typing import Any

from chainrule.errors import SettingError, refuse_class, shown
from chainrule.lang.messages import _, _n, listed, sentences
from chainrule.settings import optional_whole
from chainrule.storage.plain_values import is_plain
from chainrule.training.state import Snapshot, Training

__all__ = ["Callback", "EarlyStopping"]


class Callback:
    """`Trainer.fit` calls these methods; override what you need. `trainer.stop("why")` ends training.

    A plain function of the trainer can be given instead of a callback: it is called after every
    epoch. The trainer is a `Training` (its state); in `Trainer.fit` it is the Trainer itself.
    """

    # Any, so that an override may annotate `trainer` as a Training or as a Trainer.

    def on_start(self, trainer: Any) -> None:
        """Before the first step of a fit."""

    def on_step(self, trainer: Any) -> None:
        """After every step."""

    def on_epoch(self, trainer: Any) -> None:
        """After every epoch, when `trainer.history.epochs[-1]` is complete."""

    def on_end(self, trainer: Any) -> None:
        """After the last step of a fit, even if it ended early."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it: by default the attributes that are numbers, texts, arrays, and
        lists and dicts of these."""
        return {name: value for name, value in vars(self).items() if is_plain(value)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with what `state` gave; called after `on_start` by a fit that goes on from a checkpoint."""
        vars(self).update(state)


#: Whether a larger value is better, for the standard columns of a history.
LARGER_IS_BETTER = {
    "loss": False,
    "penalty": False,
    "rmse": False,
    "mae": False,
    "accuracy": True,
    "r2": True,
}


class EarlyStopping(Callback):
    """Stop when `monitor` has not improved for `patience` epochs, and restore the best epoch.

    `monitor` is a column of the history, such as "val_loss" or "val_accuracy". Smaller is better
    for loss, RMSE and MAE, larger for accuracy and R²; for a metric of your own, set
    `larger_is_better`. Parameters, buffers and the optimizer's state are those of the best epoch
    at the end. With `patience=None` training runs to its end, and only the best epoch is restored;
    with `latest=True` the latest of equally good epochs is the best one.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int | None = 10,
        min_delta: float = 0.0,
        *,
        latest: bool = False,
        larger_is_better: bool | None = None,
    ) -> None:
        self.monitor, self.min_delta = monitor, float(min_delta)
        self.patience, self.latest = optional_whole(patience, "patience"), latest
        if larger_is_better is None:
            larger_is_better = LARGER_IS_BETTER.get(monitor.removeprefix("val_"))
        if larger_is_better is None:
            raise SettingError(
                _(
                    'EarlyStopping("{monitor}"): is a larger value better, or a smaller one? Say'
                    " larger_is_better=True or False.",
                    monitor=monitor,
                )
            )
        self.sign = -1.0 if larger_is_better else 1.0

    def on_start(self, trainer: Training) -> None:
        """Forget earlier fits, and take a snapshot."""
        self.best, self.best_epoch, self._snapshot = math.inf, 0, trainer.snapshot(place=False)

    def on_epoch(self, trainer: Training) -> None:
        """Take a snapshot of the best epoch; stop when it is `patience` epochs ago."""
        epoch = trainer.history.epochs[-1]
        if self.monitor not in epoch:
            no_validation = not any(name.startswith("val_") for name in epoch)
            unknown = _(
                'EarlyStopping watches "{monitor}", which this training does not have; it has {columns}.',
                monitor=self.monitor,
                columns=listed(epoch),
            )
            raise SettingError(
                sentences(unknown, no_validation and _("Give fit(..., validation=0.2)."))
            )
        value = self.sign * epoch[self.monitor]
        if value < self.best - self.min_delta or (self.latest and value == self.best):
            self.best, self.best_epoch = value, trainer.current_epoch
            self._snapshot = trainer.snapshot(place=False)
        elif self.patience is not None and trainer.current_epoch - self.best_epoch >= self.patience:
            trainer.stop(
                _n(
                    "{monitor} has not improved for {n} epoch",
                    "{monitor} has not improved for {n} epochs",
                    self.patience,
                    monitor=self.monitor,
                )
            )

    def state(self) -> dict[str, Any]:
        """The best epoch so far, with its parameters, and its score."""
        best = self._snapshot
        kept = {"arrays": best.arrays, "slots": best.slots, "updates": best.updates}
        return {"best": self.best, "best_epoch": self.best_epoch, "snapshot": kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        self._snapshot = Snapshot(**state["snapshot"])

    def on_end(self, trainer: Training) -> None:
        """Restore the best epoch."""
        if self.best < math.inf:
            trainer.restore(self._snapshot)


def as_early_stopping(given: EarlyStopping | int, held_out: bool) -> EarlyStopping:
    """What stops a fit: an EarlyStopping, or a patience in epochs; checked against the fit."""
    refuse_class(given, "early_stopping", _("an EarlyStopping"))
    if isinstance(given, str):
        raise SettingError(
            _(
                "early_stopping={given} is a patience in epochs, or an EarlyStopping: give"
                " cr.EarlyStopping({given}, patience=10).",
                given=shown(given),
            )
        )
    stopping = given if isinstance(given, EarlyStopping) else EarlyStopping(patience=given)
    if not held_out and stopping.monitor.startswith("val_"):
        raise SettingError(
            _(
                'early_stopping watches "{monitor}", but no rows are held out: give fit(...,'
                " validation=0.2), or watch another column.",
                monitor=stopping.monitor,
            )
        )
    return stopping
