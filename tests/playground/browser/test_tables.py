"""Tables of one's own, as they come: far-off numbers, odd names, one refused after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.playground.browser.driving import WORDS, Seen, opened
from tests.playground.server.process import Served

EN = WORDS["en"]
#: The numbers below the map and beside it, as [text, left, top, right, bottom].
AXES = (
    "[...document.querySelectorAll('.plot svg text')].map(e => [e.textContent, e.getBoundingClientRect()])"
    ".map(([text, at]) => [text, at.left, at.top, at.right, at.bottom])"
)


def read(seen: Seen, text: str) -> None:
    if not seen.page.get_by_role("dialog").count():
        seen.press("o")
    seen.page.get_by_label(EN["table.paste"]).fill(text)
    seen.button("table.read").click()
    seen.settled()


def use(seen: Seen) -> None:
    seen.button("table.use").click()
    seen.settled()


def table(x: Any, y: Any, target: Any = None) -> str:
    found = [f"{'ab'[k % 2]}" for k in range(len(x))] if target is None else target
    return "x,why,y\n" + "\n".join(f"{a!r},{b!r},{t}" for a, b, t in zip(x, y, found, strict=True))


#: Columns with numbers that are far off, or take much room.
AXES_OF = [
    (1.7e9 + 3600.0 * np.arange(60), 3e4 + 1e3 * np.arange(60)),  # times and salaries
    (1990.0 + 0.5 * np.arange(60), 1e6 * np.arange(60)),
    (6.6e-34 * np.arange(60), 1e-9 * np.arange(60)),
    (1e299 * np.arange(60), 1e12 + np.arange(60.0)),
]


def test_numbers_on_the_axes_are_apart_and_within_the_margin(seen: Seen) -> None:
    for x, y in AXES_OF:
        read(seen, table(x.tolist(), y.tolist()))
        use(seen)
        axes_are_fine(seen)


def axes_are_fine(seen: Seen) -> None:
    texts = seen.page.evaluate(AXES)
    assert len(texts) >= 4
    # First those below the map, then those beside it, then the two names.
    below = [text for text, _, top, *_ in texts if top == max(t[2] for t in texts)]
    beside = [text for text, *_ in texts][len(below) - 1 :]
    assert len(set(below)) == len(below)
    assert len(set(beside)) == len(beside)
    left = seen.page.locator("aside.output").bounding_box()["x"]
    for k, (text, x0, y0, x1, y1) in enumerate(texts):
        assert x0 >= left, text
        for other, u0, v0, u1, v1 in texts[:k]:
            over = min(x1, u1) - max(x0, u0) > 1 and min(y1, v1) - max(y0, v0) > 3
            assert not over, (text, other)


def test_the_map_reads_a_time_as_exactly_as_it_can_be_pointed_at(seen: Seen) -> None:
    times = 1_700_000_000 + 3600 * np.arange(60)
    read(seen, table(times.tolist(), list(range(60)), (150_000 + 1000 * np.arange(60)).tolist()))
    use(seen)
    box = seen.page.locator(".plot").bounding_box()
    seen.page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    seen.settled()
    told = seen.page.locator(".reading").inner_text().replace("\u202f", "")
    at = float(told.split("=")[1].split(",")[0])
    assert times[20] < at < times[40]
    assert "e" not in told.split(":")[1].split("·")[0]  # 179000, not 1.79e5


def test_columns_keep_their_names_in_the_list_of_runs(seen: Seen) -> None:
    read(seen, table(list(range(40)), [k * k % 7 for k in range(40)]))
    use(seen)
    told = seen.page.locator("section[aria-labelledby=runs-title] li").first.inner_text()
    assert "x, why" in told
    assert "target y" in told


def test_a_refused_table_leaves_nothing_of_the_one_before(seen: Seen) -> None:
    read(seen, "a,b\n" + "1,x\n2,y\n" * 5)
    assert seen.button("table.use").count() == 1
    read(seen, "a,b\n")
    assert seen.button("table.use").count() == 0
    assert seen.page.get_by_role("dialog").get_by_role("checkbox").count() == 0


def test_a_dialog_that_was_left_can_be_opened_again_from_its_tile(seen: Seen) -> None:
    for _ in range(2):
        seen.data_set("own")
        assert seen.page.get_by_role("dialog").count() == 1
        seen.press("Escape")
        checked = seen.page.locator("aside.data input[type=radio]:checked")
        assert checked.evaluate_all("all => all.map(e => e.value)") == ["circle"]
    # By keys the sets are gone through as everywhere, and → is a step again after a click.
    seen.page.get_by_role("radio", name=EN["data.circle"], exact=True).focus()
    seen.press("ArrowRight")
    seen.settled()
    assert seen.messages["state"].fields["settings"]["data"] == "xor"
    seen.press("ArrowRight")
    seen.settled()
    assert seen.messages["state"].fields["settings"]["data"] == "gauss"
    seen.data_set("spiral")
    seen.settled()
    seen.press("ArrowRight")
    seen.until_step(1)
    assert seen.messages["state"].fields["settings"]["data"] == "spiral"


def test_the_column_to_predict_is_told_of_runs_with_tables_only(seen: Seen) -> None:
    read(seen, table(list(range(40)), [k * k % 7 for k in range(40)]))
    use(seen)
    seen.press("ArrowRight")
    seen.data_set("xor")
    seen.settled()
    first, second = seen.page.locator("aside.output li").all_inner_texts()
    assert "target" not in first
    assert "target" in second


@pytest.mark.parametrize(("lang", "number", "text"), [("en", "age (missing)", "town=(missing)"),
                                                      ("zh", "age（缺失）", "town=（缺失）")])  # fmt: skip
def test_inputs_that_tell_of_missing_cells_are_called_so_in_both_languages(
    browser: Any, served: Served, lang: str, number: str, text: str
) -> None:
    rows = [
        f"{'' if k % 5 == 0 else k},{['A', 'B', ''][k % 3]},{'no' if k % 2 else 'yes'}"
        for k in range(60)
    ]
    with opened(browser, served, locale={"en": "en-GB", "zh": "zh-CN"}[lang]) as seen:
        seen.press("o")
        seen.page.get_by_label(WORDS[lang]["table.paste"]).fill("\n".join(["age,town,y", *rows]))
        seen.button("table.read", lang).click()
        seen.settled()
        seen.button("table.use", lang).click()
        seen.settled()
        told = seen.page.locator(".playground").inner_html()
        assert number in told
        assert text in told
        assert ("(missing)" in told) == (lang == "en")
