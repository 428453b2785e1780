"""Planning a training on more ranks, and on more machines, than there are here."""

from chainrule.planning.plan import plan
from chainrule.planning.results import PlannedStep, RankPlan, ScalingPlan

__all__ = ["PlannedStep", "RankPlan", "ScalingPlan", "plan"]
