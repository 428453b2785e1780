"""A scene as SVG text: the same scene, the same text."""

from __future__ import annotations

import re

from chainrule.drawing.scene import Circle, Layer, Line, Mark, Rectangle, Scene, Text
from chainrule.drawing.theme import DARK, LIGHT

__all__ = ["to_svg"]

FONTS = (
    "'Helvetica Neue', Arial, 'DejaVu Sans', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC',"
    " 'Noto Sans SC', 'WenQuanYi Micro Hei', sans-serif"
)
NAME_FONTS = (
    "'STIX Two Text', 'Times New Roman', 'DejaVu Serif', 'Songti SC', SimSun,"
    " 'Noto Serif CJK SC', serif"
)
#: Characters that XML forbids.
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_svg(scene: Scene, theme: str) -> str:
    """The scene as an SVG document that uses no script, no other file, and no ids."""
    colours = DARK if theme == "dark" else LIGHT
    w, h = _number(scene.width), _number(scene.height)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}"'
        f' class="chainrule-{theme}" font-family="{FONTS}" role="img">',
        f"<title>{_text(scene.title)}</title>",
    ]
    if theme == "auto":
        lines.append(_dark_style())
    lines.append(f'<rect width="{w}" height="{h}" {_colour("fill", "paper", colours)}/>')
    for layer in scene.layers:
        lines += _group(layer, colours)
    lines.append("</svg>")
    return "\n".join(lines) + "\n"


def _dark_style() -> str:
    """A style that turns the light colours into the dark ones where the reader prefers dark."""
    rules = []
    for role, colour in DARK.items():
        name = role.replace(" ", "-")
        rules.append(f".chainrule-auto .f-{name}{{fill:{colour}}}")
        rules.append(f".chainrule-auto .s-{name}{{stroke:{colour}}}")
    inside = "".join(rules)
    return f"<style>@media screen and (prefers-color-scheme:dark){{{inside}}}</style>"


def _group(layer: Layer, colours: dict[str, str]) -> list[str]:
    faint = ' opacity="0.3"' if layer.faint else ""
    shows = f' data-{layer.shows[0]}="{_text(layer.shows[1])}"' if layer.shows else ""
    lines = [f'<g class="{layer.kind}"{faint}{shows}>']
    if layer.title:
        lines.append(f"<title>{_text(layer.title)}</title>")
    elements = [_element(mark, colours) for mark in layer.marks]
    if layer.back is not None:
        elements.insert(layer.back, '<g class="back">')
        elements.append("</g>")
    return [*lines, *elements, "</g>"]


def _element(mark: Mark, colours: dict[str, str]) -> str:
    if isinstance(mark, Text):
        return _text_element(mark, colours)
    paint = _paint(mark, colours)
    if isinstance(mark, Circle):
        return (
            f'<circle cx="{_number(mark.x)}" cy="{_number(mark.y)}" r="{_number(mark.r)}" {paint}/>'
        )
    if isinstance(mark, Rectangle):
        corner = f' rx="{_number(mark.r)}"' if mark.r else ""
        dash = ' stroke-dasharray="4 3"' if mark.dashed else ""
        return (
            f'<rect x="{_number(mark.x)}" y="{_number(mark.y)}" width="{_number(mark.width)}"'
            f' height="{_number(mark.height)}"{corner} {paint}{dash}/>'
        )
    d = "".join(str(step[0]) + " ".join(_number(float(v)) for v in step[1:]) for step in mark.steps)
    return f'<path d="{d}" {paint}/>'


def _paint(mark: Circle | Rectangle | Line, colours: dict[str, str]) -> str:
    classes, attributes = [], []
    for what, role in (("fill", mark.fill), ("stroke", mark.stroke)):
        if role == "none":
            if what == "fill":
                attributes.append('fill="none"')
            continue
        classes.append(f"{what[0]}-{role.replace(' ', '-')}")
        attributes.append(f'{what}="{colours[role]}"')
    if mark.stroke != "none":
        attributes.append(f'stroke-width="{_number(mark.stroke_width)}"')
    if isinstance(mark, Rectangle | Line) and mark.strength != 1.0:
        what = "fill" if mark.fill != "none" else "stroke"
        attributes.append(f'{what}-opacity="{_number(mark.strength)}"')
    named = f'class="{" ".join(classes)}" ' if classes else ""
    return named + " ".join(attributes)


def _colour(what: str, role: str, colours: dict[str, str]) -> str:
    return f'class="{what[0]}-{role.replace(" ", "-")}" {what}="{colours[role]}"'


def _text_element(mark: Text, colours: dict[str, str]) -> str:
    role = f" {mark.role}" if mark.role else ""
    style = ' font-weight="bold"' if mark.bold else ""
    if mark.name:
        style += f' font-style="italic" font-family="{NAME_FONTS}"'
    anchor = "" if mark.anchor == "start" else f' text-anchor="{mark.anchor}"'
    return (
        f'<text class="f-{mark.fill.replace(" ", "-")}{role}" x="{_number(mark.x)}"'
        f' y="{_number(mark.y)}" font-size="{_number(mark.size)}"{anchor}{style}'
        f' fill="{colours[mark.fill]}">{_text(mark.text)}</text>'
    )


def _number(value: float) -> str:
    """At most two decimals, and no more characters than needed."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _text(text: str) -> str:
    text = _FORBIDDEN.sub("\ufffd", text)
    return (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )
