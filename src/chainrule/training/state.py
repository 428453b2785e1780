"""The state of a training, in one object: loops, callbacks and the playground share it."""

from __future__ import annotations

import copy
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from chainrule.distributed import Communicator, SerialCommunicator
from chainrule.errors import SettingError, shown
from chainrule.lang.messages import _
from chainrule.layers.losses import Loss
from chainrule.networks import Network
from chainrule.networks.parts import in_parts
from chainrule.networks.steps import TrainableModel
from chainrule.optimizers import Optimizer
from chainrule.schedules import Schedule
from chainrule.training.history import History
from chainrule.training.metrics import Metric

if TYPE_CHECKING:
    from chainrule.distributed.messages import Messages
    from chainrule.distributed.step import ShardedStep
    from chainrule.engine.compiled.step import CompiledStep

__all__ = [
    "Place",
    "Snapshot",
    "Training",
    "moving_arrays",
    "parameter_arrays",
    "scores_of",
]

Array = npt.NDArray[Any]


class Place(NamedTuple):
    """How far a training has come: what an epoch changes."""

    generator: Mapping[str, object]
    schedule: Schedule | None
    history: History
    epoch: int
    stop_reason: str | None


@dataclass(frozen=True)
class Snapshot:
    """The state of a training at one time: what a step changes; with `place` what an epoch changes."""

    #: Copies of the parameters and buffers.
    arrays: list[Array]
    #: Copies of the optimizer's slots, and the number of its updates.
    slots: list[list[Array]] | None
    updates: int
    place: Place | None = None

    @property
    def nbytes(self) -> int:
        """How many bytes its arrays take."""
        return sum(a.nbytes for group in (self.arrays, *(self.slots or ())) for a in group)


