"""Messages as bytes: what is sent is what was meant, aligned, and strict JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule.playground.messages import Message

ARRAYS = st.sampled_from(["<f4", "<f8", "<i4", "|u1"]).flatmap(
    lambda dtype: hnp.arrays(np.dtype(dtype), hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
)


@given(st.dictionaries(st.text(max_size=5), ARRAYS, max_size=4), st.text())
def test_what_is_sent_comes_back(arrays: dict[str, npt.NDArray[Any]], words: str) -> None:
    message = Message("frame", {"words": words, "n": 3}, arrays)
    data = message.to_bytes()
    back = Message.from_bytes(data)
    assert (back.kind, back.fields) == ("frame", {"words": words, "n": 3})
    assert set(back.arrays) == set(arrays)
    for name, array in arrays.items():
        assert back.arrays[name].dtype == array.dtype
        assert back.arrays[name].shape == array.shape
        assert back.arrays[name].tobytes() == array.tobytes()


@given(st.dictionaries(st.text(max_size=5), ARRAYS, max_size=4), st.text())
def test_every_array_begins_at_a_multiple_of_eight(
    arrays: dict[str, npt.NDArray[Any]], words: str
) -> None:
    data = Message("frame", {"words": words}, arrays).to_bytes()
    size = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + size])
    assert (4 + size) % 8 == 0
    assert len(data) % 8 == 0
    assert all(place["at"] % 8 == 0 for place in header["arrays"].values())


def test_numbers_that_are_not_finite_are_null_in_the_header_and_stay_in_arrays() -> None:
    fields = {"a": math.nan, "b": [np.float64(math.inf), np.float32(0.5)], "c": {"d": np.int64(3)}}
    data = Message("frame", fields, {"w": np.array([math.nan, -math.inf])}).to_bytes()
    assert b"NaN" not in data
    assert b"Infinity" not in data
    back = Message.from_bytes(data)
    assert back.fields == {"a": None, "b": [None, 0.5], "c": {"d": 3}}
    assert np.isnan(back.arrays["w"][0])
    assert back.arrays["w"][1] == -math.inf


def test_an_array_that_does_not_lie_in_one_piece_is_sent_in_order() -> None:
    array = np.arange(6.0).reshape(2, 3).T
    assert np.array_equal(
        Message.from_bytes(Message("x", {}, {"a": array}).to_bytes()).arrays["a"], array
    )


def test_other_kinds_of_number_are_not_sent() -> None:
    with pytest.raises(KeyError):
        Message("x", {}, {"a": np.array([1], np.int64)}).to_bytes()
