"""History: the record of a training run, step by step and epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chainrule.errors import NonFiniteError, SettingError, nearest, shown
from chainrule.lang.messages import _, _p
from chainrule.settings import language

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure

__all__ = ["History"]


class History:
    """The loss of every step; and the loss, metrics, learning rate and time of every epoch.

    `history.losses` are the mini-batch losses in order. `history.epochs` is a list with one
    dict an epoch: "loss" (the mean over its rows), "val_loss" and metrics such as
    "val_accuracy" if there is held-out data, "penalty" if there is decay, "lr", "seconds".
    `history["val_loss"]` is one column; a name that is no column raises SettingError. `stopped`
    says why training ended early, if it did, and `interrupted` whether Ctrl-C ended it. `error` is
    the number that was not finite, where `fit_many` went on with other networks.
    """

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []
        self.stopped: str | None = None
        self.interrupted = False
        self.error: NonFiniteError | None = None
        self._losses = np.empty(0)
        self._steps = 0

    def reserve(self, steps: int) -> None:
        """Make room for the losses of that many more steps, so that a step allocates nothing."""
        size = self._steps + steps
        if size > len(self._losses):
            # At least half as much again, so that many short fits do not copy the array each time.
            larger = np.empty(max(size, len(self._losses) * 3 // 2))
            larger[: self._steps] = self.losses
            self._losses = larger

    def add_step(self, loss: float) -> None:
        """Add the loss of one step."""
        self._losses[self._steps] = loss
        self._steps += 1

    def add_steps(self, losses: npt.NDArray[np.float64]) -> None:
        """Add the losses of several steps."""
        self._losses[self._steps : self._steps + len(losses)] = losses
        self._steps += len(losses)

    @property
    def losses(self) -> npt.NDArray[np.float64]:
        """The loss of every step so far."""
        return self._losses[: self._steps]

    @property
    def steps(self) -> int:
        """The number of steps so far."""
        return self._steps

    def __getitem__(self, name: str) -> list[float]:
        columns = dict.fromkeys(key for epoch in self.epochs for key in epoch)
        if columns and name not in columns:
            if isinstance(name, str) and name.startswith("val_") and "val_loss" not in columns:
                raise SettingError(
                    _(
                        "the history has no column {name}, since no rows were held out: fit(...,"
                        " validation=0.2).",
                        name=shown(name),
                    )
                )
            close = nearest(name, columns, _p("columns of a history", "it has"))
            raise SettingError(
                _("the history has no column {name}; {nearest}.", name=shown(name), nearest=close)
            )
        return self.column(name)

    def column(self, name: str) -> list[float]:
        """A column; empty if no epoch has it."""
        return [epoch[name] for epoch in self.epochs if name in epoch]

    def __len__(self) -> int:
        return len(self.epochs)

    def __repr__(self) -> str:
        if not self.epochs:
            return "History(nothing yet)"
        last = ", ".join(f"{k} {v:.4g}" for k, v in self.epochs[-1].items())
        return f"History({len(self.epochs)} epochs, {self.steps} steps; last: {last})"

    def plot(self, path: str | os.PathLike[str] | None = None, lang: str | None = None) -> Figure:
        """Loss and metrics over the epochs, as a matplotlib figure; saved if a path is given.

        `lang`: "en" or "zh"; None is the language of CHAINRULE_LANG, else English.
        """
        from chainrule.plots.curves import draw_history

        return draw_history(self, path, language(lang))

    def as_dict(self) -> dict[str, list[float]]:
        """The epochs as plain columns, for JSON."""
        names = dict.fromkeys(name for epoch in self.epochs for name in epoch)
        return {name: self[name] for name in names}
