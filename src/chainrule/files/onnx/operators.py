"""The table of operators: how each primitive is written in ONNX.

`RULES` has one rule for each primitive that is left when a graph is lowered with `ONNX_FUNCTIONS`. Most are
an operator of the same meaning.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.engine.primitives import Function, cast, filled, pick
from chainrule.engine.trace import Traced
from chainrule.files.onnx.emission import Emission, Rule
from chainrule.files.onnx.picking import write_add_at, write_chosen, write_pick, write_replaced
from chainrule.nodes.elementary import erf
from chainrule.nodes.indexing import add_at, chosen, replaced
from chainrule.nodes.linear_algebra import det

__all__ = ["RULES"]


def _elementwise(op: str, **settings: Any) -> Rule:
    """The rule of a ufunc: an operator of ONNX that means the same."""

    def rule(e: Emission, v: Traced) -> str:
        names, dtype = e.operands(v)
        out = e.put(_OF_TRUTHS.get(op, op) if dtype.kind == "b" else op, *names, **settings)
        small = v.dtype.kind in "iu" and v.dtype != dtype
        return e.cast(out, v.dtype) if small else out

    return rule


#: What arithmetic means for truth values.
_OF_TRUTHS = {"Add": "Or", "Mul": "And", "Max": "Or", "Min": "And"}


_UFUNCS: dict[np.ufunc, str] = {
    np.absolute: "Abs",
    np.add: "Add",
    np.arccos: "Acos",
    np.arccosh: "Acosh",
    np.arcsin: "Asin",
    np.arcsinh: "Asinh",
    np.arctan: "Atan",
    np.arctanh: "Atanh",
    np.bitwise_and: "And",
    np.bitwise_or: "Or",
    np.ceil: "Ceil",
    np.cos: "Cos",
    np.cosh: "Cosh",
    np.divide: "Div",
    np.equal: "Equal",
    np.exp: "Exp",
    np.floor: "Floor",
    np.greater: "Greater",
    np.greater_equal: "GreaterOrEqual",
    np.invert: "Not",
    np.less: "Less",
    np.less_equal: "LessOrEqual",
    np.log: "Log",
    np.logical_and: "And",
    np.logical_not: "Not",
    np.logical_or: "Or",
    np.matmul: "MatMul",
    np.maximum: "Max",
    np.minimum: "Min",
    np.multiply: "Mul",
    np.negative: "Neg",
    np.power: "Pow",
    np.reciprocal: "Reciprocal",
    np.rint: "Round",
    np.sin: "Sin",
    np.sinh: "Sinh",
    np.sqrt: "Sqrt",
    np.subtract: "Sub",
    np.tan: "Tan",
    np.tanh: "Tanh",
}


def _where(e: Emission, v: Traced) -> str:
    condition, *values = v.args
    chosen_from = (e.name(value, v.dtype) for value in values)
    return e.put("Where", e.name(condition, np.bool_), *chosen_from)


def _reduction(op: str) -> Rule:
    def rule(e: Emission, v: Traced) -> str:
        x, axes, keepdims = v.args[0], list(v.kwargs["axis"]), int(v.kwargs["keepdims"])
        name = e.name(x, v.dtype)
        if not axes:
            return name
        if op == "ReduceSum":  # the only one whose axes are an input at this opset
            return e.put(op, name, e.constant(axes, np.int64), keepdims=keepdims)
        return e.put(op, name, axes=axes, keepdims=keepdims)

    return rule


def _cumsum(e: Emission, v: Traced) -> str:
    return e.put("CumSum", e.name(v.args[0], v.dtype), e.constant(v.kwargs["axis"], np.int64))


def _reshape(e: Emission, v: Traced) -> str:
    lengths = [e.length(v, lambda a, i=i: a.shape[i]) for i in range(v.ndim)]  # type: ignore[misc]
    varying = [i for i, n in enumerate(lengths) if isinstance(n, str)]
    if len(varying) == 1 and 0 not in lengths:
        lengths[varying[0]] = -1
    name = e.name(v.args[0])
    return e.put("Reshape", name, e.lengths(lengths), allowzero=int(0 in lengths))


def _transpose(e: Emission, v: Traced) -> str:
    return e.put("Transpose", e.name(v.args[0]), perm=list(v.args[1]))


def _broadcast(e: Emission, v: Traced) -> str:
    return e.put("Expand", e.name(v.args[0], v.dtype), e.shape(v))


def _concatenate(e: Emission, v: Traced) -> str:
    parts = [e.name(part, v.dtype) for part in v.args[0]]
    return e.put("Concat", *parts, axis=v.kwargs["axis"])


def _stack(e: Emission, v: Traced) -> str:
    axis = v.kwargs["axis"]
    at = e.constant([axis], np.int64)
    parts = [e.put("Unsqueeze", e.name(part, v.dtype), at) for part in v.args[0]]
    return e.put("Concat", *parts, axis=axis)


def _cast(e: Emission, v: Traced) -> str:
    return e.cast(e.name(v.args[0]), v.dtype)


def _filled(e: Emission, v: Traced) -> str:
    return e.name(v.args[0], v.dtype)


def _erf(e: Emission, v: Traced) -> str:
    return e.put("Erf", e.name(v.args[0], v.dtype))


def _det(e: Emission, v: Traced) -> str:
    return e.put("Det", e.name(v.args[0]))


#: The rule of each primitive.
RULES: dict[Function, Rule] = {
    **{ufunc: _elementwise(op) for ufunc, op in _UFUNCS.items()},
    np.fmod: _elementwise("Mod", fmod=1),
    np.where: _where,
    np.sum: _reduction("ReduceSum"),
    np.prod: _reduction("ReduceProd"),
    np.max: _reduction("ReduceMax"),
    np.min: _reduction("ReduceMin"),
    np.cumsum: _cumsum,
    np.reshape: _reshape,
    np.transpose: _transpose,
    np.broadcast_to: _broadcast,
    np.concatenate: _concatenate,
    np.stack: _stack,
    pick: write_pick,
    add_at: write_add_at,
    chosen: write_chosen,
    replaced: write_replaced,
    cast: _cast,
    filled: _filled,
    erf: _erf,
    det: _det,
}
