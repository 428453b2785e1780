"""A training that is stopped goes on with its checkpoints, on another number of ranks, too."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.distributed.launching import launch, needs_ranks

pytestmark = needs_ranks


def run(ranks: int, folder: Path, stop: int, engine: str, *, reproducible: bool) -> list[str]:
    """The steps made, the hash of all bits, and the last loss."""
    done = launch(ranks, "resume_ranks", folder, stop, engine, reproducible)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_reproducible_goes_on_with_the_same_bits_on_other_ranks(
    engine: str, tmp_path: Path
) -> None:
    straight = run(1, tmp_path / "straight", 0, engine, reproducible=True)
    assert run(2, tmp_path / "run", 5, engine, reproducible=True)[0] == "5"
    assert run(4, tmp_path / "run", 10, engine, reproducible=True)[0] == "10"
    assert run(1, tmp_path / "run", 0, engine, reproducible=True) == straight


@pytest.mark.parametrize(("engine", "ranks"), [("numpy", 1), ("numpy", 2), ("compiled", 2)])
def test_goes_on_with_the_same_numbers_on_other_ranks(
    engine: str, ranks: int, tmp_path: Path
) -> None:
    straight = run(3, tmp_path / "straight", 0, engine, reproducible=False)
    run(3, tmp_path / "run", 5, engine, reproducible=False)
    resumed = run(ranks, tmp_path / "run", 0, engine, reproducible=False)
    assert resumed[0] == straight[0]
    assert float(resumed[2]) == pytest.approx(float(straight[2]), rel=1e-9)
