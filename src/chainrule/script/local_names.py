"""The names that formulas give their values.

While a formula runs on Variables or Traced values, its local variables are recorded: `mean` in
`mean = functions.mean(x)`, `rest` in `rest, others, a_t = self.parts()`. A written program then
uses the names of the node, the layer or the optimizer that it comes from.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from chainrule.engine.trace import Traced
from chainrule.graph.variable import Variable

__all__ = ["collect_names"]

#: Names that have another meaning in every formula.
_GENERAL = {
    "self", "inputs", "arg", "x", "y", "z", "w", "t", "s", "p", "g", "n", "out", "value", "values",
    "dx", "dy", "dz", "dl", "dout", "chosen",
}  # fmt: skip
#: Modules whose local names are about recording, not about the network.
_SILENT = ("chainrule.engine", "chainrule.graph", "chainrule.script", "chainrule.networks", "numpy")


@contextmanager
def collect_names() -> Iterator[dict[Variable | Traced, str]]:
    """In the block, collect for every Variable and Traced value its first local name in a formula.

    The names are optional: if both of Python's hooks are in use, by a profiler and a debugger,
    the dict stays empty.
    """
    names: dict[Variable | Traced, str] = {}

    def record_locals(frame: FrameType, event: str, arg: object) -> None:
        if event != "return" or str(frame.f_globals.get("__name__")).startswith(_SILENT):
            return
        for name, value in frame.f_locals.items():
            if name not in _GENERAL and isinstance(value, Variable | Traced):
                names.setdefault(value, name)

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        frame.f_trace_lines = False
        record_locals(frame, event, arg)
        return trace

    if sys.getprofile() is None:
        hook, function = sys.setprofile, record_locals
    elif sys.gettrace() is None:
        hook, function = sys.settrace, trace  # type: ignore[assignment]
    else:
        yield names
        return
    hook(function)
    try:
        yield names
    finally:
        hook(None)
