"""Pictures of what explains a model: what is drawn is what was computed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import SettingError, ShapeError


def axes_of(figure: Any) -> Any:
    """The axes, of which matplotlib's types promise too little."""
    return figure.axes


def importance(metric: str = "r2", columns: int = 3) -> cr.Importance:
    rng = np.random.default_rng(0)
    lost = np.sort(rng.uniform(-0.1, 0.5, (columns, 4)), axis=0)[::-1]
    names = tuple(f"c{i}" for i in range(columns))
    return cr.Importance(names, {metric: 0.9}, {metric: lost}, 50)


def test_the_bars_are_the_means_and_the_dots_the_repeats() -> None:
    found = importance()
    (ax,) = axes_of(cr.draw_importance(found))
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], found.mean)
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    drawn = np.array([line.get_xdata() for line in dots])
    np.testing.assert_allclose(np.sort(drawn.ravel()), np.sort(found.lost["r2"].ravel()))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["c0", "c1", "c2"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the most important is on top
    (ax,) = axes_of(cr.draw_importance(importance("accuracy", 30), most=7, lang="zh"))
    assert len(ax.patches) == 7
    assert ax.get_xlabel() == "准确率下降"


def test_the_dots_of_a_calibration_are_its_bins() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=300)
    curve = cr.calibration_curve(p, rng.integers(0, 2, 300))
    (ax,) = axes_of(cr.draw_calibration(curve))
    dots: Any = ax.collections[-1]
    np.testing.assert_allclose(dots.get_offsets(), np.stack([curve.said, curve.came_true], 1))
    sizes = dots.get_sizes()
    assert (np.argsort(sizes) == np.argsort(curve.rows)).all()
    assert cr.draw_calibration(curve, lang="zh").axes[0].get_xlabel() == "所说的概率"


def numbers(column: str = "a", classes: int = 0, lines: bool = False) -> cr.PartialDependence:
    rng = np.random.default_rng(1)
    shape = (5, classes) if classes else (5,)
    each = rng.uniform(size=(90, *shape)) if lines else None
    return cr.PartialDependence(
        column, "number", np.linspace(0, 1, 5), rng.uniform(size=shape), each
    )


def test_a_panel_for_each_column_with_the_same_limits() -> None:
    panels = [numbers("a", lines=True), numbers("b"), numbers("c"), numbers("d")]
    axes = axes_of(cr.draw_partial_dependence(panels, target="price"))
    assert [ax.get_xlabel() for ax in axes] == ["a", "b", "c", "d"]
    assert {ax.get_ylim() for ax in axes} == {axes[0].get_ylim()}
    assert [ax.get_ylabel() for ax in axes] == ["price", "", "", "price"]
    np.testing.assert_allclose(axes[1].lines[0].get_ydata(), panels[1].mean)
    assert len(axes[0].lines) == 1 + 60  # the mean, and some of the rows
    low, high = axes[0].get_ylim()
    assert panels[0].lines is not None
    drawn = np.array([line.get_ydata() for line in axes[0].lines])
    assert low < drawn.min() < drawn.max() < high


def test_of_two_classes_the_second_and_of_many_those_that_change_most() -> None:
    two = numbers(classes=2)
    (ax,) = axes_of(cr.draw_partial_dependence(two, names=["no", "yes"]))
    assert ax.get_ylabel() == "probability of yes"
    np.testing.assert_allclose(ax.lines[0].get_ydata(), two.mean[:, 1])
    many = numbers(classes=7)
    figure = cr.draw_partial_dependence(many, names=list("ABCDEFG"))
    chosen = np.sort(np.argsort(-np.ptp(many.mean, axis=0))[:4])
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told == ["ABCDEFG"[k] for k in chosen]


def test_texts_are_dots_and_dates_are_dates() -> None:
    grid = np.array(["x", "", "y"])
    one = cr.PartialDependence("town", "text", grid, np.array([0.1, 0.9, 0.5]))
    (ax,) = axes_of(cr.draw_partial_dependence(one))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["(missing)", "y", "x"]
    assert ax.lines[0].get_linestyle() == "None"
    days = cr.PartialDependence("sold", "date", np.array([0.0, 365.0, 730.0]), np.arange(3.0))
    (ax,) = axes_of(cr.draw_partial_dependence(days))
    assert [t.get_text() for t in ax.get_xticklabels()] == [
        "1970-01-01",
        "1971-01-01",
        "1972-01-01",
    ]


