"""Losses of rows as functions, and the ids of classes as rows of 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import nodes
from chainrule.errors import ShapeError
from chainrule.graph.functions.elementwise import _of
from chainrule.graph.variable import Variable, apply
from chainrule.nodes.base import Value

__all__ = ["cross_entropy", "one_hot", "sigmoid_cross_entropy", "softmax_cross_entropy"]

cross_entropy = _of(nodes.CrossEntropy, "cross_entropy")
sigmoid_cross_entropy = _of(nodes.SigmoidCrossEntropy, "sigmoid_cross_entropy")
softmax_cross_entropy = _of(nodes.SoftmaxCrossEntropy, "softmax_cross_entropy")


def one_hot(t: Value, n: int, dtype: Any = np.float64) -> Value:
    """Ids (...,) to rows (..., n) with a 1 in the column of the id.

    >>> import chainrule as cr
    >>> cr.one_hot([0, 2], 3)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    ids = t.data if isinstance(t, Variable) else np.asarray(t)
    if ids.dtype.kind not in "iu" or (ids.size and (ids.min() < 0 or ids.max() >= n)):
        raise ShapeError(
            f"one_hot needs whole-number ids from 0 to {n - 1}; got dtype {ids.dtype}"
            + (f" with values from {ids.min()} to {ids.max()}." if ids.size else ".")
        )
    return apply(nodes.OneHot(n, dtype), t)
