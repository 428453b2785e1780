"""Data sets from a formula: the book's numbers, shapes, seeds, refused arguments."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule.datasets import blobs, circles, moons, spiral, xor
from chainrule.errors import DataError, SettingError

MAKERS = {"moons": moons, "circles": circles, "xor": xor, "blobs": blobs}


def _reference_spiral(seed: int) -> list[tuple[float, float]]:
    random = np.random.RandomState(seed)
    points = []
    for arm in range(3):
        for i in range(100):
            r = i / 100
            angle = 4.0 * arm + 4.0 * r + 0.2 * random.randn()
            points.append((r * math.sin(angle), r * math.cos(angle)))
    return points


@pytest.mark.parametrize("seed", [1984, 0, 2**32 - 1])
def test_spiral_is_the_books_formula(seed: int) -> None:
    x, t = spiral(seed)
    np.testing.assert_allclose(x, _reference_spiral(seed), rtol=0, atol=1e-14)
    assert x.dtype == np.float64
    assert t.dtype == np.int64
    assert np.bincount(t).tolist() == [100, 100, 100]
    assert (np.diff(t) >= 0).all()


def test_spiral_golden_rows() -> None:
    x, _ = spiral()
    assert x[0].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(x[1], [-0.00097698643, 0.0099521604], atol=1e-9)
    np.testing.assert_allclose(x.sum(), np.sum(_reference_spiral(1984)), atol=1e-10)


def test_spiral_one_hot_agrees_with_ids() -> None:
    x, t = spiral(one_hot=True)
    ids = spiral()[1]
    assert t.shape == (300, 3)
    assert t.dtype == np.int32
    assert (t.argmax(axis=1) == ids).all()
    assert (t.sum(axis=1) == 1).all()
    assert x.tobytes() == spiral()[0].tobytes()


def test_the_global_generator_is_not_touched() -> None:
    before = np.random.get_state(legacy=False)
    spiral()
    for make in MAKERS.values():
        make()
    after = np.random.get_state(legacy=False)
    assert str(before) == str(after)
    assert (before["state"]["key"] == after["state"]["key"]).all()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True, None, "1984"])
def test_spiral_refuses_other_seeds(seed: object) -> None:
    with pytest.raises(SettingError, match="seed must be a whole number"):
        spiral(seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", MAKERS)
def test_shape_type_seed(name: str) -> None:
    make = MAKERS[name]
    x, t = make(101, seed=3)
    assert x.shape == (101, 2)
    assert x.dtype == np.float64
    assert t.dtype == np.int64
    assert np.isfinite(x).all()
    again = make(101, seed=np.random.default_rng(3))
    assert x.tobytes() == again[0].tobytes()
    assert t.tobytes() == again[1].tobytes()
    assert x.tobytes() != make(101, seed=4)[0].tobytes()
    assert set(t.tolist()) == set(range(3 if name == "blobs" else 2))


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"samples": 0}, "samples"),
        ({"samples": 2.5}, "samples"),
        ({"samples": True}, "samples"),
        ({"noise": -0.1}, "noise"),
        ({"noise": math.nan}, "noise"),
        ({"noise": math.inf}, "noise"),
        ({"noise": "a"}, "noise"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": None}, "seed"),
    ],
)
def test_refused_arguments(name: str, arguments: dict[str, object], part: str) -> None:
    with pytest.raises(SettingError, match=f"{name}: .*{part}.* Got"):
        MAKERS[name](**arguments)  # type: ignore[arg-type]


def test_geometry_without_noise() -> None:
    x, t = circles(100, noise=0)
    np.testing.assert_allclose(np.hypot(*x.T), np.where(t == 0, 1.0, 0.5))
    x, t = moons(100, noise=0)
    np.testing.assert_allclose(np.hypot(*x[t == 0].T), 1.0)
    np.testing.assert_allclose(np.hypot(*(x[t == 1] - [1.0, 0.5]).T), 1.0)
    x, t = xor(100, noise=0)
    assert ((x.prod(axis=1) < 0) == (t == 1)).all()


def test_blobs_centers() -> None:
    x, t = blobs(10, noise=0, centers=[[0, 0, 1], [5, 5, 5]])
    assert x[t == 1].tolist() == [[5, 5, 5]] * 5
    assert blobs(7, classes=3)[1].tolist() == [0, 0, 0, 1, 1, 2, 2]
    with pytest.raises(SettingError, match="contradicts"):
        blobs(10, classes=3, centers=[[0, 0], [5, 5]])
    for centers in ([1, 2], [[math.nan, 1]], [["a"]], [[1, 2], [3]]):
        with pytest.raises(DataError, match="centers"):
            blobs(10, centers=centers)
