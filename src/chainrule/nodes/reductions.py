"""Sum, Mean, Prod, Var, Std, Norm, Max, Min: many numbers to few, over any axes; and Cumsum."""

from __future__ import annotations

import math

import numpy as np

from chainrule.errors import ShapeError
from chainrule.nodes.base import Node, Value

__all__ = ["Cumsum", "Max", "Mean", "Min", "Norm", "Prod", "Std", "Sum", "Var"]


class _Reduction(Node):
    """What reductions share: the axes, and how a result lines up with its input again."""

    def __init__(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> None:
        self.axis, self.keepdims = axis, keepdims

    def axes(self, x: Value) -> tuple[int, ...]:
        """The reduced axes of x, counted from 0."""
        if self.axis is None:
            return tuple(range(len(np.shape(x))))
        given = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        return tuple(axis % len(np.shape(x)) for axis in given)

    def count(self, x: Value) -> int:
        """How many numbers go into one result."""
        n: int = math.prod(np.shape(x)[axis] for axis in self.axes(x))
        if n == 0:
            raise ShapeError(
                f"{type(self).__name__} needs at least one element to reduce; got an array of shape"
                f" {x.shape} over axis={self.axis}. Leave empty batches out."
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
    """y = Σ x over the axes (chapter, figure 1-22). `Repeat` is its reverse."""

    symbol = "Σ"

    def forward(self, x: Value) -> Value:
        """y = Σ x over axis."""
        return np.sum(x, axis=self.axis, keepdims=self.keepdims)

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1 for every summand, so dx = dy repeated."""
        (x,) = self.inputs
        return self.spread(x, dy)


class Mean(_Reduction):
    """y = Σ x / n over the axes; an empty mean is an error."""

    symbol = "mean"

    def forward(self, x: Value) -> Value:
        """y = Σ x / n over axis."""
        n = self.count(x)
        return np.sum(x, axis=self.axis, keepdims=self.keepdims) / n

    def backward(self, dy: Value) -> Value:
        """∂y/∂x = 1/n for every summand, so dx = dy / n repeated."""
        (x,) = self.inputs
        return self.spread(x, dy / self.count(x))


class Prod(_Reduction):
    """y = Π x over the axes. The backward costs n² for n factors, and is right with zeros."""

    symbol = "Π"

    def forward(self, x: Value) -> Value:
        """y = Π x over axis."""
        return np.prod(x, axis=self.axis, keepdims=self.keepdims)

    def backward(self, dy: Value) -> Value:
        """∂y/∂xᵢ = Π xⱼ over j ≠ i, so dx = dy times the product of the others."""
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
    """y = Σ (x - mean)² / (n - ddof) over the axes."""

    symbol = "var"
    holomorphic = False

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
                f"{type(self).__name__} with ddof={self.ddof} needs more than {self.ddof}"
                f" elements to reduce; got {n} (shape {x.shape}, axis={self.axis})."
            )
        mean = np.sum(x, axis=self.axis, keepdims=True) / n
        return x - mean, n - self.ddof

    def forward(self, x: Value) -> Value:
        """y = Σ (x - mean)^2 / (n - ddof) over axis."""
        d, n = self.deviation(x)
        return np.sum(d * d, axis=self.axis, keepdims=self.keepdims) / n

    def backward(self, dy: Value) -> Value:
        """The mean's own share sums to 0, so dx = dy · 2 · (x - mean) / (n - ddof)."""
        (x,) = self.inputs
        d, n = self.deviation(x)
        return self.spread(x, dy * (2 / n)) * d

    def elementary(self, x: Value) -> Value:
        """The mean, the deviations, their squares, added and divided."""
        n = self.count(x)
        d = x - np.mean(x, axis=self.axis, keepdims=True)
        return np.sum(d * d, axis=self.axis, keepdims=self.keepdims) / (n - self.ddof)


class Std(Var):
    """y = √Var over the axes; the gradient of a constant's deviation is 0."""

    symbol = "std"

    def forward(self, x: Value) -> Value:
        """y = √(Σ (x - mean)^2 / (n - ddof)) over axis."""
        d, n = self.deviation(x)
        return np.sqrt(np.sum(d * d, axis=self.axis, keepdims=self.keepdims) / n)

    def backward(self, dy: Value) -> Value:
        """It is √Var, so dx = dy · (x - mean) / ((n - ddof) · y); where y = 0, 0."""
        (x,) = self.inputs
        d, n = self.deviation(x)
        y = self.out
        slope = np.where(y == 0, 0, dy / (n * np.where(y == 0, 1, y)))
        return self.spread(x, slope) * d

    def elementary(self, x: Value) -> Value:
        """√Var."""
        return np.sqrt(np.var(x, axis=self.axis, keepdims=self.keepdims, ddof=self.ddof))


class Norm(_Reduction):
    """y = √(Σ x²) over the axes, without overflow; the gradient of a zero vector is 0."""

    symbol = "‖x‖"
    holomorphic = False

    def forward(self, x: Value) -> Value:
        """y = √(Σ x^2) over axis.

        Computed as s √(Σ (x/s)²), where s, the largest |x|, keeps the squares in range.
        """
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
        """∂y/∂x = x / y, so dx = dy · x / y; where y = 0, 0."""
        (x,) = self.inputs
        y = self.out
        direction = x / self.spread(x, np.where(y == 0, 1, y))
        return self.spread(x, np.where(y == 0, 0, dy)) * direction

    def elementary(self, x: Value) -> Value:
        """√(Σ x²)."""
        return np.sqrt(np.sum(x * x, axis=self.axis, keepdims=self.keepdims))


class Max(_Reduction):
    """y = the largest x over the axes; equal largest ones share the gradient evenly."""

    symbol = "max"
    holomorphic = False

    def forward(self, x: Value) -> Value:
        """y = max x over axis."""
        return np.max(x, axis=self.axis, keepdims=self.keepdims)

    def backward(self, dy: Value) -> Value:
        """So dx = dy for the one that was chosen, else 0; each of k equal ones gets dy / k."""
        (x,) = self.inputs
        chosen = x == self.spread(x, self.out)
        k = np.sum(np.where(chosen, 1, 0 * x), axis=self.axis, keepdims=True)
        return np.where(chosen, self.spread(x, self.kept(x, dy) / k), 0)


class Min(Max):
    """y = the smallest x over the axes; equal smallest ones share the gradient evenly."""

    symbol = "min"

    def forward(self, x: Value) -> Value:
        """y = min x over axis."""
        return np.min(x, axis=self.axis, keepdims=self.keepdims)


class Cumsum(Node):
    """y = the running sum of x along an axis."""

    symbol = "Σ→"

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, x: Value) -> Value:
        """y = Σ x up to each place along axis."""
        return np.cumsum(x, axis=self.axis)

    def backward(self, dy: Value) -> Value:
        """x is part of every later sum, so dx = Σ dy from its place on."""
        back = (slice(None),) * (self.axis % dy.ndim) + (slice(None, None, -1),)
        return np.cumsum(dy[back], axis=self.axis)[back]
