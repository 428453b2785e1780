"""A hand-written layer, with the chapter's four members and no base class, as a node."""

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
from chainrule.layers.base import Layer, as_parameters, is_hand_written
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
    """The value with every hand-written layer in it as one of ours, which a network trains.

    Lists and dicts are changed in place, since what is put into them later is to be found, too.
    """
    if isinstance(value, list):
        for i, part in enumerate(value):
            if (made := wrapped(part)) is not part:
                value[i] = made
    elif isinstance(value, dict):
        for key, part in value.items():
            if (made := wrapped(part)) is not part:
                value[key] = made
    elif type(value) is tuple:
        parts = tuple(map(wrapped, value))
        return value if all(a is b for a, b in zip(parts, value, strict=True)) else parts
    elif is_hand_written(value) and not hasattr(type(value), "named_layers"):
        return OpaqueLayer(value)
    return as_parameters(value)


def in_float64(layer: Any) -> Any:
    """A copy of a hand-written layer that keeps its arrays in float64, for checks."""
    arrays = [*(layer.params or []), *(layer.grads or [])]
    # What deepcopy finds in its memo counts as copied: every reference becomes the new array.
    return copy.deepcopy(layer, {id(a): np.array(a, float) for a in arrays})


class _Use:
    """One place where a hand-written layer stands in a computation."""

    def __init__(self, layer: Any, out: Any) -> None:
        self.layer, self.shape, self.dtype = layer, out.shape, out.dtype

    def run(self, inputs: tuple[Any, ...]) -> Any:
        out = _apart(self.layer.forward, inputs)
        _latest[id(self.layer)] = self
        return out


def _apart(function: Callable[..., Any], inputs: tuple[Any, ...]) -> Any:
    """What a member of the layer gives, sharing no memory with anybody.

    By hand one may give back the very array that came in, or a look at it, write into it, keep it
    for the way back, or give the same array at every call. A step computes with all of them at once.
    """
    return np.array(function(*map(np.array, inputs)))


#: Which use of a layer ran last: `backward` belongs to that one. A use keeps its layer alive, so
#: an entry lasts no longer than the id it stands under.
_latest: WeakValueDictionary[int, _Use] = WeakValueDictionary()


@primitive
def layer_forward(use: _Use, *inputs: Value) -> Value:
    """The layer's own forward."""
    return use.run(inputs)


@primitive
def layer_backward(use: _Use, dout: Value, out: Value, *inputs: Value) -> Value:
    """The layer's own backward: dx, then a copy of every gradient it wrote."""
    if _latest.get(id(use.layer)) is not use:
        use.run(inputs)  # the layer stands elsewhere too, and remembers only its latest input
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


def _forward_stand_in(use: _Use, *inputs: Any) -> Any:
    return np.broadcast_to(np.zeros((), use.dtype), use.shape)


def _backward_stand_in(use: _Use, dout: Any, out: Any, *inputs: Any) -> Any:
    return (np.broadcast_to(np.zeros((), inputs[0].dtype), inputs[0].shape), *use.layer.params)


# An engine must not run the layer to learn a shape: it may count its calls.
for _function, _stand_in in (
    (layer_forward, _forward_stand_in),
    (layer_backward, _backward_stand_in),
):
    _function.stand_in = _stand_in  # type: ignore[attr-defined]
    _function.opaque = True  # type: ignore[attr-defined]


class Opaque(Node):
    """A hand-written layer's own forward and backward; first order only."""

    analytic = False

    def __init__(self, layer: Any, n_inputs: int = 1) -> None:
        self.layer, self.n_inputs = layer, n_inputs
        self.use: _Use | None = None

    def forward(self, x: Value, *rest: Value) -> Value:
        """What the layer's own forward gives; its parameters follow the inputs."""
        inputs = (x, *rest[: self.n_inputs - 1])
        if self.use is None:
            # A copy is asked for the first shape, so that recording leaves no trace in the layer.
            out = _apart(copy.deepcopy(self.layer).forward, inputs)
            self.use = _Use(self.layer, out)
            return out
        return layer_forward(self.use, *inputs)

    def backward(self, dout: Value) -> Value:
        """What the layer's own backward gives, and the gradients it wrote."""
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
        """In pictures it goes by the name of its class."""
        return self.label

    def float64_copy(self) -> Node:
        """A copy of the layer, in float64, that computes with the parameters it is handed."""
        return _Apart(in_float64(self.layer), self.n_inputs)

    @property
    def label(self) -> str:
        """The name of its class."""
        return type(self.layer).__name__

    def __repr__(self) -> str:
        return f"{self.label} (hand-written)"


class _Apart(Opaque):
    """A copy of a hand-written layer: its parameters are inputs like any other.

    Each run begins with the layer as it was, its random numbers included.
    """

    def forward(self, x: Value, *rest: Value) -> Value:
        """What the layer gives with these parameters."""
        more = self.n_inputs - 1
        layer = copy.deepcopy(self.layer)
        for own, given in zip(layer.params or [], rest[more:], strict=True):
            own[...] = given
        out = _apart(layer.forward, (x, *rest[:more]))
        self.use = _latest[id(layer)] = _Use(layer, out)
        return out

    def backward(self, dout: Value) -> Value:
        """What the layer's own backward gives, for the inputs and parameters of this node."""
        self.pure_forward(*self.inputs)
        return super().backward(dout)


class OpaqueLayer(Layer):
    """A hand-written layer in a network of ours: its arrays stay where they are."""

    _opaque = True

    def __init__(self, layer: Any) -> None:
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

    def _record(self, x: Variable, *more: Any) -> Variable:
        """The layer as one opaque node."""
        x = self._cast(x)
        node = Opaque(self.layer, 1 + len(more))
        with within(self):
            out: Variable = apply(node, x, *more, *self._variables())
        return self._register_output(out)

    def forward(self, x: Any, *more: Any) -> Any:
        """The layer's own forward for an array; a node for a Variable."""
        if isinstance(x, Variable):
            return self._record(x, *more)
        return self.layer.forward(x, *more)

    def backward(self, dout: Any = 1.0) -> Any:
        """The layer's own backward."""
        return self.layer.backward(dout)

    @property
    def label(self) -> str:
        """The name of the class that was written by hand."""
        return type(self.layer).__name__

    def __repr__(self) -> str:
        return f"{self.label} (hand-written)"
