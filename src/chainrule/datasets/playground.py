"""The data sets of TensorFlow Playground's kind: points in the plane, between about ±6."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chainrule.datasets.arguments import generator
from chainrule.datasets.wording import quoted
from chainrule.errors import SettingError, nearest, shown
from chainrule.lang.messages import _

__all__ = ["PLAYGROUND", "playground"]

Floats = npt.NDArray[np.float64]
Targets = npt.NDArray[np.int64] | Floats
if TYPE_CHECKING:  # NumPy loads its generators when they are first asked for
    Random = np.random.Generator

#: The number of points in a classification, half of each class; and in a regression.
CLASSIFICATION, REGRESSION = 500, 1200
#: Half the side of the square of the points: in a classification, in a regression.
NEAR, FAR = 5.0, 6.0
#: Where "gaussian" has its hills (1) and hollows (-1).
CENTRES = np.array([(-4, 2.5), (0, 2.5), (4, 2.5), (-4, -2.5), (0, -2.5), (4, -2.5)])
SIGNS = np.array([1, -1, 1, -1, 1, -1])


def _circle(random: Random, noise: float) -> tuple[Floats, Targets]:
    half = CLASSIFICATION // 2
    radius = np.concatenate(
        [random.uniform(0, NEAR / 2, half), random.uniform(0.7 * NEAR, NEAR, half)]
    )
    angle = random.uniform(0, 2 * math.pi, 2 * half)
    x = np.column_stack([radius * np.sin(angle), radius * np.cos(angle)])
    moved = x + noise * random.uniform(-NEAR, NEAR, x.shape)
    return x, (np.hypot(*moved.T) < NEAR / 2).astype(np.int64)


def _xor(random: Random, noise: float) -> tuple[Floats, Targets]:
    x = random.uniform(-NEAR, NEAR, (CLASSIFICATION, 2))
    x += np.where(x > 0, 0.3, -0.3)  # a gap between the quarters
    moved = x + noise * random.uniform(-NEAR, NEAR, x.shape)
    return x, (moved[:, 0] * moved[:, 1] >= 0).astype(np.int64)


def _gauss(random: Random, noise: float) -> tuple[Floats, Targets]:
    t = np.repeat(np.array([1, 0]), CLASSIFICATION // 2)
    middle = np.where(t == 1, 2.0, -2.0)[:, None]
    spread = math.sqrt(0.5 + 7 * noise)
    return middle + spread * random.standard_normal((CLASSIFICATION, 2)), t


def _spiral(random: Random, noise: float) -> tuple[Floats, Targets]:
    half = CLASSIFICATION // 2
    part = np.tile(np.arange(half) / half, 2)
    t = np.repeat(np.array([1, 0]), half)
    angle = 1.75 * part * 2 * math.pi + np.where(t == 1, 0.0, math.pi)
    x = NEAR * part[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
    return x + noise * random.uniform(-1, 1, x.shape), t


def _plane(x: Floats) -> Floats:
    height: Floats = x.sum(axis=1) / 10
    return height


def _hills(x: Floats) -> Floats:
    """Cones of radius 2; where two overlap, the one with the larger |height|."""
    distance = np.hypot(*(x[:, None, :] - CENTRES).transpose(2, 0, 1))
    height = SIGNS * np.clip(1 - distance / 2, 0, 1)
    most = np.abs(height).argmax(axis=1)
    highest: Floats = height[np.arange(len(x)), most]
    return highest


def _surface(
    height: Callable[[Floats], Floats],
) -> Callable[[Random, float], tuple[Floats, Floats]]:
    def draw(random: Random, noise: float) -> tuple[Floats, Floats]:
        x = random.uniform(-FAR, FAR, (REGRESSION, 2))
        return x, height(x + noise * random.uniform(-FAR, FAR, x.shape))

    return draw


#: The data sets by name: functions of a generator and the noise that give points and targets.
PLAYGROUND: dict[str, Callable[[Random, float], tuple[Floats, Targets]]] = {
    "circle": _circle,
    "xor": _xor,
    "gauss": _gauss,
    "spiral": _spiral,
    "plane": _surface(_plane),
    "gaussian": _surface(_hills),
}


def playground(
    name: str, noise: float = 0.0, seed: int | np.random.Generator = 0
) -> tuple[Floats, Targets]:
    """A data set of the playground: the shapes of TensorFlow Playground's, from a seed of ours.

    "circle": a disc in a ring. "xor": four quarters, opposite ones alike. "gauss": two clouds.
    "spiral": two arms. "plane": the values (x₁ + x₂)/10. "gaussian": six hills and hollows.

    Args:
        name: one of these.
        noise: from 0 to 0.5. In "gauss" and "spiral" it moves the points; in the others it leaves
            the points in place and gives them the targets of randomly moved points.
        seed: a whole number from 0, or a `numpy.random.Generator` to draw from.

    Returns:
        x float64 (500, 2) and t int64 ids (500,), 1 for the page's blue class; for "plane" and
        "gaussian" x (1200, 2) and t float64 (1200,).

    Raises:
        SettingError: an argument out of its range.

    >>> x, t = playground("circle")
    >>> x.shape, bool(((np.hypot(x[:, 0], x[:, 1]) < 2.5) == (t == 1)).all())
    ((500, 2), True)
    """
    if name not in PLAYGROUND:
        raise SettingError(
            _(
                "playground: there is no data set {name}; {nearest}.",
                name=quoted(name, 80),
                nearest=nearest(name, PLAYGROUND),
            )
        )
    good = isinstance(noise, Real) and not isinstance(noise, bool)
    if not good or not 0.0 <= float(noise) <= 0.5:
        raise SettingError(
            _("playground: noise must be a number from 0 to 0.5. Got {got}.", got=shown(noise))
        )
    return PLAYGROUND[name](generator("playground", seed), float(noise))
