"""Checks of numeric settings: each returns the number, or raises an error with the setting's name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from chainrule.errors import SettingError, nearest, shown
from chainrule.lang.languages import LANGUAGES, chosen
from chainrule.lang.messages import Text, _

__all__ = [
    "Check",
    "below_one",
    "finite",
    "from_zero",
    "language",
    "optional_id",
    "optional_positive",
    "optional_whole",
    "positive",
    "rate_factor",
    "unit",
    "whole",
]

#: A check of a setting: its value and its name to the value in its proper type.
Check: TypeAlias = Callable[[Any, str], Any]


def _number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number; True and False are not."""
    return (
        isinstance(value, int | float | np.integer | np.floating)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def _refusal(value: object, name: str, allowed: Text) -> SettingError:
    return SettingError(
        _("{name}={value} must be {allowed}.", name=name, value=shown(value), allowed=allowed)
    )


def finite(value: object, name: str) -> float:
    """Any finite number."""
    if not _number(value):
        raise _refusal(value, name, _("a finite number"))
    return float(value)


def positive(value: object, name: str) -> float:
    """A finite number above 0."""
    if not (_number(value) and value > 0):
        raise _refusal(value, name, _("a finite number above 0"))
    return float(value)


def optional_positive(value: object, name: str) -> float | None:
    """A finite number above 0, or None."""
    if value is None:
        return None
    if not (_number(value) and value > 0):
        raise _refusal(value, name, _("a finite number above 0, or None"))
    return float(value)


def optional_id(value: object, name: str) -> int | None:
    """A whole number, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise _refusal(value, name, _("a whole number, such as -1, or None"))
    return int(value)


def optional_whole(value: object, name: str) -> int | None:
    """A whole number, at least 1, or None."""
    return None if value is None else whole(value, name)


def from_zero(value: object, name: str) -> float:
    """A finite number, at least 0."""
    if not (_number(value) and value >= 0):
        raise _refusal(value, name, _("a finite number from 0"))
    return float(value)


def below_one(value: object, name: str) -> float:
    """A number from 0 to below 1."""
    if not (_number(value) and 0 <= value < 1):
        raise _refusal(value, name, _("a number from 0 to below 1"))
    return float(value)


def unit(value: object, name: str) -> float:
    """A number from 0 to 1."""
    if not (_number(value) and 0 <= value <= 1):
        raise _refusal(value, name, _("a number from 0 to 1"))
    return float(value)


def rate_factor(value: object, name: str) -> float:
    """A number above 0 and at most 1."""
    if not (_number(value) and 0 < value <= 1):
        raise _refusal(value, name, _("a number above 0 and at most 1"))
    return float(value)


def whole(value: object, name: str) -> int:
    """A whole number, at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise _refusal(value, name, _("a whole number from 1"))
    return int(value)


def language(lang: str | None) -> str:
    """The name of a language, checked; None is the one that `CHAINRULE_LANG` names, else English."""
    if lang is None:
        return chosen()
    if lang not in LANGUAGES:
        raise SettingError(
            _("lang={lang!r} is not known; {nearest}.", lang=lang, nearest=nearest(lang, LANGUAGES))
        )
    return lang
