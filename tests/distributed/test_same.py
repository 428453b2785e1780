"""Several ranks train as one process does: the same steps, losses and parameters."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.distributed.cases import IN_TURN, THREADS, names, teams
from tests.distributed.launching import launch, needs_ranks

pytestmark = needs_ranks


#: Every case on every engine that it is tried on.
BOTH = [(engine, name) for engine in ("numpy", "compiled") for name in names(engine)]
each = pytest.mark.parametrize(("engine", "name"), BOTH)


@dataclass(frozen=True)
class Results:
    """What ranks have left in a folder."""

    folder: Path

    def told(self, engine: str, name: str, ranks: int, way: str) -> dict[str, Any]:
        """What a training used and counted."""
        text = (self.folder / f"{engine}-{name}-{ranks}-{way}.json").read_text()
        told: dict[str, Any] = json.loads(text)
        return told

    def arrays(self, engine: str, name: str, ranks: int, way: str) -> list[Any]:
        """Its parameters, buffers and losses."""
        with np.load(self.folder / f"{engine}-{name}-{ranks}-{way}.npz") as kept:
            return [kept[key] for key in kept.files]

    def bits(self, engine: str, name: str, ranks: int, way: str) -> list[bytes]:
        """The same as bytes."""
        return [a.tobytes() for a in self.arrays(engine, name, ranks, way)]


def of_ranks(ranks: int, folder: Path) -> Results:
    done = launch(ranks, "same_ranks", folder, seconds=900)
    assert done.returncode == 0, done.stderr
    return Results(folder)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """All cases on 4 ranks, on teams of 2, and on each rank alone: started once."""
    return of_ranks(4, tmp_path_factory.mktemp("ranks"))


@each
def test_one_rank_has_the_bits_of_the_serial_training(
    engine: str, name: str, results: Results
) -> None:
    one, serial = (results.bits(engine, name, 1, way) for way in ("sum", "serial"))
    assert one == serial
    assert results.told(engine, name, 1, "sum")["engine"] == engine


@each
def test_ranks_have_the_numbers_of_the_serial_training(
    engine: str, name: str, results: Results
) -> None:
    serial = results.arrays(engine, name, 1, "serial")
    for ranks, way in itertools.product(teams(name), ("sum", "reproducible")):
        told = results.told(engine, name, ranks, way)
        assert told["engine"] == engine
        assert told["counts"] == results.told(engine, name, 1, "serial")["counts"]
        for a, b in zip(results.arrays(engine, name, ranks, way), serial, strict=True):
            # A bias before BatchNorm is 0 but for rounding, and has no size to be relative to.
            size = max(np.abs(b).max(), 1e-3)
            assert np.abs(a.astype(float) - b.astype(float)).max() <= 1e-12 * size, (ranks, way)


@pytest.mark.parametrize("ranks", [2, 4])
def test_a_rank_needs_no_rows_but_its_own(ranks: int, results: Results) -> None:
    assert float((results.folder / f"own rows-{ranks}").read_text()) <= 1e-14


@each
def test_reproducible_has_the_same_bits_on_any_number_of_ranks(
    engine: str, name: str, results: Results
) -> None:
    one, *others = (results.bits(engine, name, n, "reproducible") for n in teams(name))
    assert others == [one] * len(others)


@pytest.mark.parametrize("name", THREADS)
def test_ranks_of_several_threads(name: str, results: Results) -> None:
    """As many as asked for; reproducibly as many as divide the parts, to the bits of one."""
    for ranks in (1, 2, 4):
        assert results.told("compiled", name, ranks, "sum")["threads"] == 2
    used = [results.told("compiled", name, n, "reproducible")["threads"] for n in (1, 2, 4)]
    assert used == ([2, 2, 2] if name in IN_TURN else [8, 4, 2])
    one = results.bits("compiled", name, 1, "one thread")
    assert one == results.bits("compiled", name, 1, "reproducible")


@pytest.mark.long
def test_reproducible_has_the_same_bits_on_eight_ranks(results: Results, tmp_path: Path) -> None:
    eight = of_ranks(8, tmp_path)
    for engine, name in BOTH:
        found = eight.bits(engine, name, 8, "reproducible")
        assert found == results.bits(engine, name, 1, "reproducible"), name
