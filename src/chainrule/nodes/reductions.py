"""Sum, Mean, Prod, Var, Std, Norm, Max, Min: many numbers to few, over any axes; and Cumsum."""

from __future__ import annotations

import math

import numpy as np

from chainrule.errors import ShapeError
from chainrule.lang.messages import _
from chainrule.nodes.base import Node, Value

__all__ = ["Cumsum", "Max", "Mean", "Min", "Norm", "Prod", "Std", "Sum", "Var"]


class _Reduction(Node):
    """What reductions share: the axes, and how a result is broadcast back to its input."""

    def __init__(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> None:
        self.axis, self.keepdims = axis, keepdims

    def axes(self, x: Value) -> tuple[int, ...]:
        """The reduced axes of x, counted from 0."""
        if self.axis is None:
            return tuple(range(len(np.shape(x))))
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        return tuple(axis % len(np.shape(x)) for axis in axes)

    def count(self, x: Value) -> int:
        """How many numbers go into one result."""
        n: int = math.prod(np.shape(x)[axis] for axis in self.axes(x))
        if n == 0:
            raise ShapeError(
                _(
                    "{node} needs at least one element to reduce; got an array of shape {shape} over"
                    " axis={axis}. Leave empty batches out.",
                    node=type(self).__name__,
                    shape=x.shape,
                    axis=self.axis,
                )
            )
        return n

    def kept(self, x: Value, y: Value) -> Value:
        """The result y with the reduced axes kept as length 1, so that it broadcasts to x."""
        axes = self.axes(x)
        return np.reshape(y, tuple(1 if i in axes else n for i, n in enumerate(np.shape(x))))

    def spread(self, x: Value, y: Value) -> Value:
        """The result y repeated to the shape of x."""
        return np.broadcast_to(self.kept(x, y), np.shape(x))


class Sum(_Reduction):
    """The sum over the axes (chapter, figure 1-22). `Repeat` is its reverse."""

    symbol = "Σ"
    formula = _("y = Σ x over axis")
    why = _("∂y/∂x = 1 for every summand")
    gradients = {"x": _("dy repeated")}

    def forward(self, x: Value) -> Value:
        return np.sum(x, axis=self.axis, keepdims=self.keepdims)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return self.spread(x, dy)


class Mean(_Reduction):
    """The mean over the axes; an empty mean is an error."""

    symbol = "mean"
    formula = _("y = Σ x / n over axis")
    why = _("∂y/∂x = 1/n for every summand")
    gradients = {"x": _("dy / n repeated")}

    def forward(self, x: Value) -> Value:
        n = self.count(x)
        return np.sum(x, axis=self.axis, keepdims=self.keepdims) / n

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        return self.spread(x, dy / self.count(x))


class Prod(_Reduction):
    """The product over the axes. The backward pass costs n² for n factors, and allows zeros."""

    symbol = "Π"
    formula = _("y = Π x over axis")
    why = _("∂y/∂xᵢ = Π xⱼ over j ≠ i")
    gradients = {"x": _("dy times the product of the others")}

    def forward(self, x: Value) -> Value:
        return np.prod(x, axis=self.axis, keepdims=self.keepdims)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        axes = self.axes(x)
        kept = tuple(i for i in range(x.ndim) if i not in axes)
        n = math.prod(x.shape[axis] for axis in axes)
        outside = tuple(x.shape[axis] for axis in kept)
        # The reduced axes as one last axis; then a table (i, j) with 1 in place of xᵢ.
        flat = np.reshape(np.transpose(x, kept + axes), (*outside, 1, n))
        others = np.where(np.eye(n, dtype=bool), 1, np.broadcast_to(flat, (*outside, n, n)))
        others = np.prod(others, axis=-1)
        others = np.reshape(others, outside + tuple(x.shape[axis] for axis in axes))
        order = kept + axes
        others = np.transpose(others, tuple(order.index(axis) for axis in range(x.ndim)))
        return self.spread(x, dy) * others


class Var(_Reduction):
    """The variance over the axes."""

    symbol = "var"
    holomorphic = False
    formula = _("y = Σ (x - mean)^2 / (n - ddof) over axis")
    why = _("The mean's own share sums to 0")
    gradients = {"x": "dy · 2 · (x - mean) / (n - ddof)"}

    def __init__(
        self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, ddof: int = 0
    ) -> None:
        super().__init__(axis, keepdims)
        self.ddof = ddof

    def deviation(self, x: Value) -> tuple[Value, int]:
        """x - mean, and the divisor n - ddof."""
        n = self.count(x)
        if n <= self.ddof:
            raise ShapeError(
                _(
                    "{node} with ddof={ddof} needs more than {ddof} elements to reduce; got {n} (shape"
                    " {shape}, axis={axis}).",
                    node=type(self).__name__,
                    ddof=self.ddof,
                    n=n,
                    shape=x.shape,
                    axis=self.axis,
                )
            )
        mean = np.sum(x, axis=self.axis, keepdims=True) / n
        return x - mean, n - self.ddof

    def forward(self, x: Value) -> Value:
        d, n = self.deviation(x)
        return np.sum(d * d, axis=self.axis, keepdims=self.keepdims) / n

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        d, n = self.deviation(x)
        return self.spread(x, dy * (2 / n)) * d

    def decompose(self, x: Value) -> Value:
        """The mean, the deviations, their squares, added and divided."""
        n = self.count(x)
        d = x - np.mean(x, axis=self.axis, keepdims=True)
        return np.sum(d * d, axis=self.axis, keepdims=self.keepdims) / (n - self.ddof)


class Std(Var):
    """The standard deviation over the axes; the gradient of a constant's deviation is 0."""

    symbol = "std"
    formula = _("y = √(Σ (x - mean)^2 / (n - ddof)) over axis")
    why = _("It is √Var, and taken as constant where y = 0")
    gradients = {"x": "dy · (x - mean) / ((n - ddof) · y)"}

    def forward(self, x: Value) -> Value:
        d, n = self.deviation(x)
        return np.sqrt(np.sum(d * d, axis=self.axis, keepdims=self.keepdims) / n)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        d, n = self.deviation(x)
        y = self.out
        slope = np.where(y == 0, 0, dy / (n * np.where(y == 0, 1, y)))
        return self.spread(x, slope) * d

    def decompose(self, x: Value) -> Value:
        """√Var."""
        return np.sqrt(np.var(x, axis=self.axis, keepdims=self.keepdims, ddof=self.ddof))


class Norm(_Reduction):
    """The length over the axes, without overflow; the gradient of a zero vector is 0."""

    symbol = "‖x‖"
    holomorphic = False
    formula = _("y = √(Σ x^2) over axis")
    how = _("computed as s √(Σ (x/s)²), where s, the largest |x|, keeps the squares in range")
    why = _("∂y/∂x = x / y, and 0 where y = 0")
    gradients = {"x": "dy · x / y"}

    def forward(self, x: Value) -> Value:
        s = np.max(np.abs(x), axis=self.axis, keepdims=True)
        s = np.where((s == 0) | ~np.isfinite(s), 1, s)
        r = x / s
        y = np.sqrt(np.sum(r * r, axis=self.axis, keepdims=True)) * s
        return y if self.keepdims else np.reshape(y, self.short(x))

    def short(self, x: Value) -> tuple[int, ...]:
        """The shape of a result that does not keep the reduced axes."""
        axes = self.axes(x)
        return tuple(n for i, n in enumerate(x.shape) if i not in axes)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        y = self.out
        direction = x / self.spread(x, np.where(y == 0, 1, y))
        return self.spread(x, np.where(y == 0, 0, dy)) * direction

    def decompose(self, x: Value) -> Value:
        """√(Σ x²)."""
        return np.sqrt(np.sum(x * x, axis=self.axis, keepdims=self.keepdims))


class Max(_Reduction):
    """The largest over the axes; equal largest elements share the gradient evenly."""

    symbol = "max"
    holomorphic = False
    formula = _("y = max x over axis")
    why = _("Each of k equal ones gets dy / k")
    gradients = {"x": _("dy for the one that was chosen, else 0")}

    def forward(self, x: Value) -> Value:
        return np.max(x, axis=self.axis, keepdims=self.keepdims)

    def backward(self, dy: Value) -> Value:
        (x,) = self.inputs
        chosen = x == self.spread(x, self.out)
        k = np.sum(np.where(chosen, 1, 0 * x), axis=self.axis, keepdims=True)
        return np.where(chosen, self.spread(x, self.kept(x, dy) / k), 0)


class Min(Max):
    """The smallest over the axes; equal smallest elements share the gradient evenly."""

    symbol = "min"
    formula = _("y = min x over axis")
    why, gradients = Max.why, Max.gradients

    def forward(self, x: Value) -> Value:
        return np.min(x, axis=self.axis, keepdims=self.keepdims)


class Cumsum(Node):
    """The running sum along an axis."""

    symbol = "Σ→"
    formula = _("y = Σ x up to each place along axis")
    why = _("x is part of every later sum")
    gradients = {"x": _("Σ dy from its place on")}

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, x: Value) -> Value:
        return np.cumsum(x, axis=self.axis)

    def backward(self, dy: Value) -> Value:
        back = (slice(None),) * (self.axis % dy.ndim) + (slice(None, None, -1),)
        return np.cumsum(dy[back], axis=self.axis)[back]
