"""The loss along two directions through the parameters, and where training went among them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import NonFiniteError, SettingError, ShapeError, nearest, shown
from chainrule.lang.messages import _
from chainrule.layers.initial import Seed, generator
from chainrule.nodes.base import ignore_fp_errors
from chainrule.settings import positive, whole
from chainrule.training.trainer import Trainer
from chainrule.training.trajectory import Trajectory, moving_arrays

__all__ = ["LossSurface", "Numbers", "loss_surface"]

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LossSurface:
    """The loss at θ + a·d₁ + b·d₂, where θ are the parameters and d₁, d₂ the directions.

    `losses[i, j]` belongs to b[i] and a[j]. `directions` (2, P) and `center` (P,) are vectors over
    all parameters, in the order of `network.params`. `path` (n, 2) is where training went, seen
    in the plane, and `shares` the part of its squared length that each direction shows.
    """

    a: Numbers
    b: Numbers
    losses: Numbers
    center: Array
    directions: Numbers
    path: Numbers | None
    shares: tuple[float, float] | None


def loss_surface(
    network: Any,
    x: npt.ArrayLike,
    t: npt.ArrayLike,
    trajectory: Trajectory | None = None,
    *,
    directions: str | None = None,
    span: float = 1.0,
    points: int = 41,
    seed: Seed = 0,
) -> LossSurface:
    """The loss of a network on all of x, t, in a plane through its parameters; see `draw_surface`.

    The loss is that of use, not of training: Dropout lets all pass. A copy of the network is
    moved about; the network itself is not touched.
    """
    trajectory = None if trajectory is None or not trajectory.points else trajectory
    if directions is None:
        directions = "random" if trajectory is None else "principal"
    twin = copy.deepcopy(network)
    arrays = moving_arrays(twin)
    center = np.concatenate([p.ravel() for p in arrays])
    steps = None if trajectory is None else _steps(trajectory, center)
    if directions == "random":
        found, shares = _random(arrays, generator(seed)), None
    elif directions != "principal":
        raise SettingError(
            _(
                "directions={directions}: {nearest}.",
                directions=shown(directions),
                nearest=nearest(directions, ("random", "principal")),
            )
        )
    elif steps is None:
        raise SettingError(
            _(
                'directions="principal" are those of the path of training: give a trajectory, recorded'
                " with fit(..., callbacks=[cr.Trajectory()])."
            )
        )
    else:
        found, shares = _principal(steps)
    path = None if steps is None else _in_plane(steps, found)
    a, b = _sides(path, positive(span, "span"), whole(points, "points"), directions == "random")
    judge = Trainer(twin)
    losses = np.empty((len(b), len(a)))
    for i, j in np.ndindex(losses.shape):
        losses[i, j] = _loss(judge, arrays, center + a[j] * found[0] + b[i] * found[1], x, t)
    return LossSurface(a, b, losses, center, found, path, shares)


def _loss(judge: Trainer, arrays: list[Array], theta: Array, x: Any, t: Any) -> float:
    """The loss with these parameters; infinite where it is no number."""
    start = 0
    for p in arrays:
        p[...] = theta[start : start + p.size].reshape(p.shape)
        start += p.size
    try:
        with ignore_fp_errors():
            loss = judge.evaluate(x, t, metrics=())["loss"]
    except NonFiniteError:
        return np.inf
    return loss if np.isfinite(loss) else np.inf


def _random(arrays: list[Array], rng: np.random.Generator) -> Numbers:
    """Two random directions, each unit's weights as long as the unit's own (Li et al., 2018).

    A unit of W (D, H) is a column. Biases, and all else with one axis, stay where they are.
    """
    found = []
    for _direction in range(2):
        parts = []
        for p in arrays:
            d = rng.standard_normal(p.shape)
            if p.ndim < 2:
                d[...] = 0.0
            else:
                units = tuple(range(p.ndim - 1))
                own = np.linalg.norm(p.astype(float), axis=units, keepdims=True)
                d *= own / np.linalg.norm(d, axis=units, keepdims=True)
            parts.append(d.ravel())
        found.append(np.concatenate(parts))
    return np.array(found)


def _steps(trajectory: Trajectory, center: Array) -> Numbers:
    """The path's points (n, P), seen from where the network is now."""
    points = np.array(trajectory.points, dtype=float)
    if points.shape[1] != len(center):
        raise ShapeError(
            _(
                "the trajectory has points of {recorded} parameters, and the network {trained} that"
                " train. Draw the network that it was recorded of, with the same layers frozen.",
                recorded=points.shape[1],
                trained=len(center),
            )
        )
    return np.asarray(points - center)


def _principal(steps: Numbers) -> tuple[Numbers, tuple[float, float]]:
    """The two directions, of length 1, that show most of the path; and how much of it."""
    _left, sizes, lines = np.linalg.svd(steps, full_matrices=False)
    found = np.zeros((2, steps.shape[1]))
    found[: len(lines[:2])] = lines[:2]
    # The sign that the decomposition gives is arbitrary: the path comes in from the right, above.
    found *= np.where(found @ steps[0] < 0, -1.0, 1.0)[:, None]
    parts = np.zeros(2)
    parts[: len(sizes[:2])] = sizes[:2] ** 2 / max(float(np.sum(sizes**2)), np.finfo(float).tiny)
    return found, (float(parts[0]), float(parts[1]))


def _in_plane(steps: Numbers, directions: Numbers) -> Numbers:
    """The nearest points of the plane, as coordinates (n, 2)."""
    return np.asarray(np.linalg.lstsq(directions.T, steps.T, rcond=None)[0].T, float)


def _sides(path: Numbers | None, span: float, points: int, random: bool) -> tuple[Numbers, Numbers]:
    """The two axes of the grid: -span … span, or as far as the path goes and a little beyond."""
    sides = []
    for k in range(2):
        low, high = (-span, span) if path is None or random else (0.0, 0.0)
        if path is not None:
            low, high = min(low, path[:, k].min()), max(high, path[:, k].max())
            margin = 0.15 * (high - low) if not random else 0.0
            low, high = low - (margin or 0.1 * span), high + (margin or 0.1 * span)
        sides.append(np.linspace(low, high, points))
    return sides[0], sides[1]
