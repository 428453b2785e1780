"""Answers in plain text, to people whose browser shows no page of ours."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import PlainTextResponse
from starlette.types import Scope

from chainrule.lang.languages import language_of
from chainrule.lang.messages import Text

__all__ = ["language_asked", "plain_refusal", "values"]


def values(raw: Iterable[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    """All values of a header; there may be several where there should be one."""
    return [value.decode("latin-1") for name, value in raw if name.lower() == wanted]


def language_asked(raw: Iterable[tuple[bytes, bytes]]) -> str:
    """The first of our languages that a browser asks for, else English.

    >>> language_asked([(b"accept-language", b"de,zh-CN;q=0.9,en;q=0.8")])
    'zh'
    """
    tags = [
        tag.partition(";")[0].strip()
        for v in values(raw, b"accept-language")
        for tag in v.split(",")
    ]
    return next(filter(None, map(language_of, filter(None, tags))), "en")


def plain_refusal(sentence: Text, scope: Scope, status: int = 403) -> PlainTextResponse:
    """A refusal in a sentence, in the language of who asked."""
    lang = language_asked(scope["headers"])
    return PlainTextResponse(f"{sentence.said(lang, 'page')}\n", status)
