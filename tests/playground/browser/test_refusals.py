"""What goes wrong is said where people look, in their language."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from tests.playground.browser.driving import WORDS, Seen, opened
from tests.playground.server.process import Served

EN, ZH = WORDS["en"], WORDS["zh"]


def test_a_refused_table_says_why_in_the_dialog_and_in_chinese(seen: Seen) -> None:
    seen.page.get_by_role("button", name="简体中文").click()
    seen.press("o")
    seen.page.get_by_label(ZH["table.paste"]).fill("a,b\n1,2\n1,2,3\n")
    seen.button("table.read", "zh").click()
    seen.settled()
    notice = seen.page.locator("dialog [role=alert]").inner_text()
    assert "第 3 行" in notice
    assert not re.search("[A-Za-z]{3}", notice)
    # A good one takes the complaint away.
    seen.page.get_by_label(ZH["table.paste"]).fill("a,b\n" + "1,2\n2,1\n" * 5)
    seen.button("table.read", "zh").click()
    seen.settled()
    assert seen.page.locator("dialog [role=alert]").inner_text().strip() == ""


def test_what_stopped_a_training_is_said_in_chinese(seen: Seen) -> None:
    seen.data_set("plane")
    seen.choose("activation", "relu")
    seen.settled()
    seen.choose("learning_rate", "10")
    seen.page.get_by_role("button", name="简体中文").click()
    seen.press(*["Shift+ArrowRight"] * 6)
    seen.settled()
    seen.button("trouble.stopped", "zh").click()
    panel = seen.page.locator(".trouble section")
    panel.wait_for()
    text = panel.inner_text()
    assert "训练停在" in text
    assert ZH["trouble.since"].partition("{")[0] in text
    assert not re.search("[A-Za-z]{4}", re.sub("leaky ReLU|ReLU|HalfSquaredError", "", text))


def test_what_is_no_number_leaves_the_weight(seen: Seen) -> None:
    before = seen.messages["frame"].arrays["weights"].tolist()
    for typed in ("nan", "-", "e", ""):
        seen.page.get_by_role("button", name="unit 1 of layer 1").first.click()
        seen.page.keyboard.press("Control+a")
        seen.page.keyboard.press("Delete")
        seen.page.keyboard.type(typed)
        seen.press("Enter")
        seen.settled()
        assert seen.messages["frame"].arrays["weights"].tolist() == before, typed
        seen.press("Escape")


def test_two_tabs_are_one_training(browser: Any, served: Served) -> None:
    with opened(browser, served) as one:
        other = one.page.context.new_page()
        other.goto(f"{served.origin}/")
        other.wait_for_selector("canvas")
        one.press("Shift+ArrowRight")
        one.until_step(25)
        other.get_by_text("1/25").or_(other.locator("dd.epoch", has_text="1")).first.wait_for()
        other.close()
        one.page.reload()
        one.page.wait_for_selector("canvas")
        one.until_step(25)
        one.faults.clear()  # a tab that is left or loaded anew ends its connection


@pytest.mark.parametrize("clicks", [60, pytest.param(300, marks=pytest.mark.long)])
def test_clicks_on_everything_while_it_learns_are_no_fault(seen: Seen, clicks: int) -> None:
    rng = np.random.default_rng(7)
    seen.button("play").click()
    sizes = [(700, 500), (1024, 768), (1440, 900), (820, 1180)]
    for k in range(clicks):
        seen.page.evaluate(
            "k => { const all = [...document.querySelectorAll('.top button, .data label,"
            " .network button, .time button, .output input, .output button')].filter(e =>"
            " e.checkVisibility() && !e.disabled && !e.closest('[popover]'));"
            " all[k % all.length].click() }",
            int(rng.integers(10_000)),
        )
        if k % 15 == 0:
            width, height = sizes[int(rng.integers(len(sizes)))]
            seen.page.set_viewport_size({"width": width, "height": height})
        seen.page.wait_for_timeout(15)
    seen.press("Escape", "Escape")
    seen.page.set_viewport_size({"width": 1440, "height": 900})
    seen.settled()
    english = seen.page.get_by_role("button", name="En English")
    if english.count():  # the other language was clicked, too
        english.click()
    seen.data_set("circle")
    seen.settled()
    seen.press("Shift+ArrowRight")
    seen.settled()
    assert seen.score("train") > 0


def test_a_step_that_cannot_be_opened_shows_nothing_of_the_one_before(seen: Seen) -> None:
    seen.press(".")
    seen.page.wait_for_selector("section.inside svg")
    seen.data_set("painted")
    seen.settled()
    assert seen.page.locator("section.inside svg").count() == 0
    assert seen.button("inside.check").count() == 0
    assert "There is no batch to look into" in seen.page.inner_text("body")
    seen.data_set("xor")
    seen.page.wait_for_selector("section.inside svg")
