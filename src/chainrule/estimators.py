"""scikit-learn estimators: NetworkClassifier and NetworkRegressor (extra `[sklearn]`).

They take what scikit-learn's own take, in pipelines, searches and ensembles, and frames with texts,
categories, dates and missing cells besides. What they train is a chainrule network, `network_`,
which draws, explains, checks and exports itself like any other.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from chainrule.datasets import Preprocessor, Table, stratified_split
from chainrule.datasets.columns import is_missing
from chainrule.datasets.targets import Target
from chainrule.errors import DataError, ExtraMissingError, SettingError, nearest, shown
from chainrule.files import Model
from chainrule.files.architecture import build, describe
from chainrule.lang.messages import _, _n
from chainrule.layers import Loss, MeanSquaredError, SigmoidWithLoss, SoftmaxWithLoss
from chainrule.networks import Ensemble, Network, Sequential
from chainrule.networks.parts import in_parts
from chainrule.optimizers import OPTIMIZERS, AdamW, Optimizer
from chainrule.optimizers.base import optimizer_class
from chainrule.schedules import Cosine, Rate, Schedule
from chainrule.settings import whole
from chainrule.training import (
    PRESETS,
    Callback,
    EarlyStopping,
    History,
    Preset,
    Trainer,
    choose_recipe,
    fit_many,
    recipes_for,
)
from chainrule.training.presets import (
    BEST_EPOCH_BY,
    FEW_ROWS,
    PLAIN,
    PLAIN_HIDDEN,
    PLAIN_SMOOTHING,
    Task,
    best_epoch,
    plain_batch_size,
    plain_network,
    rows_left,
)
from chainrule.training.ranges import drawn_settings
from chainrule.training.recipes import HANDFUL
from chainrule.training.rivals import AUTO, clearly_better, presets_for, row_losses
from chainrule.training.selection import greedy_selection

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import (
        assert_all_finite,
        check_array,
        check_random_state,
        compute_class_weight,
    )
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import (
        _check_sample_weight,
        check_consistent_length,
        check_is_fitted,
        column_or_1d,
        validate_data,
    )
except ImportError:
    raise ExtraMissingError(
        _(
            "the estimators are made for scikit-learn, which is in the extra [sklearn]: {command}.",
            command='pip install "chainrule[sklearn]"',
        )
    ) from None

__all__ = ["NetworkClassifier", "NetworkRegressor"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Recipe:
    """The settings of one fit, those of the preset and those given put together."""

    preset: Preset | None
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    lr: float | Schedule | None = None
    weight_decay: float | None = None

    def with_drawn(self, task: Task, settings: Mapping[str, float]) -> _Recipe:
        """This recipe with settings that were drawn."""
        if self.preset is None:
            return replace(self, **settings)  # type: ignore[arg-type]
        return replace(self, preset=self.preset.with_settings(task, **settings))


class _NetworkEstimator(BaseEstimator):  # type: ignore[misc]
    """What classifier and regressor share."""

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
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    # -- what the two kinds differ in -------------------------------------------------------------

    _task: Task
    #: The preset that was taken.
    preset_: str

    def _loss(self) -> Loss:
        raise NotImplementedError

    def _targets(self, y: Any) -> Array:
        raise NotImplementedError

    def _target(self) -> Target:
        raise NotImplementedError

    def _learn_target(self, y: Any, sample_weight: Array | None) -> Array:
        raise NotImplementedError

    def _row_weights(self, y: Any, sample_weight: Array | None) -> Array | None:
        return sample_weight

    # -- rows -------------------------------------------------------------------------------------

    def _table(self, X: Any, *, reset: bool) -> Table:
        """The rows as a table, checked as scikit-learn does."""
        if hasattr(X, "columns") or hasattr(X, "column_names"):
            validate_data(self, X, reset=reset, skip_check_array=True)
            table = Table(X, "X")
        else:
            X = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan")
            table = _table_of_array(X)
        chosen = self.categorical_features
        if chosen is None or isinstance(chosen, str):
            return table
        names = [
            table.names[name] if isinstance(name, int | np.integer) else name for name in chosen
        ]
        return _as_texts(table, names)

    def _rows(self, X: Any, *, fitted: bool = True) -> Array:
        """Prepared rows x for the network."""
        if fitted:
            check_is_fitted(self, "network_")
        return self.preparation_.transform(self._table(X, reset=False), self.dtype)

    # -- fitting ----------------------------------------------------------------------------------

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
            table, y, weight = table.rows(kept), _picked(y, kept), weight[kept]
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

    def _compares(self) -> bool:
        """Whether two presets can be compared by the answers that they get right, or come near to."""
        return True

    def _fit_better(self, table: Table, t: Array, seeds: Sequence[int]) -> None:
        """Fit two presets, and keep the better one: see `training.rivals`."""
        by = t if t.dtype.kind in "iu" else np.arange(len(t), dtype=float)
        inside, outside = stratified_split(by, BEST_EPOCH_BY, seeds[0])
        some, others, true = table.rows(inside), table.rows(outside), t[outside]
        losses = []
        for preset, validation in ((PLAIN, None), ("table", (others, true))):
            self.preset_ = preset
            self._fit(some, t[inside], None, None, validation, seeds)
            y = in_parts(self.network_.predict, self.preparation_.transform(others, self.dtype))
            losses.append(row_losses(y, true, by is t))
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

    def _drawn(self, goes_on: bool, seeds: Sequence[int]) -> list[dict[str, float]]:
        """Settings for each network of the ensemble, from the ranges of the preset."""
        if self.ensemble == 1 or goes_on or self.optimizer is not None:
            raise SettingError(
                _(
                    "drawn=True draws settings for the networks of an ensemble, each with AdamW and from the"
                    " beginning: give ensemble=32, say, and neither optimizer nor warm_start."
                )
            )
        given = [name for name in ("lr", "weight_decay") if getattr(self, name) is not None]
        rng = np.random.default_rng(list(seeds))
        return drawn_settings(self.preset_, self.ensemble, rng, given)

    def _parted(
        self, x: Array, t: Array, weights: Array | None, seed: int
    ) -> tuple[Array, Array, Array | None, tuple[Array, Array]]:
        """Rows to train on, and others, the same for all networks, to choose networks by."""
        ids = t.ndim == 1 and t.dtype.kind in "iu"
        by = t if ids else np.arange(len(t), dtype=float)
        inside, outside = stratified_split(by, self.validation_fraction, seed)
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

    def _prepare(self, table: Table, recipe: _Recipe, weight: Array | None) -> None:
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

    def _recipe(self, rows: int) -> _Recipe:
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
        return _Recipe(preset, hidden, epochs, batch, self.lr, self.weight_decay)

    def _network(self, recipe: _Recipe, x: Array, rows: int, seed: int) -> Sequential:
        """A network for the rows x, of which so many are trained on."""
        outputs, loss = self._outputs(), self._loss()
        if recipe.preset is None:
            network = plain_network(
                x.shape[1], recipe.hidden, outputs, activation=self.activation,
                dropout=self.dropout or 0.0, loss=loss, seed=seed,
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
        return _float64(network) if np.dtype(self.dtype) == np.float64 else network

    def _outputs(self) -> int:
        raise NotImplementedError

    def _optimizer(self, recipe: _Recipe, rows: int, constant: Rate | None = None) -> Optimizer:
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

    def _monitors_accuracy(self) -> bool:
        return False

    def _weighs_classes(self) -> bool:
        return False  # if so, the accuracy on plain rows would choose another epoch

    def _rows_of_validation(self, X: Any, y: Any) -> tuple[Array, Array]:
        if isinstance(X, Table):
            return self.preparation_.transform(X, self.dtype), y
        return self._rows(X, fitted=False), self._targets(y)

    def _train(
        self,
        networks: Sequence[Network],
        optimizers: Sequence[Optimizer],
        recipe: _Recipe,
        x: Array,
        t: Array,
        weights: Array | None,
        held_out: Any,
        stopping: EarlyStopping | None,
        seeds: Sequence[int],
    ) -> None:
        progress = "auto" if self.verbose else None
        shared: Mapping[str, Any] = {
            "validation": held_out, "sample_weight": weights, "early_stopping": stopping,
            "progress": progress,
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
            trainer.fit(x, t, epochs, recipe.batch_size, callbacks=list(self.callbacks), **shared)
            histories = [trainer.history]
        else:
            if self.callbacks:
                raise SettingError(
                    _("callbacks see one training; with an ensemble there are many.")
                )
            histories = fit_many(
                networks, optimizers, x, t, recipe.epochs,
                recipe.batch_size, seeds=list(seeds), engine=self.engine, threads=self.threads,
                **shared,
            )  # fmt: skip
            for history in histories:
                if history.error is not None:
                    raise history.error
        for name in ("_trainer", "members_"):
            self.__dict__.pop(name, None)
        self._keep(networks, histories)

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
        self._wide = _float64(self.network_)

    def _members(self) -> list[Network]:
        network = self.network_
        return list(network.members) if isinstance(network, Ensemble) else [network]

    # -- answers ----------------------------------------------------------------------------------

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


class NetworkClassifier(ClassifierMixin, _NetworkEstimator):  # type: ignore[misc]
    """A neural network that predicts classes, as a scikit-learn estimator.

    `preset`: "table" (RealMLP-TD), "table-small" (RealMLP-TD-S) or "plain", Affine layers with an
    `activation` between them; by default one of them by the rows. Settings left at None are those of
    the preset.

    Args:
        preset: "table", "table-small" or "plain"; "auto": "plain" with fewer than 2,000 rows; with more,
            and without settings of the network, the better one of "plain" and "table" on rows held out.
        hidden: sizes of the hidden layers, or of the one; by default (256, 256, 256), in plain (128,).
        activation: in plain, a name such as "relu" or "tanh", or one for each hidden layer.
        dropout: the part of each hidden layer to leave out at each step.
        optimizer: a name, such as "adamw" or "momentum", or an optimizer, such as cr.Adam(0.001).
        lr: the (highest) learning rate, or a schedule of chainrule.schedules.
        schedule: with an optimizer by name, "cosine" or "constant".
        weight_decay: how much the weights shrink.
        batch_size: rows a step; "full" for all rows in each.
        epochs: times through the rows; 256 by default; in plain, with the weight decay, as the rows choose
            (see `choose_recipe`).
        early_stopping: True to keep the best epoch by rows held out, or a patience in epochs to stop
            after it, too; "auto": True for the presets for tables, from 50 rows on.
        validation_fraction: the part of the rows held out for early stopping.
        ensemble: how many networks of different seeds, trained at once, answer with their mean.
        drawn: draw a learning rate, weight decay and the like for each network of the ensemble, and keep
            those whose mean is best on rows held out; `members_` has the settings and weights of these.
        categorical_features: names or indices of columns of numbers that are categories;
            "from_dtype": texts and categories of a frame only.
        class_weight: a dict of weights by label, or "balanced".
        label_smoothing: how much of each class's target goes to all classes.
        dtype: "float32" or "float64": the numbers that it is trained in; it predicts in float64.
        random_state: a seed: the same gives the same bits.
        warm_start: whether fit goes on from the weights of the last fit.
        callbacks: callbacks of chainrule, or functions of the trainer, called after every epoch.
        engine: "auto", "numpy" or "compiled".
        threads: threads of the compiled engine.
        verbose: show progress.

    Fitted: `network_`, `preset_`, `history_`, `loss_curve_`, `classes_`, `preparation_` (how columns become
    inputs), `n_iter_`, `n_features_in_`, `feature_names_in_`; `model_`, for `cr.save_onnx(estimator.model_,
    "served.onnx")` and model files. With `y` of 0 and 1 in several columns
    each column is a question of its own (multi-label).

    >>> import chainrule as cr
    >>> from sklearn.datasets import load_wine
    >>> X, y = load_wine(return_X_y=True)
    >>> model = cr.NetworkClassifier(hidden=(32, 32), epochs=40, random_state=0).fit(X[::2], y[::2])
    >>> model.score(X[1::2], y[1::2]) > 0.9
    True
    """

    _task = "classification"

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
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float | None = None,
        dtype: npt.DTypeLike = "float32",
        random_state: Any = None,
        warm_start: bool = False,
        callbacks: Sequence[Callback | Callable[[Any], None]] = (),
        engine: str = "auto",
        threads: int | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            preset, hidden=hidden, activation=activation, dropout=dropout, optimizer=optimizer,
            lr=lr, schedule=schedule, weight_decay=weight_decay, batch_size=batch_size,
            epochs=epochs, early_stopping=early_stopping, validation_fraction=validation_fraction,
            ensemble=ensemble, drawn=drawn, categorical_features=categorical_features,
            dtype=dtype, random_state=random_state, warm_start=warm_start, callbacks=callbacks, engine=engine,
            threads=threads, verbose=verbose,
        )  # fmt: skip
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _learn_target(self, y: Any, sample_weight: Array | None) -> Array:
        labels = np.asarray(y)
        if labels.dtype.kind == "f":
            assert_all_finite(labels, input_name="y")
        gaps = _gaps(labels)
        if gaps.any():
            raise DataError(
                _n(
                    "y: {n} label of {count} is missing, at first in row {row}. Leave such rows out.",
                    "y: {n} labels of {count} are missing, at first in row {row}. Leave such rows out.",
                    int(gaps.sum()),
                    count=len(labels),
                    row=int(np.argmax(gaps)),
                )
            )
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multilabel-indicator":
            labels = check_array(y, dtype=None, ensure_all_finite=True)
            self.classes_ = np.arange(labels.shape[1])
            self._multilabel = True
            return np.asarray(labels, np.int64)
        if kind not in ("binary", "multiclass"):
            raise DataError(
                _("Unknown label type: {kind}. y is one label for each row.", kind=kind)
            )
        labels = column_or_1d(y, warn=True)
        self._multilabel = False
        self.classes_, ids = np.unique(labels, return_inverse=True)
        return np.asarray(ids, np.int64)

    def _learn_target_in_parts(
        self, y: Any, classes: npt.ArrayLike | None, weight: Array | None
    ) -> Array:
        if classes is None:
            raise DataError(_("classes must be passed on the first call to partial_fit."))
        self._learn_target(y, weight)
        if not self._multilabel:
            self.classes_ = np.unique(np.asarray(classes))
        return self._targets(y)

    def _targets(self, y: Any) -> Array:
        if self._multilabel:
            return np.asarray(check_array(y, dtype=None), np.int64)
        labels = column_or_1d(y, warn=True)
        ids = np.searchsorted(self.classes_, labels).clip(0, len(self.classes_) - 1)
        known = self.classes_[ids] == labels
        if not np.all(known):
            raise DataError(
                _(
                    "y has labels that are not among classes_, such as {label}.",
                    label=shown(np.asarray(labels)[~known][0]),
                )
            )
        return np.asarray(ids, np.int64)

    def _row_weights(self, y: Any, sample_weight: Array | None) -> Array | None:
        if self.class_weight is None:
            return sample_weight
        if self._multilabel:
            raise DataError(_("class_weight is for one label a row, not for several."))
        ids = self._targets(y)
        present = np.unique(self.classes_[ids])
        weights = np.ones(len(self.classes_))
        weights[np.searchsorted(self.classes_, present)] = compute_class_weight(
            self.class_weight, classes=present, y=self.classes_[ids]
        )
        rows: Array = weights[ids]
        return rows if sample_weight is None else rows * sample_weight

    def _target(self) -> Target:
        labels = self.classes_.tolist()
        texts = all(isinstance(label, str) for label in labels)
        whole_numbers = self.classes_.dtype.kind in "iu"
        if self._multilabel or not (texts or whole_numbers):
            raise SettingError(
                _(
                    "model_: a model has one label for each row, a text or a whole number. Got {labels}."
                    " Fit with such a y, for instance y.astype(str).",
                    labels=shown(labels, 80),
                )
            )
        return Target("classification", tuple(labels))

    def _outputs(self) -> int:
        return len(self.classes_)

    def _loss(self) -> Loss:
        if self._multilabel:
            return SigmoidWithLoss()
        smoothing = PLAIN_SMOOTHING if self.label_smoothing is None else self.label_smoothing
        return SoftmaxWithLoss(label_smoothing=smoothing)

    def _monitors_accuracy(self) -> bool:
        return not self._multilabel

    def _compares(self) -> bool:
        return not self._multilabel

    def _weighs_classes(self) -> bool:
        return self.class_weight is not None

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class (n, classes), or of yes to each question (n, questions)."""
        outputs = self._outputs_for(X)
        return np.asarray(self.network_.loss.link(outputs))

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> Array:
        """The class of each row (n,), or 0 and 1 for each question (n, questions)."""
        outputs = self._outputs_for(X)
        if self._multilabel:
            return (outputs > 0).astype(np.int64)
        labels: Array = self.classes_[outputs.argmax(axis=1)]
        return labels


