"""NetworkClassifier: classes, and questions with yes or no."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils import (
    assert_all_finite,
    check_array,
    compute_class_weight,
)
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    column_or_1d,
)

from chainrule.datasets.targets import Target
from chainrule.errors import DataError, SettingError, shown
from chainrule.estimators.base import NetworkEstimator
from chainrule.estimators.rows import gaps
from chainrule.lang.messages import _, _n
from chainrule.layers import Loss, SigmoidWithLoss, SoftmaxWithLoss
from chainrule.optimizers import Optimizer
from chainrule.schedules import Schedule
from chainrule.training import (
    Callback,
)
from chainrule.training.presets import (
    BEST_EPOCH_BY,
    PLAIN_SMOOTHING,
)

__all__ = ["NetworkClassifier"]

Array = npt.NDArray[Any]


class NetworkClassifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]
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
        drawn: draw a learning rate, dropout, weight decay and the like for each network of the ensemble,
            and keep those whose mean is best on rows held out; `members_` has their settings and weights.
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
        n_jobs: for an ensemble: how many processes share its networks, as in `cr.fit_many`; by default
            this one, or the jobs of `joblib.parallel_config`, such as those of Dask and Ray.
        checkpoint: a folder where each training is kept in a folder of its own, named by its settings, data
            and `random_state`; fit goes on with the same one if it was stopped, and is ready at once if
            it had ended. The clones of a search may share it.
        every: how often a checkpoint is written, such as "5 min".
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
        n_jobs: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        every: str | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            preset, hidden=hidden, activation=activation, dropout=dropout, optimizer=optimizer,
            lr=lr, schedule=schedule, weight_decay=weight_decay, batch_size=batch_size,
            epochs=epochs, early_stopping=early_stopping, validation_fraction=validation_fraction,
            ensemble=ensemble, drawn=drawn, categorical_features=categorical_features,
            dtype=dtype, random_state=random_state, warm_start=warm_start, callbacks=callbacks, engine=engine,
            threads=threads, n_jobs=n_jobs, checkpoint=checkpoint, every=every, verbose=verbose,
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
        missing = gaps(labels)
        if missing.any():
            raise DataError(
                _n(
                    "y: {n} label of {count} is missing, at first in row {row}. Leave such rows out.",
                    "y: {n} labels of {count} are missing, at first in row {row}. Leave such rows out.",
                    int(missing.sum()),
                    count=len(labels),
                    row=int(np.argmax(missing)),
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
