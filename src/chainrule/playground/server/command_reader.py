"""Commands of the page: one JSON object each, checked before a session sees it."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from chainrule.errors import FormatError
from chainrule.lang.messages import Text, _

__all__ = ["read_command"]

#: Digits of a whole number, and its sign.
LONGEST = 20


def read_command(text: str, depth: int) -> dict[str, Any]:
    """The command in a message: a JSON object nested at most `depth` deep, all numbers finite.

    Raises:
        FormatError: if it is anything else.

    >>> read_command('{"id": 7, "do": "step", "count": 2}', depth=8)
    {'id': 7, 'do': 'step', 'count': 2}
    >>> read_command('{"do": [[1]]}', depth=2)
    Traceback (most recent call last):
    ...
    chainrule.errors.FormatError: A command is nested at most 2 deep.
    """
    try:
        command = json.loads(
            text,
            parse_constant=not_json,
            parse_float=finite,
            parse_int=moderate,
            object_pairs_hook=unlike,
        )
        json.dumps(command, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except RecursionError:
        raise FormatError(_too_deep(depth)) from None
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(_("A command is one JSON object: {error}.", error=error)) from None
    if not isinstance(command, dict):
        raise FormatError(_("A command is one JSON object."))
    if deeper(command, depth):
        raise FormatError(_too_deep(depth))
    name = command.get("id")
    if not isinstance(name, int | None) or isinstance(name, bool):
        raise FormatError(_("The id of a command is a whole number."))
    return command


def _too_deep(depth: int) -> Text:
    return _("A command is nested at most {depth} deep.", depth=depth)


def deeper(value: object, depth: int) -> bool:
    """Whether lists and objects are nested more than `depth` deep."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    return depth == 0 or any(deeper(inner, depth - 1) for inner in value)


def not_json(word: str) -> NoReturn:
    """Refuses NaN and Infinity, which Python's reader would take."""
    raise FormatError(_("A command is one JSON object: {word} is no number in JSON.", word=word))


def finite(text: str) -> float:
    """A number, unless it is too large to be one."""
    value = float(text)
    if not math.isfinite(value):
        raise FormatError(
            _("A command is one JSON object: {text} is too large for a number.", text=text[:20])
        )
    return value


def moderate(text: str) -> int:
    """A whole number of at most 64 bits: Python would take thousands of digits."""
    if len(text) > LONGEST or abs(value := int(text)) >= 1 << 63:
        raise FormatError(
            _(
                "A command is one JSON object: {text} is too large for a whole number.",
                text=text[:LONGEST],
            )
        )
    return value


def unlike(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise FormatError(_("A command is one JSON object: a name occurs twice in an object."))
    return found
