"""What the page promises, by real clicks and keys: files that predict, remedies that help, speed, names."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tests.playground.browser.driving import PAGE, WORDS, Seen, opened
from tests.playground.server.process import Served, serving

EN = WORDS["en"]
AXE = PAGE / "node_modules" / "axe-core" / "axe.min.js"


def flowers() -> str:
    """A table of three kinds, of which two numbers tell."""
    rng = np.random.default_rng(0)
    lines = ["length,width,garden,kind"]
    for i in range(90):
        k = i % 3
        cells = f"{rng.normal(2 * k, 0.4):.2f},{rng.normal(-k, 0.4):.2f}"
        lines.append(f"{cells},{['north', 'south'][i % 2]},{['iris', 'lily', 'rose'][k]}")
    return "\n".join(lines) + "\n"


def test_an_own_table_becomes_a_model_file_that_predicts(seen: Seen, tmp_path: Path) -> None:
    """Clicks only: choose the file, use it, play, export; then the command on the same file."""
    table = tmp_path / "flowers.csv"
    table.write_text(flowers(), "utf-8")
    seen.press("o")
    seen.page.locator("input[type=file]").set_input_files(str(table))
    seen.settled()
    seen.button("table.use").click()
    seen.settled()
    assert seen.messages["state"].fields["settings"]["loss"] == "softmax"
    assert seen.messages["state"].fields["runs"][-1]["table"] == "flowers.csv"
    seen.choose("optimizer", "Adam")
    seen.settled()
    play_for(seen, 30)
    model = tmp_path / "playground.safetensors"
    model.write_bytes(seen.take_home("model")[1])
    done = subprocess.run(
        [sys.executable, "-m", "chainrule", "predict", str(model), str(table)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [row["prediction"] for row in csv.DictReader(io.StringIO(done.stdout))]
    kinds = [row["kind"] for row in csv.DictReader(io.StringIO(flowers()))]
    assert np.mean([a == b for a, b in zip(found, kinds, strict=True)]) > 0.9
    # The run is called by the name of its file.
    runs = seen.page.locator("section[aria-labelledby=runs-title]")
    assert "flowers.csv" in runs.inner_text()


def play_for(seen: Seen, epochs: int) -> None:
    """Choose "as fast as it goes" and "for so many epochs" in the menu of speeds."""
    menu = seen.page.get_by_role("button", name=re.compile(f"{EN['speed']}$"))
    menu.click()
    seen.page.get_by_role("radio", name=EN["speed.max"]).check()
    field = seen.page.get_by_label(EN["speed.for"], exact=True)
    field.fill(str(epochs))
    field.press("Enter")
    seen.until(
        lambda: not seen.messages["frame"].fields["playing"], "it has stopped by itself", 120
    )
    seen.settled()


def test_a_diverged_run_is_repaired_by_clicking_only(seen: Seen) -> None:
    seen.data_set("plane")
    seen.choose("activation", "relu")
    seen.settled()
    seen.choose("learning_rate", "10")
    seen.settled()
    seen.button("play").click()
    stopped = seen.button("trouble.stopped")
    stopped.wait_for()
    # One chip, which leaves the network free, and opens what happened.
    assert seen.page.locator(".troubles .chip").count() == 1
    assert seen.page.locator(".troubles").bounding_box()["height"] < 40
    old = seen.messages["frame"].fields["run"]
    stopped.click()
    panel = seen.page.locator(".troubles section")
    panel.wait_for()
    text = panel.inner_text()
    assert re.search(r"Since step \d", text), text
    assert "learning rate" in text
    panel.get_by_role("button").first.click()
    seen.until(lambda: seen.messages["frame"].fields["run"] != old, "another run is shown")
    seen.until(
        lambda: (
            seen.messages["frame"].fields["epoch"] > 20
            and (seen.messages["frame"].fields["train_loss"] or 1) < 0.02
        ),
        "the loss goes down",
        120,
    )
    kinds = {trouble["kind"] for trouble in seen.messages["frame"].fields["trouble"]}
    assert not kinds & {"not_finite", "diverging"}
    # Both curves are in the chart.
    box = seen.page.get_by_role("checkbox", name=EN["runs.compare"].format(run=old + 1))
    assert box.is_checked()
    assert seen.page.locator("svg.chart g.other").count() == 1
    # Other data: the old runs leave it.
    seen.data_set("circle")
    seen.settled()
    assert seen.page.locator("svg.chart g.other").count() == 0
    assert box.is_disabled()


def test_fast_clicks_all_count(seen: Seen) -> None:
    """However old what the page shows: the session has got all of them."""
    clicks = "([name, times]) => { const b = [...document.querySelectorAll('button')].find(b =>" \
        " b.getAttribute('aria-label') === name); for (let k = 0; k < times; k++) b.click(); }"  # fmt: skip
    for key, times in (("more_units", 4), ("less_units", 2), ("more_units", 3)):
        seen.page.evaluate(clicks, [EN[f"network.{key}"].format(layer=1), times])
    seen.page.evaluate(clicks, [EN["network.more_layers"], 3])
    inputs = [seen.button("network.feature", name=f"sin {x}") for x in ("x₁", "x₂")]
    handles = [button.element_handle() for button in inputs]
    seen.page.evaluate("buttons => buttons.forEach(button => button.click())", handles)
    wanted = [9, 2, 2, 2, 2]
    seen.until(lambda: seen.messages["state"].fields["settings"]["hidden"] == wanted, str(wanted))
    seen.settled()
    settings = seen.messages["state"].fields["settings"]
    assert settings["features"] == ["x", "y", "sinx", "siny"]
    assert len(settings["activations"]) == 5


def test_speed_and_space(browser: Any, served: Served) -> None:
    with opened(browser, served, newcomer=True) as seen:
        speed_and_space(seen)


def speed_and_space(seen: Seen) -> None:
    state = seen.messages["state"].fields
    assert state["speed"] == 5  # a newcomer sees the border bend
    # Space plays and pauses, also after a click on a button and on a slider.
    seen.button("network.more_units", layer=1).click()
    seen.settled()
    assert seen.messages["state"].fields["settings"]["hidden"] == [5, 2]
    seen.press(" ")
    seen.until(lambda: seen.messages["frame"].fields["playing"], "it plays")
    seen.until(lambda: seen.step > 5, "steps are taken")
    assert "step=" in seen.page.url or seen.step < 200
    seen.press(" ")
    seen.until(lambda: not seen.messages["frame"].fields["playing"], "it pauses")
    seen.settled()
    assert seen.messages["state"].fields["settings"]["hidden"] == [5, 2]
    at = seen.step
    slider = seen.page.get_by_role("slider", name=EN["data.noise"])
    slider.focus()
    seen.press(" ")
    seen.until(lambda: seen.step > at, "it plays on")
    seen.press(" ")
    seen.settled()
    # For some epochs, and until the score is good, as fast as it goes.
    epoch = seen.messages["frame"].fields["epoch"]
    play_for(seen, 7)
    assert seen.messages["frame"].fields["epoch"] == epoch + 7
    assert seen.messages["frame"].fields["batch"] == 0
    seen.page.get_by_role("button", name=re.compile(f"{EN['speed']}$")).click()
    field = seen.page.get_by_label(EN["speed.until.classification"], exact=True)
    field.fill("90")
    field.press("Enter")
    seen.until(lambda: (seen.messages["frame"].fields["test_score"] or 0) >= 0.9, "90 %", 120)
    seen.until(lambda: not seen.messages["frame"].fields["playing"], "it has stopped by itself")
    # The browser remembers the speed; typing a space plays nothing.
    assert seen.page.evaluate("localStorage.getItem('chainrule.speed')") == "null"
    seen.settled()
    seen.press("l")
    at = seen.step
    box = seen.page.get_by_label(EN["link.other"], exact=True)
    box.press(" ")
    seen.settled()
    assert seen.step == at
    # Neither a table nor a link: said, and nothing is begun anew.
    box.fill("https://example.com/#foo=bar")
    box.press("Enter")
    seen.settled()
    assert "no link of the playground" in seen.page.locator(".notices").inner_text()
    assert seen.step == at
    command = seen.page.get_by_label(EN["link.command"], exact=True).input_value()
    assert re.fullmatch(rf"chainrule play '#chainrule=1&.*step={at}'", command), command


def test_names_of_sliders_and_no_chatter(seen: Seen) -> None:
    """Each slider has its name, and what changes with every step is no live region."""
    named = {"data.noise", "data.train_part", "data.batch_size", "time.title"}
    for key in named:
        slider = seen.page.get_by_role("slider", name=EN[key], exact=True)
        assert slider.count() == 1, key
    live = seen.page.evaluate(
        "[...document.querySelectorAll('output, [role=status], [aria-live=polite]')]"
        ".map(e => e.innerText.trim()).filter(t => t)"
    )
    assert not [text for text in live if re.fullmatch(r"[\d\s,.]+", text)], live


def test_a_strangers_browser_is_told_in_both_languages(browser: Any, served: Served) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    answer = page.goto(f"{served.origin}/#chainrule=1&data=xor")
    assert answer.status == 403
    text = page.inner_text("main")
    assert "chainrule play '#…'" in text
    assert "If somebody sent you this address" in text
    assert text.index("如果这个地址") < text.index("If somebody")
    styled = page.evaluate("getComputedStyle(document.querySelector('section')).borderLeftWidth")
    assert styled == "4px"
    assert "token" not in page.content()
    context.close()


def test_a_server_that_is_gone_is_shown_as_gone(browser: Any) -> None:
    with serving() as served:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
        page = context.new_page()
        page.goto(f"{served.origin}/?token={served.token}")
        page.wait_for_selector("canvas")
        page.get_by_role("button", name=EN["play"], exact=True).click()
        page.get_by_role("button", name=EN["pause"], exact=True).wait_for()
        page.wait_for_url(re.compile("step="))  # the address leads to where it is, while it plays
    page.get_by_role("button", name=EN["play"], exact=True).wait_for()
    page.wait_for_selector(".away")
    page.wait_for_selector("[inert]", timeout=60_000)
    assert page.get_by_text(EN["connection.gone"]).is_visible()
    context.close()


def set_bias(seen: Seen, unit: str, value: str) -> None:
    seen.page.get_by_role("button", name=unit).first.click()
    seen.page.keyboard.press("Control+a")
    seen.page.keyboard.type(value)
    seen.press("Enter")
    seen.settled()
    seen.press("Escape")


def test_a_warning_can_be_clicked_though_it_has_just_gone(seen: Seen) -> None:
    seen.choose("activation", "relu")
    seen.settled()
    seen.press("ArrowRight")
    seen.until_step(1)
    chip = seen.page.locator(".troubles .chip")
    before = chip.count()
    assert before == len(seen.messages["frame"].fields["trouble"][:1])
    set_bias(seen, "unit 1 of layer 1", "-50")
    chip.wait_for()
    kinds = [t["units"] for t in seen.messages["frame"].fields["trouble"] if t["column"] == 1]
    assert any(0 in units for units in kinds)
    chip.click()
    panel = seen.page.locator(".troubles section")
    panel.wait_for()
    assert "Since step 1" in panel.inner_text()
    assert no_fault(seen.page) == []
    seen.press("Escape")
    set_bias(seen, "unit 1 of layer 1", "0")
    if not seen.messages["frame"].fields["trouble"]:
        chip.click()
        panel.wait_for()
        assert "by now it is over" in panel.inner_text()
        seen.press("Escape")
    seen.page.get_by_role("button", name=re.compile(f"{EN['speed']}$")).click()
    assert no_fault(seen.page) == []


def no_fault(page: Any) -> list[str]:
    """What axe-core finds."""
    if not AXE.exists():
        return []
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{v['id']}: {v['help']} {[n['target'] for n in v['nodes']][:3]}"
        for v in found["violations"]
    ]
