"""What everybody needs of the page: both languages, keys, a screen reader, no scrolling."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.playground.browser.driving import PAGE, WORDS, Seen, opened
from tests.playground.server.process import Served

EN, ZH = WORDS["en"], WORDS["zh"]
AXE = PAGE / "node_modules" / "axe-core" / "axe.min.js"


def shown(seen: Seen) -> set[str]:
    """Every text that is on the page, line by line, and what controls are called."""
    text: str = seen.page.evaluate(
        "[...document.querySelectorAll('*')].flatMap(e => [...e.childNodes]"
        ".filter(n => n.nodeType == 3 && e.offsetParent !== null).map(n => n.data)"
        ".concat([e.title, e.ariaLabel])).filter(Boolean).join('\\n')"
    )
    return {line.strip() for line in text.splitlines() if line.strip()}


def test_no_english_sentence_is_left_in_chinese(seen: Seen) -> None:
    only_english = {
        text for key, text in EN.items() if text != ZH[key] and "{" not in text and len(text) > 2
    }
    assert shown(seen) & only_english
    seen.page.get_by_role("button", name="简体中文").click()
    seen.settled()
    assert seen.page.evaluate("document.querySelector('.playground').lang") == "zh-CN"
    for opening in (".", "Escape", "?", "Escape", "o", "Escape", "l", "Escape"):
        seen.press(opening)
        seen.settled()
        assert shown(seen) & only_english == set(), opening
    seen.page.get_by_role("button", name="English").click()
    seen.settled()
    assert not re.search("[一-鿿]", seen.page.inner_text("body").replace("中", ""))


def test_the_browsers_language_is_taken(browser: Any, served: Served) -> None:
    with opened(browser, served, locale="zh-CN") as tab:
        assert ZH["data"] in tab.page.inner_text("body")


@pytest.mark.parametrize(
    ("lang", "theme"),
    [
        ("en", "light"),
        ("zh", "dark"),
        pytest.param("en", "dark", marks=pytest.mark.long),
        pytest.param("zh", "light", marks=pytest.mark.long),
    ],
)
def test_no_serious_fault_for_a_screen_reader(seen: Seen, lang: str, theme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not here: npm ci, in page/")
    page = seen.page
    if lang == "zh":
        page.get_by_role("button", name="简体中文").click()
    if theme == "dark":
        seen.button("theme.dark", lang).click()
    seen.press("Shift+ArrowRight")
    for opening in ("", ".", "Escape", "?", "Escape", "o", "Escape", "l"):
        if opening:
            seen.press(opening)
            page.wait_for_timeout(500)
        if opening == "Escape":
            continue
        page.evaluate(AXE.read_text("utf-8"))
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        serious = [
            f"{v['id']}: {v['help']} {[n['target'] for n in v['nodes']][:3]}"
            for v in found["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert serious == [], opening


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768)])
def test_one_view_without_scrolling(seen: Seen, size: tuple[int, int]) -> None:
    seen.page.set_viewport_size({"width": size[0], "height": size[1]})
    seen.settled()
    for opening in ("", "."):
        if opening:
            seen.press(opening)
            seen.page.wait_for_timeout(800)
        root = "document.documentElement"
        wide, tall = seen.page.evaluate(f"[{root}.scrollWidth, {root}.scrollHeight]")
        assert (wide, tall) == size
        outside = seen.page.evaluate(
            "[...document.querySelectorAll('.top button, .time button')].filter(b => b.offsetParent"
            " && (b.getBoundingClientRect().right > innerWidth || b.getBoundingClientRect().left < 0))"
            ".map(b => b.title)"
        )
        assert outside == []


def test_a_weight_is_changed_by_keys_alone(seen: Seen) -> None:
    seen.button("network.feature", name="x₁").focus()
    seen.press("ArrowRight")
    seen.settled()
    name = seen.page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert name.startswith("weight from x₁ to unit 1 of layer 1")
    seen.press("Enter")
    seen.settled()
    seen.page.keyboard.type("0.625")
    seen.press("Enter")
    seen.settled()
    weights = seen.messages["frame"].arrays["weights"]
    assert 0.625 in weights


def a_number_inside(seen: Seen) -> Any:
    """One that can be asked why, at the 17th operation of a step."""
    seen.press("Shift+ArrowRight", ".")
    seen.page.wait_for_selector("section.inside svg")
    for _ in range(16):
        seen.press(".")
    return seen.page.locator(".cards td button").first


def test_a_number_is_asked_why_by_keys_alone(seen: Seen) -> None:
    a_number_inside(seen).focus()
    seen.press("Enter")
    seen.settled()
    assert seen.page.get_by_role("heading", name=EN["inside.why"]).is_visible()
    assert seen.page.locator(".cards math").count() > 2
    seen.press("Escape")
    seen.settled()
    assert not seen.page.get_by_role("heading", name=EN["inside.why"]).is_visible()
    seen.button("inside.check").click()
    seen.settled()
    assert "agree" in seen.page.locator(".summary").first.inner_text()


def test_what_was_asked_is_answered_in_the_other_language_too(seen: Seen) -> None:
    a_number_inside(seen).click()
    seen.settled()
    seen.button("inside.check").click()
    seen.settled()
    at = re.findall(r"\d+", seen.page.locator(".count").inner_text())
    numbers = seen.page.locator(".cards math").first.text_content()
    seen.page.get_by_role("button", name="简体中文").click()
    seen.settled()
    seen.page.get_by_role("heading", name=ZH["inside.why"]).wait_for()
    assert re.findall(r"\d+", seen.page.locator(".count").inner_text()) == at
    assert seen.page.locator(".cards math").first.text_content() == numbers
    said = seen.page.locator(".summary").first
    said.wait_for()
    assert re.search("[一-鿿]", said.inner_text())


def test_tab_reaches_every_control_in_the_order_of_the_page(seen: Seen) -> None:
    seen.press("Shift+ArrowRight", "ArrowLeft")  # so that there is a past and a future
    seen.settled()
    # Of radio buttons one is reached, and arrows lead to the others; of the units of a layer, too.
    expected = seen.page.evaluate(
        "[...document.querySelectorAll('*')].flatMap((e, k) => e.tabIndex >= 0 && !e.disabled"
        " && e.checkVisibility() && (e.type != 'radio' || e.checked) ? [k] : [])"
    )
    visited, regions = [], []
    for _ in expected:
        seen.page.keyboard.press("Tab")
        place, region, outlines = seen.page.evaluate(
            "(e => [[...document.querySelectorAll('*')].indexOf(e),"
            " e.closest('.top, .data, .network, .output, .time').classList[0],"
            " [e, e.parentElement, e.nextElementSibling].filter(Boolean)"
            ".map(one => getComputedStyle(one).outlineStyle)])(document.activeElement)"
        )
        assert "solid" in outlines  # where the keys go can be seen
        visited.append(place)
        regions.append(region)
    assert visited == expected
    assert list(dict.fromkeys(regions)) == ["top", "data", "network", "output", "time"]
    assert len(regions) > 45


#: What a key does, one after the other.
KEYS: list[tuple[str, Callable[[Any, Any], bool]]] = [
    ("Shift+ArrowRight", lambda state, frame: frame["step"] == 25),
    ("ArrowRight", lambda state, frame: frame["step"] == 26),
    ("ArrowLeft", lambda state, frame: frame["step"] == 25),
    ("Shift+ArrowRight", lambda state, frame: frame["step"] == 50),
    ("Shift+ArrowLeft", lambda state, frame: frame["step"] == 25),
    ("r", lambda state, frame: frame["step"] == 0),
    ("w", lambda state, frame: state["settings"]["weight_seed"] == 1),
    ("n", lambda state, frame: state["settings"]["data_seed"] == 1),
    (" ", lambda state, frame: frame["playing"]),
]


def test_keys_train(seen: Seen) -> None:
    for key, effect in KEYS:
        before = seen.messages["state"].fields, seen.messages["frame"].fields
        assert not effect(*before), key
        seen.press(key)
        seen.settled()
        assert effect(seen.messages["state"].fields, seen.messages["frame"].fields), key


def test_keys_switch_what_is_shown(seen: Seen) -> None:
    for key, name in (("t", "map.test"), ("b", "map.batch"), ("d", "map.discretize")):
        box = seen.page.get_by_role("checkbox", name=EN[name], exact=True)
        before = box.is_checked()
        seen.press(key)
        assert box.is_checked() is not before
