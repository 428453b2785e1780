"""Reading a picture back: what an SVG file says, in the words of the picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

__all__ = ["DrawnArrow", "arrows", "number_in", "root", "texts"]

SVG = "{http://www.w3.org/2000/svg}"


@dataclass
class DrawnArrow:
    """One arrow: the texts on it, by what they are, and its title."""

    title: str
    texts: dict[str, list[str]] = field(default_factory=dict)
    marks: list[str] = field(default_factory=list)

    @property
    def value(self) -> list[float]:
        """The numbers written above it."""
        return [number_in(t) for t in self.texts.get("value", [])]

    @property
    def gradient(self) -> list[float]:
        """The numbers written below it."""
        return [number_in(t) for t in self.texts.get("gradient", [])]


def root(svg: str) -> ET.Element:
    """The document, parsed as XML."""
    return ET.fromstring(svg)


def number_in(text: str) -> float:
    """A number as a picture writes it."""
    return float(text.replace("−", "-").replace("∞", "inf"))


def arrows(svg: str) -> list[DrawnArrow]:
    """Every arrow of the picture."""
    found = []
    for group in root(svg).iter(f"{SVG}g"):
        if group.get("class") != "arrow":
            continue
        title = group.find(f"{SVG}title")
        arrow = DrawnArrow("" if title is None else title.text or "")
        for element in group.iter():
            names = (element.get("class") or "").split()
            if element.tag == f"{SVG}text":
                arrow.texts.setdefault(names[-1], []).append(element.text or "")
            elif element.tag != f"{SVG}g":
                arrow.marks += names
        found.append(arrow)
    return found


def texts(svg: str, role: str) -> list[str]:
    """Every text of one kind: "name", "symbol", "layer", "constant" ..."""
    return [
        element.text or ""
        for element in root(svg).iter(f"{SVG}text")
        if role in (element.get("class") or "").split()
    ]
