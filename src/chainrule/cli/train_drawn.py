"""`--drawn`: settings for each network of an ensemble, and the choice of those that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.cli.model_and_data import Facts
from chainrule.cli.train_options import TrainOptions
from chainrule.datasets.splitting import parted_rows
from chainrule.datasets.storage import taken
from chainrule.errors import SettingError
from chainrule.lang.messages import Text, _
from chainrule.layers import MeanSquaredError, SoftmaxWithLoss
from chainrule.networks import Ensemble, Network
from chainrule.networks.parts import in_parts
from chainrule.training.presets import BEST_EPOCH_BY, FEW_ROWS
from chainrule.training.ranges import drawn_settings
from chainrule.training.selection import greedy_selection

__all__ = ["Chosen", "choose_networks", "draw", "left_out"]

Array = npt.NDArray[Any]
Rows = tuple[Array, Array]


def draw(options: TrainOptions, preset: str, rows: int) -> list[dict[str, float]]:
    """Settings for each network: none, or with --drawn from the preset's ranges."""
    if not options.drawn:
        return [{}] * options.ensemble
    if options.ensemble == 1:
        raise SettingError(_("--drawn is for several networks: say --ensemble 32, too."))
    if options.optimizer not in (None, "adamw"):
        raise SettingError(
            _(
                "--drawn has ranges for {known} alone; got --optimizer {given}.",
                known="adamw",
                given=options.optimizer,
            )
        )
    if rows < FEW_ROWS:
        raise SettingError(
            _(
                "--drawn leaves out training rows to choose networks by, and {rows} are too few; {least}"
                " are needed. Leave it out.",
                rows=rows,
                least=FEW_ROWS,
            )
        )
    given = [name for name, value in vars(options).items() if value is not None]
    rng = np.random.default_rng([options.seed, options.ensemble])
    return drawn_settings(preset, options.ensemble, rng, given)


def left_out(rows: Rows, seed: int) -> tuple[Rows, Rows]:
    """The rows to train on, and those left out to choose by: the same for all networks."""
    x, t = rows
    inside, outside = parted_rows(t, BEST_EPOCH_BY, seed)
    return (taken(x, inside), taken(t, inside)), (taken(x, outside), taken(t, outside))


@dataclass(frozen=True)
class Chosen:
    """The networks that are kept: their whole, the settings of each, and the losses on rows left out."""

    network: Ensemble
    settings: tuple[dict[str, float], ...]
    loss: float
    #: The loss of the best single network, and how many there were.
    best: float
    count: int

    @property
    def facts(self) -> Facts:
        """The settings and weights, to keep with the model."""
        pairs = zip(self.settings, self.network.weights, strict=True)
        return {"members": [{**own, "weight": weight} for own, weight in pairs]}

    @property
    def line(self) -> tuple[Text, Text]:
        """How good they are, as a line to show."""
        told = _(
            "{kept} of {count} kept: loss {loss:.4f} on training rows left out, {best:.4f} by the best one",
            kept=len(self.settings),
            count=self.count,
            loss=self.loss,
            best=self.best,
        )
        return _("networks"), told


def choose_networks(
    networks: Sequence[Network], drawn: Sequence[dict[str, float]], rows: Rows, classes: bool
) -> Chosen:
    """Those of the networks whose mean is best on these rows."""
    x, t = rows
    outputs = [in_parts(network.predict, x) for network in networks]
    loss = SoftmaxWithLoss() if classes else MeanSquaredError()
    found = greedy_selection(outputs, t, loss)
    return Chosen(
        Ensemble([networks[i] for i in found.members], found.weights),
        tuple(drawn[i] for i in found.members),
        found.loss,
        min(float(loss.forward(output, t)) for output in outputs),
        len(networks),
    )
