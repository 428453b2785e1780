"""Fitting and answering, which classifier and regressor share."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import (
    check_random_state,
)
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from chainrule.datasets import Form, Preprocessor, Table
from chainrule.datasets.forms import Kind
from chainrule.datasets.frames import frame_columns
from chainrule.datasets.splitting import parted_rows
from chainrule.datasets.targets import Target
from chainrule.errors import DataError, SettingError, shown
from chainrule.estimators.rows import columns_of_array, float64, picked
from chainrule.estimators.settings import EstimatorSettings, FitSettings
from chainrule.files import Model
from chainrule.lang.messages import _
from chainrule.layers import SoftmaxWithLoss
from chainrule.networks import Ensemble, Network
from chainrule.networks.parts import in_parts
from chainrule.optimizers import Optimizer
from chainrule.settings import whole
from chainrule.training import (
    EarlyStopping,
    History,
    Trainer,
    choose_recipe,
    fit_many,
)
from chainrule.training.many_kept import fits_digest
from chainrule.training.metrics import row_losses
from chainrule.training.presets import (
    BEST_EPOCH_BY,
    FEW_ROWS,
    PLAIN,
    best_epoch,
    rows_left,
)
from chainrule.training.rivals import AUTO, clearly_better
from chainrule.training.selection import greedy_selection

__all__ = ["NetworkEstimator"]

Array = npt.NDArray[Any]


class NetworkEstimator(EstimatorSettings):
    """What classifier and regressor share: how they are fitted, and how they answer."""

    def _targets(self, y: Any) -> Array:
        raise NotImplementedError

    def _target(self) -> Target:
        raise NotImplementedError

    def _learn_target(self, y: Any, sample_weight: Array | None) -> Array:
        raise NotImplementedError

    def _row_weights(self, y: Any, sample_weight: Array | None) -> Array | None:
        return sample_weight

    def _table(self, X: Any, *, reset: bool) -> Table:
        """The rows as a table, checked as scikit-learn does; later rows are read as those of `fit`."""
        if hasattr(X, "columns") or hasattr(X, "column_names"):
            validate_data(self, X, reset=reset, skip_check_array=True)
            columns = frame_columns(X, "X") or {}
        else:
            X = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan")
            columns = columns_of_array(X)
        kinds: dict[str, Kind | Form] = {}
        if not reset:
            forms = self.preparation_.forms.items()
            kinds |= {name: form for name, form in forms if form.kind in ("text", "date")}
        chosen = self.categorical_features
        if chosen is not None and not isinstance(chosen, str):
            names = list(columns)
            kinds |= {names[n] if isinstance(n, int | np.integer) else n: "text" for n in chosen}
        if not kinds and isinstance(X, np.ndarray) and X.dtype.kind in "biuf":
            return Table.from_matrix(X, list(columns), source="X")  # one block
        table = Table(columns, "X", kinds=kinds)
        table.require(*(name for name, kind in kinds.items() if kind == "text"))
        return table

    def _rows(self, X: Any, *, fitted: bool = True) -> Array:
        """Prepared rows x for the network."""
        if fitted:
            check_is_fitted(self, "network_")
        return self.preparation_.transform(self._table(X, reset=False), self.dtype)

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: npt.ArrayLike | None = None,
        validation_data: tuple[Any, Any] | None = None,
    ) -> Self:
        """Train on rows X with targets y.

        Args:
            X: numbers (n, features), or a frame of pandas, polars or Arrow with numbers, texts,
                categories, dates; missing cells are allowed.
            y: targets (n,), or (n, outputs).
            sample_weight: how much each row counts (n,).
            validation_data: rows and targets for early stopping and the history, in place of
                `validation_fraction`.
        """
        if y is None:
            raise DataError(
                _(
                    "This {estimator} requires y to be passed, but the target y is None.",
                    estimator=type(self).__name__,
                )
            )
        goes_on = self.warm_start and hasattr(self, "network_")
        table = self._table(X, reset=not goes_on)
        check_consistent_length(table[table.names[0]], y)
        weight = self._checked_weight(sample_weight, table)
        if weight is not None and not weight.all():  # a row that counts nothing is not there
            kept = weight > 0
            table, y, weight = table.rows(kept), picked(y, kept), weight[kept]
        rng = check_random_state(self.random_state)
        seeds = [
            int(s) for s in rng.randint(0, 2**31 - 1, size=2 * whole(self.ensemble, "ensemble"))
        ]
        if weight is not None and (weight == weight[0]).all():
            weight = None  # what all rows have in common goes out of the mean loss
        t = self._targets(y) if goes_on else self._learn_target(y, weight)
        weights = self._row_weights(y, weight)
        if goes_on:
            presets: tuple[str, ...] = (self.preset_,)
        else:
            presets = self._presets(len(table), weights is None and validation_data is None)
        if len(presets) > 1:
            self._fit_better(table, t, seeds)
        else:
            self.preset_ = presets[0]
            self._fit(table, t, weight, weights, validation_data, seeds, goes_on)
        return self

    def _fit_better(self, table: Table, t: Array, seeds: Sequence[int]) -> None:
        """Fit two presets, and keep the better one: see `training.rivals`."""
        inside, outside = parted_rows(t, BEST_EPOCH_BY, seeds[0])
        some, others, true = table.rows(inside), table.rows(outside), t[outside]
        losses = []
        for preset, validation in ((PLAIN, None), ("table", (others, true))):
            self.preset_ = preset
            self._fit(some, t[inside], None, None, validation, seeds)
            y = in_parts(self.network_.predict, self.preparation_.transform(others, self.dtype))
            losses.append(row_losses(y, true, self._task == "classification"))
        if not clearly_better(losses[1], losses[0]):
            self.preset_ = PLAIN
            self._fit(table, t, None, None, None, seeds)

    def _fit(
        self,
        table: Table,
        t: Array,
        weight: Array | None,
        weights: Array | None,
        validation_data: tuple[Any, Any] | None,
        seeds: Sequence[int],
        goes_on: bool = False,
    ) -> None:
        """Train with `preset_`; `validation_data` may be a table with targets as t."""
        recipe = self._recipe(len(table))
        if not goes_on:
            self._prepare(table, recipe, weight)
        x = self.preparation_.transform(table, self.dtype)
        held_out, stopping = self._validation(validation_data, len(x))
        own: list[dict[str, float]] = [{}] * self.ensemble
        if self.drawn:
            own = self._drawn(goes_on, seeds)
            if not isinstance(held_out, tuple):
                x, t, weights, held_out = self._parted(x, t, weights, seeds[0])
        rows = rows_left(len(x), held_out) if isinstance(held_out, float) else len(x)
        recipes = [recipe.with_drawn(self._task, settings) for settings in own]
        if goes_on:
            networks: list[Network] = self._members()
        else:
            networks = [
                self._network(one, x, rows, seed)
                for one, seed in zip(recipes, seeds[::2], strict=True)
            ]
        optimizers = [self._optimizer(one, rows) for one in recipes]
        self._train(networks, optimizers, recipe, x, t, weights, held_out, stopping, seeds[1::2])
        if self.drawn:
            self._select(networks, own, *held_out)

    def _parted(
        self, x: Array, t: Array, weights: Array | None, seed: int
    ) -> tuple[Array, Array, Array | None, tuple[Array, Array]]:
        """Rows to train on, and others, the same for all networks, to choose networks by."""
        inside, outside = parted_rows(t, self.validation_fraction, seed)
        kept = None if weights is None else weights[inside]
        return x[inside], t[inside], kept, (x[outside], t[outside])

    def _select(
        self, networks: Sequence[Network], own: Sequence[dict[str, float]], x: Array, t: Array
    ) -> None:
        """Keep the networks whose mean is best on rows held out."""
        loss = self._loss()
        if isinstance(loss, SoftmaxWithLoss):
            loss = SoftmaxWithLoss()  # without smoothing
        found = greedy_selection([in_parts(one.predict, x) for one in networks], t, loss)
        pairs = list(zip(found.members, found.weights, strict=True))
        total = sum(found.weights)
        self._keep([networks[i] for i in found.members], [self.history_], found.weights)
        self.members_ = [{**own[i], "weight": weight / total} for i, weight in pairs]

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Train for one more epoch, on these rows alone.

        The first call learns from its rows how columns are prepared, so give it typical ones; a
        classifier needs `classes`, all labels that will come. The learning rate stays the same.
        """
        first = not hasattr(self, "network_")
        table = self._table(X, reset=first)
        check_consistent_length(table[table.names[0]], y)
        weight = self._checked_weight(sample_weight, table)
        rng = check_random_state(self.random_state)
        seeds = [int(s) for s in rng.randint(0, 2**31 - 1, size=2)]
        if first:
            self.preset_ = "table" if self.preset == AUTO else self.preset
        recipe = self._recipe(len(table))
        t = self._learn_target_in_parts(y, classes, weight) if first else self._targets(y)
        if first:
            self._prepare(table, recipe, weight)
        x = self.preparation_.transform(table, self.dtype)
        if not hasattr(self, "_trainer"):
            one = self._network(recipe, x, len(x), seeds[0]) if first else None
            rate = self.lr or (0.1 * recipe.preset.lr[self._task] if recipe.preset else None)
            optimizer = self._optimizer(recipe, 1, constant=rate)
            network = self._members()[0] if one is None else one
            self._trainer = Trainer(network, optimizer, seed=seeds[1], engine="numpy")
        batch = recipe.batch_size
        weights = self._row_weights(y, weight)
        self._trainer.fit(x, t, 1, batch, sample_weight=weights, progress=None)
        self._keep([self._trainer.model], [self._trainer.history])
        return self

    def _prepare(self, table: Table, recipe: FitSettings, weight: Array | None) -> None:
        encoding = "standard" if recipe.preset is None else recipe.preset.encoding
        self.preparation_ = Preprocessor.fit_inputs(table, encoding=encoding, weights=weight)

    def _learn_target_in_parts(
        self, y: Any, classes: npt.ArrayLike | None, weight: Array | None
    ) -> Array:
        return self._learn_target(y, weight)

    def _checked_weight(self, sample_weight: Any, table: Table) -> Array | None:
        if sample_weight is None:
            return None
        rows = np.empty((len(table), 1))
        weight: Array = _check_sample_weight(
            sample_weight, rows, dtype=np.float64, ensure_non_negative=True
        )
        if not weight.any():
            raise DataError(
                _("sample_weight is 0 for every row, so there is nothing to learn from.")
            )
        return weight

    def _validation(
        self, given: tuple[Any, Any] | None, rows: int
    ) -> tuple[Any, EarlyStopping | None]:
        early: Any = self.early_stopping
        if early == "auto":
            early = self.preset_ != PLAIN and rows >= FEW_ROWS and not self._weighs_classes()
        held_out: Any = None
        if given is not None:
            held_out = self._rows_of_validation(*given)
        elif early:
            held_out = self.validation_fraction
        if not early:
            return held_out, None
        patience = None if early is True else whole(early, "early_stopping")
        return held_out, best_epoch(self._monitors_accuracy(), patience)

    def _rows_of_validation(self, X: Any, y: Any) -> tuple[Array, Array]:
        if isinstance(X, Table):
            return self.preparation_.transform(X, self.dtype), y
        return self._rows(X, fitted=False), self._targets(y)

    def _train(
        self,
        networks: Sequence[Network],
        optimizers: Sequence[Optimizer],
        recipe: FitSettings,
        x: Array,
        t: Array,
        weights: Array | None,
        held_out: Any,
        stopping: EarlyStopping | None,
        seeds: Sequence[int],
    ) -> None:
        progress = "auto" if self.verbose else None
        if len(networks) > 1 and self.callbacks:
            raise SettingError(_("callbacks see one training; with an ensemble there are many."))
        shared: dict[str, Any] = {
            "validation": held_out, "sample_weight": weights, "early_stopping": stopping,
            "progress": progress, "drop_last": recipe.preset is not None,
        }  # fmt: skip
        if len(networks) == 1:
            trainer = Trainer(
                networks[0], optimizers[0], seed=seeds[0],
                engine=self.engine, threads=self.threads,
            )  # fmt: skip
            epochs = recipe.epochs
            if self._leaves_recipe_open(len(x), weights, held_out):
                chosen = choose_recipe(
                    trainer, x, t, batch_size=recipe.batch_size, progress=progress
                )
                epochs = chosen.recipe.epochs
            made = [(trainer.model, trainer.optimizer, seeds[0])]
            shared |= self._kept(made, x, t, epochs, recipe.batch_size, shared)
            if self.checkpoint is not None:
                trainer.resume(shared["checkpoint"], missing_ok=True)
            trainer.fit(x, t, epochs, recipe.batch_size, callbacks=list(self.callbacks), **shared)
            histories = [trainer.history]
        else:
            made = list(zip(networks, optimizers, seeds, strict=True))
            shared |= self._kept(made, x, t, recipe.epochs, recipe.batch_size, shared)
            histories = fit_many(
                networks, optimizers, x, t, recipe.epochs,
                recipe.batch_size, seeds=list(seeds), engine=self.engine, threads=self.threads,
                n_jobs=self.n_jobs, **shared,
            )  # fmt: skip
            for history in histories:
                if history.error is not None:
                    raise history.error
        for name in ("_trainer", "members_"):
            self.__dict__.pop(name, None)
        self._keep(networks, histories)

    def _kept(
        self,
        made: Sequence[tuple[Network, Optimizer, int]],
        x: Array,
        t: Array,
        epochs: int,
        batch_size: int,
        settings: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Where a training is kept: in a folder whose name tells it from all others."""
        if self.checkpoint is None:
            return {}
        if self.random_state is None:
            raise SettingError(
                _(
                    "checkpoint={folder} needs a random_state, such as 0: without one, the fit that is to go"
                    " on would be another one.",
                    folder=shown(os.fspath(self.checkpoint)),
                )
            )
        try:
            os.makedirs(self.checkpoint, exist_ok=True)
        except OSError as error:
            raise SettingError(
                _(
                    "checkpoint={folder} cannot be made a folder ({why}). Name another.",
                    folder=shown(os.fspath(self.checkpoint)),
                    why=error.strerror,
                )
            ) from None
        data = x, t, settings["sample_weight"], settings["validation"]
        trainers = [Trainer(net, o, seed=seed, engine=self.engine) for net, o, seed in made]
        told = fits_digest(
            trainers, data, epochs, batch_size, settings["early_stopping"], settings["drop_last"]
        )
        folder = os.path.join(self.checkpoint, f"{self.preset_}-{told[:16]}")
        return {"checkpoint": folder, "every": self.every}

    def _keep(
        self,
        networks: Sequence[Any],
        histories: list[History],
        weights: Sequence[float] | None = None,
    ) -> None:
        one = len(networks) == 1
        self.network_: Network = networks[0] if one else Ensemble(networks, weights)
        self.history_ = histories[0]
        self.loss_curve_ = list(self.history_["loss"]) if len(self.history_) else []
        self.n_iter_ = len(self.history_)
        self._wide = float64(self.network_)

    def _members(self) -> list[Network]:
        network = self.network_
        return list(network.members) if isinstance(network, Ensemble) else [network]

    @property
    def model_(self) -> Model:
        """The network with its preparation, as `save_onnx` takes it and `load_model` gives it.

        `save_model(path, model_.network, preparation=model_.preparation)` makes a file for the command
        of it. The target is called "y", or "target" where a column has that name.

        Raises:
            SettingError: several outputs, or labels that are neither texts nor whole numbers.
        """
        check_is_fitted(self, "network_")
        name = "target" if "y" in self.preparation_.columns else "y"
        return Model(self.network_, self.preparation_.towards(name, self._target()))

    def _outputs_for(self, X: Any) -> Array:
        """The network's outputs in float64, so that a row's answer does not depend on its neighbours."""
        x = self._rows(X)
        outputs: Array = np.asarray(self._wide.predict(x.astype(np.float64)))
        return outputs
