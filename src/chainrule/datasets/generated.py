"""Data sets made from a formula and a seed; NumPy's global generator is not used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np
import numpy.typing as npt

from chainrule.datasets.arguments import generator, is_whole
from chainrule.errors import DataError, SettingError, shown
from chainrule.lang.messages import _

__all__ = ["blobs", "circles", "moons", "spiral", "xor"]

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


def spiral(
    seed: int = 1984, one_hot: bool = False
) -> tuple[Floats, npt.NDArray[np.int64] | npt.NDArray[np.int32]]:
    """The book's three spiral arms, number for number.

    Arm j has 100 points; point i lies at radius r = i/100 and angle
    θ = 4j + 4r + 0.2·(standard normal), so x = (r sin θ, r cos θ). The normals are drawn in
    the book's order from NumPy's legacy generator, a separate instance of it.

    Args:
        seed: a whole number from 0 to 2**32 - 1; 1984 is the book's.
        one_hot: t as one-hot rows instead of class ids.

    Returns:
        x float64 (300, 2), rows in class order, and t: int64 ids (300,), or int32
        one-hot (300, 3).

    Raises:
        SettingError: the seed is not such a number.

    >>> x, t = spiral()
    >>> x.shape, t.shape, t[::100].tolist()
    ((300, 2), (300,), [0, 1, 2])
    """
    if not is_whole(seed, 0) or not int(seed) < 2**32:
        raise SettingError(
            _(
                "spiral's seed must be a whole number from 0 to 4294967295. Got {got}.",
                got=shown(seed),
            )
        )
    random = np.random.RandomState(int(seed))
    classes, points = 3, 100
    x = np.zeros((classes * points, 2))
    ids = np.repeat(np.arange(classes, dtype=np.int64), points)
    for j in range(classes):
        for i in range(points):
            rate = i / points
            radius = 1.0 * rate
            theta = j * 4.0 + 4.0 * rate + random.randn() * 0.2
            x[points * j + i] = radius * np.sin(theta), radius * np.cos(theta)
    if not one_hot:
        return x, ids
    t = np.zeros((classes * points, classes), dtype=np.int32)
    t[np.arange(classes * points), ids] = 1
    return x, t


def moons(
    samples: int = 200, noise: float = 0.1, seed: int | np.random.Generator = 0
) -> tuple[Floats, Ids]:
    """Two half circles that reach into each other.

    Args:
        samples: points altogether, at least 2; the first half is class 0.
        noise: standard deviation of the normal noise added to every coordinate.
        seed: a whole number from 0, or a `numpy.random.Generator` to draw from.

    Returns:
        x float64 (samples, 2) and t int64 ids (samples,), in class order.

    Raises:
        SettingError: an argument out of its range.

    >>> x, t = moons(100, noise=0.0)
    >>> x.shape, t.sum().item()
    ((100, 2), 50)
    """
    upper, lower = _halves("moons", samples)
    spread = _noise("moons", noise)
    random = generator("moons", seed)
    a, b = np.linspace(0.0, np.pi, upper), np.linspace(0.0, np.pi, lower)
    x = np.concatenate(
        [
            np.column_stack([np.cos(a), np.sin(a)]),
            np.column_stack([1.0 - np.cos(b), 0.5 - np.sin(b)]),
        ]
    )
    return x + spread * random.standard_normal(x.shape), _two_classes(upper, lower)


def circles(
    samples: int = 200, noise: float = 0.05, seed: int | np.random.Generator = 0
) -> tuple[Floats, Ids]:
    """A circle of radius 1 (class 0) around a circle of radius ½ (class 1).

    Args:
        samples: points altogether, at least 2; the first half is class 0.
        noise: standard deviation of the normal noise added to every coordinate.
        seed: a whole number from 0, or a `numpy.random.Generator` to draw from.

    Returns:
        x float64 (samples, 2) and t int64 ids (samples,), in class order.

    Raises:
        SettingError: an argument out of its range.

    >>> x, t = circles(100, noise=0.0)
    >>> np.hypot(x[:, 0], x[:, 1]).round(6)[[0, 99]].tolist()
    [1.0, 0.5]
    """
    outer, inner = _halves("circles", samples)
    spread = _noise("circles", noise)
    random = generator("circles", seed)
    angle = np.concatenate([2 * np.pi * np.arange(k) / k for k in (outer, inner)])
    radius = np.repeat([1.0, 0.5], [outer, inner])
    x = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    return x + spread * random.standard_normal(x.shape), _two_classes(outer, inner)


def xor(
    samples: int = 200, noise: float = 0.05, seed: int | np.random.Generator = 0
) -> tuple[Floats, Ids]:
    """A square in four quarters; opposite quarters are of one class.

    Points are drawn evenly from the square -1 … 1. Class 1 is where exactly one of the two
    coordinates is positive. The noise moves points after their class is set.

    Args:
        samples: points altogether, at least 2; classes are about equally frequent.
        noise: standard deviation of the normal noise added to every coordinate.
        seed: a whole number from 0, or a `numpy.random.Generator` to draw from.

    Returns:
        x float64 (samples, 2) and t int64 ids (samples,), in no particular order.

    Raises:
        SettingError: an argument out of its range.

    >>> x, t = xor(100, noise=0.0)
    >>> bool(((x[:, 0] > 0) ^ (x[:, 1] > 0) == (t == 1)).all())
    True
    """
    count = sum(_halves("xor", samples))
    spread = _noise("xor", noise)
    random = generator("xor", seed)
    x = random.uniform(-1.0, 1.0, (count, 2))
    t = ((x[:, 0] > 0) != (x[:, 1] > 0)).astype(np.int64)
    return x + spread * random.standard_normal(x.shape), t


def blobs(
    samples: int = 300,
    noise: float = 1.0,
    seed: int | np.random.Generator = 0,
    classes: int | None = None,
    features: int | None = None,
    centers: npt.ArrayLike | Sequence[Sequence[float]] | None = None,
) -> tuple[Floats, Ids]:
    """Normal clouds, one a class.

    Args:
        samples: points altogether, at least one a class; as even as they go.
        noise: standard deviation of every cloud.
        seed: a whole number from 0, or a `numpy.random.Generator` to draw from.
        classes: how many clouds; 3, or as many as there are centers.
        features: how many coordinates; 2, or as many as the centers have.
        centers: the middles (classes, features); drawn evenly from -10 … 10 when left out.

    Returns:
        x float64 (samples, features) and t int64 ids (samples,), in class order.

    Raises:
        SettingError: an argument out of its range, or one that contradicts `centers`.
        DataError: centers that are not a finite matrix of numbers.

    >>> x, t = blobs(90, classes=3, features=4)
    >>> x.shape, np.bincount(t).tolist()
    ((90, 4), [30, 30, 30])
    """
    spread = _noise("blobs", noise)
    random = generator("blobs", seed)
    if centers is None:
        k = _whole("blobs", "classes", 3 if classes is None else classes, 1)
        d = _whole("blobs", "features", 2 if features is None else features, 1)
        middle = random.uniform(-10.0, 10.0, (k, d))
    else:
        middle = _centers(centers)
        k, d = middle.shape
        for name, given, has in (("classes", classes, k), ("features", features, d)):
            if given is not None and given != has:
                raise SettingError(
                    _(
                        "blobs' {name} contradicts its centers, which have {has}. Got {name}={got}. Leave"
                        " {name} out, or change the centers.",
                        name=name,
                        has=has,
                        got=shown(given),
                    )
                )
    count = _whole("blobs", "samples", samples, k)
    sizes = np.full(k, count // k)
    sizes[: count % k] += 1
    t = np.repeat(np.arange(k, dtype=np.int64), sizes)
    return middle[t] + spread * random.standard_normal((count, d)), t


def _whole(who: str, name: str, value: int, least: int) -> int:
    if not is_whole(value, least):
        raise SettingError(
            _(
                "{who}: {name} must be a whole number, {least} or more. Got {got}.",
                who=who,
                name=name,
                least=least,
                got=shown(value),
            )
        )
    return int(value)


def _halves(who: str, samples: int) -> tuple[int, int]:
    count = _whole(who, "samples", samples, 2)
    return count - count // 2, count // 2


def _noise(who: str, noise: object) -> float:
    good = isinstance(noise, Real) and not isinstance(noise, bool)
    if not good or not 0.0 <= float(noise) < math.inf:  # type: ignore[arg-type]
        raise SettingError(
            _(
                "{who}: noise is a standard deviation: a finite number, 0 or more. Got {got}.",
                who=who,
                got=shown(noise),
            )
        )
    return float(noise)  # type: ignore[arg-type]


def _centers(centers: object) -> Floats:
    try:
        middle = np.asarray(centers, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(
            _(
                "blobs' centers must be a matrix of numbers (classes, features). Got {got}.",
                got=shown(centers),
            )
        ) from None
    if middle.ndim != 2 or 0 in middle.shape or not np.isfinite(middle).all():
        raise DataError(
            _(
                "blobs' centers must be a matrix (classes, features) of finite numbers. Got shape {shape}:"
                " {got}.",
                shape=middle.shape,
                got=shown(centers),
            )
        )
    return middle


def _two_classes(first: int, second: int) -> Ids:
    return np.repeat(np.arange(2, dtype=np.int64), [first, second])
