"""Trouble in a training, named where it starts: dead units, saturation, gradients that vanish, divergence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.playground.data import Array

__all__ = ["Column", "Trouble", "troubles"]

#: A unit is saturated where its slope is below this part of the steepest, for nearly all rows.
FLAT, NEARLY_ALL = 0.02, 0.98
#: Gradients vanish where those of the first weights are so much smaller than those of the last.
VANISHED = 1e-3
#: A loss diverges that is so many times its best, above where it began, and has grown by this of late.
DIVERGED, GROWN = 3.0, 1.1
#: So many epochs are of late.
LATELY = 10


@dataclass(frozen=True)
class Column:
    """A column of hidden units at work: its activation, outputs (N, U), and weights' gradient (·, U)."""

    activation: str
    outputs: Array
    gradient: Array | None


@dataclass(frozen=True)
class Trouble:
    """What is wrong, and where: `column` counts from 1, the first hidden one; `units` in it, if some."""

    kind: str
    column: int | None = None
    units: tuple[int, ...] = ()
    #: The number that says so: a ratio of gradients, a part of the rows, a loss.
    value: float | None = None
    #: The best loss so far, of one that diverges.
    best: float | None = None


def troubles(columns: Sequence[Column], losses: Sequence[float]) -> list[Trouble]:
    """What is wrong with a network that learns, the worst first.

    `columns` are the hidden ones and then the output's; `losses` those on the training rows, one an
    epoch.

    * "dead": a ReLU unit that gives 0 for every row, so that nothing below it learns through it.
    * "saturated": a sigmoid or tanh unit that is flat for nearly every row.
    * "vanishing": the first weights' gradients are tiny beside the last ones'.
    * "diverging": the loss grows far beyond its best.

    >>> import numpy as np
    >>> dead = Column("relu", np.zeros((5, 2)), None)
    >>> [(t.kind, t.column, t.units) for t in troubles([dead], [1.0])]
    [('dead', 1, (0, 1))]
    """
    found = _diverging(losses) + _vanishing(columns, losses)
    for k, column in enumerate(columns[:-1] or columns, 1):
        units, kind = _stuck(column)
        if units:
            part = len(units) / column.outputs.shape[1]
            found.append(Trouble(kind, k, units, part))
    return found


def _stuck(column: Column) -> tuple[tuple[int, ...], str]:
    """The units of a column through which next to no gradient comes."""
    y = column.outputs
    if not len(y):
        return (), ""
    if column.activation == "relu":
        return _where(np.all(y <= 0, axis=0)), "dead"
    slopes = {"tanh": 1 - y * y, "sigmoid": 4 * y * (1 - y)}
    if column.activation not in slopes:
        return (), ""
    flat = np.mean(slopes[column.activation] < FLAT, axis=0)
    return _where(flat >= NEARLY_ALL), "saturated"


def _where(which: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.flatnonzero(which))


def _vanishing(columns: Sequence[Column], losses: Sequence[float]) -> list[Trouble]:
    """Vanishing from the first column on whose gradient is tiny beside the last one's."""
    sizes = [
        math.sqrt(float(np.mean(np.square(c.gradient)))) if c.gradient is not None else math.nan
        for c in columns
    ]
    if len(sizes) < 2 or not math.isfinite(sizes[-1]) or sizes[-1] < 1e-7:
        return []  # all is learnt: gradients may be small
    small = [k for k, size in enumerate(sizes[:-1], 1) if size < VANISHED * sizes[-1]]
    return (
        [Trouble("vanishing", small[-1], value=sizes[small[-1] - 1] / sizes[-1])] if small else []
    )


def _diverging(losses: Sequence[float]) -> list[Trouble]:
    """Diverging, where the latest loss is far above the best one and above the first."""
    if len(losses) < 2:
        return []
    best, now = min(losses), losses[-1]
    grows = now > GROWN * min(losses[-LATELY:])
    if grows and now > max(DIVERGED * best, losses[0]) and now > 1e-3:
        return [Trouble("diverging", value=now, best=best)]
    return []
