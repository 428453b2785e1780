"""BatchNorm and LayerNorm: numbers are normalised to mean 0 and variance 1, then scaled and shifted."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from chainrule.errors import ShapeError
from chainrule.graph import functions
from chainrule.graph.mode import is_training
from chainrule.lang.messages import _, says
from chainrule.layers.base import Array, Layer
from chainrule.nodes.base import Value
from chainrule.settings import below_one, positive, whole

__all__ = ["BatchNorm", "LayerNorm"]


class _Norm(Layer):
    """The base of both: a gain γ, a shift β and ε."""

    hyperparameters: ClassVar = {"eps": positive}
    gamma: Array
    beta: Array

    def __init__(self, gamma: npt.ArrayLike, beta: npt.ArrayLike, eps: float) -> None:
        super().__init__(gamma=gamma, beta=beta)
        shapes = [p.shape for p in self._parameters.values()]
        if shapes[0] != shapes[1] or len(shapes[0]) != 1:
            raise ShapeError(
                _(
                    "{layer}: gamma and beta must both have shape (features,); got {gamma} and {beta}.",
                    layer=type(self).__name__,
                    gamma=shapes[0],
                    beta=shapes[1],
                )
            )
        self.eps = eps

    @classmethod
    def sized(cls, features: int, *, dtype: npt.DTypeLike = np.float32, **settings: float) -> Self:
        """A layer for rows of `features` numbers, with gain 1 and shift 0."""
        n = whole(features, "features")
        return cls(np.ones(n, dtype), np.zeros(n, dtype), **settings)

    def _widths(self, inputs: int | None) -> tuple[int | None, int | None]:
        (features,) = self._parameters["gamma"].shape
        return features, features

    def _check_shape(self, x: Value) -> None:
        features = self._parameters["gamma"].shape[0]
        if x.ndim < 2 or x.shape[-1] != features:
            raise ShapeError(
                _(
                    "{layer} is made for rows of {features} features, the last axis of at least two; got x"
                    " of shape {shape}.",
                    layer=type(self).__name__,
                    features=features,
                    shape=x.shape,
                )
            )


class BatchNorm(_Norm):
    """y = γ (x - μ) / √(σ² + ε) + β, μ and σ² per feature over the batch: x (..., D), γ, β (D,).

    In training μ and σ² are those of the batch, and the buffers `running_mean`, `running_var`
    follow them: r ← momentum · r + (1 - momentum) · batch. In inference the buffers replace them,
    so a row's output does not depend on the other rows. `forward` by itself is training;
    `with cr.inference_mode():` makes it inference. A training batch of one row has no variance and
    is an error. Source: Ioffe and Szegedy, "Batch normalization", 2015.
    """

    hyperparameters: ClassVar = {"eps": positive, "momentum": below_one}
    running_mean: Array
    running_var: Array

    def __init__(
        self, gamma: npt.ArrayLike, beta: npt.ArrayLike, *, momentum: float = 0.9, eps: float = 1e-5
    ) -> None:
        super().__init__(gamma, beta, eps)
        self.momentum = momentum
        g = self._parameters["gamma"].data
        self._buffers = {"running_mean": np.zeros_like(g), "running_var": np.ones_like(g)}

    @says("y = γ (x - μ) / √(σ² + ε) + β.")
    def formula(self, x: Value, gamma: Value, beta: Value) -> Value:
        self._check_shape(x)
        if is_training():
            rows = tuple(range(x.ndim - 1))
            count = x.size // x.shape[-1]
            if count < 2:
                raise ShapeError(
                    _(
                        "BatchNorm needs at least 2 rows in a training batch to have a variance; got"
                        " {count}. Use a larger batch, or a batch size that leaves no single last row.",
                        count=count,
                    )
                )
            mean, var = functions.mean(x, rows), functions.var(x, rows)
            m = self.momentum
            for name, value, scale in (
                ("running_mean", mean, 1.0),
                ("running_var", var, count / (count - 1)),
            ):
                self.write_buffer(name, m * self.buffer(name) + ((1 - m) * scale) * value)
        else:
            mean, var = self.buffer("running_mean"), self.buffer("running_var")
        return (x - mean) * (gamma * (var + self.eps) ** -0.5) + beta


class LayerNorm(_Norm):
    """y = γ (x - μ) / √(σ² + ε) + β, μ and σ² of each row: x (..., D), γ, β (D,).

    Source: Ba, Kiros and Hinton, "Layer normalization", 2016.

    >>> import chainrule as cr, numpy as np
    >>> cr.LayerNorm.sized(3).forward(np.array([[1.0, 2.0, 3.0]])).round(4)
    array([[-1.2247,  0.    ,  1.2247]], dtype=float32)
    """

    def __init__(self, gamma: npt.ArrayLike, beta: npt.ArrayLike, *, eps: float = 1e-5) -> None:
        super().__init__(gamma, beta, eps)

    @says("y = γ (x - μ) / √(σ² + ε) + β.")
    def formula(self, x: Value, gamma: Value, beta: Value) -> Value:
        self._check_shape(x)
        mean = functions.mean(x, -1, keepdims=True)
        var = functions.var(x, -1, keepdims=True)
        return (x - mean) * (var + self.eps) ** -0.5 * gamma + beta
