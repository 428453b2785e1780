"""cr.grad, and numerical_gradient: derivatives of a function, by the chain rule and by differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import DTypeError, ShapeError
from chainrule.graph.chain_rule import chain_rule
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Array, Parameter, Variable, apply, constant
from chainrule.nodes import Branch
from chainrule.nodes.base import Value

__all__ = ["grad", "numerical_gradient"]


def grad(f: Callable[..., Value], argument: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The function that gives ∂f/∂(argument), by the chain rule; f must give one number.

    Arrays in, arrays out; Variables in, Variables out, so it composes to any order. A Variable
    that f uses without being handed it counts as well, since the gradient depends on it; the
    parameters of layers do not (to differentiate by them next, hand in a Variable). Of complex
    arrays it gives the derivative that analytic functions have.

    >>> import chainrule as cr
    >>> cube = lambda x: x ** 3
    >>> float(cr.grad(cube)(2.0)), float(cr.grad(cr.grad(cube))(2.0))
    (12.0, 12.0)
    """
    wanted = argument if isinstance(argument, tuple) else (argument,)

    def gradient(*args: Value) -> Any:
        recorded = any(isinstance(arg, Variable) for arg in args)
        inner = list(args)
        for i in wanted:
            # A Variable of its own, so that f may use the same outer Variable elsewhere.
            inner[i] = (
                apply(Branch(1), args[i])[0] if isinstance(args[i], Variable) else _float(args[i])
            )
        chosen = [inner[i] for i in wanted]
        chosen_set = set(chosen)
        out = f(*inner)
        found: dict[Variable, Value] = {}
        if isinstance(out, Variable):
            if out.size != 1:
                raise ShapeError(
                    f"cr.grad needs a function that gives one number; it gave shape {out.shape}."
                    " Reduce it first, with cr.sum or cr.mean."
                )
            graph = Graph([out], inputs=chosen)
            recorded = recorded or any(
                v.requires_grad and v not in chosen_set and not isinstance(v, Parameter)
                for v in graph.inputs
            )
            if recorded:
                seed = constant(np.ones_like(out.data))
                found = chain_rule(graph, seed, lambda v: graph.origin.get(v, v), chosen)
            else:  # nobody differentiates again: arrays are enough
                found = chain_rule(graph, np.ones_like(out.data), lambda v: v.data, chosen)
        grads = [found.get(v, np.zeros_like(v.data)) for v in chosen]
        # An array is handed out as the caller's own: no view, and shared with no other gradient.
        results = [constant(g) if recorded else np.array(g) for g in grads]
        return tuple(results) if isinstance(argument, tuple) else results[0]

    return gradient


def _float(arg: Value) -> Variable:
    array = np.asarray(arg)
    return Variable(array if array.dtype.kind in "fc" else array.astype(float), requires_grad=True)


def numerical_gradient(f: Callable[[Array], Any], x: Array, h: float | None = None) -> Array:
    """∂f/∂x by central differences, (f(x+h) - f(x-h)) / 2h, one element at a time.

    x is changed in place and put back, so f may also look at an array it already has, such
    as a layer's weights. The best `h`, the cube root of the dtype's precision (6e-6 for
    float64), is taken for each element's size unless one is given.

    >>> import numpy as np
    >>> numerical_gradient(lambda x: np.sum(x ** 2), np.array([1.0, 3.0])).round(6)
    array([2., 6.])
    """
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        raise DTypeError(
            f"numerical_gradient needs a floating-point array; got {type(x).__name__}"
            f" of {getattr(x, 'dtype', 'no dtype')}. Use np.asarray(x, dtype=float)."
        )
    gradient = np.zeros_like(x)
    step = float(np.finfo(x.dtype).eps) ** (1 / 3)
    for place in np.ndindex(x.shape):
        kept = x[place].copy()
        width = h if h is not None else step * max(1.0, abs(float(kept)))
        try:
            x[place] = kept + width
            up, high = _number(f(x)), float(x[place])
            x[place] = kept - width
            down, low = _number(f(x)), float(x[place])
        finally:
            x[place] = kept
        gradient[place] = (up - down) / (high - low)
    return gradient


def _number(value: Any) -> float:
    return float(value.data if isinstance(value, Variable) else value)
