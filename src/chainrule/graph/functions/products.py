"""Products of matrices and of more: matmul, dot, outer, tensordot, einsum, kron, cross."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np

from chainrule import nodes
from chainrule.errors import SettingError, ShapeError
from chainrule.graph.functions import elementwise as el
from chainrule.graph.functions.joining import stack
from chainrule.graph.functions.picking import diagonal
from chainrule.graph.functions.reductions import sum
from chainrule.graph.functions.shaping import (
    broadcast_to,
    moveaxis,
    reshape,
    squeeze,
    transpose,
)
from chainrule.graph.functions.values import as_real, axis_of, value_of
from chainrule.graph.variable import Variable, apply, constant
from chainrule.lang.messages import _, _n
from chainrule.nodes.base import Value
from chainrule.nodes.linear_algebra import MatrixError

__all__ = [
    "cross", "dot", "einsum", "inner", "kron", "matmul", "matrix_power", "outer", "tensordot", "vdot",
]  # fmt: skip


def matmul(x: Value, W: Value) -> Value:
    """x W: vectors, matrices and stacks of matrices, as NumPy's `@`."""
    x, W = value_of(x), value_of(W)
    if not isinstance(x, Variable) and not isinstance(W, Variable):
        return x @ W
    if x.ndim == 0 or W.ndim == 0:
        raise ShapeError(
            _("matmul needs at least one axis on each side; use * with a single number.")
        )
    inner = W.shape[-2] if W.ndim > 1 else W.shape[0]
    if x.shape[-1] != inner:
        shapes = {"x": x.shape, "W": W.shape, "first": x.shape[-1], "second": inner}
        raise ShapeError(
            _(
                "matmul got shapes {x} and {W}: the last axis of the first ({first}) must equal the last"
                " but one axis of the second ({second}).",
                **shapes,
            )
            if W.ndim > 1
            else _(
                "matmul got shapes {x} and {W}: the last axis of the first ({first}) must equal the only"
                " axis of the second ({second}).",
                **shapes,
            )
        )
    dtype = np.result_type(x.dtype, W.dtype)
    x, W = (v if v.dtype == dtype else v.astype(dtype) for v in (x, W))
    if x.ndim == 1:
        return squeeze(matmul(reshape(x, (1, -1)), W), -2 if W.ndim > 1 else 0)
    if W.ndim == 1:
        return squeeze(matmul(x, reshape(W, (-1, 1))), -1)
    if W.ndim == 2 and x.ndim > 2:
        flat = apply(nodes.MatMul(), reshape(x, (-1, x.shape[-1])), W)
        return reshape(flat, (*x.shape[:-1], W.shape[-1]))
    stacks = np.broadcast_shapes(x.shape[:-2], W.shape[:-2])
    # The copies of a constant are a node, too, since their count may depend on the batch.
    x = broadcast_to(constant(x), stacks + x.shape[-2:])
    W = broadcast_to(constant(W), stacks + W.shape[-2:])
    return apply(nodes.MatMul(), x, W)


def dot(x: Value, y: Value) -> Value:
    """Sums of products over the last axis of x and the last but one of y, as `numpy.dot` has them.

    A number multiplies; vectors and matrices are as in `matmul`; with more axes every row of x meets
    every matrix of y: (..., n) and (..., n, m) give the axes of x, then those of y.
    """
    x, y = value_of(x), value_of(y)
    if x.ndim == 0 or y.ndim == 0:
        return el.multiply(x, y)
    if x.ndim <= 2 and y.ndim <= 2:
        return matmul(x, y)
    return tensordot(x, y, ((x.ndim - 1,), (max(y.ndim - 2, 0),)))


def inner(x: Value, y: Value) -> Value:
    """Sums of products over the last axes."""
    x, y = value_of(x), value_of(y)
    if x.ndim == 0 or y.ndim == 0:
        return el.multiply(x, y)
    return tensordot(x, y, ((x.ndim - 1,), (y.ndim - 1,)))


def vdot(x: Value, y: Value) -> Value:
    """The sum of the products of all elements, row by row."""
    return matmul(reshape(value_of(x), -1), reshape(value_of(y), -1))


def outer(x: Value, y: Value) -> Value:
    """Every element of x times every element of y: a matrix."""
    return el.multiply(reshape(value_of(x), (-1, 1)), reshape(value_of(y), (1, -1)))


