"""Does an engine's training step give the numbers of the graph?

`cr.check` compares the chain rule on a network's graph with a complex step; this module compares the
program that an engine makes of that graph with the graph itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from chainrule.engine.choice import engine_name, extra_missing, missing_packages
from chainrule.engine.protocols import Division
from chainrule.graph.mode import training_mode
from chainrule.graph.recording import recording
from chainrule.graph.variable import Parameter, Variable
from chainrule.graph.verdicts import Verdict
from chainrule.lang.messages import Text, _, capital, listed
from chainrule.networks import Network
from chainrule.networks.steps import RecordedStep, Step
from chainrule.nodes.base import Array, ignore_fp_errors
from chainrule.optimizers import SGD, Optimizer

__all__ = ["StepCheck", "check_step"]

#: Inputs, targets and weights of the samples.
Data = tuple[Array, Array, Array | None]
#: The loss and every gradient, by name.
Gradients = dict[str, Array]

#: The error allowed to a step: so many times what rounding the graph's numbers changes, and at least
#: so many units in the last place of the largest number.
ROUNDING, UNITS = 64, 256
#: How far the parameters are moved for the second run.
MOVED = 0.1


class Sharing(Protocol):
    """How a training divides batches, among ranks or into parts; all ranks make the same calls."""

    @property
    def divides(self) -> bool:
        """Whether it does."""

    def division(self, network: Network) -> Division:
        """What adds up over the parts of a batch."""

    def divided_step(self, network: Network, x: Array, t: Array, w: Array | None) -> Step:
        """The NumPy engine's step of a batch that is divided."""


@dataclass(frozen=True)
class StepCheck:
    """The check of one training step: a verdict on the loss and on every gradient."""

    #: The engine that was checked, and why not the compiled one, if it could not compile (a message).
    engine: str
    reason: str | None
    #: By name: "loss", "first.W", ...
    verdicts: dict[str, Verdict]
    #: Whether it was the step of batches that are divided, among ranks or into parts.
    divided: bool = False

    @property
    def ok(self) -> bool:
        """Whether the engine's step gives the graph's numbers."""
        return all(verdict.ok for verdict in self.verdicts.values())

    @property
    def title(self) -> Text:
        """The name of the step that was checked, a message."""
        step = _("the compiled engine's step")
        if self.engine == "numpy":
            step = _("the NumPy engine's step")
        return _("{step} on divided batches", step=step) if self.divided else step

    def lines(self) -> list[Text]:
        """A line for everything that is wrong, each a message."""
        return [
            _(
                "{name}: {step} has {got:.17g} at {place}, the graph {expected:.17g} ({error:.1e} apart,"
                " {allowed:.1e} allowed)",
                name=name,
                step=self.title,
                got=v.got,
                place=v.place,
                expected=v.expected,
                error=v.error,
                allowed=v.allowed,
            )
            for name, v in self.verdicts.items()
            if not v.ok
        ]

    @property
    def summary(self) -> Text:
        """The verdict in one line, a message."""
        step = self.title
        if self.reason:
            step = _("{step} (compiled: {reason})", step=step, reason=self.reason)
        wrong = [name for name, verdict in self.verdicts.items() if not verdict.ok]
        if not wrong:
            return _("The loss and the gradients of {step} are those of the graph.", step=step)
        return _("{step} is WRONG in {names}.", step=capital(step), names=listed(wrong))


def check_step(
    network: Network,
    x: npt.ArrayLike,
    t: npt.ArrayLike,
    w: npt.ArrayLike | None = None,
    *,
    engine: str = "auto",
    optimizer: Optimizer | None = None,
    max_grad: float | None = None,
    threads: int | None = None,
    sharing: Sharing | None = None,
) -> StepCheck:
    """Compare one training step of an engine, forward and backward, with the graph.

    `sharing`: how the training divides its batches, whose step is then that of all parts together.

    "auto" is the NumPy engine, as nothing is compiled for one step, unless CHAINRULE_ENGINE names
    another.

    It runs on a copy of the network, in the network's own dtype, as in training. The step runs
    twice: with the parameters as they are, and with others and the rows in reverse. So a number that
    was read once, when the step was planned, instead of at every run, is noticed.
    """
    twin = copy.deepcopy(network)
    data = twin._prepare(x, t, w)
    shared = sharing if sharing is not None and sharing.divides else None
    step = _step_of(twin, data, engine_name(engine), optimizer, max_grad, threads, shared)
    n, rng = len(data[0]), np.random.default_rng(0)
    parameters = list(twin.named_parameters().values())
    starts = [p.data.copy() for p in parameters]
    buffers = [b.copy() for b in twin.named_buffers().values()]
    verdicts: dict[str, Verdict] = {}
    for run, rows in enumerate((np.arange(n), np.arange(n)[::-1].copy())):
        for p, start in zip(parameters, starts, strict=True):
            noise = MOVED * rng.standard_normal(p.shape) if run else np.zeros(p.shape)
            p.data[...] = start + (noise * (np.abs(start) + MOVED)).astype(p.dtype)
        for b, old in zip(twin.named_buffers().values(), buffers, strict=True):
            b[...] = old
        batch = (data[0][rows], data[1][rows], None if data[2] is None else data[2][rows])
        expected, slack = _by_graph(twin, batch, rng)
        if not np.isfinite(expected["loss"]):
            continue  # training stops there, on every engine
        results = step.run(rows)
        for name, correct in expected.items():
            place = "" if name == "loss" else name
            verdict = _verdict(place, results[name], correct, slack[name])
            if name not in verdicts or verdicts[name].ok:
                verdicts[name] = verdict
    return StepCheck(step.engine, step.reason, verdicts, shared is not None)


