"""The built page: small enough for a slow connection, and complete in itself."""

from __future__ import annotations

import gzip
import re
from importlib.resources import files
from pathlib import Path

import pytest

STATIC = Path(str(files("chainrule.playground"))) / "static"
KB = 1_000


@pytest.fixture(autouse=True)
def built() -> None:
    if not (STATIC / "index.html").is_file():
        pytest.skip("the page is not built here (CHAINRULE_SKIP_PAGE): pip install -e .")


def compressed(*found: Path) -> int:
    return sum(len(gzip.compress(file.read_bytes())) for file in found)


def test_the_page_is_at_most_150_kb_gzipped() -> None:
    assets = sorted((STATIC / "assets").iterdir())
    assert {file.suffix for file in assets} >= {".js", ".css"}
    assert compressed(STATIC / "index.html", *assets) <= 150 * KB


def test_the_notebooks_module_is_at_most_150_kb_gzipped() -> None:
    assert compressed(*sorted((STATIC / "widget").iterdir())) <= 150 * KB


def test_the_page_has_nothing_inline_and_all_it_names() -> None:
    html = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
    assert re.findall(r"<script(?![^>]*\ssrc=)", html) == []
    named = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert named
    for name in named:
        assert name.startswith("data:") or (STATIC / name).is_file(), name
