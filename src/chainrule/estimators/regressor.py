"""NetworkRegressor: one number or several for each row."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils import (
    check_array,
)

from chainrule.datasets.targets import Target
from chainrule.errors import SettingError, nearest, shown
from chainrule.estimators.base import NetworkEstimator
from chainrule.lang.messages import _
from chainrule.layers import Loss, MeanSquaredError
from chainrule.networks import Ensemble
from chainrule.optimizers import Optimizer
from chainrule.schedules import Schedule
from chainrule.training import (
    Callback,
)
from chainrule.training.presets import (
    BEST_EPOCH_BY,
    PLAIN,
)

__all__ = ["NetworkRegressor"]

Array = npt.NDArray[Any]


class NetworkRegressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]
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
