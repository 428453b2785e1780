"""The functions that a kernel may call and that are not text: Python's and NumPy's.

A module that adds its own (`memory`) has each in plain Python as well, so that a kernel runs,
slowly, as it stands.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.engine.compiler.arithmetic import binary, cast, compare, largest, negative, select
from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.kinds import FLOAT, KINDS, Kind, meet
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.registry import RULES, checked, rule
from chainrule.engine.compiler.values import Array, Number, Value, constant, literal
from chainrule.engine.compiler.writer import Writer


def real(body: Body, x: Number) -> Number:
    """A number with a fraction, as NumPy's functions make one of it."""
    return _reals(body, x)[0]


def _reals(body: Body, *given: Number) -> list[Number]:
    """Numbers in the smallest dtype with a fraction that holds all their dtypes."""
    bits = [_bits_of_real(x.kind) for x in given if not x.kind.weak]
    fraction = any(x.kind.sort == "f" for x in given) and all(
        x.kind.sort != "f" or x.kind.weak for x in given
    )
    most = 64 if fraction or not bits else max(bits)
    if most == 16:
        raise Refused(f"a function of a {given[0].kind.name} gives a float16")
    lanes = max(x.kind.lanes for x in given)
    return [cast(body.w, x, KINDS[f"float{most}"].wide(lanes)) for x in given]


def _bits_of_real(kind: Kind) -> int:
    """The bits of NumPy's result for a dtype."""
    return 8 * kind.size if kind.sort == "f" else min(16 * kind.size, 64)


def _alike(body: Body, a: Number, b: Number) -> tuple[Number, Number]:
    """Two numbers, in the kind in which they meet."""
    kind = meet(a.kind, b.kind)
    kind = KINDS[{"int": "int64", "float": "float64"}.get(kind.name, kind.name)].wide(kind.lanes)
    return cast(body.w, a, kind), cast(body.w, b, kind)


def _llvm(name: str) -> Callable[..., Value]:
    """A function of LLVM, for every dtype with a fraction."""

    def write(body: Body, x: Number) -> Number:
        if name in ("floor", "ceil", "trunc") and x.kind.sort != "f":
            return x if x.kind.sort == "b" else _alike(body, x, x)[0]
        x = real(body, x)
        lanes = f"v{x.kind.lanes}" if x.kind.lanes > 1 else ""
        return body.w.intrinsic(f"llvm.{name}.{lanes}f{8 * x.kind.size}", x.kind, x)

    return write


def c_function(w: Writer, name: str, *args: Number) -> Number:
    """Call a function of C's mathematics library."""
    kind = args[0].kind
    if kind.lanes > 1:
        raise Refused(f"{name} of a vector")
    return w.intrinsic(f"{name}f" if kind.size == 4 else name, kind, *args)


def _c(name: str) -> Callable[..., Value]:
    def write(body: Body, x: Number) -> Number:
        return c_function(body.w, name, real(body, x))

    return write


#: By LLVM itself, or by C where the processor has no instruction for it.
for _name, _function in {
    "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "exp2": np.exp2, "log2": np.log2,
    "log10": np.log10, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "rint": np.rint,
}.items():  # fmt: skip
    RULES[_function] = checked(_llvm(_name))
for _name, _function in {
    "expm1": np.expm1, "cbrt": np.cbrt, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.arctanh,
}.items():  # fmt: skip
    RULES[_function] = checked(_c(_name))


@rule(np.arctan2)
def _arctan2(body: Body, a: Number, b: Number) -> Number:
    return c_function(body.w, "atan2", *_reals(body, a, b))


@rule(np.remainder)
def _remainder(body: Body, a: Number, b: Number) -> Number:
    w = body.w
    a, b = _alike(body, a, b)
    if a.kind.sort != "f":
        return binary(w, "%", a, b)
    rest = Number(a.kind, w.op(f"frem {a.kind.ir} {a.ir}, {b.ir}"))
    zero = constant(0, a.kind)
    other_side = binary(w, "^", compare(w, "<", rest, zero), compare(w, "<", b, zero))
    off = binary(w, "&", compare(w, "!=", rest, zero), other_side)
    moved = select(w, off, binary(w, "+", rest, b), rest)
    lanes = f"v{a.kind.lanes}" if a.kind.lanes > 1 else ""
    signed = w.intrinsic(f"llvm.copysign.{lanes}f{8 * a.kind.size}", a.kind, zero, b)
    return select(w, compare(w, "==", moved, zero), signed, moved)


@rule(np.sign)
def _sign(body: Body, x: Number) -> Number:
    if x.kind.sort == "b":
        raise Refused("the sign of a boolean")
    x, _x = _alike(body, x, x)
    w, zero = body.w, constant(0, x.kind)
    one, minus = constant(1, x.kind), constant(-1 if x.kind.sort != "u" else 0, x.kind)
    below = select(w, compare(w, "<", x, zero), minus, x)
    return select(w, compare(w, ">", x, zero), one, below)


@rule(np.isfinite)
def _isfinite(body: Body, x: Number) -> Number:
    w = body.w
    if x.kind.sort != "f":
        return literal(True)
    nothing = Number(x.kind, w.op(f"fsub {x.kind.ir} {x.ir}, {x.ir}"))
    return compare(w, "==", nothing, constant(0, x.kind))


@rule(builtins.abs)
def _abs(body: Body, x: Number) -> Number:
    w = body.w
    if x.kind.sort == "f":
        lanes = f"v{x.kind.lanes}" if x.kind.lanes > 1 else ""
        return w.intrinsic(f"llvm.fabs.{lanes}f{8 * x.kind.size}", x.kind, x)
    if x.kind.sort == "b":
        raise Refused("the absolute value of a boolean")
    if x.kind.sort == "u":
        return x
    return select(w, compare(w, "<", x, constant(0, x.kind)), negative(w, x), x)


@rule(builtins.min)
def _min(body: Body, a: Number, b: Number) -> Number:
    return largest(body.w, True, a, b)


@rule(builtins.max)
def _max(body: Body, a: Number, b: Number) -> Number:
    return largest(body.w, False, a, b)


@rule(builtins.float)
def _float(body: Body, x: Any) -> Number:
    if isinstance(x, str):
        try:
            return literal(float(x))
        except ValueError as error:
            raise Refused(str(error)) from error
    if not isinstance(x, Number):
        raise Refused("float of this")
    return cast(body.w, x, FLOAT)


@rule(builtins.len)
def _len(body: Body, x: Value) -> Number:
    if isinstance(x, tuple):
        return literal(len(x))
    if isinstance(x, Array) and x.shape:
        return x.shape[0]
    raise Refused("the length of this")
