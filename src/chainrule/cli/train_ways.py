"""A way to train for `chainrule train`: what builds the networks, trains them and tells of it."""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.cli.interrupt import CtrlC
from chainrule.cli.kept_run import KeptRun
from chainrule.cli.model_and_data import Facts
from chainrule.cli.rank import communicator
from chainrule.cli.train_drawn import Chosen, choose_networks, draw, left_out
from chainrule.cli.train_options import TrainOptions
from chainrule.datasets import Preprocessor
from chainrule.datasets.fitting import EncodingName
from chainrule.errors import SettingError
from chainrule.lang.messages import Text, _, _n
from chainrule.memory import memory_limit
from chainrule.networks import Ensemble, Network, Sequential
from chainrule.optimizers import Optimizer
from chainrule.training import Callback, EarlyStopping, History, Trainer, fit_many
from chainrule.training.batches import batch_count
from chainrule.training.choice import choose
from chainrule.training.presets import BEST_EPOCH_BY, rows_left
from chainrule.training.recipes import Recipe

__all__ = ["Outcome", "Way", "check_memory", "layers_and_width"]

Array = npt.NDArray[Any]
Rows = tuple[Array, Array]


@dataclass(frozen=True)
class Outcome:
    """What came of a training: its history, how many epochs were meant, and what to tell and keep."""

    history: History
    planned: int
    lines: tuple[tuple[Text, Text], ...] = ()
    facts: Facts = field(default_factory=dict)


