"""Functions of every element: arithmetic, elementary functions, activations, comparisons, choices."""

from __future__ import annotations

import math
from collections.abc import Callable
from inspect import Signature, signature

import numpy as np

from chainrule import nodes
from chainrule.errors import DTypeError
from chainrule.graph.functions.values import as_real, value_of
from chainrule.graph.mode import stepping
from chainrule.graph.variable import apply
from chainrule.lang.messages import _
from chainrule.nodes.base import Value

__all__ = [
    "abs",
    "add",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cbrt",
    "ceil",
    "clip",
    "cos",
    "cosh",
    "deg2rad",
    "divide",
    "elu",
    "equal",
    "erf",
    "exact_gelu",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "gelu",
    "greater",
    "greater_equal",
    "heaviside",
    "isfinite",
    "isinf",
    "isnan",
    "leaky_relu",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "mish",
    "mod",
    "multiply",
    "nan_to_num",
    "negative",
    "not_equal",
    "power",
    "rad2deg",
    "reciprocal",
    "relu",
    "rint",
    "round",
    "selu",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "sinc",
    "sinh",
    "softplus",
    "sqrt",
    "square",
    "stop_gradient",
    "subtract",
    "tan",
    "tanh",
    "trunc",
    "where",
]  # fmt: skip


def _of(node: type[nodes.Node], name: str) -> Callable[..., Value]:
    """A node without settings, as a function."""

    def function(*inputs: Value) -> Value:
        return apply(node(), *inputs)

    function.__name__ = function.__qualname__ = name
    _self, *parameters = signature(node.forward).parameters.values()
    function.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    function.__doc__ = "\n\n".join(filter(None, (f"{node.formula}.", node.__doc__)))
    return function


add = _of(nodes.Add, "add")
subtract = _of(nodes.Sub, "subtract")
multiply = _of(nodes.Mul, "multiply")
divide = _of(nodes.Div, "divide")
negative = _of(nodes.Neg, "negative")
power = _of(nodes.Pow, "power")
mod = _of(nodes.Mod, "mod")
sign = _of(nodes.Sign, "sign")
erf = _of(nodes.Erf, "erf")
exp = _of(nodes.Exp, "exp")
exp2 = _of(nodes.Exp2, "exp2")
expm1 = _of(nodes.Expm1, "expm1")
log = _of(nodes.Log, "log")
log2 = _of(nodes.Log2, "log2")
log10 = _of(nodes.Log10, "log10")
log1p = _of(nodes.Log1p, "log1p")
sqrt = _of(nodes.Sqrt, "sqrt")
cbrt = _of(nodes.Cbrt, "cbrt")
sin = _of(nodes.Sin, "sin")
cos = _of(nodes.Cos, "cos")
tan = _of(nodes.Tan, "tan")
arcsin = _of(nodes.Arcsin, "arcsin")
arccos = _of(nodes.Arccos, "arccos")
arctan = _of(nodes.Arctan, "arctan")
arctan2 = _of(nodes.Arctan2, "arctan2")
sinh = _of(nodes.Sinh, "sinh")
cosh = _of(nodes.Cosh, "cosh")
tanh = _of(nodes.Tanh, "tanh")
arcsinh = _of(nodes.Arcsinh, "arcsinh")
arccosh = _of(nodes.Arccosh, "arccosh")
arctanh = _of(nodes.Arctanh, "arctanh")
floor = _of(nodes.Floor, "floor")
ceil = _of(nodes.Ceil, "ceil")
trunc = _of(nodes.Trunc, "trunc")
rint = _of(nodes.Rint, "rint")
sigmoid = _of(nodes.Sigmoid, "sigmoid")
relu = _of(nodes.ReLU, "relu")
gelu = _of(nodes.GELU, "gelu")
selu = _of(nodes.SELU, "selu")
silu = _of(nodes.SiLU, "silu")
mish = _of(nodes.Mish, "mish")
softplus = _of(nodes.Softplus, "softplus")
equal = _of(nodes.Equal, "equal")
not_equal = _of(nodes.NotEqual, "not_equal")
less = _of(nodes.Less, "less")
less_equal = _of(nodes.LessEqual, "less_equal")
greater = _of(nodes.Greater, "greater")
greater_equal = _of(nodes.GreaterEqual, "greater_equal")
logical_and = _of(nodes.LogicalAnd, "logical_and")
logical_or = _of(nodes.LogicalOr, "logical_or")
logical_not = _of(nodes.LogicalNot, "logical_not")
maximum = _of(nodes.Maximum, "maximum")
minimum = _of(nodes.Minimum, "minimum")
where = _of(nodes.Where, "where")


