"""The playground's data sets: their shapes, and what noise does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from chainrule.datasets import playground
from chainrule.datasets.playground import PLAYGROUND
from chainrule.errors import SettingError


@pytest.mark.parametrize("name", PLAYGROUND)
def test_a_seed_gives_the_same_points_and_another_others(name: str) -> None:
    (x, t), (x2, t2) = playground(name, 0.2, 7), playground(name, 0.2, np.random.default_rng(7))
    assert np.array_equal(x, x2)
    assert np.array_equal(t, t2)
    assert not np.array_equal(x, playground(name, 0.2, 8)[0])
    assert len(x) == (1200 if name in ("plane", "gaussian") else 500)
    assert np.abs(x).max() < 7


def test_classes_without_noise() -> None:
    x, t = playground("circle")
    radius = np.hypot(x[:, 0], x[:, 1])
    assert radius[t == 1].max() < 2.5
    assert radius[t == 0].min() >= 3.5
    x, t = playground("xor")
    assert np.array_equal(x[:, 0] * x[:, 1] > 0, t == 1)
    assert np.abs(x).min() >= 0.3
    x, t = playground("gauss")
    assert np.abs(x[t == 1].mean(axis=0) - 2).max() < 0.2
    assert abs(x[t == 0].var() - 0.5) < 0.15
    x, t = playground("spiral")
    angle = np.arctan2(x[:, 0], x[:, 1])
    turned = 1.75 * np.hypot(x[:, 0], x[:, 1]) / 5 * 2 * math.pi + np.where(t == 1, 0, math.pi)
    assert np.abs(np.sin(angle - turned))[np.hypot(x[:, 0], x[:, 1]) > 0].max() < 1e-9


def test_values_without_noise() -> None:
    x, t = playground("plane")
    assert t == pytest.approx(x.sum(axis=1) / 10)
    x, t = playground("gaussian")
    at = np.hypot(*(x - (0, -2.5)).T) < 1.5  # of the six, this one alone is near
    assert t[at] == pytest.approx(1 - np.hypot(*(x[at] - (0, -2.5)).T) / 2)
    assert (t[np.hypot(*(x - (0, 2.5)).T) < 1.5] < 0).all()


@pytest.mark.parametrize("name", ["circle", "xor", "plane", "gaussian"])
def test_noise_moves_the_answers_and_not_the_points(name: str) -> None:
    (x, t), (x2, t2) = playground(name), playground(name, 0.5)
    assert np.array_equal(x, x2)
    assert np.mean(t != t2) > 0.05


@pytest.mark.parametrize("arguments", [("moons",), ("xor", 0.6), ("xor", -1), ("xor", True)])
def test_wrong_arguments(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(SettingError, match="playground"):
        playground(*arguments)