class Way(ABC):
    """How the networks of a preset are built from prepared rows, and trained.

    `networks` is one network, or with --ensemble several, of which `network` is the whole.
    """

    #: The name of the preset.
    name: ClassVar[str]
    encoding: ClassVar[EncodingName]
    #: Whether the rows held out choose the epoch to keep, if --patience is given.
    held_out_chooses: ClassVar[bool] = True
    #: Whether the last, smaller batch of an epoch is left out.
    drop_last: ClassVar[bool] = False
    #: The learning rate at the start, or the highest one.
    lr: float
    epochs: int
    batch_size: int
    #: The recipes that the training rows choose from, if there are any.
    recipes: tuple[Recipe, ...] = ()

    def __init__(self, options: TrainOptions, preparation: Preprocessor, x: Array) -> None:
        self.options, self.preparation, self.count = options, preparation, len(x)
        self.outputs = len(preparation.classes) if preparation.classes else 1
        #: Where the training is kept as it goes, and its name there.
        self.kept: KeptRun | None = None
        self.kept_as = self.name
        #: What else watches the training of a single network.
        self.callbacks: list[Callback] = []
        self.networks: list[Sequential] = []
        #: The settings of each network that are not those of `options`.
        self.drawn = draw(options, self.name, len(x))
        #: The networks that were chosen, with --drawn.
        self.chosen: Chosen | None = None
        # The first two are those of a single network, whatever --ensemble says.
        state = np.random.SeedSequence(options.seed).generate_state(2 * options.ensemble)
        self.seeds = [(int(a), int(b)) for a, b in state.reshape(-1, 2)]
        self._build(x)
        self.network: Network = self.networks[0]
        if options.ensemble > 1:
            self.network = Ensemble(self.networks)
        self.trainer = Trainer(
            self.networks[0],
            self._optimizer(),
            seed=self.seeds[0][1],
            engine=options.engine,
            threads=options.threads,
            communicator=communicator(),
            reproducible=options.reproducible,
        )

    @property
    def chosen_by(self) -> float:
        """The part of the training rows that chooses the epoch, or the networks, to keep; 0 if none does."""
        return BEST_EPOCH_BY if self.options.drawn else 0.0

    @property
    def trained(self) -> int:
        """How many of the rows are trained on; the others choose the epoch to keep."""
        return rows_left(self.count, self.chosen_by)

    @property
    def steps_of_epoch(self) -> int:
        """How many updates an epoch makes."""
        return batch_count(self.trained, self.batch_size, self.drop_last)

    @property
    def steps(self) -> int:
        """How many updates the training makes."""
        return self.steps_of_epoch * self.epochs

    @property
    def least_steps(self) -> int:
        """How few updates it may make, if their number is found while training."""
        return self.steps

    @abstractmethod
    def _build(self, x: Array) -> None:
        """Make `networks`, for these rows."""

    @abstractmethod
    def _optimizer(self) -> Optimizer:
        """The optimizer of the first network."""

    @abstractmethod
    def _optimizers(self) -> list[Optimizer]:
        """An optimizer for each of several networks."""

    @abstractmethod
    def network_line(self) -> Text:
        """The network in a line."""

    @abstractmethod
    def training_lines(self) -> Sequence[Text]:
        """The training in a line, or two."""

    @abstractmethod
    def values(self) -> dict[str, Any]:
        """The settings, by the names of their ranges in `training.ranges`."""

    @abstractmethod
    def facts(self) -> Facts:
        """How training is set up, to keep with the model."""

    @abstractmethod
    def train(
        self, rows: Rows, validation: Rows | None, progress: str | None, ctrl_c: CtrlC
    ) -> Outcome:
        """Train."""

    def fit(
        self,
        rows: Rows,
        validation: float | Rows | None,
        epochs: int,
        stopping: EarlyStopping | None,
        progress: str | None,
        ctrl_c: CtrlC,
    ) -> History:
        """Train the network, or all of several at once; gives the history, of the first of several.

        With --drawn a part of the rows is left out, and chooses the networks to keep.
        """
        if self.options.drawn:
            rows, validation = left_out(rows, self.options.seed)
        shared: dict[str, Any] = {
            "validation": validation,
            "progress": progress,
            "drop_last": self.drop_last,
        }
        if len(self.networks) == 1:
            shared["early_stopping"] = stopping
            return self._one(self.trainer, self.kept_as, rows, epochs, ctrl_c, shared)
        first = self.networks[0]._prepare(*(a[: self.batch_size] for a in rows))
        many = self.steps_of_epoch * epochs * len(self.networks)
        self.trainer.engine_used = choose(self.trainer, *first, steps=many).engine
        if self._goes_in_turn():
            histories = self._in_turn(rows, epochs, stopping, ctrl_c, shared)
        else:
            histories = self._at_once(rows, epochs, stopping, ctrl_c, shared)
        failed = [history.error for history in histories if history.error is not None]
        if failed:
            raise failed[0]
        if isinstance(validation, tuple) and self.options.drawn:
            classes = bool(self.preparation.classes)
            self.chosen = choose_networks(self.networks, self.drawn, validation, classes)
            self.network = self.chosen.network
        self.trainer.history = histories[0]
        self.trainer.model = self.network
        return histories[0]

    def _one(
        self,
        trainer: Trainer,
        name: str,
        rows: Rows,
        epochs: int,
        ctrl_c: CtrlC,
        shared: Mapping[str, Any],
    ) -> History:
        """Train one network, which is kept under this name, if that was asked for."""
        keeps: dict[str, Any] = {}
        if self.kept is not None:
            self.kept.go_on(trainer, name)
            keeps = {"checkpoint": self.kept.training(name), "every": self.kept.every}
        x, t = rows
        keeps |= {**shared, "callbacks": [ctrl_c, *self.callbacks]}
        return trainer.fit(x, t, epochs, self.batch_size, **keeps)

    def _goes_in_turn(self) -> bool:
        """Whether several networks are trained one after another, and kept by themselves: on ranks.

        Raises:
            SettingError: one process has begun them at once, and ranks are to go on.
        """
        if self.kept is None:
            return self.trainer.divides
        if self.trainer.divides and os.path.isdir(self.kept.training(self.kept_as)):
            raise SettingError(
                _(
                    "{folder}: one process has trained the networks of this ensemble at once, and keeps"
                    " them together, which ranks cannot. Go on with --ranks 1.",
                    folder=self.kept.folder,
                )
            )
        return self.trainer.divides or os.path.isdir(self.kept.training(f"{self.kept_as}-1"))

    def _at_once(
        self,
        rows: Rows,
        epochs: int,
        stopping: EarlyStopping | None,
        ctrl_c: CtrlC,
        shared: dict[str, Any],
    ) -> list[History]:
        """Train several networks at once."""
        if self.kept is not None:
            shared |= {"checkpoint": self.kept.training(self.kept_as), "every": self.kept.every}
        with ctrl_c.left_to_others():
            histories = fit_many(
                self.networks,
                self._optimizers(),
                *rows,
                epochs,
                self.batch_size,
                seeds=[seed for _seed, seed in self.seeds],
                early_stopping=stopping,
                engine=self.trainer.engine,
                threads=self.options.threads,
                **shared,
            )
        if self.kept is not None and any(history.interrupted for history in histories):
            raise KeyboardInterrupt  # it is kept, and some networks may not have begun
        return histories

    def _in_turn(
        self,
        rows: Rows,
        epochs: int,
        stopping: EarlyStopping | None,
        ctrl_c: CtrlC,
        shared: Mapping[str, Any],
    ) -> list[History]:
        """Train several networks one after another; the bits are as of all at once."""
        histories = []
        engine = self.trainer.engine_used or "auto"
        for i, optimizer in enumerate(self._optimizers()):
            seed = self.seeds[i][1]
            trainer = Trainer(
                self.networks[i],
                optimizer,
                seed=seed,
                engine=engine,
                threads=1,
                communicator=self.trainer.communicator,
                reproducible=self.trainer.reproducible,
            )
            ctrl_c.trainer = trainer
            own = {**shared, "early_stopping": copy.copy(stopping)}
            name = f"{self.kept_as}-{i + 1}"
            histories.append(self._one(trainer, name, rows, epochs, ctrl_c, own))
            if ctrl_c.pressed_anywhere():  # some networks have not begun
                raise KeyboardInterrupt
        return histories

    def inputs_and_outputs(self) -> tuple[Text, Text, Text]:
        """How many inputs, outputs and parameters, as text."""
        count = sum(p.size for p in self.network.named_parameters().values())
        return (
            _n("{n:,} input", "{n:,} inputs", len(self.preparation.features)),
            _n("{n:,} output", "{n:,} outputs", self.outputs),
            _n("{n:,} parameter", "{n:,} parameters", count),
        )

    def epochs_and_steps(self, optimizer: str) -> Text:
        """`200 epochs of 14 steps, AdamW`."""
        steps = self.steps_of_epoch
        return _(
            "{epochs} of {steps}, {optimizer}",
            epochs=_n("{n:,} epoch", "{n:,} epochs", self.epochs),
            steps=_n("{n:,} step", "{n:,} steps", steps),
            optimizer=optimizer,
        )


def layers_and_width(hidden: Sequence[int]) -> dict[str, int]:
    """The sizes of hidden layers by the names of their ranges."""
    return {"layers": len(hidden), "width": hidden[0] if hidden else 0}


def check_memory(hidden: Sequence[int], parameters: int) -> None:
    """Refuse networks that do not fit: weights, gradients, two moments, and a copy."""
    needed, memory = parameters * 4 * 6, memory_limit()
    if needed > memory * 3 // 4:
        raise SettingError(
            _(
                "--hidden {sizes} makes {count:,} parameters, which take about {needed:,.1f} GiB to"
                " train; this machine has {memory:.1f} GiB. Give smaller sizes.",
                sizes=",".join(map(str, hidden)),
                count=parameters,
                needed=needed / 2**30,
                memory=memory / 2**30,
            )
        )
