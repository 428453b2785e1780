"""Layer, the base class of all layers: a named expression with parameters."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, TypeAlias, TypeGuard
from weakref import ReferenceType

import numpy as np
import numpy.typing as npt

from chainrule.engine.cache import ProgramCache
from chainrule.engine.plans import LayerPlan, plan_layer
from chainrule.errors import (
    DTypeError,
    RecordingError,
    SettingError,
    ShapeError,
    forgotten_init,
    missing_method,
)
from chainrule.graph.data import as_numbers
from chainrule.graph.mode import is_training
from chainrule.graph.reads import outdated
from chainrule.graph.recording import current_recording
from chainrule.graph.revisions import Revision
from chainrule.graph.scopes import within
from chainrule.graph.variable import Parameter, Variable, apply
from chainrule.lang.messages import _, listed, says
from chainrule.layers.initial import Fill, Seed, generator
from chainrule.nodes.base import Node, Value
from chainrule.settings import Check, positive

__all__ = [
    "Array",
    "Arrays",
    "Container",
    "HandWrittenLayer",
    "Layer",
    "SeedOwner",
    "as_parameters",
    "dotted",
    "is_hand_written",
    "layers_in",
    "networks_in",
    "refill",
]

Array: TypeAlias = npt.NDArray[Any]
#: A list or dict in an attribute, in which layers may be.
Container: TypeAlias = list[object] | dict[object, object]


class SeedOwner(Protocol):
    """A network, as its layers know it: its seed draws their first weights."""

    def _draw_weights(self) -> object:
        """Draw the first weights of all its layers."""


class HandWrittenLayer(Protocol):
    """A layer under the chapter's contract, of a class without base class."""

    @property
    def params(self) -> Sequence[Array]:
        """The parameter arrays."""

    @property
    def grads(self) -> Sequence[Array]:
        """Their gradients, in the same order."""

    @property
    def forward(self) -> Callable[..., Array]:
        """Gives the output."""

    @property
    def backward(self) -> Callable[..., Array | None]:
        """Gives dx, and overwrites the gradients."""


