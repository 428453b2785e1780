"""Pictures as files: SVG, PNG, PDF and DOT, each whole or not at all."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.drawing import fonts
from chainrule.drawing.drawing import Drawing
from chainrule.errors import ExtraMissingError, SettingError
from chainrule.graph.variable import Variable


@pytest.fixture
def drawing() -> Drawing:
    x, t = cr.datasets.spiral()
    return cr.TwoLayerNet(2, 4, 3).draw(x[:4], t[:4])


def test_each_ending_gives_its_format(drawing: Drawing, tmp_path: Path) -> None:
    for ending in ("svg", "png", "pdf", "dot", "SVG"):
        drawing.save(tmp_path / f"a.{ending}")
    assert (tmp_path / "a.svg").read_text("utf-8") == drawing.svg
    assert (tmp_path / "a.SVG").read_text("utf-8") == drawing.svg
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "a.dot").read_text("utf-8") == drawing.to_dot()
    png = (tmp_path / "a.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    assert (width, height) == (2 * drawing.scene.width, 2 * drawing.scene.height)


def test_a_file_is_replaced_and_a_bad_name_is_refused(drawing: Drawing, tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_text("old")
    drawing.save(path)
    assert path.read_text("utf-8") == drawing.svg
    for name in ("a.gif", "a"):
        with pytest.raises(SettingError, match=r"one of \.svg, \.png, \.pdf, \.dot"):
            drawing.save(tmp_path / name)
    with pytest.raises(SettingError, match="there is no folder"):
        drawing.save(tmp_path / "none" / "a.svg")
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]


def test_the_same_bytes_again(drawing: Drawing, tmp_path: Path) -> None:
    for kind in ("png", "pdf"):
        first, second = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
        drawing.save(first)
        drawing.save(second)
        assert first.read_bytes() == second.read_bytes()


def test_a_picture_too_large_for_png(tmp_path: Path) -> None:
    y = Variable(1.0)
    for _ in range(800):
        y = cr.tanh(y)
    with pytest.raises(SettingError, match=r"a side may have 60000.*smaller dpi"):
        y.draw(fold=False, width=None).save(tmp_path / "a.png")
    with pytest.raises(SettingError, match="dpi must be a number from 10 to 2400; got 0"):
        y.draw().save(tmp_path / "a.png", dpi=0)


def pixels(path: Path) -> np.ndarray:
    from matplotlib.image import imread

    return (imread(path)[..., :3] * 255).round().astype(int)


def test_the_png_has_the_pictures_colours(tmp_path: Path) -> None:
    x = Variable(2.0, name="x")
    L = cr.exp(x)
    L.draw(theme="light").save(tmp_path / "light.png")
    L.draw(theme="dark").save(tmp_path / "dark.png")
    light, dark = pixels(tmp_path / "light.png"), pixels(tmp_path / "dark.png")
    assert light[0, 0].tolist() == [255, 255, 255]
    assert dark[0, 0].tolist() == [0x16, 0x18, 0x1C]
    # The blue of the gradient arrow, and the ink.
    for colour in ([0, 0x72, 0xB2], [0x1A, 0x1A, 0x1A]):
        assert (light == colour).all(axis=2).any()


def test_without_matplotlib(
    drawing: Drawing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ExtraMissingError, match=r"the extra \[draw\]"):
        drawing.save(tmp_path / "a.png")
    drawing.save(tmp_path / "a.svg")
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]


def test_chinese_text_without_a_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_known", lambda manager: None)
    drawing = cr.exp(Variable(1.0, name="输入")).draw()
    with pytest.raises(ExtraMissingError, match="fonts-noto-cjk"):
        drawing.save(tmp_path / "a.png")
    drawing.save(tmp_path / "a.svg")


def test_chinese_text_with_a_font(tmp_path: Path) -> None:
    try:
        fonts.cjk_font()
    except ExtraMissingError:
        pytest.skip("no CJK font here")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of characters a font has not
        for kind in ("png", "pdf"):
            cr.exp(Variable(1.0, name="输入")).draw(lang="zh").save(tmp_path / f"a.{kind}")


def test_dot_text_is_what_graphviz_reads(drawing: Drawing) -> None:
    text = drawing.to_dot()
    assert text.count("subgraph cluster_") == 3
    assert text.count("{") == text.count("}")
    assert 'label="MatMul"' in text
    awkward = cr.exp(Variable(1.0, name='a"\\b')).draw().to_dot()
    assert r'label="a\"\\b"' in awkward
    dot = shutil.which("dot")
    if dot:
        for source in (text, awkward):
            out = subprocess.run([dot, "-Tplain"], input=source, capture_output=True, text=True)
            assert out.returncode == 0, out.stderr
            assert "syntax error" not in out.stderr


def never(*_: object) -> float:
    raise AssertionError("this was computed before the file's name was looked at")


@pytest.mark.parametrize("name", ["a.gif", "a", "a.dot", "none/a.png"])
def test_a_plot_is_refused_before_anything_is_computed(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    sentence = "there is no folder" if "none" in name else r"as one of \.svg, \.png, \.pdf, which"
    with pytest.raises(SettingError, match=sentence):
        cr.compare_optimizers(never, [cr.SGD(0.1)], start=(1.0, 1.0), path=path)
    with pytest.raises(SettingError, match=sentence):
        cr.Histograms().plot(path)
    with pytest.raises(SettingError, match=sentence):
        cr.Trainer(cr.TwoLayerNet(2, 4, 3), cr.SGD(0.1)).history.plot(path)
    assert not list(tmp_path.iterdir())


def test_a_plot_replaces_a_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_text("old")
    names = ["yes", "no"]
    cr.draw_confusion([[3, 1], [0, 2]], names, path)
    first = path.read_bytes()
    assert first.startswith(b"%PDF")
    cr.draw_confusion([[3, 1], [0, 2]], names, path)
    assert path.read_bytes() == first
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.pdf")
    with pytest.raises(SettingError, match="is a symbolic link"):
        cr.draw_confusion([[3, 1], [0, 2]], names, path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.pdf"]
