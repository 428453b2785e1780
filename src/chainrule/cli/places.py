"""Where a command writes: a named file, and never over what it reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from chainrule.errors import SettingError, shown
from chainrule.lang.messages import Text, _, sentences

if TYPE_CHECKING:
    _Kind = click.ParamType[Any]
else:
    _Kind = click.ParamType  # not generic before click 8.2

__all__ = ["Place", "free_name", "keep_apart"]


class Place(_Kind):
    """The name of a file or folder to write; "-" would be standard output elsewhere."""

    name = "file"

    def __init__(self, dash: Text | None = None, folder: bool = False) -> None:
        #: What to do in place of "-".
        self.dash = dash
        self.folder = folder

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """The name, or an error that says what is allowed."""
        if value in ("", "-"):
            told = (
                _("got {value}; give the name of a folder.", value=shown(value))
                if self.folder
                else _("got {value}; give the name of a file.", value=shown(value))
            )
            self.fail(sentences(told, self.dash if value else None), param, ctx)
        return str(value)


def keep_apart(option: str, path: str, others: Mapping[Text, str | None]) -> None:
    """Refuse to write in the place of a file that is read, or written too, by the same command.

    `others` says by what they are where these files lie: {_("the data"): "iris.csv"}.

    >>> keep_apart("--out", "a.csv", {_("the model"): "m.safetensors", _("the data"): None})
    """
    for what, other in others.items():
        if other is None:
            continue
        same = os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)
        if same or os.path.realpath(path) == os.path.realpath(other):
            raise SettingError(
                _(
                    "{option}: {path} is {what}. Name another file.",
                    option=option,
                    path=path,
                    what=what,
                )
            )


def free_name(name: str, force: bool) -> tuple[str, str]:
    """The first free name for a model, and the plain one if that was taken."""
    plain = f"{name}.safetensors"
    if force or not os.path.lexists(plain):
        return plain, ""
    number = 2
    while os.path.lexists(f"{name}-{number}.safetensors"):
        number += 1
    return f"{name}-{number}.safetensors", plain
