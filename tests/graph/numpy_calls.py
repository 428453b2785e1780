"""Calls of NumPy's functions, drawn from NumPy's own signatures: the table, and the drawing.

A row gives, for the parameters of one function, how to draw a value; everything after the required
ones is given or left out, by place or by name, at random. What our side takes is not looked at.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.graph.functions.numpy_calls import _TEXTS, _signature_of

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Moving:
    """An array that a Variable stands for when the call is made of Variables."""

    array: Array


class Draw:
    """Random arrays, axes and numbers."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def one_of(self, *choices: Any) -> Any:
        return choices[self.number(0, len(choices) - 1)]

    def shape(self, low: int = 0, high: int = 3) -> tuple[int, ...]:
        return tuple(self.number(1, 4) for _ in range(self.number(low, high)))

    def array(self, shape: tuple[int, ...], low: float = -2, high: float = 2) -> Array:
        """Numbers that are no nearer to each other, or to a whole or half number, than 0.01."""
        n = int(np.prod(shape, dtype=int))
        cells = self.rng.choice(200, n, replace=n > 200)
        x = low + (cells + self.rng.uniform(0.25, 0.75, n)) * (high - low) / 200
        near = np.abs(x * 2 - np.rint(x * 2)) < 0.02
        return np.asarray(np.where(near, x + 0.03 * (high - low) / 4, x).reshape(shape))

    def moving(self, shape: tuple[int, ...], low: float = -2, high: float = 2) -> Moving:
        return Moving(self.array(shape, low, high))

    def axis(self, x: Array, none: bool = True) -> Any:
        if x.ndim == 0 or (none and self.number(0, 3) == 0):
            return None
        return self.number(-x.ndim, x.ndim - 1)

    def axes(self, x: Array) -> Any:
        if x.ndim < 2 or self.number(0, 2):
            return self.axis(x)
        chosen = self.rng.permutation(x.ndim)[: self.number(1, x.ndim)]
        return tuple(int(a) - (x.ndim if self.number(0, 1) else 0) for a in chosen)


Given = dict[str, Any]
Row = Callable[[Draw], Given]
ROWS: dict[Any, Row] = {}


@dataclass(frozen=True)
class Call:
    """A function with its arguments, in the way they are given."""

    function: Any
    args: tuple[Any, ...]
    kwargs: Given

    def __str__(self) -> str:
        def said(v: Any) -> str:
            return f"V{v.array.shape}" if isinstance(v, Moving) else repr(v).replace("\n", " ")

        parts = [said(v) for v in self.args] + [f"{k}={said(v)}" for k, v in self.kwargs.items()]
        return f"np.{getattr(self.function, '__name__', self.function)}({', '.join(parts)})"

    def run(self, of: Callable[[Moving], Any]) -> Any:
        """The call with `of` each array that moves."""
        return self.function(*(_filled(a, of) for a in self.args),
                             **{k: _filled(v, of) for k, v in self.kwargs.items()})  # fmt: skip

    def of_dtype(self, dtype: np.dtype[Any]) -> Call:
        """The same call with arrays of another dtype, twice as large: so they have whole numbers."""
        by_id = {id(m): Moving((m.array * 2).astype(dtype)) for m in self.moving()}
        args = tuple(_filled(a, lambda m: by_id[id(m)]) for a in self.args)
        kwargs = {k: _filled(v, lambda m: by_id[id(m)]) for k, v in self.kwargs.items()}
        return Call(self.function, args, kwargs)

    def moving(self) -> list[Moving]:
        return list(_found((self.args, self.kwargs)))


def _filled(given: Any, of: Callable[[Moving], Any]) -> Any:
    if isinstance(given, Moving):
        return of(given)
    if isinstance(given, list):
        return [_filled(g, of) for g in given]
    if isinstance(given, tuple):
        return tuple(_filled(g, of) for g in given)
    return given


def _found(given: Any) -> Iterator[Moving]:
    if isinstance(given, Moving):
        yield given
    elif isinstance(given, list | tuple):
        for g in given:
            yield from _found(g)
    elif isinstance(given, dict):
        yield from _found(list(given.values()))


