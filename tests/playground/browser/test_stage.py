"""The inside of a step as a stage: large, near and far, spoken, linked with the network and with programs."""

from __future__ import annotations

from typing import Any

import pytest
from tests.playground.browser.driving import WORDS, Seen, opened
from tests.playground.server.process import Served

EN = WORDS["en"]


def open_inside(seen: Seen) -> Any:
    """Open the step that comes next; the panel."""
    seen.button("keys.operation").click()
    seen.page.wait_for_selector("section.inside svg")
    seen.settled()
    return seen.page.locator("section.inside")


def test_the_stage_is_as_large_as_the_window_and_zooms(seen: Seen) -> None:
    page, panel = seen.page, open_inside(seen)
    graph, picture = page.locator(".graph"), page.locator(".graph svg")
    assert panel.evaluate("one => one.getRootNode().activeElement === one")
    whole = page.get_by_role("button", name=EN["inside.whole"])
    whole.click()
    box = panel.bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 1440, 900)
    natural = picture.bounding_box()["width"]
    page.get_by_role("button", name=EN["inside.closer"]).click()
    seen.until(
        lambda: picture.bounding_box()["width"] == pytest.approx(1.25 * natural, 0.01), "larger"
    )
    seen.press("-", "-")
    seen.until(
        lambda: picture.bounding_box()["width"] == pytest.approx(0.8 * natural, 0.01), "smaller"
    )
    graph.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    seen.until(lambda: picture.bounding_box()["width"] > 1.5 * natural, "nearer by the wheel")
    # What is larger than the stage is dragged about.
    before = graph.evaluate("one => one.scrollLeft")
    at = graph.bounding_box()
    page.mouse.move(at["x"] + at["width"] - 30, at["y"] + at["height"] - 30)
    page.mouse.down()
    page.mouse.move(at["x"] + at["width"] - 230, at["y"] + at["height"] - 90, steps=4)
    page.mouse.up()
    assert graph.evaluate("one => one.scrollLeft") == pytest.approx(before + 200, abs=2)
    page.get_by_role("button", name=EN["inside.fit"], exact=True).click()
    seen.until(
        lambda: graph.evaluate(
            "one => one.scrollWidth <= one.clientWidth && one.scrollHeight <= one.clientHeight"
        ),
        "all of it is seen",
    )
    seen.press("Escape")
    assert panel.bounding_box()["height"] < 600
    seen.press("Escape")
    assert panel.count() == 0
    assert (
        page.evaluate("document.activeElement.getAttribute('aria-label')") == EN["keys.operation"]
    )


def test_an_operation_is_told_and_seen_in_the_network_and_on_the_map(seen: Seen) -> None:
    seen.press("ArrowRight")
    seen.until_step(1)
    page, panel = seen.page, open_inside(seen)
    said = panel.locator(".unseen[role=status]")
    told = seen.messages["inside"].fields
    first = told["steps"][0]
    seen.until(lambda: first["title"] in said.inner_text(), "the operation is told")
    assert first["formulas"][0]["text"] in said.inner_text()
    assert panel.locator("[aria-live], [role=status]").count() == 1
    # Names of arrows are short, and tell no gradient before it has come back.
    names = page.eval_on_selector_all(
        ".graph g.arrow title", "all => all.map(one => one.textContent)"
    )
    assert len(names) > 15
    assert max(map(len, names)) < 40
    assert not any("gradient" in name or "[" in name for name in names)
    page.get_by_role("button", name=EN["inside.update"]).click()
    names = page.eval_on_selector_all(
        ".graph g.arrow title", "all => all.map(one => one.textContent)"
    )
    assert sum("gradient" in name for name in names) > 15
    # The rows of the batch are ringed on the map, the layer is lit in the network.
    marks = "document.querySelectorAll('.plot canvas')[2].toDataURL()"
    network = "document.querySelector('section.panel canvas').toDataURL()"
    ringed, lit = page.evaluate(marks), page.evaluate(network)
    page.get_by_role("button", name=EN["inside.loss"]).click()
    seen.settled()
    assert page.evaluate(network) != lit
    seen.press("Escape")
    seen.settled()
    assert page.evaluate(marks) != ringed


