"""Rules: NumPy's functions in the text of nodes, brought to a few primitives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.engine.primitives import Function, cast, filled, put_flat, take_flat, take_rows
from chainrule.nodes.base import CALLED
from chainrule.nodes.indexing import add_at, chosen, replaced
from chainrule.nodes.random import cells, mixed

if TYPE_CHECKING:
    from chainrule.engine.trace import Trace, Traced

__all__ = ["FUNCTIONS", "KERNEL_FUNCTIONS", "TEXT_FUNCTIONS"]


def _reduction(function: Function) -> Function:
    def rule(trace: Trace, x: Traced, axis: Any = None, keepdims: bool = False) -> Traced:
        given = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        axes = tuple(sorted(a % x.ndim for a in given))
        bare = x.args[0] if x.function is np.broadcast_to else None
        if function is np.sum and bare is not None and bare.weak and bare.known is not None:
            # The sum of one number n times.
            n = math.prod(x.shape[a] for a in axes)
            kept = tuple(1 if i in axes else size for i, size in enumerate(x.shape))
            shape = kept if keepdims else tuple(s for i, s in enumerate(x.shape) if i not in axes)
            return trace.repeated(trace.constant(bare.known * n, x.dtype), shape)
        made: Traced = trace.call(function, x, axis=axes, keepdims=keepdims)
        return made

    return rule


def _where(trace: Trace, condition: Any, x: Any, y: Any) -> Traced:
    condition, x, y = (trace.lift(v, np.add) for v in (condition, x, y))
    shape = np.broadcast_shapes(condition.shape, x.shape, y.shape)
    bare = condition.args[0] if condition.function is np.broadcast_to else condition
    if bare.weak and bare.known is not None:
        chosen = x if bare.known else y
        if not chosen.weak:
            return trace.repeated(chosen, shape)
    made: Traced = trace.call(np.where, condition, x, y)
    return made


def _as_it_is(trace: Trace, x: Traced, shape: tuple[int, ...]) -> Traced:
    return x


def _reshape(trace: Trace, x: Traced, shape: Any, ready: Function = _as_it_is) -> Traced:
    wanted = (shape,) if isinstance(shape, int) else tuple(shape)
    if x.weak:
        return trace.repeated(x, wanted) if wanted else x
    if x.function is np.reshape:
        x = x.args[0]
    if x.function is np.broadcast_to and x.args[0].size == 1 and not x.args[0].weak:
        return trace.repeated(_reshape(trace, x.args[0], ()), wanted)
    if x.function is np.broadcast_to and x.args[0].weak:
        return trace.repeated(x.args[0], wanted)
    if x.shape == wanted:
        return x
    made: Traced = trace.call(np.reshape, ready(trace, x, wanted), wanted)
    return made


def _in_one_piece(trace: Trace, x: Traced, shape: tuple[int, ...]) -> Traced:
    """x if NumPy can look at it in this shape, else a copy of it, which is an operation."""
    if x.layout is None:  # told only at run time, where every use makes the view that it needs
        return x
    try:
        np.reshape(x.layout, shape, copy=False)
    except ValueError:
        copy: Traced = trace.call(filled, x)
        return copy
    return x


def _reshape_view(trace: Trace, x: Traced, shape: Any) -> Traced:
    """A reshape that is always a view."""
    return _reshape(trace, x, shape, _in_one_piece)


def _transpose(trace: Trace, x: Traced, axes: Any = None) -> Traced:
    order = tuple(range(x.ndim))[::-1] if axes is None else tuple(a % x.ndim for a in axes)
    if x.function is np.transpose:
        order, x = tuple(x.args[1][i] for i in order), x.args[0]
    made: Traced = x if order == tuple(range(x.ndim)) else trace.call(np.transpose, x, order)
    return made


def _swapaxes(trace: Trace, x: Traced, a: int, b: int) -> Traced:
    order = list(range(x.ndim))
    order[a], order[b] = order[b], order[a]
    return _transpose(trace, x, tuple(order))


def _expand_dims(trace: Trace, x: Traced, axis: int) -> Traced:
    at = axis % (x.ndim + 1)
    made: Traced = trace.rules[np.reshape](trace, x, (*x.shape[:at], 1, *x.shape[at:]))
    return made


def _squeeze(trace: Trace, x: Traced, axis: Any = None) -> Traced:
    stand_in = np.broadcast_to(np.zeros(()), x.shape)
    made: Traced = trace.rules[np.reshape](trace, x, np.squeeze(stand_in, axis).shape)
    return made


def _broadcast_to(trace: Trace, x: Any, shape: tuple[int, ...]) -> Traced:
    return trace.repeated(trace.lift(x, np.add), tuple(shape))


def _cumsum(trace: Trace, x: Traced, axis: int) -> Any:
    """A product with ones up to each place: no engine has to know of running sums."""
    last = trace.rules[np.swapaxes](trace, x, axis, -1)
    n = last.shape[-1]
    rows = trace.rules[np.reshape](trace, last, (x.size // n if n else 0, n))
    sums = trace.call(np.matmul, rows, np.triu(np.ones((n, n), x.dtype)))
    return _swapaxes(trace, trace.rules[np.reshape](trace, sums, last.shape), axis, -1)


def _joined(function: Function) -> Function:
    def rule(trace: Trace, xs: Any, axis: int = 0) -> Traced:
        made: Traced = trace.call(function, tuple(xs), axis=axis)
        return made

    return rule


def _plain(function: Function) -> Function:
    def rule(trace: Trace, *args: Any) -> Any:
        return trace.call(function, *args)

    return rule


def _places(trace: Trace, x: Traced, t: Traced) -> Traced:
    """Where the element that each row's id names stands, counted row by row."""
    rows = np.arange(math.prod(t.shape)).reshape(t.shape)
    made: Traced = trace.call(np.add, rows * x.shape[-1], t.astype(rows.dtype))
    return made


