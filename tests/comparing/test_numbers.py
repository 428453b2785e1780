"""Arrays compared to the bit: against arithmetic in Python, and NumPy's own next numbers."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chainrule.comparing.numbers import TensorName, compare_arrays, number_difference

NAME = TensorName("parameter", "W")
FLOATS = (np.float16, np.float32, np.float64)


def pairs(dtype: Any) -> Any:
    """Two arrays of a shape, many of whose elements are the same."""
    few = st.sampled_from([0.0, -0.0, 1.0, -1.5, math.nan, math.inf, -math.inf, 1e-7, 60000.0])
    elements = few | arrays.from_dtype(np.dtype(dtype))
    shapes = arrays.array_shapes(min_dims=0, max_dims=3, max_side=3)

    def two(shape: tuple[int, ...]) -> Any:
        one = arrays.arrays(dtype, shape, elements=elements.map(lambda x: dtype(x)))
        return st.tuples(one, one | st.none())

    return shapes.flatmap(two).map(lambda ab: (ab[0], ab[0].copy() if ab[1] is None else ab[1]))


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_what_differs_is_what_python_says_of_the_bytes(dtype: Any, data: st.DataObject) -> None:
    a, b = data.draw(pairs(dtype))
    found, tolerated, _most = compare_arrays(NAME, a, b)
    unequal = [i for i in np.ndindex(a.shape) if a[i].tobytes() != b[i].tobytes()]
    assert tolerated == 0
    if not unequal:
        assert found is None
        return
    assert found is not None
    assert (found.index, found.differing, found.size) == (unequal[0], len(unequal), a.size)
    assert found.row == (unequal[0][0] if a.ndim else None)
    first = found.first
    assert struct.pack("d", first.a) == struct.pack("d", float(a[unequal[0]]))
    assert struct.pack("d", first.b) == struct.pack("d", float(b[unequal[0]]))
    distances = [distance(float(a[i]), float(b[i])) for i in unequal]
    assert first.absolute == distances[0]
    assert found.largest.absolute == max(distances)
    assert found.largest_index == unequal[int(np.argmax(distances))]


def distance(a: float, b: float) -> float:
    """|a - b|; two NaN are as one, and a NaN is infinitely far from any number."""
    if math.isnan(a) or math.isnan(b):
        return 0.0 if math.isnan(a) and math.isnan(b) else math.inf
    return 0.0 if a == b else abs(a - b)


@pytest.mark.parametrize("dtype", FLOATS)
@given(start=st.floats(-1e4, 1e4), steps=st.integers(1, 40), down=st.booleans())
def test_ulps_are_the_steps_of_nextafter(dtype: Any, start: float, steps: int, down: bool) -> None:
    number = other = dtype(start)
    for _step in range(steps):
        other = np.nextafter(other, dtype(-np.inf if down else np.inf))
    assert number_difference(number, other).ulps == steps
    assert number_difference(other, number).ulps == steps


def test_from_the_smallest_to_the_largest_number() -> None:
    most = np.finfo(np.float64).max
    found = number_difference(np.float64(-most), np.float64(most))
    assert found.ulps == 2 * int(np.float64(most).view(np.uint64))
    assert (found.absolute, found.relative) == (math.inf, math.inf)
    assert number_difference(np.float32(np.inf), np.finfo(np.float32).max).ulps == 1


def test_zeros_of_two_signs_differ_in_bits_only() -> None:
    found, _count, _most = compare_arrays(NAME, np.array([0.0, 1.0]), np.array([-0.0, 1.0]))
    assert found is not None
    assert (found.index, found.first.ulps, found.first.same_value) == ((0,), 0, True)
    assert compare_arrays(NAME, np.array([0.0]), np.array([-0.0]), 1e-300) == (None, 1, 0.0)


def test_nan_equals_nan_of_the_same_bits() -> None:
    nan = np.array([np.nan])
    other = (nan.view(np.uint64) + np.uint64(1)).view(np.float64)
    assert compare_arrays(NAME, nan, nan.copy()).difference is None
    found = compare_arrays(NAME, nan, other).difference
    assert found is not None
    assert (found.first.same_value, found.first.ulps) == (True, None)
    far = compare_arrays(NAME, nan, np.array([1.0]), 0.5).difference
    assert far is not None
    assert (far.first.absolute, far.first.same_value) == (math.inf, False)


def test_whole_numbers_are_compared_exactly() -> None:
    a = np.array([2**63 + 1, 5], np.uint64)
    found = compare_arrays(NAME, a, a - np.array([1, 0], np.uint64)).difference
    assert found is not None
    assert (found.first.a, found.first.b, found.first.absolute) == (2**63 + 1, 2**63, 1.0)
    signed = np.array([-(2**63)])
    assert number_difference(signed[0], np.int64(2**63 - 1)).absolute == float(2**64 - 1)


def test_other_dtypes_are_compared_by_value() -> None:
    one = np.array([0.5, np.nan, 0.1], np.float32)
    assert compare_arrays(NAME, one, one.astype(np.float64)).difference is None
    found = compare_arrays(NAME, one, np.array([0.5, np.nan, 0.1])).difference
    assert found is not None
    assert (found.index, found.dtypes, found.first.ulps) == ((2,), ("float32", "float64"), None)


@given(
    relative=st.floats(1e-15, 0.9),
    scale=st.floats(1e-100, 1e100),
    tolerance=st.floats(1e-15, 0.9),
)
def test_the_tolerance_is_relative_to_the_larger(
    relative: float, scale: float, tolerance: float
) -> None:
    a, b = np.array([scale, 1.0]), np.array([scale * (1 - relative), 1.0])
    if a[0] == b[0]:
        return
    expected = abs(a[0] - b[0]) / max(abs(a[0]), abs(b[0])) <= tolerance
    found, count, most = compare_arrays(NAME, a, b, tolerance)
    assert (found is None, count) == (expected, int(expected))
    assert most <= tolerance


def test_arrays_that_are_not_contiguous_or_of_another_byte_order() -> None:
    a = np.arange(12.0).reshape(3, 4)
    b = np.asfortranarray(a)
    b[1, 2] += 1
    found = compare_arrays(NAME, a.astype(">f8"), b).difference
    assert found is not None
    assert (found.index, found.differing) == ((1, 2), 1)
    assert compare_arrays(NAME, a.T, np.ascontiguousarray(a.T)).difference is None
