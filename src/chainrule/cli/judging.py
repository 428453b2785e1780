"""How good a model is on some rows, and whether it beats the simplest models there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import Text, _, _n, listed
from chainrule.training import Baselines, Comparison
from chainrule.training.metrics import in_units, regression_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.datasets import Preprocessor
    from chainrule.networks import Network

__all__ = ["Judged", "beside", "held_out", "judge", "simplest", "verdict"]


@dataclass(frozen=True)
class Judged:
    """A model's scores on held-out rows, beside those of the baselines."""

    rows: int
    scores: dict[str, Any]
    found: Comparison
    baselines: Baselines
    preparation: Preprocessor

    def verdict(self, hidden: bool, given: Sequence[str]) -> tuple[Text, ...]:
        """What to say if the model does not beat the baselines; see `verdict`."""
        which = _("the held-out rows")
        return verdict(self.found, self.preparation, self.baselines, which, hidden, given)


def judge(
    network: Network,
    preparation: Preprocessor,
    baselines: Baselines,
    x: npt.NDArray[Any],
    t: npt.NDArray[Any],
) -> Judged:
    """Score a network and the baselines on rows that it was not trained on."""
    y = np.asarray(network.predict(x))
    found = baselines.compare(y, x, t)
    if preparation.classes:
        scores: dict[str, Any] = {"accuracy": found.model}
    else:
        scores = dict(regression_scores(y, t, preparation.scale))
    return Judged(len(t), scores | simplest(found), found, baselines, preparation)


def simplest(found: Comparison) -> dict[str, float | None]:
    """The scores of the baselines, by name."""
    return {"constant": found.constant, "linear": found.linear}


def held_out(judged: Judged | None, chose: bool) -> list[tuple[Text, Text]]:
    """The scores in words; `chose`: these rows chose the epoch to keep, too."""
    if judged is None:
        told = _("nothing, so how good the model is on new rows is not known")
        return [(_("held out"), told)]
    rows, scores, prep = judged.rows, judged.scores, judged.preparation
    of = _n("{n:,} row never trained on", "{n:,} rows never trained on", rows)
    if prep.classes:
        right = round(scores["accuracy"] * rows)
        of = _("{right:,} of {rows}", right=right, rows=of)
    if chose:
        of = _("{rows}; they chose the epoch to keep, too", rows=of)
    if prep.classes:
        score = _("{part:.1%}  ({rows})", part=scores["accuracy"], rows=of)
        pairs: list[tuple[Text, Text]] = [(_("held-out accuracy"), score)]
    else:
        units = _(
            "{value} in units of {target}", value=in_units(scores["rmse"]), target=prep.target
        )
        pairs = [
            (_("held-out R²"), _("{score}  ({rows})", score=_score(scores["r2"], prep), rows=of)),
            (_("held-out RMSE"), units),
        ]
    return [*pairs, *beside(judged.found, prep, judged.baselines)]


def beside(
    found: Comparison, preparation: Preprocessor, baselines: Baselines
) -> list[tuple[Text, Text]]:
    """The baselines' scores as a line to show."""
    told = []
    if found.linear is not None:
        told.append(_("{score} by a linear model", score=_score(found.linear, preparation)))
    if found.constant is not None:
        score, answer = _score(found.constant, preparation), _answer(preparation, baselines)
        told.append(_("{score} by always {answering}", score=score, answering=answer))
    return [(_("to compare"), listed(told))] if told else []


def verdict(
    found: Comparison,
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
        _score(score, preparation) for score in (found.model, found.constant, found.linear)
    )
    if found.worse_than is None:
        return ()
    if found.worse_than == "constant":
        answer = _answer(preparation, baselines)
        said = (
            _(
                "On {which} the model is no better than always {answering}.",
                which=which,
                answering=answer,
            )
            if found.constant is None
            else _(
                "On {which} the model is no better than always {answering} ({model} against {other}).",
                which=which,
                answering=answer,
                model=model,
                other=constant,
            )
        )
    else:
        said = _(
            "On {which} a linear model is better ({linear} against {model}).",
            which=which,
            linear=linear,
            model=model,
        )
    tips = _tips(found.worse_than == "linear", hidden, preparation.target)
    if not given:
        return said, tips[0]
    return said, _("Try it without {options} first.", options=listed(given, "and")), tips[1]


def _tips(linear: bool, hidden: bool, target: str) -> tuple[Text, Text]:
    """What to try, first or after something else; `linear`: a linear model is better."""
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
    """The answer that looks at no column."""
    if preparation.classes is None:
        return _("saying the mean {target}", target=preparation.target)
    label = preparation.classes[int(np.argmax(baselines.answer))]
    return _("saying {label!r}", label=label)


def _score(value: float | None, preparation: Preprocessor) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" if preparation.classes else f"{value:.4f}"