def signature(function: Any) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except ValueError:
        return _signature_of(_TEXTS[function])


def draw_call(function: Any, d: Draw) -> Call:
    """One call of a function of the table."""
    given = ROWS[function](d)
    star = given.pop("*", None)
    if star is not None:
        return Call(function, tuple(star), {k: v for k, v in given.items() if d.number(0, 1)})
    if isinstance(function, np.ufunc):
        places = [k for k in given if not k.startswith("k:")]
        kwargs = {k[2:]: v for k, v in given.items() if k.startswith("k:") and d.number(0, 2) == 0}
        return Call(function, tuple(given[k] for k in places), kwargs)
    parameters = signature(function).parameters
    args: list[Any] = []
    kwargs = {}
    by_place = True
    for name, p in parameters.items():
        required = p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        if name not in given or not (required or d.number(0, 1)):
            by_place = by_place and required
            continue
        only = p.kind is p.KEYWORD_ONLY
        if by_place and not only and (p.kind is p.POSITIONAL_ONLY or d.number(0, 3)):
            args.append(given[name])
        else:
            by_place = False
            kwargs[name] = given[name]
    for name in given.keys() - parameters.keys():  # behind NumPy's **kwargs
        if d.number(0, 1):
            kwargs[name] = given[name]
    return Call(function, tuple(args), kwargs)


# -- the table ------------------------------------------------------------------------------------------


def _row(*functions: Any) -> Callable[[Row], Row]:
    def take(row: Row) -> Row:
        for function in functions:
            ROWS[function] = row
        return row

    return take


def _unary(low: float, high: float) -> Row:
    return lambda d: {
        "x": d.moving(d.shape(), low, high),
        "k:where": True,
        "k:casting": "same_kind",
    }


_f: Any
for _f in (np.negative, np.positive, np.square, np.absolute, np.fabs, np.sign, np.exp, np.exp2, np.expm1,
           np.sin, np.cos, np.sinh, np.cosh, np.tanh, np.arcsinh, np.arctan, np.cbrt, np.deg2rad, np.radians,
           np.rad2deg, np.degrees, np.floor, np.ceil, np.trunc, np.rint, np.isfinite, np.isnan, np.isinf,
           np.conjugate, np.logical_not):  # fmt: skip
    ROWS[_f] = _unary(-2, 2)
for _f in (np.bitwise_and, np.bitwise_or, np.bitwise_xor):
    ROWS[_f] = lambda d: dict(zip("ab", _truths(d), strict=True))
ROWS[np.invert] = lambda d: {"x": _truths(d)[0]}
ROWS[np.empty_like] = lambda d: {"prototype": d.moving((2, 0))}
ROWS[np.allclose] = ROWS[np.isclose] = lambda d: {"a": (x := d.moving((3,))), "b": x, "rtol": 0.1}
ROWS[np.array_equal] = lambda d: {"a1": (x := d.moving((3,))), "a2": d.one_of(x, d.moving((2,)))}
ROWS[np.nonzero] = ROWS[np.argwhere] = ROWS[np.flatnonzero] = lambda d: {
    "a": d.moving(d.shape(1, 2))
}
ROWS[np.iscomplexobj] = ROWS[np.isrealobj] = lambda d: {"x": d.moving((2,))}
ROWS[np.result_type] = lambda d: {"*": (d.moving((2,)), np.float32)}
ROWS[np.array_repr] = ROWS[np.array_str] = lambda d: {"arr": d.moving((2,)), "precision": 3}
ROWS[np.array2string] = lambda d: {"a": d.moving((2,)), "precision": 3}


def _truths(d: Draw) -> tuple[Any, Any]:
    shape = d.shape()
    return tuple(Moving(np.asarray(d.rng.random(shape) < 0.5)) for _ in range(2))  # type: ignore[return-value]


for _f in (np.log, np.log2, np.log10, np.sqrt, np.reciprocal):
    ROWS[_f] = _unary(0.1, 4)
ROWS[np.log1p] = _unary(-0.9, 4)
ROWS[np.tan] = _unary(-1.4, 1.4)
ROWS[np.arcsin] = ROWS[np.arccos] = ROWS[np.arctanh] = _unary(-0.95, 0.95)
ROWS[np.arccosh] = _unary(1.05, 4)


