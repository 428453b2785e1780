"""Protocols of layers, networks and optimizers, for the engines, which must not import them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from chainrule.engine.primitives import Array
from chainrule.graph.variable import Parameter, Variable
from chainrule.nodes.base import Value

__all__ = ["Division", "RecordableLayer", "RecordableNetwork", "Segment", "UpdateRule"]


class Division(Protocol):
    """How ranks share every batch: each has its rows, and sums over rows are added up over all."""

    @property
    def rank(self) -> int:
        """The number of this process."""

    @property
    def size(self) -> int:
        """How many processes there are."""

    @property
    def parts(self) -> int | None:
        """The parts that this one computes apart; None for as many as it has threads."""

    @property
    def seconds(self) -> float:
        """How long adding up has taken so far."""

    def add_up(self, array: Array) -> None:
        """Put the sum over all ranks into an array: the same bits everywhere."""

    def add_up_gradients(self, loss: float) -> tuple[float, bool]:
        """Add up the network's gradients; gives the loss of all, and whether one wants to stop."""


class RecordableLayer(Protocol):
    """A layer whose formula can run on Variables."""

    def _record(self, *inputs: Value) -> Variable:
        """The output as a Variable."""


class Segment(Protocol):
    """A run of parameters that an optimizer updates alike, with their gradients."""

    @property
    def data(self) -> Array:
        """The parameters, as one array."""

    @property
    def grad(self) -> Array:
        """Their gradients."""

    @property
    def decays(self) -> bool:
        """Whether weight decay applies to them."""

    @property
    def lr_factor(self) -> float:
        """The factor of the learning rate for them."""


class FlatParameters(Protocol):
    """A contiguous buffer of parameters."""

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters in it, in order."""


class RecordableNetwork(Protocol):
    """A network whose loss and outputs can be computed with Variables."""

    loss: Any
    seed: Any

    @property
    def layers(self) -> Sequence[Any]:
        """Its layers, in order."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype it computes in."""

    def _flatten_parameters(self) -> Sequence[FlatParameters]:
        """Draw the first weights, and move all parameters into flat buffers."""

    def named_layers(self) -> list[tuple[str, Any]]:
        """Its layers and those inside them, with their paths."""

    def named_parameters(self) -> dict[str, Parameter]:
        """Its parameters, by their paths."""

    def _as_input(self, x: npt.ArrayLike) -> Array:
        """x as an array that the network takes."""

    def _prepare(
        self, x: npt.ArrayLike, t: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[Array, Array, Array | None]:
        """Rows, targets and weights as a recorded step takes them."""

    def _segments(self) -> Sequence[Segment]:
        """The runs of parameters that an optimizer updates."""

    def _record_loss(self, x: Variable, t: Variable, w: Variable | None = None) -> Variable:
        """The loss of a batch as a Variable."""

    def _record_predict(self, x: Variable) -> Variable:
        """The outputs for a batch as a Variable."""


class UpdateRule(Protocol):
    """An optimizer: an elementwise rule that updates each parameter."""

    clip_norm: float | None
    state: list[list[Array]] | None
    iter: int

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the arrays that go with each parameter."""

    @property
    def _hyperparameter_names(self) -> tuple[str, ...]:
        """The names of the numbers that an update takes, in order."""

    def apply_rule(
        self,
        p: Value,
        g: Value,
        slots: list[Value],
        numbers: dict[str, Value],
        decay: bool,
        factor: float,
    ) -> tuple[Value, ...]:
        """The new parameter and slots, as an expression of the old ones."""

    def bind(
        self,
        params: Sequence[Array],
        grads: Sequence[Array],
        decays: Sequence[bool] | None = None,
        factors: Sequence[float] | None = None,
    ) -> None:
        """Check the arrays, and make a state for them if there is none."""

    def hyperparameters_for(self, steps: int) -> Array:
        """The numbers of the next updates, one row per update."""
