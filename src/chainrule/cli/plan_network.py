"""What `chainrule plan --network` means: sizes of layers, a model file, or what `train` would train."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy.typing as npt

from chainrule.cli.data_options import DataOptions
from chainrule.cli.training_options import PRESETS
from chainrule.errors import SettingError, shown
from chainrule.lang.messages import Text, _, _n
from chainrule.layers import MeanSquaredError, SoftmaxWithLoss
from chainrule.networks import Network
from chainrule.optimizers import Optimizer
from chainrule.optimizers.base import optimizer_class
from chainrule.training.presets import plain_network

__all__ = ["AtWork", "NetworkOptions", "network_at_work"]

Array = npt.NDArray[Any]
#: Sizes of layers: 784-1024-10, with commas as well.
SIZES = re.compile(r"\s*\d+(?:\s*[-,]\s*\d+)+\s*")
OPTIMIZER, ACTIVATION = "adamw", "relu"
#: The most parameters that are made for a plan: 8 GiB of them.
MOST = 2**31


@dataclass(frozen=True)
class NetworkOptions:
    """The options that say what is trained, as they were given."""

    network: str
    data: str | None
    target: str | None
    hidden: tuple[int, ...] | None
    activation: str | None
    optimizer: str | None
    read_as: DataOptions


@dataclass(frozen=True)
class AtWork:
    """A network, its optimizer, and rows for it, as far as they are known."""

    told: Text | str
    network: Network
    optimizer: Optimizer
    data: tuple[Array, Array] | None = None
    #: The rows of an epoch, and of a batch.
    rows: int | None = None
    batch_size: int = 32


def network_at_work(options: NetworkOptions) -> AtWork:
    """What the options mean.

    Raises:
        SettingError: they mean nothing, or contradict each other.
    """
    from chainrule.cli.graphs import is_model

    if options.network in PRESETS:
        return _preset(options)
    if options.hidden is not None:
        raise SettingError(
            _("--hidden is for the network of a preset: --network plain --data DATA, for example.")
        )
    if SIZES.fullmatch(options.network):
        return _sized(options)
    if is_model(options.network):
        return _model(options)
    raise SettingError(
        _(
            "--network {what} is no model file, and no sizes of layers. Give sizes, such as"
            " 784-1024-10, a model file, or with --data one of {presets}. An expression has no training"
            " step to share.",
            what=shown(options.network, 60),
            presets=", ".join(PRESETS),
        )
    )


def _optimizer(options: NetworkOptions) -> Optimizer:
    kind: Any = optimizer_class(options.optimizer or OPTIMIZER)
    optimizer: Optimizer = kind(kind.first_lr)
    return optimizer


def _sized(options: NetworkOptions) -> AtWork:
    if options.data is not None or options.target is not None:
        raise SettingError(
            _(
                "--data says how wide the rows are, and so does --network {sizes}. Give --rows in place of"
                " --data, or --network plain with --hidden.",
                sizes=options.network.strip(),
            )
        )
    sizes = [int(part) for part in re.split("[-,]", options.network)]
    parameters = sum((a + 1) * b for a, b in pairwise(sizes))
    if min(sizes) < 1 or parameters > MOST:
        raise SettingError(
            _(
                "--network {sizes}: sizes are 1 or more, with up to {most:,} parameters in all; these have"
                " {parameters:,}.",
                sizes=options.network.strip(),
                most=MOST,
                parameters=parameters,
            )
        )
    activation = options.activation or ACTIVATION
    network = plain_network(
        sizes[0], sizes[1:-1], sizes[-1], activation=activation,
        loss=SoftmaxWithLoss() if sizes[-1] > 1 else MeanSquaredError(),
    )  # fmt: skip
    return AtWork("-".join(map(str, sizes)), network, _optimizer(options))


def _model(options: NetworkOptions) -> AtWork:
    from chainrule.cli.graphs import at_work
    from chainrule.planning.plan import SAMPLE

    _refuse_activation(options)
    count = SAMPLE if options.data is None else 10**9
    network, x, t, _told = at_work(
        options.network, options.data, count, options.read_as, "cr.plan(network, x=x, t=t)"
    )
    rows = None if options.data is None else len(x)
    return AtWork(options.network, network, _optimizer(options), (x, t), rows)


def _preset(options: NetworkOptions) -> AtWork:
    from chainrule.cli.train_options import TrainOptions
    from chainrule.cli.train_plan import make_plan

    if options.data is None:
        raise SettingError(
            _(
                "--network {preset} is built for a table: give --data DATA, and --target COLUMN.",
                preset=options.network,
            )
        )
    given = TrainOptions(
        data=options.data, target=options.target, without=(), out=None, force=False,
        preset=options.network, ensemble=1, drawn=False, hidden=options.hidden,
        activation=options.activation, optimizer=options.optimizer, lr=None, schedule=None,
        epochs=None, batch_size=None, validation=0.2, patience=None, weight_decay=None, l2=None,
        dropout=None, label_smoothing=None, beta2=None, sigma=None, task="auto", missing="fill",
        read_as=options.read_as, seed=0, engine="auto", threads=None, report=None, command=[],
    )  # fmt: skip
    way = (made := make_plan(given)).way
    told = _(
        "{preset} on {data}, {rows} to train on",
        preset=options.network,
        data=made.name,
        rows=_n("{n:,} row", "{n:,} rows", way.trained),
    )
    trainer = way.trainer
    return AtWork(
        told, way.networks[0], trainer.optimizer, made.training_rows, way.trained, way.batch_size
    )


def _refuse_activation(options: NetworkOptions) -> None:
    if options.activation is not None:
        raise SettingError(
            _("--activation is for a network that is made here; a model file has its own.")
        )
