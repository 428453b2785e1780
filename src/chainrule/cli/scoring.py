"""Scores of a model on a table; on its training data, the held-out rows are scored apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.cli.comparison import baseline_line, baseline_scores, verdict
from chainrule.cli.model_and_data import fact, notes_on
from chainrule.cli.split import Split, divide, keep_rows
from chainrule.errors import ChainruleError
from chainrule.lang.messages import Text, _, _n, listed, sentences
from chainrule.networks.parts import in_parts
from chainrule.training import confusion_matrix
from chainrule.training.metrics import ClassScore, class_scores, regression_scores

if TYPE_CHECKING:
    from chainrule.datasets import Preprocessor, Table
    from chainrule.files import Model

Indices: TypeAlias = "npt.NDArray[np.signedinteger[Any]]"

__all__ = ["Score", "score_all", "training_rows"]


@dataclass(frozen=True)
class Score:
    """The scores of some rows."""

    target: str
    rows: int
    #: The rows with a target, and the indices of those that are scored.
    table: Table
    indices: Indices
    values: dict[str, float | None]
    classes: tuple[object, ...] | None = None
    confusion: tuple[tuple[int, ...], ...] = ()
    #: The scores of the simplest models as lines to show, and sentences if they are as good.
    compared: tuple[tuple[Text, Text], ...] = ()
    verdict: str = ""

    @property
    def right(self) -> int:
        """How many rows are right."""
        return sum(line[i] for i, line in enumerate(self.confusion))

    @property
    def per_class(self) -> list[ClassScore]:
        """The classes one by one."""
        return class_scores(self.confusion)

    def as_json(self) -> dict[str, object]:
        """Everything, for another program."""
        fields: dict[str, object] = {"rows": self.rows, **self.values}
        if self.classes is not None:
            fields["classes"] = [
                {"class": name, "rows": c.rows, "recall": c.recall, "precision": c.precision}
                for name, c in zip(self.classes, self.per_class, strict=True)
            ]
            fields["confusion_matrix"] = [list(line) for line in self.confusion]
        return fields


def score_all(
    model: Model, preparation: Preprocessor, table: Table
) -> tuple[dict[str, Score], tuple[str, ...]]:
    """Scores by name ("held_out", "training", or "all"), and sentences about the rows."""
    table.require(preparation.target)
    missing = fact(model, "split", "missing")
    split, table = _training_split(model, preparation, table)
    if split is not None:
        scores, held_out = {}, split.held
        if len(held_out):
            scores["held_out"] = _score(
                model, preparation, split.table, held_out, _("the held-out rows")
            )
        scores["training"] = _score(model, preparation, split.table, split.training)
        what = (
            _n(
                "the {n:,} row held out is scored apart from the {training:,} trained on",
                "the {n:,} rows held out are scored apart from the {training:,} trained on",
                len(held_out),
                training=len(split.training),
            )
            if len(held_out)
            else _("no rows were held out, so this says little about new ones")
        )
        return scores, (_("This is the data the model was trained on: {what}.", what=what),)
    fill = "drop" if missing == "drop" else "fill"
    rows, notes = keep_rows(table, preparation.target, fill, preparation.task)
    scores = {"all": _score(model, preparation, rows, np.arange(len(rows)), _("these rows"))}
    return scores, (*notes, *_unknown_labels(preparation, rows), *notes_on(rows, preparation))


def _unknown_labels(preparation: Preprocessor, rows: Table) -> list[Text]:
    """A sentence about labels that the training rows do not have."""
    if preparation.classes is None:
        return []
    labels = preparation.unknown_labels(rows)
    if not labels:
        return []
    count = sum(labels.values())
    some = [_("{label!r} ({count})", label=label, count=n) for label, n in labels.items()]
    names = listed(some[:6])
    if len(some) > 6:
        names = _("{names} and {count} more", names=names, count=len(some) - 6)
    return [
        _n(
            "{n:,} row is of a class that the training rows do not have: {labels}. It counts as wrong.",
            "{n:,} rows are of a class that the training rows do not have: {labels}. They count as wrong.",
            count,
            labels=names,
        )
    ]


def training_rows(model: Model, preparation: Preprocessor, table: Table) -> Table:
    """The rows to train on: those with a target, without those held out where that is known."""
    table.require(preparation.target)
    split, table = _training_split(model, preparation, table)
    if split is not None:
        return split.table.rows(split.training)
    missing = fact(model, "split", "missing")
    fill = "drop" if missing == "drop" else "fill"
    return keep_rows(table, preparation.target, fill, preparation.task)[0]


def _training_split(
    model: Model, preparation: Preprocessor, table: Table
) -> tuple[Split | None, Table]:
    """The split that training made, None for other data; and the table as the model takes it.

    The split is made again from the facts in the file; it is None, too, where they do not allow it.
    """
    same = fact(model, "data", "fingerprint") == table.fingerprint()
    without = fact(model, "data", "without")
    names = without if isinstance(without, list) else []
    table = table.drop(*(n for n in table.names if n in names and n != preparation.target))
    if not same:
        return None, table
    facts = fact(model, "split")
    try:
        split = divide(
            table,
            preparation.target,
            preparation.task,
            facts["validation"],
            facts["seed"],
            facts["missing"],
        )
    except (ChainruleError, KeyError, TypeError):
        return None, table
    counts = (facts.get("training_rows"), facts.get("held_out_rows"))
    return (split if counts == (len(split.training), len(split.held)) else None), table


def _score(
    model: Model,
    preparation: Preprocessor,
    table: Table,
    indices: Indices,
    which: Text | None = None,
) -> Score:
    """The scores of some rows; with `which`, their name in a sentence, the verdict, too."""
    rows = table if len(indices) == len(table) else table.rows(indices)
    target, classes = preparation.target, preparation.classes
    unknown: Counter[str] = Counter()
    if classes is not None:
        for part in rows.in_blocks() if rows.on_disk else [rows]:
            unknown.update(preparation.unknown_labels(part))
    if classes is None:
        t = preparation.targets(rows)
    else:
        t = preparation.class_ids(rows)
        # Labels that training did not have are classes of their own, which nobody ever says.
        t[t < 0] = len(classes)
    x = preparation.transform(rows)
    y = preparation.limited(in_parts(model.network.predict, x))
    compared: tuple[tuple[Text, Text], ...] = ()
    judgement: tuple[Text, ...] = ()
    simplest: dict[str, float | None] = {}
    if (
        which is not None
        and model.baselines is not None
        and y.shape[1:] == model.baselines.answer.shape
    ):
        comparison = model.baselines.compare(y, x, t, preparation.layout)
        simplest = baseline_scores(comparison)
        compared = tuple(baseline_line(comparison, preparation, model.baselines))
        hidden = bool(fact(model, "training", "hidden"))
        judgement = verdict(comparison, preparation, model.baselines, which, hidden)
    if classes is not None:
        counts = confusion_matrix(
            in_parts(model.network.classify, x), t, len(classes) + bool(unknown)
        )
        right = float(np.trace(counts) / len(t))
        values: dict[str, float | None] = {"accuracy": right, **simplest}
        names = (*classes, *([_("new: {labels}", labels=listed(unknown))] if unknown else []))
        confusion = tuple(map(tuple, counts.tolist()))
        return Score(
            target,
            len(t),
            table,
            indices,
            values,
            names,
            confusion,
            compared,
            sentences(*judgement),
        )
    scores = regression_scores(y, t, preparation.scale) | simplest
    verdict_said = sentences(*judgement)
    return Score(target, len(t), table, indices, scores, compared=compared, verdict=verdict_said)
