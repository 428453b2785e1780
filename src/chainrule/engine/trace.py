"""Tracing: running the code of nodes on stand-ins, to list the primitive operations it makes.

A `Traced` value has a shape and a dtype but no numbers. Running a node's own `forward` and
`backward` on Traced values records the NumPy calls they make: ufuncs, sums, products, views,
gathers. Equal calls are recorded once, and operations without effect (times 1, a condition that is
False) are left out. Engines read only the resulting `Trace`.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.lib.stride_tricks import as_strided

from chainrule.engine.operation import Operation
from chainrule.engine.primitives import VIEWS, WEAK, Array, Function, cast, filled, item, pick
from chainrule.errors import RecordingError
from chainrule.graph.reads import ArrayRead
from chainrule.graph.recording import Reads
from chainrule.lang.messages import _, listed
from chainrule.nodes.base import Value, ignore_fp_errors
from chainrule.nodes.indexing import add_at

__all__ = ["Trace", "Traced", "view_of"]


class Traced(Operation["Traced"], NDArrayOperatorsMixin):
    """A value of a later run: the primitive that computes it, its shape and its dtype.

    `function` is None for a leaf. A leaf with `array` is bound to that memory; one without
    is an argument of every run. `weak` values are Python numbers; `known` is the value of a constant.
    """

    __slots__ = (
        "_layout",
        "array",
        "known",
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
        dtype: npt.DTypeLike,
        *,
        name: str = "",
        array: Array | None = None,
        weak: bool = False,
        known: Any = None,
    ) -> None:
        super().__init__(function, args, kwargs, shape, np.dtype(dtype), name)
        self.trace, self.array, self.weak, self.known = trace, array, weak, known
        self._layout: Array | None = None

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The number of bytes."""
        return self.size * int(self.dtype.itemsize)

    @property
    def is_view(self) -> bool:
        """Whether the value is a view of its first operand."""
        return self.function in VIEWS or (self.function is pick and _is_basic(self.args[1]))

    @property
    def layout(self) -> Array | None:
        """The memory layout of the value, as an array to take views of, never to read.

        The results of operations are contiguous; a bound leaf has the layout of its array. None if
        it is known only at run time: for arguments, and views of them.
        """
        chain: list[Traced] = []
        value = self
        while value._layout is None and value.is_view:
            chain.append(value)
            value = value.args[0]
        layout = value._layout
        if layout is None:
            layout = value._layout = value._own_layout()
        for view in reversed(chain):
            layout = view._layout = None if layout is None else view_of(view, layout)
        return layout

    def _own_layout(self) -> Array | None:
        if self.function is None:
            return self.array
        sizes = itertools.accumulate(self.shape[:0:-1], operator.mul, initial=self.dtype.itemsize)
        strides = tuple(sizes)[::-1] if self.shape else ()
        return as_strided(np.zeros((), self.dtype), self.shape, strides)

    # Hashed by identity, since `==` of two values is an operation.
    __hash__ = object.__hash__

    def __getitem__(self, key: object) -> Traced:
        return self.trace.call(pick, self, key if isinstance(key, tuple) else (key,))

    def astype(self, dtype: npt.DTypeLike) -> Traced:
        """The same numbers in another dtype."""
        target = np.dtype(dtype)
        return self if self.dtype == target else self.trace.call(cast, self, target)

    def __bool__(self) -> bool:
        raise RecordingError(_("a node's text may not branch on a value: use np.where."))

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Value, **kwargs: object
    ) -> Traced:
        if method != "__call__" or kwargs:
            raise RecordingError(
                _(
                    "np.{name}.{method} with {arguments} cannot be traced.",
                    name=ufunc.__name__,
                    method=method,
                    arguments=kwargs,
                )
            )
        rule = self.trace.rules.get(ufunc)
        traced: Traced = self.trace.call(ufunc, *inputs) if rule is None else rule(*inputs)
        return traced

    def __array_function__(
        self, func: Function, types: object, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Value:
        if getattr(func, "opaque", False):
            return self.trace.outputs(func, *args, **kwargs)
        rules = self.trace.rules
        rule = rules.get(func)
        if rule is None:
            raise RecordingError(
                _(
                    "np.{name} cannot be traced. Known: {known}.",
                    name=getattr(func, "__name__", func),
                    known=listed(sorted(getattr(f, "__name__", "?") for f in rules)),
                )
            )
        return rule(self.trace, *args, **kwargs)


def view_of(view: Traced, source: Array) -> Array:
    """The view of a source array. If NumPy could only copy, it raises: the plan is wrong."""
    array: Array
    if view.function is np.reshape:
        array = np.reshape(source, view.args[1], copy=False)
    elif view.function is pick and view.ndim == 0:  # x[0] is a number, x[0, ...] a view
        array = source[(*(k for k in view.args[1] if k is not ...), ...)]
    else:
        assert view.function is not None
        array = view.function(source, *view.args[1:], **view.kwargs)
    return array


def _is_basic(key: tuple[object, ...]) -> bool:
    return not any(isinstance(part, Traced | np.ndarray | list) for part in key)


def _stand_in(value: object) -> Any:
    """An argument that NumPy treats like the value, to find the shape and dtype of a result."""
    if isinstance(value, Traced):
        if value.weak:
            return 1.0 if value.known is None else value.known
        number = np.zeros((), value.dtype)
        return np.ndarray(value.shape, value.dtype, number, 0, (0,) * len(value.shape))
    if isinstance(value, tuple):
        return tuple(map(_stand_in, value))
    if isinstance(value, list):
        return list(map(_stand_in, value))
    return value


class Trace:
    """Primitive operations, in the order of their first calls.

    `rules` map NumPy's functions to primitives, for the engine that will read the trace. A ufunc is one,
    unless it has a rule: a formula of others, for a reader that does not have it.
    """

    def __init__(self, rules: Mapping[Function, Function], reads: Reads | None = None) -> None:
        self.rules = rules
        #: Arrays whose contents were read, which the program does not read itself.
        self.reads: Reads = [] if reads is None else reads
        self._memo: dict[Hashable, Any] = {}
        self.values: list[Traced] = []

    # -- leaves ---------------------------------------------------------------------------

    def bind(self, array: Array, name: str) -> Traced:
        """A leaf bound to an array's memory, whatever that contains at run time."""
        return self._leaf(array.shape, array.dtype, name=name, array=array)

    def argument(self, shape: tuple[int, ...], dtype: npt.DTypeLike, name: str) -> Traced:
        """A leaf that is an argument of every run."""
        return self._leaf(shape, dtype, name=name)

    def bind_constant(self, array: Array) -> Traced:
        """A constant array that belongs to the user: its contents are read at every run."""
        key = ("held", id(array))
        if key not in self._memo:
            leaf = self._memo[key] = self.bind(array, "c")
            leaf.known = array
        value: Traced = self._memo[key]
        return value

    def number(self, name: str) -> Traced:
        """A Python number that is an argument of every run, such as the learning rate."""
        return self._leaf((), float, name=name, weak=True)

    def constant(self, value: Any, dtype: npt.DTypeLike | None = None) -> Traced:
        """A value that never changes: a Python number, or an array."""
        if isinstance(value, bool | int | float):
            key: Hashable = ("constant", type(value), repr(value), np.dtype(dtype or type(value)))
            if key not in self._memo:
                self._memo[key] = self._leaf((), dtype or type(value), weak=True, known=value)
            number: Traced = self._memo[key]
            return number
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
        constant: Traced = self._memo[key]
        return constant

    def _leaf(self, shape: tuple[int, ...], dtype: npt.DTypeLike, **more: Any) -> Traced:
        leaf = Traced(self, None, (), {}, shape, dtype, **more)
        self.values.append(leaf)
        return leaf

    # -- operations -----------------------------------------------------------------------

    def call(self, function: Function, *args: Value, **kwargs: Value) -> Traced:
        """The value of a primitive with one output: simplified if possible, recorded once."""
        args = tuple(self.lift(a, function) for a in args)
        if isinstance(function, np.ufunc):
            simple = self._simplified(function, args)
            if simple is not None:
                return simple
            if function is np.matmul:
                dtype = np.result_type(*(a.dtype for a in args))
                args = tuple(a.astype(dtype) for a in args)
                args = tuple(self.call(filled, a) if _is_repeated(a) else a for a in args)
        elif function in (pick, add_at):
            shape = args[0].shape if function is pick else args[2]
            args = (args[0], self._from_start(args[1], shape), *args[2:])
        value: Traced = self._record(function, args, kwargs)
        return value

    def outputs(self, function: Function, *args: Value, **kwargs: Value) -> Value:
        """The value of a function that engines do not look into; a tuple if it has several outputs."""
        return self._record(function, tuple(self.lift(a, function) for a in args), kwargs)

    def lift(self, arg: Value, function: Function) -> Value:
        """An argument as a traced value, if the function takes a value there."""
        if isinstance(arg, Traced):
            return arg
        if isinstance(function, np.ufunc) or isinstance(arg, np.ndarray):
            return self.constant(arg.item() if isinstance(arg, np.bool_) else arg)
        if isinstance(arg, list | tuple) and any(isinstance(a, Traced | np.ndarray) for a in arg):
            return type(arg)(self.lift(a, function) for a in arg)
        return arg

    def _from_start(self, key: Value, shape: tuple[int, ...]) -> tuple[Value, ...]:
        """The key with known negative indices counted from the start of their axis.

        An engine may treat x[a:b] as a part of x, which has another end.
        """
        parts = key if isinstance(key, tuple) else (key,)
        indexed = sum(part is not None and part is not Ellipsis for part in parts)
        new_key, axis = [], 0
        for part in parts:
            ids = part.known if isinstance(part, Traced) else None
            if isinstance(ids, np.ndarray) and ids.dtype.kind == "i" and (ids < 0).any():
                self.reads.append(ArrayRead(ids))
                part = self.constant(np.where(ids < 0, ids + shape[axis], ids))
            new_key.append(part)
            axis += len(shape) - indexed if part is Ellipsis else part is not None
        return tuple(new_key)

    def _record(
        self, function: Function, args: tuple[Value, ...], kwargs: dict[str, Value]
    ) -> Value:
        key = (function, _key(args), _key(tuple(sorted(kwargs.items()))))
        if key in self._memo:
            return self._memo[key]
        with ignore_fp_errors():
            run = getattr(function, "stand_in", function)
            out = run(*map(_stand_in, args), **kwargs)
        if isinstance(out, tuple):
            # Several outputs: one value for the call, and one for each item of its result.
            whole = Traced(self, function, args, kwargs, (len(out),), object)
            self.values.append(whole)
            result: Value = tuple(self._add(item, (whole, i), {}, o) for i, o in enumerate(out))
        else:
            weak = bool(args) and all(isinstance(a, Traced) and a.weak for a in args)
            result = self._add(function, args, kwargs, out)
            result.weak = weak
        self._memo[key] = result
        return result

    def _add(
        self, function: Function, args: tuple[Value, ...], kwargs: dict[str, Value], out: Value
    ) -> Traced:
        out = np.asarray(out)
        value = Traced(self, function, args, kwargs, out.shape, out.dtype)
        self.values.append(value)
        return value

    # -- simplification ---------------------------------------------------------------------

    def repeated(self, x: Traced, shape: tuple[int, ...]) -> Traced:
        """x repeated to the shape."""
        if x.shape == shape and not x.weak:
            return x
        if x.function is np.broadcast_to:
            x = x.args[0]
        value: Traced = self._record(np.broadcast_to, (x, shape), {})
        if x.weak:
            value.dtype = x.dtype
        return value

    def _simplified(self, ufunc: np.ufunc, args: tuple[Traced, ...]) -> Traced | None:
        if ufunc is np.matmul:
            return None
        if all(a.weak and a.known is not None for a in args):
            numbers = [a.known for a in args]
            # The operands of a node have one dtype; a wider one comes from a number in its code.
            real = [a.dtype for a in args if a.dtype.kind == "f"]
            dtype = min(real, key=lambda d: d.itemsize) if real else args[0].dtype
            with ignore_fp_errors():
                known = WEAK[ufunc](*numbers) if ufunc in WEAK else ufunc(*numbers).item()
            return self.constant(known, None if isinstance(known, bool) else dtype)
        shape = np.broadcast_shapes(*(a.shape for a in args))
        bare = tuple(a.args[0] if a.function is np.broadcast_to else a for a in args)
        pairs = list(zip(args, bare, strict=True))
        if all(b is not a or a.weak for a, b in pairs) and any(b is not a for a, b in pairs):
            # Every operand is broadcast: compute once, then broadcast.
            return self.repeated(self.call(ufunc, *bare), shape)
        # NumPy broadcasts by itself in an elementwise call.
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
        """The simple form of x · 1, x / 1, x - 0, x ** 2 and of known conditions, if it is one."""

        def is_known(x: Traced, number: int) -> bool:
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
            powers: dict[float, Callable[[], Traced]] = {
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


def _key(argument: object) -> Hashable:
    """A key that is equal for arguments with the same meaning."""
    if isinstance(argument, Traced | np.ndarray):
        return id(argument)
    if isinstance(argument, tuple | list):
        return (type(argument), *map(_key, argument))
    if isinstance(argument, slice):
        return ("slice", argument.start, argument.stop, argument.step)
    if isinstance(argument, bool | int | float):
        return (type(argument), repr(argument))
    return argument if isinstance(argument, Hashable) else id(argument)
