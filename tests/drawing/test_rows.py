"""A picture wider than asked for goes on in rows, and says all that it said in one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from tests.drawing.geometry import faults, random_diagram
from tests.drawing.reading import arrows, texts

import chainrule as cr
from chainrule.drawing.diagram import Diagram
from chainrule.drawing.layout import lay_out
from chainrule.drawing.panels import Panel
from chainrule.drawing.picture import Label
from chainrule.drawing.rows import in_rows
from chainrule.errors import SettingError


def deep(depth: int) -> cr.Sequential:
    layers: list[cr.Layer] = []
    for _ in range(depth):
        layers += [cr.Affine.sized(3, 3), cr.ReLU()]
    return cr.Sequential(*layers, loss=cr.MeanSquaredError(), seed=0)


def test_a_long_network_stands_in_rows() -> None:
    x = np.ones((4, 3), np.float32)
    graph = deep(12).graph(x, x)
    drawing, line = graph.draw(), graph.draw(width=None)
    assert line.scene.width > 4000
    assert line.scene.height < 300
    assert drawing.scene.width < 1750
    assert drawing.scene.height > 2 * line.scene.height
    # What was said in one row is said in several, and every row begins where another one ends.
    for role in ("layer", "parameter", "value", "gradient", "shape", "made"):
        assert Counter(texts(drawing.svg, role)) == Counter(texts(line.svg, role))
    more = Counter(texts(drawing.svg, "name")) - Counter(texts(line.svg, "name"))
    ends = {name.removesuffix(" …") for name in more if name.endswith(" …")}
    assert ends == {name.removeprefix("… ") for name in more if name.startswith("… ")}
    assert len(more) == 2 * len(ends) > 2
    assert len(arrows(drawing.svg)) == len(arrows(line.svg)) + len(ends)
    assert drawing.to_dot() == line.to_dot()
    assert drawing.svg == graph.draw().svg


@pytest.mark.parametrize(
    "seed", [*range(20), *(pytest.param(k, marks=pytest.mark.long) for k in range(20, 40))]
)
@pytest.mark.parametrize("groups", [False, True])
def test_rows_keep_the_rules_of_layout(seed: int, groups: bool) -> None:
    diagram = random_diagram(seed, groups=groups)
    label = Label(Panel(0, 0), Panel(0, 0), "", False, False, name="a")
    for arrow in diagram.arrows:
        arrow.content = label
    lay_out(diagram)
    whole = diagram.width
    rows = in_rows(diagram, whole / 2.5)
    assert faults(rows) == []
    assert in_rows(diagram, whole) is diagram
    cut = len(rows.arrows) - len(diagram.arrows)
    assert len(rows.vertices) == len(diagram.vertices) + 2 * cut
    assert len(rows.groups) == len(diagram.groups)
    assert {v.group for v in rows.vertices} <= {None, *rows.groups}
    inside_the_picture(rows)


def inside_the_picture(diagram: Diagram) -> None:
    for v in diagram.vertices:
        assert v.x - v.width / 2 >= 0
        assert v.x + v.width / 2 <= diagram.width
        assert v.y - v.height / 2 >= 0
        assert v.y + v.height / 2 <= diagram.height


@pytest.mark.parametrize("width", [0, -3, "wide", float("nan")])
def test_a_width_that_is_none(width: object) -> None:
    with pytest.raises(SettingError, match="width"):
        cr.Variable(1.0).draw(width=width)  # type: ignore[arg-type]


def test_a_last_row_is_worth_one() -> None:
    s = cr.Variable([[3.0, 0.0], [0.0, 1.0]], "s")
    loss = cr.mean(cr.softmax_cross_entropy(s, np.array([1, 0])))
    graph = loss.graph.detailed(None)  # a wide layer, and a mean behind it
    whole = graph.draw(width=None)
    width = whole.scene.width - 80.0
    assert graph.draw(width=width).svg == whole.svg
    assert [n for n in texts(graph.draw(width=width / 2).svg, "name") if "…" in n]
