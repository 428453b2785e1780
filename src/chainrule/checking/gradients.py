"""cr.check: is every gradient of a function right? The chain rule against a complex step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.checking.step import StepCheck, check_step
from chainrule.errors import CheckError, DTypeError, ShapeError
from chainrule.graph.chain_rule import chain_rule, refuse_complex
from chainrule.graph.graph import Graph
from chainrule.graph.mode import inference_mode
from chainrule.graph.paragraphs import Table
from chainrule.graph.recording import differentiating
from chainrule.graph.variable import Parameter, Variable, as_array, constant
from chainrule.graph.verdicts import (
    CHANGING,
    Verdict,
    compare,
    oracles_of,
    refused,
    repeats,
    weights,
    worst,
)
from chainrule.graph.verdicts import directions as ways
from chainrule.lang.messages import Text, _, _n, lines, listed, sentences
from chainrule.layers.base import Layer
from chainrule.layers.losses import Loss
from chainrule.layers.opaque import OpaqueLayer, in_float64, is_hand_written
from chainrule.networks import Network
from chainrule.nodes.base import Array, Value, ignore_fp_errors
from chainrule.settings import language, whole

__all__ = ["CheckReport", "CheckRow", "check", "check_rows"]

#: The distance to the points beside a kink, relative to each element.
BESIDE = 1e-5

#: A function of Variables, a layer, a hand-written layer or a network.
Checkable: TypeAlias = Any
Run: TypeAlias = Callable[..., Value]


@dataclass(frozen=True, kw_only=True)
class CheckRow(Verdict):
    """The verdict on one gradient: of the value (order 1) or of the gradient (order 2)."""

    name: str
    shape: tuple[int, ...]
    order: int


@dataclass(frozen=True)
class CheckReport:
    """What `check` found: one row for each gradient. It is true if every row is right.

    For a network with its loss, `step` is the check of the step that training runs. `print` the
    report, or get it in Chinese: `said("zh")`.
    """

    rows: tuple[CheckRow, ...]
    step: StepCheck | None = None

    @property
    def ok(self) -> bool:
        """Whether every gradient agrees with the oracle, and the step with the graph."""
        return all(row.ok for row in self.rows) and (self.step is None or self.step.ok)

    def __bool__(self) -> bool:
        return self.ok

    @property
    def message(self) -> Text:
        """The table of verdicts and the summary, as a message."""
        head = (_("gradient"), _("shape"), _("verdict"), _("error"), _("allowed"), "")
        rows: list[tuple[str, ...]] = [head]
        for row in self.rows:
            numbers = (f"{row.error:.1e}", f"{row.allowed:.1e}")
            rows.append((_derivative(row), str(row.shape), row.verdict, *numbers, row.detail))
        step_lines = [] if self.step is None else self.step.lines()
        return lines([Table(rows), *step_lines, self.summary])

    def said(self, lang: str | None = None) -> str:
        """The report in a language; None: that of `CHAINRULE_LANG`, else English."""
        return self.message.said(language(lang))

    def __str__(self) -> str:
        return self.said()

    __repr__ = __str__

    @property
    def summary(self) -> Text:
        """The verdict in one line, a message."""
        wrong = [row for row in self.rows if not row.ok]
        oracles = oracles_of(wrong or self.rows)
        if wrong:
            verdict = _(
                "{wrong} of {count} gradients disagree with the {oracles}: {names}.",
                wrong=len(wrong),
                count=len(self.rows),
                oracles=oracles,
                names=listed(map(_derivative, wrong)),
            )
        else:
            verdict = _n(
                "The gradient agrees with the {oracles}.",
                "All {n} gradients agree with the {oracles}.",
                len(self.rows),
                oracles=oracles,
            )
        return verdict if self.step is None else sentences(verdict, self.step.summary)


def _derivative(row: CheckRow) -> str:
    """The name of the checked gradient: `∂W`, of second order `∂²W`."""
    return f"{'∂²' if row.order == 2 else '∂'}{row.name}"


def check(
    f: Checkable,
    *arrays: npt.ArrayLike,
    elements: bool = False,
    second_order: bool = False,
    directions: int = 1,
    seed: int = 0,
    engine: str = "auto",
    raise_on_failure: bool = False,
) -> CheckReport:
    """Compare the gradients of `f` at these arrays, by the chain rule, with a complex step.

    `f` is a function of Variables; or a layer, a hand-written layer, or a network (arrays: x,
    and for a network with its loss also t), whose parameters are then checked too, by name.
    A value that is not one number is weighted to one by fixed random numbers. Everything
    runs on float64 copies, and nothing of yours is changed. Arrays of whole numbers (ids,
    targets) and the targets of losses are constants.

    Each gradient is tried along random `directions`, or with `elements=True` element by element,
    which takes longer and says where the error is. `second_order=True` also checks the gradient
    of the gradient. With a hand-written layer, gradients are compared with central differences.

    For a network with its loss, the step that training runs is checked, too: its loss and every
    gradient, in the network's own dtype and with layers as in training, are compared with the graph.
    `engine` is the engine to check: "compiled", or "numpy", which "auto" means here (nothing is compiled
    for one step). cr.Trainer(..., check=True) checks the very step that its fit runs.

    >>> import chainrule as cr, numpy as np
    >>> print(cr.check(lambda x, W: cr.tanh(x @ W), np.ones((2, 3)), np.ones((3, 1))).summary)
    All 2 gradients agree with the complex step.
    """
    rows = check_rows(f, arrays, elements, second_order, directions, seed)
    report = CheckReport(rows, _step_of(f, arrays, engine))
    if raise_on_failure and not report.ok:
        raise CheckError(report.message)
    return report


def check_rows(
    f: Checkable,
    arrays: Sequence[npt.ArrayLike],
    elements: bool = False,
    second_order: bool = False,
    directions: int = 1,
    seed: int = 0,
) -> tuple[CheckRow, ...]:
    """The verdicts of `check` on the chain rule alone."""
    directions = whole(directions, "check: directions")
    with _subject(f, arrays) as subject:
        rng = np.random.default_rng(seed)
        oracle = _Oracle(subject, rng)
        rows: list[CheckRow] = []
        for order in (1, 2) if second_order else (1,):
            if not all(row.ok for row in rows):
                break  # a wrong gradient has no right gradient of its own
            for i, gradient in enumerate(oracle.gradients(order)):
                tries = ways(rng, subject.values[i].shape, elements, directions)
                rows.append(oracle.row(order, i, gradient, tries))
    return tuple(rows)


def _step_of(f: Checkable, arrays: Sequence[npt.ArrayLike], engine: str) -> StepCheck | None:
    """The check of the training step, if `f` is a network with targets."""
    if not isinstance(f, Network) or len(arrays) < 2 or not f.params:
        return None
    return check_step(f, *arrays, engine=engine)


# -- the oracle ------------------------------------------------------------------------------


class _Oracle:
    """The chain rule and the complex step for one subject."""

    def __init__(self, subject: _Subject, rng: np.random.Generator) -> None:
        self.subject = subject
        self.rng = rng
        out = constant(subject.run(subject.variables()))
        self.u = weights(rng, out.shape)
        self.w = [weights(rng, v.shape) for v in subject.values]
        graph = Graph([out])
        refuse_complex(graph)
        #: The sum of the absolute terms of the value, in proportion to which it is rounded.
        self.scale = float(np.sum(np.abs(self.u * out.data)))
        self.analytic = not subject.in_place and all(node.analytic for node in graph.nodes)

    def gradients(self, order: int) -> list[Array]:
        """∂(u·f) by the chain rule, or ∂(w·∂(u·f))."""
        variables = self.subject.variables()
        if order == 1:
            out = constant(self.subject.run(variables))
            # A gradient of the wrong shape is not refused here: the report names it.
            by_variable = chain_rule(
                Graph([out]), self.u.astype(out.dtype), lambda v: v.data, variables, strict=False
            )
        else:
            first = self._record(variables)
            total = constant(sum((w * g).sum() for w, g in zip(self.w, first, strict=True)))
            by_variable = Graph([total]).gradients(wanted=variables) if total.requires_grad else {}
        return [np.asarray(by_variable.get(v, np.zeros(v.shape))) for v in variables]

    def _record(self, variables: list[Variable]) -> list[Variable]:
        """The gradients as Variables, to differentiate again."""
        out = constant(self.subject.run(variables))
        graph = Graph([out], inputs=variables)
        seed = constant(self.u.astype(out.dtype))
        by_variable = chain_rule(graph, seed, lambda v: graph.origin.get(v, v), variables)
        return [
            by_variable[v] if v in by_variable else constant(np.zeros(v.shape)) for v in variables
        ]

    def value(self, order: int, values: list[Array]) -> Value:
        """The number that `gradients(order)` is the gradient of; complex for complex values."""
        variables = self.subject.variables(values)
        with ignore_fp_errors():
            if order == 1:
                return np.sum(self.u * constant(self.subject.run(variables)).data)
            out = constant(self.subject.run(variables))
            # Complex values are the oracle's complex steps, which the chain rule passes on.
            by_variable = chain_rule(
                Graph([out]), self.u.astype(out.dtype), lambda v: v.data, variables
            )
            parts = [
                np.sum(w * by_variable[v])
                for v, w in zip(variables, self.w, strict=True)
                if v in by_variable
            ]
            return sum(parts)

    def row(
        self, order: int, i: int, gradient: Array, tries: Iterator[tuple[str, Array]]
    ) -> CheckRow:
        """The verdict on one gradient, along some directions."""
        name, x = self.subject.names[i], self.subject.values[i]
        if gradient.shape != x.shape:
            note = _("backward gave a gradient of shape {shape}", shape=gradient.shape)
            verdict = refused(note, self.analytic)
        else:
            ways = list(tries)
            verdict = self._verdict(order, i, gradient, ways)
            doubtful = not verdict.ok or verdict.kink
            if doubtful and not (
                repeats(lambda: self._value(order, i, x))
                and repeats(lambda: self.gradients(order)[i])
            ):
                verdict = refused(CHANGING, self.analytic)
            elif verdict.kink and not verdict.ok and np.isfinite(gradient).all():
                verdict = self._verdict_beside(order, i, ways, verdict)
        return CheckRow(name=name, shape=x.shape, order=order, **vars(verdict))

    def _verdict(
        self, order: int, i: int, gradient: Array, ways: Sequence[tuple[str, Array]]
    ) -> Verdict:
        return worst(
            compare(
                gradient,
                self.subject.values[i],
                lambda moved: self._value(order, i, moved),
                place,
                v,
                analytic=self.analytic,
                scale=self.scale,
            )
            for place, v in ways
        )

    def _value(self, order: int, i: int, moved: Array) -> Value:
        values = list(self.subject.values)
        if moved.dtype.kind == "c":
            values = [value.astype(complex) for value in values]
        values[i] = moved
        return self.value(order, values)

    def _verdict_beside(
        self, order: int, i: int, ways: Sequence[tuple[str, Array]], verdict_at_kink: Verdict
    ) -> Verdict:
        """The verdict just beside a point where many kinks meet, as for ReLU on rows of zeros.

        At the point itself each kink may take either of its slopes, and along one direction their sum
        need not lie between the slopes of the two sides.
        """
        values = self.subject.values
        try:
            self.subject.values = [
                v + BESIDE * np.maximum(1, np.abs(v)) * weights(self.rng, v.shape) for v in values
            ]
            verdict = self._verdict(order, i, self.gradients(order)[i], ways)
        finally:
            self.subject.values = values
        return replace(verdict, kink=True) if verdict.ok else verdict_at_kink


# -- what is checked ---------------------------------------------------------------------------


class _Subject:
    """The function, layer or network to check, as a function of named float64 arrays."""

    def __init__(
        self,
        call: Run,
        arguments: Sequence[tuple[str, Array]],
        parameters: dict[str, Parameter],
        in_place: Collection[Parameter] = (),
    ) -> None:
        self.call = call
        #: Parameters of hand-written layers, which know only their own arrays.
        self.in_place = in_place
        self.arguments = [value for _, value in arguments]
        self.moving = [i for i, value in enumerate(self.arguments) if value.dtype.kind in "fc"]
        self.parameters = list(parameters.values())
        self.names = [arguments[i][0] for i in self.moving] + list(parameters)
        self.values: list[Array] = [
            np.array(value, np.float64)
            for value in [
                *(self.arguments[i] for i in self.moving),
                *(p.data for p in self.parameters),
            ]
        ]
        if not self.values:
            raise DTypeError(
                _(
                    "check() has nothing to check: every array holds whole numbers, which have no"
                    " gradient. Give floating-point arrays: x.astype(float)."
                )
            )

    def variables(self, values: list[Array] | None = None) -> list[Variable]:
        """Fresh Variables for the moving arguments, and the parameters, with these values."""
        arrays = self.values if values is None else values
        made: list[Variable] = []
        for name, value in zip(self.names[: len(self.moving)], arrays, strict=False):
            made.append(Variable(value, name))
        for parameter, value in zip(self.parameters, arrays[len(self.moving) :], strict=True):
            if parameter in self.in_place:
                parameter.data[...] = value
            else:
                parameter.data = value
            made.append(parameter)
        return made

    def run(self, variables: list[Variable]) -> Value:
        """The output for these Variables; the constant arguments are those given."""
        inputs: list[Value] = list(self.arguments)
        for i, variable in zip(self.moving, variables, strict=False):
            inputs[i] = variable
        with differentiating("cr.check"):
            return self.call(*inputs)


@contextmanager
def _subject(f: Checkable, arrays: Sequence[npt.ArrayLike]) -> Iterator[_Subject]:
    inputs = [np.array(as_array(a)) for a in arrays]
    if is_hand_written(f) and not isinstance(f, Network):
        f = OpaqueLayer(f)
    if not isinstance(f, Layer | Network):
        if not any(a.dtype.kind in "fc" for a in inputs):
            # Whole numbers beside floats are ids; where there is nothing else, they are numbers.
            inputs = [a.astype(float) if a.dtype.kind in "iu" else a for a in inputs]
        yield _Subject(f, list(zip(_names(f, len(inputs)), inputs, strict=True)), {})
        return
    if not inputs:
        raise ShapeError(
            _("check({name}, x) needs an array x to check the gradients at.", name=type(f).__name__)
        )
    if isinstance(f, Network):
        parameters = f.named_parameters()
        layers = [*f.layers, f.loss]
        arguments, call = _of_network(f, inputs)
    else:
        parameters = {n: p.tied[0] if p.tied else p for n, p in f.named_parameters().items()}
        layers = [layer for _, layer in f.named_layers()]
        arguments, call = _of_layer(
            f, inputs, len(inputs) if not isinstance(f, Loss | OpaqueLayer) else 1
        )
    opaque_layers = [layer for layer in layers if isinstance(layer, OpaqueLayer)]
    with ExitStack() as stack:
        stack.enter_context(inference_mode())
        stack.enter_context(_restored(list(parameters.values())))
        in_place: set[Parameter] = set()
        for layer in opaque_layers:
            stack.enter_context(_in_float64(layer))
            in_place.update(layer.parameters.values())
        yield _Subject(call, arguments, parameters, in_place)


def _of_layer(
    layer: Layer, inputs: list[Array], moving: int
) -> tuple[list[tuple[str, Array]], Run]:
    names = ["x", *(f"x{i}" for i in range(1, moving))]
    fixed = inputs[moving:]
    return (
        list(zip(names, inputs[:moving], strict=True)),
        lambda x, *more: layer._record(constant(x), *more, *fixed),
    )


def _of_network(network: Network, inputs: list[Array]) -> tuple[list[tuple[str, Array]], Run]:
    if len(inputs) < 2:
        return [("x", inputs[0])], lambda x: network._record_predict(constant(x))
    _, t, w = network._prepare(*inputs)
    target = Variable(t if t.dtype.kind in "iub" else t.astype(float), "t", requires_grad=False)
    more = () if w is None else (Variable(w.astype(float), "w", requires_grad=False),)
    return [("x", inputs[0])], lambda x: network._record_loss(constant(x), target, *more)


def _names(f: Checkable, n: int) -> list[str]:
    """The names of a function's first n arguments; x0, x1, ... where it has none."""
    try:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        named = [p.name for p in inspect.signature(f).parameters.values() if p.kind in kinds]
    except (TypeError, ValueError):  # some built-in callables have no signature
        named = []
    return [named[i] if i < len(named) else f"x{i}" for i in range(n)]


@contextmanager
def _restored(parameters: list[Parameter]) -> Iterator[None]:
    """On leaving the block, the parameters get their own arrays back."""
    arrays = [p.data for p in parameters]
    try:
        yield
    finally:
        for parameter, array in zip(parameters, arrays, strict=True):
            parameter.data = array


@contextmanager
def _in_float64(opaque: OpaqueLayer) -> Iterator[None]:
    """Inside the block, a hand-written layer is replaced by a copy with float64 arrays."""
    original = opaque.layer
    opaque.layer = in_float64(original)
    for parameter, array in zip(opaque.parameters.values(), opaque.layer.params or [], strict=True):
        parameter.data = array
    try:
        yield
    finally:
        opaque.layer = original
