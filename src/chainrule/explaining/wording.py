"""The words for what explains a model, as the command and the reports say them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import Text, _
from chainrule.training.metrics import in_units

__all__ = ["BASELINES", "CAVEAT", "LOST", "lost_text"]

#: What each metric loses when a column is shuffled.
LOST: dict[str, Text] = {
    "accuracy": _("accuracy lost"),
    "log_loss": _("log loss gained"),
    "r2": _("R² lost"),
    "rmse": _("RMSE gained"),
}
CAVEAT = _(
    "Of columns that tell the same, each may seem unimportant: while one is shuffled, the others are"
    " still there."
)
#: Where contributions begin, by where the mean comes from.
BASELINES: dict[str, Text] = {
    "training": _("the mean of the encoded training rows"),
    "given": _("the mean of the encoded rows of the baseline"),
    "rows": _("the mean of the encoded rows of this table"),
}


def lost_text(metric: str, values: npt.NDArray[np.float64]) -> str:
    """The mean and the standard deviation of what a metric loses over the repeats.

    >>> lost_text("accuracy", np.array([0.1, 0.2])), lost_text("r2", np.array([-0.5, -0.5]))
    ('15.0% ± 5.0%', '−0.500 ± 0.000')
    """
    mean, spread = float(values.mean()), float(values.std())
    mean = round(mean, 3) + 0.0 if metric != "rmse" else mean  # and no -0
    if metric == "accuracy":
        told = f"{mean:.1%} ± {spread:.1%}"
    elif metric == "rmse":
        told = f"{in_units(mean)} ± {in_units(spread)}"
    else:
        told = f"{mean:.3f} ± {spread:.3f}"
    return told.replace("-", "−")
