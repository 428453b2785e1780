"""The book's picture of a graph: thin black arrows forward, thick blue ones back.

The value is above its arrow, the gradient below; the names of inputs and parameters are at the
start of their arrows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from chainrule.drawing.diagram import Arrow, Diagram, Group, Run, Vertex
from chainrule.drawing.layout import lay_out
from chainrule.drawing.layout.columns import in_order
from chainrule.drawing.panels import (
    Panel,
    array_panel,
    beside,
    stacked,
    text_panel,
    verdict_panel,
)
from chainrule.drawing.rows import in_rows
from chainrule.drawing.scene import Layer as Painted
from chainrule.drawing.scene import Line, Mark, Rectangle, Scene, Text, shifted
from chainrule.drawing.symbols import (
    APART,
    arrowhead,
    box_vertex,
    constant_vertex,
    dot_vertex,
    name_vertex,
    symbol_vertex,
)
from chainrule.drawing.text import text_width, wrapped
from chainrule.drawing.units import End, Flow, Leaf, Middle, Split, Unit, Units
from chainrule.graph.scopes import Scope
from chainrule.graph.variable import Array, Parameter, Variable
from chainrule.graph.wording import in_letters, shape_text
from chainrule.lang.messages import _, _n, in_language, listed
from chainrule.nodes import Branch, Cast, Repeat

__all__ = ["Label", "Options", "diagram_of", "painted", "scene_of"]

#: Free space between an arrow and its label.
AIR = 4.0

#: The words for the verdict on a gradient, the worst first.
VERDICTS = {
    "wrong": _("checked: WRONG"),
    "not finite": _("not checked: not finite"),
    "kink": _("checked: right, at a kink"),
    "ok": _("checked: right"),
}
#: The height of a line of text below the picture, and the least width of such lines.
NOTE, NARROW = 17, 460.0
#: The most arrows inside a folded layer, and the most overflows, that are listed.
MOST = 4


@dataclass(slots=True, frozen=True)
class Options:
    """What is shown on the arrows, and how."""

    values: bool = True
    shapes: bool = True
    gradients: Mapping[Variable, Array] = field(default_factory=dict)
    #: The names that the user gives to arrows, and the generated names of all.
    names: Mapping[Variable, str] = field(default_factory=dict)
    made: Mapping[Variable, str] = field(default_factory=dict)
    highlight: Collection[Variable] = ()
    #: The verdicts on gradients, and the reason of each, a sentence.
    verdicts: Mapping[Variable, str] = field(default_factory=dict)
    reasons: Mapping[Variable, str] = field(default_factory=dict)
    #: A sentence on every value, and every gradient, that is not finite where a simpler picture's is.
    overflows: Mapping[Variable, str] = field(default_factory=dict)
    gradient_overflows: Mapping[Variable, str] = field(default_factory=dict)
    #: A wider picture is continued in rows; None: never.
    width: float | None = None
    lang: str = "en"
    title: str = ""

    def name(self, v: Variable) -> str:
        """The name of a Variable in the picture."""
        return self.names.get(v) or self.made.get(v) or v.name or ""


@dataclass(slots=True, frozen=True)
class Heading:
    """The heading of an unfolded layer, and the layer's name in the graph."""

    title: str
    layer: str


@dataclass(slots=True, frozen=True)
class Label:
    """The label of an arrow: the panels above and below it, and its title in words."""

    above: Panel
    below: Panel
    title: str
    back: bool
    highlight: bool
    #: The arrow's name in the graph, empty if it is in none, and its name in the picture.
    arrow: str = ""
    name: str = ""

    def name_beyond(self, side: int) -> Vertex:
        """The name at the end (-1) of an arrow that continues in a later row, or at its start there (1)."""
        return name_vertex(f"{self.name} …" if side < 0 else f"… {self.name}", self.title, side)

    def without_numbers(self) -> Label:
        """The label of the arrow's second part; the numbers are shown at the first."""
        nothing = Panel(0.0, 0.0)
        return replace(self, above=nothing, below=nothing)


