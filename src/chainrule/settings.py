"""Checks of the numbers a user sets: each gives the number back, or raises and names the setting."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

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
    "positive",
    "rate_factor",
    "unit",
    "whole",
]

Check: TypeAlias = Callable[[Any, str], Any]


def _number(value: Any) -> bool:
    """Whether it is a finite number; True and False are none."""
    return (
        isinstance(value, int | float | np.integer | np.floating)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def _refuse(value: Any, name: str, allowed: Text) -> SettingError:
    return SettingError(
        _("{name}={value} must be {allowed}.", name=name, value=shown(value), allowed=allowed)
    )


def finite(value: Any, name: str) -> float:
    """Any finite number."""
    if not _number(value):
        raise _refuse(value, name, _("a finite number"))
    return float(value)


def positive(value: Any, name: str) -> float:
    """A finite number above 0."""
    if not (_number(value) and value > 0):
        raise _refuse(value, name, _("a finite number above 0"))
    return float(value)


def optional_positive(value: Any, name: str) -> float | None:
    """A finite number above 0, or None for none."""
    if value is None:
        return None
    if not (_number(value) and value > 0):
        raise _refuse(value, name, _("a finite number above 0, or None"))
    return float(value)


def optional_id(value: Any, name: str) -> int | None:
    """A whole number, or None for none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise _refuse(value, name, _("a whole number, such as -1, or None"))
    return int(value)


def from_zero(value: Any, name: str) -> float:
    """A finite number from 0."""
    if not (_number(value) and value >= 0):
        raise _refuse(value, name, _("a finite number from 0"))
    return float(value)


def below_one(value: Any, name: str) -> float:
    """A number from 0 to below 1."""
    if not (_number(value) and 0 <= value < 1):
        raise _refuse(value, name, _("a number from 0 to below 1"))
    return float(value)


def unit(value: Any, name: str) -> float:
    """A number from 0 to 1."""
    if not (_number(value) and 0 <= value <= 1):
        raise _refuse(value, name, _("a number from 0 to 1"))
    return float(value)


def rate_factor(value: Any, name: str) -> float:
    """A number above 0 and at most 1."""
    if not (_number(value) and 0 < value <= 1):
        raise _refuse(value, name, _("a number above 0 and at most 1"))
    return float(value)


def whole(value: Any, name: str) -> int:
    """A whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise _refuse(value, name, _("a whole number from 1"))
    return int(value)


def language(lang: str | None) -> str:
    """The name of a language; None is the one that `CHAINRULE_LANG` names, else English."""
    if lang is None:
        return chosen()
    if lang not in LANGUAGES:
        raise SettingError(
            _("lang={lang!r} is not known; {nearest}.", lang=lang, nearest=nearest(lang, LANGUAGES))
        )
    return lang
