"""The table of nodes: for every public node, how to draw one, with settings and inputs.

A row is a function from a `Draw` (a source of random shapes, numbers and memory layouts) to
a `Case`. Everything that is tested of all nodes is tested of the cases the rows draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr
from chainrule import nodes
from chainrule.nodes import Index, Node

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """A node and its inputs; `moving` are the inputs that have a gradient."""

    node: Node
    inputs: tuple[Array, ...]
    moving: tuple[int, ...] = (0,)
    #: The same by the function of the chainrule namespace, and by NumPy's, where there is one.
    function: Callable[..., Any] | None = None
    numpy: Callable[..., Any] | None = None

    def __repr__(self) -> str:
        shapes = ", ".join(f"{a.dtype}{a.shape} strides {a.strides}" for a in self.inputs)
        return f"{self.node!r} of {shapes}"

    @property
    def name(self) -> str:
        return type(self.node).__name__


class Draw:
    """Random shapes, numbers and memory layouts."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, p: float = 0.5) -> bool:
        return bool(self.rng.random() < p)

    def one_of(self, choices: Sequence[Any]) -> Any:
        return choices[self.number(0, len(choices) - 1)]

    def length(self, zero: bool = True) -> int:
        return int(self.one_of((0, 1, 1, 2, 3, 4, 5) if zero else (1, 1, 2, 3, 4, 5)))

    def shape(self, low: int = 0, high: int = 3, zero: bool = True) -> Shape:
        """A shape; one in several has an axis of length 0, many one of length 1."""
        zero = zero and self.chance(0.3)
        return tuple(self.length(zero) for _ in range(self.number(low, high)))

    def array(
        self,
        shape: Shape,
        low: float = -2.0,
        high: float = 2.0,
        away: Sequence[float] = (0.0,),
        spread: bool = True,
    ) -> Array:
        """Numbers from low to high, none nearer than 0.01 to a point of `away`."""
        x = self.rng.uniform(low, high, shape)
        for point in away:
            near = np.abs(x - point) < 0.01
            x = np.where(near, x + np.where(x < point, -0.02, 0.02), x)
        return self.laid_out(np.asarray(x), spread)

    def distinct(self, shape: Shape, apart: float = 0.1) -> Array:
        """Numbers that are all about so far apart."""
        n = int(np.prod(shape))
        x = (self.rng.permutation(n) - n / 2 + self.rng.uniform(-0.4, 0.4, n)) * apart
        return self.laid_out(x.reshape(shape), spread=False)

    def ids(self, shape: Shape, n: int) -> Array:
        kind = self.one_of((np.int64, np.int32, np.uint8))
        return np.asarray(self.rng.integers(0, n, shape).astype(kind))

    def laid_out(self, x: Array, spread: bool = True) -> Array:
        """The array in some memory layout; where `spread`, perhaps one row repeated."""
        way = self.number(0, 7)
        if x.ndim == 0:
            return x
        axis = self.number(0, x.ndim - 1)
        if way == 1:
            return np.asfortranarray(x)
        if way == 2:  # a negative stride
            return np.flip(np.flip(x, axis).copy(), axis)
        if way == 3:  # every second row of a larger array
            larger = np.full((*x.shape[:-1], 2 * x.shape[-1]), 7.0, x.dtype)
            larger[..., ::2] = x
            return larger[..., ::2]
        if way == 4:
            return x.T.copy().T
        if way == 5:
            x = x.copy()
            x.flags.writeable = False
            return x
        if way == 6 and spread and x.size:  # overlapping memory
            return np.broadcast_to(x.take([0], axis), x.shape)
        return x

    def axis_of(self, ndim: int) -> int:
        """One axis, counted from either end."""
        return self.number(-ndim, ndim - 1)

    def axes_of(self, ndim: int) -> int | tuple[int, ...] | None:
        """None, one axis, or several."""
        if ndim == 0 or self.chance(0.25):
            return None
        if self.chance():
            return self.axis_of(ndim)
        chosen = self.rng.permutation(ndim)[: self.number(1, ndim)]
        return tuple(int(a) - (ndim if self.chance() else 0) for a in chosen)