def diagram_of(units: Units, options: Options) -> Diagram:
    """The diagram to lay out: vertices and labels with their sizes."""
    diagram = Diagram()
    groups: dict[Scope | None, Group | None] = {None: None}
    for scope in units.layers:
        heading = Heading(units.title(scope), units.graph.layers[scope])
        width = text_width(heading.title, 12.5) * 1.08 + 8.0
        groups[scope] = Group(width, 24.0, content=heading)
    for scope in units.layers:
        group = groups[scope]
        assert group is not None
        group.outer = groups[units.outer(scope)]
        diagram.groups.append(group)
    vertices: dict[Unit, Vertex] = {}
    numbers: dict[Unit, int] = {node: i for i, node in enumerate(units.graph.nodes)}
    for unit in units.things:
        vertex = vertices[unit] = _vertex(unit, units, options)
        vertex.content.shows = _shown(unit, units, numbers)
        vertex.group = groups[units.place[unit]]
        diagram.vertices.append(vertex)
    weights = _weights(units)
    for flow in units.flows:
        diagram.arrows.append(_arrow(flow, weights[flow], vertices, units, options))
    return diagram


def _shown(unit: Unit, units: Units, numbers: Mapping[Unit, int]) -> tuple[str, str] | None:
    """What a vertex shows of the graph, for the `data-` attributes of the SVG."""
    if unit in numbers:
        return "node", str(numbers[unit])
    if isinstance(unit, Scope):
        return "layer", units.graph.layers[unit]
    if isinstance(unit, Leaf | End | Split) and unit.variable.scalar is None:
        return "arrow", units.graph.names[unit.variable]
    return None


def _vertex(unit: Unit, units: Units, options: Options) -> Vertex:
    if isinstance(unit, Leaf):
        v = unit.variable
        if unit.constant is not None:
            return constant_vertex(unit.constant)
        return name_vertex(options.name(v), _described(v, options), 1)
    if isinstance(unit, End):
        return name_vertex(options.name(unit.variable), "", -1)
    if isinstance(unit, Split):
        return dot_vertex("Branch", back=False)
    if isinstance(unit, Branch):
        return dot_vertex(repr(unit), back=unit.inputs[0] in options.gradients)
    if isinstance(unit, Middle):
        title = _n("{n:,} node", "{n:,} nodes", unit.count).said(options.lang)
        signs, lines_inside = _inside(unit, units, options)
        return box_vertex(title, [], "\n".join(lines_inside), signs)
    if isinstance(unit, Scope):
        named = getattr(unit.layer, "named_parameters", None)  # a layer by hand has none
        parameters = {} if named is None else named()
        lines = [
            f"{options.name(p) or name} {shape_text(p.shape)}" for name, p in parameters.items()
        ]
        lines = _few(lines, options.lang)
        signs, lines_inside = _inside(unit, units, options)
        return box_vertex(
            units.title(unit), lines, "\n".join([repr(unit.layer), *lines_inside]), signs
        )
    scope = units.graph.scopes.get(unit)
    place = f" · {units.graph.layers[scope]}" if scope is not None else ""
    formula = in_language(in_letters(unit), options.lang)
    says = formula
    if not says and options.lang == "en":  # a node of one's own, in the words of its author
        says = (type(unit).__doc__ or "").strip().split("\n")[0]
    return symbol_vertex(unit.symbol or unit.label, f"{unit!r}{place}\n{says}".strip())


def _inside(unit: Scope | Middle, units: Units, options: Options) -> tuple[list[Panel], list[str]]:
    """The signs on a folded box for its worst verdict and its overflows; and the same in words."""
    arrows = units.hidden.get(unit, [])
    signs: list[Panel] = []
    judged: list[str] = []
    verdicts = {options.verdicts[v] for v in arrows if v in options.verdicts}
    for verdict in VERDICTS:
        if verdict in verdicts:
            signs.append(verdict_panel(verdict))
            judged += [
                f"∂{options.name(v)} {_verdict_text(v, options)}"
                for v in arrows
                if options.verdicts.get(v) == verdict
            ]
            break
    over = [
        [texts[v] for v in arrows if v in texts]
        for texts in (options.overflows, options.gradient_overflows)
    ]
    if any(over) and "not finite" not in verdicts:
        signs.append(verdict_panel("not finite"))
    return signs, [line for lines in (judged, *over) for line in _few(lines, options.lang)]


