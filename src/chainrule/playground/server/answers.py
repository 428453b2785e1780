"""Refusals: in plain text; to people who may have come by a friend's link, as a page that explains."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape

from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Scope

from chainrule.lang.languages import LANGUAGES, language_of
from chainrule.lang.messages import Text, _

__all__ = ["explained_refusal", "language_asked", "plain_refusal", "values"]

_STYLE = """
:root { color-scheme: light dark; }
body { max-width: 34rem; margin: 12vh auto; padding: 0 1.5rem; font: 16px/1.6 system-ui, sans-serif;
  color: light-dark(#1c2126, #e6e9ec); background: light-dark(#fff, #16191c); }
h1 { font: italic 1.7rem/1 Georgia, serif; }
section { margin: 2rem 0; padding-left: 1rem; border-left: 4px solid #d55e00; }
section + section { border-color: #0072b2; }
code { padding: 0.1em 0.35em; border-radius: 4px; background: light-dark(#eef1f4, #262b30); }
"""
#: What the page may load: nothing; and it may have this style.
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_STRANGER = _(
    "If somebody sent you this address: it opens in their own browser only. To see the same training, install"
    " chainrule and run {command} with all that follows # in the address.",
    command="chainrule play '#…'",
)


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


def explained_refusal(sentence: Text, scope: Scope) -> Response:
    """The refusal of a browser that is not known, as a page in both languages where a page is asked for."""
    wants = ",".join(values(scope["headers"], b"accept"))
    if scope["type"] != "http" or "text/html" not in wants:
        return plain_refusal(sentence, scope)
    first = language_asked(scope["headers"])
    parts = []
    for lang in sorted(LANGUAGES, key=lambda one: one != first):
        told = "".join(
            f"<p>{_marked(text.said(lang, 'page'))}</p>" for text in (sentence, _STRANGER)
        )
        parts.append(f'<section lang="{"zh-CN" if lang == "zh" else lang}">{told}</section>')
    page = (
        f'<!doctype html><html lang="{first}"><meta charset="utf-8"><title>chainrule</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style><main><h1>chainrule</h1>{''.join(parts)}</main></html>"
    )
    return HTMLResponse(page, 403, headers={"content-security-policy": _POLICY})


def _marked(text: str) -> str:
    """The text as HTML, with commands as code."""
    pieces = (
        escape(text, quote=False).replace("chainrule play '#…'", "`chainrule play '#…'`").split("`")
    )
    return "".join(f"<code>{p}</code>" if k % 2 else p for k, p in enumerate(pieces))


def plain_refusal(sentence: Text, scope: Scope, status: int = 403) -> PlainTextResponse:
    """A refusal in a sentence, in the language of who asked."""
    lang = language_asked(scope["headers"])
    return PlainTextResponse(f"{sentence.said(lang, 'page')}\n", status)
