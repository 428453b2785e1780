"""Rows of a table as the inputs of a model, and which of the inputs each column became."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.datasets import Preprocessor, Table
from chainrule.datasets.frames import frame_columns
from chainrule.datasets.matching import table_of
from chainrule.datasets.parts import CodeColumn
from chainrule.engine.choice import missing_packages
from chainrule.errors import SettingError, nearest, shown
from chainrule.files import Model
from chainrule.lang.messages import _, _p
from chainrule.layers.losses import Loss
from chainrule.networks import Network
from chainrule.networks.parts import in_parts

__all__ = ["Encoded", "answers_of", "chosen_columns", "probabilities_of", "quick"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Places = dict[str, npt.NDArray[np.intp]]


class Encoded:
    """A model that takes tables, and rows as its network takes them.

    Every input is made from one column of the table alone, so that what is done to the cells of a
    column can be done to its `places` in x: all columns of a one-hot code, the flag of missing
    cells, the parts of a date.
    """

    def __init__(self, model: Model, data: object, *, target: bool = False) -> None:
        self.model = model
        self.preparation = _preparation(model)
        self.table = self._table(data, target)
        self.x = self.preparation.transform(self.table)

    def _table(self, data: object, target: bool) -> Table:
        if isinstance(data, Table):
            return data
        used = {*self.preparation.columns, *([self.preparation.target] if target else [])}
        columns = frame_columns(data)
        if columns is None:
            raise SettingError(
                _(
                    "Answers are explained by columns: give a Table, a frame, or a dict of columns. Got"
                    " {got}.",
                    got=shown(data),
                )
            )
        known = {name: form for name, form in self.preparation.forms.items() if name in used}
        return table_of(columns, known)

    @property
    def places(self) -> Places:
        """The columns of x that each column of the table became."""
        found: dict[str, list[int]] = {}
        position = 0
        for part in self.preparation.parts:
            after = position + len(part.features)
            found.setdefault(part.name, []).extend(range(position, after))
            position = after
        return {name: np.array(places, np.intp) for name, places in found.items()}

    @property
    def wide_places(self) -> Places:
        """The columns of `layout.one_hot(x)` that each column of the table became."""
        found: dict[str, list[int]] = {}
        position, coded = 0, iter(self.coded_places)
        for part in self.preparation.parts:
            after = position + len(part.features)
            is_coded = isinstance(part, CodeColumn) and part.rows
            places = next(coded).tolist() if is_coded else range(position, after)
            found.setdefault(part.name, []).extend(places)
            position = after
        return {name: np.array(places, np.intp) for name, places in found.items()}

    @property
    def coded_places(self) -> list[npt.NDArray[np.intp]]:
        """The columns of `layout.one_hot(x)` of each column whose categories have weights."""
        start = self.x.shape[1] - self.preparation.layout.columns
        return [
            np.array(sorted({*part.values, part.other}), np.intp) + start
            for part in self.preparation.parts
            if isinstance(part, CodeColumn) and part.rows
        ]


def _preparation(model: Model) -> Preprocessor:
    if not isinstance(model, Model):
        raise SettingError(
            _(
                "Explained is a model with the preparation of its table: load_model(path), or"
                " Model(network, preparation). Got {got}.",
                got=shown(model),
            )
        )
    if model.preparation is None:
        raise SettingError(
            _(
                "This model was kept without a preparation, so it takes arrays, which have no columns to"
                " explain answers by. cr.integrated_gradients(f, x, baseline) takes arrays."
            )
        )
    return model.preparation


def chosen_columns(preparation: Preprocessor, names: Sequence[str] | None) -> tuple[str, ...]:
    """The columns of these names; all that the model uses for None."""
    if names is None:
        return preparation.columns
    chosen = [names] if isinstance(names, str) else list(names)
    for name in chosen:
        if name not in preparation.columns:
            raise SettingError(
                _(
                    "The model does not use the column {name}; {nearest}.",
                    name=shown(name),
                    nearest=nearest(
                        name, preparation.columns[:40], _p("what may be chosen", "columns")
                    ),
                )
            )
    return tuple(dict.fromkeys(chosen))


def probabilities_of(model: Model, scores: Array) -> Floats:
    """The probabilities (n, classes) in float64, from the outputs of the network."""
    assert isinstance(model.network.loss, Loss)
    p: Floats = np.asarray(model.network.loss.link(scores.astype(np.float64)))
    if p.ndim == 1 or p.shape[1] == 1:  # one yes-or-no score
        yes = p.reshape(-1, 1)
        return np.concatenate([1 - yes, yes], axis=1)
    return p


def answers_of(model: Model, x: Array) -> Floats:
    """Probabilities (n, classes), or values (n,) in the unit of the target, for prepared rows."""
    preparation = _preparation(model)
    scores = in_parts(model.network.predict, x)
    if preparation.classes is not None:
        return probabilities_of(model, scores)
    return preparation.inverse_transform(scores)[:, 0]


@contextmanager
def quick(network: Network, x: Array, calls: int) -> Iterator[None]:
    """Predict rows like x so many times: the engine `auto` weighs one call, here it weighs all."""
    before = network.engine
    if before == "auto" and not missing_packages() and network._predict_cost(x).pays(calls):
        network.engine = "compiled"
    try:
        yield
    finally:
        network.engine = before
