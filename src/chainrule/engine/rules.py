"""Rules: how NumPy's functions in the code of nodes become a few primitives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from chainrule.engine.primitives import (
    Function,
    cast,
    checked,
    filled,
    put_flat,
    take_flat,
    take_rows,
)
from chainrule.nodes.base import CALLED, Value
from chainrule.nodes.indexing import add_at, chosen, replaced
from chainrule.nodes.random import cells, mixed

if TYPE_CHECKING:
    from chainrule.engine.trace import Trace, Traced

__all__ = ["FUNCTIONS", "KERNEL_FUNCTIONS", "TEXT_FUNCTIONS"]

#: The axis argument of a reduction.
Axis: TypeAlias = int | tuple[int, ...] | None


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes of a reduction as sorted numbers from 0."""
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(sorted(a % ndim for a in axes))


def _reduction(function: Function) -> Function:
    def rule(trace: Trace, x: Traced, axis: Axis = None, keepdims: bool = False) -> Traced:
        axes = _axes(axis, x.ndim)
        bare = x.args[0] if x.function is np.broadcast_to else None
        if function is np.sum and bare is not None and bare.weak and bare.known is not None:
            # The sum of one number n times.
            n = math.prod(x.shape[a] for a in axes)
            kept = tuple(1 if i in axes else size for i, size in enumerate(x.shape))
            shape = kept if keepdims else tuple(s for i, s in enumerate(x.shape) if i not in axes)
            return trace.repeated(trace.constant(bare.known * n, x.dtype), shape)
        return trace.call(function, x, axis=axes, keepdims=keepdims)

    return rule


def _where(trace: Trace, condition: Value, x: Value, y: Value) -> Traced:
    condition, x, y = (trace.lift(v, np.add) for v in (condition, x, y))
    shape = np.broadcast_shapes(condition.shape, x.shape, y.shape)
    bare = condition.args[0] if condition.function is np.broadcast_to else condition
    if bare.weak and bare.known is not None:
        choice = x if bare.known else y
        if not choice.weak:
            return trace.repeated(choice, shape)
    return trace.call(np.where, condition, x, y)


def _unchanged(trace: Trace, x: Traced, shape: tuple[int, ...]) -> Traced:
    return x


def _reshape(
    trace: Trace, x: Traced, shape: int | Sequence[int], ready: Function = _unchanged
) -> Traced:
    new_shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if x.weak:
        return trace.repeated(x, new_shape) if new_shape else x
    if x.function is np.reshape:
        x = x.args[0]
    if x.function is np.broadcast_to and x.args[0].size == 1 and not x.args[0].weak:
        return trace.repeated(_reshape(trace, x.args[0], ()), new_shape)
    if x.function is np.broadcast_to and x.args[0].weak:
        return trace.repeated(x.args[0], new_shape)
    if x.shape == new_shape:
        return x
    return trace.call(np.reshape, ready(trace, x, new_shape), new_shape)


def _viewable(trace: Trace, x: Traced, shape: tuple[int, ...]) -> Traced:
    """x if NumPy can make a view of it in this shape; else a copy, which is an operation."""
    if x.layout is None:  # known only at run time, where every use makes its own view
        return x
    try:
        np.reshape(x.layout, shape, copy=False)
    except ValueError:
        return trace.call(filled, x)
    return x


def _reshape_view(trace: Trace, x: Traced, shape: int | Sequence[int]) -> Traced:
    """A reshape that is always a view."""
    return _reshape(trace, x, shape, _viewable)


def _transpose(trace: Trace, x: Traced, axes: Sequence[int] | None = None) -> Traced:
    order = tuple(range(x.ndim))[::-1] if axes is None else tuple(a % x.ndim for a in axes)
    if x.function is np.transpose:
        order, x = tuple(x.args[1][i] for i in order), x.args[0]
    return x if order == tuple(range(x.ndim)) else trace.call(np.transpose, x, order)


def _swapaxes(trace: Trace, x: Traced, a: int, b: int) -> Traced:
    order = list(range(x.ndim))
    order[a], order[b] = order[b], order[a]
    return _transpose(trace, x, tuple(order))


def _expand_dims(trace: Trace, x: Traced, axis: int) -> Traced:
    at = axis % (x.ndim + 1)
    view: Traced = trace.rules[np.reshape](trace, x, (*x.shape[:at], 1, *x.shape[at:]))
    return view


def _squeeze(trace: Trace, x: Traced, axis: Axis = None) -> Traced:
    stand_in = np.broadcast_to(np.zeros(()), x.shape)
    view: Traced = trace.rules[np.reshape](trace, x, np.squeeze(stand_in, axis).shape)
    return view


