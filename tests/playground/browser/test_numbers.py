"""Numbers on the network: gradients, changes, one weight, one row; by clicking and by keys only."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from tests.playground.browser.driving import WORDS, Seen

import chainrule as cr
from chainrule.playground.messages import Message

EN = WORDS["en"]


def shows(seen: Seen, quantity: str) -> None:
    seen.button(f"network.quantity.{quantity}").click()


def legend(seen: Seen) -> str:
    text: str = seen.page.locator("section.panel .below").inner_text()
    return text


def element(seen: Seen, at: int) -> tuple[int, dict[str, Any], list[int]]:
    """The parameter that has the number at this place, and where in it the number is."""
    parameters = seen.messages["state"].fields["network"]["parameters"]
    for i, p in enumerate(parameters):
        if p["offset"] <= at < p["offset"] + np.prod(p["shape"]):
            place = np.unravel_index(at - p["offset"], p["shape"])
            return i, p, [int(k) for k in place]
    raise AssertionError(at)


def copied(field: Any) -> float:
    """A number with all its digits, as who focuses it reads and copies it."""
    field.focus()
    return float(field.input_value().replace("−", "-"))


def the_gradient(seen: Seen) -> Any:
    """The gradients by the library: of the rows of the latest step, at the weights before it."""
    frame, state = seen.messages["frame"], seen.messages["state"].fields
    x, labels = cr.datasets.playground("circle", 0, 0)
    train, _ = cr.datasets.stratified_split(labels, 0.5, np.random.default_rng([0, 1]))
    x, t = x[train], np.where(labels[train] == 1, 1.0, -1.0)[:, None]
    net = cr.Sequential(
        cr.Affine.sized(2, 4, dtype=float), cr.Tanh(), cr.Affine.sized(4, 2, dtype=float),
        cr.Tanh(), cr.Affine.sized(2, 1, dtype=float), cr.Tanh(), loss=cr.layers.HalfSquaredError(),
        seed=0,
    )  # fmt: skip
    before = frame.arrays["weights"] - frame.arrays["change"]
    named = net.named_parameters()
    for p in state["network"]["parameters"]:
        path = f"{2 * (p['column'] - 1)}.{p['name'][0]}"
        named[path].data[...] = before[p["offset"] :][: np.prod(p["shape"])].reshape(p["shape"])
    net.forward(x[frame.arrays["batch"]], t[frame.arrays["batch"]])
    net.backward()
    return {path: p.grad for path, p in named.items()}


def test_the_network_shows_gradients_and_changes_of_the_step_that_is_shown(seen: Seen) -> None:

    def frame() -> Message:
        return seen.messages["frame"]

    for quantity in ("gradient", "change"):
        shows(seen, quantity)
        assert EN["network.missing.none"] in legend(seen)
    seen.press("Shift+ArrowRight", "ArrowRight")
    seen.until_step(26)
    seen.page.mouse.click(700, 200)  # not on the switch any more
    assert EN["network.of_update"].format(step=26) in legend(seen)
    shows(seen, "gradient")
    assert EN["network.of_step"].format(step=26, n=10) in legend(seen)
    gradients = the_gradient(seen)
    for p in seen.messages["state"].fields["network"]["parameters"]:
        sent = frame().arrays["grads"][p["offset"] :][: np.prod(p["shape"])]
        expected: Any = gradients[f"{2 * (p['column'] - 1)}.{p['name'][0]}"]
        np.testing.assert_allclose(sent, expected.ravel(), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(
        frame().arrays["change"], -0.03 * frame().arrays["grads"], rtol=1e-9, atol=1e-16
    )
    # Scrubbing: it is always the step's own; at step 0 there is none, and no 0 is told.
    at_26 = frame().arrays["grads"].copy()
    seen.press("ArrowLeft")
    seen.until_step(25)
    assert EN["network.of_step"].format(step=25, n=10) in legend(seen)
    assert not np.array_equal(frame().arrays["grads"], at_26)
    seen.press("ArrowRight")
    seen.until_step(26)
    assert np.array_equal(frame().arrays["grads"], at_26)
    seen.move("time.back_far")
    assert EN["network.missing.none"] in legend(seen)
    assert "grads" not in frame().arrays
    # While it plays it is of the steps that go by.
    seen.button("play").click()
    seen.until(lambda: seen.step > 200, "it plays")
    assert re.search(r"of step \d+, from its 10 rows", legend(seen))
    seen.button("pause").click()
    seen.settled()


def test_the_card_of_a_number_tells_what_belongs_to_the_step_shown(seen: Seen) -> None:
    page, card = seen.page, seen.page.locator(".card")
    page.get_by_role("button", name="unit 2 of layer 1").first.click()
    assert EN["network.missing.none"] in card.inner_text()
    assert card.get_by_role("button", name=EN["card.why"]).count() == 0
    seen.press("Escape")
    for unit in ("epoch", "batch", "batch"):
        seen.button(f"keys.{unit}").click()
    seen.until_step(27)
    page.get_by_role("button", name="unit 2 of layer 1").first.click()
    seen.settled()
    frame = seen.messages["frame"]
    parameters = seen.messages["state"].fields["network"]["parameters"]
    at = next(q["offset"] for q in parameters if q["name"] == "b1") + 1
    gradient = card.get_by_role("textbox", name=EN["card.gradient"])
    change = card.get_by_role("textbox", name=EN["card.change"])
    assert len(gradient.input_value().lstrip("−").lstrip("0.").replace("e−", "")) <= 6
    assert copied(gradient) == frame.arrays["grads"][at]
    assert copied(change) == frame.arrays["change"][at]
    assert EN["network.of_step"].format(step=27, n=10) in card.inner_text()
    line = card.get_by_role("img")
    line.wait_for()
    assert "from step 1 to step 27" in line.get_attribute("aria-label")
    assert card.get_by_role("spinbutton").get_attribute("title") is not None
    # "Why?" opens the very step that has been taken, at that number.
    card.get_by_role("button", name=EN["card.why"]).first.click()
    why = page.get_by_role("heading", name=EN["inside.why"])
    why.wait_for()
    assert page.get_by_role("heading", name="Inside step 27: 10 rows").is_visible()
    assert "b1" in page.locator(".cards math").first.text_content()
    told = seen.messages["explained"].fields
    assert told["name"] == "∂b1[2]"  # unit 2
    assert told["value"] == frame.arrays["grads"][at]
    cards = page.locator(".cards")
    assert cards.evaluate("one => one.scrollWidth <= one.clientWidth")
    seen.press("Escape", "Escape")
    # An edit by hand: those gradients were of other weights, and the change is the hand's.
    page.get_by_role("button", name="unit 2 of layer 1").first.click()
    page.keyboard.type("3")
    seen.press("Enter")
    seen.settled()
    assert EN["network.missing.edited"] in card.inner_text()
    assert copied(change) == pytest.approx(3 - frame.arrays["weights"][at], abs=1e-15)


def test_find_the_weight_with_the_largest_gradient_and_say_why(seen: Seen) -> None:
    """By clicks only: the thickest line of the gradients is clicked, and its card asked."""
    seen.button("keys.epoch").click()
    seen.settled()
    shows(seen, "gradient")
    frame = seen.messages["frame"]
    weights = [
        p for p in seen.messages["state"].fields["network"]["parameters"] if len(p["shape"]) == 2
    ]
    sizes = np.abs(frame.arrays["grads"])
    best = max(
        (int(p["offset"] + k) for p in weights for k in range(int(np.prod(p["shape"])))),
        key=lambda k: float(sizes[k]),
    )
    _, p, place = element(seen, best)
    assert EN["network.legend.thickest"].format(value="")[:8] in legend(seen)
    # Where its line is half-way: from a unit's right side to the other's left side.
    ends = [unit_box(seen, p["column"] - 1, place[0]), unit_box(seen, p["column"], place[1])]
    (x0, y0), (x1, y1) = (ends[0][1], ends[0][2]), (ends[1][0], ends[1][2])
    seen.page.mouse.click((x0 + x1) / 2, (y0 + y1) / 2)
    card = seen.page.locator(".card")
    assert (
        copied(card.get_by_role("textbox", name=EN["card.gradient"])) == frame.arrays["grads"][best]
    )
    card.get_by_role("button", name=EN["card.why"]).first.click()
    seen.page.get_by_role("heading", name=EN["inside.why"]).wait_for()
    told = seen.messages["explained"].fields
    assert told["value"] == frame.arrays["grads"][best]
    assert told["lines"][0]["text"].startswith(f"∂{p['name']}[{place[0] + 1},{place[1] + 1}]")


def unit_box(seen: Seen, column: int, index: int) -> tuple[float, float, float]:
    """The left and the right side of a unit, and its middle from above."""
    units = seen.messages["state"].fields["network"]["columns"]
    if column == 0:
        name = {"x": "x₁", "y": "x₂"}[units[0]["units"][index]]
        found = seen.button("network.feature", name=name)
    elif column == len(units) - 1:
        found = seen.page.get_by_role("button", name=re.compile("^output"))
    else:
        found = seen.page.get_by_role("button", name=f"unit {index + 1} of layer {column}").first
    box = found.bounding_box()
    return box["x"], box["x"] + box["width"], box["y"] + box["height"] / 2


def test_a_row_is_followed_by_a_click_and_by_keys(seen: Seen) -> None:
    page = seen.page
    seen.button("keys.epoch").click()
    seen.settled()
    points, plane = (
        seen.messages["state"].arrays["points"],
        seen.messages["state"].fields["data"]["plane"],
    )
    box = page.locator(".plot").bounding_box()
    row = int(np.argmax(points[:250, 0]))  # it lies by itself, far to the right
    across = (points[row, 0] - plane["x"][0]) / (plane["x"][1] - plane["x"][0])
    down = (plane["y"][1] - points[row, 1]) / (plane["y"][1] - plane["y"][0])
    page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])
    seen.settled()
    frame = seen.messages["frame"]
    assert frame.fields["followed"] == row
    bar = page.get_by_role("group", name=EN["follow"])
    which = bar.get_by_role("spinbutton")
    assert which.input_value() == str(row + 1)
    # Its numbers are the library's.
    weights, parameters = (
        frame.arrays["weights"],
        seen.messages["state"].fields["network"]["parameters"],
    )
    arrays = {
        p["name"]: weights[p["offset"] :][: np.prod(p["shape"])].reshape(p["shape"])
        for p in parameters
    }
    values = [points[row]]
    for k in (1, 2, 3):
        values.append(np.tanh(values[-1] @ arrays[f"W{k}"] + arrays[f"b{k}"]))
    np.testing.assert_allclose(frame.arrays["followed"], np.concatenate(values), rtol=1e-9)
    target = {0: -1.0, 1: 1.0}[int(seen.messages["state"].arrays["labels"][row])]
    assert frame.fields["followed_loss"] == pytest.approx((values[-1][0] - target) ** 2 / 2)
    right = (values[-1][0] > 0) == (target > 0)
    assert EN["follow.right" if right else "follow.wrong"] in bar.inner_text()
    unit = page.get_by_role("button", name=re.compile("^unit 1 of layer 2, bias .*; gives "))
    assert unit.count() == 1
    # Its own graph: forward, loss and gradients of this row alone.
    bar.get_by_role("button", name=EN["follow.inside"]).click()
    page.get_by_role("heading", name=f"Inside row {row + 1} alone").wait_for()
    assert page.get_by_text(EN["inside.alone"]).is_visible()
    told = seen.messages["inside"]
    assert told.arrays["batch"].tolist() == [row]
    np.testing.assert_allclose(told.arrays["value x"], points[[row]])
    assert {step["phase"] for step in told.fields["steps"]} == {"forward", "loss", "backward"}
    seen.press("Escape")
    # Row by row with the keys, and away.
    which.focus()
    seen.press("ArrowUp")
    seen.until(lambda: seen.messages["frame"].fields["followed"] == row + 1, "the next row")
    which.fill("3")
    which.press("Enter")
    seen.until(lambda: seen.messages["frame"].fields["followed"] == 2, "row 3")
    which.press("Escape")
    seen.until(lambda: seen.messages["frame"].fields["followed"] is None, "no row is followed")
    assert bar.count() == 0
    # A cross-hair that is moved by keys follows, too; other data follow nothing.
    plot = page.locator(".plot")
    plot.focus()
    for _ in range(40):
        seen.press("ArrowRight")
        if page.locator("circle.nearest").count():
            break
    seen.press("Enter")
    seen.settled()
    assert seen.messages["frame"].fields["followed"] is not None
    seen.data_set("xor")
    seen.settled()
    assert seen.messages["frame"].fields["followed"] is None


def test_follow_a_misread_digit_to_the_unit_that_misleads(seen: Seen) -> None:
    """By clicks only: a row, the next that is read wrongly, and the unit that speaks for the wrong answer."""
    page = seen.page
    seen.data_set("digits")
    seen.settled()
    seen.button("suggested.digits").click()
    seen.settled()
    seen.button("keys.epoch").click()
    seen.settled()
    seen.button("follow.begin").click()
    seen.settled()
    bar = page.get_by_role("group", name=EN["follow"])
    bar.get_by_role("button", name=EN["follow.next_wrong"]).click()
    seen.settled()
    seen.until(
        lambda: EN["follow.wrong"] in bar.inner_text(), "a row is followed that is read wrongly"
    )
    frame, state = seen.messages["frame"], seen.messages["state"]
    values = frame.arrays["followed"][64:]
    hidden, outputs = values[:-10], values[-10:]
    answer = int(np.argmax(outputs))
    truth = int(state.arrays["labels"][frame.fields["followed"]])
    assert answer != truth
    last = max(
        (p for p in state.fields["network"]["parameters"] if len(p["shape"]) == 2),
        key=lambda p: p["column"],
    )
    weights = frame.arrays["weights"][last["offset"] :][: np.prod(last["shape"])]
    weights = weights.reshape(last["shape"])
    sent = hidden[-last["shape"][0] :] * (weights[:, answer] - weights[:, truth])
    misleads = int(np.argmax(sent))
    name = f"unit {misleads + 1} of layer {last['column'] - 1}"
    bar.get_by_role("button", name=re.compile(re.escape(name))).click()
    assert page.locator(".card h3").inner_text() == f"bias of {name}"
    # On this road all rows that are read wrongly come by, and each of them once.
    seen.press("Escape")
    first = frame.fields["followed"]
    found: list[int] = []
    while frame.fields["followed"] not in found and len(found) < 3:
        found.append(frame.fields["followed"])
        bar.get_by_role("button", name=EN["follow.next_wrong"]).click()
        seen.settled()
        frame = seen.messages["frame"]
        assert EN["follow.wrong"] in bar.inner_text()
    assert found[0] == first
    assert found == sorted(found)
