"""Plain numbers computed from a Variable and used as constants, through which no gradient flows.

`y = x * math.exp(x)` calls float(x). To read a number is no mistake; but where math.exp(x) then occurs
as a constant of the graph, the gradient through it is missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import RecordingError
from chainrule.graph.sources import line_of
from chainrule.lang.messages import Text, _

if TYPE_CHECKING:
    from chainrule.graph.graph import Graph
    from chainrule.graph.variable import Call, Variable

__all__ = ["refuse_plain"]

#: The functions of one number that are looked for, by name.
_FUNCTIONS = {
    name: getattr(math, name)
    for name in (
        "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "cos", "cosh", "erf", "erfc", "exp",
        "exp2", "expm1", "gamma", "lgamma", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt",
        "tan", "tanh",
    )
    if hasattr(math, name)
}  # fmt: skip
#: A number with fewer digits may have been typed by hand.
_DIGITS = 8
#: Larger arrays are not searched: nobody fills them number by number.
_LARGEST = 1000


def refuse_plain(graph: Graph) -> None:
    """Raise if a number computed from a plain value of a Variable is a constant of its graph."""
    read = {v: v.read for call in graph.calls for v in call.inputs if v.read is not None}
    if not read:
        return
    first = min(read.values())
    for call in graph.calls:
        if call.order < first:
            continue
        numbers = set(_constants(call))
        for v, order in read.items():
            if numbers and order < call.order:
                for number, text in _computed_from(v):
                    if number in numbers:
                        raise RecordingError(_message(call, v, number, text))


def _constants(call: Call) -> Iterator[float]:
    """The constants with many digits among the inputs of a call."""
    for v in call.inputs:
        if v.call is None and not v.requires_grad and v.dtype.kind == "f" and v.size <= _LARGEST:
            parts = [v.scalar] if isinstance(v.scalar, float) else np.unique(v.data).tolist()
            yield from (n for n in parts if _has_many_digits(n))


def _computed_from(v: Variable) -> Iterator[tuple[float, str]]:
    """The values of the functions of a Variable's number, each with its formula."""
    x = v.data.item()
    if isinstance(x, complex):
        return
    for name, function in _FUNCTIONS.items():
        try:
            value = function(x)
        except (ValueError, OverflowError):
            continue
        if _has_many_digits(value):
            yield value, f"math.{name}({v.name or 'x'})"
            yield -value, f"-math.{name}({v.name or 'x'})"


def _has_many_digits(number: float) -> bool:
    return math.isfinite(number) and len(repr(abs(number)).strip("0.").replace(".", "")) >= _DIGITS


def _message(call: Call, v: Variable, number: float, text: str) -> Text:
    name = text.removeprefix("-").removeprefix("math.").partition("(")[0]
    values = {
        "number": number,
        "node": type(call.node).__name__,
        "formula": text,
        "instead": f"cr.{name}({v.name or 'x'})",
    }
    if call.place is None:
        return _(
            "the number {number!r} that {node} was given is {formula} of a Variable of the same"
            " computation, taken as a plain number, through which no gradient flows back. Write {instead};"
            " if it is meant to be a constant, say so with .data.",
            **values,
        )
    return _(
        "the number {number!r} that {node} was given at {line} is {formula} of a Variable of the same"
        " computation, taken as a plain number, through which no gradient flows back. Write {instead}; if"
        " it is meant to be a constant, say so with .data.",
        **values,
        line=line_of(call.place),
    )
