"""The languages of messages, and which one the environment chooses."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["LANGUAGES", "chosen", "from_environment", "language_of"]

LANGUAGES = ("en", "zh")
#: Tags that mean simplified Chinese; a reader of zh_TW is better served in English.
_SIMPLIFIED = ("zh", "zh-cn", "zh-sg", "zh-my", "zh-hans")


def language_of(tag: str) -> str | None:
    """The language of a language tag or a locale's name; None if it is not supported.

    >>> [language_of(tag) for tag in ("zh", "zh_CN.UTF-8", "zh-Hans-CN", "en_GB", "C", "de", "zh_TW")]
    ['zh', 'zh', 'zh', 'en', 'en', None, None]
    """
    plain = tag.partition(".")[0].partition("@")[0].replace("_", "-").lower()
    if plain in _SIMPLIFIED or plain.startswith("zh-hans-"):
        return "zh"
    return "en" if plain in ("c", "posix") or plain.split("-")[0] == "en" else None


def chosen(env: Mapping[str, str] = os.environ) -> str:
    """The language that `CHAINRULE_LANG` names; English if it names none that is supported."""
    return language_of(env.get("CHAINRULE_LANG", "")) or "en"


def from_environment(env: Mapping[str, str] = os.environ) -> str:
    """The language of the command: `CHAINRULE_LANG`, else that of the user's locale, else English.

    >>> from_environment({"LANG": "zh_CN.UTF-8"}), from_environment({"LC_ALL": "C", "LANG": "zh_CN"})
    ('zh', 'en')
    >>> from_environment({"LANG": "de_DE.UTF-8", "LANGUAGE": "de:zh_CN:en"})
    'zh'
    """
    if named := language_of(env.get("CHAINRULE_LANG", "")):
        return named
    # As gettext reads them: the locale is the first of LC_ALL, LC_MESSAGES, LANG; LANGUAGE is a list of
    # preferences, which counts unless the locale is C.
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((env[name] for name in names if env.get(name)), "")
    plain = locale.partition(".")[0] in ("", "C", "POSIX")
    preferences = [] if plain else env.get("LANGUAGE", "").split(":")
    return next(filter(None, map(language_of, filter(None, [*preferences, locale]))), "en")
