"""Explaining a table model: which columns it goes by, and why it gave a row its answer."""

from __future__ import annotations

from chainrule.explaining.dependence import PartialDependence, partial_dependence
from chainrule.explaining.gradients import (
    Attribution,
    gradient_times_input,
    integrated_gradients,
)
from chainrule.explaining.importance import Importance, permutation_importance
from chainrule.explaining.why import Contributions, explain_rows

__all__ = [
    "Attribution",
    "Contributions",
    "Importance",
    "PartialDependence",
    "explain_rows",
    "gradient_times_input",
    "integrated_gradients",
    "partial_dependence",
    "permutation_importance",
]
