"""Checks of the numbers a user sets: each gives the number back, or raises and names the setting."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from chainrule.errors import SettingError, shown

__all__ = [
    "Check",
    "below_one",
    "finite",
    "from_zero",
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


def _refuse(value: Any, name: str, allowed: str) -> SettingError:
    return SettingError(f"{name}={shown(value)} must be {allowed}.")


def finite(value: Any, name: str) -> float:
    """Any finite number."""
    if not _number(value):
        raise _refuse(value, name, "a finite number")
    return float(value)


def positive(value: Any, name: str) -> float:
    """A finite number above 0."""
    if not (_number(value) and value > 0):
        raise _refuse(value, name, "a finite number above 0")
    return float(value)


def optional_positive(value: Any, name: str) -> float | None:
    """A finite number above 0, or None for none."""
    if value is None:
        return None
    if not (_number(value) and value > 0):
        raise _refuse(value, name, "a finite number above 0, or None")
    return float(value)


def optional_id(value: Any, name: str) -> int | None:
    """A whole number, or None for none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise _refuse(value, name, "a whole number, such as -1, or None")
    return int(value)


def from_zero(value: Any, name: str) -> float:
    """A finite number from 0."""
    if not (_number(value) and value >= 0):
        raise _refuse(value, name, "a finite number from 0")
    return float(value)


def below_one(value: Any, name: str) -> float:
    """A number from 0 to below 1."""
    if not (_number(value) and 0 <= value < 1):
        raise _refuse(value, name, "a number from 0 to below 1")
    return float(value)


def unit(value: Any, name: str) -> float:
    """A number from 0 to 1."""
    if not (_number(value) and 0 <= value <= 1):
        raise _refuse(value, name, "a number from 0 to 1")
    return float(value)


def rate_factor(value: Any, name: str) -> float:
    """A number above 0 and at most 1."""
    if not (_number(value) and 0 < value <= 1):
        raise _refuse(value, name, "a number above 0 and at most 1")
    return float(value)


def whole(value: Any, name: str) -> int:
    """A whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise _refuse(value, name, "a whole number from 1")
    return int(value)
