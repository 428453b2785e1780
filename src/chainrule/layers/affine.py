"""MatMul and Affine: the layers with weights."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError, ShapeError
from chainrule.lang.messages import _, says
from chainrule.layers.base import Array, Layer
from chainrule.layers.initial import Init, Seed, initializer, unfilled
from chainrule.nodes.base import Value
from chainrule.settings import whole

__all__ = ["Affine", "MatMul"]


class MatMul(Layer):
    """y = x W (chapter, figures 1-23 to 1-26): x (..., D), W (D, H), y (..., H).

    dx = dy Wᵀ, dW = xᵀ dy.

    >>> import chainrule as cr, numpy as np
    >>> cr.MatMul(np.array([[1.0], [2.0]])).forward(np.array([[3.0, 4.0]]))
    array([[11.]])
    """

    W: Array

    def __init__(self, W: npt.ArrayLike) -> None:
        _refuse_sizes("MatMul", W)
        super().__init__(W=W)
        _two_axes(self, "W")

    @classmethod
    def sized(
        cls,
        inputs: int,
        outputs: int,
        *,
        init: Init = "xavier",
        dtype: npt.DTypeLike = np.float32,
        seed: Seed = None,
    ) -> Self:
        """A layer whose first weights are drawn by `init`, from `seed` or the network's seed."""
        W = unfilled("W", (whole(inputs, "inputs"), whole(outputs, "outputs")), dtype)
        return cls(W)._init_later({"W": initializer(init)}, seed)

    @says("y = x W.")
    def formula(self, x: Value, W: Value) -> Value:
        return _product(self, x, W)

    def _widths(self, inputs: int | None) -> tuple[int | None, int | None]:
        inputs, outputs = self._parameters["W"].shape
        return inputs, outputs


class Affine(Layer):
    """y = x W + b (chapter, figure 1-29): x (..., D), W (D, H), b (H,), y (..., H).

    Made of a MatMul node, a Repeat node for b, and an Add node: dx = dy Wᵀ, dW = xᵀ dy, db = Σ dy
    over the rows.

    >>> import chainrule as cr, numpy as np
    >>> layer = cr.Affine(np.array([[1.0], [2.0]]), np.array([0.5]))
    >>> layer.forward(np.array([[3.0, 4.0]]))
    array([[11.5]])
    >>> layer.backward(np.array([[1.0]])), layer.grads[0].ravel(), layer.grads[1]
    (array([[1., 2.]]), array([3., 4.]), array([1.]))
    """

    W: Array
    b: Array

    def __init__(self, W: npt.ArrayLike, b: npt.ArrayLike) -> None:
        _refuse_sizes(type(self).__name__, W, b)
        super().__init__(W=W, b=b)
        _two_axes(self, "W")
        W_, b_ = (p.data for p in self._parameters.values())
        if b_.shape not in ((W_.shape[1],), (1, W_.shape[1])):
            raise ShapeError(
                _(
                    "{layer}: W has shape {W} and so gives {outputs} outputs; b must have shape ({outputs},),"
                    " and has {b}.",
                    layer=type(self).__name__,
                    W=W_.shape,
                    b=b_.shape,
                    outputs=W_.shape[1],
                )
            )
        self._parameters["b"].decays = False

    @classmethod
    def sized(
        cls,
        inputs: int,
        outputs: int,
        *,
        init: Init = "xavier",
        dtype: npt.DTypeLike = np.float32,
        seed: Seed = None,
    ) -> Self:
        """A layer whose first weights are drawn by `init`, from `seed` or the network's seed; b = 0.

        `init`: "xavier", "he", "book" (0.01 · normal), "uniform", "orthogonal", "zeros", or
        a function of (Generator, shape).

        >>> import chainrule as cr
        >>> cr.Affine.sized(2, 10, init="he", seed=0).W.shape
        (2, 10)
        """
        n, m = whole(inputs, "inputs"), whole(outputs, "outputs")
        W, b = unfilled("W", (n, m), dtype), np.zeros(m, dtype)
        return cls(W, b)._init_later({"W": initializer(init)}, seed)

    @says("y = x W + b.")
    def formula(self, x: Value, W: Value, b: Value) -> Value:
        return _product(self, x, W) + b

    def _widths(self, inputs: int | None) -> tuple[int | None, int | None]:
        inputs, outputs = self._parameters["W"].shape
        return inputs, outputs


def _refuse_sizes(name: str, *arrays: npt.ArrayLike) -> None:
    if all(isinstance(n, int | np.integer) for n in arrays):
        sizes = ", ".join(map(str, arrays))
        raise SettingError(
            _(
                "{layer}({given}) takes arrays, as in the chapter. For a layer of a size, with first weights"
                " drawn from the seed, write {layer}.sized({sizes}).",
                layer=name,
                given=sizes,
                sizes=sizes if len(arrays) > 1 else "inputs, outputs",
            )
        )


def _two_axes(layer: Layer, name: str) -> None:
    shape = layer._parameters[name].shape
    if len(shape) != 2:
        raise ShapeError(
            _(
                "{layer}: {name} must have two axes, (inputs, outputs); got shape {shape}.",
                layer=type(layer).__name__,
                name=name,
                shape=shape,
            )
        )


def _product(layer: Layer, x: Value, W: Value) -> Value:
    if x.ndim < 1 or x.shape[-1] != W.shape[0]:
        raise ShapeError(
            _(
                "{layer} takes {inputs} inputs a row (W is {inputs}×{outputs}); got x of shape {shape}. Make"
                " the last axis of x {inputs} long, or the layer {given} inputs wide.",
                layer=type(layer).__name__,
                inputs=W.shape[0],
                outputs=W.shape[1],
                shape=x.shape,
                given=x.shape[-1] if x.ndim else 1,
            )
        )
    return x @ W
