"""The loops in LLVM IR compute what they say; how fast is what the benchmarks ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")
kernels = pytest.importorskip("benchmarks.kernels")
machine = pytest.importorskip("benchmarks.machine")

#: Whole rounds of every kernel's loop, whatever the processor's vectors.
N = 16 * 4 * 3


def numbers(count: int) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.random(N).astype(np.float32) for _ in range(count)]


def addresses(arrays: list[Any]) -> list[int]:
    return [a.ctypes.data for a in arrays]


def test_scaled_sum() -> None:
    y, x = numbers(2)
    expected = y + 3 * np.float32(0.5) * x
    kernels.scaled_sum()(3, N, *addresses([y, x]), 0.5)
    np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_adam() -> None:
    p, g, m, v = arrays = numbers(4)
    P, G, M, V = (a.astype(np.float64) for a in arrays)
    kernels.adam()(1, N, *addresses(arrays), 0.1, 0.2, 0.3, 1e-3)
    M += 0.2 * (G - M)
    V += 0.3 * (G * G - V)
    P -= 0.1 * M / (np.sqrt(V) + 1e-3)
    for found, expected in ((p, P), (m, M), (v, V), (g, G)):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_what_does_not_fill_a_round_is_left_alone() -> None:
    y, x = numbers(2)
    before = y.copy()
    kernels.scaled_sum()(1, kernels.UNROLLED * kernels.lanes() - 1, *addresses([y, x]), 0.5)
    assert (y == before).all()


def test_multiply_adds() -> None:
    data = machine.multiply_add_data()
    n, chains = kernels.lanes(), data[: kernels.CHAINS * kernels.lanes()].copy()
    kernels.multiply_adds()(2, data.ctypes.data)
    expected = (chains * 0.5 + 1) * 0.5 + 1
    assert (data[: kernels.CHAINS * n] == expected).all()
