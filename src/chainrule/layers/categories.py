"""CategoryEmbedding: a row of weights for every category in the last columns of a table."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, ShapeError
from chainrule.graph import functions
from chainrule.lang.messages import _, says
from chainrule.layers.affine import _two_axes
from chainrule.layers.base import Array, Layer
from chainrule.layers.initial import Init, Seed, initializer
from chainrule.nodes.base import Value
from chainrule.settings import whole

__all__ = ["CategoryEmbedding"]


class CategoryEmbedding(Layer):
    """The last columns of x hold row numbers of W; each is replaced by its row.

    x (N, D) with `columns` row numbers at the end, W (V, H): y (N, D - columns + columns · H). dW sums
    over repeated numbers; a row number has no gradient. The columns share one W, each with rows of
    its own, as `datasets.Preprocessor` numbers them, so that one look-up serves all.

    >>> import chainrule as cr, numpy as np
    >>> layer = cr.CategoryEmbedding(np.array([[1.0, 2.0], [3.0, 4.0]]), columns=1)
    >>> layer.forward(np.array([[0.5, 1.0], [0.7, 0.0]]))
    array([[0.5, 3. , 4. ],
           [0.7, 1. , 2. ]])
    """

    hyperparameters: ClassVar = {"columns": whole}
    W: Array

    def __init__(self, W: npt.ArrayLike, columns: int) -> None:
        super().__init__(W=W)
        _two_axes(self, "W")
        self.columns = columns

    @classmethod
    def sized(
        cls,
        categories: int,
        outputs: int = 8,
        *,
        columns: int,
        init: Init = "normal",
        dtype: npt.DTypeLike = np.float32,
        seed: Seed = None,
    ) -> Self:
        """A layer for `categories` categories in all of its columns, each a row of length `outputs`."""
        W = np.zeros((whole(categories, "categories"), whole(outputs, "outputs")), dtype)
        return cls(W, columns)._init_later({"W": initializer(init)}, seed)

    def _check_input(self, x: Array) -> None:
        """Raise for a number in the last columns that names no row of W."""
        rows = self._parameters["W"].shape[0]
        ids = x[:, -self.columns :] if x.ndim == 2 else x
        wrong = ~((ids > -1) & (ids < rows))  # NaN is wrong, too
        if wrong.any():
            row, column = np.argwhere(wrong)[0].tolist()
            raise DataError(
                _(
                    "CategoryEmbedding: the last {columns} columns of x are row numbers of W, from 0 to"
                    " {last}; got {got} in row {row}.",
                    columns=self.columns,
                    last=rows - 1,
                    got=ids[row, column],
                    row=row,
                )
            )

    def forward(self, x: Value, *more: Value) -> Value:
        """x with the rows of W in place of the last columns."""
        self._check_rows(x)
        return super().forward(x, *more)

    @says(_("y = x with the rows of W in place of the last columns."))
    def formula(self, x: Value, W: Value) -> Value:
        rest = x.shape[1] - self.columns if x.ndim == 2 else -1
        if rest < 0:
            raise ShapeError(
                _(
                    "CategoryEmbedding takes x (N, D) with at least {columns} columns; got x of shape"
                    " {shape}.",
                    columns=self.columns,
                    shape=x.shape,
                )
            )
        ids = x[:, rest:].astype(np.int64)
        rows = functions.reshape(W[ids], (-1, self.columns * W.shape[1]))
        return functions.concatenate([x[:, :rest], rows], axis=1) if rest else rows
