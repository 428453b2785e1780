"""`chainrule plan`: what its options mean, its tables, its JSON."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli import chainrule
from chainrule.cli.plan import Ranks
from chainrule.text_width import cells_wide

OTHER = ["--flops", "90", "--ranks-per-node", "16"]


def run(*args: str) -> str:
    result = CliRunner().invoke(chainrule, ["plan", *args])
    assert result.exit_code == 0, result.output
    return result.stdout


def planned(*args: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*args, "--json"))
    return found


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,2,4,...,64", (1, 2, 4, 8, 16, 32, 64)),
        ("1,2,4,…,4096", tuple(2**i for i in range(13))),
        ("1,2,4 ... 64", (1, 2, 4, 8, 16, 32, 64)),
        ("1,3,9,...,81", (1, 3, 9, 27, 81)),
        ("4,8,12,...,24", (4, 8, 12, 16, 20, 24)),
        ("1,2,3,...,6", (1, 2, 3, 4, 5, 6)),
        ("1,2,...,8", (1, 2, 4, 8)),
        ("1,...,4", (1, 2, 3, 4)),
        ("1,2,4,...,48", (1, 2, 4, 8, 16, 32, 48)),
        ("6", (6,)),
        ("8, 64", (8, 64)),
    ],
)
def test_numbers_of_ranks(text: str, numbers: tuple[int, ...]) -> None:
    assert Ranks().convert(text, None, None) == numbers


def test_sizes_of_layers_are_a_network_of_classes() -> None:
    found = planned("--network", "64-100-10", "--batch", "100", "--ranks", "1,2,4", *OTHER)
    layers = cr.Affine.sized(64, 100), cr.ReLU(), cr.Affine.sized(100, 10)
    net = cr.Sequential(*layers, loss=cr.SoftmaxWithLoss())
    by_hand = cr.plan(
        net, 100, [1, 2, 4], optimizer=cr.AdamW(), flops=90, ranks_per_node=16
    ).to_dict()
    assert {**by_hand, "network": "64-100-10"} == found
    one = planned("--network", "64,100,1", "--optimizer", "sgd", *OTHER)
    assert one["parameters"] == 64 * 100 + 100 + 101


def test_a_model_file_and_a_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(chainrule, ["train", "iris", "--epochs", "1", "--hidden", "12"])
    assert result.exit_code == 0, result.output
    model = planned("--network", "iris.safetensors", *OTHER)
    with_data = planned("--network", "iris.safetensors", "--data", "iris", "--batch", "32", *OTHER)
    plain = planned(
        "--network", "plain", "--data", "iris", "--hidden", "12", "--ranks", "1,2", *OTHER
    )
    assert model["parameters"] == with_data["parameters"] == plain["parameters"]
    assert (model["rows"], with_data["rows"], plain["rows"]) == (None, 120, 120)
    assert plain["batch_size"] == 32  # that of the preset
    for a, b in pairwise([with_data["ranks"][1]["same_batch"], plain["ranks"][1]["same_batch"]]):
        assert a["seconds"] == pytest.approx(b["seconds"], rel=0.2)
        assert a["epoch"] == pytest.approx(4 * a["seconds"])
    assert list(tmp_path.iterdir()) == [tmp_path / "iris.safetensors"]  # nothing was written


def test_the_tables_fit_into_80_columns() -> None:
    args = ["--network", "784-1024-1024-10", "--batch", "512", "--rows", "60000", "--memory", "1"]
    for lang in ("en", "zh"):
        said = run(*args, "--ranks", "1,2,4,...,4096", *OTHER, "--lang", lang).splitlines()
        table = [line for line in said if line.startswith("  ") and "  " in line.strip()]
        assert len(table) > 26
        assert max(map(cells_wide, table)) <= 80
    # Without rows there are no epochs, on one machine no numbers of machines.
    said = run("--network", "8-16-3", "--ranks", "1,2", *OTHER).splitlines()
    assert not any("epoch" in line or "nodes" in line for line in said)


def test_the_same_is_said_again() -> None:
    args = ["--network", "64-100-10", "--batch", "100", "--rows", "1797", *OTHER]
    assert run(*args) == run(*args)
