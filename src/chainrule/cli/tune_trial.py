"""One trial of `chainrule tune`: that of `chainrule train`, with other settings, scored by rows left out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.cli.interrupt import CtrlC
from chainrule.cli.train_options import TrainOptions
from chainrule.cli.train_plan import Plan
from chainrule.cli.train_ways import Array, Outcome, Rows, Way
from chainrule.cli.tune_optuna import optuna
from chainrule.datasets.storage import taken
from chainrule.errors import NonFiniteError
from chainrule.lang.messages import _
from chainrule.layers.initial import generator
from chainrule.training import Callback, Recipe
from chainrule.training.ranges import Range, hidden_of
from chainrule.training.recipes import folds_for, part_of_rows
from chainrule.training.state import Training

__all__ = ["RUNGS", "Tried", "params_of", "parts_of", "suggested", "try_out", "with_values"]

#: How often a trial tells its score: a bad one is ended at one of these.
RUNGS = 20


@dataclass(frozen=True)
class Tried:
    """What came of a trial: the score, and the training itself, if that is the one to keep."""

    score: float
    seconds: float
    way: Way | None
    outcome: Outcome


# -- values that Optuna suggests ---------------------------------------------------------------------


def suggested(trial: optuna.Trial, one: Range) -> Any:
    """A value of the range for this trial."""
    if one.choices:
        return trial.suggest_categorical(one.name, one.choices)
    if one.or_zero and not trial.suggest_categorical(f"{one.name} > 0", (False, True)):
        return 0.0
    if one.whole:
        return trial.suggest_int(one.name, int(one.low), int(one.high), log=one.scale == "log")
    if one.scale == "log to 1":
        found = trial.suggest_float(f"1 - {one.name}", 1 - one.high, 1 - one.low, log=True)
        return one.near(1 - found)
    return one.near(trial.suggest_float(one.name, one.low, one.high, log=one.scale == "log"))


def params_of(one: Range, value: float) -> dict[str, Any]:
    """A value as what `suggested` asks for, in reverse."""
    if one.scale == "log to 1":
        return {f"1 - {one.name}": 1 - value}
    if not one.or_zero:
        return {one.name: value}
    return {f"{one.name} > 0": bool(value), **({one.name: value} if value else {})}


def with_values(options: TrainOptions, values: Mapping[str, Any]) -> TrainOptions:
    """The options of a training with these values of ranges."""
    return replace(options, **hidden_of(values))


# -- the training --------------------------------------------------------------------------------------


def try_out(
    plan: Plan,
    values: Mapping[str, Any],
    trial: optuna.Trial,
    ctrl_c: CtrlC,
    shown: Callable[[float], None],
) -> Tried:
    """Train with these values, and score the rows left out.

    A way that keeps its best epoch by a part of the training rows is trained as `chainrule train`
    does, and these rows score it; another leaves out parts of the training rows in turn, as many as
    its recipes are chosen by. `shown` is told which part of the trial is done.

    Raises:
        optuna.TrialPruned: the trial is ended early.
        KeyboardInterrupt: Ctrl-C.
    """
    started = time.perf_counter()
    options = with_values(plan.options, values)
    parts = parts_of(plan)
    watch = _Pruning(trial, plan, len(parts), shown)
    for inside, outside in parts:
        rows = _rows(plan, inside)
        way = type(plan.way)(options, plan.preparation, rows[0])
        way.callbacks.append(watch)
        ctrl_c.trainer = way.trainer
        watch.begin(way, len(outside))
        try:
            outcome = way.train(rows, _rows(plan, outside), None, ctrl_c)
        except NonFiniteError:
            raise optuna.TrialPruned from None
        if ctrl_c.pressed:
            raise KeyboardInterrupt
        if watch.pruned:
            raise optuna.TrialPruned
        watch.end(outcome)
    seconds = time.perf_counter() - started
    return Tried(watch.score, seconds, way if way.chosen_by else None, outcome)


def parts_of(plan: Plan) -> list[tuple[Array, Array]]:
    """The training rows to train on, and those left out, part by part.

    All and none where the way itself leaves some out, to choose the epoch by.
    """
    way, t = plan.way, plan.training_rows[1]
    if way.chosen_by:
        return [(np.arange(len(t)), np.arange(0))]
    longest = max([way.epochs, *(recipe.epochs for recipe in way.recipes)])
    parts = folds_for((Recipe(longest, 0.0),), len(t), way.batch_size)
    part = part_of_rows(t, parts, generator(plan.options.seed))
    return [(np.flatnonzero(part != i), np.flatnonzero(part == i)) for i in range(parts)]


def _rows(plan: Plan, indices: Array) -> Rows:
    x, t = plan.training_rows
    if len(indices) == len(t):
        return x, t
    return taken(x, indices), taken(t, indices)


class _Pruning(Callback):
    """Tells Optuna the score of a trial some times in its course, and ends it where others are better.

    The score is the mean over the parts, by the rows left out of each.
    """

    def __init__(
        self, trial: optuna.Trial, plan: Plan, parts: int, shown: Callable[[float], None]
    ) -> None:
        self.trial, self.parts, self.shown = trial, parts, shown
        self.classes, self.unit = bool(plan.preparation.classes), plan.preparation.scale
        self.pruned = False
        #: The sum of what was scored, how many rows that was, and the parts and epochs that have ended.
        self.done, self.rows, self.ended, self.epochs = 0.0, 0, 0, 0

    def begin(self, way: Way, left_out: int) -> None:
        """Begin with the next part."""
        self.planned, self.best_epoch = way.epochs, bool(way.chosen_by)
        self.left_out = left_out or 1  # a single part, whatever its rows

    def end(self, outcome: Outcome) -> None:
        """The present part has ended."""
        self.done += self._part(outcome.history.epochs) * self.left_out
        self.rows += self.left_out
        self.ended += 1

    @property
    def score(self) -> float:
        """The score of the parts that have ended."""
        return self._score(self.done, self.rows)

    def on_epoch(self, trainer: Training) -> None:
        """Tell the score where it is due; a rung is a part of a training, whatever its epochs."""
        epochs, planned = (
            self.ended * self.planned + trainer.current_epoch,
            self.parts * self.planned,
        )
        self.shown(epochs / planned)
        rung = epochs * RUNGS // planned
        if rung == (epochs - 1) * RUNGS // planned or epochs == planned:
            return
        total = self.done + self._part(trainer.history.epochs) * self.left_out
        self.trial.report(self._score(total, self.rows + self.left_out), rung)
        if self.trial.should_prune():
            self.pruned = True
            trainer.stop(_("other trials were better by then"))

    def on_end(self, trainer: Training) -> None:
        """Keep how many epochs that was."""
        self.epochs += trainer.current_epoch
        self.trial.set_user_attr("epochs", self.epochs)

    def _part(self, epochs: Sequence[Mapping[str, float]]) -> float:
        """What the rows left out say after these epochs of a part."""
        counted = epochs if self.best_epoch else epochs[-1:]
        if self.classes:
            return max(epoch["val_accuracy"] for epoch in counted)
        return min(epoch["val_loss"] for epoch in counted)

    def _score(self, total: float, rows: int) -> float:
        return total / rows if self.classes else math.sqrt(total / rows) * self.unit
