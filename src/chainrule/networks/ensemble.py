"""Ensemble: several networks of one task, and the mean of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError, ShapeError, shown
from chainrule.lang.messages import _
from chainrule.layers.base import Layer, layers_in
from chainrule.layers.losses import Loss
from chainrule.networks.network import Network
from chainrule.nodes.base import Value
from chainrule.settings import positive

__all__ = ["Ensemble"]


class Ensemble(Network):
    """Networks of one task as one: their mean, weighted if `weights` are given.

    For classes and for yes or no, probabilities are averaged, and `predict` gives their logarithm or
    log-odds, so that softmax or sigmoid of it is the mean; for values, the outputs themselves are
    averaged. Networks that begin with different weights err in different places, so the mean is
    better than most of them (Lakshminarayanan et al., "Simple and scalable predictive uncertainty
    estimation using deep ensembles", 2017); `spread(x)` tells how much they differ.

    Train the members one by one, or all at once by `cr.fit_many`.

    >>> import chainrule as cr
    >>> x, t = cr.datasets.spiral()
    >>> nets = [cr.TwoLayerNet(2, 10, 3, seed=i) for i in range(4)]
    >>> histories = cr.fit_many(nets, cr.SGD(1.0), x, t, epochs=50, batch_size=30, progress=None)
    >>> both = cr.Ensemble(nets)
    >>> both.predict_proba(x).shape, both.spread(x).shape
    ((300, 3), (300, 3))
    """

    def __init__(self, members: Sequence[Network], weights: Sequence[float] | None = None) -> None:
        members = tuple(members)
        if not members or not all(isinstance(member, Network) for member in members):
            raise SettingError(
                _("Ensemble takes a list of networks; got {given}.", given=shown(members))
            )
        kinds = {type(member.loss).__name__ for member in members}
        if len(kinds) > 1 or not isinstance(members[0].loss, Loss):
            raise SettingError(
                _(
                    "the networks of an Ensemble have one task, and so the same loss; got {losses}.",
                    losses=", ".join(sorted(kinds)),
                )
            )
        super().__init__(loss=members[0].loss, seed=0)
        self.members = members
        count = len(members)
        given = [1.0] * count if weights is None else [positive(w, "weights") for w in weights]
        if len(given) != count:
            raise ShapeError(
                _(
                    "an Ensemble has a weight for each network; got {weights} weights for {networks}.",
                    weights=len(given),
                    networks=count,
                )
            )
        #: The weight of each member; their sum is 1.
        self.weights = tuple(w / sum(given) for w in given)

    @property
    def sequence(self) -> tuple[Network, ...]:
        """The members, as a model file keeps them."""
        return self.members

    def named_layers(self) -> list[tuple[str, Layer]]:
        """Every layer once, named by the index of its member and its name there, such as "3.0"."""
        layers: dict[int, tuple[str, Layer]] = {}
        for i, member in enumerate(self.members):
            layers_in(str(i), member, layers)
        return list(layers.values())

    def predict(self, x: Value) -> Value:
        """The mean answer: log-probabilities, log-odds, or values."""
        outputs = [member.predict(x) for member in self.members]
        mean: Value = self.loss.average(outputs, self.weights)
        return mean

    def spread(self, x: npt.ArrayLike) -> npt.NDArray[Any]:
        """The standard deviation of the members' answers: of probabilities, or of values.

        Shape and dtype are those of `predict_proba(x)` for classes, of `predict(x)` for values.
        """
        answers = [
            np.asarray(self.loss.link(member.predict(np.asarray(x)))) for member in self.members
        ]
        pairs = list(zip(answers, self.weights, strict=True))
        mean = sum(answer * weight for answer, weight in pairs)
        variance = sum((answer - mean) ** 2 * weight for answer, weight in pairs)
        return np.asarray(np.sqrt(variance), dtype=answers[0].dtype)
