"""PeriodicEmbedding: several values for every number, so that a network sees more than its size."""

from __future__ import annotations

import math
from typing import Self

import numpy as np
import numpy.typing as npt

from chainrule.errors import ShapeError
from chainrule.graph import functions
from chainrule.lang.messages import _, says
from chainrule.layers.base import Array, Layer
from chainrule.layers.initial import Seed
from chainrule.nodes.base import Value
from chainrule.settings import positive, whole

__all__ = ["PeriodicEmbedding"]


class PeriodicEmbedding(Layer):
    """(x, cos(2π x W + b) A + c) for each of the first D columns of x; the other columns as they are.

    x (N, ≥ D), W and b (D, F), A (D, F, M), c (D, M): column d becomes M + 1 values, itself and M
    mixtures of F waves with frequencies, phases and weights of its own, so y is
    (N, D · (M + 1) + the others). A network of smooth units bends slowly along each input; with
    waves as inputs it follows steps and ripples.

    The PBLD embedding (periodic, bias, linear, dense) of Holzmüller et al., "Better by default",
    2024, after Gorishniy et al., "On embeddings for numerical features", 2022.

    >>> import chainrule as cr, numpy as np
    >>> layer = cr.PeriodicEmbedding.sized(2, seed=0)
    >>> layer.forward(np.zeros((5, 3), np.float32)).shape
    (5, 9)
    """

    W: Array
    b: Array
    A: Array
    c: Array

    def __init__(
        self, W: npt.ArrayLike, b: npt.ArrayLike, A: npt.ArrayLike, c: npt.ArrayLike
    ) -> None:
        super().__init__(W=W, b=b, A=A, c=c)
        shapes = {name: p.shape for name, p in self._parameters.items()}
        d, f, m = shapes["A"] if len(shapes["A"]) == 3 else (0, 0, 0)
        if shapes != {"W": (d, f), "b": (d, f), "A": (d, f, m), "c": (d, m)}:
            raise ShapeError(
                _(
                    "PeriodicEmbedding: W and b have shape (D, F), A (D, F, M) and c (D, M), for D numbers,"
                    " F waves and M mixtures of them; got {shapes}.",
                    shapes=", ".join(f"{name} {shape}" for name, shape in shapes.items()),
                )
            )

    @classmethod
    def sized(
        cls,
        inputs: int,
        *,
        waves: int = 16,
        outputs: int = 4,
        sigma: float = 0.1,
        dtype: npt.DTypeLike = np.float32,
        seed: Seed = None,
    ) -> Self:
        """An embedding of `inputs` numbers, each with `waves` waves and `outputs` values, itself one.

        First W: normal with standard deviation `sigma`; b: uniform within ±π; A and c: uniform
        within ±1/√waves. A larger `sigma` begins with faster waves.
        """
        d, f = whole(inputs, "inputs"), whole(waves, "waves")
        m, sigma = whole(outputs - 1, "outputs - 1"), positive(sigma, "sigma")
        edge = 1 / math.sqrt(f)
        layer = cls(*(np.zeros(shape, dtype) for shape in ((d, f), (d, f), (d, f, m), (d, m))))
        return layer._init_later(
            {
                "W": lambda rng, shape: rng.normal(0.0, sigma, shape),
                "b": lambda rng, shape: rng.uniform(-math.pi, math.pi, shape),
                "A": lambda rng, shape: rng.uniform(-edge, edge, shape),
                "c": lambda rng, shape: rng.uniform(-edge, edge, shape),
            },
            seed,
        )

    @says(_("y = (x, cos(2π x W + b) A + c) for each number, then the other columns."))
    def formula(self, x: Value, W: Value, b: Value, A: Value, c: Value) -> Value:
        D = W.shape[0]
        if x.ndim != 2 or x.shape[1] < D:
            raise ShapeError(
                _(
                    "PeriodicEmbedding embeds the first {numbers} columns of x (N, D); got x of shape"
                    " {shape}.",
                    numbers=D,
                    shape=x.shape,
                )
            )
        numbers = x[:, :D, None]
        waves = functions.cos(2 * math.pi * numbers * W + b)
        mixed = functions.sum(waves[:, :, :, None] * A, axis=2) + c
        values = functions.concatenate([numbers, mixed], axis=2)
        values = functions.reshape(values, (-1, D * (1 + A.shape[2])))
        return functions.concatenate([values, x[:, D:]], axis=1) if x.shape[1] > D else values

    def _widths(self, inputs: int | None) -> tuple[int | None, int | None]:
        d, _waves, m = self._parameters["A"].shape
        return None, None if inputs is None else inputs + d * m
