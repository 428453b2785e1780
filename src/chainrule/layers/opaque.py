"""Hand-written layers as nodes: classes with the chapter's four members and no base class."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from chainrule.errors import RecordingError, ShapeError
from chainrule.graph.scopes import within
from chainrule.graph.variable import Parameter, Variable, apply
from chainrule.lang.messages import _
from chainrule.layers.base import (
    Array,
    HandWrittenLayer,
    Layer,
    as_parameters,
    is_hand_written,
)
from chainrule.nodes.base import Node, Value, primitive

__all__ = [
    "Opaque",
    "OpaqueLayer",
    "in_float64",
    "is_hand_written",
    "layer_backward",
    "layer_forward",
    "wrapped",
]


def wrapped(value: Any) -> Any:
    """The value, in which every hand-written layer is wrapped in an OpaqueLayer for training.

    Lists and dicts are changed in place, so that what is put into them later is found, too.
    """
    if isinstance(value, list | dict):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            if (new := wrapped(part)) is not part:
                value[key] = new
    elif type(value) is tuple:
        parts = tuple(map(wrapped, value))
        return value if all(a is b for a, b in zip(parts, value, strict=True)) else parts
    elif is_hand_written(value) and not hasattr(type(value), "named_layers"):
        return OpaqueLayer(value)
    return as_parameters(value)


def in_float64(layer: HandWrittenLayer) -> HandWrittenLayer:
    """A copy of a hand-written layer whose arrays are in float64, for checks."""
    arrays = [*(layer.params or []), *(layer.grads or [])]
    # With the new arrays in deepcopy's memo, every reference to an old one becomes the new one.
    return copy.deepcopy(layer, {id(a): np.array(a, float) for a in arrays})


class _Use:
    """One use of a hand-written layer in a computation."""

    def __init__(self, layer: HandWrittenLayer, out: Array) -> None:
        self.layer, self.shape, self.dtype = layer, out.shape, out.dtype

    def run(self, inputs: tuple[Array, ...]) -> Array:
        out = _call_with_copies(self.layer.forward, inputs)
        _latest[id(self.layer)] = self
        return out


def _call_with_copies(function: Callable[..., Array], inputs: tuple[Array, ...]) -> Array:
    """The result of a layer's method, called with copies and copied itself.

    A hand-written method may return its argument or a view of it, write into it, store it for the
    backward pass, or return the same array at every call; a step uses all these arrays at once.
    """
    return np.array(function(*map(np.array, inputs)))


#: The use of each layer (by its id) that ran last, which `backward` belongs to. A use keeps its
#: layer alive, so an entry lasts no longer than the id is valid.
_latest: WeakValueDictionary[int, _Use] = WeakValueDictionary()


@primitive
def layer_forward(use: _Use, *inputs: Value) -> Value:
    """The layer's own forward."""
    return use.run(inputs)


@primitive
def layer_backward(use: _Use, dout: Value, out: Value, *inputs: Value) -> Value:
    """The layer's own backward: dx, then a copy of every gradient that it wrote."""
    if _latest.get(id(use.layer)) is not use:
        use.run(inputs)  # the layer ran elsewhere since, and remembers only its latest input
    dx = use.layer.backward(np.array(dout))
    dx = np.zeros_like(inputs[0]) if dx is None else np.array(dx)
    if dx.shape != inputs[0].shape:
        raise ShapeError(
            _(
                "{layer}.backward gave dx of shape {dx} for an input of shape {x}; a gradient has the shape"
                " of its value.",
                layer=type(use.layer).__name__,
                dx=dx.shape,
                x=inputs[0].shape,
            )
        )
    return (dx, *(np.array(g) for g in use.layer.grads))


def _forward_stand_in(use: _Use, *inputs: Array) -> Array:
    return np.broadcast_to(np.zeros((), use.dtype), use.shape)


def _backward_stand_in(use: _Use, dout: Array, out: Array, *inputs: Array) -> tuple[Array, ...]:
    return (np.broadcast_to(np.zeros((), inputs[0].dtype), inputs[0].shape), *use.layer.params)


# An engine must not run the layer to find a shape, since the layer may count its calls.
for _function, _stand_in in (
    (layer_forward, _forward_stand_in),
    (layer_backward, _backward_stand_in),
):
    _function.stand_in = _stand_in  # type: ignore[attr-defined]
    _function.opaque = True  # type: ignore[attr-defined]