def _pair(d: Draw, low: float = -2, high: float = 2) -> tuple[Any, Any]:
    """Two values that broadcast: both move, or one is a constant, a number or a whole number."""
    shape = d.shape()
    other = tuple(1 if d.number(0, 3) == 0 else n for n in shape)[d.number(0, len(shape)) :]
    a, b = d.moving(shape, low, high), d.moving(other, low, high)
    pair: list[Any] = [a, b]
    way = d.number(0, 6)
    if way == 1:
        pair[1] = b.array
    elif way == 2:
        pair[1] = float(d.array((), low, high))
    elif way == 3:
        pair[1] = d.number(1, 3)
    elif way == 4:
        pair[1] = b.array.tolist()
    return (pair[1], pair[0]) if d.number(0, 1) else (pair[0], pair[1])


def _binary(low: float, high: float) -> Row:
    def row(d: Draw) -> Given:
        a, b = _pair(d, low, high)
        return {"a": a, "b": b, "k:dtype": d.one_of(None, np.float64), "k:where": True}

    return row


for _f in (np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.hypot, np.arctan2,
           np.logaddexp, np.logaddexp2, np.heaviside):  # fmt: skip
    ROWS[_f] = _binary(-2, 2)
for _f in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, np.logical_and,
           np.logical_or, np.logical_xor):  # fmt: skip
    ROWS[_f] = lambda d: dict(zip("ab", _pair(d), strict=True))
for _f in (np.divide, np.power, np.float_power, np.remainder, np.floor_divide):
    ROWS[_f] = _binary(0.3, 3)


@_row(np.matmul)
def _matmul(d: Draw) -> Given:
    n, k, m = d.number(1, 3), d.number(1, 3), d.number(1, 3)
    front = d.shape(0, 2)
    a = d.one_of((k,), (n, k), (*front, n, k), (*(1,) * len(front), n, k))
    b = d.one_of((k,), (k, m), (*front, k, m))
    return {"a": d.moving(a), "b": d.moving(b)}


@_row(np.max, np.min, np.amax, np.amin)
def _largest(d: Draw) -> Given:
    given = _reduction(d)
    del given["dtype"]
    return given


@_row(np.sum, np.prod)
def _reduction(d: Draw) -> Given:
    x = d.moving(d.shape(0, 3))
    return {"a": x, "axis": d.axes(x.array), "keepdims": d.one_of(False, True),
            "dtype": d.one_of(None, np.float64, float), "out": None, "initial": d.one_of(0.0, 2.5, -3.0),
            "where": d.one_of(True, d.rng.random(x.array.shape) < 0.7)}  # fmt: skip


@_row(np.mean)
def _mean(d: Draw) -> Given:
    given = _reduction(d)
    return {k: v for k, v in given.items() if k not in ("initial", "where")}


@_row(np.var, np.std)
def _spread(d: Draw) -> Given:
    x = d.moving(tuple(n + 1 for n in d.shape(1, 3)))
    return {"a": x, "axis": d.axes(x.array), "keepdims": d.one_of(False, True), "dtype": None, "out": None,
            "ddof": d.one_of(0, 1)}  # fmt: skip


