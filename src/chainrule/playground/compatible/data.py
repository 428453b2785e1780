"""TensorFlow Playground's data: points in the plane, drawn number by number in the page's order.

Coordinates and labels are the page's to the last bit only if every draw happens, in this order,
and every product is taken in this order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.playground.compatible.random import SeedRandom

__all__ = ["FEATURES", "GENERATORS", "SIZES", "columns", "points"]

Array = npt.NDArray[Any]
#: x, y and the label.
Point: TypeAlias = tuple[float, float, float]

CLASSIFICATION, REGRESSION = 500, 1200
#: Half the side of the square that the points of xor and circle, and of the regressions, lie in.
_NEAR, _FAR = 5.0, 6.0
#: Where reg-gauss has its hills and hollows: x, y, sign.
_CENTRES = ((-4, 2.5, 1), (0, 2.5, -1), (4, 2.5, 1), (-4, -2.5, -1), (0, -2.5, 1), (4, -2.5, -1))


def _between(a: float, b: float, part: float) -> float:
    """From a to b; in this form the rounding is the page's."""
    return a * (1 - part) + b * part


def _shifts(random: SeedRandom, size: float, noise: float) -> tuple[float, float]:
    """What noise adds to x and y where a label is decided; the point itself does not move."""
    return random.uniform(-size, size) * noise, random.uniform(-size, size) * noise


def _circle(random: SeedRandom, noise: float) -> list[Point]:
    """A disc of radius 2.5 (+1), and a ring from 3.5 to 5 around it (-1)."""
    found = []
    for low, high in ((0.0, _NEAR * 0.5), (_NEAR * 0.7, _NEAR)):
        for _ in range(CLASSIFICATION // 2):
            radius, angle = random.uniform(low, high), random.uniform(0, 2 * math.pi)
            x, y = radius * math.sin(angle), radius * math.cos(angle)
            dx, dy = _shifts(random, _NEAR, noise)
            inside = math.sqrt((x + dx) * (x + dx) + (y + dy) * (y + dy)) < _NEAR * 0.5
            found.append((x, y, 1.0 if inside else -1.0))
    return found


def _xor(random: SeedRandom, noise: float) -> list[Point]:
    """Four squares, +1 where x and y have one sign, with a gap of 0.6 between them."""
    found = []
    for _ in range(CLASSIFICATION):
        x, y = (_apart(random.uniform(-_NEAR, _NEAR)) for _ in range(2))
        dx, dy = _shifts(random, _NEAR, noise)
        found.append((x, y, 1.0 if (x + dx) * (y + dy) >= 0 else -1.0))
    return found


def _apart(x: float) -> float:
    return x + (0.3 if x > 0 else -0.3)


def _gauss(random: SeedRandom, noise: float) -> list[Point]:
    """Two clouds, around (2, 2) (+1) and (-2, -2) (-1), of variance 0.5 + 7 noise."""
    spread = math.sqrt(_between(0.5, 4, noise / 0.5))
    return [
        (centre + spread * _normal(random), centre + spread * _normal(random), label)
        for centre, label in ((2.0, 1.0), (-2.0, -1.0))
        for _ in range(CLASSIFICATION // 2)
    ]


def _normal(random: SeedRandom) -> float:
    """Marsaglia's polar method, its second number thrown away."""
    while True:
        a, b = 2 * random.random() - 1, 2 * random.random() - 1
        s = a * a + b * b
        if s <= 1:
            return math.sqrt(-2 * math.log(s) / s) * a


def _spiral(random: SeedRandom, noise: float) -> list[Point]:
    """Two arms, half a turn apart."""
    found, n = [], CLASSIFICATION // 2
    for turned, label in ((0.0, 1.0), (math.pi, -1.0)):
        for i in range(n):
            radius, angle = i / n * 5, 1.75 * i / n * 2 * math.pi + turned
            x = radius * math.sin(angle) + random.uniform(-1, 1) * noise
            y = radius * math.cos(angle) + random.uniform(-1, 1) * noise
            found.append((x, y, label))
    return found


def _plane(x: float, y: float) -> float:
    """(x + y) / 10."""
    return _between(-1, 1, (x + y + 10) / 20)


def _hills(x: float, y: float) -> float:
    """Of the six hills and hollows, each a cone of radius 2, the one that stands out most here."""
    height = 0.0
    for cx, cy, sign in _CENTRES:
        distance = math.sqrt((x - cx) * (x - cx) + (y - cy) * (y - cy))
        here = sign * (1 - max(0.0, min(1.0, distance / 2)))
        if abs(here) > abs(height):
            height = here
    return height


def _surface(height: Callable[[float, float], float]) -> Callable[[SeedRandom, float], list[Point]]:
    def draw(random: SeedRandom, noise: float) -> list[Point]:
        found = []
        for _ in range(REGRESSION):
            x, y = random.uniform(-_FAR, _FAR), random.uniform(-_FAR, _FAR)
            dx, dy = _shifts(random, _FAR, noise)
            found.append((x, y, height(x + dx, y + dy)))
        return found

    return draw


#: How many points each data set has.
SIZES = {
    **dict.fromkeys(("circle", "xor", "gauss", "spiral"), CLASSIFICATION),
    **dict.fromkeys(("reg-plane", "reg-gauss"), REGRESSION),
}
#: The data sets by the page's keys; each takes the random numbers and the noise, from 0 to 0.5.
GENERATORS: dict[str, Callable[[SeedRandom, float], list[Point]]] = {
    "circle": _circle,
    "xor": _xor,
    "gauss": _gauss,
    "spiral": _spiral,
    "reg-plane": _surface(_plane),
    "reg-gauss": _surface(_hills),
}


def points(random: SeedRandom, key: str, noise: float) -> Array:
    """The points of a data set, shuffled: (500, 3) or, for regression, (1200, 3); x, y, label.

    >>> points(SeedRandom("0.40401"), "circle", noise=0)[0].tolist()
    [0.8750083152746584, 3.967851392074685, -1.0]
    """
    found = GENERATORS[key](random, noise)
    for last in range(len(found) - 1, -1, -1):
        other = math.floor(random.random() * (last + 1))
        found[last], found[other] = found[other], found[last]
    return np.array(found)


#: What the network can be given of a point, in the order it is given.
FEATURES: dict[str, Callable[[Array, Array], Array]] = {
    "x": lambda x, y: x,
    "y": lambda x, y: y,
    "xSquared": lambda x, y: x * x,
    "ySquared": lambda x, y: y * y,
    "xTimesY": lambda x, y: x * y,
    "sinX": lambda x, y: np.sin(x),
    "sinY": lambda x, y: np.sin(y),
}


def columns(plane: npt.ArrayLike, features: Sequence[str]) -> Array:
    """The network's inputs (N, features) for points (N, 2) of the plane.

    >>> columns([[2.0, 3.0]], ["x", "xTimesY"])
    array([[2., 6.]])
    """
    x, y = np.asarray(plane, float).T
    return np.stack([FEATURES[key](x, y) for key in features], axis=1)
