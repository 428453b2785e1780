"""Training: mini-batches, the Trainer, its history, callbacks and metrics."""

from __future__ import annotations

from chainrule.training.baselines import Baselines, Comparison
from chainrule.training.batches import get_mini_batch
from chainrule.training.callbacks import Callback, EarlyStopping
from chainrule.training.histograms import Histograms
from chainrule.training.history import History
from chainrule.training.linear import Linear, fit_linear
from chainrule.training.many import fit_many
from chainrule.training.metrics import accuracy, binary_accuracy, confusion_matrix, mae, r2, rmse
from chainrule.training.presets import PRESETS, Preset
from chainrule.training.probabilities import (
    CalibrationCurve,
    brier_score,
    calibration_curve,
    log_loss,
)
from chainrule.training.recipes import Choice, Recipe, choose_recipe, recipes_for
from chainrule.training.trainer import Trainer
from chainrule.training.trajectory import Trajectory

__all__ = [
    "PRESETS",
    "Baselines",
    "CalibrationCurve",
    "Callback",
    "Choice",
    "Comparison",
    "EarlyStopping",
    "Histograms",
    "History",
    "Linear",
    "Preset",
    "Recipe",
    "Trainer",
    "Trajectory",
    "accuracy",
    "binary_accuracy",
    "brier_score",
    "calibration_curve",
    "choose_recipe",
    "confusion_matrix",
    "fit_linear",
    "fit_many",
    "get_mini_batch",
    "log_loss",
    "mae",
    "r2",
    "recipes_for",
    "rmse",
]