def _few(lines: Sequence[str], lang: str) -> list[str]:
    """The first few of them, and how many more there are."""
    more = len(lines) - MOST
    return [*lines[:MOST], *([_("… and {n} more", n=more).said(lang)] if more > 0 else [])]


def _verdict_text(v: Variable, options: Options) -> str:
    """The verdict on a gradient, and why."""
    text = VERDICTS[options.verdicts[v]]
    reason = options.reasons.get(v)
    return (listed([text, reason], "clauses") if reason else text).said(options.lang)


def _described(v: Variable, options: Options) -> str:
    """A Variable in words: name, shape, dtype, value, gradient, verdict."""
    lang = options.lang
    shape = shape_text(v.shape) if v.ndim else ""
    lines = [" ".join(filter(None, (options.name(v), shape, str(v.dtype))))]
    lines.append(_("value: {numbers}", numbers=_in_full(v.data)).said(lang))
    if v in options.gradients:
        lines.append(_("gradient: {numbers}", numbers=_in_full(options.gradients[v])).said(lang))
    if v in options.verdicts:
        lines.append(_verdict_text(v, options))
    lines += [texts[v] for texts in (options.overflows, options.gradient_overflows) if v in texts]
    return "\n".join(lines)


def _in_full(array: Array) -> str:
    return np.array2string(
        np.asarray(array), precision=6, threshold=60, edgeitems=3, separator=", "
    )


def _arrow(
    flow: Flow,
    weight: float,
    vertices: Mapping[Unit, Vertex],
    units: Units,
    options: Options,
) -> Arrow:
    v = flow.variable
    # The number of a constant is at its leaf; that of a value that splits is shown once.
    constant = isinstance(flow.source, Leaf) and flow.source.constant is not None
    shown_elsewhere = constant or isinstance(flow.source, Split)
    gradient = options.gradients.get(v)
    above: list[Panel] = []
    below: list[Panel] = []
    if not shown_elsewhere:
        # A leaf and an end have their name beside them already.
        # So has what comes out of a branch.
        named = isinstance(flow.source, Leaf | Branch) or isinstance(flow.target, End)
        above += _caption(v, options, named=not named)
        if options.values:
            above.append(array_panel(v.data, "value", "ink"))
        if v in options.overflows:
            mark = verdict_panel("not finite")
            above = [*above[:-1], beside(above[-1], mark)] if above else [mark]
    if gradient is not None:
        below.append(array_panel(np.asarray(gradient), "gradient", "gradient"))
    verdict = options.verdicts.get(v, "not finite" if v in options.gradient_overflows else None)
    if verdict is not None:
        mark = verdict_panel(verdict)
        below = [beside(below[0], mark)] if below else [mark]
    label = Label(
        stacked(above), stacked(below), "" if constant else _described(v, options),
        gradient is not None, v in options.highlight, units.graph.names.get(v, ""),
        options.name(v),
    )  # fmt: skip
    return Arrow(
        vertices[flow.source],
        vertices[flow.target],
        width=math.ceil(max(label.above.width, label.below.width)),
        above=math.ceil(label.above.height + AIR + APART),
        below=math.ceil(label.below.height + AIR + APART + 2),
        weight=weight,
        content=label,
    )