def _chosen(trace: Trace, x: Traced, t: Traced) -> Traced:
    made: Traced = trace.call(take_flat, x, _places(trace, x, t))
    return made


def _replaced(trace: Trace, x: Traced, t: Traced, values: Any) -> Traced:
    made: Traced = trace.call(put_flat, x, _places(trace, x, t), values)
    return made


def _written_out(function: Function) -> Function:
    """A function of ours that engines see through."""
    text: Function = function.__wrapped__  # type: ignore[attr-defined]
    return lambda trace, *args: text(*args)


def _cells(trace: Trace, clock: Traced, shape: tuple[int, ...]) -> Traced:
    """Known beforehand, since only the shape counts."""
    return trace.constant(cells(np.uint64(0), shape))


#: What each function becomes.
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
    mixed: _written_out(mixed),
    replaced: _replaced,
    cast: _plain(cast),
    take_rows: _plain(take_rows),
    **{function: _plain(function) for function in CALLED},
}


def _flat_reduction(function: Function) -> Function:
    """A reduction whose axes go, so that the same sum is written once; a view brings them back."""
    reduced = _reduction(function)

    def rule(trace: Trace, x: Traced, axis: Any = None, keepdims: bool = False) -> Traced:
        made: Traced = reduced(trace, x, axis)
        if not keepdims:
            return made
        given = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        axes = {a % x.ndim for a in given}
        return _reshape(trace, made, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))

    return rule


#: The same where a reshape is one, wherever the numbers lie.
_ANYWHERE: dict[Function, Function] = {**FUNCTIONS, np.reshape: _reshape}

#: The same for kernels, which count rows themselves.
KERNEL_FUNCTIONS: dict[Function, Function] = _ANYWHERE | {
    **{f: _flat_reduction(f) for f in (np.sum, np.prod, np.max, np.min)},
    cells: _plain(cells),
    chosen: _plain(chosen),
    replaced: _plain(replaced),
}

#: The same for a program to read, which may call functions of its own and pick by ids.
TEXT_FUNCTIONS: dict[Function, Function] = _ANYWHERE | {
    function: _plain(function) for function in (cells, chosen, mixed, replaced)
}
