"""Index, IndexAdd, OneHot: picking elements out, and adding them back in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import _
from chainrule.nodes.base import Node, Value, primitive

__all__ = ["Index", "IndexAdd", "OneHot"]

#: What stands between the brackets of x[...], one part for each comma.
Key: TypeAlias = tuple[Any, ...]


@primitive
def add_at(values: Value, key: Any, shape: tuple[int, ...]) -> Value:
    """Zeros of the shape with the values added at the key; an index named twice gets both.

    >>> import numpy as np
    >>> add_at(np.array([1.0, 10.0, 100.0]), np.array([0, 0, 1]), (3,))
    array([ 11., 100.,   0.])
    """
    values = np.asarray(values)
    out = np.zeros(shape, values.dtype)
    np.add.at(out, key, values)
    return out


def _parts(key: object) -> Key:
    """A key as a tuple; a mask becomes the indices of its True elements, so that their count is fixed."""
    parts: list[object] = []
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, list):
            part = np.asarray(part)
        if isinstance(part, np.ndarray) and part.dtype == bool and part.ndim:
            parts += part.nonzero()
        else:
            parts.append(part)
    return tuple(parts)


def _filled(key: Key, indices: Sequence[Value]) -> Key:
    """The key with every `Index.INPUT` replaced by the next input."""
    arrays = iter(indices)
    return tuple(next(arrays) if isinstance(k, str) else k for k in key)


@primitive
def chosen(x: Value, t: Value) -> Value:
    """The element of every row that its id names: x (..., C) and ids t (...) to (...).

    >>> import numpy as np
    >>> chosen(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 0]))
    array([2., 3.])
    """
    return np.take_along_axis(x, np.expand_dims(t, -1).astype(np.intp), -1)[..., 0]


@primitive
def replaced(x: Value, t: Value, values: Value) -> Value:
    """x (..., C) with the element of every row that its id t (...) names replaced.

    >>> import numpy as np
    >>> replaced(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 0]), 0)
    array([[1., 0.],
           [0., 4.]])
    """
    out = np.array(x, dtype=np.result_type(x, values))
    new = np.broadcast_to(np.expand_dims(values, -1), (*np.shape(t), 1))
    np.put_along_axis(out, np.expand_dims(t, -1).astype(np.intp), new, -1)
    return out


class Index(Node):
    """Elements picked out by slices, numbers, None, ... and integer or boolean arrays.

    Arrays in the key may be inputs of the node (an embedding's ids change with every batch):
    `Index((slice(None), INPUT))` takes x and one more input. `IndexAdd` is its reverse.
    """

    symbol = "[ ]"

    #: Marks in a key where an input of the node goes.
    INPUT = "input"
    formula = "y = x[key]"
    why = _("Each element picked has slope 1")
    gradients = {"x": _("zeros with dy added at [key]")}

    def __init__(self, key: object) -> None:
        self.key = _parts(key)

    @property
    def places(self) -> Key:
        """The key with the index arrays of the inputs filled in."""
        return _filled(self.key, self.inputs[1:])

    def forward(self, x: Value, *indices: Value) -> Value:
        return x[_filled(self.key, indices)]

    def backward(self, dy: Value) -> tuple[Value, ...]:
        x, *indices = self.inputs
        dx = add_at(dy, self.places, x.shape)
        return (dx, *(None for _ in indices))


class IndexAdd(Node):
    """Zeros of a shape with x added at the key; repeated indices add up."""

    symbol = "[+]"
    formula = _("y = zeros with x added at [key]")
    why = _("Each element was added once")
    gradients = {"x": "dy[key]"}

    def __init__(self, key: object, shape: tuple[int, ...]) -> None:
        self.key = _parts(key)
        self.shape = tuple(shape)

    def forward(self, x: Value, *indices: Value) -> Value:
        return add_at(x, _filled(self.key, indices), self.shape)

    def backward(self, dy: Value) -> tuple[Value, ...]:
        _, *indices = self.inputs
        return (dy[_filled(self.key, indices)], *(None for _ in indices))


class OneHot(Node):
    """Rows with a 1 in the column that the id names: (...,) ids to (..., n)."""

    symbol = "1-hot"
    differentiable = False
    formula = _("y = 1 in the column that t names, else 0")
    why = _("An id has no derivative: no gradient")

    def __init__(self, n: int, dtype: npt.DTypeLike = np.float64) -> None:
        self.n, self.dtype = n, np.dtype(dtype)

    def forward(self, t: Value) -> Value:
        return (np.expand_dims(t, -1) == np.arange(self.n)).astype(self.dtype)

    def backward(self, dy: Value) -> None:
        return
