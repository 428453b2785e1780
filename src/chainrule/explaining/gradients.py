"""Integrated gradients: what each input adds to an answer, on the way from a baseline to the row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError, ShapeError
from chainrule.graph import functions, value_and_grad
from chainrule.graph.mode import inference_mode
from chainrule.graph.variable import Variable
from chainrule.lang.messages import _
from chainrule.nodes.base import Value
from chainrule.settings import positive, whole

__all__ = ["Attribution", "gradient_times_input", "integrated_gradients"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
#: One number for each row, from rows (N, D); the second argument holds the indices of these rows.
Answer = Callable[[Value, npt.NDArray[np.intp]], Value]

#: The points on a piece of the way, with their weights, and how many rows are differentiated at once.
STEPS, AT_ONCE = 32, 4096
#: Of wide rows fewer at once: so many numbers.
NUMBERS = 1 << 22


@dataclass(frozen=True)
class Attribution:
    """What each input adds to an answer: `added` (N, D), from `start` (N,) to `value` (N,)."""

    added: Floats
    value: Floats
    start: Floats
    #: How many gradients along the way were averaged for each row.
    steps: npt.NDArray[np.int64]

    @property
    def gap(self) -> Floats:
        """What the contributions leave of value - start (N,); completeness says 0."""
        return np.asarray(self.value - self.start - self.added.sum(axis=1))


def integrated_gradients(
    f: Callable[[Value], Value],
    x: npt.ArrayLike,
    baseline: npt.ArrayLike = 0.0,
    *,
    tolerance: float = 0.002,
    most_steps: int = 2048,
) -> Attribution:
    """(x - x₀) ∫₀¹ ∂f/∂x (x₀ + a (x - x₀)) da: what each input adds to f(x) - f(x₀).

    The contributions of a row add up to f(x) - f(x₀) ("completeness"; Sundararajan, Taly and Yan,
    "Axiomatic attribution for deep networks", 2017). The integral is a weighted mean of gradients at the
    32 points of Gauss and Legendre; then on each half of the way, each quarter and so on, until
    what is left over is at most `tolerance` times the sum of the contributions' sizes.

    Args:
        f: rows (N, D) in, one number for each row out, (N,) or (N, 1): a network with one output, or
            such as `lambda x: net(x)[:, 2]`. Row i of the answer depends on row i alone.
        x: rows (N, D), in the network's dtype.
        baseline: the row or number x₀ (broadcast to x) where the way begins.
        tolerance: how much may be left over.
        most_steps: the most points for a row; `gap` tells what is left over then.

    >>> import chainrule as cr, numpy as np
    >>> w = np.array([2.0, -1.0])
    >>> why = cr.integrated_gradients(lambda x: x @ w + 5, [[3.0, 4.0]], [1.0, 1.0])
    >>> why.added.round(6).tolist(), why.start.tolist(), why.value.tolist()
    ([[4.0, -3.0]], [6.0], [7.0])
    """
    return integrated(lambda rows, _i: f(rows), *_rows(x, baseline), tolerance, most_steps)


def gradient_times_input(
    f: Callable[[Value], Value], x: npt.ArrayLike, baseline: npt.ArrayLike = 0.0
) -> Attribution:
    """(x - x₀) ∂f/∂x: what each input would add if f were a straight line through x.

    One gradient for each row, so it is quick; where f bends between x₀ and x, the contributions do
    not add up to f(x) - f(x₀), and `gap` is the rest. Arguments as in `integrated_gradients`.

    >>> import chainrule as cr
    >>> why = cr.gradient_times_input(lambda x: cr.sum(x ** 2, axis=1), [[3.0]])
    >>> why.added.tolist(), why.gap.tolist()
    ([[18.0]], [-9.0])
    """
    return at_the_row(lambda rows, _i: f(rows), *_rows(x, baseline))


def _rows(x: npt.ArrayLike, baseline: npt.ArrayLike) -> tuple[Array, Array]:
    rows = np.asarray(x)
    rows = rows if rows.dtype.kind == "f" else rows.astype(np.float64)
    if rows.ndim != 2:
        raise ShapeError(_("x has rows (N, D); got shape {shape}.", shape=rows.shape))
    try:
        start = np.broadcast_to(np.asarray(baseline, rows.dtype), rows.shape)
    except ValueError:
        raise ShapeError(
            _(
                "baseline is a number, a row (D,) or a row for each row; got shape {shape} for x of shape"
                " {x}.",
                shape=np.shape(baseline),
                x=rows.shape,
            )
        ) from None
    return rows, start


def integrated(
    f: Answer, x: Array, start: Array, tolerance: float = 0.002, most_steps: int = 2048
) -> Attribution:
    """`integrated_gradients` of a function that also takes which rows it is given."""
    positive(tolerance, "tolerance")
    if whole(most_steps, "most_steps") < STEPS:
        raise SettingError(
            _("most_steps must be at least {least}; got {got}.", least=STEPS, got=most_steps)
        )
    value, before = values(f, x), values(f, start)
    found = Attribution(np.zeros(x.shape), value, before, np.zeros(len(x), np.int64))
    rest, steps = np.arange(len(x)), STEPS
    while len(rest) and steps <= most_steps:
        means = _mean_gradients(f, x, start, rest, steps)
        found.added[rest] = means * (x[rest].astype(np.float64) - start[rest])
        found.steps[rest] = steps
        allowed = tolerance * np.abs(found.added).sum(axis=1)
        rest = rest[(np.abs(found.gap) > allowed)[rest]]
        steps *= 2
    return found


def at_the_row(f: Answer, x: Array, start: Array) -> Attribution:
    """`gradient_times_input` of a function that also takes which rows it is given."""
    slopes = np.concatenate(
        [_gradients(f, x[part], part) for part in _parts(x)] or [np.zeros(x.shape)]
    )
    contributions = slopes * (x.astype(np.float64) - start)
    return Attribution(contributions, values(f, x), values(f, start), np.ones(len(x), np.int64))


def values(f: Answer, x: Array) -> Floats:
    """The answers (N,) for rows."""
    with inference_mode():
        parts = [_column(f(Variable(x[part]), part), len(part)) for part in _parts(x)]
    found = [np.asarray(part.data if isinstance(part, Variable) else part) for part in parts]
    return np.concatenate([*found, np.zeros(0)]).astype(np.float64)


def _mean_gradients(
    f: Answer, x: Array, start: Array, rows: npt.NDArray[np.intp], steps: int
) -> Floats:
    """The mean of ∂f/∂x (rows, D) along the straight way from `start` to x."""
    nodes, weights = np.polynomial.legendre.leggauss(STEPS)
    pieces = steps // STEPS
    along = ((nodes + 1) / 2 + np.arange(pieces)[:, None]).ravel() / pieces
    weights = np.tile(weights / 2, pieces) / pieces
    mean = np.zeros((len(rows), x.shape[1]))
    together = max(1, rows_at_once(x.shape[1]) // steps)
    for first in range(0, len(rows), together):
        some = rows[first : first + together]
        way = (x[some] - start[some])[:, None, :]
        points = start[some][:, None, :] + along.astype(x.dtype)[:, None] * way
        slopes = _gradients(f, points.reshape(-1, x.shape[1]), np.repeat(some, steps))
        mean[first : first + together] = np.einsum(
            "s,rsd->rd", weights, slopes.reshape(len(some), steps, -1)
        )
    return mean


def _gradients(f: Answer, x: Array, rows: npt.NDArray[np.intp]) -> Floats:
    """∂f/∂x (N, D) for each row: the gradient of the sum, since no row depends on another."""

    def total(z: Value) -> Value:
        return functions.sum(_column(f(z, rows), len(rows)))

    with inference_mode():
        _value, slopes = value_and_grad(total)(x)
    return np.asarray(slopes, np.float64)


def _column(out: Value, rows: int) -> Value:
    """The answer as (N,)."""
    if out.shape == (rows, 1):
        return functions.reshape(out, (rows,))
    if out.shape != (rows,):
        raise ShapeError(
            _(
                "Explained is one number for each row: f gave shape {shape} for {rows} rows. Choose an"
                " output, such as f = lambda x: net(x)[:, 0].",
                shape=out.shape,
                rows=rows,
            )
        )
    return out


def rows_at_once(width: int) -> int:
    """How many rows of this width are taken at once."""
    return max(1, min(AT_ONCE, NUMBERS // max(width, 1)))


def _parts(x: Array) -> list[npt.NDArray[np.intp]]:
    """The indices of the rows, some at a time."""
    some = rows_at_once(x.shape[1])
    return [np.arange(start, min(start + some, len(x))) for start in range(0, len(x), some)]
