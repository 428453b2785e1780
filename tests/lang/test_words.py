"""Languages and fonts: an unknown language is named, and Chinese letters have a font or a sentence."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib import font_manager, get_data_path
from matplotlib.figure import Figure

import chainrule as cr
from chainrule.drawing import fonts
from chainrule.plots.figure import label_of, new_figure
from chainrule.settings import language

DEJAVU = Path(get_data_path(), "fonts", "ttf", "DejaVuSansMono.ttf")


def test_an_unknown_language_is_named() -> None:
    with pytest.raises(cr.errors.SettingError, match="allowed: en, zh"):
        language("zz")


def without_fonts(monkeypatch: pytest.MonkeyPatch, installed: list[str]) -> None:
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: installed)


def chinese() -> Figure:
    figure, (ax,) = new_figure()
    ax.set_title("损失")
    return figure


def test_without_a_font_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    history = trained().history
    without_fonts(monkeypatch, [])
    with pytest.raises(cr.errors.ExtraMissingError, match="fonts-noto-cjk") as error:
        history.plot(tmp_path / "loss.png", lang="zh")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
    history.plot(lang="zh")  # nothing is rendered yet, and the reader may have a font


def test_a_font_that_matplotlib_has_not_listed_yet_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = shutil.copy(DEJAVU, tmp_path / "some-cjk.ttf")
    monkeypatch.setattr(fonts, "FAMILIES", ("No Such Font", "DejaVu Sans Mono"))
    without_fonts(monkeypatch, [str(path)])
    assert fonts.cjk_font() == "DejaVu Sans Mono"


def test_chinese_texts_and_ticks_get_the_font_and_others_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fonts, "FAMILIES", ("DejaVu Sans Mono",))
    figure, plain = chinese(), new_figure()[0]
    before = plain.axes[0].title.get_fontfamily()
    for one in (figure, plain):
        fonts.set_fonts(one, needed=True)
        one.canvas.draw()
    ax: Any = figure.axes[0]
    labels = [ax.title, ax.xaxis.label, *ax.get_xticklabels()]
    assert {t.get_fontfamily()[-1] for t in labels} == {"DejaVu Sans Mono"}
    assert {t.get_fontfamily()[0] for t in labels} == {before[0]}  # Latin letters keep theirs
    assert plain.axes[0].title.get_fontfamily() == before


def test_a_name_is_never_a_formula() -> None:
    figure, (ax,) = new_figure()
    ax.set_title(label_of("a$\\frac$b$"))  # would be an error, if it were parsed
    figure.canvas.draw()


def trained() -> cr.Trainer:
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(cr.TwoLayerNet(2, 10, 3), engine="numpy")
    trainer.fit(x, t, 3, 30, validation=0.2, progress=None)
    return trainer


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_the_same_figure_has_the_same_bytes(tmp_path: Path, ending: str) -> None:
    history = trained().history
    paths = [tmp_path / f"{name}.{ending}" for name in "ab"]
    for path in paths:
        history.plot(path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[ending] == first[
        : 5 if ending == "svg" else 4
    ]


def test_a_figure_shows_itself_in_a_notebook() -> None:
    figure: Any = trained().history.plot()
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_without_matplotlib_every_picture_names_the_extra_before_it_computes() -> None:
    program = """
import sys
sys.modules["matplotlib"] = None
import numpy as np, chainrule as cr
x, t = cr.datasets.spiral()
net = cr.TwoLayerNet(2, 10, 3)
seen = cr.Histograms()
trainer = cr.Trainer(net, engine="numpy")
trainer.fit(x, t, 1, callbacks=[seen], progress=None)
def never(*given, **more): raise AssertionError("computed")
cr.Trainer.evaluate = never
calls = [
    lambda: trainer.history.plot(), lambda: seen.plot(), lambda: cr.draw_features(net),
    lambda: cr.draw_regions(net, x, t), lambda: cr.draw_surface(net, x, t),
    lambda: cr.compare_optimizers(net, [cr.SGD()], x, t),
    lambda: cr.compare_optimizers(min, [cr.SGD()], start=(0, 0)),
    lambda: cr.draw_confusion([[1]]), lambda: cr.draw_residuals([1], [1]),
    lambda: cr.draw_calibration(cr.calibration_curve([0.5], [1])),
    lambda: cr.draw_importance(cr.Importance(("a",), {"r2": 1.0}, {"r2": np.ones((1, 2))}, 3)),
    lambda: cr.draw_partial_dependence(cr.PartialDependence("a", "number", np.ones(1), np.ones(1))),
    lambda: cr.draw_contributions(
        cr.Contributions(("a",), np.ones((1, 1)), *[np.ones(1)] * 2, None, None, "gradient", "rows", 1)
    ),
]
for call in calls:
    try:
        call()
    except cr.errors.ExtraMissingError as error:
        print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    lines = run.stdout.splitlines()
    assert len(lines) == 13
    assert all("pip install 'chainrule[draw]'" in line for line in lines)
