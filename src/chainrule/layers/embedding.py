"""Embedding: one row of weights for every id."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt

from chainrule.errors import DTypeError, ShapeError
from chainrule.lang.messages import _, says
from chainrule.layers.affine import _two_axes
from chainrule.layers.base import Array, Layer
from chainrule.layers.initial import Init, Seed, initializer, unfilled
from chainrule.nodes.base import Value
from chainrule.settings import whole

__all__ = ["Embedding"]


class Embedding(Layer):
    """y = W[ids]: ids of any shape (...), W (V, H), y (..., H). dW sums over repeated ids.

    `backward` returns None: an id has no gradient.

    >>> import chainrule as cr, numpy as np
    >>> layer = cr.Embedding(np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> layer.forward(np.array([1, 1, 0]))
    array([[3., 4.],
           [3., 4.],
           [1., 2.]])
    """

    takes_ids = True
    W: Array

    def __init__(self, W: npt.ArrayLike) -> None:
        super().__init__(W=W)
        _two_axes(self, "W")

    @classmethod
    def sized(
        cls,
        ids: int,
        outputs: int,
        *,
        init: Init = "book",
        dtype: npt.DTypeLike = np.float32,
        seed: Seed = None,
    ) -> Self:
        """A table of `ids` rows of length `outputs`, drawn by `init`."""
        W = unfilled("W", (whole(ids, "ids"), whole(outputs, "outputs")), dtype)
        return cls(W)._init_later({"W": initializer(init)}, seed)

    def forward(self, x: Value, *more: Value) -> Value:
        """The rows for the ids."""
        self._check_rows(x)
        return super().forward(x, *more)

    def _check_input(self, x: Array) -> None:
        """Raise for ids that are not integers or have no row."""
        ids, rows = x, self._parameters["W"].shape[0]
        if ids.dtype.kind not in "iu":
            raise DTypeError(
                _(
                    "Embedding needs whole-number ids; got {dtype}. Use x.astype(int) if that is what they"
                    " are.",
                    dtype=ids.dtype,
                )
            )
        if ids.size and (ids.min() < 0 or ids.max() >= rows):
            raise ShapeError(
                _(
                    "Embedding has rows for the ids 0 to {last}; got ids from {low} to {high}. Make the"
                    " table larger, or renumber the ids.",
                    last=rows - 1,
                    low=ids.min(),
                    high=ids.max(),
                )
            )

    @says(_("y = W[ids]."))
    def formula(self, x: Value, W: Value) -> Value:
        return W[x]

    def _widths(self, inputs: int | None) -> tuple[int | None, int | None]:
        return None, self._parameters["W"].shape[1]
