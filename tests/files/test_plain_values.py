"""Plain values as JSON and arrays: everything comes back as it was, to the bit and to its kind."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from chainrule.errors import SettingError
from chainrule.storage.plain_values import decoded, encoded, is_plain


def back(value: Any) -> Any:
    """A value written as JSON, and read again."""
    tensors: dict[str, Any] = {}
    text = json.dumps(encoded(value, tensors, "v"), allow_nan=False)
    return decoded(json.loads(text), tensors)


def alike(a: Any, b: Any) -> bool:
    """Whether two values are of the same kinds and bits, all through."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(alike(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, np.ndarray | np.generic):
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, float):
        return np.float64(a).tobytes() == np.float64(b).tobytes() or (a != a and b != b)
    return bool(a == b)


def anything(rng: np.random.Generator, depth: int) -> Any:
    """A random plain value."""
    kinds: list[Any] = [
        lambda: None,
        lambda: bool(rng.integers(2)),
        lambda: int(rng.integers(-(2**62), 2**62)) * 2**70,
        lambda: float(rng.choice([0.0, -0.0, 0.1, 1e308, 5e-324, math.inf, -math.inf, math.nan])),
        lambda: str(rng.choice(["", "~", "价格", "a.b", "\x00"])),
        lambda: np.float32(rng.normal()),
        lambda: np.int8(rng.integers(-128, 127)),
        lambda: rng.normal(size=rng.integers(0, 4, 2)).astype(rng.choice(["f2", "f4", "f8"])),
        lambda: rng.integers(0, 2**63, rng.integers(0, 4), np.uint64),
        lambda: rng.integers(0, 2, 3).astype(bool),
        lambda: np.float64(0.1) * np.ones(()),
        lambda: [{"loss": float(rng.normal()), "lr": 0.1} for _ in range(rng.integers(4))],
        lambda: [{"loss": math.nan}, {"loss": 1.0, "val_loss": math.inf}, {}],
    ]
    inner: list[Any] = [
        lambda: [anything(rng, depth - 1) for _ in range(rng.integers(3))],
        lambda: tuple(anything(rng, depth - 1) for _ in range(rng.integers(3))),
        lambda: {
            (str(rng.choice(["~", "a", "b.0", "value"])) if rng.integers(3) else int(rng.integers(9))):
            anything(rng, depth - 1)
            for _ in range(rng.integers(4))
        },
    ]  # fmt: skip
    return rng.choice(np.array(kinds + (3 * inner if depth else []), object))()


@pytest.mark.parametrize("seed", range(300))
def test_anything_plain_comes_back(seed: int) -> None:
    value = anything(np.random.default_rng(seed), 3)
    assert is_plain(value)
    assert alike(back(value), value)


def test_generators_go_on_where_they_were() -> None:
    for kind in (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64):
        rng = np.random.Generator(kind(3))
        rng.integers(0, 9, 5, np.int32)
        other = np.random.Generator(kind(4))
        other.bit_generator.state = back(rng.bit_generator.state)
        assert (rng.normal(size=9) == other.normal(size=9)).all()


def test_a_long_history_is_small() -> None:
    """A hundred thousand epochs would fill the header, were each an object of JSON."""
    epochs = [{"loss": 1 / (i + 1), "lr": 0.1, "seconds": 1e-3} for i in range(100_000)]
    tensors: dict[str, Any] = {}
    text = json.dumps(encoded(epochs, tensors, "epochs"))
    assert len(text) < 200
    assert decoded(json.loads(text), tensors) == epochs


def test_objects_are_refused_by_name() -> None:
    for value in (object(), {"a": [1, {2, 3}]}, np.array(["a"]), np.array([1j]), {1.5: 2}, print):
        assert not is_plain(value)
        with pytest.raises(SettingError, match=r"state"):
            encoded(value, {}, "state")
