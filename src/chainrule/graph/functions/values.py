"""What functions ask of a value, be it an array, a number or a Variable."""

from __future__ import annotations

import operator
from typing import Any, TypeAlias

import numpy as np

from chainrule.errors import RecordingError, SettingError
from chainrule.graph.recording import current_recording
from chainrule.graph.variable import CALLED, Variable, as_array
from chainrule.lang.messages import _, _n
from chainrule.nodes.base import Value

__all__ = ["Axis", "as_real", "axis_of", "data_of", "kept", "shape_of", "value_of"]

Axis: TypeAlias = int | tuple[int, ...] | None


def data_of(x: Value) -> Any:
    """The numbers of a value."""
    return x.data if isinstance(x, Variable) else x


def value_of(x: Value) -> Any:
    """A value that has a shape and a dtype: a Variable, or what NumPy makes of anything else.

    A list with Variables in it is joined, as `numpy.array` would a list of numbers.
    """
    if isinstance(x, Variable):
        return x
    if isinstance(x, list | tuple) and _holds_variables(x):
        return CALLED["stack"]([value_of(part) for part in x])
    array = as_array(x)
    if array.dtype == object and array.size and _holds_variables(array.reshape(-1).tolist()):
        return value_of(array.tolist())
    return array


def as_real(x: Any) -> Any:
    """A value, with whole numbers and truth values as float64, as NumPy's linear algebra takes them."""
    return x.astype(float) if x.dtype.kind in "biu" else x


def _holds_variables(parts: Any) -> bool:
    return any(
        isinstance(p, Variable) or (isinstance(p, list | tuple) and _holds_variables(p))
        for p in parts
    )


def shape_of(x: Value) -> tuple[int, ...]:
    """The shape of a value."""
    return tuple(np.shape(data_of(x)))


def axis_of(axis: Any, ndim: int, what: str) -> int:
    """One axis, counted from the front."""
    try:
        found = operator.index(axis)
    except TypeError:
        raise SettingError(
            _("{what}: axis={axis!r} must be a whole number.", what=what, axis=axis)
        ) from None
    if not -ndim <= found < ndim:
        raise SettingError(
            _n(
                "{what}: axis={axis} is not there: the array has {n} axis, {first} to {last}.",
                "{what}: axis={axis} is not there: the array has {n} axes, {first} to {last}.",
                ndim,
                what=what,
                axis=found,
                first=-ndim,
                last=ndim - 1,
            )
        )
    return found % ndim


def kept(what: str, keepdims: Any) -> bool:
    """Whether reduced axes stay, each of length 1."""
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


def told(x: Value, what: str) -> Any:
    """The numbers of a value, to decide by them at once; refused while a step is being recorded."""
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
