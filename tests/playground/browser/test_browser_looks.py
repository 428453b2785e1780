"""What everybody needs of the page: both languages, keys, a screen reader, no scrolling."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.playground.browser.driving import PAGE, WORDS, Seen

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


def test_the_browsers_language_is_taken(browser: Any, seen: Seen) -> None:
    context = browser.new_context(locale="zh-CN")
    tab = Seen(context, seen.origin)
    context.add_cookies(seen.page.context.cookies())
    tab.page.goto(seen.origin)
    tab.page.wait_for_selector("canvas")
    assert ZH["data"] in tab.page.inner_text("body")
    context.close()
    assert tab.faults == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_serious_fault_for_a_screen_reader(seen: Seen, lang: str, theme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not here: npm ci, in page/")
    page = seen.page
    if lang == "zh":
        page.get_by_role("button", name="简体中文").click()
    if theme == "dark":
        seen.button("theme.dark", lang).click()
    seen.press("Shift+ArrowRight")
    for opening in ("", ".", "Escape", "?"):
        if opening:
            seen.press(opening)
            page.wait_for_timeout(900)
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


def test_a_number_is_asked_why_by_keys_alone(seen: Seen) -> None:
    seen.press("Shift+ArrowRight", ".")
    seen.page.wait_for_selector("section.inside svg")
    for _ in range(16):
        seen.press(".")
    seen.page.locator(".cards td button").first.focus()
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
