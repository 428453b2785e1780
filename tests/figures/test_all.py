"""All figures: well-formed, in bounds, no text on another, the committed set up to date."""

from __future__ import annotations

import io
import itertools
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from tests.figures.seen import FILES, KEYS, box_of_text, drawn, png, written

import chainrule as cr
from chainrule import figures
from chainrule.drawing.scene import Line, Rectangle

DOCS = Path(__file__).parents[2] / "docs" / "figures"
#: What matplotlib draws.
PLOTTED = ("derivative", "square-tangents", "gradient-field", "playground", "sgd")
GRAPHS = [(key, lang) for key, lang in FILES if key not in PLOTTED]
PLOTS = [(key, lang) for key, lang in FILES if key in PLOTTED]
ADDRESS = re.compile("0x[0-9a-f]+")


def test_every_figure_of_the_chapter_is_there() -> None:
    numbered = [f.number for f in figures.FIGURES if f.number]
    assert [n for n in numbered if n.startswith("1-")] == [f"1-{n}" for n in range(18, 31)]
    assert [n for n in numbered if n.startswith("eq-")] == [f"eq-1.{n}" for n in range(12, 16)]
    # The chapter has lost 29 pictures; one figure stands for each.
    assert len(figures.FIGURES) == 29
    assert {key for key in KEYS if drawn(key).kind == "plot"} == set(PLOTTED)
    names = [f.name for f in figures.FIGURES]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9.-]+", name) for name in names)


def test_every_figure_is_told_in_both_languages() -> None:
    for figure in figures.FIGURES:
        for lang in ("en", "zh"):
            assert figure.title.said(lang)
            assert figure.caption.said(lang).endswith("." if lang == "en" else "。")
        assert re.search("[\u4e00-\u9fff]", figure.caption.said("zh"))
        assert not re.search("[\u4e00-\u9fff]", figure.title + figure.caption)


@pytest.mark.parametrize(("key", "lang"), GRAPHS)
def test_graphs_are_well_formed_and_stay_on_the_page(key: str, lang: str) -> None:
    picture = drawn(key, lang)
    root = ET.fromstring(picture.svg)
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    assert 100 < width < 1400
    assert 60 < height < 800
    assert not re.search(r"\b(nan|inf|none)\b", picture.svg.replace('"none"', ""), re.I)
    for text in picture.scene.texts():
        left, top, right, bottom = box_of_text(text)
        assert left >= 0, text
        assert right <= width, text
        assert top >= 0, text
        assert bottom <= height, text
    for layer in picture.scene.layers:
        for mark in layer.marks:
            if isinstance(mark, Rectangle):
                assert mark.x + mark.width <= width
                assert mark.y + mark.height <= height
            if isinstance(mark, Line):
                ends = [float(v) for step in mark.steps for v in step[1:]]
                assert all(math.isfinite(v) and -1 <= v <= max(width, height) + 1 for v in ends)


@pytest.mark.parametrize(("key", "lang"), GRAPHS)
def test_no_text_stands_on_another(key: str, lang: str) -> None:
    boxes = [(box_of_text(text), text.text) for text in drawn(key, lang).scene.texts()]
    for (a, first), (b, second) in itertools.combinations(boxes, 2):
        across = min(a[2], b[2]) - max(a[0], b[0])
        down = min(a[3], b[3]) - max(a[1], b[1])
        assert across <= 1 or down <= 1, (first, second)


@pytest.mark.parametrize("key", sorted({key for key, _ in PLOTS}))
def test_no_words_of_a_plot_are_cut(key: str) -> None:
    plot = figures.draw(key, "en").plot
    plot.draw_without_rendering()
    for ax in plot.axes:
        flat = () if hasattr(ax, "zaxis") else ax.texts
        for text in (ax.title, ax.xaxis.label, ax.yaxis.label, *flat):
            if text.get_visible() and text.get_text():
                box = text.get_window_extent()
                assert plot.bbox.x0 <= box.x0 <= box.x1 <= plot.bbox.x1, text
                assert plot.bbox.y0 <= box.y0 <= box.y1 <= plot.bbox.y1, text


