"""Tracing: the text of nodes, run on stand-ins, comes down to a list of primitive operations.

A `Traced` value has a shape and a dtype but no numbers. Running a node's own `forward` and
`backward` on Traced values writes down the NumPy calls they make: ufuncs, sums, products,
views, gathers. Equal calls are written once, and what is known beforehand (times 1, a
condition that is False) is left out. Engines read only the resulting `Trace`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from chainrule.errors import RecordingError
from chainrule.nodes.base import Value, primitive, quiet
from chainrule.nodes.indexing import add_at, chosen, replaced

__all__ = [
    "Trace",
    "Traced",
    "cast",
    "filled",
    "item",
    "pick",
    "put_flat",
    "take_flat",
    "take_rows",
]

Function = Callable[..., Any]


# -- primitives NumPy has no dispatching function for -------------------------------------


@primitive
def cast(x: Value, dtype: Any) -> Value:
    """x in another dtype."""
    return x.astype(dtype)


@primitive
def pick(x: Value, key: Any) -> Value:
    """x[key]."""
    return x[key]


@primitive
def take_rows(x: Value, rows: Value) -> Value:
    """x[rows] for row numbers that are known to exist: the gather of a mini-batch."""
    return x[rows]


@primitive
def take_flat(x: Value, places: Value) -> Value:
    """The elements of x at places counted row by row, which are known to exist."""
    return x.reshape(-1)[places]


@primitive
def put_flat(x: Value, places: Value, values: Value) -> Value:
    """x with other values at places counted row by row, which are known to exist."""
    out = x.copy()
    out.put(places, values)
    return out


@primitive
def filled(x: Value) -> Value:
    """x as an array of its own, where a repeated view would not do."""
    return np.ascontiguousarray(x)


@primitive
def item(values: Value, i: int) -> Value:
    """One of several outputs."""
    return values[i]


#: Functions that only look at the same memory differently.
VIEWS: frozenset[Function] = frozenset({np.reshape, np.transpose, np.broadcast_to})

#: The operators of numbers that have no dtype of their own, such as a learning rate.
WEAK: dict[np.ufunc, Callable[..., Any]] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.negative: operator.neg,
    np.power: operator.pow,
    np.equal: operator.eq,
    np.not_equal: operator.ne,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.sqrt: math.sqrt,
    np.logical_and: lambda a, b: bool(a and b),
    np.logical_or: lambda a, b: bool(a or b),
    np.logical_not: operator.not_,
}


class Traced(NDArrayOperatorsMixin):
    """A value that will be: the primitive that makes it, its shape and its dtype.

    `function` is None for a leaf. A leaf with `array` is bound to that memory; one without
    is given at every run. `weak` values are Python numbers, `known` those that never change.
    """

    __slots__ = (
        "args",
        "array",
        "dtype",
        "function",
        "known",
        "kwargs",
        "name",
        "shape",
        "trace",
        "weak",
    )

    def __init__(
        self,
        trace: Trace,
        function: Function | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        shape: tuple[int, ...],
        dtype: Any,
        *,
        name: str = "",
        array: npt.NDArray[Any] | None = None,
        weak: bool = False,
        known: Any = None,
    ) -> None:
        self.trace, self.function, self.args, self.kwargs = trace, function, args, kwargs
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.name, self.array, self.weak, self.known = name, array, weak, known

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes the value will take."""
        return self.size * int(self.dtype.itemsize)

    @property
    def operands(self) -> list[Traced]:
        """The Traced values among the arguments."""
        found: list[Traced] = []
        _collect((self.args, tuple(self.kwargs.values())), found)
        return found

    @property
    def is_view(self) -> bool:
        """Whether the value is another look at its first operand's memory."""
        return self.function in VIEWS or (self.function is pick and _is_basic(self.args[1]))

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        made = self.name if self.function is None else getattr(self.function, "__name__", "?")
        return f"<{made} {self.shape} {self.dtype}>"

    def __getitem__(self, key: Any) -> Traced:
        made: Traced = self.trace.call(pick, self, key if isinstance(key, tuple) else (key,))
        return made

    def astype(self, dtype: npt.DTypeLike) -> Traced:
        """The same numbers in another dtype."""
        wanted = np.dtype(dtype)
        made: Traced = self if self.dtype == wanted else self.trace.call(cast, self, wanted)
        return made

    def __bool__(self) -> bool:
        raise RecordingError("a node's text may not branch on a value: use np.where.")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            raise RecordingError(f"np.{ufunc.__name__}.{method} with {kwargs} cannot be traced.")
        return self.trace.call(ufunc, *inputs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if getattr(func, "opaque", False):
            return self.trace.call(func, *args, **kwargs)
        rule = _FUNCTIONS.get(func)
        if rule is None:
            raise RecordingError(
                f"np.{getattr(func, '__name__', func)} cannot be traced. Known: "
                f"{', '.join(sorted(getattr(f, '__name__', '?') for f in _FUNCTIONS))}."
            )
        return rule(self.trace, *args, **kwargs)


def _collect(given: Any, found: list[Traced]) -> None:
    if isinstance(given, Traced):
        found.append(given)
    elif isinstance(given, tuple | list):
        for part in given:
            _collect(part, found)


def _is_basic(key: tuple[Any, ...]) -> bool:
    return not any(isinstance(part, Traced | np.ndarray | list) for part in key)


def _stand_in(value: Any) -> Any:
    """Something that NumPy treats as it will treat the value: it tells the result's shape and dtype."""
    if isinstance(value, Traced):
        if value.weak:
            return 1.0 if value.known is None else value.known
        return np.broadcast_to(np.zeros((), value.dtype), value.shape)
    if isinstance(value, tuple):
        return tuple(map(_stand_in, value))
    if isinstance(value, list):
        return list(map(_stand_in, value))
    return value


class Trace:
    """Primitive operations, in the order they were first asked for."""

    def __init__(self) -> None:
        self._memo: dict[Hashable, Any] = {}
        self.values: list[Traced] = []

    # -- leaves ---------------------------------------------------------------------------

    def bind(self, array: npt.NDArray[Any], name: str) -> Traced:
        """A leaf that is this array's memory, whatever it will hold."""
        return self._leaf(array.shape, array.dtype, name=name, array=array)

    def argument(self, shape: tuple[int, ...], dtype: npt.DTypeLike, name: str) -> Traced:
        """A leaf that is given at every run."""
        return self._leaf(shape, dtype, name=name)

    def number(self, name: str) -> Traced:
        """A Python number that is given at every run, such as the learning rate."""
        return self._leaf((), float, name=name, weak=True)

    def constant(self, value: Any, dtype: npt.DTypeLike | None = None) -> Traced:
        """A value that never changes: a Python number, or an array."""
        if isinstance(value, bool | int | float):
            key: Hashable = ("constant", type(value), repr(value), np.dtype(dtype or type(value)))
            if key not in self._memo:
                self._memo[key] = self._leaf((), dtype or type(value), weak=True, known=value)
            found: Traced = self._memo[key]
            return found
        array = np.asarray(value)
        key = (
            "array",
            array.shape,
            array.dtype,
            array.tobytes() if array.size < 65536 else id(array),
        )
        if key not in self._memo:
            leaf = self._leaf(array.shape, array.dtype, name="c", array=array)
            leaf.known = array
            self._memo[key] = leaf
        known: Traced = self._memo[key]
        return known

    def _leaf(self, shape: tuple[int, ...], dtype: Any, **more: Any) -> Traced:
        leaf = Traced(self, None, (), {}, shape, dtype, **more)
        self.values.append(leaf)
        return leaf

    # -- operations -----------------------------------------------------------------------

    def call(self, function: Function, *args: Any, **kwargs: Any) -> Any:
        """The value of a primitive, simplified where it can be, written once where it repeats."""
        args = tuple(self._lift(a, function) for a in args)
        if isinstance(function, np.ufunc):
            simple = self._simplified(function, args)
            if simple is not None:
                return simple
            if function is np.matmul:
                args = tuple(self.call(filled, a) if _is_repeated(a) else a for a in args)
        elif function is filled and not _is_repeated(args[0]):
            return args[0]
        return self._record(function, args, kwargs)

    def _lift(self, arg: Any, function: Function) -> Any:
        if isinstance(arg, Traced):
            return arg
        if isinstance(function, np.ufunc) or isinstance(arg, np.ndarray):
            return self.constant(arg.item() if isinstance(arg, np.bool_) else arg)
        if isinstance(arg, list | tuple) and any(isinstance(a, Traced | np.ndarray) for a in arg):
            return type(arg)(self._lift(a, function) for a in arg)
        return arg

    def _record(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        key = (function, _key(args), _key(tuple(sorted(kwargs.items()))))
        if key in self._memo:
            return self._memo[key]
        with quiet():
            run = getattr(function, "stand_in", function)
            out = run(*map(_stand_in, args), **kwargs)
        if isinstance(out, tuple):
            # Several outputs: one value for the call, one for each item of it.
            whole = Traced(self, function, args, kwargs, (len(out),), object)
            self.values.append(whole)
            result: Any = tuple(self._made(item, (whole, i), {}, o) for i, o in enumerate(out))
        else:
            weak = bool(args) and all(isinstance(a, Traced) and a.weak for a in args)
            result = self._made(function, args, kwargs, out)
            result.weak = weak
        self._memo[key] = result
        return result

    def _made(self, function: Function, args: Any, kwargs: Any, out: Any) -> Traced:
        out = np.asarray(out)
        value = Traced(self, function, args, kwargs, out.shape, out.dtype)
        self.values.append(value)
        return value

    # -- what is known beforehand -----------------------------------------------------------

    def repeated(self, x: Traced, shape: tuple[int, ...]) -> Traced:
        """x repeated to the shape."""
        if x.shape == shape and not x.weak:
            return x
        if x.function is np.broadcast_to:
            x = x.args[0]
        made: Traced = self._record(np.broadcast_to, (x, shape), {})
        if x.weak:
            made.dtype = x.dtype
        return made

    def _simplified(self, ufunc: np.ufunc, args: tuple[Traced, ...]) -> Traced | None:
        if ufunc is np.matmul:
            return None
        if all(a.weak and a.known is not None for a in args) and ufunc in WEAK:
            dtype = args[0].dtype
            known = WEAK[ufunc](*(a.known for a in args))
            return self.constant(known, None if isinstance(known, bool) else dtype)
        shape = np.broadcast_shapes(*(a.shape for a in args))
        bare = tuple(a.args[0] if a.function is np.broadcast_to else a for a in args)
        pairs = list(zip(args, bare, strict=True))
        if all(b is not a or a.weak for a, b in pairs) and any(b is not a for a, b in pairs):
            # Every operand is repeated: compute once, then repeat.
            return self.repeated(self.call(ufunc, *bare), shape)
        # NumPy repeats by itself inside an elementwise call.
        slim = list(args)
        for i, b in enumerate(bare):
            trial = [*slim[:i], b, *slim[i + 1 :]]
            if b is not args[i] and np.broadcast_shapes(*(a.shape for a in trial)) == shape:
                slim = trial
        simple = self._identity(ufunc, slim, shape)
        if simple is None and any(a is not b for a, b in zip(slim, args, strict=True)):
            simple = self._record(ufunc, tuple(slim), {})
        return simple

    def _identity(
        self, ufunc: np.ufunc, args: list[Traced], shape: tuple[int, ...]
    ) -> Traced | None:
        """x · 1, x / 1, x - 0, x ** 2, and conditions that are settled."""

        def is_known(x: Traced, number: Any) -> bool:
            return x.weak and x.known is not None and x.known == number

        def same(x: Traced) -> Traced | None:
            return self.repeated(x, shape) if not x.weak else None

        if ufunc is np.multiply:
            for x, y in (args, args[::-1]):
                if is_known(y, 1):
                    return same(x)
        elif ufunc in (np.divide, np.subtract) and is_known(
            args[1], 1 if ufunc is np.divide else 0
        ):
            return same(args[0])
        elif ufunc is np.divide and is_known(args[0], 1) and args[1].dtype.kind == "f":
            inverse: Traced = self._record(np.reciprocal, (args[1],), {})
            return inverse
        elif ufunc is np.power and args[1].weak and not args[0].weak:
            x = args[0]
            powers: dict[Any, Callable[[], Traced]] = {
                1: lambda: x,
                2: lambda: self.call(np.multiply, x, x),
                0.5: lambda: self.call(np.sqrt, x),
                -1: lambda: self.call(np.divide, 1, x),
                -0.5: lambda: self.call(np.divide, 1, self.call(np.sqrt, x)),
            }
            if args[1].known in powers and x.dtype.kind == "f":
                return self.repeated(powers[args[1].known](), shape)
        elif ufunc in (np.logical_and, np.bitwise_and):
            for x, y in (args, args[::-1]):
                if y.weak and y.known is False:
                    return y
                if y.weak and y.known is True:
                    return same(x)
        return None


def _is_repeated(x: Traced) -> bool:
    while x.function in (np.transpose, np.reshape):
        x = x.args[0]
    return x.function is np.broadcast_to


def _key(given: Any) -> Hashable:
    if isinstance(given, Traced | np.ndarray):
        return id(given)
    if isinstance(given, tuple | list):
        return (type(given), *map(_key, given))
    if isinstance(given, slice):
        return ("slice", given.start, given.stop, given.step)
    if isinstance(given, bool | int | float):
        return (type(given), repr(given))
    return given if isinstance(given, Hashable) else id(given)


# -- NumPy's functions, brought to a few primitives ------------------------------------------


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
    condition, x, y = (trace._lift(v, np.add) for v in (condition, x, y))
    shape = np.broadcast_shapes(condition.shape, x.shape, y.shape)
    bare = condition.args[0] if condition.function is np.broadcast_to else condition
    if bare.weak and bare.known is not None:
        chosen = x if bare.known else y
        if not chosen.weak:
            return trace.repeated(chosen, shape)
    made: Traced = trace.call(np.where, condition, x, y)
    return made


def _reshape(trace: Trace, x: Traced, shape: Any) -> Traced:
    wanted = (shape,) if isinstance(shape, int) else tuple(shape)
    if x.weak:
        return trace.repeated(x, wanted) if wanted else x
    if x.function is np.reshape:
        x = x.args[0]
    if x.function is np.broadcast_to and x.args[0].size == 1 and not x.args[0].weak:
        return trace.repeated(_reshape(trace, x.args[0], ()), wanted)
    if x.function is np.broadcast_to and x.args[0].weak:
        return trace.repeated(x.args[0], wanted)
    made: Traced = x if x.shape == wanted else trace.call(np.reshape, x, wanted)
    return made


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
    return _reshape(trace, x, (*x.shape[:at], 1, *x.shape[at:]))


def _squeeze(trace: Trace, x: Traced, axis: Any = None) -> Traced:
    stand_in = np.broadcast_to(np.zeros(()), x.shape)
    return _reshape(trace, x, np.squeeze(stand_in, axis).shape)


def _broadcast_to(trace: Trace, x: Any, shape: tuple[int, ...]) -> Traced:
    return trace.repeated(trace._lift(x, np.add), tuple(shape))


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


_FUNCTIONS: dict[Function, Function] = {
    np.sum: _reduction(np.sum),
    np.prod: _reduction(np.prod),
    np.max: _reduction(np.max),
    np.min: _reduction(np.min),
    np.where: _where,
    np.reshape: _reshape,
    np.transpose: _transpose,
    np.swapaxes: _swapaxes,
    np.expand_dims: _expand_dims,
    np.squeeze: _squeeze,
    np.broadcast_to: _broadcast_to,
    np.concatenate: _joined(np.concatenate),
    np.stack: _joined(np.stack),
    np.shape: lambda trace, x: x.shape,
    add_at: _plain(add_at),
    chosen: _chosen,
    replaced: _replaced,
    cast: _plain(cast),
    take_rows: _plain(take_rows),
}
