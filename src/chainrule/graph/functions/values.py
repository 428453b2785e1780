"""Helpers of the functions: shapes, axes and numbers of arrays, numbers and Variables."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import SupportsIndex, TypeAlias

import numpy as np

from chainrule.errors import RecordingError, SettingError
from chainrule.graph.recording import current_recording
from chainrule.graph.variable import CALLED, Variable, as_array
from chainrule.lang.messages import _, _n
from chainrule.nodes.base import Value

__all__ = [
    "Axis",
    "Order",
    "Shape",
    "as_real",
    "axis_of",
    "concrete",
    "data_of",
    "kept",
    "shape_of",
    "value_of",
]

Axis: TypeAlias = int | tuple[int, ...] | None
Shape: TypeAlias = int | Sequence[int]
#: The order of a norm, as `numpy.linalg.norm` takes it.
Order: TypeAlias = float | str | None


def data_of(x: Value) -> Value:
    """The numbers of a value."""
    return x.data if isinstance(x, Variable) else x


def value_of(x: Value) -> Value:
    """A value with a shape and a dtype: a Variable, or the array of anything else.

    A list that holds Variables is stacked, as `numpy.array` stacks a list of numbers.
    """
    if isinstance(x, Variable):
        return x
    if isinstance(x, list | tuple) and _holds_variables(x):
        return CALLED["stack"]([value_of(part) for part in x])
    array = as_array(x)
    if array.dtype == object and array.size and _holds_variables(array.reshape(-1).tolist()):
        return value_of(array.tolist())
    return array


def as_real(x: Value) -> Value:
    """A value, with integers and truth values cast to float64, as NumPy's linear algebra does."""
    return x.astype(float) if x.dtype.kind in "biu" else x


def _holds_variables(parts: Iterable[object]) -> bool:
    return any(
        isinstance(p, Variable) or (isinstance(p, list | tuple) and _holds_variables(p))
        for p in parts
    )


def shape_of(x: Value) -> tuple[int, ...]:
    """The shape of a value."""
    return tuple(np.shape(data_of(x)))


def axis_of(axis: SupportsIndex, ndim: int, what: str) -> int:
    """One axis, counted from the front."""
    try:
        index = operator.index(axis)
    except TypeError:
        raise SettingError(
            _("{what}: axis={axis!r} must be a whole number.", what=what, axis=axis)
        ) from None
    if not -ndim <= index < ndim:
        raise SettingError(
            _n(
                "{what}: axis={axis} is not there: the array has {n} axis, {first} to {last}.",
                "{what}: axis={axis} is not there: the array has {n} axes, {first} to {last}.",
                ndim,
                what=what,
                axis=index,
                first=-ndim,
                last=ndim - 1,
            )
        )
    return index % ndim


def kept(what: str, keepdims: object) -> bool:
    """`keepdims`, checked: whether reduced axes stay, each of length 1."""
    if not isinstance(keepdims, bool | np.bool_):
        raise SettingError(
            _(
                "{what}: keepdims={keepdims!r} must be True or False. The arguments are (x, axis, keepdims);"
                " others go by name, such as dtype=float.",
                what=what,
                keepdims=keepdims,
            )
        )
    return bool(keepdims)


def concrete(x: Value, what: str) -> Value:
    """The numbers of a value, for a plain result; an error if they are computed in a recorded step."""
    if isinstance(x, Variable) and current_recording() is not None and x.call is not None:
        raise RecordingError(
            _(
                "{what} of a value that is computed was asked for while a step is being recorded. What it"
                " gives goes with the values, which are others at every run. Write the choice with cr.where,"
                " or compute it from the data before training.",
                what=what,
            )
        )
    return data_of(x)
