"""What ONNX's operators mean here: each as a function of chainrule, on arrays and on Variables alike.

`MEANINGS` has one row for each operator that is read. Lengths and shapes in a graph are plain arrays of
whole numbers, and are computed while the network is recorded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.engine.primitives import Function
from chainrule.errors import FormatError
from chainrule.files.onnx.calls import Call, Meaning, constant, largest, shapes_of, short, together
from chainrule.files.onnx.elementwise import ELEMENTWISE
from chainrule.files.onnx.shaping import SHAPING
from chainrule.files.onnx.writer import ML
from chainrule.graph import functions as f
from chainrule.graph.functions import elementwise as el
from chainrule.lang.messages import _
from chainrule.nodes.base import Value

__all__ = ["MEANINGS", "TAILS"]


def _reduction(function: Function, before: Function | None = None) -> Meaning:
    def run(call: Call) -> Any:
        axes = call.whole("axes", 1)
        x = call.inputs[0] if before is None else before(call.inputs[0])
        if not axes and call.settings.get("noop_with_empty_axes"):
            return x
        return function(x, tuple(axes) if axes else None, bool(call.settings.get("keepdims", 1)))

    return Meaning(run, largest)


def _product_size(call: Call) -> int:
    (*above, n, _k), (*beside, _m, p) = (
        (1, *shape) if len(shape) < 2 else shape for shape in shapes_of(call)[:2]
    )
    if call.settings.get("transB"):
        p = _m
    if call.settings.get("transA"):
        n = _k
    return math.prod(np.broadcast_shapes(tuple(above), tuple(beside))) * n * p


def _matmul(call: Call) -> Any:
    return f.matmul(*call.inputs)


def _gemm(call: Call) -> Any:
    a, b, c = (call.input(i) for i in range(3))
    alpha, beta = (short(call.settings.get(k, 1.0)) for k in ("alpha", "beta"))
    a = f.transpose(a) if call.settings.get("transA") else a
    b = f.transpose(b) if call.settings.get("transB") else b
    y = f.matmul(a, b)
    y = y if alpha == 1 else alpha * y
    if c is None or beta == 0:
        return y
    return y + (c if beta == 1 else beta * c)


def _softmax(call: Call) -> Any:
    x = call.inputs[0]
    if call.version >= 13:
        return f.softmax(x, call.settings.get("axis", -1))
    axis = call.settings.get("axis", 1) % x.ndim  # all axes from there on together
    if axis == x.ndim - 1:
        return f.softmax(x, -1)
    return f.reshape(f.softmax(f.reshape(x, (*x.shape[:axis], -1)), -1), x.shape)


def _log_softmax(call: Call) -> Any:
    x, axis = call.inputs[0], call.settings.get("axis", -1 if call.version >= 13 else 1)
    return x - f.logsumexp(x, axis, keepdims=True)


def _layer_norm(call: Call) -> Any:
    x, scale, shift = (call.input(i) for i in range(3))
    axis = call.settings.get("axis", -1) % x.ndim
    axes = tuple(range(axis, x.ndim))
    mean, var = f.mean(x, axes, keepdims=True), f.var(x, axes, keepdims=True)
    y = (x - mean) * (var + short(call.settings.get("epsilon", 1e-5))) ** -0.5 * scale
    return y if shift is None else y + shift


def _batch_norm(call: Call) -> Any:
    x, scale, shift, mean, var = call.inputs
    wide = (-1, *(1,) * (x.ndim - 2))
    scale, shift, mean, var = (f.reshape(v, wide) for v in (scale, shift, mean, var))
    return (x - mean) * (scale * (var + short(call.settings.get("epsilon", 1e-5))) ** -0.5) + shift


def _scaler(call: Call) -> Any:
    """(x - offset) · scale, as skl2onnx writes a StandardScaler."""
    offset, scale = (
        np.array(call.settings.get(k, d)) for k, d in (("offset", [0.0]), ("scale", [1.0]))
    )
    return (call.inputs[0] - offset.astype(np.float32)) * scale.astype(np.float32)


def _cumsum(call: Call) -> Any:
    x, axis = call.inputs[0], int(constant(call.inputs[1]).ravel()[0])
    if call.settings.get("reverse") or call.settings.get("exclusive"):
        raise FormatError(_("CumSum from the end, or without the number itself"))
    return f.cumsum(x, axis)


def _det(call: Call) -> Any:
    return f.det(call.inputs[0])


def _squares(x: Value) -> Value:
    return x * x


#: Each operator that is read, by its domain and name.
MEANINGS: dict[tuple[str, str], Meaning] = {
    **{("", op): meaning for op, meaning in (ELEMENTWISE | SHAPING).items()},
    ("", "BatchNormalization"): Meaning(_batch_norm, largest),
    ("", "CumSum"): Meaning(_cumsum, largest),
    ("", "Det"): Meaning(_det, largest),
    ("", "Gemm"): Meaning(_gemm, _product_size),
    ("", "LayerNormalization"): Meaning(_layer_norm, together),
    ("", "LogSoftmax"): Meaning(_log_softmax, largest),
    ("", "MatMul"): Meaning(_matmul, _product_size),
    ("", "ReduceL1"): _reduction(f.sum, before=el.abs),
    ("", "ReduceL2"): _reduction(f.norm),
    ("", "ReduceLogSumExp"): _reduction(f.logsumexp),
    ("", "ReduceMax"): _reduction(f.max),
    ("", "ReduceMean"): _reduction(f.mean),
    ("", "ReduceMin"): _reduction(f.min),
    ("", "ReduceProd"): _reduction(f.prod),
    ("", "ReduceSum"): _reduction(f.sum),
    ("", "ReduceSumSquare"): _reduction(f.sum, before=_squares),
    ("", "Softmax"): Meaning(_softmax, largest),
    (ML, "Scaler"): Meaning(_scaler, largest),
}

#: Operators that come before or after a network, in a classifier's labels or the preparation of a table.
#: A file may have them, but no network is made of them.
TAILS: Sequence[tuple[str, str]] = (
    ("", "ArgMax"),
    ("", "ArgMin"),
    (ML, "ArrayFeatureExtractor"),
    (ML, "LabelEncoder"),
    (ML, "ZipMap"),
)