Row = Callable[[Draw], Case]


# -- families of rows --------------------------------------------------------------------------


def unary(
    node: type[Node],
    function: Any,
    numpy: Any = None,
    low: float = -2.0,
    high: float = 2.0,
    moving: tuple[int, ...] = (0,),
) -> Row:
    def draw(d: Draw) -> Case:
        return Case(node(), (d.array(d.shape(), low, high),), moving, function, numpy)

    return draw


def binary(node: type[Node], function: Any, numpy: Any, second_low: float = -2.0) -> Row:
    def draw(d: Draw) -> Case:
        shape = d.shape()
        x, y = d.array(shape), d.array(shape, second_low)
        return Case(node(), (x, y), (0, 1), function, numpy)

    return draw


def choosing(node: type[Node], function: Any, numpy: Any, moving: tuple[int, ...]) -> Row:
    """Two arrays that are nowhere within 0.01 of each other (comparisons: equal here and there)."""

    def draw(d: Draw) -> Case:
        shape = d.shape()
        x = d.array(shape)
        gap = d.rng.uniform(0.01, 1, shape) * d.rng.choice([-1.0, 1.0], shape)
        if not moving:
            gap = gap * d.rng.choice([0.0, 1.0], shape)
        return Case(node(), (x, d.laid_out(x + gap, spread=False)), moving, function, numpy)

    return draw


def truth(node: type[Node], function: Any, numpy: Any, n: int) -> Row:
    def draw(d: Draw) -> Case:
        shape = d.shape()
        inputs = tuple(d.rng.random(shape) < 0.5 for _ in range(n))
        return Case(node(), tuple(map(np.asarray, inputs)), (), function, numpy)

    return draw


def reduction(
    node: type[Node], function: Any, numpy: Any, kind: str = "any", empty: bool = False
) -> Row:
    """`kind`: "any", "apart" (no two equal), or "ddof" (apart, with that setting)."""

    def draw(d: Draw) -> Case:
        shape = d.shape()
        axis, keepdims = d.axes_of(len(shape)), d.chance()
        axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        if not empty:
            lengths = list(shape)
            for a in axes:
                lengths[a] = max(lengths[a], 1)
            shape = tuple(lengths)
        n = int(np.prod([shape[a] for a in axes]))
        # Near equal numbers the second derivative of Std is large terms that cancel.
        apart = 2.0 if kind == "ddof" else 0.1
        x = d.array(shape) if kind == "any" else d.distinct(shape, apart)
        if kind == "ddof":
            ddof = d.number(0, 1) if n > 1 else 0
            settings: dict[str, Any] = {"ddof": ddof}
        else:
            settings = {}
        if node is nodes.Norm:  # near 0 its second derivative is large terms that cancel
            x = x + np.copysign(0.3, x)
        if node is nodes.Prod and d.chance(0.3):
            x = np.where(d.rng.random(shape) < 0.3, 0.0, x)
        made = node(axis, keepdims, **settings)  # type: ignore[call-arg]
        return Case(
            made,
            (x,),
            (0,),
            lambda v: function(v, axis, keepdims, **settings),
            numpy and (lambda v: numpy(v, axis=axis, keepdims=keepdims, **settings)),
        )

    return draw


def cumsum_row(d: Draw) -> Case:
    shape = d.shape(1, 3)
    axis = d.axis_of(len(shape))
    return Case(
        nodes.Cumsum(axis),
        (d.array(shape),),
        (0,),
        lambda v: cr.cumsum(v, axis),
        lambda v: np.cumsum(v, axis=axis),
    )