# -- the graph ----------------------------------------------------------------------------------


def _named(network: Network) -> dict[str, Parameter]:
    return {k: p for k, p in network.named_parameters().items() if p.trainable}


def _eager(network: Network, batch: Data) -> Gradients:
    """The loss and the gradients by Variables; no buffer and no `grad` is written."""
    x, t, w = batch
    more = () if w is None else (Variable(w, requires_grad=False),)
    with training_mode(True), recording(), ignore_fp_errors():
        loss = network._record_loss(Variable(x), Variable(t, requires_grad=False), *more)
        gradients = loss.graph.gradients() if loss.requires_grad else {}
    grads = {
        k: np.array(gradients[p]) if p in gradients else np.zeros_like(p.data)
        for k, p in _named(network).items()
    }
    return {"loss": loss.data, **grads}


def _by_graph(
    network: Network, batch: Data, rng: np.random.Generator
) -> tuple[Gradients, dict[str, float]]:
    """The graph's numbers, and the error allowed: how far they move under rounding errors."""
    expected = _eager(network, batch)
    eps = float(np.finfo(network.dtype).eps)
    largest = max((float(np.abs(g).max(initial=0)) for g in expected.values()), default=0.0)
    slack = {
        k: UNITS * eps * max(float(np.abs(g).max(initial=0)), 1e-3 * largest)
        for k, g in expected.items()
    }
    named = _named(network)
    originals = {k: p.data.copy() for k, p in named.items()}
    for _run in range(3):
        for p in named.values():
            p.data *= (1 + eps * rng.standard_normal(p.shape)).astype(p.dtype)
        x = batch[0]
        if x.dtype.kind == "f":
            x = (x * (1 + eps * rng.standard_normal(x.shape))).astype(x.dtype)
        perturbed = _eager(network, (x, *batch[1:]))
        for k, p in named.items():
            p.data[...] = originals[k]
        for k, g in perturbed.items():
            with ignore_fp_errors():
                change = float(np.abs(g - expected[k]).max(initial=0))
            slack[k] = max(slack[k], ROUNDING * change)
    return expected, slack


def _verdict(name: str, result: Array, expected: Array, allowed: float) -> Verdict:
    with ignore_fp_errors():
        errors = np.abs(np.asarray(result, float) - expected)
    errors = np.where(np.isnan(errors), np.inf, errors)
    index = np.unravel_index(int(np.argmax(errors)), errors.shape) if errors.size else ()
    error = float(errors[index]) if errors.size else 0.0
    return Verdict(
        ok=error <= allowed,
        error=error,
        allowed=allowed,
        place=f"{name}[{', '.join(map(str, index))}]" if index else name or _("the loss"),
        got=float(np.asarray(result)[index]) if errors.size else np.nan,
        expected=float(np.asarray(expected)[index]) if errors.size else np.nan,
        oracle=_("graph"),
    )


# -- the engine's step -----------------------------------------------------------------------------


@dataclass
class _EngineStep:
    """A training step of an engine; `run` takes the rows of the batch."""

    engine: str
    reason: str | None
    run: Callable[[Array], Gradients]


def _step_of(
    network: Network,
    data: Data,
    engine: str,
    optimizer: Optimizer | None,
    max_grad: float | None,
    threads: int | None,
    sharing: Sharing | None,
) -> _EngineStep:
    """The step, on the NumPy engine where the network cannot be compiled."""
    reason = None
    if engine == "compiled":
        missing = missing_packages()
        if missing:
            raise extra_missing(missing)
        try:
            return _compiled(network, data, optimizer, max_grad, threads, sharing)
        except _not_compilable() as error:
            reason = error.args[0]  # a message
    step: Step = RecordedStep(network, *data)
    if sharing is not None:
        step = sharing.divided_step(network, *data)

    def run(rows: Array) -> Gradients:
        with ignore_fp_errors():
            loss = step.run(rows)
        return {"loss": np.asarray(loss), **{k: p.grad for k, p in _named(network).items()}}

    return _EngineStep("numpy", reason, run)


def _not_compilable() -> type[Exception]:
    from chainrule.engine.compiled.values import NotCompilable

    return NotCompilable


def _compiled(
    network: Network,
    data: Data,
    optimizer: Optimizer | None,
    max_grad: float | None,
    threads: int | None,
    sharing: Sharing | None,
) -> _EngineStep:
    from chainrule.engine.compiled.step import CompiledStep

    named = [(name, a) for name, a in zip("xtw", data, strict=True) if a is not None]
    moves = SGD() if optimizer is None else copy.deepcopy(optimizer)
    n = len(data[0])
    step = CompiledStep(
        network,
        moves,
        named,
        n,
        threads=threads,
        max_grad=max_grad,
        division=None if sharing is None else sharing.division(network),
    )

    def run(rows: Array) -> Gradients:
        losses = step.run(rows.astype(np.intp), np.array([0, n]), step.rates(1))
        loss = losses[0] if len(losses) else step.bad_loss
        return {"loss": np.asarray(loss), **{k: p.grad for k, p in _named(network).items()}}

    return _EngineStep("compiled", None, run)
