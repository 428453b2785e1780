"""Comparing runs: where two trainings, checkpoints or models part, and by how much."""

from __future__ import annotations

from chainrule.comparing.numbers import NumberDifference, TensorDifference
from chainrule.comparing.results import Difference, LossDifference, TrainingComparison
from chainrule.comparing.runs import RunComparison, compare_runs

__all__ = [
    "Difference",
    "LossDifference",
    "NumberDifference",
    "RunComparison",
    "TensorDifference",
    "TrainingComparison",
    "compare_runs",
]
