"""The index page of a folder of figures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from chainrule.figures.table import Figure
from chainrule.lang.messages import _

__all__ = ["TITLE", "index_page"]

TITLE = _("Learning of neural networks: the figures")
NOTE = _(
    "Every number in these figures was computed by chainrule when they were drawn. Black arrows:"
    " forward. Thick blue arrows: backward. ← and → turn the pages."
)
STYLE = """
:root{color-scheme:light dark}
body{margin:0;font:16px/1.55 "Helvetica Neue",Arial,"PingFang SC","Microsoft YaHei",
"Noto Sans CJK SC",sans-serif;
background:light-dark(#f3f4f6,#16181c);color:light-dark(#1a1a1a,#ececec)}
header,nav,main{max-width:1080px;margin:auto;padding:0 24px}
h1{font-size:28px;margin:32px 0 4px}header p{margin:0 0 16px;color:light-dark(#555,#aaa)}
nav{columns:3 260px;font-size:14px;margin-bottom:24px}nav a{display:block;color:inherit;padding:1px 0}
figure{background:#fff;color:#1a1a1a;margin:0 0 28px;padding:20px 28px 22px;border-radius:10px;
box-shadow:0 1px 4px #0002;scroll-margin-top:16px;overflow-x:auto}
figure:target{box-shadow:0 0 0 3px #0072b2}
figure img,figure object{display:block;margin:8px auto 12px;max-width:100%;height:auto}
h2{font-size:19px;margin:0}h2 a{color:inherit;text-decoration:none}figcaption p{margin:0;max-width:80ch}
figcaption a{font-size:13px;color:#0072b2}
@media print{body{background:#fff}nav{display:none}figure{break-inside:avoid;box-shadow:none}}
"""
SCRIPT = """
addEventListener("keydown",e=>{
const step={ArrowRight:1,ArrowLeft:-1}[e.key];if(!step||e.altKey||e.ctrlKey||e.metaKey)return;
const all=[...document.querySelectorAll("figure")];
const top=all.findIndex(f=>f.getBoundingClientRect().bottom>40);
const next=all[Math.min(all.length-1,Math.max(0,(top<0?all.length-1:top)+step))];
next.scrollIntoView({behavior:"smooth"});e.preventDefault()})
"""


def index_page(shown: Sequence[tuple[Figure, str]], files: Mapping[str, bytes], lang: str) -> str:
    """The page for figures with their file names; it loads only the files beside it."""
    links = "\n".join(
        f'<a href="#{figure.name}">{escape(figure.heading(lang))}</a>' for figure, _ in shown
    )
    parts = "\n".join(_part(figure, name, files[name], lang) for figure, name in shown)
    language = {"en": "en", "zh": "zh-Hans"}[lang]
    title = TITLE.said(lang)
    return f"""<!doctype html>
<html lang="{language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{STYLE}</style></head>
<body>
<header><h1>{title}</h1><p>{NOTE.said(lang)}</p></header>
<nav>
{links}
</nav>
<main>
{parts}
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _wide(svg: bytes) -> float:
    """The width at which an SVG is shown: 1.3 times its own, for legibility."""
    width = re.search(rb'width="([\d.]+)"', svg)
    return 1.3 * float(width[1]) if width else 0.0


def _part(figure: Figure, name: str, data: bytes, lang: str) -> str:
    heading, caption = escape(figure.heading(lang)), escape(figure.caption.said(lang))
    if name.endswith(".pdf"):
        picture = f'<p><a href="{name}">{name}</a></p>'
    else:
        wide = f' style="width:{_wide(data):.0f}px"' if name.endswith(".svg") else ""
        picture = f'<img src="{name}" alt="{heading}"{wide} loading="lazy">'
    return f"""<figure id="{figure.name}">
<h2><a href="#{figure.name}">{heading}</a></h2>
{picture}
<figcaption><p>{caption}</p><a href="{name}">{name}</a></figcaption>
</figure>"""