class NetworkRegressor(RegressorMixin, _NetworkEstimator):  # type: ignore[misc]
    """A neural network that predicts numbers, as a scikit-learn estimator.

    Its arguments are those of `NetworkClassifier`, but for `class_weight` and `label_smoothing`; `loss`
    is "squared_error", "absolute_error", "huber", or a loss of chainrule. `y` is (n,), or (n, outputs)
    for several numbers at once; it is standardised inside. In the presets for tables, answers stay
    within the range of the training rows.

    >>> import chainrule as cr
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = cr.NetworkRegressor("plain", epochs=20, random_state=0).fit(X[::2], y[::2])
    >>> model.score(X[1::2], y[1::2]) > 0.3
    True
    """

    _task = "regression"

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
        loss: str | Loss = "squared_error",
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
        verbose: bool = False,
    ) -> None:
        super().__init__(
            preset, hidden=hidden, activation=activation, dropout=dropout, optimizer=optimizer,
            lr=lr, schedule=schedule, weight_decay=weight_decay, batch_size=batch_size,
            epochs=epochs, early_stopping=early_stopping, validation_fraction=validation_fraction,
            ensemble=ensemble, drawn=drawn, categorical_features=categorical_features,
            dtype=dtype, random_state=random_state, warm_start=warm_start, callbacks=callbacks, engine=engine,
            threads=threads, verbose=verbose,
        )  # fmt: skip
        self.loss = loss

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _learn_target(self, y: Any, sample_weight: Array | None) -> Array:
        values = self._values(y)
        self._one_column = np.asarray(y).ndim < 2
        self._center = np.average(values, axis=0, weights=sample_weight)
        spread = np.sqrt(np.average((values - self._center) ** 2, axis=0, weights=sample_weight))
        self._spread = np.where(spread > 0, spread, 1.0)
        self._limits = values.min(axis=0), values.max(axis=0)
        return self._scaled(values)

    def _values(self, y: Any) -> Array:
        values: Array = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        return values.reshape(-1, 1) if values.ndim == 1 else values

    def _scaled(self, values: Array) -> Array:
        return np.asarray((values - self._center) / self._spread, self.dtype)

    def _targets(self, y: Any) -> Array:
        return self._scaled(self._values(y))

    def _target(self) -> Target:
        if len(self._center) > 1:
            raise SettingError(
                _(
                    "model_: a model has one number for each row. Got {n} outputs. Fit an estimator for"
                    " each.",
                    n=len(self._center),
                )
            )
        low, high = (float(limit[0]) for limit in self._limits)
        limits = None if self.preset_ == PLAIN else (low, high)
        return Target("regression", None, float(self._center[0]), float(self._spread[0]), limits)

    def _outputs(self) -> int:
        return len(self._center)

    def _compares(self) -> bool:
        return self.loss == "squared_error"

    def _loss(self) -> Loss:
        from chainrule.layers import Huber, MeanAbsoluteError

        if isinstance(self.loss, Loss):
            return copy.deepcopy(self.loss)
        losses: dict[str, type[Loss]] = {
            "squared_error": MeanSquaredError,
            "absolute_error": MeanAbsoluteError,
            "huber": Huber,
        }
        if self.loss not in losses:
            raise SettingError(
                _(
                    "loss={loss} is not known; {nearest}, or a loss such as cr.Huber(0.5).",
                    loss=shown(self.loss),
                    nearest=nearest(self.loss, losses),
                )
            )
        return losses[self.loss]()

    def predict(self, X: Any) -> Array:
        """The number for each row (n,), or (n, outputs) as in training, float64."""
        answers = np.asarray(self._outputs_for(X) * self._spread + self._center)
        if self.preset_ != PLAIN:
            answers = answers.clip(*self._limits)
        return answers[:, 0] if self._one_column else answers

    def predict_spread(self, X: Any) -> Array:
        """How far the networks of an ensemble differ: the standard deviation, shaped as `predict`."""
        if not isinstance(self.network_, Ensemble):
            raise SettingError(_("predict_spread needs ensemble=2 or more."))
        spread: Array = self.network_.spread(self._rows(X)) * self._spread
        return spread[:, 0] if self._one_column else spread


