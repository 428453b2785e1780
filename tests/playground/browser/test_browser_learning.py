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
from tests.playground.browser.driving import WORDS, Seen
from tests.playground.server.process import Served

import chainrule as cr

EN = WORDS["en"]


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
    row = f"[...document.querySelectorAll('tr')].find(r => r.innerText.startsWith('{EN['scores.test']}'))"
    seen.until(f"Number({row}.querySelector('td').title) < 0.05", 60)
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
    box.fill(
        "https://playground.tensorflow.org/#activation=tanh&batchSize=10&dataset=circle"
        "&regDataset=reg-plane&learningRate=0.03&regularizationRate=0&noise=0&networkShape=4,2"
        "&seed=0.40401&showTestData=false&discretize=false&percTrainData=50&x=true&y=true"
        "&xTimesY=false&xSquared=false&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false"
        "&collectStats=false&problem=classification&initZero=false&hideText=false"
    )
    box.press("Enter")
    seen.settled()
    assert seen.page.get_by_text(EN["compatible"], exact=True).first.is_visible()
    assert seen.score("train") == pytest.approx(0.5046747982048918, abs=1e-12)
    for _ in range(100):
        seen.page.keyboard.press("Shift+ArrowRight")
    seen.until("document.querySelector('.top').innerText.includes('100')")
    seen.settled()
    assert seen.score("train") == pytest.approx(0.005287127978189086, abs=1e-9)
    assert seen.score("test") == pytest.approx(0.007721098639144192, abs=1e-9)
    assert "seed=0.40401" in seen.page.url


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
    for _ in range(40):
        seen.page.keyboard.press("Shift+ArrowRight")
    seen.until("document.querySelector('.top').innerText.includes('40')")
    seen.settled()
    assert seen.score("test", 1) > 0.9
    assert "missing" in seen.page.inner_text("body")


@pytest.mark.parametrize("what", ["script", "code"])
def test_what_is_taken_home_does_the_same(seen: Seen, what: str, tmp_path: Path) -> None:
    seen.choose("optimizer", "RMSprop")
    seen.choose("learning_rate", "0.01")
    seen.settled()
    seen.press("r")
    seen.press(*["Shift+ArrowRight"] * 3)
    seen.settled()
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
        assert numbers == curve[1:, 6].tolist()
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
    assert "24" in str(len(seen.messages["state"].fields["settings"]["points"]))
    seen.choose("optimizer", "Adam")
    seen.settled()
    seen.press(*["Shift+ArrowRight"] * 40)
    seen.until("document.querySelector('.top').innerText.includes('40')")
    seen.settled()
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
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    other = Seen(context, served.origin)
    other.page.goto(f"{served.origin}/?token={served.token}#{link}")
    other.page.wait_for_selector("canvas")
    other.page.wait_for_timeout(800)
    assert other.step == seen.step == 100
    assert other.take_home("model")[1] == seen.take_home("model")[1]
    context.close()
    assert other.faults == []


def test_trouble_is_named_with_what_to_try(seen: Seen) -> None:
    seen.data_set("plane")
    seen.choose("activation", "relu")
    seen.settled()
    seen.choose("learning_rate", "10")
    seen.press(*["Shift+ArrowRight"] * 6)
    seen.settled()
    text = seen.page.locator(".trouble").inner_text()
    assert re.search("learning rate", text), text


def test_every_number_of_a_step_is_the_librarys(seen: Seen, tmp_path: Path) -> None:
    seen.choose("optimizer", "Adam")
    seen.press("Shift+ArrowRight", "ArrowRight", "ArrowRight")
    seen.settled()
    # The network as the library has it, from the file that was taken home.
    file = tmp_path / "model.safetensors"
    file.write_bytes(seen.take_home("model")[1])
    net = cr.load_model(file).network
    seen.press(".")
    seen.page.wait_for_selector("section.inside svg")
    opened = seen.messages["inside"]
    x, t = opened.arrays["value x"], opened.arrays["value t"]
    graph = net.graph(x, t)
    gradients = {graph.names[v]: g for v, g in graph.gradients().items()}
    values = {name: v.data for v, name in graph.names.items()}
    count = len(opened.fields["steps"])
    checked = 0
    for k in range(count):
        step = opened.fields["steps"][k]
        seen.until(f"document.querySelector('.count').innerText == '{k + 1} of {count}'")
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
                expected = opened.arrays[flow["array"]]
            elif is_gradient:
                expected = gradients[flow["arrow"]]
            else:
                expected = values[flow["arrow"]]
            rows = np.atleast_2d(expected)[:6, :8].reshape(-1)
            np.testing.assert_allclose(numbers, rows, rtol=1e-13, atol=1e-17)
            checked += len(numbers)
        if k < count - 1:
            seen.press(".")
    assert checked > 500
    # The update is what the optimizer does; the step that follows leaves these very weights.
    after = {k: v for k, v in opened.arrays.items() if k.startswith("after") and k.endswith(" p")}
    seen.press("Escape", "ArrowRight")
    seen.settled()
    weights = seen.messages["frame"].arrays["weights"]
    assert np.isin(np.concatenate([a.reshape(-1) for a in after.values()]), weights).all()
