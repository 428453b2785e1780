"""What every node is: one operation, computed forwards and differentiated backwards."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.errors import ShapeError, missing_method
from chainrule.lang.messages import _, listed
from chainrule.nodes.notation import Letters, backward_words, forward_words, letters_of

__all__ = ["CALLED", "Array", "Node", "Value", "called", "ignore_fp_errors", "primitive"]

#: What flows along an arrow: an array, a Variable, or a value being traced by an engine.
#: The code of a node is the same for all three.
Value: TypeAlias = Any

#: An array of any dtype.
Array: TypeAlias = npt.NDArray[Any]


def ignore_fp_errors() -> np.errstate:
    """The one floating-point setting under which nodes compute.

    Overflow to infinity is often the right intermediate (the sigmoid of -1000), so it makes
    no warning here; a non-finite result is reported by the checker and by training.
    """
    return np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore")


class Node:
    """One operation of a computation, such as `Mul` or `Sum`.

    Write a node by giving `forward(*inputs)` and `backward(dout)` in NumPy calls and
    operators. `backward` may read `self.inputs` and `self.outputs` (both remembered by
    `forward`) and returns one gradient per input, None where there is none. Because both
    are plain NumPy text, the same lines run on arrays, on Variables (so gradients can be
    differentiated again) and while an engine traces them.

    With a `formula` and `gradients` it has words: steps and explanations say them with the names or
    numbers of its arrows. What they mean is in `chainrule.nodes.notation`.

    >>> from chainrule.nodes import Mul
    >>> mul = Mul()
    >>> mul.forward(2.0, 3.0)
    6.0
    >>> mul.backward(1.0)
    (3.0, 2.0)
    >>> mul.formula, mul.gradients
    ('z = x · y', {'x': 'dz · y', 'y': 'dz · x'})
    """

    #: What it computes, such as `z = x · y`: the letters are the names of forward's arguments.
    formula: ClassVar[str] = ""
    #: How `forward` computes it, where that is not the formula.
    how: ClassVar[str] = ""
    #: How the gradient of each input is computed, by its letter: `{"x": "dz · y", "y": "dz · x"}`.
    gradients: ClassVar[Mapping[str, str]] = {}
    #: Why they are so, such as `∂z/∂x = y and ∂z/∂y = x`.
    why: ClassVar[str] = ""
    #: How a drawing labels the node.
    symbol: ClassVar[str] = ""
    #: Elementwise nodes take inputs of one shape; in a recorded graph a `Repeat` provides it.
    elementwise: ClassVar[bool] = False
    #: False where the output is constant in the inputs wherever it has a derivative.
    differentiable: ClassVar[bool] = True
    #: False where the code takes real numbers only, so that a complex step cannot check it.
    analytic: ClassVar[bool] = True

    #: Whether the operation is an analytic function, which also has a complex derivative.
    holomorphic: ClassVar[bool] = True

    inputs: tuple[Value, ...] = ()
    outputs: tuple[Value, ...] = ()
    #: Which inputs need a gradient; None: all.
    asked: tuple[bool, ...] | None = None

    #: `forward` as the class defines it, which remembers nothing; recording and tracing call it.
    pure_forward: ClassVar[Callable[..., Value]]
    #: `backward` as the class defines it.
    pure_backward: ClassVar[Callable[..., Value]]
    #: The letters of its formulas, checked when the class is defined.
    letters: ClassVar[Letters] = Letters()

    def forward(self, *inputs: Value) -> Value:
        """Compute the output from the inputs."""
        raise missing_method(self, "forward(self, x)")

    def backward(self, *douts: Value) -> Value:
        """Compute the gradient of every input from the gradient of the output."""
        raise missing_method(self, "backward(self, dy)")

    def decompose(self, *inputs: Value) -> Value:
        """The same operation by simpler nodes, as a textbook writes it; None if there are none.

        It gives the numbers of `forward` wherever none of its steps overflows. Where `forward` is
        already written so, declare `decompose = forward`.
        """
        return None

    def float64_copy(self) -> Node:
        """The same operation in float64, for checks; running it leaves this node unchanged."""
        return self.bound((), ())

    @property
    def label(self) -> str:
        """The name of the operation for people."""
        return type(self).__name__

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = cls.__dict__
        if "forward" in own:
            if getattr(cls, "pure_forward", Node.forward) is not Node.forward:
                _reset(cls, "formula", "how", "gradients", "why", "decompose")
            cls.pure_forward = own["forward"]
        if "backward" in own:
            if getattr(cls, "pure_backward", Node.backward) is not Node.backward:
                _reset(cls, "gradients", "why")
            cls.pure_backward = own["backward"]
        for way in ("forward", "backward"):
            if not hasattr(cls, f"pure_{way}"):  # those of Node, which say what is missing
                setattr(cls, f"pure_{way}", getattr(Node, way))
        cls.letters = letters_of(
            cls,
            None if cls.pure_forward is Node.forward else cls.pure_forward,
            None if cls.pure_backward is Node.backward else cls.pure_backward,
        )
        if "forward" in own:
            setattr(cls, "forward", _wrapped_forward(cls))  # noqa: B010 - mypy: a method is replaced
        if "backward" in own:
            setattr(cls, "backward", _wrapped_backward(cls))  # noqa: B010

    def bound(self, inputs: tuple[Value, ...], outputs: tuple[Value, ...]) -> Self:
        """The same operation with other remembered values (what `backward` will read)."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, inputs=inputs, outputs=outputs)
        return other

    def __call__(self, *inputs: Value) -> Value:
        """`forward(*inputs)`."""
        return self.forward(*inputs)

    def _one_shape(self, inputs: tuple[Value, ...]) -> None:
        shapes = {np.shape(v) for v in inputs if not isinstance(v, _NUMBERS)}
        if len(shapes) > 1:
            raise ShapeError(
                _(
                    "{node} works element by element on inputs of one shape; got {shapes}. Put a Repeat"
                    " node before it, or use Variables or the function of the same name, which do that"
                    " by themselves.",
                    node=type(self).__name__,
                    shapes=listed(map(np.shape, inputs), "and"),
                )
            )

    def asks(self, i: int) -> bool:
        """Whether the gradient of input i is needed; that of a constant is not."""
        return self.asked is None or self.asked[i]

    @property
    def out(self) -> Value:
        """The remembered output."""
        return self.outputs[0]

    def hyperparameters(self) -> dict[str, object]:
        """The settings of the node, such as an axis."""
        return {k: v for k, v in self.__dict__.items() if k not in ("inputs", "outputs", "asked")}

    def __repr__(self) -> str:
        inside = ", ".join(f"{k}={v!r}" for k, v in self.hyperparameters().items())
        return f"{type(self).__name__}({inside})"


