"""The settings of an estimator, and the networks and optimizers that are made of them."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from chainrule.errors import SettingError, nearest, shown
from chainrule.estimators.rows import float64
from chainrule.lang.messages import _
from chainrule.layers import Loss
from chainrule.networks import Sequential
from chainrule.optimizers import OPTIMIZERS, AdamW, Optimizer
from chainrule.optimizers.base import optimizer_class
from chainrule.schedules import Cosine, Rate, Schedule
from chainrule.settings import whole
from chainrule.training import (
    PRESETS,
    Callback,
    Preset,
    recipes_for,
)
from chainrule.training.presets import (
    BEST_EPOCH_BY,
    PLAIN,
    PLAIN_HIDDEN,
    Task,
    plain_batch_size,
    plain_network,
)
from chainrule.training.ranges import drawn_settings
from chainrule.training.recipes import HANDFUL
from chainrule.training.rivals import AUTO, presets_for

__all__ = ["EstimatorSettings", "FitSettings"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FitSettings:
    """The settings of one fit, those of the preset and those given put together."""

    preset: Preset | None
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    lr: float | Schedule | None = None
    weight_decay: float | None = None
    dropout: float = 0.0

    def with_drawn(self, task: Task, settings: Mapping[str, float]) -> FitSettings:
        """These settings with others that were drawn."""
        if self.preset is None:
            return replace(self, **settings)  # type: ignore[arg-type]
        return replace(self, preset=self.preset.with_settings(task, **settings))


class EstimatorSettings(BaseEstimator):  # type: ignore[misc]
    """The settings of an estimator, and what is made of them: networks, optimizers, the preset."""

    _task: Task
    #: The preset that was taken.
    preset_: str

    def __init__(
        self,
        preset: str = "auto",
        *,
        hidden: int | Sequence[int] | None = None,
        activation: str | Sequence[str] = "relu",
        dropout: float | None = None,
        optimizer: str | Optimizer | None = None,
        lr: float | Schedule | None = None,
        schedule: str = "cosine",
        weight_decay: float | None = None,
        batch_size: int | str | None = None,
        epochs: int | None = None,
        early_stopping: bool | int | str = "auto",
        validation_fraction: float = BEST_EPOCH_BY,
        ensemble: int = 1,
        drawn: bool = False,
        categorical_features: str | Sequence[Any] | None = "from_dtype",
        dtype: npt.DTypeLike = "float32",
        random_state: Any = None,
        warm_start: bool = False,
        callbacks: Sequence[Callback | Callable[[Any], None]] = (),
        engine: str = "auto",
        threads: int | None = None,
        n_jobs: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        every: str | None = None,
        verbose: bool = False,
    ) -> None:
        self.preset = preset
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
        self.optimizer = optimizer
        self.lr = lr
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.ensemble = ensemble
        self.drawn = drawn
        self.categorical_features = categorical_features
        self.dtype = dtype
        self.random_state = random_state
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.engine = engine
        self.threads = threads
        self.n_jobs = n_jobs
        self.checkpoint = checkpoint
        self.every = every
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def _loss(self) -> Loss:
        raise NotImplementedError

    def _outputs(self) -> int:
        raise NotImplementedError

    def _compares(self) -> bool:
        """Whether two presets can be compared by the answers that they get right, or come near to."""
        return True

    def _monitors_accuracy(self) -> bool:
        return False

    def _weighs_classes(self) -> bool:
        return False  # if so, the accuracy on plain rows would choose another epoch

    def _presets(self, rows: int, alike: bool) -> tuple[str, ...]:
        """The preset, or two of which the better one is kept; `alike`: whether all rows count the same."""
        if self.preset != AUTO:
            return (self.preset,)
        if (self.activation, self.schedule, self.optimizer) != ("relu", "cosine", None):
            return (PLAIN,)
        settings = (
            self.hidden, self.dropout, self.lr, self.weight_decay, self.batch_size, self.epochs,
        )  # fmt: skip
        given = any(setting is not None for setting in settings) or self.early_stopping != "auto"
        one = given or not alike or self.ensemble > 1 or self.drawn or bool(self.callbacks)
        return presets_for(rows, one or not self._compares())

    def _recipe(self, rows: int) -> FitSettings:
        """The settings of the preset, and those that were given in their place."""
        if self.preset_ not in (PLAIN, *PRESETS):
            raise SettingError(
                _(
                    "preset={preset} is not known; {nearest}.",
                    preset=shown(self.preset),
                    nearest=nearest(self.preset, (AUTO, *PRESETS, PLAIN)),
                )
            )
        chosen: tuple[int, ...] | None = None
        if self.hidden is not None:
            sizes = self.hidden if np.iterable(self.hidden) else [self.hidden]
            chosen = tuple(whole(n, "hidden") for n in sizes)
        preset = None
        if self.preset_ != PLAIN:
            preset = PRESETS[self.preset_].with_settings(
                self._task,
                hidden=chosen,
                dropout=self.dropout,
                weight_decay=self.weight_decay,
                label_smoothing=getattr(self, "label_smoothing", None),
                lr=self.lr,
            )
        usual = preset.batch_size if preset else plain_batch_size(rows)
        if self.batch_size == "full":
            batch = rows
        else:
            batch = usual if self.batch_size is None else whole(self.batch_size, "batch_size")
        batch = min(batch, rows)
        if self.epochs is not None:
            epochs = whole(self.epochs, "epochs")
        else:
            epochs = preset.epochs if preset else recipes_for(rows, batch)[0].epochs
        hidden = preset.hidden if preset else PLAIN_HIDDEN if chosen is None else chosen
        if preset is not None:
            preset = replace(preset, batch_size=batch, epochs=epochs)
        return FitSettings(
            preset, hidden, epochs, batch, self.lr, self.weight_decay, self.dropout or 0.0
        )

    def _network(self, recipe: FitSettings, x: Array, rows: int, seed: int) -> Sequential:
        """A network for the rows x, of which so many are trained on."""
        outputs, loss = self._outputs(), self._loss()
        if recipe.preset is None:
            network = plain_network(
                x.shape[1], recipe.hidden, outputs, activation=self.activation,
                dropout=recipe.dropout, loss=loss, seed=seed,
            )  # fmt: skip
        else:
            network = recipe.preset.network(
                x,
                outputs=outputs,
                layout=self.preparation_.layout,
                task=self._task,
                rows=rows,
                seed=seed,
            )
            network.loss = loss
        return float64(network) if np.dtype(self.dtype) == np.float64 else network

    def _optimizer(self, recipe: FitSettings, rows: int, constant: Rate | None = None) -> Optimizer:
        if isinstance(self.optimizer, Optimizer):
            return copy.deepcopy(self.optimizer)
        if self.optimizer is None and recipe.preset is not None:
            if constant:
                return AdamW(constant, beta2=recipe.preset.beta2, weight_decay=0.0)
            return recipe.preset.optimizer(rows, task=self._task)
        name = "adamw" if self.optimizer is None else self.optimizer
        names = [known.lower() for known in OPTIMIZERS]
        if not isinstance(name, str) or name.lower() not in names:
            raise SettingError(
                _(
                    "optimizer={optimizer} is not known; {nearest}, or an optimizer such as cr.Adam(0.001).",
                    optimizer=shown(name),
                    nearest=nearest(name, names),
                )
            )
        kind: Any = optimizer_class(name.lower())
        rate: Any = constant or recipe.lr or kind.first_lr
        steps = max(1, -(-rows // recipe.batch_size) * recipe.epochs)
        if self.schedule not in ("cosine", "constant"):
            raise SettingError(
                _(
                    "schedule={schedule} is not known; {nearest}, or give lr a schedule.",
                    schedule=shown(self.schedule),
                    nearest=nearest(self.schedule, ["cosine", "constant"]),
                )
            )
        if constant is None and self.schedule == "cosine" and not isinstance(rate, Schedule):
            rate = Cosine(rate, steps)
        decay = recipe.weight_decay
        if decay is None:
            return kind(rate) if name.lower() != "adamw" else kind(rate, weight_decay=0.1)  # type: ignore[no-any-return]
        return kind(rate, weight_decay=decay)  # type: ignore[no-any-return]

    def _leaves_recipe_open(self, rows: int, weights: Array | None, held_out: Any) -> bool:
        """Whether the rows choose how long the plain network is trained, with how much decay."""
        plain = self.preset_ == PLAIN and self.optimizer is None and self.schedule == "cosine"
        given = (
            self.epochs is not None or self.weight_decay is not None or self.early_stopping is True
        )
        fixed = (
            given or isinstance(self.lr, Schedule) or weights is not None or held_out is not None
        )
        return plain and not fixed and not self.warm_start and rows >= HANDFUL

    def _drawn(self, goes_on: bool, seeds: Sequence[int]) -> list[dict[str, float]]:
        """Settings for each network of the ensemble, from the ranges of the preset."""
        if self.ensemble == 1 or goes_on or self.optimizer is not None:
            raise SettingError(
                _(
                    "drawn=True draws settings for the networks of an ensemble, each with AdamW and from the"
                    " beginning: give ensemble=32, say, and neither optimizer nor warm_start."
                )
            )
        given = [
            name for name in ("lr", "dropout", "weight_decay") if getattr(self, name) is not None
        ]
        rng = np.random.default_rng(list(seeds))
        return drawn_settings(self.preset_, self.ensemble, rng, given)
