"""`chainrule train --ensemble N --drawn`: networks of drawn settings, of which the best are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.driver import as_json, good, run

import chainrule as cr
from chainrule.cli.train_drawn import choose_networks
from chainrule.files import load_model
from chainrule.training.selection import greedy_selection

FAST = ("--hidden", "8", "--epochs", "6", "--ensemble", "6", "--drawn")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("preset", ["table", "table-small", "plain"])
def test_the_kept_ones_have_their_weights_in_the_file(preset: str) -> None:
    told = as_json("train", "iris", *FAST, "--preset", preset, "--out", "a.safetensors")
    members = told["training"]["members"]
    network = load_model("a.safetensors").network
    weights = [one["weight"] for one in members]
    if isinstance(network, cr.Ensemble):
        assert list(network.weights) == pytest.approx(weights)
    assert sum(weights) == pytest.approx(1)
    assert 1 <= len(members) <= 6
    again = as_json("train", "iris", *FAST, "--preset", preset, "--out", "b.safetensors")
    assert again["training"] == told["training"]
    assert Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes()
    assert "members" in good("inspect", "a.safetensors")


@pytest.mark.parametrize("preset", ["table", "table-small", "plain"])
def test_dropout_is_drawn_and_used(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[float]] = []

    def looked_at(networks: Any, drawn: Any, *more: Any) -> Any:
        for network, own in zip(networks, drawn, strict=True):
            ratios = {layer.ratio for layer in network.layers if isinstance(layer, cr.Dropout)}
            seen.append([own.get("dropout", -1), *ratios])
        return choose_networks(networks, drawn, *more)

    monkeypatch.setattr("chainrule.cli.train_ways.choose_networks", looked_at)
    good("train", "iris", *FAST, "--preset", preset, "--out", "a.safetensors")
    own = {"table": [0.15]}.get(preset, [])  # the first has the preset's own settings
    assert seen[0] == [-1, *own]
    for drawn, *ratios in seen[1:]:
        assert 0 <= drawn <= 0.5
        assert ratios == [drawn] * (drawn > 0)
    assert len({drawn for drawn, *_ in seen}) > 3
    assert preset != "plain" or any(drawn == 0 for drawn, *_ in seen)
    good("train", "iris", *FAST, "--dropout", "0.4", "--preset", preset, "--out", "b.safetensors")
    assert [ratios for _, *ratios in seen[6:]] == [[0.4]] * 6


def test_values_are_drawn_for_too() -> None:
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{a * b:.3f}" for a, b in rng.normal(size=(200, 2))]
    Path("t.csv").write_text("u,v,y\n" + "\n".join(rows) + "\n")
    told = as_json("train", "t.csv", *FAST, "--preset", "table", "--lr", "0.1")
    assert all("lr" not in one for one in told["training"]["members"])
    assert told["held_out"]["r2"] is not None


def test_the_rows_held_out_do_not_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def looked_at(outputs: Any, t: Any, loss: Any) -> Any:
        seen.append(len(t))
        return greedy_selection(outputs, t, loss)

    monkeypatch.setattr("chainrule.cli.train_drawn.greedy_selection", looked_at)
    good("train", "iris", *FAST)
    assert seen == [24]  # a fifth of 120, of which 30 more are held out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--drawn",), "--drawn is for several networks"),
        (("--drawn", "--ensemble", "3", "--optimizer", "sgd"), "ranges for adamw alone"),
        (("--drawn", "--ensemble", "3", "--validation", "0.9"), "are too few; 50 are needed"),
    ],
)
def test_what_cannot_be_drawn_is_refused(args: tuple[str, ...], words: str) -> None:
    result = run("train", "iris", *args)
    assert result.exit_code == 2
    assert words in result.stderr
