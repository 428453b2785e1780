"""Sums, products, maxima and minima: the initial value of each, and the line that adds an element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.engine.compiled.elements import Elements
from chainrule.engine.compiled.places import Place
from chainrule.engine.compiled.symbolic import Value
from chainrule.engine.names import bare

__all__ = ["accumulate", "start_of", "store_into"]

_FORMS: dict[Any, str] = {np.sum: "+", np.prod: "*", np.max: "maximum", np.min: "minimum"}


def start_of(e: Elements, v: Value) -> str:
    """The initial value of a reduction."""
    f = v.function
    if f is np.sum and not v.shape and v.dtype.kind == "f":
        return e.literal(0, np.dtype(np.float64))  # a sum over all rows is in double precision
    if f in (np.sum, np.prod):
        return e.literal(f is np.prod, v.dtype)
    if v.dtype.kind == "f":
        return e.literal(-math.inf if f is np.max else math.inf, v.dtype)
    if v.dtype.kind == "b":
        return e.literal(f is np.min, v.dtype)
    limits = np.iinfo(v.dtype)
    return e.literal(limits.min if f is np.max else limits.max, v.dtype)


def accumulate(e: Elements, v: Value, target: str, text: str) -> str:
    """The line that adds one more element to a reduction."""
    form = _FORMS[v.function]
    have = v.args[0].dtype
    if have.kind in "bu" and have != v.dtype:  # NumPy sums these in another dtype
        e.imports.add(v.dtype.name)
        text = f"{v.dtype.name}({bare(text)})"
    if len(form) == 1:
        return f"{target} {form}= {bare(text)}"
    e.imports.add(form)
    return f"{target} = {form}({target}, {bare(text)})"


def store_into(e: Elements, v: Value, place: Place) -> str:
    """The text of the element of the value's array that is written."""
    return e.flat_place(v) if e.flat else f"{e.array[v]}[{', '.join(place) or '0'}]"
