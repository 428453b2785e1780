"""Network: any function of layers, and a loss."""

from __future__ import annotations

import copy
import functools
import math
import weakref
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

import numpy as np
import numpy.typing as npt

from chainrule.engine.cache import ProgramCache
from chainrule.engine.choice import engine_name, extra_missing, missing_packages
from chainrule.engine.plans import plan_loss, plan_predict, plan_step
from chainrule.engine.program import Program
from chainrule.errors import (
    DataError,
    NonFiniteError,
    RecordingError,
    SettingError,
    forgotten_init,
    missing_method,
    refuse_class,
    shown,
)
from chainrule.graph.data import as_numbers
from chainrule.graph.mode import training_mode
from chainrule.graph.reads import ContainerRead, outdated
from chainrule.graph.recording import current_recording, recording
from chainrule.graph.revisions import Revision
from chainrule.graph.variable import Parameter, Variable
from chainrule.lang.messages import Text, _, _p, sentences
from chainrule.layers.base import (
    Array,
    Arrays,
    Container,
    Layer,
    SeedOwner,
    dotted,
    layers_in,
    networks_in,
    refill,
)
from chainrule.layers.initial import Seed, generator
from chainrule.layers.losses import Loss
from chainrule.layers.opaque import is_hand_written, wrapped
from chainrule.networks.flat import FlatBuffer, Segment, follow_ties, tie
from chainrule.nodes.base import Value
from chainrule.settings import language

if TYPE_CHECKING:
    from chainrule.drawing.drawing import Drawing, DrawOptions
    from chainrule.engine.compiled.predict import CompiledPredict
    from chainrule.engine.cost import Estimate
    from chainrule.graph.graph import Graph
    from chainrule.script import Script

__all__ = ["Network"]

#: The number of rows that are run to find the shape of the outputs.
_SHAPE_ROWS = 32
_T = TypeVar("_T")


class _Facts:
    """Facts about a network's layers that every call needs, for one revision of the network."""

    def __init__(self, network: Network) -> None:
        parameters = list(network.named_parameters().values())
        self.revision = network._revision.number
        self.params = Arrays(p.data for p in parameters if p.trainable)
        self.grads = Arrays(p.grad for p in parameters if p.trainable)
        dtypes = [p.dtype for p in parameters]
        self.dtype: np.dtype[Any] = np.result_type(*dtypes) if dtypes else np.dtype(np.float64)
        self.takes_ids = any(layer.takes_ids for layer in network.layers)
        for layer in network.layers:
            network._revision.follow(layer._revision)