@pytest.mark.parametrize(("key", "lang"), PLOTS)
def test_plots_are_images_of_a_modest_size(key: str, lang: str) -> None:
    data = png(key, lang)
    assert data == written(drawn(key, lang), "png")
    assert data.startswith(b"\x89PNG")
    assert 20_000 < len(data) < 400_000
    assert not any(re.search(r"\bnan\b", text, re.I) for text in drawn(key, lang).texts())


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_chinese_is_in_the_chinese_pictures_only(lang: str) -> None:
    with_words = {
        key for key in KEYS if re.search("[\u4e00-\u9fff]", "".join(drawn(key, lang).texts()))
    }
    assert bool(with_words) == (lang == "zh")
    if lang == "zh":
        assert {
            "1-18",
            "1-19",
            "1-20",
            "1-21",
            "1-22",
            "1-27",
            "gradient-field",
            "sgd",
        } <= with_words


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_committed_set_is_up_to_date(lang: str) -> None:
    folder = DOCS / lang
    expected = {f"{drawn(f.key, lang).name}.{drawn(f.key, lang).suits}" for f in figures.FIGURES}
    assert {path.name for path in folder.iterdir()} == expected | {"index.html"}
    for figure in figures.FIGURES:
        picture = drawn(figure.key, lang)
        path = folder / f"{picture.name}.{picture.suits}"
        if picture.kind == "plot":
            continue
        kept, now = path.read_text("utf-8"), picture.svg
        if not figure.repeats:
            kept, now = ADDRESS.sub("0x", kept), ADDRESS.sub("0x", now)
        assert kept == now, (
            f"draw it again: chainrule figures --out docs/figures/{lang} --lang {lang}"
        )


@pytest.mark.parametrize(("key", "lang"), PLOTS)
def test_the_committed_plots_show_the_same(key: str, lang: str) -> None:
    """Not the same bytes, which change with matplotlib's version and with fonts."""
    from matplotlib.image import imread

    now = imread(io.BytesIO(png(key, lang)))
    kept = imread(DOCS / lang / f"{drawn(key, lang).name}.png")
    assert kept.shape[2] == now.shape[2]
    assert np.allclose(kept.shape[:2], now.shape[:2], rtol=0.02)
    if kept.shape == now.shape:
        assert np.abs(kept - now).mean() < 0.02


def test_the_sets_are_small() -> None:
    assert sum(path.stat().st_size for path in DOCS.rglob("*.*")) < 3_000_000


def test_the_same_bytes_in_another_process() -> None:
    code = (
        "from chainrule import figures; import hashlib;"
        "print([hashlib.sha256(figures.draw(f.key, 'zh').svg.encode()).hexdigest()"
        " for f in figures.FIGURES if f.repeats and f.key in ('1-21', '1-29', 'network-loss')])"
    )
    command = [sys.executable, "-c", code]
    first, second = (subprocess.run(command, capture_output=True, check=True) for _ in "12")
    assert first.stdout == second.stdout


def test_drawing_a_graph_needs_no_matplotlib() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None; from chainrule import figures;"
        f"graphs = [f.key for f in figures.FIGURES if f.key not in {PLOTTED}];"
        "assert all(figures.draw(k).svg for k in graphs); print(len(graphs));"
        "figures.draw('sgd')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout == "24\n"
    assert "ExtraMissingError" in run.stderr
    assert "[draw]" in run.stderr


@pytest.mark.parametrize("key", ["1-19", "eq-1.15", "1-27"])
@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_every_format(key: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    drawn(key, "en").save(path)
    assert path.read_bytes().startswith({"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF"}[kind])


def test_a_figure_shows_itself_in_a_notebook() -> None:
    assert "<svg" in drawn("1-18")._repr_html_()
    assert "data:image/png;base64," in drawn("sgd")._repr_html_()


def test_figures_are_found_by_number_slug_and_name() -> None:
    assert figures.find("1-19") is figures.find("multiply") is figures.find("1-19-multiply")
    for wrong in ("1-17", "", "multiplx"):
        with pytest.raises(cr.errors.SettingError, match="there is no figure"):
            figures.find(wrong)
    with pytest.raises(cr.errors.SettingError, match='did you mean "1-19"'):
        figures.draw("1-119")
    with pytest.raises(cr.errors.SettingError, match="allowed: en, zh"):
        figures.draw("1-19", "fr")
    with pytest.raises(cr.errors.SettingError, match=r"\.svg, \.png, \.pdf"):
        drawn("1-19").save("a.gif")
