"""The language of a run: that of `--lang`, else `CHAINRULE_LANG`, else the user's locale, else English.

While a run lasts, `CHAINRULE_LANG` names its language: so the whole library speaks it.
"""

from __future__ import annotations

import gettext
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from chainrule.cli.terminal import tongue
from chainrule.errors import nearest, shown
from chainrule.lang.catalogue import LOCALE
from chainrule.lang.languages import LANGUAGES, chosen, from_environment, language_of
from chainrule.lang.messages import Text, _

if TYPE_CHECKING:
    _Kind = click.ParamType[Any]
else:
    _Kind = click.ParamType  # not generic before click 8.2

__all__ = ["OPTION", "Language", "asked_for", "clicks_words", "current", "decided", "spoken_in"]

OPTION, VARIABLE = "--lang", "CHAINRULE_LANG"
#: Where the contexts of a run keep what `--lang` says.
_KEY = "chainrule.lang"


def current() -> str:
    """The language of this run, in which its pictures and reports are written."""
    return chosen()


def decided(line: Sequence[str], env: Mapping[str, str] = os.environ) -> tuple[str, Text | None]:
    """The language of a command line, before anything else of it is read; and what is wrong, if it is.

    >>> decided(["train", "--lang", "zh_CN"], {})[0], decided([], {"LANG": "zh_CN.UTF-8"})[0]
    ('zh', 'zh')
    >>> print(decided([], {"CHAINRULE_LANG": "fr"})[1])
    CHAINRULE_LANG: got 'fr'; allowed: en, zh.
    """
    if found := language_of(_named(line)):  # what is wrong with another, click will find
        return found, None
    value = env.get(VARIABLE, "")
    if value and language_of(value) is None:
        return from_environment(env), _("{name}: {problem}", name=VARIABLE, problem=_unknown(value))
    return from_environment(env), None


def _named(line: Sequence[str]) -> str:
    """The value of the first --lang on a command line."""
    for i, word in enumerate(line):
        if word == "--":
            break
        if word == OPTION:
            return line[i + 1] if i + 1 < len(line) else ""
        if word.startswith(f"{OPTION}="):
            return word.partition("=")[2]
    return ""


def _unknown(value: str) -> Text:
    return _(
        "got {value}; {nearest}.", value=shown(value), nearest=nearest(value.lower(), LANGUAGES)
    )


class Language(_Kind):
    """One of the languages, by its name or that of a locale."""

    name = "language"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """The language, or an error that names those there are."""
        found = language_of(str(value))
        if found is None:
            self.fail(_unknown(str(value)), param, ctx)
        return found

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """The languages, for the help."""
        return f"[{'|'.join(LANGUAGES)}]"


def keep(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Keep what `--lang` says, before the command or behind it."""
    if value is None:
        return
    if _KEY in ctx.meta:
        raise click.UsageError(_("{name} is given twice. Give it once.", name=OPTION), ctx)
    ctx.meta[_KEY] = value


def asked_for(ctx: click.Context) -> str | None:
    """The language that `--lang` names, None where it is not given."""
    found: str | None = ctx.meta.get(_KEY)
    return found


@contextmanager
def spoken_in(lang: str) -> Iterator[None]:
    """Let this be the language of a run."""
    with _environment(VARIABLE, lang):
        yield


@contextmanager
def clicks_words() -> Iterator[None]:
    """Let click find its own words, which it asks gettext for, in our catalogue."""
    domain = gettext.textdomain()
    gettext.bindtextdomain("chainrule", LOCALE)
    gettext.textdomain("chainrule")
    try:
        with _environment("LANGUAGE", tongue()):
            yield
    finally:
        gettext.textdomain(domain)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