def abs(x: Value) -> Value:
    """|x|; the gradient at 0 is 0."""
    return x if value_of(x).dtype == bool else apply(nodes.Abs(), x)


def square(x: Value) -> Value:
    """x · x."""
    return apply(nodes.Mul(), x, x)


def reciprocal(x: Value) -> Value:
    """1 / x."""
    return divide(1.0, x)


def stop_gradient(x: Value) -> Value:
    """x as a constant: the same numbers, and no gradient flows back through them.

    >>> import chainrule as cr
    >>> float(cr.grad(lambda x: x * cr.stop_gradient(x))(3.0))
    3.0
    """
    return apply(nodes.StopGradient(), x)


def leaky_relu(x: Value, slope: Value = 0.01) -> Value:
    """x where x > 0, slope · x elsewhere; a slope that is a Variable has a gradient."""
    if isinstance(slope, int | float | np.number):
        return apply(nodes.LeakyReLU(float(slope)), x)
    return where(greater(x, 0), x, multiply(slope, x))


def elu(x: Value, alpha: float = 1.0) -> Value:
    """x where x > 0, alpha · (e^x - 1) elsewhere."""
    return apply(nodes.ELU(alpha), x)


def clip(x: Value, low: Value | None = None, high: Value | None = None) -> Value:
    """x limited to low and high, which may be arrays or Variables; None means no limit on that side.

    With numbers as limits the gradient is 1 inside and at both limits, else 0. With arrays it is that of
    `minimum(maximum(x, low), high)`: at a limit, x and the limit get half of it each.
    """
    limits = [None if limit is None else _number(limit) for limit in (low, high)]
    if all(limit is None or isinstance(limit, int | float) for limit in limits):
        return apply(nodes.Clip(*limits), x)
    y = x if low is None else maximum(x, low)
    return y if high is None else minimum(y, high)


def _number(x: Value) -> Value:
    """A NumPy scalar as a Python number, anything else unchanged."""
    return x.item() if isinstance(x, np.number) else x


def logaddexp(x: Value, y: Value) -> Value:
    """Log(e^x + e^y), without overflow."""
    # The larger one plus a smooth function, so that at a tie there is every derivative, too.
    x, y = (as_real(v) if hasattr(v, "dtype") else v for v in (x, y))
    d = subtract(x, y)
    d = where(logical_and(equal(x, y), isinf(x)), 0.0, d)  # equal infinities have no difference
    return where(greater(d, 0), add(x, softplus(negative(d))), add(y, softplus(d)))


def logaddexp2(x: Value, y: Value) -> Value:
    """Log₂(2^x + 2^y), without overflow."""
    scale = math.log(2)
    return divide(logaddexp(multiply(x, scale), multiply(y, scale)), scale)


def logical_xor(x: Value, y: Value) -> Value:
    """Whether one of the two is true, and not the other."""
    return not_equal(not_equal(x, 0), not_equal(y, 0))


def fmax(x: Value, y: Value) -> Value:
    """The larger of x and y; where one of them is NaN, the other."""
    return where(isnan(x), y, where(isnan(y), x, maximum(x, y)))


