"""Several ranks train as one process does: the same steps, losses and parameters."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
from tests.distributed.cases import names
from tests.distributed.launching import launch, needs_ranks

pytestmark = needs_ranks


#: Every case on every engine that it is tried on.
BOTH = [(engine, name) for engine in ("numpy", "compiled") for name in names(engine)]


@functools.cache
def results(ranks: int, engine: str) -> dict[str, Any]:
    """The cases on so many ranks, each started once."""
    done = launch(ranks, "same_ranks", engine)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("engine", "name"), BOTH)
def test_one_rank_has_the_bits_of_the_serial_training(engine: str, name: str) -> None:
    found = results(1, engine)[name]
    assert found["bits"]
    assert found["engines"] == [engine]


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize(("engine", "name"), BOTH)
def test_ranks_have_the_numbers_of_the_serial_training(engine: str, name: str, ranks: int) -> None:
    found = results(ranks, engine)[name]
    assert found["engines"] == [engine]
    assert max(found["errors"]) <= 1e-12, found["errors"]
    for what in ("steps", "epochs", "stopped"):
        assert found[what][0] == found[what][1], what


@pytest.mark.parametrize("ranks", [2, 4])
def test_a_rank_needs_no_rows_but_its_own(ranks: int) -> None:
    assert results(ranks, "numpy")["own rows"] <= 1e-14


@pytest.mark.parametrize(("engine", "name"), BOTH)
def test_reproducible_has_the_same_bits_on_any_number_of_ranks(engine: str, name: str) -> None:
    one, two, four = (results(ranks, engine)[name]["parameters"] for ranks in (1, 2, 4))
    assert one == two == four


@pytest.mark.long
@pytest.mark.parametrize(("engine", "name"), BOTH)
def test_reproducible_has_the_same_bits_on_eight_ranks(engine: str, name: str) -> None:
    assert results(8, engine)[name]["parameters"] == results(1, engine)[name]["parameters"]
