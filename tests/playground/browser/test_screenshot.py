"""The chapter's lost screenshot: the page as it opens."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.driver import good
from tests.playground.browser.driving import chromium

from chainrule.playground import screenshot


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_figures_takes_a_picture_of_the_page(tmp_path: Path, lang: str) -> None:
    chromium()
    image = pytest.importorskip("matplotlib.image")
    found = screenshot.screenshot(chromium(), lang)
    assert found is not None
    file = tmp_path / "page.png"
    file.write_bytes(found)
    pixels = image.imread(file)
    assert pixels.shape[:2] == (900, 1440)
    # The map of the output is there, in both of its colours.
    red, _, blue = (pixels[100:380, 1150:1400, k].mean(axis=1) for k in range(3))
    assert (red - blue).max() > 0.1
    assert (blue - red).max() > 0.1


def test_without_a_browser_the_figures_come_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.playground.screenshot.NAMES", ("no-such-browser",))
    assert screenshot.chromium() is None
    good("figures", "--only", "1-19", "--out", str(tmp_path))
    assert not (tmp_path / "playground-page.png").exists()
