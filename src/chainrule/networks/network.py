"""Network: any function of layers, and a loss."""

from __future__ import annotations

import functools
import math
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Unpack

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
from chainrule.layers.base import Arrays, Layer, dotted, layers_in, networks_in, refill
from chainrule.layers.embedding import Embedding
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

Array = npt.NDArray[Any]


#: Rows by which the shape of an output is found.
_SEVERAL = 32


class _Facts:
    """What every call of a network needs to know of its layers."""

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

    Subclass it, make layers in `__init__`, and write `predict(x)` with layers and operators;
    branches and skip connections need nothing more. `Sequential` is the common case.

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
        self._flats: list[FlatBuffer] | None = None
        #: Where the draws of first weights have come to, with the seed that they began at.
        self._draws: tuple[Seed, np.random.Generator] | None = None
        #: The lists and dicts with layers in them, as they were when they were looked through.
        self._held: list[ContainerRead] = []
        self._programs: ProgramCache[Any] = ProgramCache(24)
        #: Counts its changes, and those of its layers.
        self._revision = Revision()
        self._ran: tuple[Any, Any] | None = None
        self._known: _Facts | None = None
        self._engine = "numpy"
        #: The latest compiled prediction, and the kind of rows that it takes without a change.
        self._quick: tuple[Any, ...] = (None, None, None, None)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "predict" in cls.__dict__:
            setattr(cls, "predict", _planned(cls.__dict__["predict"]))  # noqa: B010

    @property
    def engine(self) -> str:
        """What `predict` runs on: "numpy", "compiled", or "auto": whichever is sooner done with one call."""
        return self._engine

    @engine.setter
    def engine(self, name: str) -> None:
        self._engine = engine_name(name)
        self._quick = (None, None, None, None)

    def __setattr__(self, name: str, value: Any) -> None:
        if name[0] != "_" and name != "engine":
            value = wrapped(value)
            if name == "loss":
                _check_loss(value)
            held = self.__dict__.get(name)
            if (
                isinstance(held, Parameter)
                and not isinstance(value, Variable)
                and value is not None
            ):
                refill(self, name, held.data, value)
                return
            later = name in self.__dict__ or self.__dict__.get("_flats") is not None
            if later and current_recording() is None:
                # Another layer, loss or setting: what was recorded with the old one is outdated,
                # and new parameters are to be adopted.
                self._revision.change()
                object.__setattr__(self, "_flats", None)
        object.__setattr__(self, name, value)
        if name[0] != "_" and name not in ("engine", "seed", "loss"):
            self._house(value)

    def _house(self, value: Any) -> None:
        """Let layers that wait for a seed know whose it will be."""
        found: dict[int, tuple[str, Layer]] = {}
        layers_in("", value, found)
        here = weakref.ref(self)
        for inner in networks_in(value):
            self._revision.follow(inner._revision)
        for _path, layer in found.values():
            self._revision.follow(layer._revision)
            first = None if layer._home is None else layer._home()
            # A network that stands in this one hands its layers on; any other one keeps them.
            if first is None or any(first is inner for inner in networks_in(value)):
                layer._home = here

    def __getattr__(self, name: str) -> Any:
        if name[:2] != "__" and "_programs" not in self.__dict__:
            raise forgotten_init(self, "Network")
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __call__(self, x: Any) -> Any:
        """`predict(x)`, so that a network can stand in another one like a layer."""
        return self.predict(x)

    # -- layers and parameters ----------------------------------------------------------------

    def predict(self, x: Value) -> Value:
        """The outputs for x: scores or values, one row for each row of x."""
        raise NotImplementedError(f"{type(self).__name__} has no predict")

    @property
    def layers(self) -> list[Layer]:
        """Every layer once, in the order the network holds them."""
        return [layer for _, layer in self.named_layers()]

    def named_layers(self) -> list[tuple[str, Layer]]:
        """Every layer once, with the name it is reached by, such as "first" or "blocks.0"."""
        found: dict[int, tuple[str, Layer]] = {}
        for name, value in vars(self).items():
            if not name.startswith("_") and name != "loss":
                layers_in(name, value, found)
        return list(found.values())

    def _containers(self) -> list[Any]:
        """The lists and dicts in its attributes, in which layers may stand."""
        found: list[Any] = []
        for name, value in vars(self).items():
            if not name.startswith("_") and name != "loss":
                layers_in(name, value, {}, found)
        return found

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
    def _known_facts(self) -> _Facts:
        """What every call needs to know of the layers, gathered once."""
        known = self._known
        if known is None or known.revision != self._revision.number or outdated(self._held):
            known = self._known = _Facts(self)
        return known

    @property
    def params(self) -> list[Array]:
        """The arrays that training changes; always the same arrays."""
        return self._known_facts.params

    @property
    def grads(self) -> list[Array]:
        """Their gradients, in the same order; overwritten in place by every `backward`."""
        return self._known_facts.grads

    def _draw_weights(self) -> list[Layer]:
        """Draw the first weights that are still to be drawn, by the seed; all layers."""
        layers = self.layers
        if isinstance(self.loss, Layer):
            layers = [*layers, self.loss]
        for layer in [layer for layer in layers if layer._needs_seed]:
            home = None if layer._home is None else layer._home()
            if home is not None and home is not self:
                home._draw_weights()  # a network that this one stands in
            if layer._needs_seed:
                if self._draws is None or self._draws[0] != self.seed:
                    self._draws = self.seed, generator(self.seed)
                layer.initialize(self._draws[1])
        return layers

    def _flatten_parameters(self) -> list[FlatBuffer]:
        """Draw the first weights, tie shared ones, and move all into flat buffers; done once."""
        if self._flats is not None:
            if not self._held or not outdated(self._held):
                return self._flats
            self._revision.change()  # other layers stand in a list or dict
            self._flats = None
        for name, value in vars(self).items():
            if name[0] != "_":
                wrapped(value)  # what was put into a list since
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
        own = [p for p in parameters if not p.adopted and p.tied is None]
        by_dtype: dict[Any, list[Parameter]] = {}
        for parameter in own:
            by_dtype.setdefault(parameter.dtype, []).append(parameter)
        self._flats = [FlatBuffer(group) for group in by_dtype.values()]
        follow_ties(parameters)
        for layer in layers:
            layer._drop_plans()
        self._held = [ContainerRead("", held) for held in self._containers()]
        return self._flats

    def _segments(self) -> list[Segment]:
        """What an optimizer updates: few long runs of parameters that are treated alike."""
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
        return self._known_facts.dtype

    # -- forward and backward -------------------------------------------------------------------

    def _as_input(self, x: npt.ArrayLike) -> Array:
        """x as an array the network takes: real numbers in its dtype, ids as they are."""
        array = as_numbers(x, self)
        facts = self._known_facts
        if array.dtype == facts.dtype or (facts.takes_ids and array.dtype.kind in "iu"):
            return array
        return array.astype(facts.dtype)

    def _prepare(
        self, x: npt.ArrayLike, t: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[Array, Array, Array | None]:
        """Data as the recorded step takes it, checked once, at the door."""
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
        self._check_ids(x)
        if not isinstance(self.loss, Loss):
            return x, t, None
        t = self.loss.targets(self._output_shape(x), t)
        t = t if t.dtype.kind in "iu" else t.astype(self.dtype, copy=False)
        w = self.loss.weights(t, sample_weight, self.dtype)
        for check in self._checks(x, t, w):
            check(t)
        return x, t, w

    def _checks(self, x: Array, t: Array, w: Array | None) -> list[Callable[[Array], Any]]:
        """What functions in a loss of the user's own ask of the targets; its recording says so."""
        if type(self.loss).__module__.startswith("chainrule."):
            return []
        key = ("checks", x.shape[1:], t.shape[1:], t.dtype, w is None)
        found: list[Callable[[Array], Any]] | None = self._programs.get(key, self._revision.number)
        if found is None:
            few, targets = Variable(x[:2], "x"), Variable(t[:2], "t")
            with training_mode(True), recording() as made:
                self._record_loss(few, targets, None if w is None else Variable(w[:2], "w"))
            found = [check for of, check in made.checks if of is targets]
            self._programs.put(key, self._revision.number, found)
        return found

    def _check_ids(self, x: Array) -> None:
        if x.dtype.kind not in "iu":
            return
        if x.size and x.min() < 0:
            raise DataError(
                _(
                    "{network} takes ids, which count from 0; got ids from {low}.",
                    network=type(self).__name__,
                    low=x.min(),
                )
            )
        first = self.layers[0]
        if isinstance(first, Embedding):
            first.check_ids(x)

    def _run(self, function: Callable[..., Any], *inputs: Any) -> Any:
        """Run a recorded program; an id beyond a table is named in our words."""
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
            tail = self._by_plan(x[:_SEVERAL]).shape[1:]
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

    def forward(self, x: Any, t: Any = None, sample_weight: npt.ArrayLike | None = None) -> Any:
        """The loss for a batch, remembered for `backward`; layers behave as in training."""
        if t is None:
            return self.predict(x)
        if isinstance(x, Variable):
            self._flatten_parameters()
            weights = () if sample_weight is None else (sample_weight,)
            return self.loss._record(self.predict(x), t, *weights)
        x, t, w = self._prepare(x, t, sample_weight)
        key = ("loss", x.shape, t.shape, t.dtype, w is None)
        program = self._program(key, plan_loss, x, t, w)
        given = (x, t) if w is None else (x, t, w)
        loss, saved = self._run(program.functions["forward"], *given)
        self._ran = (program, saved)
        loss = loss.item()
        if not math.isfinite(loss):
            self._raise_nonfinite(x, t, w, loss)
        return loss

    def backward(self, dout: float = 1.0) -> None:
        """The gradients of the latest `forward`, into `grads`: each array overwritten in place."""
        if self._ran is None:
            raise RecordingError(
                _(
                    "{network}.backward() follows forward(x, t), once for each.",
                    network=type(self).__name__,
                )
            )
        (program, saved), self._ran = self._ran, None
        backward = program.functions["backward"]
        backward(saved) if saved else backward()
        if dout != 1.0:
            for g in self.grads:
                g *= dout

    def step_program(self, x: Array, t: Array, w: Array | None = None, *, rows: Array) -> Program:
        """The recorded step `step(x, t[, w], rows)` for that many rows of prepared data."""
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
        """Where NaN or infinity first appears for these rows, forwards or else backwards: a sentence.

        The rows, targets and weights are as `prepare` gives them.
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
        if isinstance(self.loss, Loss) and self.loss.target == "binary":
            ids: Array = (scores > 0).astype(np.int64)
            return ids[:, 0] if ids.ndim == 2 and ids.shape[1] == 1 else ids
        return np.asarray(scores.argmax(axis=-1))

    def _by_plan(self, x: Array) -> Any:
        """The outputs for x by the NumPy engine."""
        return self._run(self._predict_program(x).functions["predict"], x)

    def _predict_program(self, x: Array) -> Program:
        return self._program(("predict", x.shape, x.dtype), plan_predict, x, training=False)

    def _predict_cost(self, x: Array) -> Estimate:
        """What predicting these rows costs on each engine, and compiling it."""
        from chainrule.engine.cost import estimate

        return estimate(self._predict_program(x).work)

    def _warm_up(self, x: Array, say: Callable[[str], None]) -> None:
        """Compile now what predicting rows like these is to be done with, if anything is."""
        self._compiled(self._as_input(x), say)

    def _compiled(
        self, x: Array, say: Callable[[str], None] | None = None
    ) -> Callable[[Array], Array] | None:
        """The compiled prediction for rows like these; None where NumPy's is to do it."""
        if x.ndim == 0 or len(x) == 0:
            return None
        if self._engine == "auto" and not self._predict_cost(x).pays(1):
            return None
        key = ("compiled", x.shape[1:], x.dtype)
        #: None within it says that it was tried, and cannot be compiled.
        known: tuple[CompiledPredict | None] | None = self._programs.get(key, self._revision.number)
        if known is None or (known[0] is not None and outdated(known[0].reads)):
            known = (self._made_compiled(x, say),)
            self._programs.put(key, self._revision.number, known)
        (found,) = known
        if found is None or not found.takes(x):
            return None
        dtype = self._known_facts.dtype
        if self._engine == "compiled" and x.dtype == dtype and not found.reads:
            self._quick = (dtype, x.shape[1:], self._revision.number, found)
        return found

    def _made_compiled(self, x: Array, say: Callable[[str], None] | None) -> CompiledPredict | None:
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
        """Training as one NumPy file that prints the losses Trainer gives.

        See `chainrule.script.training_script`; `settings` are its sample_weight, max_grad, shuffle.

        >>> import chainrule as cr
        >>> net = cr.TwoLayerNet(2, 10, 3)
        >>> script = net.script(cr.SGD(lr=1.0), cr.datasets.spiral, epochs=300, batch_size=30)
        >>> script.save("train_spiral.py")  # doctest: +SKIP
        """
        from chainrule.script import training_script

        settings.update(epochs=epochs, batch_size=batch_size, seed=seed)
        return training_script(self, optimizer, x, t, **settings)

    def _program(
        self, key: Any, plan: Callable[..., Program], *inputs: Any, training: bool = True
    ) -> Program:
        """The program for a key, made by the plan if there is none that still holds."""
        found: Program | None = self._programs.get(key, self._revision.number)
        if found is None or outdated(found.reads):
            with training_mode(training):
                found = plan(self, *inputs)
            self._programs.put(key, self._revision.number, found)
        return found

    # -- looking and keeping ----------------------------------------------------------------------

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
        stay as they are, and training on does not change the graph. `training` says whether
        layers such as Dropout behave as in training, with the masks of the next step; by default
        they do where there are targets, as in `forward(x, t)`.

        Args:
            x: the rows, as `predict` takes them; real numbers get a gradient too.
            t: their targets, as the loss takes them.
            sample_weight: a weight for each row, as in `forward`.
            training: layers as in training (True) or as in use (False).

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

    def draw(self, x: Any, t: Any = None, **options: Unpack[DrawOptions]) -> Drawing:
        """The picture of the network at work on the rows x; with targets t, of the loss.

        The same as `net.graph(x, t).draw()`: with t the gradients of the loss are drawn too. The
        options are those of `Graph.draw`, such as `fold=True` for one box a layer.

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

    def __getstate__(self) -> dict[str, Any]:
        fresh: dict[str, Any] = {
            "_programs": ProgramCache[Any](24),
            "_revision": Revision(),
            "_ran": None,
            "_known": None,
            "_quick": (None,) * 4,
        }
        return {**self.__dict__, **fresh}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for flat in self._flats or []:
            flat.restore()
        follow_ties([p for layer in self.layers for p in layer._parameters.values()])
        self._house([v for k, v in vars(self).items() if k[0] != "_" and k != "loss"])

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        import copy

        twin = object.__new__(type(self))
        memo[id(self)] = twin
        twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return twin


def _check_loss(loss: Any) -> None:
    """An error for what is no loss: its class, its name, a function."""
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


def _planned(predict: Callable[..., Any]) -> Callable[..., Any]:
    """`predict` as its author wrote it for Variables; for arrays, by a recorded plan."""

    @functools.wraps(predict)
    def planned(self: Network, x: Any) -> Any:
        if type(x) is np.ndarray:
            dtype, tail, revision, quick = self._quick
            if (
                x.dtype is dtype
                and x.ndim
                and x.shape[1:] == tail
                and x.shape[0]
                and revision == self._revision.number
                and not (self._held and outdated(self._held))
            ):
                return quick(x)
        elif isinstance(x, Variable):
            self._flatten_parameters()
            recording = current_recording()
            if recording is not None:
                recording.parts.append(self._revision)
            return predict(self, x)
        x = self._as_input(x)
        self._check_ids(x)
        if self._engine != "numpy":
            compiled = self._compiled(x)
            if compiled is not None:
                out: Array = compiled(x)
                return out
        return self._by_plan(x)

    return planned
