"""Functions of ours that a program calls: their own source, with what it refers to written in.

Drawing a weight, the rate of an update, the random bits of Dropout: each is written once, in
Python that needs nothing but NumPy. A program gets the very lines.
"""

from __future__ import annotations

import ast
import inspect
import math
import re
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule.errors import RecordingError
from chainrule.lang.messages import _
from chainrule.script.wording import docstring, explained

__all__ = ["body_of", "function_text", "literal"]


def literal(value: Any) -> str:
    """A number, truth, text, None, or a list or tuple of them, as it is written in Python."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "np.nan" if value != value else "np.inf" if value > 0 else "-np.inf"
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
    """A text in double quotes where that needs no more backslashes; ASCII if it is not printable."""
    single = repr(text) if text.isprintable() else ascii(text)
    inside = single[1:-1]
    if single[0] == '"' or '"' in inside:
        return single
    return '"' + inside.replace("\\'", "'") + '"'


def body_of(
    function: Callable[..., Any], words: Mapping[str, str], arguments: Mapping[str, str]
) -> list[str]:
    """The lines of a function without its docstring: `words` for what it refers to.

    `arguments` are texts for its arguments; `shape[0]` of a given tuple is its first item.
    """
    lines, first = _lines(function)
    text = _with(_with("\n".join(lines[first:]), words), arguments)
    return textwrap.dedent(text).splitlines()


def _with(text: str, words: Mapping[str, str]) -> str:
    """The text with other words in place of these, where they stand alone."""
    for word, given in words.items():
        text = re.sub(rf"(?<![\w.]){re.escape(word)}(?!\w)", given.replace("\\", r"\\"), text)
    return text


def function_text(
    function: Callable[..., Any], name: str, arguments: str, words: Mapping[str, str], lang: str
) -> str:
    """The whole function under another name: its lines as they stand, its docstring in a language."""
    lines, first = _lines(function)
    text = _with("\n".join(lines[first:]), words)
    doc = f"    {docstring(explained(function), lang)}\n" if function.__doc__ else ""
    return f"def {name}({arguments}):\n{doc}{text}"


def _lines(function: Callable[..., Any]) -> tuple[list[str], int]:
    """The source, and where it begins after the docstring."""
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
