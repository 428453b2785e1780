"""Primitives, the functions that engines run: NumPy's ufuncs, sums, products, views, gathers, and these."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.nodes.base import Value, primitive

__all__ = [
    "VIEWS",
    "WEAK",
    "Array",
    "Function",
    "cast",
    "checked",
    "filled",
    "item",
    "pick",
    "put_flat",
    "take_flat",
    "take_rows",
]

Array: TypeAlias = npt.NDArray[Any]
Function: TypeAlias = Callable[..., Any]


@primitive
def cast(x: Value, dtype: npt.DTypeLike) -> Value:
    """x in another dtype."""
    return x.astype(dtype)


@primitive
def checked(x: Value, check: Callable[[Array], object]) -> Value:
    """x, for which `check` raises if it is nothing to go on with, such as an id without a row."""
    check(x)
    return x


checked.stand_in = lambda x, check: x  # type: ignore[attr-defined]


@primitive
def pick(x: Value, key: Any) -> Value:
    """x[key]."""
    return x[key]


@primitive
def take_rows(x: Value, rows: Value) -> Value:
    """x[rows] for valid row numbers: the gather of a mini-batch."""
    return x[rows]


@primitive
def take_flat(x: Value, places: Value) -> Value:
    """The elements of x at valid flat indices, counted row by row."""
    return x.reshape(-1)[places]


@primitive
def put_flat(x: Value, places: Value, values: Value) -> Value:
    """A copy of x with other values at valid flat indices, counted row by row."""
    out = x.copy()
    out.put(places, values)
    return out


@primitive
def filled(x: Value) -> Value:
    """A contiguous copy of x, where a view of other memory would not do."""
    return x.copy()


@primitive
def item(values: Value, i: int) -> Value:
    """Output i of a function with several outputs."""
    return values[i]


#: Functions whose result is a view of their operand.
VIEWS: frozenset[Function] = frozenset({np.reshape, np.transpose, np.broadcast_to})

#: The Python operators for weak numbers, those without a dtype, such as a learning rate.
WEAK: dict[np.ufunc, Function] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.negative: operator.neg,
    np.power: operator.pow,
    np.equal: operator.eq,
    np.not_equal: operator.ne,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.sqrt: math.sqrt,
    np.logical_and: lambda a, b: bool(a and b),
    np.logical_or: lambda a, b: bool(a or b),
    np.logical_not: operator.not_,
}
