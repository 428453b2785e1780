"""`chainrule train --playground`, as a person would type it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.cli.driver import good, run
from tests.playground.compatible.test_links import CHAPTER

from chainrule.playground.compatible import Link

LINK = "#" + CHAPTER


@pytest.mark.parametrize(
    ("epochs", "train", "test"),
    [
        (0, 0.5046747982048918, 0.49087161202727486),
        (1, 0.4994050583755921, 0.48792219360185385),
        (100, 0.005287127978189086, 0.007721098639144192),
    ],
)
def test_the_last_line_is_the_losses_at_full_precision(
    epochs: int, train: float, test: float
) -> None:
    out = good("train", "--playground", LINK, "--epochs", str(epochs), "--json")
    found = json.loads(out.splitlines()[-1])
    assert found["epoch"] == epochs
    assert found["train_loss"] == pytest.approx(train, abs=1e-15)
    assert found["test_loss"] == pytest.approx(test, abs=1e-15)
    assert found["link"] == LINK


def test_in_a_process_of_its_own_and_an_address_in_full() -> None:
    address = f"https://playground.tensorflow.org/{LINK}"
    command = [sys.executable, "-W", "error", "-m", "chainrule", "train", "--playground"]
    found = subprocess.run([*command, address, "--json"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert found.stderr == ""
    assert json.loads(found.stdout)["epoch"] == 100


def test_nothing_of_the_web_is_imported() -> None:
    program = (
        "import sys; from chainrule.playground.compatible import *;"
        "Compatible(Link()).advance();"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'safetensors', 'click', 'tqdm',"
        " 'starlette', 'uvicorn', 'websockets', 'matplotlib', 'scipy', 'llvmlite'}))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr


def test_without_json_it_tells_how_the_losses_went() -> None:
    out = good(
        "train", "--playground", "#seed=0.40401&noise=10&regularization=L1", "--epochs", "25"
    )
    assert "circle, noise 10 %; 250 points to train, 250 to test" in out
    assert "x, y → 4 tanh → 2 tanh → 1 tanh output" in out
    assert "batches of 10, learning rate 0.03, L1 0" in out
    assert [line.split()[0] for line in out.splitlines() if line.strip()[:1].isdigit()] == [
        "0", "1", "2", "5", "10", "20", "25",
    ]  # fmt: skip
    assert f"#{Link.parse('#seed=0.40401&noise=10&regularization=L1')}" in out


def test_a_seed_that_was_drawn_is_told_so_that_it_can_be_had_again() -> None:
    first = json.loads(good("train", "--playground", "#dataset=xor", "--epochs", "2", "--json"))
    again = json.loads(good("train", "--playground", first["link"], "--epochs", "2", "--json"))
    assert again == first


def test_quiet_says_nothing() -> None:
    assert good("train", "--playground", LINK, "--epochs", "1", "--quiet") == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["#batchSize=0&noise=x"], ("batchSize=0", "noise=NaN")),
        (["#networkShape=1000,1000"], ("1000 units", "1 to 64")),
        (["#x=false&y=false"], ("No input is on",)),
        ([LINK, "--epochs", "-1"], ("--epochs", "from 0")),
        ([LINK, "digits", "--lr", "0.1"], ("--playground", "DATA, --lr cannot", "--epochs")),
        ([LINK, "--seed", "0"], ("--seed cannot",)),
        (["#problem=regression&activation=relu&learningRate=10&seed=1"], ("epoch", "Lower")),
    ],
)
def test_what_is_wrong_is_a_sentence_and_exit_2(arguments: list[str], words: list[str]) -> None:
    result = run("train", "--playground", *arguments, "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert all(word in result.stderr for word in words), result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1


def test_what_is_passed_over_is_a_remark() -> None:
    result = run("train", "--playground", LINK + "&lerningRate=3", "--epochs", "0", "--json")
    assert result.exit_code == 0
    assert 'did you mean "learningRate"? It is passed over' in result.stderr


def test_a_table_needs_data_and_an_epoch() -> None:
    for arguments, word in (([], "DATA is missing"), (["digits", "--epochs", "0"], "from 1 to")):
        result = run("train", *arguments)
        assert result.exit_code == 2
        assert word in result.stderr