def _broadcast_to(trace: Trace, x: Value, shape: tuple[int, ...]) -> Traced:
    return trace.repeated(trace.lift(x, np.add), tuple(shape))


def _cumsum(trace: Trace, x: Traced, axis: int) -> Traced:
    """A running sum as a product with a triangular matrix of ones, so that it needs no primitive."""
    last = trace.rules[np.swapaxes](trace, x, axis, -1)
    n = last.shape[-1]
    rows = trace.rules[np.reshape](trace, last, (x.size // n if n else 0, n))
    sums = trace.call(np.matmul, rows, np.triu(np.ones((n, n), x.dtype)))
    return _swapaxes(trace, trace.rules[np.reshape](trace, sums, last.shape), axis, -1)


def _joined(function: Function) -> Function:
    def rule(trace: Trace, xs: Sequence[Value], axis: int = 0) -> Traced:
        return trace.call(function, tuple(xs), axis=axis)

    return rule


def _plain(function: Function) -> Function:
    """A function that is a primitive."""

    def rule(trace: Trace, *args: Value) -> Traced:
        return trace.call(function, *args)

    return rule


def _opaque(function: Function) -> Function:
    """A primitive that may have several outputs."""

    def rule(trace: Trace, *args: Value) -> Value:
        return trace.outputs(function, *args)

    return rule


def _flat_index(trace: Trace, x: Traced, t: Traced) -> Traced:
    """The flat index of x[row, t[row]] for each row, counted row by row."""
    rows = np.arange(math.prod(t.shape)).reshape(t.shape)
    return trace.call(np.add, rows * x.shape[-1], t.astype(rows.dtype))


def _chosen(trace: Trace, x: Traced, t: Traced) -> Traced:
    return trace.call(take_flat, x, _flat_index(trace, x, t))


def _replaced(trace: Trace, x: Traced, t: Traced, values: Value) -> Traced:
    return trace.call(put_flat, x, _flat_index(trace, x, t), values)


def _inlined(function: Function) -> Function:
    """A function of chainrule whose body is traced."""
    body: Function = function.__wrapped__  # type: ignore[attr-defined]
    return lambda trace, *args: body(*args)


def _cells(trace: Trace, clock: Traced, shape: tuple[int, ...]) -> Traced:
    """A constant, since the cells depend on the shape only."""
    return trace.constant(cells(np.uint64(0), shape))


#: The rule of each function, for the NumPy engine.
FUNCTIONS: dict[Function, Function] = {
    np.sum: _reduction(np.sum),
    np.prod: _reduction(np.prod),
    np.max: _reduction(np.max),
    np.min: _reduction(np.min),
    np.where: _where,
    np.reshape: _reshape_view,
    np.transpose: _transpose,
    np.swapaxes: _swapaxes,
    np.expand_dims: _expand_dims,
    np.squeeze: _squeeze,
    np.broadcast_to: _broadcast_to,
    np.cumsum: _cumsum,
    np.concatenate: _joined(np.concatenate),
    np.stack: _joined(np.stack),
    np.shape: lambda trace, x: x.shape,
    add_at: _plain(add_at),
    cells: _cells,
    chosen: _chosen,
    mixed: _inlined(mixed),
    replaced: _replaced,
    cast: _plain(cast),
    checked: _plain(checked),
    take_rows: _plain(take_rows),
    **{function: _opaque(function) for function in CALLED},
}


def _flat_reduction(function: Function) -> Function:
    """A reduction without keepdims, so that equal sums are one operation; a view restores the axes."""
    reduced = _reduction(function)

    def rule(trace: Trace, x: Traced, axis: Axis = None, keepdims: bool = False) -> Traced:
        result: Traced = reduced(trace, x, axis)
        if not keepdims:
            return result
        axes = _axes(axis, x.ndim)
        return _reshape(trace, result, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))

    return rule


#: The same rules, with a reshape that need not be a view, and without checks: kernels are given rows that
#: were checked, and what a script is made for was.
_ANYWHERE: dict[Function, Function] = {
    **FUNCTIONS,
    np.reshape: _reshape,
    checked: lambda trace, x, check: x,
}

#: The rules for kernels, which compute row numbers themselves.
KERNEL_FUNCTIONS: dict[Function, Function] = _ANYWHERE | {
    **{f: _flat_reduction(f) for f in (np.sum, np.prod, np.max, np.min)},
    cells: _plain(cells),
    chosen: _plain(chosen),
    replaced: _plain(replaced),
}

#: The rules for a script for people, which may define functions and pick by ids.
TEXT_FUNCTIONS: dict[Function, Function] = _ANYWHERE | {
    function: _plain(function) for function in (cells, chosen, mixed, replaced)
}
