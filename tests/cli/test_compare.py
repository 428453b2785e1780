"""`chainrule compare`, as a person would type it: what it says, its exit codes, and its JSON."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.chinese import in_words, run_in
from tests.cli.driver import good, run
from tests.cli.test_robust import on_a_terminal
from tests.comparing.test_runs import changed, files, trained

import chainrule as cr
from chainrule.storage.checkpoint import read_checkpoint
from chainrule.text_width import cells_wide

PAIRS = (("base", "seed"), ("base", "nudged"), ("base", "base"), ("m.safetensors", "base"))
FAST = ("--epochs", "3", "--hidden", "8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders: base, and one of another seed; the files of a model and of one that differs in a number."""
    folder = tmp_path_factory.mktemp("compare")
    trainer = trained(folder / "base")
    trained(folder / "seed", seed=1)
    shutil.copytree(folder / "base", folder / "nudged")

    def nudge(state: dict[str, Any]) -> None:
        weights = state["parameters"]["4.W"]
        weights[5, 1] = np.nextafter(weights[5, 1], np.float32(np.inf))

    changed(files(folder / "nudged")[8], nudge)
    cr.save_model(folder / "m.safetensors", trainer.model)
    trainer.model.named_parameters()["0.b"].data[:] = [0.0] * 8
    cr.save_model(folder / "zero.safetensors", trainer.model)
    trainer.model.named_parameters()["0.b"].data[2] = -0.0
    cr.save_model(folder / "minus.safetensors", trainer.model)
    return folder


@pytest.fixture(autouse=True)
def here(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)


