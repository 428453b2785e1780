"""Where a command writes: a named file, and never over what it reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from chainrule.errors import SettingError, shown

if TYPE_CHECKING:
    _Kind = click.ParamType[Any]
else:
    _Kind = click.ParamType  # not generic before click 8.2

__all__ = ["Place", "free_name", "keep_apart"]


class Place(_Kind):
    """The name of a file or folder to write; "-" would be standard output elsewhere."""

    name = "file"

    def __init__(self, dash: str = "", what: str = "file") -> None:
        #: What to do in place of "-".
        self.dash = dash
        self.what = what

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """The name, or an error that says what is allowed."""
        if value in ("", "-"):
            dash = f" {self.dash}" if value and self.dash else ""
            self.fail(f"got {shown(value)}; give the name of a {self.what}.{dash}", param, ctx)
        return str(value)


def keep_apart(option: str, path: str, others: Mapping[str, str | None]) -> None:
    """Refuse to write in the place of a file that is read, or written too, by the same command.

    `others` says by what they are where these files lie: {"the data": "iris.csv"}.

    >>> keep_apart("--out", "a.csv", {"the model": "m.safetensors", "the data": None})
    """
    for what, other in others.items():
        if other is None:
            continue
        same = os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)
        if same or os.path.realpath(path) == os.path.realpath(other):
            raise SettingError(f"{option}: {path} is {what}. Name another file.")


def free_name(name: str, force: bool) -> tuple[str, str]:
    """The first free name for a model, and a remark if it is not the plain one."""
    plain = f"{name}.safetensors"
    if force or not os.path.lexists(plain):
        return plain, ""
    number = 2
    while os.path.lexists(f"{name}-{number}.safetensors"):
        number += 1
    return f"{name}-{number}.safetensors", f"; {plain} was there already, and stays"
