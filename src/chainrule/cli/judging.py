"""How good a model is on some rows, and whether it beats the simplest models there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.cli.terminal import number_of
from chainrule.training import Baselines, Comparison
from chainrule.training.metrics import in_units, regression_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.datasets import Preparation
    from chainrule.networks import Network

__all__ = ["Judged", "beside", "held_out", "judge", "simplest", "verdict"]


@dataclass(frozen=True)
class Judged:
    """A model's scores on held-out rows, beside those of the baselines."""

    rows: int
    scores: dict[str, Any]
    found: Comparison
    baselines: Baselines
    preparation: Preparation

    def verdict(self, hidden: bool, given: Sequence[str]) -> tuple[str, ...]:
        """What to say if the model does not beat the baselines; see `verdict`."""
        which = "the held-out rows"
        return verdict(self.found, self.preparation, self.baselines, which, hidden, given)


def judge(
    network: Network,
    preparation: Preparation,
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
        scores = dict(regression_scores(y, t, preparation.spread))
    return Judged(len(t), scores | simplest(found), found, baselines, preparation)


def simplest(found: Comparison) -> dict[str, float | None]:
    """The scores of the baselines, by name."""
    return {"constant": found.constant, "linear": found.linear}


def held_out(judged: Judged | None, chose: bool) -> list[tuple[str, str]]:
    """The scores in words; `chose`: these rows chose the epoch to keep, too."""
    if judged is None:
        return [("held out", "nothing, so how good the model is on new rows is not known")]
    rows, scores, prep = judged.rows, judged.scores, judged.preparation
    more = "; they chose the epoch to keep, too" if chose else ""
    count = number_of(rows, "row")
    if prep.classes:
        part, right = scores["accuracy"], round(scores["accuracy"] * rows)
        pairs = [
            ("held-out accuracy", f"{part:.1%}  ({right:,} of {count} never trained on{more})")
        ]
    else:
        pairs = [
            ("held-out R²", f"{_score(scores['r2'], prep)}  ({count} never trained on{more})"),
            ("held-out RMSE", f"{in_units(scores['rmse'])} in units of {prep.target}"),
        ]
    return [*pairs, *beside(judged.found, prep, judged.baselines)]


def beside(
    found: Comparison, preparation: Preparation, baselines: Baselines
) -> list[tuple[str, str]]:
    """The baselines' scores as a line to show."""
    told = [
        f"{_score(score, preparation)} by {simple}"
        for score, simple in (
            (found.linear, "a linear model"),
            (found.constant, f"always {_answer(preparation, baselines)}"),
        )
        if score is not None
    ]
    return [("to compare", ", ".join(told))] if told else []


def verdict(
    found: Comparison,
    preparation: Preparation,
    baselines: Baselines,
    which: str,
    hidden: bool,
    given: Sequence[str] = (),
) -> tuple[str, ...]:
    """Sentences if the model does not beat the baselines on `which` rows, with what to try; else none.

    `hidden`: it has hidden layers. `given`: options that kept the recipe from being chosen.
    """
    model, constant, linear = (
        _score(score, preparation) for score in (found.model, found.constant, found.linear)
    )
    if found.worse_than is None:
        return ()
    if found.worse_than == "constant":
        told = "" if found.constant is None else f" ({model} against {constant})"
        answer = _answer(preparation, baselines)
        said = f"On {which} the model is no better than always {answer}{told}."
        tip = f"Try more rows, or columns that tell more of {preparation.target!r}."
    else:
        said = f"On {which} a linear model is better ({linear} against {model})."
        tip = "Try more rows, or other columns."
        if hidden:
            tip = "Try --hidden none, which makes a linear model, or more rows."
    if not given:
        return said, tip
    named = ", ".join(given[:-1]) + " and " * (len(given) > 1) + given[-1]
    return said, f"Try it without {named} first.", tip.replace("Try", "Else try")


def _answer(preparation: Preparation, baselines: Baselines) -> str:
    """The answer that looks at no column."""
    if preparation.classes is None:
        return f"saying the mean {preparation.target}"
    return f"saying {preparation.classes[int(np.argmax(baselines.answer))]!r}"


def _score(value: float | None, preparation: Preparation) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" if preparation.classes else f"{value:.4f}"
