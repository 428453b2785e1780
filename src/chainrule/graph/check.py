"""cr.check: is every gradient right? The chain rule against a complex step.

For a real analytic function f, Im f(x + ihv) / h is the slope along v, and there is no
difference in it to lose digits by: h may be 1e-20, and the slope comes out to the last digit.
So backward is held to 1e-12 of the numbers it adds up, not to the 1e-6 of a difference.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import CheckError, DTypeError, SettingError, ShapeError
from chainrule.graph.chain_rule import chain_rule
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Parameter, Variable, constant
from chainrule.nodes.base import quiet

__all__ = ["CheckReport", "CheckRow", "check"]

Array = npt.NDArray[Any]
Run = Callable[..., Any]

#: The length of the complex step; its square vanishes beside 1.
STEP = 1e-20
#: What backward may be off by: this much of Σ|g·v|, and this much beside.
RELATIVE, ABSOLUTE = 1e-12, 1e-14
#: The same where only differences can be taken, which are good to some 1e-9 themselves.
DIFFERENCES, ROUNDING = 1e-6, 1e-9


@dataclass(frozen=True)
class CheckRow:
    """The verdict on one gradient: of the value (order 1) or of the gradient (order 2)."""

    name: str
    shape: tuple[int, ...]
    order: int
    ok: bool
    error: float
    allowed: float
    #: Where the error is largest against what is allowed: an element, or a random direction.
    place: str
    #: What backward says there, and what the oracle says.
    got: float
    expected: float
    oracle: str
    #: Whether the input lies on a kink, where the slope differs from side to side.
    kink: bool = False
    #: What is wrong, where no numbers could be compared.
    note: str = ""

    @property
    def verdict(self) -> str:
        """The verdict in a word or two."""
        if self.ok:
            return "ok, at a kink" if self.kink else "ok"
        return "WRONG"


@dataclass(frozen=True)
class CheckReport:
    """What `check` found: one row for each gradient. It is true if every row is."""

    rows: tuple[CheckRow, ...]

    @property
    def ok(self) -> bool:
        """Whether every gradient agrees with the oracle."""
        return all(row.ok for row in self.rows)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        table = [("gradient", "shape", "verdict", "error", "allowed", "")]
        for row in self.rows:
            detail = row.note
            if not row.ok and not detail:
                detail = f"at {row.place} backward gave {row.got:.17g}, the {row.oracle} {row.expected:.17g}"
            name = "∂" * row.order + row.name if row.order == 1 else f"∂²{row.name}"
            numbers = (f"{row.error:.1e}", f"{row.allowed:.1e}")
            table.append((name, str(row.shape), row.verdict, *numbers, detail))
        widths = [max(len(line[i]) for line in table) for i in range(5)]
        lines = [
            "  ".join(
                [cell.ljust(w) for cell, w in zip(line[:5], widths, strict=True)] + [line[5]]
            ).rstrip()
            for line in table
        ]
        return "\n".join([*lines, self.summary])

    __repr__ = __str__

    @property
    def summary(self) -> str:
        """The verdict in one line."""
        n = len(self.rows)
        wrong = [("∂²" if r.order == 2 else "∂") + r.name for r in self.rows if not r.ok]
        oracles = " and ".join(dict.fromkeys(row.oracle for row in self.rows))
        if not wrong:
            return (
                f"{'The gradient agrees' if n == 1 else f'All {n} gradients agree'}"
                f" with the {oracles}."
            )
        return f"{len(wrong)} of {n} gradients disagree with the {oracles}: {', '.join(wrong)}."


def check(
    f: Any,
    *arrays: npt.ArrayLike,
    elements: bool = False,
    second_order: bool = False,
    directions: int = 1,
    seed: int = 0,
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
    of the gradient. What has a hand-written layer in it is held against central differences.

    >>> import chainrule as cr, numpy as np
    >>> print(cr.check(lambda x, W: cr.tanh(x @ W), np.ones((2, 3)), np.ones((3, 1))).summary)
    All 2 gradients agree with the complex step.
    """
    if directions < 1:
        raise SettingError(f"check: directions={directions} must be a whole number from 1.")
    with _subject(f, arrays) as subject:
        rng = np.random.default_rng(seed)
        oracle = _Oracle(subject, rng)
        rows: list[CheckRow] = []
        for order in (1, 2) if second_order else (1,):
            if not all(row.ok for row in rows):
                break  # a wrong gradient has no right gradient of its own
            for i, gradient in enumerate(oracle.gradients(order)):
                probes = _probes(rng, subject.values[i].shape, elements, directions)
                rows.append(_worst([oracle.row(order, i, gradient, p, v) for p, v in probes]))
    report = CheckReport(tuple(rows))
    if raise_on_failure and not report.ok:
        raise CheckError(str(report))
    return report