class Layer:
    """A named expression with parameters, under the chapter's contract.

    `params` and `grads` are lists in the same order; `forward(x)` gives the output; `backward(dout)`
    gives dx and overwrites the arrays in `grads` in place, so the address of every parameter
    and gradient never changes.

    To write a layer, define its `formula(x, *parameters)`; the backward pass follows from the
    nodes of the formula. Arrays give arrays, Variables give Variables. Layers in its attributes,
    which the formula may call, are trained with it.

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

    #: The layer's settings by name, each with the check (see `chainrule.settings`) that runs whenever
    #: it is set; a change takes effect at the next run.
    hyperparameters: ClassVar[Mapping[str, Check]] = {}
    #: Whether it wraps a hand-written layer.
    _opaque: ClassVar[bool] = False
    #: Whether the input is integer ids, which are not cast to the parameters' dtype.
    takes_ids: ClassVar[bool] = False

    def __init__(self, **parameters: npt.ArrayLike) -> None:
        self._parameters = {
            name: Parameter(_parameter_array(self, name, value), name)
            for name, value in parameters.items()
        }
        _one_dtype(self)
        self._buffers: dict[str, Array] = {}
        self._fills: dict[str, Fill] = {}
        self._seed: Seed = None
        #: The network whose seed draws the first weights.
        self._seed_owner: ReferenceType[SeedOwner] | None = None
        #: A draw outside any network, which a network may repeat: the fills, and the digest after it.
        self._unseeded_draw: tuple[dict[str, Fill], bytes] | None = None
        self._plans: ProgramCache[LayerPlan] = ProgramCache(16)
        #: Counts the changes of the layer and of layers in it, which make recordings outdated.
        self._revision = Revision()
        #: The plan of the latest forward pass, and the values it saved for the backward pass.
        self._latest_run: tuple[LayerPlan, tuple[object, ...]] | None = None

    # -- parameters -------------------------------------------------------------------------

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters by name, as Variables."""
        if self._fills:
            self._draw_weights()
        return self._parameters

    def named_parameters(self) -> dict[str, Parameter]:
        """The layer's own parameters by name, and those of layers in it, such as "table.W"."""
        return {
            dotted(path, name): parameter
            for path, layer in self.named_layers()
            for name, parameter in layer.parameters.items()
        }

    def named_layers(self) -> list[tuple[str, Layer]]:
        """The layer, named "", and every layer in its attributes, such as "table" or "heads.0"."""
        layers: dict[int, tuple[str, Layer]] = {}
        layers_in("", self, layers)
        return list(layers.values())

    @property
    def params(self) -> list[Array]:
        """The parameter arrays: the layer's own, then those of layers in it."""
        return Arrays(p.data for p in self.named_parameters().values())

    @property
    def grads(self) -> list[Array]:
        """The gradient arrays, in the order of `params`."""
        return Arrays(p.grad for p in self.named_parameters().values())

    @property
    def buffers(self) -> dict[str, Array]:
        """Arrays that training writes but no gradient touches, such as running means."""
        return self._buffers

    @property
    def label(self) -> str:
        """The layer's name in pictures and messages."""
        return type(self).__name__

    @property
    def trainable(self) -> bool:
        """Whether training changes the parameters; set it to False to freeze the layer."""
        own = (p for _, layer in self.named_layers() for p in layer._parameters.values())
        return all(p.trainable for p in own)

    @trainable.setter
    def trainable(self, on: bool) -> None:
        for _path, layer in self.named_layers():
            for parameter in layer._parameters.values():
                parameter.trainable = bool(on)
            layer._revision.change()

    @property
    def lr_factor(self) -> float | None:
        """The factor of the learning rate for the parameters; None if they have different ones.

        Set it to 0.1, say, for a pretrained layer that should learn more slowly. It works with
        every optimizer, and scales the shrinking of `weight_decay` too.
        """
        own = {p.lr_factor for _, layer in self.named_layers() for p in layer._parameters.values()}
        return next(iter(own)) if len(own) == 1 else None if own else 1.0

    @lr_factor.setter
    def lr_factor(self, factor: float | None) -> None:
        factor = positive(factor, _("{owner}: {name}", owner=type(self).__name__, name="lr_factor"))
        for _path, layer in self.named_layers():
            for parameter in layer._parameters.values():
                parameter.lr_factor = factor
            layer._revision.change()

    def _init_later(self, fills: Mapping[str, Fill], seed: Seed) -> Self:
        """This layer, whose parameters `fills` are drawn when a network adopts it, or at first use."""
        self._fills, self._seed = dict(fills), seed
        return self

    @property
    def _needs_seed(self) -> bool:
        """Whether the first weights are still to be drawn from the seed of a network."""
        if self._unseeded_draw is not None and self._digest() == self._unseeded_draw[1]:
            # Drawn but unchanged since: the network draws again.
            self._fills = self._unseeded_draw[0]
        self._unseeded_draw = None
        return bool(self._fills) and self._seed is None

    def _draw_weights(self) -> None:
        """Draw the pending first weights now, since they are read: from the seed of the network.

        A layer in no network and without a seed of its own draws from the system; a network that it is
        put into later draws again, so that its seed gives the same bits whatever was read before.
        """
        owner = None if self._seed_owner is None else self._seed_owner()
        if owner is not None and self._seed is None:
            owner._draw_weights()
        if self._fills:
            fills = self._fills
            self.initialize(generator(self._seed))
            if self._seed is None:
                self._unseeded_draw = fills, self._digest()

    def _digest(self) -> bytes:
        digest = hashlib.blake2b()
        for parameter in self._parameters.values():
            digest.update(parameter.data.tobytes())
        return digest.digest()

    def initialize(self, rng: np.random.Generator) -> None:
        """Draw the pending parameters from a generator."""
        for name, fill in self._fills.items():
            data = self._parameters[name].data
            drawn = np.asarray(fill(rng, data.shape))
            if drawn.shape != data.shape:
                raise ShapeError(
                    _(
                        "{layer}: the function init gave an array of shape {given} for {name}, which has"
                        " shape {shape}.",
                        layer=type(self).__name__,
                        given=drawn.shape,
                        name=name,
                        shape=data.shape,
                    )
                )
            data[...] = drawn
        self._fills = {}

    def __getattr__(self, name: str) -> Any:
        # Only reached when ordinary lookup fails: layer.W, layer.b, layer.running_mean.
        for arrays in ("_parameters", "_buffers"):
            if name in self.__dict__.get(arrays, {}):
                return (
                    self.parameters[name].data if arrays == "_parameters" else self._buffers[name]
                )
        if name[:2] != "__" and "_parameters" not in self.__dict__:
            raise forgotten_init(self, "Layer")
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__.get("_parameters", {}) or name in self.__dict__.get(
            "_buffers", {}
        ):
            self._fill(name, value)
            return
        if name in ("params", "grads", "parameters", "buffers"):
            raise SettingError(
                _(
                    "{layer}: {name} cannot be set. Give a layer's parameters by name to"
                    " super().__init__(W=W), and its formula(x, W) is handed them; a class without base"
                    " class may keep its own params and grads.",
                    layer=type(self).__name__,
                    name=name,
                )
            )
        check = type(self).hyperparameters.get(name)
        if check is not None:
            value = check(value, _("{owner}: {name}", owner=type(self).__name__, name=name))
        value = as_parameters(value)
        old = self.__dict__.get(name)
        if isinstance(old, Parameter) and not isinstance(value, Variable) and value is not None:
            refill(self, name, old.data, value)
            return
        # Plans contain the attributes that the formula read, so any change makes them outdated,
        # except what the formula itself sets while it is recorded.
        if name in self.__dict__ and name[0] != "_" and current_recording() is None:
            self.__dict__.get("_revision", Revision()).change()
        object.__setattr__(self, name, value)

    def _fill(self, name: str, value: npt.ArrayLike) -> None:
        """Overwrite a parameter or buffer in place: its address and shape never change."""
        refill(self, name, getattr(self, name), value)

    def _widths(self, inputs: int | None) -> tuple[int | None, int | None]:
        """The length of the last axis of x, and of y if that of x is `inputs`; None where not known."""
        return None, None

    def __repr__(self) -> str:
        sizes = [f"{n}: {'×'.join(map(str, p.shape))}" for n, p in self._parameters.items()]
        values = {name: getattr(self, name) for name in type(self).hyperparameters}
        settings = [f"{name}={value!r}" for name, value in values.items() if value is not None]
        return f"{type(self).__name__}({', '.join(sizes + settings)})"

    # -- buffers ----------------------------------------------------------------------------

    def buffer(self, name: str) -> Variable:
        """The value of a buffer, for computing inside `formula`."""
        recording = current_recording()
        if recording is None:
            return Variable(self._buffers[name].copy(), name, requires_grad=False)
        key = (self, name)
        if key in recording.written:  # by another run of the layer in the same step
            value: Variable = apply(_Held(), recording.written[key])
            return value
        if key not in recording.read:
            recording.read[key] = Variable(self._buffers[name], name, requires_grad=False)
        return recording.read[key]

    def write_buffer(self, name: str, value: Value) -> None:
        """Set what a buffer will contain after this forward pass."""
        recording = current_recording()
        if recording is None:
            self._buffers[name][...] = value.data if isinstance(value, Variable) else value
        else:
            recording.written[(self, name)] = value

    # -- forward and backward -----------------------------------------------------------------

    def _check_input(self, x: Array) -> None:
        """Raise for an x that the layer cannot take; a Sequential asks its first layer."""

    def _check_rows(self, x: Value) -> None:
        """Raise for an x that the layer cannot take, now and in every run of what is being recorded."""
        recording = current_recording()
        if recording is not None:
            recording.checks.append((x, self._check_input))
        self._check_input(x.data if isinstance(x, Variable) else as_numbers(x, self))

    @says(_("The layer as an expression of its input and its parameters."))
    def formula(self, x: Value, *parameters: Value) -> Value:
        raise missing_method(self, "formula(self, x)")

    def _variables(self) -> list[Variable]:
        """The parameters as the Variables that the formula computes with."""
        return [p.recorded for p in self.parameters.values()]

    def _record(self, x: Variable, *more: Value) -> Variable:
        """The output as a Variable, in the dtype of the parameters."""
        with within(self):
            out: Variable = self.formula(self._cast(x), *self._variables(), *more)
        return self._register_output(out)

    def _register_output(self, out: Variable) -> Variable:
        """The output; a recording in progress stores it with the layer."""
        recording = current_recording()
        if recording is not None:
            recording.outputs.append((self, out))
            recording.parts.append(self._revision)
        return out

    def _cast(self, x: Variable) -> Variable:
        """x in the dtype of the parameters, or in its own if there are none; ids are not cast."""
        return x if self._keeps(x.dtype) else x.astype(self._computes_in(x.dtype))

    def _keeps(self, dtype: np.dtype[Any]) -> bool:
        """Whether x is not cast: it is ids, for this layer or for a layer in it."""
        return self.takes_ids or (
            dtype.kind in "iu" and any(layer.takes_ids for _, layer in self.named_layers())
        )

    def _computes_in(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The dtype the layer computes in, for an x of this dtype; integers become float64."""
        if self._parameters:
            return next(iter(self._parameters.values())).dtype
        return dtype if dtype.kind in "fc" else np.dtype(float)

    def __call__(self, x: Value, *more: Value) -> Value:
        """The same as `forward`."""
        return self.forward(x, *more)

    def forward(self, x: Value, *more: Value) -> Value:
        """The output for x, remembered for `backward`; an array for an array.

        `more`: further inputs of the layer, such as the targets of a loss.
        """
        if type(x) is np.ndarray and not more:  # a fast path for the usual case
            plan = self._plans.get((x.shape, x.dtype, is_training()), self._revision.number)
            if plan is not None and not plan.program.reads:
                out, saved = plan.forward(x)
                self.__dict__["_latest_run"] = (plan, saved)
                return out
        if isinstance(x, Variable):
            return self._record(x, *more)
        return self._run_plan(self._as_array(x), *more)

    def _as_array(self, x: npt.ArrayLike) -> Array:
        """x as an array; integers become floats unless they are ids, so that dx is a float too.

        float16 is for storage only, and is cast to the dtype of the parameters.
        """
        array = as_numbers(x, self)
        if (array.dtype.kind == "f" and array.dtype != np.float16) or self._keeps(array.dtype):
            return array
        return array.astype(self._computes_in(array.dtype))

    def _run_plan(self, *inputs: Array | None) -> Value:
        """Run the plan for inputs of these shapes, which is made at the first use."""
        kinds = [part for a in inputs for part in ((None,) if a is None else (a.shape, a.dtype))]
        key = (*kinds, is_training())
        plan = self._plans.get(key, self._revision.number)
        if plan is None or outdated(plan.program.reads):
            plan = plan_layer(self, inputs)
            self._plans.put(key, self._revision.number, plan)
        out, saved = plan.forward(*(a for a in inputs if a is not None))
        self.__dict__["_latest_run"] = (plan, saved)
        return out

    def backward(self, dout: Value = 1.0) -> Value:
        """dx for the latest `forward`; the arrays in `grads` are overwritten in place."""
        if self._latest_run is None:
            raise RecordingError(
                _(
                    "{layer}.backward() needs a forward() first, on an array.",
                    layer=type(self).__name__,
                )
            )
        plan, saved = self._latest_run
        dout = np.asarray(dout)
        if dout.dtype != plan.dtype:
            dout = as_numbers(dout, self).astype(plan.dtype)
        if dout.shape != plan.shape:
            raise ShapeError(
                _(
                    "{layer}.backward got dout of shape {dout}; the latest forward gave shape {shape}, and"
                    " the gradient of an array has its shape.",
                    layer=type(self).__name__,
                    dout=dout.shape,
                    shape=plan.shape,
                )
            )
        return plan.backward(saved, dout) if saved else plan.backward(dout)

    def _drop_plans(self) -> None:
        """Drop the plans, since the parameters have moved to other addresses."""
        self._plans.clear()
        self._latest_run = None

    def __getstate__(self) -> dict[str, object]:
        fresh = {"_plans": copy.copy(self._plans), "_revision": Revision()}
        return {**self.__dict__, **fresh, "_latest_run": None, "_seed_owner": None}


class Arrays(list[Array]):
    """`params` or `grads`: a list whose arrays cannot be replaced, only overwritten."""

    def __setitem__(self, key: object, value: object) -> None:
        raise SettingError(
            _(
                "params and grads list the arrays that training reads and writes; another array in the list"
                " would not be one of them. Change its contents instead: params[0][...] = W."
            )
        )


class _Held(Node):
    """The value written into a buffer, read again in the same step: no gradient flows through it."""

    symbol = "buffer"
    differentiable = False
    formula = "y = x"
    how = _("of a complex number its real part, so that a complex step does not pass")
    why = _("A buffer has no derivative")

    def forward(self, x: Value) -> Value:
        return x.real if x.dtype.kind == "c" else x

    def backward(self, dy: Value) -> None:
        return


def is_hand_written(value: object) -> TypeGuard[HandWrittenLayer]:
    """Whether a value follows the chapter's contract without being a `Layer`."""
    return (
        not isinstance(value, Layer | type)
        and callable(getattr(type(value), "forward", None))
        and callable(getattr(type(value), "backward", None))
        and hasattr(value, "params")
        and hasattr(value, "grads")
    )


def _refuse_hand_written(value: object, owner: Layer, attribute: str) -> None:
    """Raise for a hand-written layer in a layer's attribute, since `backward` would not reach it."""
    parts = value if isinstance(value, list | tuple) else (value,)
    for part in parts:
        if is_hand_written(part) and not hasattr(type(part), "named_layers"):
            raise SettingError(
                _(
                    "{owner}.{attribute} holds {layer}, a layer written by hand, whose backward a formula"
                    " does not call: it would not be trained. Write it as a cr.Layer with a formula, or"
                    " hold it in a cr.Network.",
                    owner=type(owner).__name__,
                    attribute=attribute,
                    layer=type(part).__name__,
                )
            )


class Bare(Layer):
    """A layer around a single parameter in an attribute of a network or layer, such as `self.a`."""

    def __init__(self, parameter: Parameter) -> None:
        super().__init__()
        self._parameters = {"": parameter}

    @property
    def label(self) -> str:
        """The layer's name in pictures and messages."""
        return "Parameter"


def dotted(path: str, name: str) -> str:
    """The name of a parameter with the path of its layer: "first.W"; "a" for one by itself."""
    return f"{path}.{name}".strip(".")


def as_parameters(value: Any) -> Any:
    """The value, in which Variables with a gradient that are not computed become Parameters.

    Lists and dicts are changed in place, so that what is put into them later is found, too.
    """
    if isinstance(value, list | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in list(items):
            if (new := as_parameters(part)) is not part:
                value[key] = new
    elif type(value) is tuple:
        parts = tuple(map(as_parameters, value))
        return value if all(a is b for a, b in zip(parts, value, strict=True)) else parts
    elif type(value) is Variable and value.call is None and value.requires_grad:
        return Parameter(value.data, value.name)
    return value


def refill(owner: object, name: str, array: Array, value: npt.ArrayLike) -> None:
    """Overwrite a parameter or buffer in place: its address and shape never change."""
    numbers = as_numbers(value, owner)
    if numbers.ndim and numbers.shape != array.shape:
        raise ShapeError(
            _(
                "{owner}: {name} has shape {shape}, and was given an array of shape {given}. Give one of"
                " its shape, or a single number for all of it.",
                owner=type(owner).__name__,
                name=name,
                shape=array.shape,
                given=numbers.shape,
            )
        )
    array[...] = numbers


def layers_in(
    name: str,
    value: Any,
    layers: dict[int, tuple[str, Layer]],
    containers: list[Container] | None = None,
) -> None:
    """Add the layers in an attribute of a network or layer to `layers`: by id, each with its path.

    The lists and dicts that contain them, and may contain others later, are added to `containers`.
    """
    if containers is not None and isinstance(value, list | dict):
        containers.append(value)
    prefix = f"{name}." if name else ""
    if isinstance(value, Layer):
        if id(value) not in layers:
            layers[id(value)] = (name, value)
            for attribute, part in vars(value).items():
                if not attribute.startswith("_") and not value._opaque:
                    _refuse_hand_written(part, value, attribute)
                    layers_in(prefix + attribute, part, layers, containers)
    elif isinstance(value, Parameter):
        known = (p for _, layer in layers.values() for p in layer._parameters.values())
        if all(p is not value for p in known):
            layers[id(value)] = (name, Bare(value))
    elif hasattr(type(value), "named_layers"):  # a network
        if containers is not None:
            containers += value._containers()
        for inner, layer in value.named_layers():
            layers.setdefault(id(layer), (prefix + inner, layer))
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value):
            layers_in(f"{prefix}{i}", part, layers, containers)
    elif isinstance(value, dict):
        for key, part in value.items():
            layers_in(f"{prefix}{key}", part, layers, containers)


def networks_in(value: object) -> list[Any]:
    """The networks in an attribute: the value itself, those in it, and those in a list or dict."""
    if isinstance(value, list | tuple):
        return [inner for part in value for inner in networks_in(part)]
    if isinstance(value, dict):
        return networks_in(list(value.values()))
    networks = hasattr(type(value), "named_layers") and not isinstance(value, Layer)
    return [value, *networks_in(list(vars(value).values()))] if networks else []


def _parameter_array(layer: Layer, name: str, value: npt.ArrayLike) -> Array:
    array = np.asarray(value)
    if array.dtype.kind != "f":
        raise DTypeError(
            _(
                "{layer}: the parameter {name} must be a floating-point array, since training moves it by"
                " small steps; got {dtype}. Use {name}.astype(float).",
                layer=type(layer).__name__,
                name=name,
                dtype=array.dtype,
            )
        )
    if array.dtype == np.float16:
        raise DTypeError(
            _(
                "{layer}: the parameter {name} is float16, too coarse to train in: steps below a thousandth"
                " of a weight round to 0. Use {name}.astype(numpy.float32).",
                layer=type(layer).__name__,
                name=name,
            )
        )
    if array.size == 0:
        raise ShapeError(
            _(
                "{layer}: the parameter {name} is empty, of shape {shape}.",
                layer=type(layer).__name__,
                name=name,
                shape=array.shape,
            )
        )
    return array


def _one_dtype(layer: Layer) -> None:
    dtypes = {name: p.dtype for name, p in layer._parameters.items()}
    if len(set(dtypes.values())) > 1:
        raise DTypeError(
            _(
                "{layer}: the parameters of a layer have one dtype; got {dtypes}. Convert one with .astype.",
                layer=type(layer).__name__,
                dtypes=listed(f"{name} {dtype}" for name, dtype in dtypes.items()),
            )
        )
