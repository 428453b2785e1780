"""The words for what explains a model, as the command and the reports say them."""

from __future__ import annotations

from chainrule.explaining.importance import Importance
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


def lost_text(importance: Importance, metric: str, column: int) -> str:
    """The mean and the standard deviation of what a metric loses when a column is shuffled.

    >>> import numpy as np
    >>> lost = {"r2": np.array([[-0.5, -0.5]]), "rmse": np.array([[0.1, 0.2]])}
    >>> found = Importance(("a",), {"r2": 0.9, "rmse": 12.345}, lost, 9)
    >>> lost_text(found, "r2", 0), lost_text(found, "rmse", 0)
    ('−0.500 ± 0.000', '0.15 ± 0.05')
    """
    values = importance.lost[metric][column]
    mean, spread = float(values.mean()), float(values.std())
    mean = round(mean, 3) + 0.0 if metric != "rmse" else mean  # and no -0
    if metric == "accuracy":
        told = f"{mean:.1%} ± {spread:.1%}"
    elif metric == "rmse":
        score = importance.scores[metric]
        told = f"{in_units(mean, score)} ± {in_units(spread, score)}"
    else:
        told = f"{mean:.3f} ± {spread:.3f}"
    return told.replace("-", "−")
