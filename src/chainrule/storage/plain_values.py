"""Plain values as JSON: numbers of any kind, texts, lists, dicts and arrays, to the bit and back."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.errors import SettingError, shown
from chainrule.graph.variable import Array
from chainrule.lang.messages import _
from chainrule.storage.container import DTYPES

__all__ = ["decoded", "encoded", "is_plain"]

#: The key of a dict that stands for a value which JSON does not have.
TAG = "~"


def is_plain(value: object) -> bool:
    """Whether `encoded` takes it."""
    if isinstance(value, dict):
        return all(isinstance(k, str | int) for k in value) and all(map(is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "biuf"
    return value is None or isinstance(value, bool | int | float | str)


def encoded(value: Any, tensors: dict[str, Array], name: str) -> Any:
    """A value as JSON; arrays of floating-point numbers are put into `tensors`, under names from `name`.

    Raises:
        SettingError: a value of another kind, such as an object.

    >>> tensors = {}
    >>> text = encoded({"best": float("inf"), "v": np.ones(2)}, tensors, "early")
    >>> text
    {'best': {'~': 'float', 'value': 'inf'}, 'v': {'~': 'tensor', 'value': 'early.v'}}
    >>> decoded(text, tensors)
    {'best': inf, 'v': array([1., 1.])}
    """
    if isinstance(value, np.ndarray | np.generic):
        return _encoded_array(np.asarray(value), tensors, name, isinstance(value, np.generic))
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {TAG: "float", "value": repr(value)}
    if isinstance(value, list) and value and all(map(_is_record, value)):
        return _encoded_records(value, tensors, name)
    if isinstance(value, list | tuple):
        inside = [encoded(v, tensors, f"{name}.{i}") for i, v in enumerate(value)]
        return inside if isinstance(value, list) else {TAG: "tuple", "value": inside}
    if isinstance(value, dict) and all(isinstance(k, str | int) for k in value):
        inside = [
            (k, encoded(v, tensors, f"{name}.{i if isinstance(k, int) else k}"))
            for i, (k, v) in enumerate(value.items())
        ]
        if all(isinstance(k, str) for k, _v in inside) and TAG not in value:
            return dict(inside)
        return {TAG: "dict", "value": [[encoded(k, tensors, name), v] for k, v in inside]}
    raise SettingError(
        _(
            "{name} is {value}, which a checkpoint cannot hold: numbers, texts, arrays, lists and dicts"
            " of these can be kept. Leave it out of the state, or keep what it is made from.",
            name=name,
            value=shown(value),
        )
    )


def _is_record(value: object) -> bool:
    """Whether it is a row of numbers with names, of which a history may have a hundred thousand."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(type(k) is str and k != TAG for k in value)
        and all(type(v) is float for v in value.values())
    )


def _encoded_records(
    records: list[dict[str, float]], tensors: dict[str, Array], name: str
) -> dict[str, Any]:
    """Rows of numbers with the same names in turn as an array each."""
    runs: list[Any] = []
    for names, group in itertools.groupby(records, tuple):
        rows = np.array([list(record.values()) for record in group]).reshape(-1, len(names))
        rows_name = f"{name}.{len(runs)}"
        runs.append([list(names), len(rows), encoded(rows, tensors, rows_name)])
    return {TAG: "records", "value": runs}


def _encoded_array(array: Array, tensors: dict[str, Array], name: str, single: bool) -> Any:
    if array.dtype.name in DTYPES.values() and not single:
        while name in tensors:
            name += "'"
        tensors[name] = array
        return {TAG: "tensor", "value": name}
    if array.dtype.kind not in "biuf":
        raise SettingError(
            _(
                "{name} is an array of dtype {dtype}, which a checkpoint cannot hold.",
                name=name,
                dtype=array.dtype,
            )
        )
    kind = "number" if single else "array"
    values = [encoded(v, tensors, name) for v in array.reshape(-1).tolist()]
    return {TAG: kind, "dtype": array.dtype.str, "shape": list(array.shape), "value": values}


def decoded(value: Any, tensors: Mapping[str, Array]) -> Any:
    """The value that `encoded` made JSON of.

    Raises:
        KeyError, TypeError, ValueError: it did not.
    """
    if isinstance(value, list):
        return [decoded(v, tensors) for v in value]
    if not isinstance(value, dict):
        return value
    if TAG not in value:
        return {k: decoded(v, tensors) for k, v in value.items()}
    kind, inside = value[TAG], value["value"]
    if kind == "float" and inside in ("inf", "-inf", "nan"):
        return float(inside)
    if kind == "tensor":
        return tensors[inside].copy()
    if kind == "records":
        return [
            dict(zip(names, row, strict=True))
            for names, count, rows in inside
            for row in _rows(decoded(rows, tensors), count, len(names))
        ]
    if kind == "tuple":
        return tuple(decoded(v, tensors) for v in inside)
    if kind == "dict":
        return {decoded(k, tensors): decoded(v, tensors) for k, v in inside}
    if kind in ("array", "number"):
        dtype = np.dtype(value["dtype"])
        if dtype.kind not in "biuf":
            raise ValueError(dtype)
        array = np.array(decoded(inside, tensors), dtype).reshape(value["shape"])
        return array[()] if kind == "number" else array
    raise ValueError(kind)


def _rows(array: Array, count: int, columns: int) -> list[list[float]]:
    if array.shape != (count, columns) or array.dtype != np.float64:
        raise ValueError(array.shape)
    rows: list[list[float]] = array.tolist()
    return rows