def _probes(
    rng: np.random.Generator, shape: tuple[int, ...], elements: bool, directions: int
) -> Iterator[tuple[str, Array]]:
    if elements:
        for place in np.ndindex(shape):
            v = np.zeros(shape)
            v[place] = 1.0
            yield f"element {place}", v
    if not elements or 0 in shape:
        for k in range(directions):
            yield f"direction {k}", _weights(rng, shape)


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Random numbers away from 0, of both signs."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def _worst(rows: Sequence[CheckRow]) -> CheckRow:
    def badness(row: CheckRow) -> tuple[bool, float]:
        ratio = row.error / row.allowed
        return not row.ok, ratio if np.isfinite(ratio) else np.inf

    return max(rows, key=badness)


# -- the oracle ------------------------------------------------------------------------------


class _Oracle:
    """The chain rule and the complex step for one subject."""

    def __init__(self, subject: _Subject, rng: np.random.Generator) -> None:
        self.subject = subject
        out = constant(subject.run(subject.variables()))
        self.u = _weights(rng, out.shape)
        self.w = [_weights(rng, v.shape) for v in subject.values]
        nodes = Graph([out]).nodes
        #: The size of the numbers that make up the value, which its rounding goes by.
        self.scale = float(np.sum(np.abs(self.u * out.data)))
        self.analytic = not subject.in_place and all(node.analytic for node in nodes)

    def gradients(self, order: int) -> list[Array]:
        """∂(u·f) by the chain rule, or ∂(w·∂(u·f))."""
        variables = self.subject.variables()
        found: Any
        if order == 1:
            out = constant(self.subject.run(variables))
            # A gradient of the wrong shape is for the report to tell of.
            found = chain_rule(
                Graph([out]), self.u.astype(out.dtype), lambda v: v.data, variables, strict=False
            )
        else:
            first = self._record(variables)
            total: Any = sum((w * g).sum() for w, g in zip(self.w, first, strict=True))
            found = Graph([total]).gradients(wanted=variables) if total.requires_grad else {}
        return [np.asarray(found.get(v, np.zeros(v.shape))) for v in variables]

    def _record(self, variables: list[Variable]) -> list[Variable]:
        """The gradients as Variables, to differentiate again."""
        out = constant(self.subject.run(variables))
        graph = Graph([out], inputs=variables)
        seed = constant(self.u.astype(out.dtype))
        found = chain_rule(graph, seed, lambda v: graph.origin.get(v, v), variables)
        return [found[v] if v in found else constant(np.zeros(v.shape)) for v in variables]

    def value(self, order: int, values: list[Array]) -> Any:
        """The number that `gradients(order)` is the gradient of; complex for complex values."""
        variables = self.subject.variables(values)
        with quiet():
            if order == 1:
                return np.sum(self.u * constant(self.subject.run(variables)).data)
            out = constant(self.subject.run(variables))
            found = Graph([out]).gradients(self.u.astype(out.dtype), variables)
            parts = [
                np.sum(w * found[v]) for v, w in zip(variables, self.w, strict=True) if v in found
            ]
            return sum(parts)

    def complex_step(self, order: int, i: int, v: Array) -> float:
        """The slope along v in input i, from above."""
        values = [value.astype(complex) for value in self.subject.values]
        values[i] = values[i] + 1j * STEP * v
        return float(np.imag(self.value(order, values))) / STEP

    def difference(self, order: int, i: int, v: Array, width: float) -> float:
        """The slope along v in input i, by a central difference."""
        ends = []
        for sign in (1, -1):
            values = list(self.subject.values)
            values[i] = values[i] + sign * width * v
            ends.append(float(np.real(self.value(order, values))))
        return (ends[0] - ends[1]) / (2 * width)

    def row(self, order: int, i: int, gradient: Array, place: str, v: Array) -> CheckRow:
        """The verdict on one gradient along one direction."""
        name, x = self.subject.names[i], self.subject.values[i]
        expected = other = np.nan
        if gradient.shape != x.shape:
            note = f"backward gave a gradient of shape {gradient.shape}"
            oracle = "complex step" if self.analytic else "central difference"
            return CheckRow(
                name,
                x.shape,
                order,
                False,
                np.inf,
                ABSOLUTE,
                place,
                np.nan,
                np.nan,
                oracle,
                note=note,
            )
        if self.analytic:
            try:
                expected = self.complex_step(order, i, v)
            except TypeError:  # float() of a complex Variable, in the user's own function
                self.analytic = False
        by_difference = not np.isfinite(expected) and bool(np.isfinite(gradient).all())
        if by_difference:
            # Opaque, or out of the range of complex arithmetic: σ(-1000). Large x, large steps.
            reach = np.where(v == 0, 0, np.maximum(1, np.abs(x)))
            width = float(reach.max(initial=1e-300))
            v = v * reach / width
            expected = self.difference(order, i, v, 6e-6 * width)
        with quiet():
            got, size = float(np.sum(gradient * v)), float(np.sum(np.abs(gradient * v)))
        if by_difference:
            oracle, allowed = "central difference", DIFFERENCES * size + ROUNDING * (1 + self.scale)
        else:
            oracle, allowed = "complex step", RELATIVE * size + ABSOLUTE
            if not abs(got - expected) <= allowed:
                other = -self.complex_step(order, i, -v)
        error = abs(got - expected)
        # On a kink the slope differs from side to side, and any value between is a fair one.
        kink = bool(abs(other - expected) > allowed)
        low, high = min(expected, other) - allowed, max(expected, other) + allowed
        ok = bool(error <= allowed or (kink and low <= got <= high))
        return CheckRow(
            name, x.shape, order, ok, error, allowed, place, got, expected, oracle, kink
        )