def tensordot(x: Value, y: Value, axes: int | Sequence[int | Sequence[int]] = 2) -> Value:
    """Sums of products over axes of x and of y: the last n and the first n, or those of two lists."""
    x, y = value_of(x), value_of(y)
    if isinstance(axes, int | np.integer):
        pairs: tuple[Sequence[int], Sequence[int]] = (range(x.ndim - axes, x.ndim), range(axes))
    else:
        pairs = tuple(a if isinstance(a, Sequence | range) else (a,) for a in axes)  # type: ignore[assignment]
    left = [axis_of(a, x.ndim, "tensordot") for a in pairs[0]]
    right = [axis_of(a, y.ndim, "tensordot") for a in pairs[1]]
    if [x.shape[a] for a in left] != [y.shape[a] for a in right]:
        raise ShapeError(
            _(
                "tensordot: the axes {left} of shape {x} and {right} of shape {y} must be as long as each"
                " other.",
                left=left,
                x=x.shape,
                right=right,
                y=y.shape,
            )
        )
    stay_x = [a for a in range(x.ndim) if a not in left]
    stay_y = [a for a in range(y.ndim) if a not in right]
    n = math.prod(x.shape[a] for a in left)
    rows = reshape(transpose(x, (*stay_x, *left)), (math.prod(x.shape[a] for a in stay_x), n))
    columns = reshape(transpose(y, (*right, *stay_y)), (n, math.prod(y.shape[a] for a in stay_y)))
    shape = (*(x.shape[a] for a in stay_x), *(y.shape[a] for a in stay_y))
    return reshape(matmul(rows, columns), shape)


def kron(x: Value, y: Value) -> Value:
    """The Kronecker product: x with every element replaced by its product with y."""
    x, y = value_of(x), value_of(y)
    n = max(x.ndim, y.ndim)
    a, b = ((1,) * (n - v.ndim) + v.shape for v in (x, y))
    wide = reshape(x, tuple(part for length in a for part in (length, 1)))
    fine = reshape(y, tuple(part for length in b for part in (1, length)))
    return reshape(el.multiply(wide, fine), tuple(p * q for p, q in zip(a, b, strict=True)))


def cross(x: Value, y: Value, axis: int = -1) -> Value:
    """The vector at right angles to two vectors of three elements, along an axis."""
    x, y = (moveaxis(value_of(v), axis, -1) for v in (x, y))
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise ShapeError(
            _(
                "cross takes vectors of three elements along axis {axis}; got {x} and {y}.",
                axis=axis,
                x=x.shape[-1],
                y=y.shape[-1],
            )
        )
    (a, b, c), (d, e, f) = ([v[..., i] for i in range(3)] for v in (x, y))
    parts = [b * f - c * e, c * d - a * f, a * e - b * d]
    return stack(parts, axis if axis < 0 or parts[0].ndim >= axis else -1)


def matrix_power(x: Value, n: int) -> Value:
    """A square matrix multiplied by itself, n times in all; below 0, its inverse -n times."""
    x, n = value_of(x), operator.index(n)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise MatrixError(
            _("matrix_power takes square matrices; got shape {shape}.", shape=x.shape)
        )
    if n < 0:
        return matrix_power(apply(nodes.Inv(), as_real(x)), -n)
    if n == 0:
        return broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape)
    power: Value = None
    square = x
    while n:
        if n % 2:
            power = square if power is None else matmul(power, square)
        n //= 2
        square = matmul(square, square) if n else square
    return power


# -- einsum ---------------------------------------------------------------------------------------------


def einsum(formula: str, *xs: Value) -> Value:
    """Sums of products by Einstein's notation: letters name axes, those not in the result are summed.

    `...` stands for the axes that have no letter, and the result may be left out: then it has the
    letters that occur once, in the order of the alphabet.

    >>> import chainrule as cr, numpy as np
    >>> cr.einsum("ij,jk->ik", np.ones((2, 3)), np.ones((3, 2)))
    array([[3., 3.],
           [3., 3.]])
    """
    if not isinstance(formula, str):
        raise SettingError(
            _(
                "einsum: write the axes as a text before the arrays, such as"
                " cr.einsum('ij,jk->ik', a, b); got {kind}.",
                kind=type(formula).__name__,
            )
        )
    values = operand_values = [value_of(x) for x in xs]
    operands, result = _axes_of(formula, values)
    values = [_own_axes(x, axes) for x, axes in zip(values, operands, strict=True)]
    letters = ["".join(dict.fromkeys(axes)) for axes in operands]
    while len(values) > 1:
        later = "".join(letters[2:]) + result
        product, name = _pair(values[0], letters[0], values[1], letters[1], later)
        values, letters = [product, *values[2:]], [name, *letters[2:]]
    (x,), (name,) = values, letters
    summed = tuple(i for i, letter in enumerate(name) if letter not in result)
    x, name = (sum(x, summed) if summed else x), "".join(a for a in name if a in result)
    x = x.astype(np.result_type(*(v.dtype for v in operand_values)))  # integers keep their width
    return transpose(x, tuple(name.index(a) for a in result)) if name != result else x


