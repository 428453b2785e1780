"""The two editions of a page: one set of cells, and Chinese that says what the English says."""

from __future__ import annotations

import re

import pytest
from scripts import editions
from scripts.editions import DOCS, ZH, Block, StaleError, blocks, chinese_page, problems, updated

ENGLISH = """---
file_format: mystnb
---

# A title

A paragraph
in two lines.

```{code-cell} python
:tags: [hide-output]
x = 1  # one
print(f"is {x}", "is")
```

:::{note}
A note.

With two paragraphs.
:::

$$ y = x^2 $$

- an item
- another
"""


def said(english: str, words: dict[str, str] | None = None) -> str:
    """A Chinese file that says everything."""
    parts = [f"% en {b.hash}\n中{i}" for i, b in enumerate(blocks(english)) if b.is_prose]
    return "\n\n".join([*parts, *(f"% {a} → {b}" for a, b in (words or {}).items())]) + "\n"


def test_the_blocks_joined_are_the_page() -> None:
    for name in editions.pages():
        page = (DOCS / name).read_text("utf-8")
        joined = "\n\n".join(block.text for block in blocks(page))
        assert joined.split() == page.split(), name


def test_code_and_formulas_are_shared_and_words_are_said() -> None:
    page = chinese_page(ENGLISH, said(ENGLISH, {"one": "一", "is {x}": "是 {x}"}))
    assert 'x = 1  # 一\nprint(f"是 {x}", "is")' in page
    assert ":tags: [hide-output]" in page
    assert "$$ y = x^2 $$" in page
    assert page.startswith("---\nfile_format: mystnb\n---\n")
    assert not re.search("title|paragraph|item", page)
    assert re.findall(r"中\d", page) == ["中1", "中2", "中4", "中6"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("in two lines.", "in three lines.", "not said in Chinese"),
        ("- another", "- another one", "not said in Chinese"),
        ("With two paragraphs.", "With one.", "not said in Chinese"),
        ("# one", "# the one", "comment not said in Chinese: the one"),
        ("- an item\n- another\n", "", "Chinese of an English block that is gone"),
    ],
)
def test_what_has_changed_in_english_is_stale(old: str, new: str, told: str) -> None:
    chinese = said(ENGLISH, {"one": "一"})
    chinese_page(ENGLISH, chinese)
    with pytest.raises(StaleError, match=told):
        chinese_page(ENGLISH.replace(old, new), chinese)


def test_lines_may_be_broken_elsewhere_and_code_may_change() -> None:
    chinese = said(ENGLISH, {"one": "一"})
    english = ENGLISH.replace("A paragraph\nin two lines.", "A paragraph in\ntwo lines.")
    assert "x = 2  # 一" in chinese_page(english.replace("x = 1", "x = 2"), chinese)


def test_a_page_is_brought_up_to_date_and_nothing_said_is_lost() -> None:
    chinese = said(ENGLISH, {"one": "一"})
    assert chinese_page(ENGLISH, updated(ENGLISH, chinese)) == chinese_page(ENGLISH, chinese)
    changed = ENGLISH.replace("A paragraph", "Another paragraph")
    new = updated(changed, chinese)
    assert "中2" in new  # what it said before is there, to be renewed
    assert len(problems(changed, new)) == 2
    block = next(b for b in blocks(changed) if b.text.startswith("Another"))
    filled = new.replace(f"% en {block.hash}\n", f"% en {block.hash}\n新\n", 1)
    old = next(b for b in blocks(ENGLISH) if b.text.startswith("A paragraph"))
    assert "新" in chinese_page(changed, filled.replace(f"% en {old.hash}\n中2\n", ""))


@pytest.mark.parametrize("name", editions.said())
def test_a_page_says_the_same_in_chinese(name: str) -> None:
    english, chinese = (DOCS / name).read_text("utf-8"), (ZH / name).read_text("utf-8")
    assert problems(english, chinese) == []


def test_every_lesson_is_said_in_chinese() -> None:
    lessons = {name for name in editions.pages() if name.startswith("lessons/")}
    assert lessons <= set(editions.said())


def test_no_code_stands_in_two_places() -> None:
    for path in ZH.rglob("*.md"):
        fences = [Block(b.text) for b in blocks(path.read_text("utf-8")) if b.info is not None]
        assert all(block.is_prose for block in fences), path
        assert path.relative_to(ZH).as_posix() in editions.pages(), path
