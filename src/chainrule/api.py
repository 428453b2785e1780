"""Every public name of chainrule, gathered from its rooms; `import chainrule` loads it at need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule import explaining as explaining
from chainrule import figures as figures
from chainrule import files as files
from chainrule.basics import *  # noqa: F403
from chainrule.checking import CheckReport as CheckReport
from chainrule.checking import check as check
from chainrule.comparing import RunComparison as RunComparison
from chainrule.comparing import compare_runs as compare_runs
from chainrule.drawing.drawing import Drawing as Drawing
from chainrule.explaining import *  # noqa: F403
from chainrule.files import *  # noqa: F403
from chainrule.planning import PlannedStep as PlannedStep
from chainrule.planning import RankPlan as RankPlan
from chainrule.planning import ScalingPlan as ScalingPlan
from chainrule.planning import plan as plan
from chainrule.plots.calibration import draw_calibration as draw_calibration
from chainrule.plots.compare_optimizers import compare_optimizers as compare_optimizers
from chainrule.plots.confusion import draw_confusion as draw_confusion
from chainrule.plots.contributions import draw_contributions as draw_contributions
from chainrule.plots.dependence import draw_partial_dependence as draw_partial_dependence
from chainrule.plots.features import draw_features as draw_features
from chainrule.plots.importance import draw_importance as draw_importance
from chainrule.plots.regions import draw_regions as draw_regions
from chainrule.plots.residuals import draw_residuals as draw_residuals
from chainrule.plots.scaling import draw_scaling as draw_scaling
from chainrule.plots.surface import draw_surface as draw_surface
from chainrule.script import *  # noqa: F403

if TYPE_CHECKING:
    from chainrule.estimators import NetworkClassifier as NetworkClassifier
    from chainrule.estimators import NetworkRegressor as NetworkRegressor
    from chainrule.playground.notebook import Playground as Playground
else:
    __all__ = sorted(
        name
        for name in globals()
        if not name.startswith("_") and name not in ("TYPE_CHECKING", "annotations")
    )
