"""NumPy's names: the function that `numpy.f` of a Variable calls. One row for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from chainrule.errors import RecordingError
from chainrule.graph.functions import elementwise as el
from chainrule.graph.functions import (
    joining,
    linear_algebra,
    picking,
    products,
    reductions,
    shaping,
)
from chainrule.graph.functions.numpy_calls import takes
from chainrule.graph.functions.values import (
    Axis,
    Shape,
    as_real,
    concrete,
    data_of,
    shape_of,
    value_of,
)
from chainrule.graph.mode import stepping
from chainrule.graph.variable import FUNCTIONS, UFUNCS
from chainrule.lang.messages import _
from chainrule.nodes import linear_algebra as primitives
from chainrule.nodes.base import Value
from chainrule.nodes.indexing import add_at, chosen, replaced

__all__: list[str] = []

Function = Callable[..., Value]

# -- ufuncs ---------------------------------------------------------------------------------------------


def _of_truths(function: Function) -> Function:
    """`&`, `|`, `^` and `~` of truth values; of integers, where they would be bitwise, an error."""

    def checked(*inputs: Value) -> Value:
        for x in inputs:
            if np.asarray(data_of(x)).dtype != bool:
                raise RecordingError(
                    _(
                        "{name}, written &, |, ^ or ~, takes truth values for Variables; got {dtype}."
                        " Compare first: (x > 0) & (y > 0).",
                        name=function.__name__,
                        dtype=np.asarray(data_of(x)).dtype,
                    )
                )
        return function(*inputs)

    return checked


def _float_power(x: Value, y: Value) -> Value:
    return el.power(value_of(x).astype(float), value_of(y).astype(float))


def _reciprocal(x: Value) -> Value:
    """1 / x; of integers, as in NumPy, its whole part."""
    x = value_of(x)
    return el.trunc(el.reciprocal(as_real(x))) if x.dtype.kind in "biu" else el.reciprocal(x)


UFUNCS |= {
    np.add: el.add,
    np.subtract: el.subtract,
    np.multiply: el.multiply,
    np.divide: el.divide,
    np.negative: el.negative,
    np.positive: value_of,
    np.power: el.power,
    np.float_power: _float_power,
    np.remainder: el.mod,
    np.floor_divide: el.floor_divide,
    np.square: el.square,
    np.reciprocal: _reciprocal,
    np.absolute: el.abs,
    np.fabs: el.abs,
    np.sign: el.sign,
    np.conjugate: el.conjugate,
    np.exp: el.exp,
    np.exp2: el.exp2,
    np.expm1: el.expm1,
    np.log: el.log,
    np.log2: el.log2,
    np.log10: el.log10,
    np.log1p: el.log1p,
    np.logaddexp: el.logaddexp,
    np.logaddexp2: el.logaddexp2,
    np.sqrt: el.sqrt,
    np.cbrt: el.cbrt,
    np.sin: el.sin,
    np.cos: el.cos,
    np.tan: el.tan,
    np.arcsin: el.arcsin,
    np.arccos: el.arccos,
    np.arctan: el.arctan,
    np.arctan2: el.arctan2,
    np.hypot: reductions.hypot,
    np.sinh: el.sinh,
    np.cosh: el.cosh,
    np.tanh: el.tanh,
    np.arcsinh: el.arcsinh,
    np.arccosh: el.arccosh,
    np.arctanh: el.arctanh,
    np.deg2rad: el.deg2rad,
    np.radians: el.deg2rad,
    np.rad2deg: el.rad2deg,
    np.degrees: el.rad2deg,
    np.floor: el.floor,
    np.ceil: el.ceil,
    np.trunc: el.trunc,
    np.rint: el.rint,
    np.heaviside: el.heaviside,
    np.maximum: el.maximum,
    np.minimum: el.minimum,
    np.fmax: el.fmax,
    np.fmin: el.fmin,
    np.equal: el.equal,
    np.not_equal: el.not_equal,
    np.less: el.less,
    np.less_equal: el.less_equal,
    np.greater: el.greater,
    np.greater_equal: el.greater_equal,
    np.logical_and: el.logical_and,
    np.logical_or: el.logical_or,
    np.logical_xor: el.logical_xor,
    np.logical_not: el.logical_not,
    np.bitwise_and: _of_truths(el.logical_and),
    np.bitwise_or: _of_truths(el.logical_or),
    np.bitwise_xor: _of_truths(el.logical_xor),
    np.invert: _of_truths(el.logical_not),
    np.isfinite: el.isfinite,
    np.isnan: el.isnan,
    np.isinf: el.isinf,
    np.matmul: products.matmul,
    np.vecdot: linear_algebra.vecdot,
}


def _typed(ufunc: np.ufunc) -> Function:
    """A composed function, with its result cast to NumPy's dtype (float32 for float16)."""
    function = UFUNCS[ufunc]

    def typed(*inputs: Value) -> Value:
        kinds = [type(x) if type(x) in (int, float) else value_of(x).dtype for x in inputs]
        *_, dtype = ufunc.resolve_dtypes((*kinds, None))
        result = value_of(function(*inputs))
        return result if stepping() else result.astype(np.float32 if dtype == np.float16 else dtype)

    return typed


