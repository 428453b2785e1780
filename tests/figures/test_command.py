"""`chainrule figures`: a folder of figures and a page, whole or not at all."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from tests.cli.driver import good, run

from chainrule import figures


def test_the_list_names_every_figure() -> None:
    for lang in ("en", "zh"):
        out = good("figures", "--list", "--lang", lang)
        for figure in figures.FIGURES:
            assert figure.key in out
            assert figure.title.said(lang) in out
    assert good("figures", "--list", "--only", "1-19").count("\n") == 1


def test_one_figure_and_its_page(tmp_path: Path) -> None:
    out = good(
        "figures", "--only", "1-19", "--only", "multiply", "--out", str(tmp_path / "new" / "f")
    )
    assert "1 figure" in out
    files = {path.name for path in (tmp_path / "new" / "f").iterdir()}
    assert files == {"1-19-multiply.svg", "index.html"}


def test_all_figures_in_a_format(tmp_path: Path) -> None:
    good("figures", "--out", str(tmp_path), "--format", "svg")
    names = {f"{figure.name}.svg" for figure in figures.FIGURES}
    assert {path.name for path in tmp_path.iterdir()} == names | {"index.html"}
    assert all((tmp_path / name).read_text("utf-8").rstrip().endswith("</svg>") for name in names)


def test_another_page_stays_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text("<title>Mine</title>")
    refused = run("figures", "--only", "1-19", "--out", str(tmp_path))
    assert refused.exit_code == 2
    assert "index.html is another page than that of the figures" in refused.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["index.html"]
    page.unlink()
    for lang in ("en", "zh", "en"):  # its own is replaced
        good("figures", "--only", "1-19", "--out", str(tmp_path), "--lang", lang)


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.files: list[str] = []
        self.anchors: set[str] = set()
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href") and value:
                if value.startswith("#"):
                    self.anchors.add(value[1:])
                else:
                    self.files.append(value)
            if name == "id" and value:
                self.ids.append(value)


def test_the_page_needs_nothing_but_the_folder(tmp_path: Path) -> None:
    keys = ["1-18", "eq-1.12", "network-loss"]
    only = [part for key in keys for part in ("--only", key)]
    good("figures", *only, "--out", str(tmp_path), "--lang", "zh")
    page = (tmp_path / "index.html").read_text("utf-8")
    links = Links()
    links.feed(page)
    assert set(links.files) == {f"{figures.find(key).name}.svg" for key in keys}
    assert all((tmp_path / name).is_file() for name in links.files)
    assert links.anchors == set(links.ids) == {figures.find(key).name for key in keys}
    assert not re.search(r"https?://|//cdn|@import", page)
    for key in keys:
        assert figures.find(key).caption.said("zh").replace("'", "&#x27;") in page
    assert '<html lang="zh-Hans">' in page


def test_mistakes_write_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    a_file = tmp_path / "taken"
    a_file.write_text("mine")
    for arguments, said in (
        (["--only", "1-17", "--out", str(folder)], "there is no figure '1-17'"),
        (["--only", "1-19", "--only", "no", "--out", str(folder)], "there is no figure 'no'"),
        (["--lang", "fr", "--out", str(folder)], "--lang: got 'fr'"),
        (["--format", "gif", "--out", str(folder)], "--format: got 'gif'"),
        (["--only", "1-19"], "--out is missing"),
        (["--only", "1-19", "--out", str(a_file)], "taken is a file"),
        (["--only", "1-19", "--out", str(a_file / "in")], "taken"),
    ):
        result = run("figures", *arguments)
        assert result.exit_code == 2, result.output
        assert said in result.stderr
        assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert a_file.read_text() == "mine"


def test_drawing_again_replaces(tmp_path: Path) -> None:
    good("figures", "--only", "1-18", "--out", str(tmp_path))
    first = (tmp_path / "1-18-add.svg").read_bytes()
    (tmp_path / "1-18-add.svg").write_text("old")
    good("figures", "--only", "1-18", "--out", str(tmp_path))
    assert (tmp_path / "1-18-add.svg").read_bytes() == first
