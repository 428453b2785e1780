"""A model compared with the simplest ones, on rows that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import Text, _, _n, listed
from chainrule.networks.parts import in_parts
from chainrule.training import Baselines, Comparison
from chainrule.training.metrics import in_units, regression_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.datasets import Preprocessor
    from chainrule.networks import Network

__all__ = [
    "Evaluation",
    "baseline_line",
    "baseline_scores",
    "evaluate_held_out",
    "held_out_lines",
    "verdict",
]


Array = npt.NDArray[Any]
Scores: TypeAlias = dict[str, float | None]


@dataclass(frozen=True)
class Evaluation:
    """A model's scores on held-out rows, beside those of the baselines."""

    rows: int
    scores: Scores
    comparison: Comparison
    baselines: Baselines
    preparation: Preprocessor

    def verdict(self, hidden: bool, given: Sequence[str]) -> tuple[Text, ...]:
        """Sentences if the model does not beat the baselines; see the function `verdict`."""
        which = _("the held-out rows")
        return verdict(self.comparison, self.preparation, self.baselines, which, hidden, given)


def evaluate_held_out(
    network: Network,
    preparation: Preprocessor,
    baselines: Baselines,
    x: Array,
    t: Array,
) -> Evaluation:
    """Score a network and the baselines on held-out rows."""
    y = preparation.limited(in_parts(network.predict, x))
    comparison = baselines.compare(y, x, t, preparation.layout)
    if preparation.classes:
        scores: Scores = {"accuracy": comparison.model}
    else:
        scores = dict(regression_scores(y, t, preparation.scale))
    scores |= baseline_scores(comparison)
    return Evaluation(len(t), scores, comparison, baselines, preparation)


def baseline_scores(comparison: Comparison) -> Scores:
    """The scores of the baselines, by name."""
    return {"constant": comparison.constant, "linear": comparison.linear}


def held_out_lines(evaluation: Evaluation | None, chose: bool) -> list[tuple[Text, Text]]:
    """The scores as lines to show; `chose`: these rows chose the epoch to keep, too."""
    if evaluation is None:
        unknown = _("nothing, so how good the model is on new rows is not known")
        return [(_("held out"), unknown)]
    rows, scores, preparation = evaluation.rows, evaluation.scores, evaluation.preparation
    of = _n("{n:,} row never trained on", "{n:,} rows never trained on", rows)
    accuracy = scores.get("accuracy")
    if accuracy is not None:
        right = round(accuracy * rows)
        of = _("{right:,} of {rows}", right=right, rows=of)
    if chose:
        of = _("{rows}; they chose the epoch to keep, too", rows=of)
    if accuracy is not None:
        score = _("{part:.1%}  ({rows})", part=accuracy, rows=of)
        pairs: list[tuple[Text, Text]] = [(_("held-out accuracy"), score)]
    else:
        units = _(
            "{value} in units of {target}",
            value=in_units(scores["rmse"]),
            target=preparation.target,
        )
        pairs = [
            (
                _("held-out R²"),
                _("{score}  ({rows})", score=_score(scores["r2"], preparation), rows=of),
            ),
            (_("held-out RMSE"), units),
        ]
    return [*pairs, *baseline_line(evaluation.comparison, preparation, evaluation.baselines)]


def baseline_line(
    comparison: Comparison, preparation: Preprocessor, baselines: Baselines
) -> list[tuple[Text, Text]]:
    """The baselines' scores as a line to show."""
    scores: list[Text] = []
    if comparison.linear is not None:
        scores.append(_("{score} by a linear model", score=_score(comparison.linear, preparation)))
    if comparison.constant is not None:
        score, answer = _score(comparison.constant, preparation), _answer(preparation, baselines)
        scores.append(_("{score} by always {answering}", score=score, answering=answer))
    return [(_("to compare"), listed(scores))] if scores else []


def verdict(
    comparison: Comparison,
    preparation: Preprocessor,
    baselines: Baselines,
    which: Text,
    hidden: bool,
    given: Sequence[str] = (),
) -> tuple[Text, ...]:
    """Sentences if the model does not beat the baselines on `which` rows, with what to try; else none.

    `hidden`: it has hidden layers. `given`: options that kept the recipe from being chosen.
    """
    model, constant, linear = (
        _score(score, preparation)
        for score in (comparison.model, comparison.constant, comparison.linear)
    )
    if comparison.worse_than is None:
        return ()
    if comparison.worse_than == "constant":
        answer = _answer(preparation, baselines)
        sentence = (
            _(
                "On {which} the model is no better than always {answering}.",
                which=which,
                answering=answer,
            )
            if comparison.constant is None
            else _(
                "On {which} the model is no better than always {answering} ({model} against {other}).",
                which=which,
                answering=answer,
                model=model,
                other=constant,
            )
        )
    else:
        sentence = _(
            "On {which} a linear model is better ({linear} against {model}).",
            which=which,
            linear=linear,
            model=model,
        )
    tips = _tips(comparison.worse_than == "linear", hidden, preparation.target)
    if not given:
        return sentence, tips[0]
    return sentence, _("Try it without {options} first.", options=listed(given, "and")), tips[1]


def _tips(linear: bool, hidden: bool, target: str) -> tuple[Text, Text]:
    """What to try, as the first advice or as a second one; `linear`: a linear model is better."""
    if not linear:
        return (
            _("Try more rows, or columns that tell more of {target!r}.", target=target),
            _("Else try more rows, or columns that tell more of {target!r}.", target=target),
        )
    if not hidden:
        return _("Try more rows, or other columns."), _("Else try more rows, or other columns.")
    return (
        _("Try --hidden none, which makes a linear model, or more rows."),
        _("Else try --hidden none, which makes a linear model, or more rows."),
    )


def _answer(preparation: Preprocessor, baselines: Baselines) -> Text:
    """What the constant model answers."""
    if preparation.classes is None:
        return _("saying the mean {target}", target=preparation.target)
    label = preparation.classes[int(np.argmax(baselines.answer))]
    return _("saying {label!r}", label=label)


def _score(value: float | None, preparation: Preprocessor) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" if preparation.classes else f"{value:.4f}"
