"""Scores of a model on a table; on its own training data the held-out rows apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.cli.reading import fact
from chainrule.cli.split import divide, keep_rows
from chainrule.cli.terminal import number_of
from chainrule.errors import ChainruleError
from chainrule.training import confusion_matrix

if TYPE_CHECKING:
    from chainrule.datasets import Preparation, Table
    from chainrule.files import Model

__all__ = ["ClassScore", "Score", "regression_scores", "score_all", "training_rows"]


@dataclass(frozen=True)
class ClassScore:
    """How one class fares: the part of its rows found, the part of its mentions that are right."""

    name: str
    rows: int
    recall: float | None
    precision: float | None


@dataclass(frozen=True)
class Score:
    """The scores of some rows."""

    target: str
    rows: int
    values: dict[str, float | None]
    classes: tuple[Any, ...] | None = None
    confusion: tuple[tuple[int, ...], ...] = ()

    @property
    def right(self) -> int:
        """How many rows are right."""
        return sum(line[i] for i, line in enumerate(self.confusion))

    @property
    def per_class(self) -> list[ClassScore]:
        """The classes one by one."""
        found = []
        for i, name in enumerate(self.classes or ()):
            line, column = self.confusion[i], [row[i] for row in self.confusion]
            recall = line[i] / sum(line) if sum(line) else None
            precision = line[i] / sum(column) if sum(column) else None
            found.append(ClassScore(str(name), sum(line), recall, precision))
        return found

    def as_json(self) -> dict[str, Any]:
        """Everything, for a program that reads on."""
        told: dict[str, Any] = {"rows": self.rows, **self.values}
        if self.classes is not None:
            told["classes"] = [
                {"class": name, "rows": c.rows, "recall": c.recall, "precision": c.precision}
                for name, c in zip(self.classes, self.per_class, strict=True)
            ]
            told["confusion_matrix"] = [list(line) for line in self.confusion]
        return told


def score_all(
    model: Model, preparation: Preparation, table: Table
) -> tuple[dict[str, Score], tuple[str, ...]]:
    """Scores by name ("held_out", "training", or "all"), and sentences about the rows."""
    table.require(preparation.target)
    missing = fact(model, "split", "missing")
    if fact(model, "data", "fingerprint") == table.fingerprint():
        divided = _divided_again(model, preparation, table)
        if divided is not None:
            rows, training, held = divided
            scores = {}
            if len(held):
                scores["held_out"] = _score(model, preparation, rows.rows(held))
            scores["training"] = _score(model, preparation, rows.rows(training))
            what = (
                f"the {number_of(len(held), 'row')} held out {'is' if len(held) == 1 else 'are'} scored"
                f" apart from the {len(training):,} trained on"
                if len(held)
                else "no rows were held out, so this says little about new ones"
            )
            return scores, (f"This is the data the model was trained on: {what}.",)
    rows, notes = keep_rows(table, preparation.target, "drop" if missing == "drop" else "fill")
    return {"all": _score(model, preparation, rows)}, (*notes, *preparation.remarks(rows))


def training_rows(model: Model, preparation: Preparation, table: Table) -> Table:
    """The rows to train on: those with a target, without those held out where that is known."""
    table.require(preparation.target)
    if fact(model, "data", "fingerprint") == table.fingerprint():
        divided = _divided_again(model, preparation, table)
        if divided is not None:
            rows, training, _ = divided
            return rows.rows(training)
    missing = fact(model, "split", "missing")
    return keep_rows(table, preparation.target, "drop" if missing == "drop" else "fill")[0]


def _divided_again(
    model: Model, preparation: Preparation, table: Table
) -> tuple[Table, npt.NDArray[Any], npt.NDArray[Any]] | None:
    """The division that training made, if the facts in the file allow to make it again."""
    split = fact(model, "split")
    try:
        divided = divide(
            table,
            preparation.target,
            preparation.task,
            split["validation"],
            split["seed"],
            split["missing"],
        )
    except (ChainruleError, KeyError, TypeError):
        return None
    counts = (split.get("training_rows"), split.get("held_out_rows"))
    if counts != (len(divided.training), len(divided.held)):
        return None
    return divided.table, divided.training, divided.held


def _score(model: Model, preparation: Preparation, rows: Table) -> Score:
    t = preparation.targets(rows)
    x = preparation.transform(rows)
    target, classes = preparation.target, preparation.classes
    if classes is not None:
        ids = model.network.classify(x)
        counts = confusion_matrix(ids, t, len(classes))
        values: dict[str, float | None] = {"accuracy": float(np.trace(counts) / len(t))}
        return Score(target, len(t), values, classes, tuple(map(tuple, counts.tolist())))
    return Score(target, len(t), regression_scores(preparation, model.network.predict(x), t))


def regression_scores(
    preparation: Preparation, y: npt.ArrayLike, t: npt.ArrayLike
) -> dict[str, float | None]:
    """R², RMSE and MAE of standardised answers and targets, the last two in the target's unit.

    R² is None where it is not defined: for fewer than two rows, or if all targets are the same.
    The differences are those of the standardised values: in the target's own unit their squares
    could underflow to nothing, or overflow.
    """
    given, true = np.asarray(y, np.float64).ravel(), np.asarray(t, np.float64).ravel()
    wrong, around = given - true, true - true.mean()
    constant = bool((true == true[0]).all())
    r2 = None if constant else 1 - float(np.sum(wrong**2)) / float(np.sum(around**2))
    unit = preparation.spread
    return {
        "r2": r2,
        "rmse": float(np.sqrt(np.mean(wrong**2))) * unit,
        "mae": float(np.mean(np.abs(wrong))) * unit,
    }
