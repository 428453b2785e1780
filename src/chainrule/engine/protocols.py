"""What the engines ask of layers, networks and optimizers, which stand above them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from chainrule.graph.variable import Parameter, Variable
from chainrule.nodes.base import Value

__all__ = ["RecordableLayer", "RecordableNetwork", "Segment", "UpdateRule"]

Array = npt.NDArray[Any]


class RecordableLayer(Protocol):
    """A layer, whose formula can be run on Variables."""

    def _record(self, *inputs: Any) -> Variable:
        """The output, computed with Variables."""


class Segment(Protocol):
    """A run of parameters that an optimizer treats alike, with their gradients."""

    @property
    def data(self) -> Array:
        """The parameters, one after the other."""

    @property
    def grad(self) -> Array:
        """Their gradients."""

    @property
    def decays(self) -> bool:
        """Whether they decay."""

    @property
    def lr_factor(self) -> float:
        """What the learning rate is multiplied with for them."""


class FlatParameters(Protocol):
    """Parameters that lie in memory one after the other."""

    @property
    def parameters(self) -> list[Parameter]:
        """Those."""


class RecordableNetwork(Protocol):
    """A network, whose loss and outputs can be computed with Variables."""

    loss: Any
    seed: Any

    @property
    def layers(self) -> Sequence[Any]:
        """Its layers, in the order they were made."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype it computes in."""

    def _flatten_parameters(self) -> Sequence[FlatParameters]:
        """Draw the first weights, and move all into flat buffers."""

    def named_layers(self) -> list[tuple[str, Any]]:
        """Its layers and those inside them, with their paths."""

    def named_parameters(self) -> dict[str, Parameter]:
        """Its parameters, by their paths."""

    def _as_input(self, x: npt.ArrayLike) -> Array:
        """x as an array that it takes."""

    def _prepare(
        self, x: npt.ArrayLike, t: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[Array, Array, Array | None]:
        """Data as a recorded step takes it."""

    def _segments(self) -> Sequence[Segment]:
        """What an optimizer updates."""

    def _record_loss(self, x: Variable, t: Variable, w: Variable | None = None) -> Variable:
        """The loss of a batch."""

    def _record_predict(self, x: Variable) -> Variable:
        """The outputs for a batch."""


class UpdateRule(Protocol):
    """An optimizer: a rule for each parameter, written once, elementwise."""

    clip_norm: float | None
    state: list[list[Array]] | None
    iter: int

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the arrays that go with each parameter."""

    @property
    def hyperparameter_names(self) -> tuple[str, ...]:
        """The numbers that the rule takes, by name."""

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
        """Check the arrays, and see that there is a state that fits them."""

    def hyperparameters_for(self, steps: int) -> Array:
        """The numbers of the next updates, one row for each."""
