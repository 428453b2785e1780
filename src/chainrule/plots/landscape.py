"""The loss along two directions through the parameters, and the path of training in that plane."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import NonFiniteError, SettingError, ShapeError, nearest, shown
from chainrule.graph.variable import Array
from chainrule.lang.messages import _
from chainrule.layers.initial import Seed, generator
from chainrule.nodes.base import ignore_fp_errors
from chainrule.settings import positive, whole
from chainrule.training.trainer import Trainer
from chainrule.training.trajectory import Trajectory, moving_arrays

__all__ = ["LossSurface", "Numbers", "loss_surface"]

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LossSurface:
    """The loss at θ + a·d₁ + b·d₂, where θ are the parameters and d₁, d₂ the directions.

    `losses[i, j]` belongs to b[i] and a[j]. `directions` (2, P) and `center` (P,) are vectors over
    all parameters, in the order of `network.params`. `path` (n, 2) is the path of training
    projected onto the plane, and `shares` the share of its squared length along each direction.
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

    The loss is computed in inference mode, without Dropout. Only a copy of the network is changed.
    """
    trajectory = None if trajectory is None or not trajectory.points else trajectory
    if directions is None:
        directions = "random" if trajectory is None else "principal"
    twin = copy.deepcopy(network)
    arrays = moving_arrays(twin)
    center = np.concatenate([p.ravel() for p in arrays])
    steps = None if trajectory is None else _steps(trajectory, center)
    if directions == "random":
        vectors, shares = _random(arrays, generator(seed)), None
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
        vectors, shares = _principal(steps)
    path = None if steps is None else _in_plane(steps, vectors)
    a, b = _sides(path, positive(span, "span"), whole(points, "points"), directions == "random")
    trainer = Trainer(twin)
    losses = np.empty((len(b), len(a)))
    for i, j in np.ndindex(losses.shape):
        losses[i, j] = _loss(trainer, arrays, center + a[j] * vectors[0] + b[i] * vectors[1], x, t)
    return LossSurface(a, b, losses, center, vectors, path, shares)


def _loss(
    trainer: Trainer, arrays: list[Array], theta: Array, x: npt.ArrayLike, t: npt.ArrayLike
) -> float:
    """The loss with the parameters `theta`; infinity where it is not finite."""
    start = 0
    for p in arrays:
        p[...] = theta[start : start + p.size].reshape(p.shape)
        start += p.size
    try:
        with ignore_fp_errors():
            loss = trainer.evaluate(x, t, metrics=())["loss"]
    except NonFiniteError:
        return np.inf
    return loss if np.isfinite(loss) else np.inf


def _random(arrays: list[Array], rng: np.random.Generator) -> Numbers:
    """Two random directions, normalised by filter (Li et al., 2018).

    The part for each unit has the norm of the unit's own weights; a unit of W (D, H) is a column.
    Biases and all other 1-D parameters do not move.
    """
    vectors = []
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
        vectors.append(np.concatenate(parts))
    return np.array(vectors)


def _steps(trajectory: Trajectory, center: Array) -> Numbers:
    """The path's points (n, P) relative to the network's present parameters."""
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
    """The first two principal directions of the path, of length 1, and their shares of it."""
    _left, sizes, lines = np.linalg.svd(steps, full_matrices=False)
    vectors = np.zeros((2, steps.shape[1]))
    vectors[: len(lines[:2])] = lines[:2]
    # The signs of the decomposition are arbitrary; here the path starts at the upper right.
    vectors *= np.where(vectors @ steps[0] < 0, -1.0, 1.0)[:, None]
    parts = np.zeros(2)
    parts[: len(sizes[:2])] = sizes[:2] ** 2 / max(float(np.sum(sizes**2)), np.finfo(float).tiny)
    return vectors, (float(parts[0]), float(parts[1]))


def _in_plane(steps: Numbers, directions: Numbers) -> Numbers:
    """The points projected onto the plane, as coordinates (n, 2)."""
    return np.asarray(np.linalg.lstsq(directions.T, steps.T, rcond=None)[0].T, float)


def _sides(path: Numbers | None, span: float, points: int, random: bool) -> tuple[Numbers, Numbers]:
    """The coordinates of the grid: -span … span, or the range of the path with a margin."""
    sides = []
    for k in range(2):
        low, high = (-span, span) if path is None or random else (0.0, 0.0)
        if path is not None:
            low, high = min(low, path[:, k].min()), max(high, path[:, k].max())
            margin = 0.15 * (high - low) if not random else 0.0
            low, high = low - (margin or 0.1 * span), high + (margin or 0.1 * span)
        sides.append(np.linspace(low, high, points))
    return sides[0], sides[1]
