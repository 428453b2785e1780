"""cr.grad, value_and_grad, jacobian, hessian by the chain rule; numerical_gradient by differences."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from chainrule.errors import DTypeError, RecordingError, SettingError, ShapeError, shown
from chainrule.graph.chain_rule import chain_rule
from chainrule.graph.functions import reshape, stack
from chainrule.graph.graph import Graph
from chainrule.graph.recording import differentiating
from chainrule.graph.trees import has_variable, is_numeric, leaves, mapped
from chainrule.graph.variable import Array, Parameter, Variable, apply, as_array, constant
from chainrule.lang.messages import Text, _, listed, sentences
from chainrule.nodes import Branch
from chainrule.nodes.base import Value

__all__ = ["grad", "hessian", "jacobian", "numerical_gradient", "value_and_grad"]

#: The argument to differentiate by: its position, its name, or a list of several.
Argument: TypeAlias = int | str | Sequence[int | str]


def grad(
    f: Callable[..., Value], argument: Argument = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """The function that gives ∂f/∂(argument), by the chain rule; f must give one number.

    `argument` is the position or the name of an argument, or a list of several. An argument may be a
    number, an array, or lists, tuples and dicts of arrays; its gradient comes in the same form.
    Whole numbers are taken as floats. With `has_aux`, f gives (number, more), and the gradient
    comes as (gradient, more).

    Arrays in, arrays out; Variables in, Variables out, so it composes to any order. A Variable
    that f uses without taking it as an argument is recorded, too, since the gradient depends on it; the
    parameters of layers are not (to differentiate by them next, pass a Variable). Of complex
    arrays it gives the derivative that analytic functions have.

    >>> import chainrule as cr, numpy as np
    >>> cube = lambda x: x ** 3
    >>> float(cr.grad(cube)(2.0)), float(cr.grad(cr.grad(cube))(2.0))
    (12.0, 12.0)
    >>> loss = lambda params, x: cr.sum((params["W"] @ x + params["b"]) ** 2)
    >>> gradient = cr.grad(loss)({"W": np.eye(2), "b": np.ones(2)}, np.array([1.0, 2.0]))
    >>> gradient["b"]
    array([4., 6.])
    """
    _refuse_values("cr.grad", f, argument)
    valued = value_and_grad(f, argument, has_aux=has_aux)

    def gradient(*args: Value, **kwargs: Value) -> Any:
        value, gradients = valued(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


def value_and_grad(
    f: Callable[..., Value], argument: Argument = 0, *, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]:
    """The function that gives the value of f and ∂f/∂(argument) at once; see `grad`.

    >>> import chainrule as cr
    >>> value, slope = cr.value_and_grad(lambda x, a: a * x ** 2)(3.0, a=2.0)
    >>> float(value), float(slope)
    (18.0, 12.0)
    """
    _refuse_values("cr.value_and_grad", f, argument)
    several = isinstance(argument, Sequence) and not isinstance(argument, str)
    arguments: Sequence[int | str] = argument if several else (argument,)  # type: ignore[assignment]

    def valued(*args: Value, **kwargs: Value) -> tuple[Any, Any]:
        run = _Run("cr.grad", f, arguments, args, kwargs)
        out, more = run.out, None
        if has_aux:
            out, more = _with_aux(out)
        out = _variable("cr.grad", out)
        if out.call is None and all(out is not v for v in leaves(run.chosen)):
            raise RecordingError(
                _(
                    "cr.grad: the function gave a Variable that nothing was computed for, so no gradient"
                    " flows back from it. Compute with the Variables that come in."
                )
            )
        if out.size != 1:
            raise ShapeError(
                _(
                    "cr.grad needs a function that gives one number; it gave shape {shape}. Reduce it first,"
                    " with cr.sum or cr.mean, or ask for cr.jacobian.",
                    shape=out.shape,
                )
            )
        gradients = run.gradients(out, [np.ones_like(out.data)])[0]
        grads = [mapped(lambda v: gradients.get(v) if isinstance(v, Variable) else None, tree)
                 for tree in run.chosen]  # fmt: skip
        value: Any = out if run.recorded else np.array(out.data)
        if has_aux:
            value = (value, more if run.recorded else mapped(_plain, more))
        return value, tuple(grads) if several else grads[0]

    return valued


def jacobian(f: Callable[..., Value], argument: int | str = 0) -> Callable[..., Any]:
    """The function that gives ∂fᵢ/∂xⱼ for every element of f's value and of the argument.

    The shape is that of the value and then that of the argument. It runs the backward pass
    once for each element of the value.

    >>> import chainrule as cr, numpy as np
    >>> cr.jacobian(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
    array([[3., 0., 1.],
           [0., 3., 2.]])
    """

    _refuse_values("cr.jacobian", f, argument)

    def rows(*args: Value, **kwargs: Value) -> Any:
        run = _Run("cr.jacobian", f, (argument,), args, kwargs)
        out = _variable("cr.jacobian", run.out)
        units = np.eye(out.size, dtype=out.dtype).reshape(out.size, *out.shape)
        by_element = run.gradients(out, list(units))

        def of(v: Any) -> Any:
            if not isinstance(v, Variable):
                return None
            parts = [row[v] for row in by_element]
            if not parts:
                return np.zeros((*out.shape, *v.shape), v.dtype)
            whole = reshape(stack(parts), (*out.shape, *v.shape))
            return whole if run.recorded else np.array(whole)

        return mapped(of, run.chosen[0])

    return rows


def hessian(f: Callable[..., Value], argument: int | str = 0) -> Callable[..., Any]:
    """The function that gives ∂²f/∂xᵢ∂xⱼ; f must give one number. The argument is one array.

    >>> import chainrule as cr, numpy as np
    >>> cr.hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 2.0]))
    array([[4., 6.],
           [6., 0.]])
    """
    _refuse_values("cr.hessian", f, argument)
    return jacobian(grad(f, argument), argument)


def _refuse_values(what: str, f: object, argument: object) -> None:
    """Raise if numbers were passed together with the function, or before it."""
    if not callable(f):
        raise SettingError(
            _(
                "{what}: f={f} must be a function. {what}(f) gives the function that is called with the"
                " numbers: {what}(f)(x).",
                what=what,
                f=shown(f, 40),
            )
        )
    parts = list(argument) if isinstance(argument, list | tuple) else [argument]
    whole = all(isinstance(p, str | int | np.integer) and not isinstance(p, bool) for p in parts)
    if not parts or not whole:
        raise SettingError(
            _(
                "{what}: argument={argument} must be the place (0, 1, ...) or the name of an argument of the"
                " function, or a list of several. To hand in the numbers, call what {what} gives:"
                " {what}(f)(x).",
                what=what,
                argument=shown(argument, 40),
            )
        )


class _Run:
    """One call of a function; its arguments to differentiate by are Variables."""

    def __init__(
        self,
        what: str,
        f: Callable[..., Value],
        wanted: Sequence[int | str],
        args: tuple[Value, ...],
        kwargs: dict[str, Value],
    ) -> None:
        #: Whether the arguments hold Variables, so that the results must be Variables, too.
        self.recorded = has_variable([list(args), kwargs])
        arguments: dict[int | str, Any] = dict(enumerate(args))
        arguments.update(kwargs)
        keys = [_key_of(what, f, argument, arguments) for argument in wanted]
        self.chosen: list[Any] = []
        for key in keys:
            self.chosen.append(mapped(_as_variables, arguments[key]))
            arguments[key] = mapped(lambda leaf: leaf, self.chosen[-1])  # f may change it
        if not any(isinstance(v, Variable) for v in leaves(self.chosen)):
            raise DTypeError(
                _(
                    "{what}: argument {keys} of the function holds no numbers; got {value}. Hand in a"
                    " number, an array, or lists and dicts of arrays.",
                    what=what,
                    keys=listed(map(repr, keys)),
                    value=shown(self.chosen[0]),
                )
            )
        with differentiating(what):
            self.out = f(
                *(arguments[i] for i in range(len(args))),
                **{name: arguments[name] for name in kwargs},
            )

    def gradients(self, out: Variable, seeds: Sequence[Array]) -> list[dict[Variable, Value]]:
        """For each seed, the gradients of the Variables to differentiate by, zeros included."""
        chosen = [v for v in leaves(self.chosen) if isinstance(v, Variable)]
        graph = Graph([out], inputs=chosen)
        mine = set(chosen)
        self.recorded = self.recorded or any(
            v.requires_grad and v not in mine and not isinstance(v, Parameter) for v in graph.inputs
        )
        results = []
        for seed in seeds:
            by_arrow: dict[Variable, Value]
            if self.recorded:
                by_arrow = chain_rule(
                    graph, constant(seed), lambda v: graph.origin.get(v, v), chosen
                )
            else:  # nothing is differentiated again: arrays are enough
                by_arrow = chain_rule(graph, seed, lambda v: v.data, chosen, in_place=True)
            grads = {v: by_arrow.get(v, np.zeros_like(v.data)) for v in chosen}
            # The caller may change the arrays: none is a view, or shared by two gradients.
            results.append(
                {v: constant(g) if self.recorded else np.array(g) for v, g in grads.items()}
            )
        return results


def _key_of(
    what: str, f: Callable[..., Value], wanted: int | str, arguments: dict[int | str, Any]
) -> int | str:
    """The position or the name by which a wanted argument was passed."""
    n = sum(isinstance(key, int) for key in arguments)
    if isinstance(wanted, int | np.integer) and not isinstance(wanted, bool):
        position = int(wanted) + (n if wanted < 0 else 0)
        if 0 <= position < n:
            return position
    elif wanted in arguments:
        return wanted
    elif isinstance(wanted, str):
        names = _names(f)
        if wanted in names and names.index(wanted) < n:
            return names.index(wanted)
    values = {"what": what, "argument": wanted, "count": n, "last": n - 1}
    names = [key for key in arguments if isinstance(key, str)]
    raise SettingError(
        sentences(
            _(
                "{what}: argument={argument!r} names none of the arguments that the function was called"
                " with: {count} by place (0 to {last}), and {names} by name.",
                **values,
                names=listed(names),
            )
            if names
            else _(
                "{what}: argument={argument!r} names none of the arguments that the function was called"
                " with: {count} by place (0 to {last}).",
                **values,
            ),
            _("Give the place or the name of one, or a list of several."),
        )
    )


def _names(f: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(f).parameters)
    except (TypeError, ValueError):  # some built-in callables have no signature
        return []


def _as_variables(leaf: Any) -> Any:
    """A leaf as a Variable to differentiate by; a leaf that is no number stays unchanged."""
    if isinstance(leaf, Variable):
        # A Variable of its own, so that f may use the same outer Variable elsewhere.
        return apply(Branch(1), leaf)[0] if leaf.dtype.kind in "fc" else leaf.astype(float)
    if not is_numeric(leaf):
        return leaf
    array = as_array(leaf)
    return Variable(array if array.dtype.kind in "fc" else array.astype(float), requires_grad=True)


def _plain(leaf: Any) -> Any:
    return np.array(leaf.data) if isinstance(leaf, Variable) else leaf


def _with_aux(out: Any) -> tuple[Any, Any]:
    if not isinstance(out, tuple) or len(out) != 2:
        raise RecordingError(
            _(
                "has_aux=True wants a function that gives (number, more); it gave {value}.",
                value=_described(out),
            )
        )
    return out


def _variable(what: str, out: Any) -> Variable:
    """The Variable that the function gave; an error if no gradient can flow back from it."""
    if isinstance(out, np.ndarray) and out.dtype == object and out.size == 1:
        out = out.item()
    if isinstance(out, Variable):
        return out
    if isinstance(out, tuple | list) and has_variable(out):
        raise RecordingError(
            _(
                "{what}: the function gave {value}. Give one Variable: join them with cr.stack or"
                " cr.concatenate, add them up, or return (number, more) with has_aux=True.",
                what=what,
                value=_described(out),
            )
        )
    raise RecordingError(
        _(
            "{what}: the function gave {value}, and no Variable, so no gradient flows back from it. Compute"
            " with the functions of chainrule or NumPy on the Variables that come in: cr.exp(x), not"
            " math.exp(x). What float(), int(), .item() and .data give is a plain number.",
            what=what,
            value=_described(out),
        )
    )


def _described(out: Any) -> Text | str:
    if out is None:
        return _("nothing (None; is the return missing?)")
    return f"{shown(out, 40)} ({type(out).__name__})"


def numerical_gradient(f: Callable[[Array], Any], x: Array, h: float | None = None) -> Array:
    """∂f/∂x by central differences, (f(x+h) - f(x-h)) / 2h, one element at a time.

    x is changed in place and restored, so f may also read an array that it holds itself, such
    as a layer's weights. The best `h`, the cube root of the dtype's precision (6e-6 for
    float64), is taken for each element's size unless one is given.

    >>> import numpy as np
    >>> numerical_gradient(lambda x: np.sum(x ** 2), np.array([1.0, 3.0])).round(6)
    array([2., 6.])
    """
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        none: Text = _("no dtype")
        raise DTypeError(
            _(
                "numerical_gradient needs a floating-point array; got {kind} of {dtype}. Use np.asarray(x,"
                " dtype=float).",
                kind=type(x).__name__,
                dtype=getattr(x, "dtype", none),
            )
        )
    gradient = np.zeros_like(x)
    step = float(np.finfo(x.dtype).eps) ** (1 / 3)
    for index in np.ndindex(x.shape):
        original = x[index].copy()
        width = h if h is not None else step * max(1.0, abs(float(original)))
        try:
            x[index] = original + width
            above, high = _number(f(x)), float(x[index])
            x[index] = original - width
            below, low = _number(f(x)), float(x[index])
        finally:
            x[index] = original
        gradient[index] = (above - below) / (high - low)
    return gradient


def _number(value: Any) -> float:
    return float(value.data if isinstance(value, Variable) else value)