def fmin(x: Value, y: Value) -> Value:
    """The smaller of x and y; where one of them is NaN, the other."""
    return where(isnan(x), y, where(isnan(y), x, minimum(x, y)))


def heaviside(x: Value, at_zero: Value) -> Value:
    """0 where x < 0, `at_zero` where x = 0, 1 where x > 0."""
    return where(greater(x, 0), 1.0, where(less(x, 0), 0.0, where(equal(x, 0), at_zero, x)))


def floor_divide(x: Value, y: Value) -> Value:
    """The whole part of x / y, rounded down: `x // y`. No gradient flows through it."""
    whole = rint(divide(subtract(x, mod(x, y)), y))
    if value_of(y).dtype.kind in "biu" and value_of(x).dtype.kind in "biu":
        return where(equal(y, 0), 0, whole)
    return where(equal(y, 0), rint(divide(x, y)), whole)


def isnan(x: Value) -> Value:
    """Where x is not a number."""
    return not_equal(x, x)


def isinf(x: Value) -> Value:
    """Where x is infinite."""
    return equal(abs(x), np.inf)


def isfinite(x: Value) -> Value:
    """Where x is neither infinite nor NaN."""
    return less(abs(x), np.inf)


def nan_to_num(
    x: Value, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Value:
    """x with NaN and infinities replaced, by default by 0 and the largest numbers of the dtype."""
    x = value_of(x)
    if x.dtype.kind != "f":
        return x
    most = np.finfo(x.dtype)
    high = float(most.max) if posinf is None else posinf
    low = float(most.min) if neginf is None else neginf
    y = where(isnan(x), nan, x)
    return where(equal(y, np.inf), high, where(equal(y, -np.inf), low, y))


def round(x: Value, decimals: int = 0) -> Value:
    """x rounded to so many decimals, halves to even; no gradient flows through it."""
    x = value_of(x)
    if x.dtype.kind in "iu":
        return x if decimals >= 0 else round(as_real(x), decimals).astype(x.dtype)
    if decimals == 0:
        return rint(x)
    scale = math.pow(10.0, decimals)
    if decimals > 0:
        return divide(rint(multiply(x, scale)), scale)
    return multiply(rint(multiply(x, scale)), math.pow(10.0, -decimals))


def sinc(x: Value) -> Value:
    """Sin(π x) / (π x), and 1 at x = 0."""
    zero = equal(x, 0)
    y = multiply(where(zero, 1.0, x), math.pi)
    return where(zero, 1.0, divide(sin(y), y))


def exact_gelu(x: Value) -> Value:
    """x/2 · (1 + erf(x/√2)): the GELU that PyTorch takes by default. `gelu` is its tanh form."""
    return multiply(multiply(0.5, x), add(1, erf(multiply(x, math.sqrt(0.5)))))


def real(x: Value) -> Value:
    """The real part: of real numbers, x itself. Complex Variables are refused, see `conjugate`."""
    return conjugate(x)


def conjugate(x: Value) -> Value:
    """The complex conjugate: of real numbers, x itself.

    As a function of complex numbers it is not analytic, so it has no derivative, and complex Variables
    are refused.
    """
    x = value_of(x)
    if x.dtype.kind == "c" and not stepping():
        raise DTypeError(
            _(
                "the conjugate, the real and the imaginary part have no derivative by complex numbers."
                " Compute with the real and the imaginary part as two Variables."
            )
        )
    return x


def deg2rad(x: Value) -> Value:
    """Degrees as radians."""
    return multiply(x, math.pi / 180)


def rad2deg(x: Value) -> Value:
    """Radians as degrees."""
    return multiply(x, 180 / math.pi)


def _takes_one(function: Callable[..., Value]) -> bool:
    first, *others = signature(function).parameters.values()
    return first.default is first.empty and all(p.default is not p.empty for p in others)


#: The functions of one array, by name.
OF_ONE = {name: globals()[name] for name in __all__ if _takes_one(globals()[name])}