for _ufunc in (
    np.square, np.reciprocal, np.fabs, np.conjugate, np.floor_divide, np.heaviside, np.hypot, np.deg2rad,
    np.radians, np.rad2deg, np.degrees, np.logaddexp, np.logaddexp2,
):  # fmt: skip
    UFUNCS[_ufunc] = _typed(_ufunc)

# -- functions ------------------------------------------------------------------------------------------


def _with_dtype(function: Function) -> Function:
    """A reduction with NumPy's arguments `dtype` (converts x first), `where` and `initial`."""
    neutral = {"sum": 0, "prod": 1}.get(function.__name__)
    fold = {"sum": el.add, "prod": el.multiply, "max": el.maximum, "min": el.minimum}.get(
        function.__name__
    )

    def reduced(
        x: Value,
        axis: Axis = None,
        keepdims: bool = False,
        dtype: npt.DTypeLike | None = None,
        where: Value = True,
        initial: float | None = None,
        **more: int,
    ) -> Value:
        if dtype is not None:
            x = value_of(x).astype(dtype)
        if where is not True:
            empty = neutral if neutral is not None else initial
            if empty is None:
                raise RecordingError(
                    _(
                        "np.{name} of a Variable with where= needs initial=, the value of nothing.",
                        name=function.__name__,
                    )
                )
            x = value_of(x)
            x = el.where(where, x, np.asarray(empty).astype(x.dtype))
        result = function(x, axis, keepdims, **more)
        if initial is None or fold is None:
            return result
        return fold(result, np.asarray(initial).astype(value_of(result).dtype))

    reduced.__name__ = function.__name__
    if fold is None:
        # No neutral element: where and initial are not among the arguments.
        def plain(
            x: Value,
            axis: Axis = None,
            keepdims: bool = False,
            dtype: npt.DTypeLike | None = None,
            ddof: int = 0,
        ) -> Value:
            more = {} if function is reductions.mean else {"ddof": ddof}
            return reduced(x, axis, keepdims, dtype, **more)

        plain.__name__ = function.__name__
        return plain
    return reduced


for _numpy, _ours in (
    (np.sum, reductions.sum),
    (np.prod, reductions.prod),
    (np.max, reductions.max),
    (np.min, reductions.min),
    (np.amax, reductions.max),
    (np.amin, reductions.min),
    (np.mean, reductions.mean),
    (np.var, reductions.var),
    (np.std, reductions.std),
):
    takes(_numpy, _with_dtype(_ours), a="x", correction="ddof")


def _clip(
    x: Value,
    a_min: Value = None,
    a_max: Value = None,
    *,
    min: Value = None,
    max: Value = None,
    dtype: npt.DTypeLike | None = None,
) -> Value:
    low, high = (b if a is None else a for a, b in ((a_min, min), (a_max, max)))
    result = el.clip(x, low, high)
    return result if dtype is None else result.astype(dtype)


def _where(condition: Value, x: Value = None, y: Value = None) -> Value:
    if x is None and y is None:
        return np.nonzero(concrete(condition, _("np.where of a condition alone")))
    return el.where(condition, x, y)


def _reshape(x: Value, shape: Shape, order: str = "C") -> Value:
    x = value_of(x)
    if order in ("C", "K", "A"):
        return shaping.reshape(x, shape)
    if order != "F":
        raise RecordingError(
            _("np.reshape: order={order!r} must be 'C' or 'F' for Variables.", order=order)
        )
    # Column by column is row by row with the axes of both shapes reversed.
    lengths = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    return shaping.transpose(shaping.reshape(shaping.transpose(x), lengths[::-1]))


def _ravel(x: Value, order: str = "C") -> Value:
    return _reshape(x, -1, order)


def _running(function: Function) -> Function:
    def running(x: Value, axis: int | None = None, dtype: npt.DTypeLike | None = None) -> Value:
        x = value_of(x)
        return function(x if dtype is None else x.astype(dtype), axis)

    return running


def _joined(function: Function) -> Function:
    def joined(
        arrays: Sequence[Value], axis: int | None = 0, *, dtype: npt.DTypeLike | None = None
    ) -> Value:
        result = function(arrays, axis)
        return result if dtype is None else result.astype(dtype)

    return joined