def mod_row(d: Draw) -> Case:
    """x well inside a step of y, since at its ends z jumps."""
    shape = d.shape()
    y = d.rng.uniform(0.5, 2, shape) * d.rng.choice([-1.0, 1.0], shape)
    x = y * (d.rng.integers(-3, 4, shape) + d.rng.uniform(0.1, 0.9, shape))
    return Case(
        nodes.Mod(), (d.laid_out(np.asarray(x), False), np.asarray(y)), (0, 1), cr.mod, np.mod
    )


# -- single rows ---------------------------------------------------------------------------------


def pow_row(d: Draw) -> Case:
    shape = d.shape()
    if d.chance():
        inputs = d.array(shape, 0.2, 3), d.array(shape, -2, 3)
        return Case(nodes.Pow(), inputs, (0, 1), cr.power, np.power)
    exponents = d.rng.choice([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0], shape)
    return Case(nodes.Pow(), (d.array(shape), np.asarray(exponents)), (0,), cr.power, np.power)


def leaky_relu_row(d: Draw) -> Case:
    slope = d.one_of((0.01, 0.3, -0.5, 0.0))
    x = d.array(d.shape())
    return Case(nodes.LeakyReLU(slope), (x,), (0,), lambda v: cr.leaky_relu(v, slope))


def elu_row(d: Draw) -> Case:
    alpha = d.one_of((1.0, 0.3, 2.0))
    return Case(nodes.ELU(alpha), (d.array(d.shape()),), (0,), lambda v: cr.elu(v, alpha))


def clip_row(d: Draw) -> Case:
    low, high = d.one_of(((-1.0, 1.0), (None, 0.5), (-0.5, None), (None, None), (0, 1)))
    x = d.array(d.shape(), away=(-1, 1, 0.5, -0.5, 0))
    return Case(
        nodes.Clip(low, high),
        (x,),
        (0,),
        lambda v: cr.clip(v, low, high),
        lambda v: np.clip(v, low, high),
    )


def where_row(d: Draw) -> Case:
    shape = d.shape()
    condition = d.laid_out(np.asarray(d.rng.random(shape) < 0.5))
    inputs = condition, d.array(shape), d.array(shape)
    return Case(nodes.Where(), inputs, (1, 2), cr.where, np.where)


def softmax_row(d: Draw) -> Case:
    shape = d.shape(1, zero=False)
    if d.chance(0.2):
        shape = (0, *shape)
    axis = -1 if 0 in shape else d.axis_of(len(shape))
    return Case(nodes.Softmax(axis), (d.array(shape, -4, 4),), (0,), lambda v: cr.softmax(v, axis))


def logsumexp_row(d: Draw) -> Case:
    shape = d.shape(1, zero=False)
    if d.chance(0.2):
        shape = (0, *shape)
    axis, keepdims = (-1 if 0 in shape else d.axis_of(len(shape))), d.chance()
    x = d.array(shape, -4, 4)
    return Case(
        nodes.LogSumExp(axis, keepdims), (x,), (0,), lambda v: cr.logsumexp(v, axis, keepdims)
    )


def softmax_cross_entropy_row(d: Draw) -> Case:
    rows, classes = d.shape(0, 2), d.length(zero=False)
    s, t = d.array((*rows, classes), -4, 4), d.ids(rows, classes)
    return Case(nodes.SoftmaxCrossEntropy(), (s, t), (0,), cr.softmax_cross_entropy)


def soft_target_cross_entropy_row(d: Draw) -> Case:
    rows, classes = d.shape(0, 2), d.length(zero=False)
    t = np.exp(d.rng.standard_normal((*rows, classes)))
    inputs = (
        d.array((*rows, classes), -4, 4),
        d.laid_out(t / t.sum(axis=-1, keepdims=True), spread=False),
    )
    return Case(nodes.SoftTargetCrossEntropy(), inputs, (0, 1), cr.softmax_cross_entropy)


def cross_entropy_row(d: Draw) -> Case:
    rows, classes = d.shape(0, 2), d.length(zero=False)
    y, t = d.array((*rows, classes), 0.05, 1), d.ids(rows, classes)
    return Case(nodes.CrossEntropy(), (y, t), (0,), cr.cross_entropy)


