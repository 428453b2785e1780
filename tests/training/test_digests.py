"""One digest for all that trainings compare: equal for equal bits, other for one that differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule.training import digests
from chainrule.training.digests import digest

SOURCES = Path(chainrule.__file__).parent


def generator(change: int | None = None) -> dict[str, Any]:
    """The state of a generator that has an array of 624 words; with a change, of one in its midst."""
    state: Any = np.random.MT19937(0).state
    if change is not None:
        state["state"]["key"][312] += change
    return dict(state)


A = np.arange(12, dtype=np.float32).reshape(4, 3)
#: Values of which no two are equal.
VALUES: dict[str, Any] = {
    "array": A,
    "other dtype": A.astype(np.float64),
    "other shape": A.reshape(3, 4),
    "one number": np.where(A == 5, 6, A),
    "a row less": A[:3],
    "in a list": [A],
    "in two lists": [[A]],
    "twice": [A, A],
    "none": [],
    "of no rows": A[:0],
    "a scalar array": np.array(1.0),
    "a number": 1.0,
    "a text": "1.0",
    "texts": ["a", "b"],
    "one text": ["ab"],
    "keys": {"a": 1, "b": 2},
    "other keys": {"b": 1, "a": 2},
    "a key less": {"a": 1},
    "nothing": None,
    "a generator": generator(),
    "another": generator(1),
}


def test_no_two_are_the_same() -> None:
    found = {digest(value): name for name, value in VALUES.items()}
    assert set(found.values()) == set(VALUES)


def test_what_makes_no_difference() -> None:
    assert digest({"a": A, "b": 1}) == digest({"b": 1, "a": A})
    assert digest(np.asfortranarray(A)) == digest(A) == digest(np.repeat(A, 2, axis=0)[::2])
    assert digest(np.float64(0.1), [np.int64(3)]) == digest(0.1, [3])
    assert digest((A, 1)) == digest([A, 1])


def test_in_parts_as_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = digest(A, {"x": A})
    np.save(tmp_path / "a.npy", A)
    monkeypatch.setattr(digests, "ROWS", 3)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert digest(mapped, {"x": mapped}) == whole


def test_there_is_no_other_way() -> None:
    """Each way of its own once read arrays differently: whole, in parts, or cut short as a text."""
    own = [
        path.name
        for room in ("training", "comparing", "planning", "distributed")
        for path in (SOURCES / room).rglob("*.py")
        if "hashlib" in path.read_text("utf-8")
    ]
    assert own == ["digests.py"]
