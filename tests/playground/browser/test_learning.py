"""What a learner does with the page, in a real browser: by clicking and by keys only."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.playground.browser.driving import WORDS, Seen, opened
from tests.playground.server.process import Served, serving

import chainrule as cr

EN = WORDS["en"]
CHAPTERS_LINK = (
    "activation=tanh&batchSize=10&dataset=circle"
    "&regDataset=reg-plane&learningRate=0.03&regularizationRate=0&noise=0&networkShape=4,2"
    "&seed=0.40401&showTestData=false&discretize=false&percTrainData=50&x=true&y=true"
    "&xTimesY=false&xSquared=false&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false"
    "&collectStats=false&problem=classification&initZero=false&hideText=false"
)


def test_the_spiral_is_learnt_by_clicking_only(seen: Seen) -> None:
    seen.data_set("spiral")
    for layer, clicks in ((1, 4), (2, 4)):
        for _ in range(clicks):
            seen.button("network.more_units", layer=layer).click()
            seen.settled()
    for name in ("sin x₁", "sin x₂"):
        seen.button("network.feature", name=name).click()
        seen.settled()
    seen.choose("optimizer", "Adam")
    seen.choose("learning_rate", "0.01")
    seen.settled()
    seen.button("play").click()
    seen.until(lambda: seen.score("test") < 0.05, "the loss of the test rows is below 0.05", 120)
    seen.button("pause").click()
    seen.settled()
    assert seen.score("test") < 0.05


def test_going_back_and_forward_gives_the_same_bits(seen: Seen) -> None:
    seen.choose("optimizer", "Adam")
    seen.press("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "ArrowRight")
    seen.settled()
    assert seen.step == 76
    name, model = seen.take_home("model")
    assert name.endswith(".safetensors")
    seen.move("time.back_far")
    assert seen.step == 26
    _, earlier = seen.take_home("model")
    assert earlier != model
    seen.move("time.on_far")
    assert seen.step == 76
    assert seen.take_home("model")[1] == model
    # Another learning rate from an earlier step is another run.
    seen.press("ArrowLeft", "ArrowLeft")
    seen.settled()
    seen.choose("learning_rate", "0.3")
    seen.press("Shift+ArrowRight")
    seen.settled()
    runs = seen.page.locator("section[aria-labelledby=runs-title] li")
    assert seen.messages["state"].fields["runs"][1]["forked_at"] == 74
    assert runs.count() == 2


def test_the_chapters_link_gives_the_references_losses(seen: Seen) -> None:
    seen.press("l")
    box = seen.page.get_by_label(EN["link.other"], exact=True)
    box.fill(f"https://playground.tensorflow.org/#{CHAPTERS_LINK}")
    box.press("Enter")
    seen.settled()
    losses_are_the_references(seen)


def test_the_command_opens_the_chapters_link(browser: Any) -> None:
    with serving(f"#{CHAPTERS_LINK}") as served, opened(browser, served) as seen:
        losses_are_the_references(seen)


def losses_are_the_references(seen: Seen) -> None:
    """At the beginning and after 100 epochs, the numbers measured at TensorFlow Playground."""
    assert seen.page.get_by_text(EN["compatible"], exact=True).first.is_visible()
    assert seen.score("train") == pytest.approx(0.5046747982048918, abs=1e-12)
    seen.hold("ArrowRight", 100, shift=True)
    seen.until_step(100 * 25)
    assert seen.score("train") == pytest.approx(0.005287127978189086, abs=1e-9)
    assert seen.score("test") == pytest.approx(0.007721098639144192, abs=1e-9)
    assert "seed=0.40401" in seen.page.url


def test_a_key_that_is_held_down_loses_no_step(seen: Seen) -> None:
    """Whatever the machine: presses that wait are asked for together, and not one by one."""
    before = len(seen.commands)
    seen.hold("ArrowRight", 130)
    seen.until_step(130)
    seen.hold("ArrowLeft", 30)
    seen.until_step(100)
    assert sum("step" in str(c) or "back" in str(c) for c in seen.commands[before:]) <= 4


def test_a_pasted_table_is_learnt(seen: Seen) -> None:
    rng = np.random.default_rng(0)
    lines = ["Größe (cm);Gewicht, kg;Stadt;Art"]
    for i in range(90):
        k = i % 3
        weight = "" if i % 13 == 0 else f"{rng.normal(-k, 0.3):.2f}"
        lines.append(f"{rng.normal(2 * k, 0.3):.2f};{weight};{['Ulm', 'Köln'][i % 2]};{'abc'[k]}")
    seen.press("o")
    seen.page.get_by_label(EN["table.paste"]).fill("\n".join(lines))
    seen.button("table.read").click()
    seen.settled()
    assert seen.page.get_by_label(EN["table.target"]).input_value() == "Art"
    seen.button("table.use").click()
    seen.settled()
    seen.choose("loss", "softmax")
    seen.choose("optimizer", "Adam")
    seen.settled()
    seen.hold("ArrowRight", 40, shift=True)
    seen.until_step(40 * seen.messages["frame"].fields["batches"])
    assert seen.score("test", 1) > 0.9
    assert "missing" in seen.page.inner_text("body")


@pytest.mark.parametrize("what", ["script", "code"])
def test_what_is_taken_home_does_the_same(seen: Seen, what: str, tmp_path: Path) -> None:
    seen.choose("optimizer", "RMSprop")
    seen.choose("learning_rate", "0.01")
    seen.settled()
    seen.press("r")
    seen.press(*["Shift+ArrowRight"] * 3)
    seen.until_step(75)
    curve = seen.messages["frame"].arrays["curve"]
    name, data = seen.take_home(what)
    if name.endswith(".zip"):
        zipfile.ZipFile(io.BytesIO(data)).extractall(tmp_path)
    else:
        (tmp_path / name).write_bytes(data)
    (program,) = tmp_path.glob("*.py")
    done = subprocess.run(
        [sys.executable, program.name], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    numbers = [float(n) for n in re.findall(r"(?:loss|'loss':) ([\d.e-]+)", done.stdout)]
    if what == "script":
        assert numbers == [*curve[1:, 6].tolist(), seen.score("train"), seen.score("test")]
    else:
        assert numbers == [seen.score("train"), seen.score("test")]


def test_points_are_painted_and_learnt(seen: Seen) -> None:
    seen.data_set("painted")
    seen.settled()
    plot = seen.page.locator(".plot")
    box = plot.bounding_box()
    for k, (side, brush) in enumerate(((0.25, 1), (0.75, 2))):
        seen.button("brush.class", "en", **{"class": brush}).click()
        for i in range(12):
            x = box["x"] + side * box["width"] + 9 * (i % 4)
            seen.page.mouse.click(x, box["y"] + 60 + 24 * (i // 4) + 3 * k)
        seen.settled()
    assert len(seen.messages["state"].fields["settings"]["points"]) == 24
    # A long stroke, faster than the server takes messages.
    seen.page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 20)
    seen.page.mouse.down()
    for k in range(1, 201):
        y = box["y"] + 20 + 10 * (k % 24)
        seen.page.mouse.move(box["x"] + (0.8 + k / 2000) * box["width"], y)
    seen.page.mouse.up()
    seen.settled()
    assert len(seen.messages["state"].fields["settings"]["points"]) > 150
    seen.choose("optimizer", "Adam")
    seen.settled()
    seen.hold("ArrowRight", 40, shift=True)
    seen.until_step(40 * seen.messages["frame"].fields["batches"])
    assert seen.score("train", 1) == 1.0


def test_a_copied_link_opens_the_same_in_another_window(
    seen: Seen, browser: Any, served: Served
) -> None:
    seen.data_set("xor")
    seen.choose("activation", "relu")
    seen.settled()
    seen.press(*["Shift+ArrowRight"] * 4)
    seen.settled()
    link = seen.page.url.partition("#")[2]
    assert "data=xor" in link
    with opened(browser, served, f"#{link}") as other:
        other.until_step(100)
        assert seen.step == 100
        assert other.take_home("model")[1] == seen.take_home("model")[1]
        # From there on, too, the two are one.
        for one in (seen, other):
            one.hold("ArrowRight", 4, shift=True)
            one.until_step(200)
        for row in ("train", "test"):
            assert other.score(row) == seen.score(row)


def test_trouble_is_named_with_what_to_try(seen: Seen) -> None:
    seen.data_set("plane")
    seen.choose("activation", "relu")
    seen.settled()
    seen.choose("learning_rate", "10")
    seen.press(*["Shift+ArrowRight"] * 6)
    seen.settled()
    chip = seen.page.locator(".trouble .chip")
    chip.click()
    panel = seen.page.locator(".trouble section")
    panel.wait_for()
    assert re.search("learning rate", panel.inner_text()), panel.inner_text()
    seen.press("Escape")
    assert panel.count() == 0


class Watched(cr.training.Callback):
    """Every parameter, and its slots of Adam, after some steps."""

    def __init__(self, *steps: int) -> None:
        self.steps = steps
        self.step = 0
        self.found: dict[int, list[dict[str, Any]]] = {}

    def on_step(self, trainer: cr.Trainer) -> None:
        self.step += 1
        if self.step not in self.steps:
            return
        # The Trainer updates weights at once, then biases; the slots lie as those do in memory.
        params = trainer.model.params
        slots = trainer.optimizer.state or []
        m, v = (np.concatenate(parts) for parts in zip(*slots, strict=True))
        begin = min(p.ctypes.data for p in params)
        self.found[self.step] = []
        for p in params:
            place = slice(at := (p.ctypes.data - begin) // p.itemsize, at + p.size)
            kept = {"p": p, "m": m[place].reshape(p.shape), "v": v[place].reshape(p.shape)}
            self.found[self.step].append({name: a.copy() for name, a in kept.items()})


def test_every_number_of_a_step_is_the_librarys(seen: Seen) -> None:
    seen.choose("optimizer", "Adam")
    seen.press("Shift+ArrowRight", "ArrowRight", "ArrowRight")
    seen.until_step(27)
    seen.press(".")
    seen.page.wait_for_selector("section.inside svg")
    told = seen.messages["inside"]
    # The same training by the library, without a page: the rows, the step that is open, the next.
    x, labels = cr.datasets.playground("circle", 0, 0)
    train, _ = cr.datasets.stratified_split(labels, 0.5, np.random.default_rng([0, 1]))
    x, t = x[train], np.where(labels[train] == 1, 1.0, -1.0)[:, None]
    net = cr.Sequential(
        cr.Affine.sized(2, 4, dtype=float), cr.Tanh(), cr.Affine.sized(4, 2, dtype=float),
        cr.Tanh(), cr.Affine.sized(2, 1, dtype=float), cr.Tanh(), loss=cr.layers.HalfSquaredError(),
        seed=0,
    )  # fmt: skip
    watched = Watched(27, 28)
    trainer = cr.Trainer(net, cr.Adam(0.03), engine="numpy")
    trainer.fit(x, t, 2, 10, callbacks=[watched], progress=None)
    paths = [f"{layer}.{name}" for layer in (0, 2, 4) for name in "Wb"]
    slots = {
        f"{when} {path} {name}": array
        for when, step in (("before", 27), ("after", 28))
        for path, kept in zip(paths, watched.found[step], strict=True)
        for name, array in kept.items()
    }
    for path, parameter in zip(paths, net.params, strict=True):
        parameter[...] = slots[f"before {path} p"]
    rows = told.arrays["value x"]
    batch = [int(np.flatnonzero((x == row).all(axis=1))[0]) for row in rows]
    graph = net.graph(x[batch], t[batch])
    gradients = {graph.names[v]: g for v, g in graph.gradients().items()}
    values = {name: v.data for v, name in graph.names.items()}
    count = len(told.fields["steps"])
    checked = 0
    for k in range(count):
        step = told.fields["steps"][k]
        seen.until_text(".count", f"{k + 1} of {count}")
        shown = seen.page.eval_on_selector_all(
            ".cards figure",
            "all => all.map(f => [f.querySelector('b').innerText, f.classList.contains('gradient'),"
            " [...f.querySelectorAll('td > *')].map(c => Number(c.title.split('\\n')[0]))])",
        )
        flows = [*step["inputs"], *step["reads"], *step["outputs"]]
        flows = [f for f in flows if "number" not in f]
        assert [name for name, _, _ in shown] == [f["name"] for f in flows]
        for flow, (_, is_gradient, numbers) in zip(flows, shown, strict=True):
            if flow.get("array"):
                expected = slots[flow["array"]]
            elif is_gradient:
                expected = gradients[flow["arrow"]]
            else:
                expected = values[flow["arrow"]]
            expected = np.atleast_2d(expected)[:6, :8].reshape(-1)
            np.testing.assert_allclose(numbers, expected, rtol=1e-12, atol=1e-16)
            checked += len(numbers)
        if k < count - 1:
            seen.press(".")
    assert checked > 500
    # The step that follows leaves the very numbers that the update has shown.
    seen.press("Escape", "ArrowRight")
    seen.until_step(28)
    frame, state = seen.messages["frame"].arrays, seen.messages["state"].fields
    after = dict(zip(["W1", "b1", "W2", "b2", "W3", "b3"], watched.found[28], strict=True))
    for parameter in state["network"]["parameters"]:
        kept = after[parameter["name"]]
        place = slice(at := parameter["offset"], at + kept["p"].size)
        for array, name in zip((frame["weights"], *frame["slots"]), "pmv", strict=True):
            assert array[place].tolist() == kept[name].reshape(-1).tolist()


def test_the_chart_reads_the_mean_loss_that_the_script_prints(seen: Seen) -> None:
    seen.press(*["Shift+ArrowRight"] * 4)
    seen.until_step(100)
    seen.page.locator("svg.chart").focus()
    seen.press("End", "ArrowLeft")
    row = seen.page.get_by_role("row", name=re.compile(f"^{EN['chart.batches']}"))
    shown = float(row.locator("td").first.inner_text())
    assert shown == pytest.approx(seen.messages["frame"].arrays["curve"][3, 6], rel=1e-2)


def test_a_link_says_what_is_shown(seen: Seen, browser: Any, served: Served) -> None:
    seen.press("t", "d")
    seen.settled()
    link = seen.page.url.partition("#")[2]
    assert link.endswith("view=test,discretize")
    with opened(browser, served, f"#{link}") as other:
        for key, on in (("map.test", True), ("map.batch", False), ("map.discretize", True)):
            box = other.page.get_by_role("checkbox", name=EN[key], exact=True)
            assert box.is_checked() is on
    # TensorFlow Playground's links say it in their own way, and what they mistake is told.
    shows = CHAPTERS_LINK.replace("showTestData=false", "showTestData=true") + "&lerningRate=1"
    seen.press("d", "l")
    box = seen.page.get_by_label(EN["link.other"], exact=True)
    box.fill(f"#{shows}")
    box.press("Enter")
    seen.settled()
    assert seen.page.get_by_role("checkbox", name=EN["map.test"], exact=True).is_checked()
    assert "lerningRate" in seen.page.locator(".notices").inner_text()
    assert "showTestData=true" in seen.page.url


def test_the_digits_are_learnt_by_the_suggested_network(seen: Seen) -> None:
    seen.data_set("digits")
    seen.settled()
    seen.button("suggested.digits").click()
    seen.settled()
    seen.hold("ArrowRight", 6, shift=True)
    seen.until_step(6 * 90)
    assert seen.score("test", 1) > 0.9
    # Every output has its bar, and the weight of one pixel can be picked and changed.
    assert seen.messages["frame"].arrays["means"].shape == (32 + 10,)
    seen.page.get_by_role("button", name="unit 3 of layer 1").first.click()
    pixel = seen.page.locator(".card").get_by_role("button", name=re.compile("^pixel 3,4"))
    pixel.click()
    seen.page.keyboard.type("0.375")
    seen.press("Enter")
    seen.settled()
    (first, *_) = seen.messages["state"].fields["network"]["parameters"]
    at = first["offset"] + (8 * 3 + 4) * 32 + 2
    assert seen.messages["frame"].arrays["weights"][at] == 0.375


def test_the_three_arms_are_learnt_by_the_textbooks_network(seen: Seen) -> None:
    seen.data_set("book_spiral")
    seen.settled()
    seen.button("suggested.book_spiral").click()
    seen.settled()
    settings = seen.messages["state"].fields["settings"]
    assert settings["hidden"] == [10]
    assert not seen.button("suggested.book_spiral").is_visible()
    seen.button("play").click()
    # Reached while it plays: mini-batches of a high rate let the share of right rows
    # fall a little again before the pause arrives.
    seen.until(lambda: seen.score("train", 1) > 0.9, "nine of ten rows are right")
    seen.button("pause").click()
    seen.settled()
    assert seen.score("train", 1) > 0.75
