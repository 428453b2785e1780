"""How the page lies on screens: large, small, upright, for fingers; and that nothing in it jumps."""

from __future__ import annotations

from typing import Any

import pytest
from tests.playground.browser.driving import WORDS, Seen, opened
from tests.playground.server.process import Served

EN = WORDS["en"]
REGIONS = (".top", ".data", ".network", ".output", ".time")
BOXES = """(regions) => regions.map(name => {
    const box = document.querySelector(name).getBoundingClientRect();
    return [box.left, box.top, box.right, box.bottom];
})"""


def overlap(one: list[float], other: list[float]) -> bool:
    left, right = max(one[0], other[0]), min(one[2], other[2])
    top, bottom = max(one[1], other[1]), min(one[3], other[3])
    return right - left > 1 and bottom - top > 1


@pytest.mark.parametrize(
    ("size", "touch"),
    [((1440, 900), False), ((1024, 768), False), ((1024, 768), True), ((820, 1180), True)],
)
def test_regions_lie_beside_each_other(
    browser: Any, served: Served, size: tuple[int, int], touch: bool
) -> None:
    view = {"width": size[0], "height": size[1]}
    with opened(browser, served, viewport=view, has_touch=touch, is_mobile=touch) as tab:
        for inside in (False, True):
            if inside:
                tab.press(".")
                tab.page.wait_for_selector("section.inside svg")
                tab.settled()
            # An open step takes the place of the data where there is little.
            hidden = inside and size[0] <= 1180
            names = [name for name in REGIONS if not (hidden and name == ".data")]
            names += ["div.inside"] if inside else []
            boxes = tab.page.evaluate(BOXES, names)
            for k, box in enumerate(boxes):
                assert box[2] - box[0] > 200 or names[k] == ".data", names[k]
                assert box[3] - box[1] >= 47, names[k]
                assert box[3] <= size[1] + 1, names[k]
                for j in range(k):
                    assert not overlap(box, boxes[j]), (names[k], names[j], inside)
            # All of the map is in its column, with its legend and the scores.
            panel = tab.page.locator(".output").first.bounding_box()
            for part in (".plot", ".legend >> nth=0", "aside.output table >> nth=0"):
                found = tab.page.locator(part).first.bounding_box()
                assert found["y"] + found["height"] <= panel["y"] + panel["height"] + 1, part
            assert tab.page.locator(".plot").bounding_box()["width"] >= 150


def test_buttons_are_large_enough_for_fingers(browser: Any, served: Served) -> None:
    size = {"width": 820, "height": 1180}
    with opened(browser, served, viewport=size, has_touch=True, is_mobile=True) as tab:
        small = tab.page.evaluate(
            "[...document.querySelectorAll('.top button, .top select, .network .round, .network select,"
            " .data button, .time button:not(.event)')].filter(e => e.checkVisibility())"
            ".map(e => [e.title || e.ariaLabel, e.getBoundingClientRect()])"
            ".filter(([, box]) => box.width < 44 || box.height < 44).map(([name]) => name)"
        )
        assert small == []


def test_nothing_jumps_while_numbers_change(seen: Seen) -> None:
    where = (
        "[...document.querySelectorAll('button:not(.unit, .event, .now), select, canvas, h2, table,"
        " input:not([type=range]), .caption')].filter(e => e.checkVisibility()).map(e => {"
        " const box = e.getBoundingClientRect();"
        " return [e.title || e.ariaLabel || e.innerText.slice(0, 20),"
        "  Math.round(box.x), Math.round(box.y)] })"
        # The end of the run stands right after the step, and has its own words.
        ".filter(([name]) => !name.startsWith('/'))"
    )
    before = [place for place in seen.page.evaluate(where) if place[0] != EN["play"]]
    seen.button("play").click()
    for _ in range(8):
        seen.page.wait_for_timeout(250)
        now = [place for place in seen.page.evaluate(where) if place[0] != EN["pause"]]
        assert now == before
    # Nor when the map is pointed at.
    box = seen.page.locator(".plot").bounding_box()
    for part in (0.2, 0.4, 0.6, 0.8):
        seen.page.mouse.move(box["x"] + part * box["width"], box["y"] + part * box["height"])
        seen.page.wait_for_timeout(60)
        now = [place for place in seen.page.evaluate(where) if place[0] != EN["pause"]]
        assert now == before
    seen.button("pause").click()


