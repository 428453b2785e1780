"""Branch, Repeat, Cast, Reshape, Transpose, Concatenate, Stack: the same numbers, elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import _
from chainrule.nodes.base import Node, Value

__all__ = [
    "Branch",
    "Cast",
    "Concatenate",
    "Repeat",
    "Reshape",
    "Stack",
    "StopGradient",
    "Transpose",
]


class Branch(Node):
    """One value on k arrows (chapter, figure 1-20: the copy node).

    >>> from chainrule.nodes import Branch
    >>> branch = Branch(2)
    >>> branch.forward(7.0)
    (7.0, 7.0)
    >>> branch.backward(1.0, 3.0)
    4.0
    """

    symbol = "•"
    formula = "ys = x"
    how = _("the same value on each of the k arrows")
    why = _("Each copy has slope 1, and what comes back adds up")
    gradients = {"x": "Σ dys"}

    def __init__(self, k: int = 2) -> None:
        self.k = k

    def forward(self, x: Value) -> tuple[Value, ...]:
        return (x,) * self.k

    def backward(self, *dys: Value) -> Value:
        arrived = [dy for dy in dys if dy is not None]
        dx = arrived[0]
        for dy in arrived[1:]:
            dx = dx + dy
        return dx


class StopGradient(Node):
    """The identity forwards; backwards no gradient passes, so x counts as a constant."""

    symbol = "stop"
    elementwise = True
    differentiable = False
    formula = "y = x"
    why = _("Nothing flows back")

    def forward(self, x: Value) -> Value:
        return x.real if x.dtype.kind == "c" else x  # a complex step does not pass either

    def backward(self, dy: Value) -> None:
        return


class Repeat(Node):
    """Copies of x to fill a larger shape (chapter, figure 1-21; NumPy: broadcast_to).

    An axis of length 1 is repeated, and new axes may come in front. The chapter's
    `np.repeat(x, N, axis=0)` of a (1, D) array is `Repeat((N, D))`. `Sum` is its reverse:
    each is the other's backward.
    """

    symbol = "Repeat"
    formula = _("y = x repeated to shape")
    why = _("Each copy has slope 1")
    gradients = {"x": _("Σ dy over the copies")}

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = tuple(shape)

    def forward(self, x: Value) -> Value:
        return np.broadcast_to(x, self.shape)

    def backward(self, dy: Value) -> Value:
        shape = np.shape(self.inputs[0])
        new = len(self.shape) - len(shape)
        if new:
            dy = np.sum(dy, axis=tuple(range(new)))
        copied = tuple(
            axis for axis, n in enumerate(shape) if n == 1 and self.shape[new + axis] != 1
        )
        return np.sum(dy, axis=copied, keepdims=True) if copied else dy


class Cast(Node):
    """The same numbers in another dtype; the gradient comes back in the dtype of x."""

    symbol = "cast"
    formula = _("y = x as dtype")
    how = _("a complex number stays complex, so that a complex step passes")
    why = _("∂y/∂x = 1, in the dtype of x")
    gradients = {"x": "dy"}

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)

    def forward(self, x: Value) -> Value:
        if x.dtype.kind == "c" and self.dtype.kind == "f":
            return x
        if x.dtype.kind == "c" and self.dtype.kind in "biu":
            x = x.real  # a whole number has no derivative
        return x.astype(self.dtype)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return dy if dy.dtype == x.dtype else dy.astype(x.dtype)

    def float64_copy(self) -> Node:
        """In float64 nothing is rounded to float32 in between."""
        return Cast(np.float64 if self.dtype.kind == "f" else self.dtype)


class Reshape(Node):
    """The same numbers, row by row, in another shape."""

    symbol = "reshape"
    formula = _("y = x reshaped to shape")
    why = _("Every element keeps its value")
    gradients = {"x": _("dy reshaped back")}

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = tuple(shape)

    def forward(self, x: Value) -> Value:
        return np.reshape(x, self.shape)

    def backward(self, dy: Value) -> Value:
        return np.reshape(dy, np.shape(self.inputs[0]))


class Transpose(Node):
    """The axes in another order; without `axes`, reversed."""

    symbol = "T"
    formula = _("y = x transposed")
    how = _("its axes in the new order")
    why = _("Every element keeps its value")
    gradients = {"x": _("dy transposed back")}

    def __init__(self, axes: tuple[int, ...] | None = None) -> None:
        self.axes = None if axes is None else tuple(axes)

    def forward(self, x: Value) -> Value:
        return np.transpose(x, self.axes)

    def backward(self, dy: Value) -> Value:
        if self.axes is None:
            return np.transpose(dy)
        n = len(self.axes)
        back = sorted(range(n), key=[axis % n for axis in self.axes].__getitem__)
        return np.transpose(dy, tuple(back))


class Concatenate(Node):
    """The inputs, one after the other, along an existing axis."""

    symbol = "concat"
    formula = _("y = xs joined along axis")
    why = _("Each input gets back what it gave")
    gradients = {"x": _("its own part of dy")}

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, *xs: Value) -> Value:
        return np.concatenate(xs, axis=self.axis)

    def backward(self, dy: Value) -> tuple[Value, ...]:
        axis = self.axis % dy.ndim
        parts, start = [], 0
        for x in self.inputs:
            stop = start + x.shape[axis]
            parts.append(dy[(slice(None),) * axis + (slice(start, stop),)])
            start = stop
        return tuple(parts)


class Stack(Node):
    """The inputs, side by side, along a new axis."""

    symbol = "stack"
    formula = _("y = xs side by side along axis")
    why = _("Each input gets back what it gave")
    gradients = {"x": _("its own slice of dy")}

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, *xs: Value) -> Value:
        return np.stack(xs, axis=self.axis)

    def backward(self, dy: Value) -> tuple[Value, ...]:
        axis = self.axis % dy.ndim
        return tuple(dy[(slice(None),) * axis + (i,)] for i in range(len(self.inputs)))