def _axes_of(formula: str, values: list[Value]) -> tuple[list[str], str]:
    """The axes of every operand and of the result, each as a letter."""
    text = formula.replace(" ", "")
    left, arrow, right = text.partition("->")
    operands = left.split(",")
    if len(operands) != len(values):
        raise ShapeError(
            _n(
                "einsum({formula!r}) speaks of {n} array and was given {given}.",
                "einsum({formula!r}) speaks of {n} arrays and was given {given}.",
                len(operands),
                formula=formula,
                given=len(values),
            )
        )
    free = [c for c in map(chr, range(0x391, 0x3A9)) if c not in text]
    unnamed = [
        x.ndim - len(axes.replace("...", "")) if "..." in axes else 0
        for x, axes in zip(values, operands, strict=True)
    ]
    shared = "".join(free[: max(unnamed, default=0)])
    named = []
    for x, axes, n in zip(values, operands, unnamed, strict=True):
        own = axes.replace("...", shared[len(shared) - n :]) if n >= 0 else axes
        if len(own) != x.ndim or "." in own or not all(c.isalpha() for c in own):
            raise ShapeError(
                _n(
                    "einsum({formula!r}): {axes!r} names {n} axis of an array of shape {shape}."
                    " Give every axis one letter, or ... for several.",
                    "einsum({formula!r}): {axes!r} names {n} axes of an array of shape {shape}."
                    " Give every axis one letter, or ... for several.",
                    len(axes.replace("...", "")),
                    formula=formula,
                    axes=axes,
                    shape=x.shape,
                )
            )
        named.append(own)
    all_letters = "".join(named)
    if arrow:
        result = right.replace("...", shared)
    else:
        once = sorted(c for c in set(all_letters) if all_letters.count(c) == 1 and c not in shared)
        result = shared + "".join(once)
    wrong = [c for c in result if c not in all_letters] or [
        c for c in result if result.count(c) > 1
    ]
    if wrong:
        raise ShapeError(
            _(
                "einsum({formula!r}): {letter!r} of the result must occur among the arrays, and once in it.",
                formula=formula,
                letter=wrong[0],
            )
        )
    sizes: dict[str, int] = {}
    for x, axes in zip(values, named, strict=True):
        for letter, n in zip(axes, x.shape, strict=True):
            if sizes.get(letter, 1) not in (1, n) and n != 1:
                raise ShapeError(
                    _(
                        "einsum({formula!r}): the axis {letter!r} is {one} long in one array and {other} in"
                        " another.",
                        formula=formula,
                        letter=letter,
                        one=sizes[letter],
                        other=n,
                    )
                )
            sizes[letter] = max(n, sizes.get(letter, 1)) if n else 0
    return named, result


def _own_axes(x: Value, axes: str) -> Value:
    """x reduced to its diagonal where a letter occurs twice."""
    for letter in dict.fromkeys(axes):
        while axes.count(letter) > 1:
            first = axes.index(letter)
            second = axes.index(letter, first + 1)
            x = moveaxis(diagonal(x, 0, first, second), -1, first)
            axes = axes[:second] + axes[second + 1 :]
    return x


def _pair(x: Value, a: str, y: Value, b: str, later: str) -> tuple[Value, str]:
    """The product of two operands, as a matrix product; shared letters that are kept come first."""
    # An axis that only one of them has, and that is not needed later, is summed first.
    for_x = tuple(i for i, c in enumerate(a) if c not in b and c not in later)
    for_y = tuple(i for i, c in enumerate(b) if c not in a and c not in later)
    x = sum(x, for_x) if for_x else x
    y = sum(y, for_y) if for_y else y
    a = "".join(c for i, c in enumerate(a) if i not in for_x)
    b = "".join(c for i, c in enumerate(b) if i not in for_y)
    both = [c for c in a if c in b]
    kept, summed = [c for c in both if c in later], [c for c in both if c not in later]
    rows, columns = [c for c in a if c not in b], [c for c in b if c not in a]
    x, y = _sized(x, a, y, b, both)
    if not summed:
        wide = transpose(x, tuple(map(a.index, kept + rows)))
        wide = reshape(wide, (*wide.shape, *(1,) * len(columns)))
        tall = transpose(y, tuple(map(b.index, kept + columns)))
        k = len(kept)
        tall = reshape(tall, (*tall.shape[:k], *(1,) * len(rows), *tall.shape[k:]))
        return el.multiply(wide, tall), "".join(kept + rows + columns)
    left = transpose(x, tuple(map(a.index, kept + rows + summed)))
    right = transpose(y, tuple(map(b.index, kept + summed + columns)))
    k, r, s = len(kept), len(rows), len(summed)
    front, n = left.shape[:k], math.prod(left.shape[k + r :])
    product = matmul(
        reshape(left, (*front, math.prod(left.shape[k : k + r]), n)),
        reshape(right, (*front, n, math.prod(right.shape[k + s :]))),
    )
    shape = (*front, *left.shape[k : k + r], *right.shape[k + s :])
    return reshape(product, shape), "".join(kept + rows + columns)


def _sized(x: Value, a: str, y: Value, b: str, both: list[str]) -> tuple[Value, Value]:
    """The two operands, with the axes of shared letters broadcast to one length."""
    longest = {c: max(x.shape[a.index(c)], y.shape[b.index(c)]) for c in both}
    x = broadcast_to(x, tuple(longest.get(c, n) for c, n in zip(a, x.shape, strict=True)))
    y = broadcast_to(y, tuple(longest.get(c, n) for c, n in zip(b, y.shape, strict=True)))
    return x, y