def _table_of_array(X: Array) -> Table:
    """An array as a table; columns of objects are texts or numbers."""
    names = [f"x{i}" for i in range(X.shape[1])]
    if X.dtype.kind in "biuf":
        return Table.from_matrix(X, names, source="X")
    if X.dtype.kind == "c":
        raise DataError(_("Complex data not supported: X has dtype {dtype}.", dtype=X.dtype))
    columns: dict[str, Any] = {}
    for name, column in zip(names, X.T, strict=True):
        texts = all(isinstance(cell, str) or cell is None or cell != cell for cell in column)
        if texts and any(isinstance(cell, str) for cell in column):
            columns[name] = [cell if isinstance(cell, str) else "" for cell in column]
        else:
            columns[name] = check_array(
                column.reshape(-1, 1), dtype=np.float64, ensure_all_finite="allow-nan"
            )[:, 0]
    return Table(columns, "X")


def _gaps(labels: Array) -> npt.NDArray[np.bool_]:
    """Which labels are None, NaN or pandas.NA (n,)."""
    if labels.dtype.kind != "O" or labels.ndim != 1:
        return np.zeros(len(labels), bool)
    return np.array([is_missing(label) for label in labels], bool)


def _as_texts(table: Table, names: Sequence[str]) -> Table:
    """The table with some columns of numbers as texts, so that they are categories."""
    from chainrule.datasets.columns import encoded, short

    table.require(*names)
    columns: dict[str, Any] = {}
    for name in table.names:
        if name in names and table.kind(name) != "text":
            cells = table[name].astype(np.float64).tolist()
            columns[name] = encoded("" if cell != cell else short(cell) for cell in cells)
        else:
            columns[name] = table.texts(name) if table.kind(name) == "text" else table[name]
    return Table(columns, table.source)


def _picked(y: Any, kept: Array) -> Any:
    """The rows of y that are kept."""
    if hasattr(y, "iloc"):
        return y.iloc[np.flatnonzero(kept)]
    return np.asarray(y)[kept]


def _float64(network: Network) -> Any:
    """A copy of a network that computes in float64."""
    arrays = {
        **{name: p.data for name, p in network.named_parameters().items()},
        **network.named_buffers(),
    }
    wide = {k: a.astype(np.float64) if a.dtype.kind == "f" else a for k, a in arrays.items()}
    return build(describe(network), wide, "network_")
