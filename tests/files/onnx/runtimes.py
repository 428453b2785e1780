"""ONNX files run by others: ONNX's own reference evaluator, and onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

__all__ = ["close", "from_onnxruntime", "from_reference", "outputs"]

Array = npt.NDArray[Any]
onnxruntime.set_default_logger_severity(4)


def from_reference(data: bytes, given: Mapping[str, Array]) -> list[Array]:
    """The outputs by ONNX's reference evaluator; the file is checked, too."""
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    with np.errstate(all="ignore"):
        found: list[Array] = ReferenceEvaluator(model).run(None, dict(given))
    return found


def from_onnxruntime(data: bytes, given: Mapping[str, Array]) -> list[Array]:
    """The outputs by onnxruntime, which has fewer operators for float64."""
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    found: list[Array] = session.run(None, dict(given))
    return found


def outputs(data: bytes, given: Mapping[str, Array], dtype: Any = np.float32) -> list[list[Array]]:
    """What each runtime makes of a network of this dtype."""
    found = [from_reference(data, given)]
    if dtype == np.float32:
        found.append(from_onnxruntime(data, given))
    return found


def close(got: Array, want: Array, more: float = 0.0) -> None:
    """Of one shape and dtype, and the same up to rounding: 1e-6 in float32, relative to the largest number.

    `more` is what rounding of the inputs alone makes of the outputs.
    """
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    if want.dtype.kind != "f":
        np.testing.assert_array_equal(got, want)
        return
    least = 1e-6 if want.dtype == np.float32 else 1e-12
    size = np.abs(want[np.isfinite(want)]).max(initial=1)
    np.testing.assert_allclose(got, want, rtol=0, atol=least * size + more)
