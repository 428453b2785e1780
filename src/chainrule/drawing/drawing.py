"""Drawing: a picture of a graph, to show in a notebook, or to save."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt

from chainrule.atomic_write import Pathish, write_whole
from chainrule.drawing.diagram import Diagram
from chainrule.drawing.picture import Options, diagram_of, scene_of
from chainrule.drawing.saving import GRAPHS, check_path, format_of
from chainrule.drawing.scene import Scene
from chainrule.drawing.svg import to_svg
from chainrule.drawing.theme import check_theme
from chainrule.drawing.units import MANY, Fold, Names, Units
from chainrule.errors import SettingError, ShapeError, nearest, printable, shown
from chainrule.graph.detail import DetailedGraph, Overflow
from chainrule.graph.graph import Graph
from chainrule.graph.naming import arrow_called
from chainrule.graph.variable import Array, Variable
from chainrule.lang.messages import _, in_language
from chainrule.settings import language, positive

__all__ = ["DrawOptions", "Drawing", "draw_graph"]

#: The default width, in pixels, beyond which a picture continues in rows.
WIDE = 1600.0


class Drawing:
    """The picture of a computation. In a notebook it shows itself.

    >>> import chainrule as cr
    >>> x, y = cr.Variable(2.0, name="x"), cr.Variable(3.0, name="y")
    >>> drawing = (x + y).draw()
    >>> drawing.svg.startswith("<svg"), drawing
    (True, Drawing(3 arrows))
    """

    def __init__(self, diagram: Diagram, options: Options, theme: str) -> None:
        self._diagram, self._options, self._theme = diagram, options, theme
        #: The same graph with the layers unfolded, or folded, if it has layers.
        self._other: Drawing | None = None
        self._folded = False

    @cached_property
    def scene(self) -> Scene:
        """The shapes and texts of the picture, from which every file format is written."""
        return scene_of(self._diagram, self._options)

    @cached_property
    def svg(self) -> str:
        """The picture as SVG text; the same graph gives the same text."""
        return to_svg(self.scene, self._theme)

    def to_dot(self) -> str:
        """The graph in Graphviz's language, for those who want its layouts."""
        from chainrule.drawing.dot import to_dot

        return to_dot(self._diagram)

    def save(self, path: Pathish, *, dpi: float = 192.0) -> None:
        """Write the picture as .svg, .png, .pdf or .dot, by the name's ending; an old file is replaced.

        `dpi` is for PNG: 96 is one dot a pixel. PNG and PDF need the extra [draw].

        Raises:
            SettingError: another ending, or a place where no file can be written.
            ExtraMissingError: matplotlib is missing, or a font for Chinese text.
        """
        check_path(path, GRAPHS)
        write_whole(path, self._bytes(format_of(path), dpi), overwrite=True)

    def _bytes(self, kind: str, dpi: float) -> bytes:
        if kind == "svg":
            return self.svg.encode()
        if kind == "dot":
            return self.to_dot().encode()
        from chainrule.drawing.raster import to_pdf, to_png

        dark = self._theme == "dark"
        return to_png(self.scene, dark, dpi) if kind == "png" else to_pdf(self.scene, dark)

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        """In a notebook: the picture; where there are layers, a click folds and unfolds them."""
        from chainrule.drawing.notebook_html import in_notebook

        if self._other is None:
            return in_notebook(self.svg, lang=self._options.lang)
        one, other = self.svg, self._other.svg
        if self._folded:
            one, other = other, one
        return in_notebook(one, other, open_=not self._folded, lang=self._options.lang)

    def __repr__(self) -> str:
        return f"Drawing({len(self._diagram.arrows)} arrows)"


#: Gradients that the caller has computed, by arrow.
Gradients: TypeAlias = Mapping[Variable, npt.ArrayLike]


class DrawOptions(TypedDict, total=False):
    """The options of every `draw`; `Graph.draw` describes them."""

    values: bool
    gradients: bool | Gradients
    seed: npt.ArrayLike | None
    shapes: bool
    fold: Fold
    unfold: Names
    names: Mapping[Variable, str] | Mapping[str, str] | None
    highlight: Iterable[Variable | str] | Variable | str
    verdicts: Mapping[Variable, object] | Mapping[str, object] | None
    width: float | None
    lang: str | None
    theme: str


def draw_graph(
    graph: Graph,
    *,
    values: bool = True,
    gradients: bool | Gradients = True,
    seed: npt.ArrayLike | None = None,
    shapes: bool = True,
    fold: Fold = None,
    unfold: Names = (),
    names: Mapping[Variable, str] | Mapping[str, str] | None = None,
    highlight: Iterable[Variable | str] | Variable | str = (),
    verdicts: Mapping[Variable, object] | Mapping[str, object] | None = None,
    width: float | None = WIDE,
    lang: str | None = None,
    theme: str = "auto",
) -> Drawing:
    """The picture of a graph (see `Graph.draw`)."""
    lang = language(lang)
    check_theme(theme)
    arrows = _Arrows(graph)
    if isinstance(highlight, str | Variable):
        highlight = [highlight]
    verdict_of = arrows.mapping("verdicts", verdicts)
    gradient_of = _gradients(graph, gradients, seed, arrows)
    reasons = {v: getattr(verdict, "detail", "") for v, verdict in verdict_of.items()}
    given_names = {v: _name(v, name) for v, name in arrows.mapping("names", names).items()}
    options = Options(
        values=values,
        shapes=shapes,
        gradients=gradient_of,
        names=given_names,
        made={v: _renamed(v, name, graph, given_names) for v, name in graph.names.items()},
        highlight=frozenset(arrows.those("highlight", highlight)),
        verdicts={v: _mark(verdict) for v, verdict in verdict_of.items()},
        reasons={v: in_language(reason, lang) for v, reason in reasons.items() if reason},
        overflows=_texts(graph.overflows if isinstance(graph, DetailedGraph) else (), lang),
        gradient_overflows=_texts(_gradient_overflows(graph, gradient_of, gradients, seed), lang),
        width=None if width is None else positive(width, "width"),
        lang=lang,
    )
    units = Units(graph, fold, unfold)
    # The numbers are read now, since the arrays may change; the layout is made when needed.
    drawing = Drawing(diagram_of(units, options), options, theme)
    drawing._folded = bool(units.folded)
    if units.can_fold and len(graph.nodes) <= MANY:
        other = Units(graph, not units.folded)
        if other.folded != units.folded:
            drawing._other = Drawing(diagram_of(other, options), options, theme)
    return drawing


