"""The page at which pupils join a class: one field, for the code that the teacher shows."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from starlette.responses import HTMLResponse
from starlette.types import Scope

from chainrule.lang.messages import Text, _
from chainrule.playground.server.answers import language_asked

__all__ = ["join_page"]

STYLE = """
:root{color-scheme:light dark}
body{margin:0;min-height:100vh;display:grid;place-items:center;
  font:17px/1.5 "Helvetica Neue",Arial,sans-serif}
main{padding:24px;max-width:420px}
h1{margin:0 0 16px;font:italic 34px/1 "Times New Roman",Georgia,serif}
label{display:block;margin-bottom:6px}
input,button{font:inherit;min-height:48px;box-sizing:border-box;border-radius:6px}
input{width:100%;padding:0 12px;border:1px solid GrayText;font-size:24px;
  letter-spacing:.12em;text-transform:uppercase}
button{width:100%;margin-top:12px;border:0;background:#0063a3;color:#fff;font-weight:600;cursor:pointer}
p.wrong{padding-left:10px;border-left:4px solid #d45d00}
"""
POLICY = (
    "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'; img-src data:"
)
PAGE = """<!doctype html>
<html lang="{tag}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="data:,"><style>{style}</style></head>
<body><main><h1>chainrule</h1>{wrong}
<form action="/" method="get"><label for="code">{label}</label>
<input id="code" name="token" autocomplete="off" autocapitalize="characters"
  spellcheck="false" required autofocus>
<button>{button}</button></form></main></body>
</html>
"""
TAGS = {"en": "en", "zh": "zh-CN"}


def join_page(scope: Scope, wrong: Text | None = None) -> HTMLResponse:
    """The page, in the language of who asks, perhaps with a sentence on what was wrong."""
    lang = language_asked(scope["headers"])
    said = {
        "title": _("Join the class"),
        "label": _("The code that your teacher shows"),
        "button": _("Join"),
    }
    told = f'<p class="wrong" role="alert">{escape(wrong.said(lang, "page"))}</p>' if wrong else ""
    page = PAGE.format(
        tag=TAGS[lang],
        style=STYLE,
        wrong=told,
        **{name: escape(text.said(lang, "page")) for name, text in said.items()},
    )
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = {"content-security-policy": POLICY.format(digest=digest)}
    return HTMLResponse(page, 403 if wrong else 200, policy)
