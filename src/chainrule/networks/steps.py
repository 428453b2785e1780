"""One training step: mini-batch, forward, backward; the update follows in the Trainer."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.engine.cache import ProgramCache
from chainrule.engine.program import Program
from chainrule.graph.reads import outdated
from chainrule.networks import Network

__all__ = ["ByHandStep", "RecordedStep", "Segments", "Step", "make_step"]

Array = npt.NDArray[Any]
#: Parameters, gradients, whether decay applies, and factors of the learning rate, if some differ.
Segments: TypeAlias = tuple[list[Array], list[Array], list[bool], list[float] | None]


class Step(Protocol):
    """What the Trainer needs of a step."""

    t: Array
    #: The text of the latest program, if the step is one.
    source: str | None

    def run(self, rows: Array) -> float:
        """The loss of these rows, with the gradients left in `grads()`."""

    def segments(self) -> Segments:
        """What to update."""


class RecordedStep:
    """A network's step, recorded once for each batch size and run in planned buffers."""

    def __init__(self, network: Network, x: Array, t: Array, w: Array | None) -> None:
        self.network = network
        self.x, self.t, self.w = x, t, w
        self.data = (x, t) if w is None else (x, t, w)
        self.source: str | None = None
        self._begin()

    def _begin(self) -> None:
        self._revision = self.network._revision.number
        self._steps: ProgramCache[Program] = ProgramCache(8)
        segments = self.network._segments()
        self._segments = (
            [s.data for s in segments],
            [s.grad for s in segments],
            [s.decays for s in segments],
            [s.lr_factor for s in segments] if any(s.lr_factor != 1 for s in segments) else None,
        )

    def _renew(self) -> None:
        if self._revision != self.network._revision.number:  # a setting has changed
            self._begin()

    def run(self, rows: Array) -> float:
        """The loss of these rows, with the gradients left in the network's arrays."""
        self._renew()
        step = self._steps.get(len(rows), self._revision)
        if step is None or (step.reads and outdated(step.reads)):
            step = self._steps.put(len(rows), self._revision, self._plan(rows))
        loss: float = step.functions["step"](*self.data, rows).item()
        return loss

    def _plan(self, rows: Array) -> Program:
        program = self.network.step_program(self.x, self.t, self.w, rows=rows)
        self.source = program.source
        return program

    def segments(self) -> Segments:
        """What to update: the long runs of the flat buffers."""
        self._renew()
        return self._segments


class ByHandStep:
    """A network written in the chapter's way: its own forward and backward."""

    def __init__(self, model: Any, x: Array, t: Array) -> None:
        self.model, self.x, self.t = model, x, t
        self.source: str | None = None

    def run(self, rows: Array) -> float:
        """The loss of these rows, with the gradients left in the model's arrays."""
        loss = float(self.model.forward(self.x[rows], self.t[rows]))
        self.model.backward()
        return loss

    def segments(self) -> Segments:
        """What to update: every array once; a shared one, or its transpose, has its gradients added."""
        params: list[Array] = []
        grads: list[Array] = []
        place: dict[tuple[int, int], int] = {}
        for p, g in zip(self.model.params, self.model.grads, strict=True):
            i = place.setdefault((p.__array_interface__["data"][0], p.nbytes), len(params))
            if i == len(params):
                params.append(p)
                grads.append(g)
            else:
                grads[i] = grads[i] + (g if p.strides == params[i].strides else g.T)
        return params, grads, [np.ndim(p) >= 2 for p in params], None


def make_step(model: Any, x: Array, t: Array, w: Array | None) -> Step:
    """The step of a network of ours, or of one written by hand."""
    return RecordedStep(model, x, t, w) if isinstance(model, Network) else ByHandStep(model, x, t)