def test_simpler_nodes_keep_the_place(seen: Seen) -> None:
    page, panel = seen.page, open_inside(seen)
    page.get_by_role("button", name=EN["inside.backward"]).click()
    seen.press(*["."] * 12)
    heading = panel.locator(".cards h2")
    before = heading.inner_text()
    count = panel.locator(".count").inner_text()
    page.get_by_role("checkbox", name=EN["inside.detail"]).click()
    seen.settled()
    number, _, of = panel.locator(".count").inner_text().partition(" of ")
    assert int(of) > int(count.partition(" of ")[2])
    assert int(number) > 20
    layer = before.partition(" in ")[2]
    assert layer in heading.inner_text()
    page.get_by_role("checkbox", name=EN["inside.detail"]).click()
    seen.settled()
    assert panel.locator(".count").inner_text() == count


def test_six_things_of_one_operation_show_each_other(seen: Seen) -> None:
    """Arrow, sentence, formula and source; the line in NumPy; the line of the compiled kernel."""
    page, panel = seen.page, open_inside(seen)
    page.get_by_role("button", name=EN["inside.programs"]).click()
    seen.settled()
    steps = seen.messages["inside"].fields["steps"]
    k = next(
        k for k, step in enumerate(steps) if step["title"] == "Tanh" and step["phase"] == "forward"
    )
    operations = panel.get_by_role("group", name=EN["inside.operations"])
    numpy = panel.get_by_role("group", name=EN["inside.numpy"])
    kernel = panel.get_by_role("group", name=EN["inside.kernel"])

    def hot(column: Any) -> list[str]:
        return [text.strip() for text in column.locator(".hot").all_inner_texts()]

    def expect(what: str) -> None:
        assert hot(numpy) == ["hidden1 = np.tanh(z1)  # Tanh: y = tanh x."], what
        assert "hidden1.flat[i] = tanh(hidden1.flat[i])" in hot(kernel), what
        (operation,) = hot(operations)
        assert "Tanh" in operation, what
        node = page.locator(f".graph [data-node='{steps[k]['node']}']")
        assert "hot" in node.get_attribute("class"), what

    line = numpy.get_by_role("button", name="hidden1 = np.tanh(z1)")
    line.hover()
    expect("the line in NumPy")
    kernel.get_by_role("button", name="hidden1.flat[i] = tanh(hidden1.flat[i])").hover()
    expect("the line of the kernel")
    operation = operations.get_by_role("button").nth(k)
    for part in (".sentence", ".formula", ".source"):
        numpy.locator("h3").hover()
        operation.locator(part).first.hover()
        expect(part)
    page.get_by_role("button", name=EN["close"]).first.hover()
    arrow = page.locator(f".graph g.arrow[data-arrow='{steps[k]['outputs'][0]['arrow']}']")
    arrow.focus()
    expect("the arrow, by the focus")
    line.focus()
    expect("the line, by the focus")
    # Each stands in the window when it is shown, and a click goes to the operation.
    for column in (operations, kernel):
        assert column.evaluate(
            "one => { const a = one.getBoundingClientRect(), b = one.querySelector('.hot')"
            ".getBoundingClientRect(); return b.top >= a.top && b.bottom <= a.bottom }"
        )
    seen.press("Enter")
    assert panel.locator(".count").inner_text().startswith(f"{k + 1} of ")
    # Several operations in one line are told together.
    numpy.get_by_role("button", name="z1 = np.dot(x, W1) + b1").hover()
    assert len(hot(operations)) == 2


@pytest.mark.parametrize("size", [(390, 844), (683, 384)])
def test_where_there_is_little_room_it_comes_into_view(
    browser: Any, served: Served, size: tuple[int, int]
) -> None:
    with opened(browser, served, viewport={"width": size[0], "height": size[1]}) as seen:
        opener = seen.button("keys.operation")
        opener.click()
        seen.page.wait_for_selector("section.inside svg")
        seen.settled()
        panel = seen.page.locator("section.inside")
        seen.until(
            lambda: 0 <= panel.bounding_box()["y"] < size[1] - 100, "the panel is in the window"
        )
        assert panel.evaluate("one => one.getRootNode().activeElement === one")
        seen.press("Escape")
        assert (
            seen.page.evaluate("document.activeElement.getAttribute('aria-label')")
            == EN["keys.operation"]
        )