class Network:
    """A function of layers, and a loss.

    Subclass it, make the layers in `__init__`, and write `predict(x)` with layers and operators,
    including branches and skip connections. `Sequential` is the common case.

    >>> import chainrule as cr, numpy as np
    >>> class Skip(cr.Network):
    ...     def __init__(self):
    ...         super().__init__(loss=cr.MeanSquaredError(), seed=0)
    ...         self.first = cr.Affine.sized(3, 3)
    ...     def predict(self, x):
    ...         return x + cr.tanh(self.first(x))
    >>> net = Skip()
    >>> x = np.ones((4, 3), np.float32)
    >>> loss = net.forward(x, x)
    >>> net.backward()
    >>> [g.shape for g in net.grads]
    [(3, 3), (3,)]
    """

    def __init__(self, *, loss: Any = None, seed: Seed = 0) -> None:
        self.loss = loss
        self.seed = seed
        #: The flat buffers, and whether they are those of the layers as they are now.
        self._flats: list[FlatBuffer] = []
        self._flattened = False
        #: The generator that draws the first weights, with the seed that it began with.
        self._draws: tuple[Seed, np.random.Generator] | None = None
        #: The lists and dicts with layers in them, as they were when the layers were collected.
        self._container_reads: list[ContainerRead] = []
        self._programs: ProgramCache[Any] = ProgramCache(24)
        #: Counts the changes of the network and of its layers.
        self._revision = Revision()
        #: The program of the latest `forward`, and the values it saved for `backward`.
        self._latest_forward: tuple[Program, tuple[object, ...]] | None = None
        self._latest_facts: _Facts | None = None
        self._engine = "numpy"
        #: The latest compiled prediction, after the dtype, row shape and revision that it is valid for.
        self._fast_predict: tuple[Any, ...] = (None, None, None, None)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "predict" in cls.__dict__:
            setattr(cls, "predict", _by_recorded_plan(cls.__dict__["predict"]))  # noqa: B010

    @property
    def engine(self) -> str:
        """The engine of `predict`: "numpy", "compiled", or "auto", whichever finishes one call sooner."""
        return self._engine

    @engine.setter
    def engine(self, name: str) -> None:
        self._engine = engine_name(name)
        self._fast_predict = (None, None, None, None)

    def __setattr__(self, name: str, value: Any) -> None:
        if name[0] != "_" and name != "engine":
            value = wrapped(value)
            if name == "loss":
                _check_loss(value)
            old = self.__dict__.get(name)
            if isinstance(old, Parameter) and not isinstance(value, Variable) and value is not None:
                refill(self, name, old.data, value)
                return
            is_change = name in self.__dict__ or self.__dict__.get("_flattened", False)
            if is_change and current_recording() is None:
                # Another layer, loss or setting: recordings with the old one are outdated, and new
                # parameters have to move into the flat buffers.
                self._revision.change()
                object.__setattr__(self, "_flattened", False)
        object.__setattr__(self, name, value)
        if name[0] != "_" and name not in ("engine", "seed", "loss"):
            self._adopt(value)

    def _adopt(self, value: object) -> None:
        """Follow the revisions of the layers in an attribute, and become the owner of their seeds."""
        layers: dict[int, tuple[str, Layer]] = {}
        layers_in("", value, layers)
        this: weakref.ReferenceType[SeedOwner] = weakref.ref(self)
        for inner in networks_in(value):
            self._revision.follow(inner._revision)
        for _path, layer in layers.values():
            self._revision.follow(layer._revision)
            owner = None if layer._seed_owner is None else layer._seed_owner()
            # A network inside this one hands its layers over; any other network keeps them.
            if owner is None or any(owner is inner for inner in networks_in(value)):
                layer._seed_owner = this

    def __getattr__(self, name: str) -> Any:
        if name[:2] != "__" and "_programs" not in self.__dict__:
            raise forgotten_init(self, "Network")
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __call__(self, x: Value) -> Value:
        """`predict(x)`, so that a network can be a layer of another network."""
        return self.predict(x)

    # -- layers and parameters ----------------------------------------------------------------

    def predict(self, x: Value) -> Value:
        """The outputs for x: scores or values, one row for each row of x."""
        raise missing_method(self, "predict(self, x)")

    @property
    def layers(self) -> list[Layer]:
        """Every layer once, in the order of the attributes."""
        return [layer for _, layer in self.named_layers()]

    def named_layers(self) -> list[tuple[str, Layer]]:
        """Every layer once, with its path in the network, such as "first" or "blocks.0"."""
        layers: dict[int, tuple[str, Layer]] = {}
        for name, value in vars(self).items():
            if not name.startswith("_") and name != "loss":
                layers_in(name, value, layers)
        return list(layers.values())

    def _containers(self) -> list[Container]:
        """The lists and dicts in its attributes, which may contain layers."""
        containers: list[Container] = []
        for name, value in vars(self).items():
            if not name.startswith("_") and name != "loss":
                layers_in(name, value, {}, containers)
        return containers

    def named_parameters(self) -> dict[str, Parameter]:
        """Every parameter once, such as "first.W"; a tied one under its first name."""
        self._flatten_parameters()
        names: dict[Parameter, str] = {}
        for prefix, layer in self.named_layers():
            for name, parameter in layer._parameters.items():
                if parameter.tied is None:
                    names.setdefault(parameter, dotted(prefix, name))
        return {name: parameter for parameter, name in names.items()}

    def named_buffers(self) -> dict[str, Array]:
        """Every buffer, such as "norm.running_mean"."""
        return {
            f"{prefix}.{name}": array
            for prefix, layer in self.named_layers()
            for name, array in layer.buffers.items()
        }

    @property
    def _facts(self) -> _Facts:
        """The facts about the layers, collected anew after a change."""
        facts, number = self._latest_facts, self._revision.number
        if facts is None or facts.revision != number or outdated(self._container_reads):
            facts = self._latest_facts = _Facts(self)
        return facts

    @property
    def params(self) -> list[Array]:
        """The parameter arrays that training changes; their addresses stay the same."""
        return self._facts.params

    @property
    def grads(self) -> list[Array]:
        """Their gradients, in the same order; overwritten in place by every `backward`."""
        return self._facts.grads

    def _draw_weights(self) -> list[Layer]:
        """Draw the pending first weights by the seed; gives all layers, the loss included."""
        layers = self.layers
        if isinstance(self.loss, Layer):
            layers = [*layers, self.loss]
        for layer in [layer for layer in layers if layer._needs_seed]:
            owner = None if layer._seed_owner is None else layer._seed_owner()
            if owner is not None and owner is not self:
                owner._draw_weights()  # the network that this one is a part of
            if layer._needs_seed:
                if self._draws is None or self._draws[0] != self.seed:
                    self._draws = self.seed, generator(self.seed)
                layer.initialize(self._draws[1])
        return layers

    def _flatten_parameters(self) -> list[FlatBuffer]:
        """Draw the first weights, tie shared ones, and move all into flat buffers; done once.

        After a change, buffers whose parameters are all still there stay, and new ones get others.
        """
        if self._flattened:
            if not self._container_reads or not outdated(self._container_reads):
                return self._flats
            self._revision.change()  # the layers in a list or dict are others
            self._flattened = False
        for name, value in vars(self).items():
            if name[0] != "_":
                wrapped(value)  # layers put into a list since
        if getattr(self.loss, "params", None):
            raise SettingError(
                _(
                    "the loss {loss} has parameters of its own, which training would leave out. Put them"
                    " into a layer at the end of the network, and let the loss compare.",
                    loss=type(self.loss).__name__,
                )
            )
        layers = self._draw_weights()
        parameters = list(dict.fromkeys(p for a in layers for p in a.parameters.values()))
        tie(parameters)
        by_dtype: dict[np.dtype[np.generic], list[Parameter]] = {}
        for parameter in (p for p in parameters if not p.adopted and p.tied is None):
            by_dtype.setdefault(parameter.dtype, []).append(parameter)
        present = set(parameters)
        self._flats = [flat for flat in self._flats if present.issuperset(flat.parameters)]
        self._flats += map(FlatBuffer, by_dtype.values())
        self._flattened = True
        follow_ties(parameters)
        for layer in layers:
            layer._drop_plans()
        self._container_reads = [ContainerRead("", each) for each in self._containers()]
        return self._flats

    def _segments(self) -> list[Segment]:
        """The arrays that an optimizer updates: long runs of parameters with the same settings."""
        flats = self._flatten_parameters()
        runs = [run for flat in flats for run in flat.segments()]
        inside = {id(p) for flat in flats for p in flat.parameters}
        for parameter in self.named_parameters().values():
            if parameter.trainable and id(parameter) not in inside:
                p = parameter
                runs.append(Segment(p.data, p.grad, p.decays, p.lr_factor))
        return runs

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype the network computes in: that of its parameters."""
        return self._facts.dtype

    # -- forward and backward -------------------------------------------------------------------

    def _as_input(self, x: npt.ArrayLike) -> Array:
        """x as an array that the network takes: numbers in its dtype, ids unchanged."""
        array = as_numbers(x, self)
        facts = self._facts
        if array.dtype == facts.dtype or (facts.takes_ids and array.dtype.kind in "iu"):
            return array
        return array.astype(facts.dtype)

    def _prepare(
        self, x: npt.ArrayLike, t: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[Array, Array, Array | None]:
        """Rows, targets and weights as a recorded step takes them, checked once here."""
        given, x = x, self._as_input(x)
        t = self.loss.given(t) if isinstance(self.loss, Loss) else as_numbers(t, self)
        if x.ndim == 0 or len(x) == 0:
            raise DataError(
                _(
                    "{network} needs at least one row; got x of shape {shape}.",
                    network=type(self).__name__,
                    shape=x.shape,
                )
            )
        if t.ndim == 0 or len(t) != len(x):
            several = isinstance(given, list | tuple) and len(given) == len(x) and x.ndim > 2
            hint = _(
                "If x is {n} inputs of one row each, put them side by side, np.concatenate(x, axis=1), and"
                " let predict(x) take its columns apart, x[:, :3].",
                n=len(x),
            )
            uneven = _(
                "{network}: x has {rows} rows and t has {targets} rows; every row needs one target.",
                network=type(self).__name__,
                rows=len(x),
                targets=len(t) if t.ndim else _p("how many", "no"),
            )
            raise DataError(sentences(uneven, several and hint))
        self._check_input(x)
        if not isinstance(self.loss, Loss):
            return x, t, None
        t = self.loss.targets(self._output_shape(x), t)
        t = t if t.dtype.kind in "iu" else t.astype(self.dtype, copy=False)
        w = self.loss.weights(t, sample_weight, self.dtype)
        for check in self._checks(x, t, w):
            check(t)
        return x, t, w

    def _checks(self, x: Array, t: Array, w: Array | None) -> list[Callable[[Array], object]]:
        """The checks of targets by the functions in a user's own loss, found by recording it."""
        if type(self.loss).__module__.startswith("chainrule."):
            return []
        key = ("checks", x.shape[1:], t.shape[1:], t.dtype, w is None)
        checks: list[Callable[[Array], object]] | None
        checks = self._programs.get(key, self._revision.number)
        if checks is None:
            rows, targets = Variable(x[:2], "x"), Variable(t[:2], "t")
            with training_mode(True), recording() as record:
                self._record_loss(rows, targets, None if w is None else Variable(w[:2], "w"))
            checks = [check for of, check in record.checks if of is targets]
            self._programs.put(key, self._revision.number, checks)
        return checks

    def _check_input(self, x: Array) -> None:
        if x.dtype.kind in "iu" and x.size and x.min() < 0:
            raise DataError(
                _(
                    "{network} takes ids, which count from 0; got ids from {low}.",
                    network=type(self).__name__,
                    low=x.min(),
                )
            )

    def _run(self, function: Callable[..., _T], *inputs: Array) -> _T:
        """Run a function of a program; an id outside its table raises a DataError."""
        try:
            return function(*inputs)
        except IndexError as error:
            raise DataError(
                _(
                    "{network} was given an id that names no row of a table: {error}. Renumber the ids, or"
                    " make the table larger.",
                    network=type(self).__name__,
                    error=str(error),
                )
            ) from None

    def _output_shape(self, x: Array) -> tuple[int, ...]:
        key = ("shape", x.shape[1:])
        tail: tuple[int, ...] | None = self._programs.get(key, self._revision.number)
        if tail is None:
            # More than one row, since an axis of length 1 may be squeezed away or repeated.
            tail = self._by_plan(x[:_SHAPE_ROWS]).shape[1:]
            self._programs.put(key, self._revision.number, tail)
        return (len(x), *tail)

    def _record_predict(self, x: Variable) -> Variable:
        """The outputs as a Variable."""
        out: Variable = self.predict(x)
        return out

    def _record_loss(self, x: Variable, t: Variable, w: Variable | None = None) -> Variable:
        """The loss as a Variable."""
        if self.loss is None:
            raise RecordingError(
                _(
                    "{network} has no loss, so it cannot be trained: give one, for example"
                    " loss=cr.SoftmaxWithLoss().",
                    network=type(self).__name__,
                )
            )
        y = self._record_predict(x)
        more = () if w is None else (w,)
        loss: Variable = self.loss._record(y, t, *more)
        return loss

    def forward(
        self, x: Value, t: Value = None, sample_weight: npt.ArrayLike | None = None
    ) -> Value:
        """The loss for a batch in training mode, remembered for `backward`; without t, the outputs."""
        if t is None:
            return self.predict(x)
        if isinstance(x, Variable):
            self._flatten_parameters()
            weights = () if sample_weight is None else (sample_weight,)
            return self.loss._record(self.predict(x), t, *weights)
        x, t, w = self._prepare(x, t, sample_weight)
        key = ("loss", x.shape, t.shape, t.dtype, w is None)
        program = self._program(key, plan_loss, x, t, w)
        data = (x, t) if w is None else (x, t, w)
        loss, saved = self._run(program.functions["forward"], *data)
        self._latest_forward = (program, saved)
        loss = loss.item()
        if not math.isfinite(loss):
            self._raise_nonfinite(x, t, w, loss)
        return loss

    def backward(self, dout: float = 1.0) -> None:
        """The gradients of the latest `forward`, into `grads`: each array overwritten in place."""
        if self._latest_forward is None:
            raise RecordingError(
                _(
                    "{network}.backward() follows forward(x, t), once for each.",
                    network=type(self).__name__,
                )
            )
        (program, saved), self._latest_forward = self._latest_forward, None
        backward = program.functions["backward"]
        backward(saved) if saved else backward()
        if dout != 1.0:
            for g in self.grads:
                g *= dout

    def step_program(self, x: Array, t: Array, w: Array | None = None, *, rows: Array) -> Program:
        """The program of a step, `step(x, t[, w], rows)`, for prepared data and that many rows."""
        shapes = [part for a in (x, t) for part in (a.shape[1:], a.dtype)]
        key = ("step", *shapes, w is None, len(rows))
        return self._program(key, plan_step, x, t, w, rows)

    def _raise_nonfinite(self, x: Array, t: Array, w: Array | None, loss: float) -> None:
        """Raise, naming the first value or gradient that is not finite, its layer and the rows."""
        where = self.find_nonfinite(x, t, w)
        raise NonFiniteError(
            sentences(
                _("the loss is {loss}.", loss=loss),
                where,
                _("Lower the learning rate, or look at the data."),
            )
        )

    def find_nonfinite(self, x: Array, t: Array | None = None, w: Array | None = None) -> Text:
        """A sentence that says where NaN or infinity first appears for these rows.

        The rows, targets and weights are those that `_prepare` gives.
        """
        from chainrule.networks.nonfinite import first_nonfinite

        return first_nonfinite(self, x, t, w)

    def activations(self, x: npt.ArrayLike) -> dict[str, Array]:
        """The output of every layer for x, by the layer's name, in the order they run."""
        from chainrule.networks.looking import activations

        return activations(self, x)

    def predict_proba(self, x: npt.ArrayLike) -> Array:
        """Probabilities: the outputs through the loss's own softmax or sigmoid."""
        if not isinstance(self.loss, Loss) or self.loss.target == "values":
            raise SettingError(
                _(
                    "predict_proba is for classifiers, and the loss is {loss}. Use predict(x).",
                    loss=type(self.loss).__name__,
                )
            )
        out: Array = self.loss.link(self.predict(x))
        return out

    def classify(self, x: npt.ArrayLike) -> Array:
        """The class id of every row: the largest score, or for one yes-or-no score its sign."""
        scores: Array = self.predict(x)
        target = self.loss.target if isinstance(self.loss, Loss) else "values"
        alone = target == "values" and scores.ndim == 2 and scores.shape[1] == 1
        if target == "binary" or alone:
            ids: Array = (scores > 0).astype(np.int64)
            return ids[:, 0] if ids.ndim == 2 and ids.shape[1] == 1 else ids
        return np.asarray(scores.argmax(axis=-1))

    def _by_plan(self, x: Array) -> Array:
        """The outputs for x by the NumPy engine."""
        outputs: Array = self._run(self._predict_program(x).functions["predict"], x)
        return outputs

    def _predict_program(self, x: Array) -> Program:
        return self._program(("predict", x.shape, x.dtype), plan_predict, x, training=False)

    def _predict_cost(self, x: Array) -> Estimate:
        """The seconds that predicting these rows takes on each engine, and compiling it."""
        from chainrule.engine.cost import estimate

        return estimate(self._predict_program(x).work)

    def _warm_up(self, x: Array, say: Callable[[str], None]) -> None:
        """Compile the prediction of rows like these now, if the engine will use it."""
        self._compiled(self._as_input(x), say)

    def _compiled(
        self, x: Array, say: Callable[[str], None] | None = None
    ) -> CompiledPredict | None:
        """The compiled prediction for rows like these; None if the NumPy engine is to run it."""
        if x.ndim == 0 or len(x) == 0:
            return None
        if self._engine == "auto" and not self._predict_cost(x).pays(1):
            return None
        key = ("compiled", x.shape[1:], x.dtype)
        #: (None,) means that compiling was tried and is not possible.
        entry: tuple[CompiledPredict | None] | None = self._programs.get(key, self._revision.number)
        if entry is None or (entry[0] is not None and outdated(entry[0].reads)):
            entry = (self._compile_predict(x, say),)
            self._programs.put(key, self._revision.number, entry)
        (compiled,) = entry
        if compiled is None or not compiled.takes(x):
            return None
        dtype = self._facts.dtype
        plain = not compiled.reads and compiled.ids is None
        if self._engine == "compiled" and x.dtype == dtype and plain:
            self._fast_predict = (dtype, x.shape[1:], self._revision.number, compiled)
        return compiled

    def _predict_like(self, other: Network, x: Array) -> None:
        """Predict rows like x by the kernel of another network, which is of the same structure."""
        compiled = other._compiled(x)
        if compiled is None:
            return
        ours, theirs = (
            [*(p.data for p in net.named_parameters().values()), *net.named_buffers().values()]
            for net in (self, other)
        )
        twin = compiled.twin({id(a): b for a, b in zip(theirs, ours, strict=True)})
        if twin is not None:
            key = ("compiled", x.shape[1:], x.dtype)
            self._programs.put(key, self._revision.number, (twin,))

    def _compile_predict(
        self, x: Array, say: Callable[[str], None] | None
    ) -> CompiledPredict | None:
        missing = missing_packages()
        if missing:
            if self._engine == "compiled":
                raise extra_missing(missing)
            return None
        try:
            from chainrule.engine.compiled.predict import CompiledPredict
            from chainrule.engine.compiled.values import NotCompilable
        except ImportError:  # installed, but broken
            return None
        self._flatten_parameters()
        try:
            return CompiledPredict(self, x, say, lambda: self._predict_cost(x).compiling)
        except NotCompilable:
            return None

    def script(
        self,
        optimizer: Any,
        x: Any,
        t: Any = None,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        seed: int = 0,
        **settings: Any,
    ) -> Script:
        """The training as one NumPy file, which prints the same losses as Trainer.

        See `chainrule.script.training_script`; `settings` are its sample_weight, max_grad and shuffle.

        >>> import chainrule as cr
        >>> net = cr.TwoLayerNet(2, 10, 3)
        >>> script = net.script(cr.SGD(lr=1.0), cr.datasets.spiral, epochs=300, batch_size=30)
        >>> script.save("train_spiral.py")  # doctest: +SKIP
        """
        from chainrule.script import training_script

        settings.update(epochs=epochs, batch_size=batch_size, seed=seed)
        return training_script(self, optimizer, x, t, **settings)

    def _program(
        self,
        key: Hashable,
        plan: Callable[..., Program],
        *inputs: Array | None,
        training: bool = True,
    ) -> Program:
        """The program for a key; `plan` makes it if there is none, or if it is outdated."""
        program: Program | None = self._programs.get(key, self._revision.number)
        if program is None or outdated(program.reads):
            with training_mode(training):
                program = plan(self, *inputs)
            self._programs.put(key, self._revision.number, program)
        return program

    # -- weights from and to other frameworks ------------------------------------------------------

    def state_dict(self, layout: str = "pytorch") -> dict[str, Array]:
        """The weights by the names, and in the shapes, that PyTorch or Keras has for such layers.

        Called as in PyTorch, whose `model.load_state_dict` takes it once its arrays are tensors:
        `{k: torch.from_numpy(v) for k, v in state.items()}`. With layout="keras" the values are in the
        order of `model.set_weights(list(state.values()))`. The arrays are copies. Known are Affine,
        MatMul, LayerNorm, BatchNorm and Embedding, and layers without arrays; ε and momentum of a
        norm are settings, and in no state dict.

        Raises:
            SettingError: another layout, or a layer that the others do not know.

        >>> import chainrule as cr
        >>> state = cr.TwoLayerNet(2, 10, 3).state_dict()
        >>> {name: array.shape for name, array in state.items()}
        {'0.weight': (10, 2), '0.bias': (10,), '2.weight': (3, 10), '2.bias': (3,)}
        """
        from chainrule.networks.state_dict import state_of

        return state_of(self, layout)

    def load_state_dict(self, weights: Any) -> None:
        """Fill the network with weights of PyTorch or Keras; its layers stay as they are.

        `weights`: what PyTorch's `model.state_dict()` gives, or Keras' `model.get_weights()`, or a dict
        of Keras' names (`dense/kernel`); values are what NumPy can read, tensors on the CPU included.
        If the names of the layers are not those of this network, the first goes into the first, and so on.
        All of them fit, or nothing is changed.

        Raises:
            ShapeError: arrays are missing, of another shape, or belong to no layer; all are named.
            DataError: no such mapping, or a value that is no array of real numbers.
            NonFiniteError: NaN or infinity.
            SettingError: the network has a layer that PyTorch and Keras do not know.

        >>> import chainrule as cr, numpy as np
        >>> net = cr.Sequential(cr.Affine.sized(2, 1))
        >>> net.load_state_dict({"fc.weight": [[1.0, 2.0]], "fc.bias": [0.5]})
        >>> net.predict(np.ones((1, 2)))
        array([[3.5]], dtype=float32)
        """
        from chainrule.networks.state_dict import fill

        fill(self, weights)

    # -- pictures, copies and pickles -------------------------------------------------------------

    def graph(
        self,
        x: npt.ArrayLike,
        t: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
        *,
        training: bool | None = None,
    ) -> Graph:
        """The computational graph of the loss for a batch; without targets t, of the outputs.

        It is recorded on a copy of the network: parameters, gradients, buffers and random numbers
        stay unchanged, and later training does not change the graph.

        Args:
            x: the rows, as `predict` takes them; floating-point rows get a gradient too.
            t: their targets, as the loss takes them.
            sample_weight: a weight for each row, as in `forward`.
            training: training mode (True), in which Dropout uses the masks of the next step, or
                inference mode (False); by default training mode if there are targets.

        Raises:
            DataError: rows or targets that do not fit the network or each other.

        >>> import chainrule as cr
        >>> x, t = cr.datasets.spiral()
        >>> graph = cr.TwoLayerNet(2, 10, 3).graph(x[:5], t[:5])
        >>> next(iter(graph.steps())).formula
        'matmul1 = x @ W1'
        >>> print(graph.check().summary)
        All 13 arrows agree with the complex step, and so do all 5 inputs from end to end.
        """
        from chainrule.networks.graphs import network_graph

        return network_graph(self, x, t, sample_weight, training)

    def draw(
        self, x: npt.ArrayLike, t: npt.ArrayLike | None = None, **options: Unpack[DrawOptions]
    ) -> Drawing:
        """The picture of the network's outputs for the rows x; with targets t, of the loss.

        The same as `net.graph(x, t).draw()`: with t the gradients of the loss are drawn too. The
        options are those of `Graph.draw`, such as `fold=True` for one box per layer.

        >>> import chainrule as cr
        >>> x, t = cr.datasets.spiral()
        >>> cr.TwoLayerNet(2, 10, 3).draw(x[:5], t[:5], fold=True)
        Drawing(6 arrows)
        """
        return self.graph(x, t).draw(**options)

    def summary(self, lang: str | None = None) -> str:
        """A table of layers, shapes and parameters.

        `lang`: "en" or "zh"; None is the language of CHAINRULE_LANG, else English.
        """
        from chainrule.networks.looking import summary

        return summary(self, language(lang))

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={layer!r}" for name, layer in self.named_layers())
        return f"{type(self).__name__}({inside}, loss={self.loss!r})"

    def __getstate__(self) -> dict[str, object]:
        fresh: dict[str, object] = {
            "_programs": copy.copy(self._programs),
            "_revision": Revision(),
            "_latest_forward": None,
            "_latest_facts": None,
            "_fast_predict": (None,) * 4,
        }
        return {**self.__dict__, **fresh}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for flat in self._flats:
            flat.restore()
        follow_ties([p for layer in self.layers for p in layer._parameters.values()])
        self._adopt([v for k, v in vars(self).items() if k[0] != "_" and k != "loss"])

    def __deepcopy__(self, memo: dict[int, object]) -> Network:
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return twin


