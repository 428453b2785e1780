"""Scale: a factor for every input, learnt."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt

from chainrule.errors import ShapeError
from chainrule.lang.messages import _, says
from chainrule.layers.base import Array, Layer
from chainrule.nodes.base import Value
from chainrule.settings import whole

__all__ = ["Scale"]


class Scale(Layer):
    """y = x · a, a factor for every input: x (..., D), a (D,), y (..., D). dx = dy · a, da = Σ x · dy.

    In front of a network for tables it is a soft selection of features: with a large `lr_factor`
    the factors of useless columns become small early (Holzmüller et al., "Better by default", 2024).

    >>> import chainrule as cr, numpy as np
    >>> layer = cr.Scale.sized(2)
    >>> layer.a = [2.0, 3.0]
    >>> layer.forward(np.array([[1.0, 1.0]], np.float32))
    array([[2., 3.]], dtype=float32)
    """

    a: Array

    def __init__(self, a: npt.ArrayLike) -> None:
        super().__init__(a=a)
        if self._parameters["a"].ndim != 1:
            raise ShapeError(
                _(
                    "Scale: a must have one axis, a factor for each input; got shape {shape}.",
                    shape=self._parameters["a"].shape,
                )
            )
        self._parameters["a"].decays = True

    @classmethod
    def sized(cls, inputs: int, *, dtype: npt.DTypeLike = np.float32) -> Self:
        """A layer whose first factors are 1."""
        return cls(np.ones(whole(inputs, "inputs"), dtype))

    @says("y = x · a.")
    def formula(self, x: Value, a: Value) -> Value:
        if not x.ndim or x.shape[-1] != a.shape[0]:
            raise ShapeError(
                _(
                    "Scale has {inputs} factors, one for each input; got x of shape {shape}.",
                    inputs=a.shape[0],
                    shape=x.shape,
                )
            )
        return x * a

    def _widths(self, inputs: int | None) -> tuple[int | None, int | None]:
        return self._parameters["a"].shape[0], self._parameters["a"].shape[0]