def why(added: Any) -> cr.Contributions:
    added = np.atleast_2d(np.asarray(added, float))
    names = tuple(f"c{i}" for i in range(added.shape[1]))
    start = np.full(len(added), 2.0)
    steps = np.full(len(added), 32)
    value = start + added.sum(axis=1)
    return cr.Contributions(names, added, value, start, None, None, "integrated", "rows", steps)


def test_bars_lead_from_the_mean_row_to_this_row() -> None:
    (ax,) = axes_of(
        cr.draw_contributions(why([1.0, -3.0, 0.5]), cells=["7", "red", "–"], name="price")
    )
    bars = ax.patches
    assert [label.get_text() for label in ax.get_yticklabels()] == ["c1 = red", "c0 = 7", "c2 = –"]
    assert [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars] == [
        (2, -1),
        (-1, 0),
        (0, 0.5),
    ]
    told = [text.get_text() for text in ax.texts]
    assert told == ["−3.00", "+1.00", "+0.50", "mean row", "this row"]
    (ax,) = axes_of(cr.draw_contributions(why(np.arange(20.0)), most=4, lang="zh"))
    assert ax.get_yticklabels()[-1].get_text() == "另外 16 列"
    assert ax.patches[-1].get_width() == pytest.approx(sum(range(16)))
    cr.draw_contributions(why([0.0, 0.0]))  # nothing to say, and no fault


@pytest.mark.parametrize("font", ["DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono"])
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("added", "start"),
    [([3, -2.9, 0.02, 0.5], 2.0), ([-123456, -23456, 3400, -12.0], 1234567.0), ([1.0], 0.0),
     (np.linspace(-2, 2, 15), 0.0), ([5.1, -5.0, 1e-4], 3.0), ([0.0, 0.0], 1.0)],
)  # fmt: skip
def test_no_text_of_the_bars_touches_a_line(
    added: Any, start: float, lang: str, font: str, tmp_path: Path
) -> None:
    """At every size, the numbers stand in boxes above the lines, beside their bars, within the axes."""
    matplotlib: Any = pytest.importorskip("matplotlib")
    found = why(added)
    moved = found.value - found.start + start
    found = dataclasses.replace(found, start=np.full(1, start), value=moved)
    with matplotlib.rc_context({"font.family": font}):
        figure = cr.draw_contributions(found, lang=lang, path=tmp_path / "a.png")
        (ax,) = axes_of(figure)
        figure.draw_without_rendering()
        edges = ax.get_window_extent()
        bars = [bar.get_window_extent() for bar in ax.patches]
        *numbers, mean, this = ax.texts
        for text, bar in zip(numbers, bars, strict=True):
            box = text.get_bbox_patch()
            assert box.get_facecolor() == ax.get_facecolor()
            assert text.get_zorder() > max(line.get_zorder() for line in ax.lines)
            around = box.get_window_extent()
            assert edges.x0 < around.x0 < around.x1 < edges.x1
            assert around.x1 < bar.x0 or around.x0 > bar.x1
        boxes = [text.get_window_extent() for text in ax.texts]
        for i, one in enumerate(boxes):
            assert not any(one.overlaps(other) for other in boxes[:i])
        for text in (mean, this):
            box = text.get_window_extent()
            lines = [line.get_window_extent() for line in ax.lines]
            assert not any(box.y0 < line.y1 and line.y0 < box.y1 and box.x0 < line.x1
                           and line.x0 < box.x1 for line in lines)  # fmt: skip
            assert edges.y0 < box.y0


def test_they_are_saved_in_every_format(tmp_path: Path) -> None:
    for ending in ("png", "svg", "pdf"):
        path = tmp_path / f"a.{ending}"
        cr.draw_contributions(why([1.0]), path=path)
        cr.draw_importance(importance(), tmp_path / f"b.{ending}")
        assert path.stat().st_size > 1000


def test_what_is_refused() -> None:
    with pytest.raises(ShapeError, match="has 1 rows, 0 to 0; got row=3"):
        cr.draw_contributions(why([1.0]), 3)
    for wrong in ([], [1], "a"):
        with pytest.raises(SettingError, match="partial_dependence gives"):
            cr.draw_partial_dependence(wrong)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="most"):
        cr.draw_importance(importance(), most=0)