#: Python numbers, which have no shape and no dtype of their own.
_NUMBERS = (bool, int, float, complex)


def _like(dout: Value, out: Value) -> Value:
    """A gradient given as a plain number or list, as an array in the dtype of the output."""
    if isinstance(dout, int | float | list) and isinstance(out, np.ndarray | np.generic):
        return np.asarray(dout, dtype=out.dtype if out.dtype.kind in "fc" else None)
    return dout


def _reset(kind: type[Node], *names: str) -> None:
    """Reset inherited declarations: they describe a method that the class replaces."""
    for name in names:
        if name not in kind.__dict__:
            setattr(kind, name, getattr(Node, name))


def _wrapped_forward(kind: type[Node]) -> Callable[..., Value]:
    """The public `forward`: checked inputs, remembered for `backward`; Variables record it."""
    pure = kind.pure_forward

    @functools.wraps(pure)
    def forward(self: Node, *inputs: Value) -> Value:
        for value in inputs:
            # A Variable records the node instead of computing at once.
            record = getattr(type(value), "__chainrule_apply__", None)
            if record is not None:
                return record(self, *inputs)
        inputs = tuple(v if isinstance(v, _NUMBERS) else np.asarray(v) for v in inputs)
        if self.elementwise:
            self._one_shape(inputs)
        with ignore_fp_errors():
            out = pure(self, *inputs)
        self.inputs = inputs
        self.outputs = out if isinstance(out, tuple) else (out,)
        return out

    forward.__doc__ = pure.__doc__ or forward_words(kind)
    return forward


def _wrapped_backward(kind: type[Node]) -> Callable[..., Value]:
    """The public `backward`: plain numbers become arrays, and overflow makes no warning."""
    pure = kind.pure_backward

    @functools.wraps(pure)
    def backward(self: Node, *douts: Value) -> Value:
        gradients = (_like(dout, out) for dout, out in zip(douts, self.outputs, strict=True))
        with ignore_fp_errors():
            return pure(self, *gradients)

    backward.__doc__ = pure.__doc__ or backward_words(kind)
    return backward


def primitive(function: Callable[..., Value]) -> Callable[..., Value]:
    """Let a function of our own dispatch through NumPy's protocol, as `np.sum` does.

    Any argument that is not an array but has `__array_function__` (a Variable, a traced
    value) takes over, with the decorated function as the key.
    """

    @functools.wraps(function)
    def dispatching(*args: Value, **kwargs: Value) -> Value:
        for arg in args:
            if hasattr(arg, "__array_function__") and not isinstance(arg, np.ndarray | np.generic):
                return arg.__array_function__(dispatching, (type(arg),), args, kwargs)
        return function(*args, **kwargs)

    return dispatching


#: The primitives that engines call as functions, since they have no loops for them.
CALLED: list[Callable[..., Value]] = []


def called(like: Callable[..., Value]) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Decorate a primitive that only Python can compute, such as one of LAPACK or of `math`.

    `like` gives zeros of the shape and dtype of each result. An engine plans with these, because the
    function itself may fail on zeros (which have no inverse).
    """

    def decorate(function: Callable[..., Value]) -> Callable[..., Value]:
        dispatching = primitive(function)
        dispatching.stand_in = like  # type: ignore[attr-defined]
        CALLED.append(dispatching)
        return dispatching

    return decorate