# -- what is checked ---------------------------------------------------------------------------


class _Subject:
    """A function of named float64 arrays, whatever it was given as."""

    def __init__(
        self,
        call: Run,
        arguments: Sequence[tuple[str, Any]],
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
                "check() has nothing to check: every array holds whole numbers, which have no"
                " gradient. Give floating-point arrays: x.astype(float)."
            )

    def variables(self, values: list[Array] | None = None) -> list[Variable]:
        """Fresh Variables for the moving arguments, and the parameters, with these values."""
        given = self.values if values is None else values
        made: list[Variable] = []
        for name, value in zip(self.names[: len(self.moving)], given, strict=False):
            made.append(Variable(value, name))
        for parameter, value in zip(self.parameters, given[len(self.moving) :], strict=True):
            if parameter in self.in_place:
                parameter.data[...] = value
            else:
                parameter.data = value
            made.append(parameter)
        return made

    def run(self, variables: list[Variable]) -> Any:
        """The output for these Variables; what does not move goes in as it was given."""
        inputs: list[Any] = list(self.arguments)
        for i, variable in zip(self.moving, variables, strict=False):
            inputs[i] = variable
        return self.call(*inputs)


@contextmanager
def _subject(f: Any, arrays: Sequence[npt.ArrayLike]) -> Iterator[_Subject]:
    from chainrule.layers.base import Layer
    from chainrule.layers.losses import Loss
    from chainrule.layers.mode import evaluating
    from chainrule.layers.opaque import OpaqueLayer, is_hand_written
    from chainrule.networks import Network

    inputs = [np.array(a) for a in arrays]
    if is_hand_written(f) and not isinstance(f, Network):
        f = OpaqueLayer(f)
    if not isinstance(f, Layer | Network):
        yield _Subject(f, list(zip(_names(f, len(inputs)), inputs, strict=True)), {})
        return
    if not inputs:
        raise ShapeError(
            f"check({type(f).__name__}, x) needs an array x to check the gradients at."
        )
    if isinstance(f, Network):
        parameters = f.named_parameters()
        layers = [*f.layers, f.loss]
        arguments, call = _of_network(f, inputs)
    else:
        parameters = {n: p.tied[0] if p.tied else p for n, p in f.parameters.items()}
        layers = [f]
        arguments, call = _of_layer(
            f, inputs, len(inputs) if not isinstance(f, Loss | OpaqueLayer) else 1
        )
    by_hand = [layer for layer in layers if isinstance(layer, OpaqueLayer)]
    with ExitStack() as stack:
        stack.enter_context(evaluating())
        stack.enter_context(_kept(list(parameters.values())))
        in_place: set[Parameter] = set()
        for layer in by_hand:
            stack.enter_context(_doubled(layer))
            in_place.update(layer.parameters.values())
        yield _Subject(call, arguments, parameters, in_place)


def _of_layer(layer: Any, inputs: list[Array], moving: int) -> tuple[list[tuple[str, Array]], Run]:
    names = ["x", *(f"x{i}" for i in range(1, moving))]
    fixed = inputs[moving:]
    return (
        list(zip(names, inputs[:moving], strict=True)),
        lambda x, *more: layer.record(constant(x), *more, *fixed),
    )


def _of_network(network: Any, inputs: list[Array]) -> tuple[list[tuple[str, Array]], Run]:
    if len(inputs) < 2:
        return [("x", inputs[0])], lambda x: network.record_predict(constant(x))
    _, t, w = network.prepare(*inputs)
    t = Variable(t if t.dtype.kind in "iub" else t.astype(float), "t", requires_grad=False)
    more = () if w is None else (Variable(w.astype(float), "w", requires_grad=False),)
    return [("x", inputs[0])], lambda x: network.record_loss(constant(x), t, *more)


def _names(f: Any, n: int) -> list[str]:
    """The names of a function's first n arguments, as its author gave them."""
    try:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        named = [p.name for p in inspect.signature(f).parameters.values() if p.kind in kinds]
    except (TypeError, ValueError):  # some built-in callables do not tell
        named = []
    return [named[i] if i < len(named) else f"x{i}" for i in range(n)]


@contextmanager
def _kept(parameters: list[Parameter]) -> Iterator[None]:
    """The parameters get their own arrays back, whatever they stand for inside."""
    arrays = [p.data for p in parameters]
    try:
        yield
    finally:
        for parameter, array in zip(parameters, arrays, strict=True):
            parameter.data = array


@contextmanager
def _doubled(opaque: Any) -> Iterator[None]:
    """A hand-written layer is stood in for by a copy of it, its arrays in float64."""
    from chainrule.layers.opaque import in_float64

    original = opaque.layer
    opaque.layer = in_float64(original)
    for parameter, array in zip(opaque.parameters.values(), opaque.layer.params or [], strict=True):
        parameter.data = array
    try:
        yield
    finally:
        opaque.layer = original
