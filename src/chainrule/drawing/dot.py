"""A diagram in Graphviz's language: the same nodes, layers and labels, laid out by Graphviz."""

from __future__ import annotations

from chainrule.drawing.diagram import Diagram, Group, Vertex
from chainrule.drawing.panels import Panel
from chainrule.drawing.picture import Label
from chainrule.drawing.scene import Text
from chainrule.drawing.symbols import Look
from chainrule.drawing.theme import LIGHT

__all__ = ["to_dot"]


def to_dot(diagram: Diagram) -> str:
    """The diagram as text for `dot`; an arrow with a gradient is two edges, one of them back."""
    names = {vertex: f"n{i}" for i, vertex in enumerate(diagram.vertices)}
    lines = ["digraph {", "  rankdir=LR;", '  node [fontname="Helvetica"];']
    lines.append('  edge [fontname="Helvetica", fontsize=10];')
    lines += _inside(diagram, names)
    for arrow in diagram.arrows:
        label: Label = arrow.content
        ends = f"{names[arrow.source]} -> {names[arrow.target]}"
        lines.append(f"  {ends} [label={_quoted(_text(label.above))}];")
        if label.back:
            blue = f'dir=back, color="{LIGHT["gradient"]}", fontcolor="{LIGHT["gradient"]}"'
            lines.append(f"  {ends} [{blue}, penwidth=2.5, label={_quoted(_text(label.below))}];")
    return "\n".join([*lines, "}"]) + "\n"


def _inside(diagram: Diagram, names: dict[Vertex, str]) -> list[str]:
    """The lines of the vertices; those of a layer are inside its cluster, and clusters are nested."""
    within: dict[Group | None, list[Vertex]] = {}
    for vertex in diagram.vertices:
        within.setdefault(vertex.group, []).append(vertex)
    children: dict[Group | None, list[Group]] = {}
    for one in diagram.groups:
        children.setdefault(one.outer, []).append(one)
    number = {one: i for i, one in enumerate(diagram.groups)}
    lines: list[str] = []
    stack: list[Group | str | None] = [None]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            lines.append(item)
            continue
        group = item
        if group is not None:
            lines.append(f"  subgraph cluster_{number[group]} {{")
            lines.append(f"    label={_quoted(group.content.title)}; style=dashed;")
            stack.append("  }")
        lines += [f"  {names[v]} [{_style(v)}];" for v in within.get(group, ())]
        stack += reversed(children.get(group, []))
    return lines


def _style(vertex: Vertex) -> str:
    look: Look = vertex.content
    if look.is_dot:
        return "shape=point"
    shape = {"circle": "circle", "stadium": "ellipse", "box": "box"}.get(look.outline, "plaintext")
    return f"shape={shape}, label={_quoted(_text(look.panel))}"


def _text(panel: Panel) -> str:
    """The texts of a panel, line by line."""
    rows: dict[float, list[Text]] = {}
    for mark in panel.marks:
        if isinstance(mark, Text):
            rows.setdefault(mark.y, []).append(mark)
    lines = [sorted(rows[y], key=lambda mark: mark.x) for y in sorted(rows)]
    return "\n".join("  ".join(mark.text for mark in line) for line in lines)


def _quoted(text: str) -> str:
    inside = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{inside}"'