def sigmoid_cross_entropy_row(d: Draw) -> Case:
    shape = d.shape()
    s, t = d.array(shape, -6, 6), d.array(shape, 0, 1, away=())
    return Case(nodes.SigmoidCrossEntropy(), (s, t), (0, 1), cr.sigmoid_cross_entropy)


def matmul_row(d: Draw) -> Case:
    stack = d.shape(0, 2) if d.chance() else ()
    n, k, m = d.length(), d.length(), d.length()
    inputs = d.array((*stack, n, k)), d.array((*stack, k, m))
    return Case(nodes.MatMul(), inputs, (0, 1), cr.matmul, np.matmul)


def _matrices(d: Draw, low: float = 0.5) -> Array:
    """Square matrices, or stacks of them, with singular values from `low` to 2, well apart."""
    stack = d.shape(0, 2) if d.chance() else ()
    n = d.length()
    u, _ = np.linalg.qr(d.rng.normal(size=(*stack, n, n)))
    v, _ = np.linalg.qr(d.rng.normal(size=(*stack, n, n)))
    sizes = low + (2 - low) * (d.rng.permutation(n) + d.rng.uniform(0.1, 0.9, n)) / max(n, 1)
    return np.asarray((u * sizes) @ v)


def square(node: type[Node], function: Any, numpy: Any) -> Row:
    return lambda d: Case(node(), (d.laid_out(_matrices(d), False),), (0,), function, numpy)


def _positive(d: Draw) -> Array:
    """Symmetric positive definite matrices, of which only the lower triangle is read."""
    A = _matrices(d)
    A = A @ np.swapaxes(A, -1, -2)
    return np.tril(A) + np.triu(d.rng.normal(size=A.shape), 1) if d.chance(0.3) else A


def cholesky_row(d: Draw) -> Case:
    A = d.laid_out(_positive(d), False)
    return Case(nodes.Cholesky(), (A,), (0,), cr.cholesky, np.linalg.cholesky)


def eigh_row(d: Draw) -> Case:
    A, read = _positive(d), d.one_of("LU")
    A = d.laid_out(A if read == "L" else np.swapaxes(A, -1, -2), False)
    return Case(
        nodes.Eigh(read),
        (A,),
        (0,),
        lambda v: cr.eigh(v, read),
        lambda v: np.linalg.eigh(v, read),
    )


def solve_row(d: Draw) -> Case:
    A = _matrices(d)
    B = d.array((*A.shape[:-1], d.length()))
    return Case(nodes.Solve(), (d.laid_out(A, False), B), (0, 1), cr.solve, np.linalg.solve)


def pinv_row(d: Draw) -> Case:
    """Matrices of full rank, high, wide or square."""
    A = _matrices(d)
    n = A.shape[-1]
    A = A[..., : d.number(min(n, 1), n), :] if d.chance() else A[..., : d.number(min(n, 1), n)]
    return Case(nodes.Pinv(), (d.laid_out(A, False),), (0,), cr.pinv, np.linalg.pinv)


def branch_row(d: Draw) -> Case:
    return Case(nodes.Branch(d.number(1, 4)), (d.array(d.shape()),))


def repeat_row(d: Draw) -> Case:
    shape = d.shape()
    x = d.array(tuple(1 if d.chance(0.4) else n for n in shape))
    lead = d.shape(0, 2)
    x = x.reshape(x.shape[d.number(0, x.ndim) :]) if all(n == 1 for n in x.shape) else x
    shape = (*lead, *shape)
    return Case(
        nodes.Repeat(shape),
        (x,),
        (0,),
        lambda v: cr.broadcast_to(v, shape),
        lambda v: np.broadcast_to(v, shape),
    )


def cast_row(d: Draw) -> Case:
    dtype = d.one_of((np.float32, np.float64))
    return Case(nodes.Cast(dtype), (d.array(d.shape()),), (0,), lambda v: v.astype(dtype))


