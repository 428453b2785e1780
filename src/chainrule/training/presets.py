"""Presets: whole recipes for tables, from the encoding of the columns to the schedule of the rate.

`table` is RealMLP-TD and `table-small` RealMLP-TD-S, of Holzmüller, Grinsztajn and Steinwart, "Better
by default: strong pre-tuned MLPs and boosted trees on tabular data", 2024 (arXiv 2407.04491). Their
constants were tuned on many tables, so that no table needs tuning of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.datasets.fitting import EncodingName
from chainrule.datasets.parts import Layout
from chainrule.datasets.splitting import held_rows
from chainrule.errors import SettingError, shown
from chainrule.lang.messages import _
from chainrule.layers import (
    SELU,
    Affine,
    CategoryEmbedding,
    Dropout,
    Layer,
    Loss,
    MeanSquaredError,
    Mish,
    NTKAffine,
    ParametricMish,
    ParametricSELU,
    PeriodicEmbedding,
    Scale,
    SoftmaxWithLoss,
)
from chainrule.layers.initial import Seed
from chainrule.networks import Sequential, data_dependent_init
from chainrule.networks.sequential import activation_named
from chainrule.optimizers import Adam, AdamW, Optimizer
from chainrule.schedules import CosineLog, FlatCosine
from chainrule.settings import whole
from chainrule.training.batches import batch_count
from chainrule.training.callbacks import EarlyStopping

__all__ = [
    "BEST_EPOCH_BY",
    "FEW_ROWS",
    "PLAIN",
    "PRESETS",
    "Preset",
    "best_epoch",
    "plain_batch_size",
    "plain_network",
    "rows_left",
]

Task = Literal["classification", "regression"]
#: The part of the training rows that chooses the epoch to keep, and how many are too few for that.
BEST_EPOCH_BY, FEW_ROWS = 0.2, 50


@dataclass(frozen=True)
class Preset:
    """How a network for a table is built and trained.

    `encoding` is that of `datasets.Preprocessor.fit`; `lr` the highest learning rate for classes and
    for values; `embeds`: each number becomes a PeriodicEmbedding, and activations have learnt
    slopes; `dropout` and `weight_decay` let go over the second half of training; `sigma` is that of
    the PeriodicEmbedding, `beta2` that of Adam.

    >>> import chainrule as cr
    >>> table = cr.datasets.load("iris")
    >>> prepared = cr.datasets.Preprocessor.fit(table, "species", encoding="embedded")
    >>> x, t = prepared.transform(table), prepared.targets(table)
    >>> preset = cr.PRESETS["table"]
    >>> net = preset.network(x, outputs=3, layout=prepared.layout, task="classification", epochs=50)
    >>> trainer = cr.Trainer(net, preset.optimizer(len(x), task="classification", epochs=50))
    >>> trainer.fit(x, t, 50, preset.batch_size, progress=None)["loss"][-1] < 1
    True
    """

    encoding: EncodingName
    lr: dict[Task, float]
    embeds: bool = False
    hidden: tuple[int, ...] = (256, 256, 256)
    dropout: float = 0.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.1
    epochs: int = 256
    batch_size: int = 256
    sigma: float = 0.1
    beta2: float = 0.95

    def with_settings(self, task: Task, *, lr: Any = None, **given: Any) -> Preset:
        """This preset with the settings in place of its own that are not None; `lr` is the task's."""
        given["lr"] = None if lr is None else {task: lr}
        changes: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }
        return replace(self, **changes)

    def steps(self, rows: int, epochs: int | None = None) -> int:
        """How many updates the training of so many rows makes, without last, smaller batches."""
        batches = batch_count(whole(rows, "rows"), self.batch_size, drop_last=True)
        return batches * (self.epochs if epochs is None else whole(epochs, "epochs"))

    def network(
        self,
        x: npt.ArrayLike,
        *,
        outputs: int,
        layout: Layout,
        task: Task,
        epochs: int | None = None,
        rows: int | None = None,
        seed: Seed = 0,
    ) -> Sequential:
        """The network for training rows x (N, D), whose first weights depend on these rows.

        `layout` says which columns are numbers and which row numbers of categories; `outputs` is the
        number of classes or values; `rows`, how many are trained on, if others choose the epoch.
        """
        layers: list[Layer] = []
        given, width = np.shape(x)
        steps = self.steps(given if rows is None else rows, epochs)
        if layout.columns:
            table = CategoryEmbedding.sized(layout.rows, EMBEDDING, columns=layout.columns)
            layers.append(table)
            width += layout.columns * (EMBEDDING - 1)
        if self.embeds and layout.numbers:
            waves = PeriodicEmbedding.sized(
                layout.numbers, waves=WAVES, outputs=VALUES, sigma=self.sigma
            )
            waves.lr_factor = SLOW
            layers.append(waves)
            width += layout.numbers * (VALUES - 1)
        scale = Scale.sized(width)
        scale.lr_factor = FAST
        layers.append(scale)
        for size in self.hidden:
            layers += [_affine(width, size), *self._activation(size, task)]
            if self.dropout:
                layers.append(Dropout(self.dropout, steps=steps))
            width = size
        layers.append(_affine(width, outputs, "normal" if self.embeds else "zeros"))
        loss = (
            SoftmaxWithLoss(label_smoothing=self.label_smoothing)
            if task == "classification"
            else MeanSquaredError()
        )
        network = Sequential(*layers, loss=loss, seed=seed)
        if layout.columns:  # a text that training rows do not have is no category: zeros
            table.W[list(layout.unknown)] = 0
        if self.embeds:
            data_dependent_init(network, x)
        return network

    def _activation(self, size: int, task: Task) -> Sequence[Layer]:
        if not self.embeds:
            return [SELU() if task == "classification" else Mish()]
        kind = ParametricSELU if task == "classification" else ParametricMish
        bent = kind.sized(size)
        bent.lr_factor = SLOW
        return [bent]

    def optimizer(self, rows: int, *, task: Task, epochs: int | None = None) -> Optimizer:
        """The optimizer for a training of so many rows."""
        steps = self.steps(rows, epochs)
        rate = CosineLog(self.lr[task], steps)
        if not self.weight_decay:
            return Adam(rate, beta2=self.beta2)
        return AdamW(rate, beta2=self.beta2, weight_decay=FlatCosine(self.weight_decay, steps))


