"""scikit-learn estimators: NetworkClassifier and NetworkRegressor (extra `[sklearn]`).

They take what scikit-learn's own take, in pipelines, searches and ensembles, and frames with texts,
categories, dates and missing cells besides. What they train is a chainrule network, `network_`,
which draws, explains, checks and exports itself like any other.
"""

from __future__ import annotations

from chainrule.errors import ExtraMissingError
from chainrule.lang.messages import _

try:
    import sklearn  # noqa: F401
except ImportError:
    raise ExtraMissingError(
        _(
            "the estimators are made for scikit-learn, which is in the extra [sklearn]: {command}.",
            command='pip install "chainrule[sklearn]"',
        )
    ) from None

from chainrule.estimators.classifier import NetworkClassifier
from chainrule.estimators.regressor import NetworkRegressor

__all__ = ["NetworkClassifier", "NetworkRegressor"]