class Training:
    """A model, its optimizer, and the state of its training.

    `history` records the steps and epochs, `rng` shuffles the rows, and `stop_reason` is set once
    training is to stop. `restore` goes back to a `snapshot`; the same bits follow as followed then.
    """

    def __init__(self, model: Any, optimizer: Any, rng: np.random.Generator) -> None:
        self.model, self.optimizer, self.rng = model, optimizer, rng
        self.history = History()
        self.current_epoch = 0
        self.stop_reason: str | None = None
        #: Whether that was Ctrl-C or a signal, and the signal, if it is to end the program.
        self.interrupted = False
        self.received: signal.Signals | None = None
        self.engine = "numpy"
        #: The ranks that share every batch.
        self.communicator: Communicator = SerialCommunicator()
        #: Whether the bits are to be those of any number of ranks.
        self.reproducible = False
        self.threads: int | None = None
        #: The engine of the latest fit; if it is not the compiled one, the reason.
        self.engine_used: str | None = None
        self.engine_reason: str | None = None
        #: The compiled step of the latest fit, after the key of what it was made for.
        self._kernel: tuple[tuple[object, ...], CompiledStep] | None = None
        #: The most rows of a batch in this process whose steps fitted into memory, which they may hold still.
        self.rows_that_fit = 0
        #: The data of the current fit, ready for the network: (x, t, weights), for callbacks.
        self.data: tuple[Array, Array, Array | None] | None = None

    @property
    def divides(self) -> bool:
        """Whether batches are divided into parts, which are computed apart."""
        return self.reproducible or self.communicator.size > 1

    def division(self, network: Network) -> Messages:
        """How ranks, or parts, share the batches of a network."""
        from chainrule.distributed.messages import Messages

        return Messages(
            network,
            self.communicator,
            lambda: bool(self.stop_reason),
            reproducible=self.reproducible,
        )

    def divided_step(self, network: Network, x: Array, t: Array, w: Array | None) -> ShardedStep:
        """The NumPy engine's step of batches that are divided."""
        from chainrule.distributed.step import ShardedStep

        return ShardedStep(network, x, t, w, self.division)

    def stop(self, why: str) -> None:
        """End training after the current step or epoch; `why` is a text or a message."""
        self.stop_reason = why

    def interrupt(self) -> None:
        """End training after the current step or epoch, since Ctrl-C was pressed, or a signal came."""
        self.stop(_("interrupted by Ctrl-C"))
        self.interrupted = True

    def kind_of(self, t: Array) -> str:
        """The kind of targets: that of the loss; for a hand-written loss, integers are "classes"."""
        loss = getattr(self.model, "loss", None)
        if isinstance(loss, Loss):
            return loss.target
        return "classes" if t.ndim == 1 and t.dtype.kind in "iu" else "unknown"

    def evaluate_prepared(self, x: Array, t: Array, metrics: dict[str, Metric]) -> dict[str, float]:
        """The loss and the metrics on data that is ready for the network, in inference mode."""
        y = in_parts(self.model.predict, x)
        loss = getattr(self.model, "loss", None)
        if isinstance(self.model, Network) and loss is not None:
            return scores_of(loss, y, t, metrics)
        return scores_of(loss, y, t, metrics, float(self.model.forward(x, t)))

    # -- snapshots ----------------------------------------------------------------------------------

    def _arrays(self) -> list[Array]:
        arrays = list(parameter_arrays(self.model))
        if isinstance(self.model, Network):
            arrays += self.model.named_buffers().values()
        return arrays

    def _updated(self) -> list[Array]:
        """The arrays that the optimizer updates."""
        if isinstance(self.model, Network):
            return [segment.data for segment in self.model._segments()]
        return list(self.model.params)

    def snapshot(self, *, place: bool = True) -> Snapshot:
        """A copy of the state, for `restore`.

        Parameters, buffers and the optimizer's slots are always in it; with `place` also the epoch,
        the history, the generator and the schedule.
        """
        slots, updates, copied_place = None, 0, None
        if isinstance(self.optimizer, Optimizer):
            updates, state = self.optimizer.iter, self.optimizer.state
            slots = None if state is None else [[s.copy() for s in group] for group in state]
        if place:
            schedule = copy.deepcopy(getattr(self.optimizer, "schedule", None))
            bits, history = self.rng.bit_generator.state, copy.deepcopy(self.history)
            copied_place = Place(bits, schedule, history, self.current_epoch, self.stop_reason)
        return Snapshot([a.copy() for a in self._arrays()], slots, updates, copied_place)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot; every array keeps its address, and `history` is the same object."""
        for array, old in zip(self._arrays(), snapshot.arrays, strict=True):
            array[...] = old
        if isinstance(self.optimizer, Optimizer):
            self.optimizer.iter = snapshot.updates
            if snapshot.slots is None:
                self.optimizer.state = None
            elif self.optimizer.state is None:  # it was put back, and no step was made since
                self.optimizer._put_slots(self._updated(), snapshot.slots)
            else:
                for group, old_group in zip(self.optimizer.state, snapshot.slots, strict=True):
                    for slot, old in zip(group, old_group, strict=True):
                        slot[...] = old
        if snapshot.place is not None:
            bits, schedule, history, self.current_epoch, self.stop_reason = snapshot.place
            self.rng.bit_generator.state = bits
            vars(self.history).update(vars(copy.deepcopy(history)))
            if isinstance(self.optimizer, Optimizer) and schedule is not None:
                self.optimizer.schedule = copy.deepcopy(schedule)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kernel": None, "data": None}


def parameter_arrays(model: TrainableModel) -> list[Array]:
    """The parameter arrays of a model, frozen ones included, each once."""
    if isinstance(model, Network):
        return [p.data for p in model.named_parameters().values()]
    return list({id(p): p for p in model.params}.values())


def moving_arrays(model: TrainableModel) -> list[Array]:
    """The parameter arrays that training changes, each once."""
    return model.params if isinstance(model, Network) else parameter_arrays(model)


def scores_of(
    loss: Any, y: Array, t: Array, metrics: dict[str, Metric], known: float | None = None
) -> dict[str, float]:
    """The loss, computed or known already, and the metrics of some outputs for checked targets."""
    scores = {"loss": float(loss.forward(y, t)) if known is None else known}
    counted = loss.counted(t) if isinstance(loss, Loss) else None
    if counted is not None:  # rows that the loss ignores are left out of the metrics, too
        y, t = y[counted], t[counted]
    for name, metric in metrics.items():
        value = metric(y, t)
        if np.ndim(value) or not isinstance(value, int | float | np.number | np.ndarray | np.bool_):
            raise SettingError(
                _(
                    "the metric {name} gave {value}; a metric of (outputs, targets) gives one number.",
                    name=name,
                    value=shown(value, 40),
                )
            )
        scores[name] = float(value)
    return scores
