"""ONNX's operators that compute each number from those at its place, as functions of chainrule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.engine.primitives import Function
from chainrule.files.onnx.calls import Call, Meaning, constant, largest, short, together
from chainrule.graph.functions import elementwise as el
from chainrule.graph.variable import Variable
from chainrule.nodes.base import Value

__all__ = ["ELEMENTWISE"]


def _number(value: Value, ndim: int) -> Value:
    """A constant of one real number as that number, which has the dtype of whatever it meets."""
    if isinstance(value, np.ndarray) and value.size == 1 and value.ndim <= ndim:
        if value.dtype.kind == "f":
            number = value.reshape(())[()]
            return float(str(number))  # as it was written: 0.1, and not 0.10000000149
        if value.dtype.kind in "iu":
            return int(value.item())
    return value


def _elementwise(function: Function) -> Meaning:
    def run(call: Call) -> Any:
        rank = max((v.ndim for v in call.inputs if isinstance(v, Variable)), default=None)
        if rank is None:
            return function(*call.inputs)
        return function(*(_number(v, rank) for v in call.inputs))

    return Meaning(run, together)


def _folded(function: Function) -> Meaning:
    """An operator of any number of inputs."""

    def run(call: Call) -> Any:
        total = call.inputs[0]
        for more in call.inputs[1:]:
            pair = Call(call.op, (total, more), {}, call.version)
            total = _elementwise(function).run(pair)
        return total

    return Meaning(run, together)


def _with(function: Callable[..., Any], **settings: tuple[str, float]) -> Meaning:
    """A function of one array with settings: ONNX's name for each, and its default."""

    def run(call: Call) -> Any:
        given = {
            ours: short(call.settings.get(theirs, default))
            for ours, (theirs, default) in settings.items()
        }
        return function(call.inputs[0], **given)

    return Meaning(run, largest)


def _gelu(call: Call) -> Any:
    tanh = call.settings.get("approximate", "none") == "tanh"
    return el.gelu(call.inputs[0]) if tanh else el.exact_gelu(call.inputs[0])


def _selu(call: Call) -> Any:
    x = call.inputs[0]
    a, c = (short(call.settings.get(k, d)) for k, d in (("alpha", 1.67326), ("gamma", 1.0507)))
    if abs(a - 1.67326) < 1e-4 and abs(c - 1.0507) < 1e-4:
        return el.selu(x)
    return c * el.elu(x, a)


def _celu(x: Value, alpha: float) -> Value:
    return alpha * el.elu(x / alpha, 1.0)


def _hard_sigmoid(x: Value, alpha: float, beta: float) -> Value:
    return el.clip(alpha * x + beta, 0, 1)


def _hard_swish(x: Value) -> Value:
    return x * _hard_sigmoid(x, 1 / 6, 0.5)


def _softsign(x: Value) -> Value:
    return x / (1 + el.abs(x))


def _thresholded(x: Value, alpha: float) -> Value:
    return el.where(x > alpha, x, 0)


def _prelu(x: Value, slope: Value) -> Value:
    return el.maximum(x, 0) + slope * el.minimum(x, 0)


def _divide(x: Value, y: Value) -> Value:
    """Division, of whole numbers towards 0."""
    if _kind(x) in "iu" and _kind(y) in "iu":
        whole = el.floor_divide(el.abs(x), el.abs(y))
        return whole * el.where((x < 0) == (y < 0), 1, -1)
    return x / y


def _kind(x: Value) -> str:
    return str((x if isinstance(x, Variable) else np.asarray(x)).dtype.kind)


def _modulo(call: Call) -> Any:
    x, y = call.inputs
    if not call.settings.get("fmod"):
        return el.mod(x, y)
    r = el.mod(el.abs(x), el.abs(y))  # fmod has the sign of x
    return el.where(x < 0, -r, r)


def _clip(call: Call) -> Any:
    low, high = (
        call.settings.get(name) if call.input(i) is None else float(constant(call.input(i)))
        for i, name in ((1, "min"), (2, "max"))
    )
    return el.clip(
        call.inputs[0], *(None if v is None or abs(v) > 3e38 else short(v) for v in (low, high))
    )


_FUNCTIONS: dict[str, Function] = {
    "Abs": el.abs, "Acos": el.arccos, "Acosh": el.arccosh, "Add": el.add, "And": el.logical_and,
    "Asin": el.arcsin, "Asinh": el.arcsinh, "Atan": el.arctan, "Atanh": el.arctanh, "Ceil": el.ceil,
    "Cos": el.cos, "Cosh": el.cosh, "Div": _divide, "Equal": el.equal, "Erf": el.erf, "Exp": el.exp,
    "Floor": el.floor, "Greater": el.greater, "GreaterOrEqual": el.greater_equal, "HardSwish": _hard_swish,
    "IsInf": el.isinf, "IsNaN": el.isnan, "Less": el.less, "LessOrEqual": el.less_equal, "Log": el.log,
    "Mish": el.mish, "Mul": el.multiply, "Neg": el.negative, "Not": el.logical_not, "Or": el.logical_or,
    "PRelu": _prelu, "Pow": el.power, "Reciprocal": el.reciprocal, "Relu": el.relu, "Round": el.rint,
    "Sigmoid": el.sigmoid, "Sign": el.sign, "Sin": el.sin, "Sinh": el.sinh, "Softplus": el.softplus,
    "Softsign": _softsign, "Sqrt": el.sqrt, "Sub": el.subtract, "Tan": el.tan, "Tanh": el.tanh,
    "Where": el.where, "Xor": el.logical_xor,
}  # fmt: skip

#: Each operator by its name.
ELEMENTWISE: dict[str, Meaning] = {
    **{op: _elementwise(function) for op, function in _FUNCTIONS.items()},
    "Celu": _with(_celu, alpha=("alpha", 1.0)),
    "Clip": Meaning(_clip, largest),
    "Elu": _with(el.elu, alpha=("alpha", 1.0)),
    "Gelu": Meaning(_gelu, largest),
    "HardSigmoid": _with(_hard_sigmoid, alpha=("alpha", 0.2), beta=("beta", 0.5)),
    "LeakyRelu": _with(el.leaky_relu, slope=("alpha", 0.01)),
    "Max": _folded(el.maximum),
    "Min": _folded(el.minimum),
    "Mod": Meaning(_modulo, together),
    "Selu": Meaning(_selu, largest),
    "Sum": _folded(el.add),
    "ThresholdedRelu": _with(_thresholded, alpha=("alpha", 1.0)),
}
