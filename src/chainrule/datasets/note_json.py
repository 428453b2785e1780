"""Messages as JSON: template and values, so that a note in a model file can be shown in any language."""

from __future__ import annotations

import re
from string import Formatter

import numpy as np

from chainrule.lang.messages import READERS, Joined, Message, Spelled, Text, listed

__all__ = ["message_from_json", "message_to_json"]

#: Format specifications allowed in a template from a file: no width, which could be a billion.
_SPEC = re.compile(r",?(\.\d\d?)?[dfg]?")


def message_to_json(text: object) -> object:
    """A message as plain data: its template and values, or the parts of a list.

    >>> from chainrule.lang.messages import _n
    >>> message_to_json(_n("{n} row", "{n} rows", 2))
    {'template': '{n} row', 'plural': '{n} rows', 'values': {'n': 2}}
    """
    if isinstance(text, Message):
        data: dict[str, object] = {"template": text.template}
        if text.plural is not None:
            data["plural"] = text.plural
        return {
            **data,
            "values": {name: message_to_json(value) for name, value in text.values.items()},
        }
    if isinstance(text, Spelled):
        return {"readers": {who: message_to_json(spelt) for who, spelt in text.readers.items()}}
    if isinstance(text, Joined):
        return {"list": text.kind, "parts": [message_to_json(part) for part in text.parts]}
    if isinstance(text, np.generic):
        return text.item()
    return str(text) if isinstance(text, str) else text


def message_from_json(data: object, english: str) -> str:
    """The message that `message_to_json` wrote, if its English is `english`; else the text `english`.

    >>> from chainrule.lang.messages import _
    >>> message_from_json(message_to_json(_("tabs")), "tabs").said("zh")
    '制表符'
    >>> message_from_json({"template": "{x.y}"}, "tabs")
    'tabs'
    """
    try:
        text = _decode(data, len(english))
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError):
        return english
    return text if isinstance(text, Text) and text == english else english


def _decode(data: object, most: int) -> object:
    """The message or the plain value; ValueError for a message longer than `most` letters."""
    if not isinstance(data, dict):
        return data
    if "parts" in data:
        text: Text = listed([_decode(part, most) for part in data["parts"]], data["list"])
    elif "readers" in data:
        spelt = {
            who: _decode(data["readers"][who], most) for who in READERS if who in data["readers"]
        }
        if not all(isinstance(text, str) for text in spelt.values()):
            raise TypeError
        text = Spelled(**spelt)  # type: ignore[arg-type]
    else:
        values = {name: _decode(value, most) for name, value in data["values"].items()}
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