def test_every_menu_says_what_it_means(seen: Seen) -> None:
    without = seen.page.evaluate(
        "[...document.querySelectorAll('.top select, .top dt, .data input[type=range],"
        " .network select, .output thead th')].filter(e => !(e.title || e.closest('[title]')))"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert without == []


def test_long_names_and_large_numbers_stay_in_their_places(seen: Seen) -> None:
    names = ["Iris with a name that does not end", "B" * 70, "短"]
    lines = [f"the length of the leaf in the morning,{'b' * 40},species"]
    lines += [f"{1000000 * (k % 17)},{k % 13},{names[k % 3]}" for k in range(60)]
    seen.press("o")
    seen.page.get_by_label(EN["table.paste"]).fill("\n".join(lines))
    seen.button("table.read").click()
    seen.settled()
    seen.button("table.use").click()
    seen.settled()
    for region in ("aside.data", "main.network", "aside.output"):
        over = seen.page.evaluate(
            "name => { const all = document.querySelector(name); const box = all.getBoundingClientRect();"
            " return [...all.querySelectorAll('p, li, .name, text, h2, td, th')]"
            ".filter(e => e.checkVisibility() && !e.closest('.unseen'))"
            ".map(e => [e.textContent, e.getBoundingClientRect()])"
            ".filter(([, at]) => at.width > 0 && (at.left < box.left - 1"
            " || at.right > box.right + 1))"
            ".map(([text]) => text) }",
            region,
        )
        assert over == [], region


def test_a_column_of_one_value_is_no_plane(seen: Seen) -> None:
    seen.press("o")
    rows = "\n".join(f"{k},7,{'xy'[k % 2]}" for k in range(40))
    seen.page.get_by_label(EN["table.paste"]).fill(f"a,b,c\n{rows}")
    seen.button("table.read").click()
    seen.settled()
    seen.button("table.use").click()
    seen.settled()
    assert seen.messages["state"].fields["data"]["plane"] is None
    assert seen.page.get_by_text(EN["map.confusion_train"]).is_visible()
    seen.press("Shift+ArrowRight")
    seen.settled()
    assert seen.score("train") < 10


def test_predicted_numbers_are_in_the_tables_own_unit(seen: Seen) -> None:
    rows = "\n".join(
        f"{k},{(k * 7) % 11},{(k * 5) % 13},{200 + 10 * k + k % 3}.5" for k in range(40)
    )
    seen.press("o")
    seen.page.get_by_label(EN["table.paste"]).fill(f"a,b,c,price\n{rows}")
    seen.button("table.read").click()
    seen.settled()
    seen.button("table.use").click()
    seen.settled()
    ticks = seen.page.locator(".plot text:not(.name)").all_text_contents()
    assert {"200", "400", "600"} <= set(ticks)
    # With two inputs there is a map, and it is read in that unit too.
    seen.button("network.feature", name="c").click()
    seen.settled()
    ends = seen.page.locator(".legend .end").all_inner_texts()
    assert 150 < float(ends[0]) < 250 < 550 < float(ends[1]) < 650


@pytest.mark.parametrize(
    "width", [320, 430, 1024, *(pytest.param(w, marks=pytest.mark.long) for w in (360, 390))]
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_menus_open_within_the_window(browser: Any, served: Served, width: int, lang: str) -> None:
    view, touch = {"width": width, "height": 844}, width < 1024
    with opened(
        browser, served, viewport=view, has_touch=touch, is_mobile=touch, locale=lang
    ) as tab:
        assert tab.page.evaluate("document.documentElement.lang").startswith(lang)
        menus = tab.page.locator("button[popovertarget]")
        assert menus.count()
        for k in range(menus.count()):
            if menus.nth(k).is_visible():
                menus.nth(k).click()
                panel = tab.page.locator("[popover]:popover-open")
                box = panel.bounding_box()
                assert box["x"] >= 0, panel.inner_text()
                assert box["x"] + box["width"] <= width, panel.inner_text()
                tab.page.keyboard.press("Escape")
