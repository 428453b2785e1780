"""MatMul: the matrix product."""

from __future__ import annotations

import numpy as np

from chainrule.errors import ShapeError
from chainrule.nodes.base import Node, Value

__all__ = ["MatMul"]


class MatMul(Node):
    """y = x W: (N, D) times (D, H) is (N, H) (chapter, figures 1-23 to 1-26).

    Arrays of more than two dimensions are stacks of matrices in their last two axes; the
    axes before must be the same in both.
    """

    symbol = "MatMul"

    def forward(self, x: Value, W: Value) -> Value:
        """y = x @ W."""
        if x.ndim < 2 or W.ndim < 2 or x.shape[:-2] != W.shape[:-2]:
            raise ShapeError(
                "MatMul takes matrices, or stacks of matrices with the same axes in front; got shapes"
                f" {x.shape} and {W.shape}. cr.matmul (or @) also takes vectors and repeats"
                " stacks."
            )
        return x @ W

    def backward(self, dy: Value) -> tuple[Value, Value]:
        """∂yⱼ/∂xᵢ = Wᵢⱼ, so dx = dy @ Wᵀ and dW = xᵀ @ dy: as the shapes demand."""
        x, W = self.inputs
        dx = dy @ np.swapaxes(W, -1, -2) if self.asks(0) else None
        return dx, np.swapaxes(x, -1, -2) @ dy if self.asks(1) else None