def _each(function: Function) -> Function:
    """A function of one array, extended to several: then a tuple of its results."""
    return lambda *xs: function(xs[0]) if len(xs) == 1 else tuple(function(x) for x in xs)


def _parts(function: Function) -> Function:
    """A split along one axis."""

    def parts(x: Value, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Value]:
        result: list[Value] = function(x, indices_or_sections, axis)
        return result

    return parts


def _along(axis: int) -> Function:
    def parts(x: Value, indices_or_sections: int | Sequence[int]) -> list[Value]:
        ndim = len(shape_of(x))
        return joining.split(x, indices_or_sections, 0 if axis == 1 and ndim == 1 else axis)

    return parts


def _data(function: Function) -> Function:
    """A function with a plain result (truth values, a count, a shape), called on the numbers."""

    def on_numbers(*args: Value, **kwargs: Value) -> Value:
        def plain(v: Value) -> Value:
            return concrete(v, f"np.{function.__name__}")

        return function(*map(plain, args), **{k: plain(v) for k, v in kwargs.items()})

    return on_numbers


def _einsum(*operands: Value, optimize: object = False) -> Value:
    return products.einsum(*operands)


def _average(x: Value, axis: Axis = None, weights: Value = None, keepdims: bool = False) -> Value:
    return reductions.average(x, axis, weights, keepdims)


def _moved(x: Value, source: int | Sequence[int], destination: int | Sequence[int]) -> Value:
    return shaping.moveaxis(x, source, destination)


def _rollaxis(x: Value, axis: int, start: int = 0) -> Value:
    n = len(shape_of(x))
    axis %= n
    start = start + n if start < 0 else start
    return shaping.moveaxis(x, axis, start - 1 if axis < start else start)


def _chosen(x: Value, t: Value) -> Value:
    named = el.equal(shaping.expand_dims(t, -1), np.arange(x.shape[-1]))
    return reductions.sum(el.where(named, x, 0), -1)


def _replaced(x: Value, t: Value, values: Value) -> Value:
    named = el.equal(shaping.expand_dims(t, -1), np.arange(x.shape[-1]))
    return el.where(
        named, values if isinstance(values, int) else shaping.expand_dims(values, -1), x
    )


def _pinv(A: Value, rcond: float | None = None, rtol: float | None = 1e-15) -> Value:
    """`rtol` is the newer name of `rcond`; None is the rounding error of A."""
    if rtol is None:
        A = as_real(value_of(A))
        rtol = max(A.shape[-2:], default=1) * np.finfo(A.dtype).eps
    return linear_algebra.pinv(A, rtol if rcond is None else rcond)


