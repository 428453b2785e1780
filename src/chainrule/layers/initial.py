"""The first weights of a sized layer, and random generators from seeds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError, nearest, shown
from chainrule.lang.messages import _
from chainrule.memory import memory_limit

__all__ = ["NAMED", "Init", "Seed", "generator", "initializer", "unfilled"]

Array = npt.NDArray[Any]
Fill: TypeAlias = Callable[[np.random.Generator, tuple[int, ...]], npt.ArrayLike]
#: A name, or a function of a Generator and a shape.
Init: TypeAlias = str | Fill
Seed: TypeAlias = int | np.random.Generator | None


#: Smaller arrays than so many bytes are made without asking how much memory there is.
LARGE = 1 << 28


def unfilled(name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """The array of a sized layer's parameter, to be filled later.

    Raises:
        SettingError: it would take more memory than there is.
    """
    needed = math.prod(shape) * np.dtype(dtype).itemsize
    if needed > LARGE and needed > (memory := memory_limit()):
        raise SettingError(
            _(
                "{name} of shape {shape} takes {needed:,.1f} GiB; {memory:,.1f} GiB may be used. Give smaller"
                " sizes.",
                name=name,
                shape=shape,
                needed=needed / 2**30,
                memory=memory / 2**30,
            )
        )
    return np.zeros(shape, dtype)


def _xavier(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape) * math.sqrt(2 / (shape[0] + shape[-1]))


def _he(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape) * math.sqrt(2 / shape[0])


def _book(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return 0.01 * rng.standard_normal(shape)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    bound = 1 / math.sqrt(shape[0])
    return rng.uniform(-bound, bound, shape)


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape)


def _zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.zeros(shape)


def _orthogonal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    rows, columns = math.prod(shape[:-1]), shape[-1]
    a = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(a)
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # so that all directions are equally likely
    return (q if rows >= columns else q.T).reshape(shape)


#: The functions that draw first weights, by name.
NAMED: dict[str, Fill] = {
    "xavier": _xavier,
    "he": _he,
    "book": _book,
    "normal": _normal,
    "uniform": _uniform,
    "orthogonal": _orthogonal,
    "zeros": _zeros,
}


def initializer(init: Init) -> Fill:
    """The function that draws an (inputs, outputs) array of first weights.

    "xavier": normal, variance 2/(inputs + outputs) (Glorot and Bengio, 2010), for sigmoid and
    tanh. "he": normal, variance 2/inputs (He et al., 2015), for ReLU. "book": 0.01 · normal.
    "normal": variance 1. "uniform": between ±1/√inputs. "zeros". "orthogonal": orthonormal rows or
    columns, whichever are fewer (Saxe et al., 2014), for deep or recurrent networks. Or any
    function of a Generator and a shape.
    """
    if callable(init):
        return init
    if init not in NAMED:
        raise SettingError(
            _(
                "init={init} is not known; {nearest}, or a function of (Generator, shape).",
                init=shown(init),
                nearest=nearest(init, NAMED),
            )
        )
    return NAMED[init]


def generator(seed: Seed) -> np.random.Generator:
    """A Generator from an int, from None (seeded by the system), or the given Generator itself."""
    if isinstance(seed, np.random.Generator):
        return seed
    if seed is not None and (
        isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0
    ):
        raise SettingError(
            _(
                "seed={seed} is not usable: give a whole number from 0, a numpy.random.Generator, or None.",
                seed=shown(seed),
            )
        )
    return np.random.default_rng(seed)
