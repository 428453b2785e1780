"""Primitives: what engines run. NumPy's ufuncs, sums, products, views and gathers, and these few."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from chainrule.nodes.base import Value, primitive

__all__ = [
    "VIEWS",
    "WEAK",
    "Function",
    "cast",
    "filled",
    "item",
    "pick",
    "put_flat",
    "take_flat",
    "take_rows",
]

Function: TypeAlias = Callable[..., Any]


@primitive
def cast(x: Value, dtype: Any) -> Value:
    """x in another dtype."""
    return x.astype(dtype)


@primitive
def pick(x: Value, key: Any) -> Value:
    """x[key]."""
    return x[key]


@primitive
def take_rows(x: Value, rows: Value) -> Value:
    """x[rows] for row numbers that are known to exist: the gather of a mini-batch."""
    return x[rows]


@primitive
def take_flat(x: Value, places: Value) -> Value:
    """The elements of x at places counted row by row, which are known to exist."""
    return x.reshape(-1)[places]


@primitive
def put_flat(x: Value, places: Value, values: Value) -> Value:
    """x with other values at places counted row by row, which are known to exist."""
    out = x.copy()
    out.put(places, values)
    return out


@primitive
def filled(x: Value) -> Value:
    """x as an array of its own, row by row, where a view of other memory would not do."""
    return x.copy()


@primitive
def item(values: Value, i: int) -> Value:
    """One of several outputs."""
    return values[i]


#: Functions that only look at the same memory differently.
VIEWS: frozenset[Function] = frozenset({np.reshape, np.transpose, np.broadcast_to})

#: The operators of numbers that have no dtype of their own, such as a learning rate.
WEAK: dict[np.ufunc, Callable[..., Any]] = {
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
