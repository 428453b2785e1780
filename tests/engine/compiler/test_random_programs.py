"""Random programs run both ways: a hundred by default, thousands in the long mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.engine.compiler.language import HEAD, both, plain, refused
from tests.engine.compiler.random_programs import ARRAYS, LENGTH, drawn

TEXT = f"{HEAD}\nfrom tests.engine.compiler import helpers\n"
#: How many programs a test takes.
BATCH = 25


def given(seed: int, notes: int) -> dict[str, Any]:
    """Arguments for a program."""
    rng, found = np.random.default_rng(seed), {}
    for name, kind in ARRAYS.items():
        if kind.startswith("float"):
            x = rng.normal(size=LENGTH) * rng.choice([1.0, 3.0, 1e3])
        elif kind == "bool":
            x = rng.random(LENGTH) < 0.5
        else:
            x = rng.integers(*((0, 256) if kind == "uint8" else (-9, 10)), LENGTH)
            x = np.abs(x) if kind == "uint64" else x
        found[name] = x.astype(kind)
    numbers = {"n": int(rng.integers(1, 6)), "m": int(rng.choice([-2, -1, 1, 2]))}
    return {**numbers, **found, "words": np.zeros((1, notes + 1), np.uint64)}


def compare(seed: int) -> bool:
    """Whether a program runs both ways; if so, to the same bits."""
    program = drawn(seed)
    text, arguments = TEXT + program.text, given(seed, program.notes)
    try:
        plain(text, "f", arguments)
    except (
        NameError,
        OverflowError,
        ValueError,
    ):  # no value, a number that grows, a shift by less than 0
        return False
    why = refused(text, "f", arguments)
    if why is not None:
        fine = (
            "may have no value here",
            "in the next turn of the loop",
            "gives a",
            "does not fit into a",
        )
        assert any(reason in why for reason in fine), f"{why}\n{program.text}"
        return False
    try:
        both(text, "f", arguments)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}:\n{program.text}\n{error}") from error
    return True


@pytest.mark.parametrize("batch", [
    *range(4), *(pytest.param(k, marks=pytest.mark.long) for k in range(4, 800)),
])  # fmt: skip
def test_random_programs(batch: int) -> None:
    ran = [compare(seed) for seed in range(batch * BATCH, (batch + 1) * BATCH)]
    assert sum(ran) > BATCH // 3
