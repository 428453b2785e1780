"""Exercises of the lesson on softmax and cross entropy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import _
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.faults import Suspect
from chainrule.lessons.forward import Forward

__all__ = ["EXERCISES"]

Array = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


def _softmax(s: Array, axis: int | None = 1) -> Array:
    e = np.exp(s - s.max(axis=axis, keepdims=True))
    y: Array = e / e.sum(axis=axis, keepdims=True)
    return y


def _log_sum_exp(s: Array) -> Array:
    m: Array = s.max(axis=1)
    total: Array = m + np.log(np.sum(np.exp(s - m[:, None]), axis=1))
    return total


def _scores(N: int, C: int) -> Callable[[np.random.Generator], Mapping[str, Array]]:
    return lambda rng: {"s": rng.normal(size=(N, C))}


def _large(rng: np.random.Generator) -> Array:
    """Scores of two rows and three classes that no exp holds, and one that it makes 0."""
    return np.array([[1000.0, 999.0, -500.0], [-1000.0, -1001.0, -1000.0]]) + rng.normal(size=3)


def _mistakes_of_softmax(s: Array) -> Mapping[str, Sequence[Suspect]]:
    m = s.max(axis=1)
    e = np.exp(s - m[:, None])
    with np.errstate(over="ignore"):
        plain, sigmoid = np.exp(s), 1 / (1 + np.exp(-s))
    suspects = [
        Suspect(
            "axis",
            _softmax(s, 0),
            _("The columns of y add up to 1: it is the rows that have to, so sum over axis 1."),
        )
    ]
    if len(s) > 1:
        suspects.append(
            Suspect(
                "all",
                _softmax(s, None),
                _("All of y together adds up to 1: each row has to, so sum over axis 1."),
            )
        )
    if len(s) == s.shape[1]:
        suspects += [
            *(
                Suspect(
                    "keepdims",
                    exp / exp.sum(axis=1),
                    _(
                        "The sums of the rows stand as a row, and each column was divided by one of"
                        " them: keepdims=True keeps them a column."
                    ),
                )
                for exp in (e, plain)
            ),
            Suspect(
                "keepdims",
                _softmax(s - m),
                _(
                    "The largest scores of the rows stand as a row, and were taken from the columns:"
                    " keepdims=True keeps them a column."
                ),
            ),
        ]
    return {
        "y": [
            *suspects,
            Suspect("linear", s / s.sum(axis=1, keepdims=True), _("y is s / Σ s: exp is missing.")),
            Suspect("exp", plain, _("y is exp(s): it is not divided by the sum of its row.")),
            Suspect("exp", e, _("y is exp(s - max): it is not divided by the sum of its row.")),
            Suspect(
                "sign",
                _softmax(-s),
                _("The largest score has the smallest probability: exp(s), without a minus."),
            ),
            Suspect(
                "log",
                s - _log_sum_exp(s)[:, None],
                _("y is the logarithm of the probabilities."),
            ),
            Suspect(
                "sigmoid",
                sigmoid,
                _("y is the sigmoid of each score by itself; its rows do not add up to 1."),
            ),
        ]
    }


SOFTMAX = Exercise(
    name="softmax",
    lesson="02-softmax",
    title=_("A softmax that never overflows"),
    task=_(
        "Write softmax(s) for scores of the shape (N, C), N rows with a score for each of C classes: each"
        " row becomes exp(s) divided by the sum of exp(s) over the row. Scores such as 1000 must do, too,"
        " without a warning of NumPy."
    ),
    entry="softmax",
    starter="""import numpy as np


def softmax(s):
    y = ...
    return y
