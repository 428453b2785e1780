"""Numbers that were read off a Variable and came back into its computation: a cut in the gradient.

`y = x * math.exp(x)` calls float(x). Python does not tell who asks, and to look at a number is no
fault; but where math.exp of it is found again in the graph, the way through it is missing.
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

#: What people compute of one number, by what it is called in their text.
_FUNCTIONS = {
    name: getattr(math, name)
    for name in (
        "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "cos", "cosh", "erf", "erfc", "exp",
        "exp2", "expm1", "gamma", "lgamma", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt",
        "tan", "tanh",
    )
    if hasattr(math, name)
}  # fmt: skip
#: A number with fewer digits may as well have been typed.
_DIGITS = 8
#: In larger arrays nobody has put numbers one by one.
_LARGEST = 1000


def refuse_plain(graph: Graph) -> None:
    """Raise where a number that was read off a Variable of the graph is used in it as a constant."""
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
                for number, text in _made_of(v):
                    if number in numbers:
                        raise RecordingError(_told(call, v, number, text))


def _constants(call: Call) -> Iterator[float]:
    """The numbers with many digits that a node was given as they are."""
    for v in call.inputs:
        if v.call is None and not v.requires_grad and v.dtype.kind == "f" and v.size <= _LARGEST:
            parts = [v.scalar] if isinstance(v.scalar, float) else np.unique(v.data).tolist()
            yield from (n for n in parts if _long(n))


def _made_of(v: Variable) -> Iterator[tuple[float, str]]:
    x = v.data.item()
    if isinstance(x, complex):
        return
    for name, function in _FUNCTIONS.items():
        try:
            found = function(x)
        except (ValueError, OverflowError):
            continue
        if _long(found):
            yield found, f"math.{name}({v.name or 'x'})"
            yield -found, f"-math.{name}({v.name or 'x'})"


def _long(number: float) -> bool:
    return math.isfinite(number) and len(repr(abs(number)).strip("0.").replace(".", "")) >= _DIGITS


def _told(call: Call, v: Variable, number: float, text: str) -> Text:
    name = text.removeprefix("-").removeprefix("math.").partition("(")[0]
    told = {
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
            **told,
        )
    return _(
        "the number {number!r} that {node} was given at {line} is {formula} of a Variable of the same"
        " computation, taken as a plain number, through which no gradient flows back. Write {instead}; if"
        " it is meant to be a constant, say so with .data.",
        **told,
        line=line_of(call.place),
    )