class Opaque(Node):
    """A node that runs a hand-written layer's own forward and backward; first derivatives only."""

    analytic = False

    def __init__(self, layer: HandWrittenLayer, n_inputs: int = 1) -> None:
        self.layer, self.n_inputs = layer, n_inputs
        self.use: _Use | None = None

    def forward(self, x: Value, *rest: Value) -> Value:
        """The output of the layer's own forward; `rest`: further inputs, then its parameters."""
        inputs = (x, *rest[: self.n_inputs - 1])
        if self.use is None:
            # A copy of the layer runs first, to find the shape, so that recording does not change it.
            out = _call_with_copies(copy.deepcopy(self.layer).forward, inputs)
            self.use = _Use(self.layer, out)
            return out
        return layer_forward(self.use, *inputs)

    def backward(self, dout: Value) -> Value:
        """The gradients of the inputs and parameters, by the layer's own backward."""
        if isinstance(dout, Variable) or self.use is None:
            raise RecordingError(
                _(
                    "{layer} is a hand-written layer: its backward works on arrays, so it has first"
                    " derivatives only. Write it as a Layer with a formula for higher ones.",
                    layer=type(self.layer).__name__,
                )
            )
        inputs = self.inputs[: self.n_inputs]
        dx, *grads = layer_backward(self.use, dout, self.out, *inputs)
        return (dx, *(None for each in inputs[1:]), *grads)

    @property
    def symbol(self) -> str:  # type: ignore[override]
        """The name of the layer's class, in pictures."""
        return self.label

    def float64_copy(self) -> Node:
        """A node with a float64 copy of the layer, which computes with the parameters given to it."""
        return _OpaqueCopy(in_float64(self.layer), self.n_inputs)

    @property
    def label(self) -> str:
        """The name of the layer's class."""
        return type(self.layer).__name__

    def __repr__(self) -> str:
        return f"{self.label} (hand-written)"


class _OpaqueCopy(Opaque):
    """A node with a copy of a hand-written layer, whose parameters are inputs like any other.

    Each run begins with the layer in its first state, its random numbers included.
    """

    def forward(self, x: Value, *rest: Value) -> Value:
        """The layer's output for these inputs and parameters."""
        more = self.n_inputs - 1
        layer = copy.deepcopy(self.layer)
        for own, parameter in zip(layer.params or [], rest[more:], strict=True):
            own[...] = parameter
        out = _call_with_copies(layer.forward, (x, *rest[:more]))
        self.use = _latest[id(layer)] = _Use(layer, out)
        return out

    def backward(self, dout: Value) -> Value:
        """The gradients by the layer's own backward, for the inputs and parameters of this node."""
        self.pure_forward(*self.inputs)
        return super().backward(dout)


class OpaqueLayer(Layer):
    """A hand-written layer in a chainrule network: its arrays keep their addresses."""

    _opaque = True

    def __init__(self, layer: HandWrittenLayer) -> None:
        super().__init__()
        self.layer = layer
        params, grads = list(layer.params or []), list(layer.grads or [])
        if len(params) != len(grads) or any(
            np.shape(p) != np.shape(g) for p, g in zip(params, grads, strict=True)
        ):
            raise ShapeError(
                _(
                    "{layer}: params and grads must be lists of arrays of the same shapes, in the same"
                    " order; got {params} and {grads}.",
                    layer=type(layer).__name__,
                    params=[np.shape(p) for p in params],
                    grads=[np.shape(g) for g in grads],
                )
            )
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            parameter = Parameter(p, f"p{i}", g)
            parameter.adopted = True
            self._parameters[f"p{i}"] = parameter

    def _record(self, x: Variable, *more: Value) -> Variable:
        """The layer as one opaque node."""
        x = self._cast(x)
        node = Opaque(self.layer, 1 + len(more))
        with within(self):
            out: Variable = apply(node, x, *more, *self._variables())
        return self._register_output(out)

    def forward(self, x: Value, *more: Value) -> Value:
        """The layer's own forward for an array; a node for a Variable."""
        if isinstance(x, Variable):
            return self._record(x, *more)
        return self.layer.forward(x, *more)

    def backward(self, dout: Value = 1.0) -> Value:
        """The layer's own backward."""
        return self.layer.backward(dout)

    @property
    def label(self) -> str:
        """The name of the hand-written class."""
        return type(self.layer).__name__

    def __repr__(self) -> str:
        return f"{self.label} (hand-written)"
