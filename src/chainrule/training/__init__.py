"""Training: mini-batches, the Trainer, its history, callbacks and metrics."""

from __future__ import annotations

from chainrule.training.baselines import Baselines, Comparison
from chainrule.training.batches import get_mini_batch
from chainrule.training.callbacks import Callback, EarlyStopping
from chainrule.training.histograms import Histograms
from chainrule.training.history import History
from chainrule.training.linear import Linear, fit_linear
from chainrule.training.metrics import accuracy, confusion_matrix, mae, r2, rmse, yes_no_accuracy
from chainrule.training.trainer import Trainer
from chainrule.training.trajectory import Trajectory

__all__ = [
    "Baselines",
    "Callback",
    "Comparison",
    "EarlyStopping",
    "Histograms",
    "History",
    "Linear",
    "Trainer",
    "Trajectory",
    "accuracy",
    "confusion_matrix",
    "fit_linear",
    "get_mini_batch",
    "mae",
    "r2",
    "rmse",
    "yes_no_accuracy",
]
