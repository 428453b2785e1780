"""The page's two catalogues of text say the same things."""

import json
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "page" / "src"


def catalogue(language: str) -> dict[str, str]:
    text = (PAGE / "text" / f"{language}.json").read_text(encoding="utf-8")
    pairs: list[tuple[str, str]] = json.loads(text, object_pairs_hook=list)
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), "a key stands twice"
    return dict(pairs)


EN, ZH = catalogue("en"), catalogue("zh")


def test_both_languages_have_the_same_keys_in_the_same_order() -> None:
    assert list(EN) == list(ZH)


@pytest.mark.parametrize("key", EN)
def test_both_take_the_same_values(key: str) -> None:
    values = [set(re.findall(r"\{(\w+)\}", text[key])) for text in (EN, ZH)]
    assert values[0] == values[1]


def test_chinese_is_chinese_and_has_its_own_marks() -> None:
    for key, text in ZH.items():
        if re.search(r"[\u4e00-\u9fff]", text):
            assert not re.search(r"[\u4e00-\u9fff][,.;:?!]", text), key


def test_every_text_that_a_part_asks_for_is_there() -> None:
    asked = {
        key
        for path in PAGE.rglob("*.svelte")
        for key in re.findall(r'\bt\("([\w.]+)"', path.read_text(encoding="utf-8"))
    }
    assert asked <= set(EN)