takes(np.clip, _clip, a="x")
takes(np.where, _where)
takes(np.reshape, _reshape, a="x")
takes(np.ravel, _ravel, a="x")
takes(np.transpose, shaping.transpose, a="x")
takes(np.swapaxes, shaping.swapaxes, a="x", axis1="a", axis2="b")
takes(np.moveaxis, _moved, a="x")
takes(np.rollaxis, _rollaxis, a="x")
takes(np.expand_dims, shaping.expand_dims, a="x")
takes(np.squeeze, shaping.squeeze, a="x")
takes(np.broadcast_to, shaping.broadcast_to, array="x")
takes(np.flip, shaping.flip, m="x")
takes(np.flipud, shaping.flipud, m="x")
takes(np.fliplr, shaping.fliplr, m="x")
takes(np.rot90, shaping.rot90, m="x")
takes(np.roll, shaping.roll, a="x")
takes(np.tile, shaping.tile, A="x")
takes(np.repeat, shaping.repeat, a="x")
takes(np.pad, shaping.pad, array="x", constant_values="constant_values")
takes(np.zeros_like, shaping.zeros_like, a="x")
takes(np.ones_like, shaping.ones_like, a="x")
takes(np.full_like, shaping.full_like, a="x")
takes(np.empty_like, shaping.zeros_like, prototype="x")
takes(np.copy, value_of, a="x")
takes(np.concatenate, _joined(joining.concatenate))
takes(np.stack, _joined(joining.stack))
takes(np.hstack, joining.hstack, tup="xs")
takes(np.vstack, joining.vstack, tup="xs")
takes(np.dstack, joining.dstack, tup="xs")
takes(np.column_stack, joining.column_stack, tup="xs")
takes(np.append, joining.append, arr="x")
takes(np.split, _parts(joining.split), ary="x")
takes(np.array_split, _parts(joining.array_split), ary="x")
takes(np.hsplit, _along(1), ary="x")
takes(np.vsplit, _along(0), ary="x")
takes(np.dsplit, _along(2), ary="x")
takes(np.unstack, joining.unstack)
takes(np.dot, products.dot, a="x", b="y")
takes(np.inner, products.inner, a="x", b="y")
takes(np.vdot, products.vdot, a="x", b="y")
takes(np.outer, products.outer, a="x", b="y")
takes(np.tensordot, products.tensordot, a="x", b="y")
takes(np.kron, products.kron, a="x", b="y")
takes(np.cross, products.cross, a="x", b="y")
takes(np.linalg.matrix_power, products.matrix_power, a="x")
takes(np.real, el.real, val="x")
takes(np.linalg.norm, reductions.norm)
takes(np.linalg.solve, linear_algebra.solve, a="A")
takes(np.linalg.inv, linear_algebra.inv, a="A")
takes(np.linalg.det, linear_algebra.det, a="A")
takes(np.linalg.slogdet, linear_algebra.slogdet, a="A")
takes(np.linalg.cholesky, linear_algebra.cholesky, a="A")
takes(np.linalg.eigh, linear_algebra.eigh, a="A")
takes(np.linalg.eigvalsh, linear_algebra.eigvalsh, a="A")
takes(np.linalg.pinv, _pinv, a="A")
takes(np.linalg.multi_dot, linear_algebra.multi_dot)
takes(np.linalg.vecdot, linear_algebra.vecdot, x1="x", x2="y")
takes(np.linalg.matmul, products.matmul, x1="x", x2="W")
takes(np.linalg.outer, linear_algebra.outer, x1="x", x2="y")
takes(np.linalg.cross, products.cross, x1="x", x2="y")
takes(np.linalg.tensordot, products.tensordot, x1="x", x2="y")
takes(np.linalg.trace, linear_algebra.trace)
takes(np.linalg.diagonal, linear_algebra.diagonal)
takes(np.linalg.matrix_transpose, linear_algebra.matrix_transpose)
takes(np.matrix_transpose, linear_algebra.matrix_transpose)
takes(np.linalg.vector_norm, linear_algebra.vector_norm)
takes(np.linalg.matrix_norm, linear_algebra.matrix_norm)
takes(np.take, picking.take, a="x")
takes(np.take_along_axis, picking.take_along_axis, arr="x")
takes(np.sort, picking.sort, a="x")
takes(np.argsort, picking.argsort, a="x")
takes(np.diag, picking.diag, v="x")
takes(np.diagonal, picking.diagonal, a="x")
takes(np.trace, picking.trace, a="x")
takes(np.tril, picking.tril, m="x")
takes(np.triu, picking.triu, m="x")
takes(np.average, _average, a="x")
takes(np.ptp, reductions.ptp, a="x")
takes(np.median, picking.median, a="x")
takes(np.nansum, reductions.nansum, a="x")
takes(np.nanmean, reductions.nanmean, a="x")
takes(np.argmax, reductions.argmax, a="x")
takes(np.argmin, reductions.argmin, a="x")
takes(np.any, reductions.any, a="x")
takes(np.all, reductions.all, a="x")
takes(np.count_nonzero, reductions.count_nonzero, a="x")
takes(np.cumsum, _running(reductions.cumsum), a="x")
takes(np.cumprod, _running(reductions.cumprod), a="x")
takes(np.diff, reductions.diff, a="x")
takes(np.trapezoid, reductions.trapezoid)
takes(np.round, el.round, a="x")
takes(np.around, el.round, a="x")
takes(np.fix, lambda x: el.trunc(x))
takes(np.nan_to_num, el.nan_to_num)
takes(np.sinc, el.sinc)

_OTHERS: dict[Function, Function] = {
    np.einsum: _einsum,
    np.atleast_1d: _each(shaping.atleast_1d),
    np.atleast_2d: _each(shaping.atleast_2d),
    np.atleast_3d: _each(shaping.atleast_3d),
    np.broadcast_arrays: lambda *xs, subok=False: tuple(shaping.broadcast_arrays(*xs)),
    np.shape: lambda a: shape_of(a),
    np.ndim: lambda a: len(shape_of(a)),
    np.size: lambda a, axis=None: int(np.size(data_of(a), axis)),
    **{
        f: _data(f)
        for f in (
            np.allclose, np.isclose, np.array_equal, np.nonzero, np.argwhere, np.flatnonzero,
            np.iscomplexobj, np.isrealobj, np.result_type, np.array_repr, np.array_str, np.array2string,
        )
    },
    add_at: picking.index_add,
    chosen: _chosen,
    replaced: _replaced,
    # Called by the gradients of linear algebra, so that these have gradients themselves.
    primitives.solve: linear_algebra.solve,
    primitives.inv: linear_algebra.inv,
}  # fmt: skip
FUNCTIONS |= _OTHERS
