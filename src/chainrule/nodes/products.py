"""MatMul: the matrix product."""

from __future__ import annotations

import numpy as np

from chainrule.errors import ShapeError
from chainrule.lang.messages import _
from chainrule.nodes.base import Node, Value

__all__ = ["MatMul"]


class MatMul(Node):
    """The matrix product: (N, D) times (D, H) is (N, H) (chapter, figures 1-23 to 1-26).

    Arrays of more than two dimensions are stacks of matrices in their last two axes; the
    axes before must be the same in both.
    """

    symbol = "MatMul"
    formula = "y = x @ W"
    why = _("∂yⱼ/∂xᵢ = Wᵢⱼ, as the shapes demand")
    gradients = {"x": "dy @ Wᵀ", "W": "xᵀ @ dy"}

    def forward(self, x: Value, W: Value) -> Value:
        if x.ndim < 2 or W.ndim < 2 or x.shape[:-2] != W.shape[:-2]:
            raise ShapeError(
                _(
                    "MatMul takes matrices, or stacks of matrices with the same axes in front; got shapes"
                    " {x} and {W}. cr.matmul (or @) also takes vectors and repeats stacks.",
                    x=x.shape,
                    W=W.shape,
                )
            )
        return x @ W

    def backward(self, dy: Value) -> tuple[Value, Value]:
        x, W = self.inputs
        dx = dy @ np.swapaxes(W, -1, -2) if self.asks(0) else None
        return dx, np.swapaxes(x, -1, -2) @ dy if self.asks(1) else None