def test_exit_codes_of_processes_of_their_own() -> None:
    for args, code in (
        (("base", "base"), 0),
        (("m.safetensors", "base"), 0),
        (("base", "nudged"), 1),
        (("base", "nudged", "--tolerance", "1e-6"), 0),
        (("base", "nothing"), 2),
        (("base", "m.safetensors", "--tolerance", "2"), 2),
    ):
        line = [sys.executable, "-m", "chainrule", "compare", *args]
        done = subprocess.run(line, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done
        assert "Traceback" not in done.stderr
        assert bool(done.stdout) == (code < 2)
        assert bool(done.stderr) == (code == 2)


def test_what_is_said_of_one_bit() -> None:
    said = run("compare", "base", "nudged").stdout
    assert "They part between steps 6 and 8." in said
    assert "20 compared, all equal" in said
    assert "equal after steps 0, 2, 4 and 6; after step 8: 1 of 21 differs" in said
    weight, other = (files(Path(name))[8] for name in ("base", "nudged"))
    a, b = (read_checkpoint(f).state["parameters"]["4.W"] for f in (weight, other))
    assert f"row 5: 4.W[5, 1] is {a[5, 1]!s} in A, {b[5, 1]!s} in B" in said
    assert ", 1 ulp\n" in said
    assert "settings differ" not in said
    assert "What else differs" not in said


def test_what_is_said_of_another_seed() -> None:
    said = run("compare", "base", "seed").stdout
    assert "They part at step 1." in said
    assert re.search("the seed +[0-9a-f]{12}… in A", said)
    assert "different from the first step on; 20 of 20 differ" in said
    table = [line.split() for line in said.splitlines() if re.match(r" +[1-4]  ", line)]
    for step, a, b, _apart in table:
        for name, loss in (("base", a), ("seed", b)):
            kept = read_checkpoint(files(Path(name))[20])
            assert float(loss) == kept.state["history"]["losses"][int(step) - 1]
    assert [int(line[0]) for line in table] == [1, 2, 3, 4]


def test_what_is_said_of_equal_ones() -> None:
    said = good("compare", "base", "base")
    assert "Equal to the bit: 20 losses, and 21 arrays after steps 0, 2, 4, …, 16, 18, 20." in said
    assert "Equal to the bit: 9 arrays of the network." in good("compare", "m.safetensors", "base")
    assert "Equal to the bit: 9 arrays." in good("compare", "m.safetensors", "m.safetensors")
    said = good("compare", "base", "nudged", "--tolerance", "1e-6")
    assert "Equal within the tolerance." in said
    assert "1 number differs by no more than 1e-06, and count" in said
    assert "to the bit" not in said


def test_what_is_said_of_another_network() -> None:
    net = cr.Sequential(cr.Affine.sized(3, 3), loss=cr.SoftmaxWithLoss(), seed=0)
    cr.save_model("small.safetensors", net, overwrite=True)
    result = run("compare", "m.safetensors", "small.safetensors")
    assert result.exit_code == 1
    words = " ".join(result.stdout.split())
    assert "parameter 0.W float32[3, 8] in A, float32[3, 3] in B" in words
    assert "parameter 4.b float32[3], only in A" in words
    assert "They differ." in words
    assert re.search(r"the network \S*3×8, b: 8.* in A, \S*3×3, b: 3", words)


def test_zeros_of_two_signs() -> None:
    result = run("compare", "zero.safetensors", "minus.safetensors")
    assert result.exit_code == 1
    assert "0.b[2] is 0.0 in A, -0.0 in B: equal in value, with other bits" in result.stdout


def test_json_has_all_of_it() -> None:
    result = run("compare", "base", "nudged", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    (training,) = told["trainings"]
    assert (told["equal"], training["first_step"], training["tensors_step"]) == (False, 8, 8)
    (tensor,) = training["tensors"]
    assert tensor["name"] == {"kind": "parameter", "name": "4.W", "slot": ""}
    assert (tensor["index"], tensor["first"]["ulps"]) == ([5, 1], 1)
    assert training["equal_steps"] == [0, 2, 4, 6]
    seeds = json.loads(run("compare", "base", "seed", "--json").stdout)["trainings"][0]
    assert isinstance(seeds["state"][0]["a"]["state"]["state"], str)  # 128 bits
    assert json.loads(good("compare", "base", "base", "--json"))["equal"] is True


def test_the_folder_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        good("train", "iris", *FAST, "--checkpoint", f"{name}-run", "--out", f"{name}.safetensors")
    good("train", "iris", *FAST, "--seed", "1", "--checkpoint", "c-run", "--out", "c.safetensors")
    for pair in (
        ("a-run", "b-run"),
        ("a.safetensors", "b-run"),
        ("a.safetensors", "b.safetensors"),
    ):
        assert "Equal to the bit" in good("compare", *pair)
    result = run("compare", "a.safetensors", "c.safetensors")
    assert result.exit_code == 1
    assert re.search("seed +0 in A, 1 in B", result.stdout)
    assert run("compare", "a-run", "c-run").exit_code == 1


def test_damage_is_said(tmp_path: Path) -> None:
    shutil.copytree("base", tmp_path / "run")
    newest = Path(files(tmp_path / "run")[20])
    newest.write_bytes(newest.read_bytes()[:-1])
    result = run("compare", "base", str(tmp_path / "run"))
    assert result.exit_code == 1
    assert "A goes on for 2 more steps" in result.stdout
    assert "step-000000020.safetensors: the header does not fit" in result.stderr
    result = run("compare", "base", str(newest))
    assert result.exit_code == 2
    assert str(newest) in result.stderr.replace("\n       ", "")


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_lines_are_no_wider_than_the_terminal(columns: int, lang: str) -> None:
    for pair in PAIRS:
        seen = on_a_terminal(columns, "compare", *pair, "--lang", lang)
        assert [x for x in seen.splitlines() if cells_wide(x) > columns] == []
        assert bool(re.search("[一-鿿]", seen)) == (lang == "zh")


def test_all_that_is_said_is_chinese() -> None:
    near = ("base", "nudged", "--tolerance", "1e-6")
    for pair in (*PAIRS, ("zero.safetensors", "minus.safetensors"), near):
        result = run_in("zh", "compare", *pair)
        assert result.exit_code in (0, 1)
        assert in_words(result.output) == [], pair