class _Arrows:
    """Looks up the arrows that options name: Variables of the graph, or their names."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        # Each `v.graph` is a new one, with arrows of its own.
        self.own = {v for node in graph.nodes for v in (*node.inputs, *node.outputs)}
        self.own.update(graph.names, graph.inputs, graph.outputs)

    def those(self, option: str, given: object) -> list[Variable]:
        """The arrows that an option names."""
        if not isinstance(given, Iterable):
            raise SettingError(
                _(
                    "{option} takes arrows, Variables or their names; got {given}.",
                    option=option,
                    given=shown(given, 60),
                )
            )
        arrows = [arrow_called(self.graph, v) if isinstance(v, str) else v for v in given]
        foreign = [v for v in arrows if not isinstance(v, Variable) or v not in self.own]
        if foreign:
            raise SettingError(
                _(
                    "{option}: {count} of these are no arrows of this graph, such as {example}. Take the"
                    " graph once: g = L.graph; g.draw(verdicts=g.check().verdicts).",
                    option=option,
                    count=len(foreign),
                    example=shown(foreign[0], 60),
                )
            )
        return arrows

    def mapping(self, option: str, given: object) -> dict[Variable, Any]:
        """The values of an option by arrow."""
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            raise SettingError(
                _(
                    "{option} takes a mapping from arrows (Variables or their names); got {given}.",
                    option=option,
                    given=shown(given, 60),
                )
            )
        return dict(zip(self.those(option, given), given.values(), strict=True))


def _name(v: Variable, name: object) -> str:
    if not isinstance(name, str):
        raise SettingError(
            _(
                "names: {arrow} is called by a text; got {given}.",
                arrow=v.name or _("an arrow"),
                given=shown(name),
            )
        )
    return printable(name)


def _renamed(v: Variable, name: str, graph: Graph, called: Mapping[Variable, str]) -> str:
    """The name of a copy that leaves a Branch begins with that of the original."""
    root = graph.root(v)
    return called[root] + name[len(graph.names[root]) :] if root in called else name


def _gradients(
    graph: Graph, given: object, seed: npt.ArrayLike | None, arrows: _Arrows
) -> dict[Variable, Array]:
    """The gradient of every arrow that has one."""
    if not isinstance(given, bool):
        gradients = {v: np.asarray(g) for v, g in arrows.mapping("gradients", given).items()}
        for v, g in gradients.items():
            if g.shape != v.shape:
                raise ShapeError(
                    _(
                        "gradients: the gradient of {name} has shape {shape}, and its value {value}; a"
                        " gradient has the shape of its value.",
                        name=v.name or _("a Variable"),
                        shape=g.shape,
                        value=v.shape,
                    )
                )
        return gradients
    output = graph.outputs[0]
    if not given or not output.requires_grad or (seed is None and not graph.has_gradients):
        return {}
    if seed is not None:
        try:
            seed = np.asarray(seed, output.dtype)
        except (TypeError, ValueError):
            raise SettingError(
                _(
                    "seed is the gradient of the output, an array of numbers; got {given}.",
                    given=shown(seed),
                )
            ) from None
        if seed.shape != output.shape:
            raise ShapeError(
                _(
                    "seed is the gradient of the output, which has shape {shape}; got shape {given}.",
                    shape=output.shape,
                    given=seed.shape,
                )
            )
    return {v: np.asarray(g) for v, g in graph.gradients(seed).items()}


def _gradient_overflows(
    graph: Graph, back: Mapping[Variable, Array], given: object, seed: npt.ArrayLike | None
) -> tuple[Overflow, ...]:
    """The overflows of gradients in the detail that the folded graph does not have."""
    if not isinstance(graph, DetailedGraph) or not isinstance(given, bool):
        return ()
    if all(np.isfinite(g).all() for g in back.values()):
        return ()
    return graph.gradient_overflows(seed)


def _texts(overflows: Iterable[Overflow], lang: str) -> dict[Variable, str]:
    return {o.arrow: o.said(lang) for o in overflows}


#: The accepted names of verdicts, and the mark of each.
VERDICTS = {
    "ok": "ok",
    "ok, at a kink": "kink",
    "kink": "kink",
    "WRONG": "wrong",
    "wrong": "wrong",
    "not finite": "not finite",
}


def _mark(verdict: object) -> str:
    """The mark of a verdict: of a name, or of an object with a `mark`, such as a row of a check."""
    word = getattr(verdict, "mark", verdict)
    if word not in VERDICTS:
        raise SettingError(
            _(
                "verdicts: {word!r} is not known; {nearest}.",
                word=word,
                nearest=nearest(word, VERDICTS),
            )
        )
    return VERDICTS[word]