#: Values for a category, waves and values for a number.
EMBEDDING, WAVES, VALUES = 8, 16, 4
#: Factors of the rate: for biases, slopes and waves; for the scale of the inputs.
SLOW, FAST = 0.1, 6.0


def _affine(inputs: int, outputs: int, init: str = "normal") -> NTKAffine:
    layer = NTKAffine.sized(inputs, outputs, init=init)
    layer._parameters["b"].lr_factor = SLOW
    return layer


#: The presets by name.
PRESETS: dict[str, Preset] = {
    "table-small": Preset("robust", {"classification": 0.04, "regression": 0.07}),
    "table": Preset(
        "embedded",
        {"classification": 0.04, "regression": 0.2},
        embeds=True,
        dropout=0.15,
        weight_decay=0.02,
    ),
}


#: The name of the network of Affine layers and one activation, and what it is made of by default.
PLAIN, PLAIN_HIDDEN, PLAIN_SMOOTHING = "plain", (128,), 0.1


def plain_batch_size(rows: int) -> int:
    """The rows of a batch where nobody says how many: more of many rows."""
    return 32 if rows < 10_000 else 128


def best_epoch(monitors_accuracy: bool, patience: int | None = None) -> EarlyStopping:
    """What keeps the best epoch, and of equally good ones the latest."""
    return EarlyStopping(
        "val_accuracy" if monitors_accuracy else "val_loss", patience=patience, latest=True
    )


def rows_left(rows: int, fraction: float) -> int:
    """How many rows are trained on, if a fraction of them chooses the epoch: schedules end with them."""
    return rows - held_rows(rows, fraction) if fraction else rows


def plain_network(
    inputs: int,
    hidden: Sequence[int],
    outputs: int,
    *,
    activation: str | Sequence[str] = "relu",
    dropout: float = 0.0,
    loss: Loss,
    seed: Seed = 0,
) -> Sequential:
    """Affine layers with an activation, or one for each hidden layer, and dropout between them."""
    names = [activation] * len(hidden) if isinstance(activation, str) else list(activation)
    if len(names) != len(hidden):
        raise SettingError(
            _(
                "activation={activation}: give one name, or one for each of the {count} hidden layers.",
                activation=shown(activation),
                count=len(hidden),
            )
        )
    layers: list[Layer] = []
    sizes = (inputs, *hidden)
    for a, b, name in zip(sizes, hidden, names, strict=False):
        make, init = activation_named(name)
        layers += [Affine.sized(a, b, init=init), make()]
        if dropout:
            layers.append(Dropout(dropout))
    layers.append(Affine.sized(sizes[-1], outputs))
    return Sequential(*layers, loss=loss, seed=seed)
