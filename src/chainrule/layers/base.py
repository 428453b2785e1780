"""What every layer is: a named expression with parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.errors import DTypeError, RecordingError, SettingError, ShapeError, shown
from chainrule.graph.variable import Parameter, Variable, current_recording
from chainrule.layers.initial import Fill, Seed, generator
from chainrule.layers.mode import is_training
from chainrule.nodes.base import Value, quiet

__all__ = ["Layer"]

Array = npt.NDArray[Any]


class Layer:
    """A named expression with parameters, under the chapter's contract.

    `params` and `grads` are lists in one order; `forward(x)` gives the output; `backward(dout)`
    gives dx and overwrites the arrays in `grads` in place, so the address of every parameter
    and every gradient stays the same for life.

    Write a layer by giving its `formula(x, *parameters)`; the backward pass follows from the
    nodes the formula is made of. Arrays in, arrays out; Variables in, Variables out.

    >>> import chainrule as cr, numpy as np
    >>> class Scale(cr.Layer):
    ...     def __init__(self, a):
    ...         super().__init__(a=a)
    ...     def formula(self, x, a):
    ...         return x * a
    >>> layer = Scale(np.array([2.0, 3.0]))
    >>> layer.forward(np.ones((1, 2)))
    array([[2., 3.]])
    >>> layer.backward(np.ones((1, 2))), layer.grads[0]
    (array([[2., 3.]]), array([1., 1.]))
    """

    #: Names of the numbers the layer was made with; changing one takes effect at the next run.
    settings: ClassVar[tuple[str, ...]] = ()
    #: Counts changes of settings in all layers, so that recorded plans know they are outdated.
    revision: ClassVar[int] = 0
    #: Whether the input is whole-number ids, which are not cast to the parameters' dtype.
    takes_ids: ClassVar[bool] = False

    def __init__(self, **parameters: npt.ArrayLike) -> None:
        self._parameters = {
            name: Parameter(_parameter_array(self, name, value), name)
            for name, value in parameters.items()
        }
        self._buffers: dict[str, Array] = {}
        self._fills: dict[str, Fill] = {}
        self._seed: Seed = None
        self._plans: dict[Any, Any] = {}
        self._run: tuple[Any, Any] | None = None

    # -- parameters -------------------------------------------------------------------------

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters by name, as Variables."""
        if self._fills:
            self.initialize(generator(self._seed))
        return self._parameters

    @property
    def params(self) -> list[Array]:
        """The parameter arrays."""
        return [p.data for p in self.parameters.values()]

    @property
    def grads(self) -> list[Array]:
        """The gradient arrays, in the order of `params`."""
        return [p.grad for p in self.parameters.values()]

    @property
    def buffers(self) -> dict[str, Array]:
        """Arrays that training writes but no gradient touches, such as running means."""
        return self._buffers

    @property
    def trainable(self) -> bool:
        """Whether training changes the parameters; set it to False to freeze the layer."""
        return all(p.trainable for p in self._parameters.values())

    @trainable.setter
    def trainable(self, on: bool) -> None:
        for parameter in self._parameters.values():
            parameter.trainable = bool(on)
        Layer.revision += 1

    def fill_later(self, fills: Mapping[str, Fill], seed: Seed) -> None:
        """Draw these parameters when a network adopts the layer, or at first use."""
        self._fills, self._seed = dict(fills), seed

    @property
    def waits_for_seed(self) -> bool:
        """Whether the first weights are still to be drawn, from the seed of a network."""
        return bool(self._fills) and self._seed is None

    def initialize(self, rng: np.random.Generator) -> None:
        """Draw the parameters that wait for it."""
        fills, self._fills = self._fills, {}
        for name, fill in fills.items():
            data = self._parameters[name].data
            data[...] = np.asarray(fill(rng, data.shape))

    def __getattr__(self, name: str) -> Any:
        # Only reached when ordinary lookup fails: layer.W, layer.b, layer.running_mean.
        for arrays in ("_parameters", "_buffers"):
            if name in self.__dict__.get(arrays, {}):
                return (
                    self.parameters[name].data if arrays == "_parameters" else self._buffers[name]
                )
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__.get("_parameters", {}) or name in self.__dict__.get(
            "_buffers", {}
        ):
            getattr(self, name)[...] = value  # the contents change, never the address
            return
        if name in type(self).settings and name in self.__dict__:
            Layer.revision += 1
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        sizes = [f"{n}: {'×'.join(map(str, p.shape))}" for n, p in self._parameters.items()]
        settings = [f"{name}={getattr(self, name)!r}" for name in type(self).settings]
        return f"{type(self).__name__}({', '.join(sizes + settings)})"

    # -- buffers ----------------------------------------------------------------------------

    def buffer(self, name: str) -> Variable:
        """The value of a buffer, to compute with inside `formula`."""
        recording = current_recording()
        if recording is None:
            return Variable(self._buffers[name].copy(), name, requires_grad=False)
        key = (self, name)
        if key in recording.written:
            return recording.written[key]
        if key not in recording.read:
            recording.read[key] = Variable(self._buffers[name], name, requires_grad=False)
        return recording.read[key]

    def write_buffer(self, name: str, value: Value) -> None:
        """What a buffer is to hold after this forward pass."""
        recording = current_recording()
        if recording is None:
            self._buffers[name][...] = value.data if isinstance(value, Variable) else value
        else:
            recording.written[(self, name)] = value

    # -- forward and backward -----------------------------------------------------------------

    def formula(self, x: Value, *parameters: Value) -> Value:
        """The layer as an expression of its input and its parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no formula")

    def variables(self) -> list[Variable]:
        """The parameters as the Variables to compute with."""
        return [p.recorded for p in self.parameters.values()]

    def record(self, x: Variable, *more: Any) -> Variable:
        """The output as a Variable, in the dtype of the parameters."""
        out: Variable = self.formula(self.entering(x), *self.variables(), *more)
        return out

    def entering(self, x: Variable) -> Variable:
        """x in the dtype the layer computes in: that of its parameters, else of x (ids: float64)."""
        if self.takes_ids:
            return x
        if self._parameters:
            return x.astype(next(iter(self._parameters.values())).dtype)
        return x if x.dtype.kind in "fc" else x.astype(np.float64)

    def __call__(self, x: Any, *more: Any) -> Any:
        return self.forward(x, *more)

    def forward(self, x: Any, *more: Any) -> Any:
        """The output for x, remembered for `backward`: an array for an array.

        What `more` may be (targets, say) is up to the layer.
        """
        if isinstance(x, Variable):
            return self.record(x, *more)
        return self.run_forward(as_numbers(x, self), *more)

    def run_forward(self, *inputs: Any) -> Any:
        """Run the plan for these shapes, made at their first use."""
        key = (
            *((a.shape, a.dtype) if a is not None else None for a in inputs),
            is_training(),
            Layer.revision,
        )
        plan = self._plans.get(key)
        if plan is None:
            from chainrule.engine.plans import plan_layer

            if len(self._plans) >= 16:
                self._plans.clear()
            plan = self._plans[key] = plan_layer(self, inputs)
        with quiet():
            out, saved = plan.forward(*(a for a in inputs if a is not None))
        self._run = (plan, saved)
        return out

    def backward(self, dout: Any = 1.0) -> Any:
        """dx for the latest `forward`; the arrays in `grads` are overwritten in place."""
        if self._run is None:
            raise RecordingError(
                f"{type(self).__name__}.backward() needs a forward() first, on an array."
            )
        plan, saved = self._run
        dout = np.asarray(dout, dtype=plan.dtype)
        if dout.shape != plan.shape:
            raise ShapeError(
                f"{type(self).__name__}.backward got dout of shape {dout.shape}; the latest"
                f" forward gave shape {plan.shape}, and the gradient of an array has its shape."
            )
        with quiet():
            return plan.backward(saved, dout)

    def forget(self) -> None:
        """Drop plans made for arrays that have moved."""
        self._plans.clear()
        self._run = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_plans": {}, "_run": None}


def _parameter_array(layer: Layer, name: str, value: npt.ArrayLike) -> Array:
    array = np.asarray(value)
    if array.dtype.kind != "f":
        raise DTypeError(
            f"{type(layer).__name__}: the parameter {name} must be a floating-point array, since"
            f" training moves it by small steps; got {array.dtype}. Use {name}.astype(float)."
        )
    if array.size == 0:
        raise ShapeError(
            f"{type(layer).__name__}: the parameter {name} is empty, of shape {array.shape}."
        )
    return array


def as_numbers(x: Any, owner: Any) -> Array:
    """x as an array of numbers, or one clear error."""
    if isinstance(x, np.ndarray) and x.dtype.kind in "fiub":
        if isinstance(x, np.ma.MaskedArray):
            raise DTypeError(
                f"{type(owner).__name__} got a masked array, whose mask would be lost."
                " Fill it first: x.filled(value)."
            )
        return x
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ShapeError(f"{type(owner).__name__} got rows of unequal length: {error}.") from None
    if (
        array.dtype.kind == "O"
        and array.size
        and all(isinstance(v, int | float) for v in array.flat)
    ):
        array = array.astype(float)
    if array.dtype.kind not in "fiub":
        raise DTypeError(
            f"{type(owner).__name__} needs an array of numbers; got dtype {array.dtype}"
            f" ({shown(x, 40)})."
        )
    return array


_Check = Callable[[Any], bool]


def positive_int(value: Any, name: str) -> int:
    """A whole number from 1, or a SettingError that names the setting."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise SettingError(f"{name}={shown(value)} must be a whole number from 1.")
    return int(value)


def fraction(value: Any, name: str) -> float:
    """A number from 0 to below 1, or a SettingError that names the setting."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not 0 <= value < 1:
        raise SettingError(f"{name}={shown(value)} must be a number from 0 to below 1.")
    return float(value)