""",
    cases=Forward(
        formula=_softmax,
        results=("y",),
        tries=[
            (_("N = {N}, C = {C}", N=1, C=3), _scores(1, 3)),
            (_("N = {N}, C = {C}", N=3, C=3), _scores(3, 3)),
            (_("N = {N}, C = {C}", N=4, C=2), _scores(4, 2)),
            (_("scores up to 1000"), lambda rng: {"s": _large(rng)}),
        ],
        mistakes=_mistakes_of_softmax,
        quiet=True,
    ),
    hints=(
        _("The sum goes over axis 1, the classes; keepdims=True keeps it a column."),
        _("Softmax sees differences only: subtract the largest score of each row first."),
    ),
)


def _row_losses(s: Array, t: Ids) -> Array:
    losses: Array = _log_sum_exp(s) - s[np.arange(len(t)), t]
    return losses


def _mistakes_of_cross_entropy(s: Array, t: Ids) -> Mapping[str, Sequence[Suspect]]:
    losses = _row_losses(s, t)
    chosen = s[np.arange(len(t)), t]
    N = len(s)
    every = _log_sum_exp(s)[:, None] - s
    suspects = [
        Suspect(
            "plain", -chosen.mean(), _("L is made of the scores alone: log Σ exp(s) is missing.")
        ),
        Suspect(
            "plain",
            np.mean(np.exp(-losses)),
            _("L is the mean probability of the right classes: -log is missing."),
        ),
        Suspect(
            "plain",
            -np.mean(np.exp(-losses)),
            _("L is minus the mean probability of the right classes: log is missing."),
        ),
        Suspect(
            "base",
            losses.mean() / np.log(10),
            _("L has the logarithm to the base 10: np.log is the natural one."),
        ),
        Suspect(
            "base",
            losses.mean() / np.log(2),
            _("L has the logarithm to the base 2: np.log is the natural one."),
        ),
    ]
    if N > 1:
        suspects += [
            Suspect("sum", losses.sum(), _("L is the sum over the batch: it is to be the mean.")),
            Suspect(
                "mean first",
                -np.log(np.mean(np.exp(-losses))),
                _(
                    "L is -log of the mean probability: take the logarithm of each row first, then the mean."
                ),
            ),
            Suspect(
                "pairs",
                every[:, t].mean(),
                _(
                    "s[:, t] picks columns in every row, {N}×{N} numbers; s[np.arange(N), t] picks"
                    " one of each row.",
                    N=N,
                ),
            ),
            Suspect(
                "all",
                losses.sum() / s.size,
                _(
                    "L is divided by {count}: there are {N} rows, and C does not count.",
                    count=s.size,
                    N=N,
                ),
            ),
            Suspect(
                "every class",
                every.mean(),
                _("L is made of all classes: in each row only the right one, t[n], counts."),
            ),
            Suspect(
                "every class",
                every.sum() / N,
                _("L is made of all classes: in each row only the right one, t[n], counts."),
            ),
        ]
    return {"L": suspects}


def _batch(C: int, *ids: int) -> Callable[[np.random.Generator], Mapping[str, Any]]:
    return lambda rng: {"s": rng.normal(size=(len(ids), C)), "t": rng.permutation(ids)}


CROSS_ENTROPY = Exercise(
    name="cross-entropy",
    lesson="02-softmax",
    title=_("Cross entropy of scores"),
    task=_(
        "Write cross_entropy(s, t) for scores s of the shape (N, C) and the class ids t, N of them: the mean"
        " over the batch of -log softmax(s) at the right class, one number. Scores such as 1000 must do, too,"
        " without a warning of NumPy."
    ),
    entry="cross_entropy",
    starter="""import numpy as np


def cross_entropy(s, t):
    L = ...
    return L
""",
    cases=Forward(
        formula=lambda s, t: np.mean(_row_losses(s, t)),
        results=("L",),
        tries=[
            (_("N = {N}, C = {C}", N=4, C=3), _batch(3, 0, 1, 2, 1)),
            (_("N = {N}, C = {C}", N=1, C=5), _batch(5, 3)),
            (_("scores up to 1000"), lambda rng: {"s": _large(rng), "t": np.array([2, 1])}),
        ],
        mistakes=_mistakes_of_cross_entropy,
        quiet=True,
    ),
    hints=(
        _("-log softmax(s) at the class k is log Σ exp(s) - s[k]: no division, no softmax."),
        _("log Σ exp(s) = m + log Σ exp(s - m), with m the largest score of the row."),
        _("s[np.arange(N), t] picks the score of the right class of each row."),
    ),
)

EXERCISES = [SOFTMAX, CROSS_ENTROPY]
