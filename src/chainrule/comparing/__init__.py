"""Comparing runs: where two trainings, checkpoints or models part, and by how much."""

from __future__ import annotations

from chainrule.comparing.numbers import NumberDifference, TensorDifference
from chainrule.comparing.runs import RunComparison, compare_runs
from chainrule.comparing.training import Difference, LossDifference, TrainingComparison

__all__ = [
    "Difference",
    "LossDifference",
    "NumberDifference",
    "RunComparison",
    "TensorDifference",
    "TrainingComparison",
    "compare_runs",
]
