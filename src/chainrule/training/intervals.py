"""How often something is done: after so many steps, epochs or seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chainrule.errors import SettingError, shown
from chainrule.lang.messages import _

__all__ = ["Interval"]

_TEXT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)
_SECONDS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
}
_COUNTS = {"step": "steps", "steps": "steps", "epoch": "epochs", "epochs": "epochs"}


@dataclass(frozen=True)
class Interval:
    """A number of `steps`, `epochs` or `seconds`; the two others are None.

    >>> Interval.of("100 steps").steps, Interval.of("2 min").seconds
    (100, 120.0)
    """

    steps: int | None = None
    epochs: int | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, text: object, name: str = "every") -> Interval:
        """The interval that a text says, such as "100 steps", "1 epoch", "30 s" or "5 min"."""
        match = _TEXT.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is not None:
            number, unit = float(match[1]), match[2].lower()
            if unit in _SECONDS and number > 0:
                return cls(seconds=number * _SECONDS[unit])
            if unit in _COUNTS and number >= 1 and number == int(number):
                return cls(**{_COUNTS[unit]: int(number)})
        raise SettingError(
            _(
                '{name}={text} must be a number of steps, epochs, seconds, minutes or hours: "100 steps",'
                ' "1 epoch", "30 s", "5 min".',
                name=name,
                text=shown(text),
            )
        )
