"""What a report is of: a model with the rows that it is judged by, and the run that trained it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.datasets import Preprocessor, Table
from chainrule.files import Model
from chainrule.networks import Network
from chainrule.training import Trainer
from chainrule.training.trials import Trials

__all__ = ["Judged", "Run"]


@dataclass(frozen=True)
class Judged:
    """A model and the rows that it is judged by."""

    model: Model
    preparation: Preprocessor
    #: The rows with a target, and the indices of those it is judged by.
    table: Table
    indices: npt.NDArray[np.signedinteger[Any]]
    #: What these rows are: held out, trained on, or of other data.
    which: Literal["held_out", "training", "all"]
    #: The scores of the constant answer and of the linear model; None where they are not known.
    compared: tuple[float | None, float | None] | None = None
    #: Sentences if the network is no better than the baselines.
    verdict: Sequence[str] = ()

    @property
    def network(self) -> Network:
        """The network of the model."""
        return self.model.network


@dataclass(frozen=True)
class Run:
    """What a report needs of one training run."""

    #: The name of the data.
    name: str
    #: The command of the run, in parts that may be shown on a line each.
    command: Sequence[str]
    #: The facts in the model file: data, split, training, held_out.
    facts: dict[str, Any]
    #: Sentences about the data and its preparation.
    notes: Sequence[str]
    #: The model with the rows held out or, if there are none, the rows trained on.
    judged: Judged
    #: The rows with a target, and the indices of those trained on (`training`) and held out (`held`).
    table: Table
    training: npt.NDArray[np.intp]
    held: npt.NDArray[np.intp]
    trainer: Trainer
    #: The duration in seconds, including compilation and evaluation.
    seconds: float
    #: The sha256 of the data's file; None if the data is no file.
    checksum: str | None
    #: The trials that the settings come from, if they were tuned.
    trials: Trials | None = None

    @property
    def network(self) -> Network:
        """The trained network."""
        return self.judged.network

    @property
    def preparation(self) -> Preprocessor:
        """How its columns become inputs."""
        return self.judged.preparation