def _caption(v: Variable, options: Options, *, named: bool) -> list[Panel]:
    """The name and the shape, in one line; a generated name is small."""
    shape = shape_text(v.shape) if options.shapes and v.ndim else ""
    parts = []
    if named and (v in options.names or v.name):
        parts = [text_panel(options.name(v), 14, name=True, role="name")]
    elif named and options.name(v):
        parts = [text_panel(options.name(v), 10.5, "muted", name=True, role="made")]
    if shape:
        parts.append(text_panel(shape, 10.5, "muted", "shape"))
    # Space for the slant of a name in italics.
    return [beside(parts[0], parts[1], 9.0)] if len(parts) == 2 else parts


def _weights(units: Units) -> dict[Flow, float]:
    """The weight of each arrow in the layout: largest on a node's longest path, smallest for inputs."""
    number = {unit: i for i, unit in enumerate(units.things)}
    links = [(number[flow.source], number[flow.target]) for flow in units.flows]
    out: list[list[int]] = [[] for _ in number]
    for tail, head in links:
        out[tail].append(head)
    # A node that only copies numbers, such as the Repeat of a bias, does not count for the path's length.
    steps = [0 if isinstance(unit, Leaf | Split | Branch | Repeat | Cast) else 1 for unit in number]
    arrives = [-1 if isinstance(unit, Leaf) and _is_given(unit) else 0 for unit in number]
    for i in in_order(len(number), links):
        for j in out[i]:
            arrives[j] = max(arrives[j], arrives[i] + steps[i])
    data = Counter(head for tail, head in links if arrives[tail] + steps[tail] >= 0)
    weights = {}
    for flow, (tail, head) in zip(units.flows, links, strict=True):
        here = arrives[tail] + steps[tail]
        if here < 0:
            weights[flow] = 1.0 if isinstance(flow.source, Leaf) else 1.5
        elif isinstance(flow.source, Leaf) and data[head] > 1:
            weights[flow] = 2.0
        else:
            weights[flow] = 3.0 if here == arrives[head] else 2.5
    return weights


def _is_given(leaf: Leaf) -> bool:
    """Whether a leaf is part of the function, a parameter or a constant, and not an input."""
    return leaf.constant is not None or isinstance(leaf.variable, Parameter)


def scene_of(diagram: Diagram, options: Options) -> Scene:
    """The laid-out picture: boxes at the back, then arrows, nodes, and labels."""
    lay_out(diagram)
    if options.width is not None:
        diagram = in_rows(diagram, options.width)
    return painted(diagram, options)


def painted(diagram: Diagram, options: Options) -> Scene:
    """The picture of a diagram that is laid out already."""
    title = options.title or _("computational graph").said(options.lang)
    notes = _notes(options, max(diagram.width, NARROW))
    wide = max([diagram.width, *(12 + text_width(m.text, m.size) + 12 for m in notes)])
    scene = Scene(math.ceil(wide), math.ceil(diagram.height) + NOTE * len(notes), title)
    scene.layers += [_box(group) for group in diagram.groups]
    some = bool(options.highlight)
    scene.layers += [_drawn(arrow, some) for arrow in diagram.arrows]
    scene.layers += [vertex.content.paint(vertex) for vertex in diagram.vertices]
    if notes:
        below = [shifted(mark, 0.0, diagram.height) for mark in notes]
        scene.layers.append(Painted("notes", "", below))
    return scene


def _notes(options: Options, width: float) -> list[Text]:
    """The lines below the picture: the overflows of the detail, forwards and then backwards."""
    sentences = [
        line
        for texts in (options.overflows, options.gradient_overflows)
        for line in _few([f"! {text}" for text in texts.values()], options.lang)
    ]
    lines = [line for text in sentences for line in wrapped(text, 11.5, width - 24.0, "   ")]
    return [
        Text(12.0, NOTE * i + 8.0, line, 11.5, "bad", "start", role="note")
        for i, line in enumerate(lines)
    ]


def _box(group: Group) -> Painted:
    heading: Heading = group.content
    fill = "box" if group.outer is None else "inner box"
    box = Rectangle(
        group.x, group.y, group.width, group.height, 8.0, fill, "box line", 1.0, dashed=True
    )
    name = Text(
        group.x + 10.0, group.y + 17.0, heading.title, 12.5, "muted", "start", bold=True,
        role="layer",
    )  # fmt: skip
    return Painted("layer", heading.title, [box, name], shows=("layer", heading.layer))


