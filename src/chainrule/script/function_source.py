"""The source of chainrule's functions that a program calls, with names replaced by their values.

Weight initialisation, learning-rate schedules, Dropout's random bits: each is written once, in
Python that needs only NumPy. A program gets a copy of these lines.
"""

from __future__ import annotations

import ast
import inspect
import math
import re
import textwrap
from collections.abc import Mapping

import numpy as np

from chainrule.engine.primitives import Function
from chainrule.errors import RecordingError
from chainrule.lang.messages import _
from chainrule.script.wording import docstring, explanation

__all__ = ["body_of", "function_text", "literal"]


def literal(value: object) -> str:
    """The Python literal of a number, bool, str or None, or of a list or tuple of these."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "np.nan" if value != value else "np.inf" if value > 0 else "-np.inf"
    if isinstance(value, float):
        return repr(value).replace("e+", "e")  # as formatters write it
    if isinstance(value, list | tuple):
        inside = ", ".join(map(literal, value))
        if isinstance(value, list):
            return f"[{inside}]"
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise TypeError(f"{type(value).__name__} is not written as a literal")


def _quoted(text: str) -> str:
    """A text in double quotes if that needs no more backslashes; in ASCII if it is not printable."""
    single = repr(text) if text.isprintable() else ascii(text)
    inside = single[1:-1]
    if single[0] == '"' or '"' in inside:
        return single
    return '"' + inside.replace("\\'", "'") + '"'


def body_of(
    function: Function, words: Mapping[str, str], arguments: Mapping[str, str]
) -> list[str]:
    """The lines of a function's body without its docstring.

    Each key of `words` (names that it refers to) and then of `arguments` (its parameters) is
    replaced by its text.
    """
    lines, first = _lines(function)
    text = _substituted(_substituted("\n".join(lines[first:]), words), arguments)
    return textwrap.dedent(text).splitlines()


def _substituted(text: str, words: Mapping[str, str]) -> str:
    """The text with each key of `words`, as a whole word, replaced by its value."""
    for word, replacement in words.items():
        text = re.sub(rf"(?<![\w.]){re.escape(word)}(?!\w)", replacement.replace("\\", r"\\"), text)
    return text


def function_text(
    function: Function, name: str, arguments: str, words: Mapping[str, str], lang: str
) -> str:
    """The whole function under another name, with its docstring in the language `lang`."""
    lines, first = _lines(function)
    text = _substituted("\n".join(lines[first:]), words)
    doc = f"    {docstring(explanation(function), lang)}\n" if function.__doc__ else ""
    return f"def {name}({arguments}):\n{doc}{text}"


def _lines(function: Function) -> tuple[list[str], int]:
    """The lines of the source, and the index of the first one after the docstring."""
    function = inspect.unwrap(function)
    try:
        text = textwrap.dedent(inspect.getsource(function)).rstrip()
    except (OSError, TypeError) as error:
        raise RecordingError(
            _(
                "the source of {function} is not at hand, so a program that needs it cannot be written."
                " Install chainrule with its .py files.",
                function=getattr(function, "__name__", function),
            )
        ) from error
    tree = ast.parse(text).body[0]
    assert isinstance(tree, ast.FunctionDef)
    has_doc = ast.get_docstring(tree) is not None
    return text.splitlines(), tree.body[1 if has_doc else 0].lineno - 1
