"""How an answer is tried: called with copies, its results named, what it must not do noticed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import Text, _, _n
from chainrule.lessons.faults import Fault, FaultError

__all__ = ["call", "named", "raised", "unchanged"]

Array = npt.NDArray[np.float64]


def call(function: Any, arguments: Mapping[str, Any]) -> Any:
    """What a function gives for copies of the arguments, which it must leave as they are."""
    copies = {
        name: np.array(a) if isinstance(a, np.ndarray) else a for name, a in arguments.items()
    }
    out = function(*copies.values())
    unchanged(arguments, copies)
    return out


def unchanged(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raise the fault of a function that has written into what it was given."""
    for name, value in before.items():
        if isinstance(value, np.ndarray) and not np.array_equal(value, after[name], equal_nan=True):
            raise FaultError(
                Fault(
                    "mutated",
                    _(
                        "{name} was changed by your code: work on a new array, and leave the one that"
                        " was handed in as it is.",
                        name=name,
                    ),
                )
            )


def named(out: Any, names: Sequence[str]) -> dict[str, object]:
    """The results by name: one alone, or a tuple of as many as there are names."""
    if out is None or out is NotImplemented or out is Ellipsis:
        raise FaultError(
            Fault("nothing", _("Nothing came back: the function ends without `return`."))
        )
    if len(names) == 1:
        return {names[0]: out}
    if not isinstance(out, tuple | list) or len(out) != len(names):
        count = len(out) if isinstance(out, tuple | list) else 1
        raise FaultError(
            Fault(
                "count",
                _(
                    "{names} are to be returned, in this order; {got}.",
                    names=", ".join(names),
                    got=_n("one result came back", "{n} results came back", count),
                ),
            )
        )
    return dict(zip(names, out, strict=True))


#: Two shapes, or the sizes of two axes, in what NumPy says of arrays that do not fit.
_SHAPES = re.compile(r"shapes? (\([\d, ]*\)).*? (\([\d, ]*\))")
_SIZES = re.compile(r"size (\d+) .* (\d+)\)")


def raised(error: BaseException, line: int | None) -> Fault:
    """The fault of an answer that raised an error, in the line of the reader's file where it did."""
    unfit = _SHAPES.search(str(error)) or _SIZES.search(str(error))
    if isinstance(error, ValueError) and unfit and line is not None:
        return Fault(
            "unfit",
            _(
                "In line {line} of your code two arrays do not fit together: {one} and {other}.",
                line=line,
                one=unfit[1],
                other=unfit[2],
            ),
        )
    if isinstance(error, AttributeError | TypeError) and line is not None:
        if "'NoneType'" in str(error):
            return Fault(
                "none",
                _(
                    "In line {line} of your code something is None: was it kept, or returned, before it is"
                    " used there?",
                    line=line,
                ),
            )
        if isinstance(error, AttributeError) and "'list'" in str(error):
            return Fault(
                "list",
                _(
                    "In line {line} of your code a list stands where an array is meant: out of a list"
                    " with one parameter it comes by `W, = self.params`, with the comma.",
                    line=line,
                ),
            )
    if isinstance(error, FloatingPointError) and line is not None:
        return Fault(
            "overflow",
            _("In line {line} of your code NumPy warned: {what}.", line=line, what=str(error)),
        )
    what: Text = _("{type}: {message}", type=type(error).__name__, message=str(error) or "—")
    if line is None:
        return Fault("raised", _("Your code stopped with {what}", what=what))
    return Fault("raised", _("Line {line} of your code stopped with {what}", line=line, what=what))