def _drawn(arrow: Arrow, some_highlighted: bool) -> Painted:
    label: Label = arrow.content
    marks: list[Mark] = []
    x, y = arrow.label_x, arrow.label_y
    shift = APART if label.back or arrow.source.content.outline == "two dots" else 0.0
    if label.highlight:
        halo = _path(arrow.runs, 0.0)
        marks.append(Line(halo, stroke="highlight", stroke_width=18.0, strength=0.45))
    marks += _forward(arrow, -shift)
    if label.above.marks:
        marks += label.above.at(x, y - shift - AIR - label.above.height)
    ahead = len(marks)
    if label.back:
        marks += _backward(arrow, shift)
    if label.below.marks:
        marks += label.below.at(x, y + shift + AIR + 2)
    faint = some_highlighted and not label.highlight
    shows = ("arrow", label.arrow) if label.arrow else None
    back = ahead if len(marks) > ahead else None
    return Painted("arrow", label.title, marks, faint, shows, back)


def _outline(vertex: Vertex, dy: float) -> float:
    """The horizontal distance from a vertex's centre to its outline, at a vertical offset."""
    half = vertex.width / 2
    if not vertex.round:
        return half
    r = vertex.height / 2
    return half - r + math.sqrt(max(r * r - dy * dy, 0.0))


def _ends(arrow: Arrow, shift: float) -> list[Run]:
    """The runs, cut at the outlines where the shifted arrow meets them."""
    runs = list(arrow.runs)
    dy = runs[0].y + shift - arrow.source.y
    start = arrow.source.x + _outline(arrow.source, dy)
    runs[0] = Run(start, max(runs[0].right, start), runs[0].y)
    dy = runs[-1].y + shift - arrow.target.y
    end = arrow.target.x - _outline(arrow.target, dy)
    runs[-1] = Run(min(runs[-1].left, end), end, runs[-1].y)
    return runs


def _forward(arrow: Arrow, shift: float) -> list[Mark]:
    runs = _ends(arrow, shift)
    tip = runs[-1].right
    if arrow.target.content.is_dot:
        return [Line(_path(runs, shift), stroke="ink", stroke_width=1.4)]
    runs[-1] = Run(runs[-1].left, tip - 6.0, runs[-1].y)
    line = Line(_path(runs, shift), stroke="ink", stroke_width=1.4)
    return [line, arrowhead(tip, runs[-1].y + shift, 9.0, 3.4, "ink")]


def _backward(arrow: Arrow, shift: float) -> list[Mark]:
    runs = _ends(arrow, shift)
    if arrow.source.content.is_dot:
        return [Line(_path(runs, shift), stroke="gradient", stroke_width=3.2)]
    tip = runs[0].left + 1.0
    runs[0] = Run(tip + 8.0, max(runs[0].right, tip + 8.0), runs[0].y)
    line = Line(_path(runs, shift), stroke="gradient", stroke_width=3.2)
    return [line, arrowhead(tip, runs[0].y + shift, -11.0, 5.2, "gradient")]


def _path(runs: list[Run], shift: float) -> tuple[tuple[str | float, ...], ...]:
    """Horizontal runs joined by curves, all `shift` lower; steep curves are shifted sideways."""
    steps: list[tuple[str | float, ...]] = [("M", runs[0].left, runs[0].y + shift)]
    for i, run in enumerate(runs):
        if i:
            before = runs[i - 1]
            width, rise = run.left - before.right, run.y - before.y
            middle = (before.right + run.left) / 2
            lean = min(1.0, abs(rise) / max(width, 1.0)) * math.copysign(1.0, rise)
            middle -= lean * shift
            steps.append(
                ("C", middle, before.y + shift, middle, run.y + shift, run.left, run.y + shift)
            )
        steps.append(("L", run.right, run.y + shift))
    return tuple(steps)
