"""The split: every row once, classes in proportion, the same for the same seed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.datasets import stratified_split
from chainrule.errors import DataError, SettingError


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(-2, 4), min_size=2, max_size=120),
    st.floats(0.001, 0.999),
    st.integers(0, 2**40),
)
def test_every_row_once_and_every_class_in_training(
    ids: list[int], fraction: float, seed: int
) -> None:
    t = np.array(ids)
    sizes = np.unique(t, return_counts=True)[1]
    if (sizes == 1).all():
        with pytest.raises(DataError, match="single row"):
            stratified_split(t, fraction, seed)
        return
    train, held = stratified_split(t, fraction, seed)
    assert sorted([*train, *held]) == list(range(len(t)))
    assert set(t[train]) == set(t)
    assert len(held) >= 1
    assert (np.diff(train) > 0).all()
    again = stratified_split(t, fraction, np.random.default_rng(seed))
    assert train.tolist() == again[0].tolist()
    for label, size in zip(*np.unique(t, return_counts=True), strict=True):
        if size > 20 and fraction < 0.9:
            assert abs((t[held] == label).sum() - fraction * size) <= 2 + len(sizes)


def test_proportions() -> None:
    t = np.repeat([0, 1, 2], [100, 50, 10])
    train, held = stratified_split(t, 0.2, 0)
    assert np.bincount(t[held]).tolist() == [20, 10, 2]
    assert len(train) == 128
    assert held.tolist() != stratified_split(t, 0.2, 1)[1].tolist()


@pytest.mark.parametrize("shape", [(10,), (10, 1)])
def test_regression_is_split_plainly(shape: tuple[int, ...]) -> None:
    train, held = stratified_split(np.linspace(0, 1, 10).reshape(shape), 0.3, 0)
    assert (len(train), len(held)) == (7, 3)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, math.nan, 2, "a", None, True])
def test_fraction_is_checked(fraction: Any) -> None:
    with pytest.raises(SettingError, match="above 0 and below 1"):
        stratified_split([0, 1, 0, 1], fraction)


def test_other_refusals() -> None:
    wrong: Any
    for wrong in ([0], []):
        with pytest.raises(DataError, match=r"At least 2 rows|dtype"):
            stratified_split(np.array(wrong, dtype=int), 0.5)
    for wrong in (["a", "b"], np.eye(3), None):
        with pytest.raises(DataError, match="t must be"):
            stratified_split(wrong, 0.5)
    for wrong in (-1, 1.5, None, True):
        with pytest.raises(SettingError, match="seed"):
            stratified_split([0, 1, 0], 0.5, wrong)