@_row(np.nansum, np.nanmean)
def _nan(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    return {"a": x, "axis": d.axes(x.array), "keepdims": d.one_of(False, True), "dtype": None}


@_row(np.ptp, np.median)
def _ptp(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    return {"a": x, "axis": d.axes(x.array), "out": None, "keepdims": d.one_of(False, True)}


@_row(np.average)
def _average(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    axis = d.axis(x.array)
    w = d.array(x.array.shape, 0.5, 2) if axis is None or d.number(0, 1) else d.array(
        (x.array.shape[axis],), 0.5, 2)  # fmt: skip
    if w.shape != x.array.shape:
        return {"*": (x, axis, w)}
    return {
        "a": x,
        "axis": axis,
        "weights": d.one_of(w, Moving(w)),
        "keepdims": d.one_of(False, True),
    }


@_row(np.argmax, np.argmin)
def _arg(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    return {"a": x, "axis": d.axis(x.array), "out": None, "keepdims": d.one_of(False, True)}


@_row(np.any, np.all, np.count_nonzero)
def _any(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    return {"a": x, "axis": d.axes(x.array), "keepdims": d.one_of(False, True)}


@_row(np.cumsum, np.cumprod)
def _cumsum(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    return {"a": x, "axis": d.axis(x.array), "dtype": d.one_of(None, np.float64), "out": None}


@_row(np.diff)
def _diff(d: Draw) -> Given:
    x = d.moving(tuple(n + 2 for n in d.shape(1, 3)))
    return {"a": x, "n": d.number(0, 2), "axis": d.axis(x.array, False)}


@_row(np.trapezoid)
def _trapezoid(d: Draw) -> Given:
    y = d.moving(tuple(n + 1 for n in d.shape(1, 3)))
    axis = d.axis(y.array, False)
    n = y.array.shape[axis]
    x = d.one_of(
        None, Moving(np.sort(d.array((n,)))), Moving(np.sort(d.array(y.array.shape), axis))
    )
    return {"*": (y, x, 0.5, axis)} if d.number(0, 1) else {"y": y, "dx": d.one_of(0.5, 2)}


@_row(np.linalg.norm)
def _norm(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    axis = d.axis(x.array)
    if x.array.ndim >= 2 and d.number(0, 1):
        axis = tuple(int(a) for a in d.rng.permutation(x.array.ndim)[:2])
    vectors = isinstance(axis, int) or (axis is None and x.array.ndim == 1)
    ord = d.one_of(None, 1, 2, 3, 0.5, -1, np.inf, -np.inf, 0) if vectors else d.one_of(
        None, "fro", 1, -1, np.inf, -np.inf, 2)  # fmt: skip
    if axis is None and x.array.ndim == 3:
        ord = None
    return {"*": (x, ord, axis, d.one_of(False, True))} if d.number(0, 1) else {
        "x": x, "ord": ord, **({"axis": axis} if axis is not None else {})}  # fmt: skip


@_row(np.clip)
def _clip(d: Draw) -> Given:
    x = d.moving(d.shape())
    if d.number(0, 1):
        return {"*": (x,), "min": -1.0, "max": d.one_of(1.0, Moving(np.full(x.array.shape, 1.1)))}
    low, high = d.one_of(-1, None, -0.5), d.one_of(1, 0.75, Moving(np.full(x.array.shape, 1.1)))
    return {"*": (x, low, high)} if d.number(0, 1) else {"*": (x,), "a_min": low, "a_max": high}


@_row(np.where)
def _where(d: Draw) -> Given:
    a, b = _pair(d)
    shape = np.broadcast_shapes(
        *(np.shape(v.array if isinstance(v, Moving) else v) for v in (a, b))
    )
    return {"*": (d.rng.random(shape) < 0.5, a, b)}


@_row(np.reshape)
def _reshape(d: Draw) -> Given:
    x = d.moving((2, 3, 2))
    return {"a": x, "shape": d.one_of(12, -1, (3, 4), (2, -1), [4, 3]), "order": d.one_of("C", "F")}


@_row(np.ravel)
def _ravel(d: Draw) -> Given:
    return {"a": d.moving(d.shape()), "order": d.one_of("C", "K", "F")}


@_row(np.transpose)
def _transpose(d: Draw) -> Given:
    x = d.moving(d.shape())
    return {"a": x, "axes": d.one_of(None, tuple(map(int, d.rng.permutation(x.array.ndim))))}


@_row(np.swapaxes)
def _swapaxes(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    return {"a": x, "axis1": d.axis(x.array, False), "axis2": d.axis(x.array, False)}


@_row(np.moveaxis)
def _moveaxis(d: Draw) -> Given:
    x = d.moving(d.shape(2, 3))
    n = x.array.ndim
    ways = ((0, -1), (-1, 0), ((0, 1), (n - 1, 0)), ((1,), (0,)), ([0, -1], [1, 0]))
    source, destination = d.one_of(*ways)
    return {"a": x, "source": source, "destination": destination}


@_row(np.rollaxis)
def _rollaxis(d: Draw) -> Given:
    x = d.moving(d.shape(2, 3))
    return {"a": x, "axis": d.axis(x.array, False), "start": d.number(0, x.array.ndim)}


@_row(np.expand_dims)
def _expand(d: Draw) -> Given:
    return {"a": d.moving(d.shape()), "axis": d.one_of(0, -1, (0, 1))}


@_row(np.squeeze)
def _squeeze(d: Draw) -> Given:
    return {"a": d.moving(d.one_of((1, 2, 1), (1, 1), (1, 3))), "axis": d.one_of(None, 0)}


@_row(np.broadcast_to)
def _broadcast(d: Draw) -> Given:
    return {"array": d.moving(d.one_of((), (3,), (2, 1), (1, 3))), "shape": d.one_of((2, 3), (4, 2, 3)),
            "subok": False}  # fmt: skip


@_row(np.flip)
def _flip(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    return {"m": x, "axis": d.axes(x.array)}


ROWS[np.flipud] = lambda d: {"m": d.moving(d.shape(1, 3))}
ROWS[np.fliplr] = lambda d: {"m": d.moving(d.shape(2, 3))}


@_row(np.rot90)
def _rot(d: Draw) -> Given:
    return {"m": d.moving(d.shape(2, 3)), "k": d.number(-2, 5), "axes": d.one_of((0, 1), (1, 0))}


@_row(np.roll)
def _roll(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    axis = d.axis(x.array)
    return {"*": (x, d.number(-5, 5), axis)} if d.number(0, 2) else {"*": (x, (1, -2), (0, -1))}


@_row(np.tile)
def _tile(d: Draw) -> Given:
    return {"A": d.moving(d.shape()), "reps": d.one_of(2, (2, 1), (1, 2, 2), [3], 0)}


@_row(np.repeat)
def _repeat(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    axis = d.axis(x.array)
    n = x.array.size if axis is None else x.array.shape[axis]
    return {"*": (x, d.one_of(2, 0, [d.number(0, 3) for _ in range(n)]), axis)}


@_row(np.pad)
def _pad(d: Draw) -> Given:
    x = d.moving(tuple(n + 1 for n in d.shape(1, 2)))
    width = d.one_of(1, (1, 2), [(0, 1)] * x.array.ndim)
    mode = d.one_of("constant", "edge", "reflect", "symmetric", "wrap", "mean")
    more = {"constant_values": d.one_of(1.5, (1, 2))} if mode == "constant" else {}
    return {"*": (x, width, mode), **more}


@_row(np.zeros_like, np.ones_like)
def _like(d: Draw) -> Given:
    return {
        "a": d.moving(d.shape()),
        "dtype": d.one_of(None, np.float32, int),
        "order": "K",
        "subok": True,
    }


ROWS[np.full_like] = lambda d: {
    "a": d.moving(d.shape()),
    "fill_value": 1.5,
    "dtype": d.one_of(None, int),
}
ROWS[np.real] = lambda d: {"val": d.moving(d.shape())}
ROWS[np.copy] = lambda d: {"a": d.moving(d.shape()), "order": "K"}
ROWS[np.round] = lambda d: {"a": d.moving(d.shape()), "decimals": d.number(-1, 3), "out": None}
ROWS[np.around] = ROWS[np.round]
ROWS[np.fix] = lambda d: {"x": d.moving(d.shape())}
ROWS[np.sinc] = lambda d: {"x": d.moving(d.shape())}
ROWS[np.nan_to_num] = lambda d: {"x": d.moving(d.shape()), "copy": True, "nan": 1.0, "posinf": None}


@_row(np.concatenate)
def _concatenate(d: Draw) -> Given:
    shape = d.shape(1, 3)
    axis = d.number(-len(shape), len(shape) - 1)
    parts = [d.moving(shape), d.array(shape), d.moving(shape)][: d.number(1, 3)]
    return {"arrays": d.one_of(parts, tuple(parts)), "axis": d.one_of(axis, axis, None),
            "out": None, "dtype": d.one_of(None, np.float64)}  # fmt: skip


@_row(np.stack)
def _stack(d: Draw) -> Given:
    shape = d.shape(0, 2)
    return {"arrays": [d.moving(shape), d.moving(shape), d.array(shape)], "axis": d.number(-1, len(shape)),
            "dtype": None}  # fmt: skip


@_row(np.hstack, np.vstack, np.dstack, np.column_stack)
def _xstack(d: Draw) -> Given:
    shape = d.one_of((3,), (2, 3), (2, 2), (4, 1))
    return {"tup": [d.moving(shape), d.moving(shape), d.array(shape)]}


@_row(np.append)
def _append(d: Draw) -> Given:
    shape = d.shape(1, 2)
    return {"arr": d.moving(shape), "values": d.moving(shape), "axis": d.one_of(None, 0, -1)}


@_row(np.split, np.array_split)
def _split(d: Draw) -> Given:
    x = d.moving((4, 6))
    axis = d.number(-2, 1)
    return {"*": (x, d.one_of(2, [1, 3], (2,), 1), axis)}


@_row(np.hsplit, np.vsplit, np.dsplit)
def _hsplit(d: Draw) -> Given:
    return {"*": (d.moving((2, 4, 6)), d.one_of(2, [1]))}


ROWS[np.unstack] = lambda d: {"x": d.moving(d.shape(1, 3)), "axis": d.one_of(0, -1)}


@_row(np.dot)
def _dot(d: Draw) -> Given:
    k = d.number(1, 3)
    a = d.one_of((), (k,), (2, k), (2, 3, k))
    b = d.one_of((), (k,), (k, 2), (3, k, 2))
    return {"a": d.one_of(d.moving(a), d.moving(a), d.array(a)), "b": d.moving(b), "out": None}


@_row(np.inner)
def _inner(d: Draw) -> Given:
    k = d.number(1, 3)
    return {"a": d.moving(d.one_of((k,), (2, k), ())), "b": d.moving(d.one_of((k,), (3, k)))}


ROWS[np.vdot] = lambda d: {"a": d.moving((2, 3)), "b": d.moving(d.one_of((2, 3), (6,)))}
ROWS[np.outer] = lambda d: {"a": d.moving(d.shape(0, 2)), "b": d.moving(d.shape(0, 2)), "out": None}


@_row(np.tensordot)
def _tensordot(d: Draw) -> Given:
    way = d.number(0, 4)
    if way == 0:
        return {"a": d.moving((2, 3, 4)), "b": d.moving((3, 4, 2)), "axes": 2}
    if way == 1:
        return {
            "*": (
                d.moving((2, 3)),
                d.moving((3, 2)),
                d.one_of(1, ([1], [0]), ([0, 1], [1, 0]), ((0,), (1,))),
            )
        }
    if way == 2:
        return {"*": (d.moving((2, 3)), d.moving((2, 4)), (0, 0))}
    if way == 3:
        return {"*": (d.moving((2, 3)), d.moving((4,)), 0)}
    return {"*": (d.moving((2, 3, 4)), d.moving((4, 3)), ([2, 1], [0, -1]))}


ROWS[np.kron] = lambda d: {"a": d.moving(d.shape(1, 3)), "b": d.moving(d.shape(1, 2))}
ROWS[np.cross] = lambda d: {"a": d.moving(d.one_of((3,), (2, 3))), "b": d.moving(d.one_of((3,), (2, 3))),
                            "axis": -1}  # fmt: skip


# -- linear algebra ---------------------------------------------------------------------------------------


def _well_conditioned(d: Draw, shape: tuple[int, ...]) -> Array:
    return np.asarray(
        d.array(shape, -1, 1) * 0.4 + np.eye(shape[-2], shape[-1]) * d.one_of(-1.5, 1.5)
    )


def _square(d: Draw) -> tuple[int, ...]:
    n = d.number(1, 4)
    return (*d.shape(0, 2), n, n)


def _definite(d: Draw) -> Moving:
    """Symmetric and positive definite, its eigenvalues apart."""
    B = _well_conditioned(d, _square(d))
    return Moving(B @ np.swapaxes(B, -1, -2) + np.diag(np.arange(B.shape[-1])))


@_row(np.linalg.matrix_power)
def _matrix_power(d: Draw) -> Given:
    return {"a": Moving(_well_conditioned(d, _square(d))), "n": d.number(-4, 5)}


@_row(np.linalg.inv, np.linalg.det, np.linalg.slogdet)
def _inv(d: Draw) -> Given:
    return {"a": Moving(_well_conditioned(d, d.one_of(_square(d), _square(d), (2, 3))))}


@_row(np.linalg.solve)
def _solve(d: Draw) -> Given:
    A = _well_conditioned(d, _square(d))
    n = A.shape[-1]
    b = d.one_of((n,), (n, 2), (*A.shape[:-1], 3), (2, *A.shape[:-1], 1), A.shape[:-1], ())
    return {"a": d.one_of(Moving(A), Moving(A), A), "b": d.moving(b)}


@_row(np.linalg.cholesky)
def _cholesky(d: Draw) -> Given:
    return {"a": _definite(d), "upper": d.one_of(False, True)}


@_row(np.linalg.eigvalsh)
def _eigvalsh(d: Draw) -> Given:
    return {"a": _definite(d), "UPLO": d.one_of("L", "U", "l")}


@_row(np.linalg.eigh)
def _eigh(d: Draw) -> Given:
    return _eigvalsh(d)


@_row(np.linalg.pinv)
def _pinv(d: Draw) -> Given:
    A = Moving(_well_conditioned(d, (*d.shape(0, 2), d.number(1, 4), d.number(1, 4))))
    more: Given = d.one_of({"rcond": 1e-8}, {"rtol": d.one_of(None, 1e-6)})
    return {"a": A, "hermitian": False, **more}


@_row(np.linalg.multi_dot)
def _multi_dot(d: Draw) -> Given:
    lengths = [d.number(1, 4) for _ in range(d.number(3, 6))]
    shapes: list[tuple[int, ...]] = list(itertools.pairwise(lengths))
    if d.number(0, 1):
        shapes[0] = shapes[0][1:]
    if d.number(0, 1):
        shapes[-1] = shapes[-1][:1]
    return {"arrays": [d.moving(s) for s in shapes], "out": None}


@_row(np.vecdot)
def _vecdot(d: Draw) -> Given:
    shape = d.shape(1, 3)
    if d.number(0, 1):
        return {"a": d.moving(shape), "b": d.moving(shape), "k:axis": d.number(-len(shape), -1)}
    return {"a": d.moving(shape), "b": d.moving(shape[d.number(0, len(shape) - 1) :])}


@_row(np.linalg.vecdot)
def _linalg_vecdot(d: Draw) -> Given:
    shape = d.shape(1, 3)
    return {"x1": (x := d.moving(shape)), "x2": d.moving(shape), "axis": d.axis(x.array, False)}


ROWS[np.linalg.matmul] = lambda d: dict(zip(("x1", "x2"), _matmul(d).values(), strict=True))
ROWS[np.linalg.outer] = lambda d: {"x1": d.moving((3,)), "x2": d.moving(d.one_of((2,), (2, 2)))}
ROWS[np.linalg.cross] = lambda d: {"x1": d.moving((2, 3)), "x2": d.moving((2, 3)), "axis": -1}
ROWS[np.linalg.tensordot] = lambda d: {
    "x1": d.moving((2, 3, 4)), "x2": d.moving((3, 4, 2)), "axes": d.one_of(2, ([1, 2], [0, 1])),
}  # fmt: skip


@_row(np.linalg.diagonal, np.linalg.trace)
def _of_matrices(d: Draw) -> Given:
    return {"x": d.moving(d.one_of((3, 3), (2, 4), (2, 3, 4))), "offset": d.number(-1, 1)}


ROWS[np.matrix_transpose] = ROWS[np.linalg.matrix_transpose] = lambda d: {
    "x": d.moving(d.shape(2, 3))
}


@_row(np.linalg.vector_norm)
def _vector_norm(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    ord = d.one_of(2, 1, 3, 0.5, -1, np.inf, -np.inf, 0)
    return {"x": x, "axis": d.axes(x.array), "keepdims": d.one_of(False, True), "ord": ord}


@_row(np.linalg.matrix_norm)
def _matrix_norm(d: Draw) -> Given:
    ord = d.one_of("fro", 1, -1, np.inf, -np.inf, 2)
    return {"x": d.moving(d.shape(2, 3)), "keepdims": d.one_of(False, True), "ord": ord}


@_row(np.einsum)
def _einsum(d: Draw) -> Given:
    formulas = {
        "ij,jk->ik": ((2, 3), (3, 4)), "ij,jk": ((2, 3), (3, 4)), "ii": ((3, 3),), "ii->i": ((3, 3),),
        "ij->ji": ((2, 3),), "ij->": ((2, 3),), "i,j->ij": ((2,), (3,)), "i,i": ((3,), (3,)),
        "bij,bjk->bik": ((2, 3, 2), (2, 2, 3)), "...ij,...jk->...ik": ((2, 3, 2), (2, 2, 3)),
        "ij,j->i": ((2, 3), (3,)), "ij,kj->ik": ((2, 3), (4, 3)), 
        "bhqd,bhkd->bhqk": ((2, 2, 3, 2), (2, 2, 3, 2)),
        "ij,jk,kl->il": ((2, 3), (3, 2), (2, 3)), "i,ij,j->": ((2,), (2, 3), (3,)), "ba": ((2, 3),),
        "ij,ij->ij": ((2, 3), (2, 3)), "ijk->ik": ((2, 3, 2),), "...i->...": ((2, 3),),
        "iij->ij": ((2, 2, 3),),
        "i...,i...->...": ((2, 3), (2, 3)), "ij, jk -> ki": ((2, 3), (3, 4)), ",i->i": ((), (3,)),
        "...,...->...": ((2, 3), (3,)), "ijk,kl->ijl": ((2, 3, 2), (2, 4)), "i,i,i->i": ((3,), (3,), (3,)),
    }  # fmt: skip
    name = d.one_of(*formulas)
    return {"*": (name, *(d.moving(s) for s in formulas[name])), "optimize": d.one_of(False, True)}


@_row(np.take)
def _take(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    axis = d.axis(x.array)
    n = x.array.size if axis is None else x.array.shape[axis]
    ids = d.rng.integers(-n, n, d.shape(0, 2))
    return {
        "*": (x, d.one_of(ids, ids.tolist()), axis),
        "mode": d.one_of("raise", "wrap", "clip"),
        "out": None,
    }


@_row(np.take_along_axis)
def _along(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    axis = d.axis(x.array, False)
    shape = list(x.array.shape)
    n = shape[axis]
    shape[axis] = d.number(1, 4)
    return {"arr": x, "indices": d.rng.integers(-n, n, shape), "axis": axis} if axis != -1 else {
        "*": (x, d.rng.integers(-n, n, shape), axis)}  # fmt: skip


@_row(np.sort)
def _sort(d: Draw) -> Given:
    x = d.moving(d.shape(1, 3))
    return {"a": x, "axis": d.axis(x.array)}


ROWS[np.argsort] = _sort
ROWS[np.diag] = lambda d: {
    "v": d.moving(d.one_of((3,), (3, 3), (2, 4), (4, 2))),
    "k": d.number(-2, 2),
}


@_row(np.diagonal, np.trace)
def _diagonal(d: Draw) -> Given:
    x = d.moving(d.one_of((3, 3), (2, 4), (2, 3, 4)))
    a, b = (int(i) for i in d.rng.permutation(x.array.ndim)[:2])
    return {"*": (x, d.number(-2, 2), a, b)}


ROWS[np.tril] = ROWS[np.triu] = lambda d: {
    "m": d.moving(d.one_of((3, 3), (2, 4), (2, 3, 4))),
    "k": d.number(-2, 2),
}


@_row(np.atleast_1d, np.atleast_2d, np.atleast_3d)
def _atleast(d: Draw) -> Given:
    return {"*": [d.moving(d.shape()) for _ in range(d.number(1, 2))]}


ROWS[np.broadcast_arrays] = lambda d: {"*": [d.moving((2, 1)), d.moving((3,)), d.array((1, 3))]}
ROWS[np.shape] = ROWS[np.ndim] = ROWS[np.size] = lambda d: {"a": d.moving(d.shape())}
