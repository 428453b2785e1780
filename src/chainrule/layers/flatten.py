"""Flatten: turns each row of any shape into a vector."""

from __future__ import annotations

import math

from chainrule.errors import ShapeError
from chainrule.graph import functions
from chainrule.lang.messages import _, says
from chainrule.layers.base import Layer
from chainrule.nodes.base import Value

__all__ = ["Flatten"]


class Flatten(Layer):
    """y = x with all axes after the first joined: x (N, ...), y (N, D); images for an Affine layer.

    >>> import chainrule as cr, numpy as np
    >>> cr.Flatten().forward(np.zeros((5, 8, 8))).shape
    (5, 64)
    """

    def __init__(self) -> None:
        super().__init__()

    @says(_("y = x, one row of numbers for each."))
    def formula(self, x: Value) -> Value:
        if not x.ndim:
            raise ShapeError(_("Flatten takes rows, x of shape (N, ...); got a single number."))
        return functions.reshape(x, (x.shape[0], math.prod(x.shape[1:])))
