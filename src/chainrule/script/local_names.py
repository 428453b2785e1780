"""What a value is called in the text that computes it.

While a formula runs on stand-ins, the names it gives its values are listened to: the mean in
`mean = functions.mean(x)`, the rest in `rest, others, a_t = self.parts()`. So a written program
speaks the words of the node, the layer or the optimizer that it comes from.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from chainrule.engine.trace import Traced
from chainrule.graph.variable import Variable

__all__ = ["hearing"]

#: Names that mean something else in every formula.
_GENERAL = {
    "self", "inputs", "arg", "x", "y", "z", "w", "t", "s", "p", "g", "n", "out", "value", "values",
    "dx", "dy", "dz", "dl", "dout", "chosen",
}  # fmt: skip
#: Rooms whose own names are about recording, not about the network.
_SILENT = ("chainrule.engine", "chainrule.graph", "chainrule.script", "chainrule.networks", "numpy")


@contextmanager
def hearing() -> Iterator[dict[Any, str]]:
    """In the block, every Variable and Traced value gets the first name that a formula calls it.

    Names are a nicety: where both of Python's hooks are somebody else's, a profiler's and a
    debugger's, the block runs without them.
    """
    names: dict[Any, str] = {}

    def heard(frame: FrameType, event: str, arg: object) -> None:
        if event != "return" or str(frame.f_globals.get("__name__")).startswith(_SILENT):
            return
        for name, value in frame.f_locals.items():
            if name not in _GENERAL and isinstance(value, Variable | Traced):
                names.setdefault(value, name)

    def traced(frame: FrameType, event: str, arg: object) -> Any:
        frame.f_trace_lines = False
        heard(frame, event, arg)
        return traced

    if sys.getprofile() is None:
        hook, given = sys.setprofile, heard
    elif sys.gettrace() is None:
        hook, given = sys.settrace, traced  # type: ignore[assignment]
    else:
        yield names
        return
    hook(given)
    try:
        yield names
    finally:
        hook(None)
