"""Notes in files: what is written of a message, so that it can be said in any language once it is read."""

from __future__ import annotations

import re
from string import Formatter
from typing import Any

import numpy as np

from chainrule.lang.messages import Message, Text, listed

__all__ = ["as_json", "told_by"]

#: How a value may be written in the template of a file, which must not ask for a billion blanks.
_SPEC = re.compile(r",?(\.\d\d?)?[dfg]?")


def as_json(text: Any) -> Any:
    """A text as plain data: the template of a message with its values, the parts of a list.

    >>> from chainrule.lang.messages import _n
    >>> as_json(_n("{n} row", "{n} rows", 2))
    {'template': '{n} row', 'plural': '{n} rows', 'values': {'n': 2}}
    """
    if isinstance(text, Message):
        found: dict[str, Any] = {"template": text.template}
        if text.plural is not None:
            found["plural"] = text.plural
        return {**found, "values": {name: as_json(value) for name, value in text.values.items()}}
    if isinstance(text, Text) and hasattr(text, "parts"):
        return {"list": text.kind, "parts": [as_json(part) for part in text.parts]}  # type: ignore[attr-defined]
    if isinstance(text, np.generic):
        return text.item()
    return str(text) if isinstance(text, str) else text


def told_by(data: Any, english: str) -> str:
    """The message that `as_json` wrote; the English text itself where that is not what it says.

    >>> from chainrule.lang.messages import _
    >>> told_by(as_json(_("tabs")), "tabs").said("zh"), told_by({"template": "{x.y}"}, "tabs")
    ('制表符', 'tabs')
    """
    try:
        text = _read(data, len(english))
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError):
        return english
    return text if isinstance(text, Text) and text == english else english


def _read(data: Any, most: int) -> Any:
    """The message or the plain value, no longer than `most`."""
    if not isinstance(data, dict):
        return data
    if "parts" in data:
        text: Text = listed([_read(part, most) for part in data["parts"]], data["list"])
    else:
        values = {name: _read(value, most) for name, value in data["values"].items()}
        template, plural = data["template"], data.get("plural")
        for words in (template, plural or ""):
            for field in Formatter().parse(words):
                if field[1] is not None and not _SPEC.fullmatch(field[2] or ""):
                    raise ValueError
                if field[1] is not None and field[1] not in values:
                    raise KeyError
        count = 1 if plural is None else values["n"]
        if type(count) is not int:
            raise TypeError
        text = Message(template, values, plural, count)
    if len(text) > most:
        raise ValueError
    return text
