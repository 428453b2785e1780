"""The gradient of a mini-batch, forward and backward; the Trainer's update follows."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.engine.cache import ProgramCache
from chainrule.engine.program import Program
from chainrule.graph.reads import outdated
from chainrule.networks.flat import memory
from chainrule.networks.network import Network

__all__ = [
    "HandWrittenStep",
    "RecordedStep",
    "Segments",
    "Step",
    "TrainableModel",
    "make_step",
    "segments_of",
]

Array = npt.NDArray[Any]
#: Parameters, gradients, whether decay applies to each, and factors of the learning rate; None if
#: all factors are 1.
Segments: TypeAlias = tuple[list[Array], list[Array], list[bool], list[float] | None]


class TrainableModel(Protocol):
    """The chapter's contract for a network, which chainrule's networks and hand-written ones keep."""

    @property
    def params(self) -> list[Array]:
        """The parameter arrays."""

    @property
    def grads(self) -> list[Array]:
        """Their gradients, in the same order."""

    def forward(self, x: Array, t: Array, /) -> float:
        """The loss of a batch."""

    def backward(self) -> None:
        """Writes the gradients of that loss into `grads`."""


class Step(Protocol):
    """What the Trainer requires of a step."""

    t: Array
    #: The text of the latest program; None for a hand-written model.
    source: str | None
    #: Whether one of the ranks that share it wanted to stop, at the latest step.
    stops: bool

    @property
    def sent(self) -> float:
        """The seconds that messages between ranks have taken so far."""

    def run(self, rows: Array) -> float:
        """The loss of these rows; the gradients are then in the arrays of `segments()`."""

    def segments(self) -> Segments:
        """The arrays to update."""


def segments_of(network: Network) -> Segments:
    """The arrays of a network that an optimizer updates: the long runs of the flat buffers."""
    runs = network._segments()
    return (
        [run.data for run in runs],
        [run.grad for run in runs],
        [run.decays for run in runs],
        [run.lr_factor for run in runs] if any(run.lr_factor != 1 for run in runs) else None,
    )


class RecordedStep:
    """A network's step, recorded once for each batch size; its program runs in planned buffers."""

    stops, sent = False, 0.0

    def __init__(self, network: Network, x: Array, t: Array, w: Array | None) -> None:
        self.network = network
        self.x, self.t, self.w = x, t, w
        self.data = (x, t) if w is None else (x, t, w)
        self.source: str | None = None
        self._begin()

    def _begin(self) -> None:
        self._revision = self.network._revision.number
        self._steps: ProgramCache[Program] = ProgramCache(8)
        self._segments = segments_of(self.network)

    def _renew(self) -> None:
        if self._revision != self.network._revision.number:  # a setting has changed
            self._begin()

    def run(self, rows: Array) -> float:
        """The loss of these rows; the gradients are written into the network's arrays."""
        self._renew()
        step = self._steps.get(len(rows), self._revision)
        if step is None or (step.reads and outdated(step.reads)):
            step = self._steps.put(len(rows), self._revision, self._plan(rows))
        return float(self.network._run(step.functions["step"], *self.data, rows))

    def _plan(self, rows: Array) -> Program:
        program = self.network.step_program(self.x, self.t, self.w, rows=rows)
        self.source = program.source
        return program

    def segments(self) -> Segments:
        """The arrays to update: the long runs of the flat buffers."""
        self._renew()
        return self._segments


class HandWrittenStep:
    """The step of a hand-written model: its own forward and backward."""

    stops, sent = False, 0.0

    def __init__(self, model: TrainableModel, x: Array, t: Array) -> None:
        self.model, self.x, self.t = model, x, t
        self.source: str | None = None

    def run(self, rows: Array) -> float:
        """The loss of these rows; the gradients are written into the model's arrays."""
        loss = float(self.model.forward(self.x[rows], self.t[rows]))
        self.model.backward()
        return loss

    def segments(self) -> Segments:
        """The arrays to update, each once; of a shared array or its transpose, the gradients' sum."""
        params: list[Array] = []
        grads: list[Array] = []
        index: dict[tuple[int, int], int] = {}
        for p, g in zip(self.model.params, self.model.grads, strict=True):
            i = index.setdefault(memory(p), len(params))
            if i == len(params):
                params.append(p)
                grads.append(g)
            else:
                grads[i] = grads[i] + (g if p.strides == params[i].strides else g.T)
        return params, grads, [np.ndim(p) >= 2 for p in params], None


def make_step(model: TrainableModel, x: Array, t: Array, w: Array | None) -> Step:
    """The step of a chainrule network, or of a hand-written model."""
    if isinstance(model, Network):
        return RecordedStep(model, x, t, w)
    return HandWrittenStep(model, x, t)