def reshape_row(d: Draw) -> Case:
    old = d.shape()
    n = int(np.prod(old))
    shapes = [(n,), (1, n), (n, 1), old[::-1], (*old, 1)]
    if n % 2 == 0:
        shapes.append((2, n // 2))
    if n == 1:
        shapes.append(())
    new = d.one_of(shapes)
    return Case(
        nodes.Reshape(new),
        (d.array(old),),
        (0,),
        lambda v: cr.reshape(v, new),
        lambda v: np.reshape(v, new),
    )


def transpose_row(d: Draw) -> Case:
    shape = d.shape()
    axes = None
    if d.chance(0.7):
        axes = tuple(
            int(a) - (len(shape) if d.chance() else 0) for a in d.rng.permutation(len(shape))
        )
    return Case(
        nodes.Transpose(axes),
        (d.array(shape),),
        (0,),
        lambda v: cr.transpose(v, axes),
        lambda v: np.transpose(v, axes),
    )


def concatenate_row(d: Draw) -> Case:
    shape = d.shape(1)
    axis = d.axis_of(len(shape))
    parts = []
    for _ in range(d.number(1, 4)):
        lengths = list(shape)
        lengths[axis] = d.length()
        parts.append(d.array(tuple(lengths)))
    return Case(
        nodes.Concatenate(axis),
        tuple(parts),
        tuple(range(len(parts))),
        lambda *v: cr.concatenate(v, axis),
        lambda *v: np.concatenate(v, axis=axis),
    )


def stack_row(d: Draw) -> Case:
    shape = d.shape()
    axis = d.axis_of(len(shape) + 1)
    parts = tuple(d.array(shape) for _ in range(d.number(1, 4)))
    return Case(
        nodes.Stack(axis),
        parts,
        tuple(range(len(parts))),
        lambda *v: cr.stack(v, axis),
        lambda *v: np.stack(v, axis=axis),
    )


def _key(d: Draw, shape: Shape) -> tuple[tuple[Any, ...], list[Array], list[Any]]:
    """A key for an array of the shape: as the node takes it, its input arrays, as NumPy has it."""
    key: list[Any] = []
    inputs: list[Array] = []
    plain: list[Any] = []
    arrays = d.chance(0.6)
    common = d.shape(0, 2)
    part: Any
    for n in shape:
        way = d.number(0, 5)
        if arrays and n and way <= 2:
            part = d.rng.integers(-n, n, common)
            if way <= 1:
                key.append(Index.INPUT)
                inputs.append(part)
            else:
                key.append(part)
            plain.append(part)
            continue
        if way == 3 and n:
            part = d.number(-n, n - 1)
        elif way == 4:
            part = slice(None, None, -1)
        elif way == 5:
            part = slice(d.number(0, 1), None, 2)
        else:
            part = slice(None)
        key.append(part)
        plain.append(part)
    if d.chance(0.2):
        key.append(None)
        plain.append(None)
    elif d.chance(0.2):
        key, plain = [*key[:-1], ...], [*plain[:-1], ...]
        inputs = [p for k, p in zip(key, plain, strict=True) if isinstance(k, str)]
    return tuple(key), inputs, plain


def index_row(d: Draw) -> Case:
    if d.chance(0.15):  # a mask in the key
        shape = d.shape(1, 2, zero=False)
        mask = d.rng.random(shape[:1]) < 0.5
        return Case(
            Index(mask), (d.array(shape),), (0,), lambda v: cr.index(v, mask), lambda v: v[mask]
        )
    shape = d.shape(1)
    key, inputs, plain = _key(d, shape)
    node_key: Any = key[0] if len(key) == 1 and d.chance() else key
    return Case(
        Index(node_key),
        (d.array(shape), *inputs),
        (0,),
        lambda v, *more: cr.index(v, tuple(plain)),
        lambda v, *more: v[tuple(plain)],
    )


def index_add_row(d: Draw) -> Case:
    shape = d.shape(1)
    key, inputs, plain = _key(d, shape)
    inside = np.zeros(shape)[tuple(plain)].shape
    return Case(
        nodes.IndexAdd(key, shape),
        (d.array(inside), *inputs),
        (0,),
        lambda v, *more: cr.index_add(v, tuple(plain), shape),
    )


def one_hot_row(d: Draw) -> Case:
    n = d.number(1, 5)
    dtype = d.one_of((np.float64, np.float32))
    ids = d.ids(d.shape(0, 2), n)
    return Case(nodes.OneHot(n, dtype), (ids,), (), lambda v: cr.one_hot(v, n, dtype))


#: One row for each public node.
TABLE: dict[str, Row] = {
    "Abs": unary(nodes.Abs, cr.abs, np.abs),
    "Add": binary(nodes.Add, cr.add, np.add),
    "Arccos": unary(nodes.Arccos, cr.arccos, np.arccos, -0.9, 0.9),
    "Arccosh": unary(nodes.Arccosh, cr.arccosh, np.arccosh, 1.1, 4),
    "Arcsin": unary(nodes.Arcsin, cr.arcsin, np.arcsin, -0.9, 0.9),
    "Arcsinh": unary(nodes.Arcsinh, cr.arcsinh, np.arcsinh),
    "Arctan": unary(nodes.Arctan, cr.arctan, np.arctan),
    "Arctan2": binary(nodes.Arctan2, cr.arctan2, np.arctan2, 0.2),
    "Arctanh": unary(nodes.Arctanh, cr.arctanh, np.arctanh, -0.9, 0.9),
    "Branch": branch_row,
    "Cast": cast_row,
    "Cbrt": unary(nodes.Cbrt, cr.cbrt, np.cbrt, 0.1, 3),
    "Ceil": unary(nodes.Ceil, cr.ceil, np.ceil, moving=()),
    "Cholesky": cholesky_row,
    "Clip": clip_row,
    "Concatenate": concatenate_row,
    "Cos": unary(nodes.Cos, cr.cos, np.cos),
    "Cosh": unary(nodes.Cosh, cr.cosh, np.cosh),
    "CrossEntropy": cross_entropy_row,
    "Cumsum": cumsum_row,
    "Det": square(nodes.Det, cr.det, np.linalg.det),
    "Div": binary(nodes.Div, cr.divide, np.divide, 0.3),
    "ELU": elu_row,
    "Eigh": eigh_row,
    "Equal": choosing(nodes.Equal, cr.equal, np.equal, ()),
    "Erf": unary(nodes.Erf, cr.erf, low=-3, high=3),
    "Exp": unary(nodes.Exp, cr.exp, np.exp),
    "Exp2": unary(nodes.Exp2, cr.exp2, np.exp2),
    "Expm1": unary(nodes.Expm1, cr.expm1, np.expm1),
    "Floor": unary(nodes.Floor, cr.floor, np.floor, moving=()),
    "GELU": unary(nodes.GELU, cr.gelu, low=-4, high=4),
    "Greater": choosing(nodes.Greater, cr.greater, np.greater, ()),
    "GreaterEqual": choosing(nodes.GreaterEqual, cr.greater_equal, np.greater_equal, ()),
    "Index": index_row,
    "IndexAdd": index_add_row,
    "Inv": square(nodes.Inv, cr.inv, np.linalg.inv),
    "LeakyReLU": leaky_relu_row,
    "Less": choosing(nodes.Less, cr.less, np.less, ()),
    "LessEqual": choosing(nodes.LessEqual, cr.less_equal, np.less_equal, ()),
    "Log": unary(nodes.Log, cr.log, np.log, 0.1, 4),
    "Log10": unary(nodes.Log10, cr.log10, np.log10, 0.1, 4),
    "Log1p": unary(nodes.Log1p, cr.log1p, np.log1p, -0.9, 4),
    "Log2": unary(nodes.Log2, cr.log2, np.log2, 0.1, 4),
    "LogSumExp": logsumexp_row,
    "LogicalAnd": truth(nodes.LogicalAnd, cr.logical_and, np.logical_and, 2),
    "LogicalNot": truth(nodes.LogicalNot, cr.logical_not, np.logical_not, 1),
    "LogicalOr": truth(nodes.LogicalOr, cr.logical_or, np.logical_or, 2),
    "MatMul": matmul_row,
    "Max": reduction(nodes.Max, cr.max, np.max, "apart"),
    "Maximum": choosing(nodes.Maximum, cr.maximum, np.maximum, (0, 1)),
    "Mean": reduction(nodes.Mean, cr.mean, np.mean),
    "Mish": unary(nodes.Mish, cr.mish, low=-6, high=6),
    "Min": reduction(nodes.Min, cr.min, np.min, "apart"),
    "Minimum": choosing(nodes.Minimum, cr.minimum, np.minimum, (0, 1)),
    "Mod": mod_row,
    "Mul": binary(nodes.Mul, cr.multiply, np.multiply),
    "Neg": unary(nodes.Neg, cr.negative, np.negative),
    "Norm": reduction(nodes.Norm, cr.norm, None),
    "NotEqual": choosing(nodes.NotEqual, cr.not_equal, np.not_equal, ()),
    "OneHot": one_hot_row,
    "Pinv": pinv_row,
    "Pow": pow_row,
    "Prod": reduction(nodes.Prod, cr.prod, np.prod, empty=True),
    "ReLU": unary(nodes.ReLU, cr.relu),
    "Repeat": repeat_row,
    "Reshape": reshape_row,
    "Rint": unary(nodes.Rint, cr.rint, np.rint, moving=()),
    "SELU": unary(nodes.SELU, cr.selu, low=-6),
    "SiLU": unary(nodes.SiLU, cr.silu, low=-6, high=6),
    "Sigmoid": unary(nodes.Sigmoid, cr.sigmoid, low=-8, high=8),
    "SigmoidCrossEntropy": sigmoid_cross_entropy_row,
    "Sign": unary(nodes.Sign, cr.sign, np.sign),
    "Sin": unary(nodes.Sin, cr.sin, np.sin),
    "Sinh": unary(nodes.Sinh, cr.sinh, np.sinh),
    "SlogDet": square(nodes.SlogDet, cr.slogdet, np.linalg.slogdet),
    "SoftTargetCrossEntropy": soft_target_cross_entropy_row,
    "Softmax": softmax_row,
    "SoftmaxCrossEntropy": softmax_cross_entropy_row,
    "Softplus": unary(nodes.Softplus, cr.softplus, low=-8, high=8),
    "Solve": solve_row,
    "Sqrt": unary(nodes.Sqrt, cr.sqrt, np.sqrt, 0.1, 4),
    "Stack": stack_row,
    "Std": reduction(nodes.Std, cr.std, np.std, "ddof"),
    "StopGradient": unary(nodes.StopGradient, cr.stop_gradient, moving=()),
    "Sub": binary(nodes.Sub, cr.subtract, np.subtract),
    "Sum": reduction(nodes.Sum, cr.sum, np.sum, empty=True),
    "Tan": unary(nodes.Tan, cr.tan, np.tan, -1.3, 1.3),
    "Tanh": unary(nodes.Tanh, cr.tanh, np.tanh, -3, 3),
    "Transpose": transpose_row,
    "Trunc": unary(nodes.Trunc, cr.trunc, np.trunc, moving=()),
    "Var": reduction(nodes.Var, cr.var, np.var, "ddof"),
    "Where": where_row,
}


def draw(name: str, i: int) -> tuple[Case, np.random.Generator]:
    """The i-th case of a row, and a generator for what is done to it: always the same."""
    rng = np.random.default_rng([i, *name.encode()])
    return TABLE[name](Draw(rng)), rng
