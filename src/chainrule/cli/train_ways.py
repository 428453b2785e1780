"""A way to train for `chainrule train`: what builds the networks, trains them and tells of it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.cli.interrupt import CtrlC
from chainrule.cli.model_and_data import Facts
from chainrule.cli.train_options import TrainOptions
from chainrule.datasets import Preprocessor, stratified_split
from chainrule.datasets.fitting import EncodingName
from chainrule.datasets.storage import taken
from chainrule.errors import SettingError
from chainrule.lang.messages import Text, _, _n
from chainrule.layers import MeanSquaredError, SoftmaxWithLoss
from chainrule.memory import memory_limit
from chainrule.networks import Ensemble, Network, Sequential
from chainrule.networks.parts import in_parts
from chainrule.optimizers import Optimizer
from chainrule.training import Callback, EarlyStopping, History, Trainer, fit_many
from chainrule.training.choice import choose
from chainrule.training.presets import BEST_EPOCH_BY, FEW_ROWS, rows_left
from chainrule.training.ranges import drawn_settings
from chainrule.training.recipes import Recipe
from chainrule.training.selection import greedy_selection

__all__ = ["Outcome", "Way", "check_memory", "layers_and_width", "parted"]

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
    #: The learning rate at the start, or the highest one.
    lr: float
    epochs: int
    batch_size: int
    #: The recipes that the training rows choose from, if there are any.
    recipes: tuple[Recipe, ...] = ()

    def __init__(self, options: TrainOptions, preparation: Preprocessor, x: Array) -> None:
        self.options, self.preparation, self.count = options, preparation, len(x)
        self.outputs = len(preparation.classes) if preparation.classes else 1
        #: What else watches the training of a single network.
        self.callbacks: list[Callback] = []
        self.networks: list[Sequential] = []
        #: The settings of each network that are not those of `options`.
        self.drawn = self._drawn()
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
        return math.ceil(self.trained / self.batch_size)

    @property
    def steps(self) -> int:
        """How many updates the training makes."""
        return self.steps_of_epoch * self.epochs

    @abstractmethod
    def _build(self, x: Array) -> None:
        """Make `networks`, for these rows."""

    def _drawn(self) -> list[dict[str, float]]:
        """Settings for each network: none, or with --drawn from the preset's ranges."""
        options = self.options
        if not options.drawn:
            return [{}] * options.ensemble
        self._refuse_drawn()
        given = [name for name, value in vars(options).items() if value is not None]
        rng = np.random.default_rng([options.seed, options.ensemble])
        return drawn_settings(self.name, options.ensemble, rng, given)

    def _refuse_drawn(self) -> None:
        """Raise if settings cannot be drawn here."""
        if self.options.ensemble == 1:
            raise SettingError(_("--drawn is for several networks: say --ensemble 32, too."))
        if self.count < FEW_ROWS:
            raise SettingError(
                _(
                    "--drawn leaves out training rows to choose networks by, and {rows} are too few; {least}"
                    " are needed. Leave it out.",
                    rows=self.count,
                    least=FEW_ROWS,
                )
            )

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
            rows, validation = self._parted(rows)
        if len(self.networks) == 1:
            return self.trainer.fit(
                *rows,
                epochs,
                self.batch_size,
                validation=validation,
                early_stopping=stopping,
                callbacks=[ctrl_c, *self.callbacks],
                progress=progress,
            )
        first = self.networks[0]._prepare(*(a[: self.batch_size] for a in rows))
        many = self.steps * len(self.networks)
        self.trainer.engine_used = choose(self.trainer, *first, steps=many).engine
        with ctrl_c.left_to_others():
            histories = fit_many(
                self.networks,
                self._optimizers(),
                *rows,
                epochs,
                self.batch_size,
                seeds=[seed for _, seed in self.seeds],
                validation=validation,
                early_stopping=stopping,
                engine=self.trainer.engine,
                threads=self.options.threads,
                progress=progress,
            )
        failed = [history.error for history in histories if history.error is not None]
        if failed:
            raise failed[0]
        if isinstance(validation, tuple) and self.options.drawn:
            self._select(*validation)
        self.trainer.history = histories[0]
        self.trainer.model = self.network
        return histories[0]

    def _parted(self, rows: Rows) -> tuple[Rows, Rows]:
        """The rows to train on, and those left out: the same for all networks."""
        x, t = rows
        inside, outside = parted(t, self.preparation, self.options.seed)
        return (taken(x, inside), taken(t, inside)), (taken(x, outside), taken(t, outside))

    def _select(self, x: Array, t: Array) -> None:
        """Keep the networks whose mean is best on rows left out."""
        outputs = [in_parts(network.predict, x) for network in self.networks]
        loss = SoftmaxWithLoss() if self.preparation.classes else MeanSquaredError()
        self.selection = greedy_selection(outputs, t, loss)
        self.losses = [float(loss.forward(output, t)) for output in outputs]
        kept = [self.networks[i] for i in self.selection.members]
        self.network = Ensemble(kept, self.selection.weights)

    def selected_facts(self) -> Facts:
        """The networks that were kept, with their settings, to keep with the model."""
        if not self.options.drawn:
            return {}
        pairs = zip(self.selection.members, self.network_weights, strict=True)
        return {"members": [{**self.drawn[i], "weight": weight} for i, weight in pairs]}

    @property
    def network_weights(self) -> Sequence[float]:
        """The weight of each network that was kept."""
        return self.network.weights if isinstance(self.network, Ensemble) else (1.0,)

    def selected_lines(self) -> tuple[tuple[Text, Text], ...]:
        """How the networks that were kept compare, as a line to show."""
        if not self.options.drawn:
            return ()
        told = _(
            "{kept} of {count} kept: loss {loss:.4f} on training rows left out, {best:.4f} by the best one",
            kept=len(self.selection.members),
            count=len(self.networks),
            loss=self.selection.loss,
            best=min(self.losses),
        )
        return ((_("networks"), told),)

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


def parted(t: Array, preparation: Preprocessor, seed: int) -> tuple[Array, Array]:
    """The indices of training rows to train on, and of those that choose what is kept."""
    by = t if preparation.classes else np.arange(len(t), dtype=float)
    return stratified_split(by, BEST_EPOCH_BY, seed)


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