def _check_loss(loss: object) -> None:
    """Raise for a value that is no loss, such as a class, a name or a function."""
    if loss is None or isinstance(loss, Layer) or is_hand_written(loss):
        return
    refuse_class(loss, "loss", _("a loss"))
    raise SettingError(
        _(
            "loss={loss} is no loss: give for example cr.SoftmaxWithLoss() for classes,"
            " cr.SigmoidWithLoss() for yes or no, cr.MeanSquaredError() for values; or write a cr.Loss with"
            " rows(x, t).",
            loss=shown(loss),
        )
    )


def _by_recorded_plan(predict: Callable[..., Value]) -> Callable[..., Value]:
    """`predict` that runs its author's code on Variables, and a plan recorded from it on arrays."""

    @functools.wraps(predict)
    def planned(self: Network, x: Value) -> Value:
        if type(x) is np.ndarray:
            dtype, tail, revision, compiled = self._fast_predict
            if (
                x.dtype is dtype
                and x.ndim
                and x.shape[1:] == tail
                and x.shape[0]
                and revision == self._revision.number
                and not (self._container_reads and outdated(self._container_reads))
            ):
                return compiled(x)
        elif isinstance(x, Variable):
            self._flatten_parameters()
            recording = current_recording()
            if recording is not None:
                recording.parts.append(self._revision)
            return predict(self, x)
        x = self._as_input(x)
        self._check_input(x)
        if self._engine != "numpy":
            compiled = self._compiled(x)
            if compiled is not None:
                out: Array = compiled(x)
                return out
        return self._by_plan(x)

    return planned
