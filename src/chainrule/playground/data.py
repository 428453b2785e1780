"""The data of a run: rows to train on and rows to test on, in the plane or not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import _
from chainrule.playground.settings import FEATURES, Problems, Settings, Values

__all__ = ["SQUARE", "Data", "Plane", "Points"]

Array = npt.NDArray[Any]

#: The inputs that can be made of points of the plane.
_FORMULAS: dict[str, Callable[[Array, Array], Array]] = {
    "x": lambda x, y: x,
    "y": lambda x, y: y,
    "x2": lambda x, y: x * x,
    "y2": lambda x, y: y * y,
    "xy": lambda x, y: x * y,
    "sinx": lambda x, y: np.sin(x),
    "siny": lambda x, y: np.sin(y),
}
assert tuple(_FORMULAS) == FEATURES


@dataclass(frozen=True)
class Plane:
    """The part of the plane that is shown."""

    x: tuple[float, float]
    y: tuple[float, float]
    names: tuple[str, str] = ("x₁", "x₂")

    def grid(self, size: int) -> Array:
        """The points (size², 2) of a grid over it, edges included; the largest y first.

        >>> Plane((0, 1), (0, 1)).grid(2).tolist()
        [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]]
        """
        x, y = np.linspace(*self.x, size), np.linspace(*self.y[::-1], size)
        return np.column_stack([np.tile(x, size), np.repeat(y, size)])


SQUARE = Plane((-6.0, 6.0), (-6.0, 6.0))


@dataclass(frozen=True, eq=False)
class Data(ABC):
    """The rows of a run, those to train on first.

    `labels` (n,) are class ids, or values where `classes` is None. The first `train` rows are
    trained on. `names` are the inputs that a network may be given, its features.
    """

    labels: Array
    train: int
    names: tuple[str, ...]
    classes: tuple[str, ...] | None
    target: str | None = None
    notes: tuple[str, ...] = ()
    #: Rows and columns, where the inputs are the pixels of an image.
    image: tuple[int, int] | None = None

    @abstractmethod
    def inputs(self, features: Sequence[str]) -> Array:
        """What the network is given of every row (n, features)."""

    @abstractmethod
    def plane(self, features: Sequence[str]) -> Plane | None:
        """The plane that the rows are points of; None if they are of no plane, or of more."""

    @abstractmethod
    def points(self, features: Sequence[str]) -> Array:
        """The rows as points (n, 2) of the plane."""

    @abstractmethod
    def grid(self, features: Sequence[str], size: int) -> Array:
        """What the network is given of the points (size², features) of a grid over the plane."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """About how much memory the rows take."""

    @property
    def problem(self) -> str:
        """ "classification" or "regression"."""
        return "regression" if self.classes is None else "classification"

    @property
    def usual_loss(self) -> str:
        """The loss that a network is given when data of this kind are chosen."""
        return "squared"

    @property
    def unit(self) -> tuple[float, float]:
        """What a target of 1 is in the table's own unit, and where 0 is there."""
        return 1.0, 0.0

    @property
    def test(self) -> int:
        """How many rows there are to test on."""
        return len(self.labels) - self.train

    @property
    def outputs(self) -> dict[str, int]:
        """How many outputs a network needs, by its loss."""
        n = 1 if self.classes is None else len(self.classes)
        return {"squared": n if n > 2 else 1, "softmax": n}

    def targets(self, loss: str) -> Array:
        """The targets as the loss takes them: ids, ±1 for each output, or values (n, 1)."""
        if self.classes is None:
            return self.labels[:, None]
        if loss == "softmax":
            return self.labels
        if len(self.classes) <= 2:
            return np.where(self.labels == 1, 1.0, -1.0)[:, None]
        return np.where(self.labels[:, None] == np.arange(len(self.classes)), 1.0, -1.0)

    def suited(self, settings: Settings, asked: Container[str]) -> Settings:
        """The settings with features and a loss of these data, where none were asked for."""
        changes: Values = {}
        if "features" in asked:
            changes["features"] = self.expanded(settings.features)
        elif not set(settings.features) <= set(self.names):
            changes["features"] = self.usual()
        if "loss" not in asked and self.classes is None:
            changes["loss"] = "squared"
        return replace(settings, **changes)

    def expanded(self, features: tuple[str, ...]) -> tuple[str, ...]:
        """Features by their own names, where a column of a table may stand for several."""
        return features

    def usual(self) -> tuple[str, ...]:
        """The features that a network is given if nobody chooses."""
        return self.names

    def check(self, settings: Settings) -> None:
        """Raise if the settings do not suit these data."""
        problems: list[str] = [
            _("There is no feature {name!r} in these data.", name=name)
            for name in settings.features
            if name not in self.names
        ]
        if self.classes is None and settings.loss == "softmax":
            problems.append(
                _(
                    "The softmax loss is for classes, and these data have numbers to predict. Choose"
                    ' the loss "squared".'
                )
            )
        if problems:
            raise Problems(problems)


@dataclass(frozen=True, eq=False, kw_only=True)
class Points(Data):
    """Points of the plane; the inputs are formulas of their coordinates."""

    rows: Array
    shown: Plane = SQUARE

    def inputs(self, features: Sequence[str]) -> Array:
        """The formulas of every row."""
        return formulas(self.rows, features)

    def plane(self, features: Sequence[str]) -> Plane:
        """The plane, whatever the features."""
        return self.shown

    def points(self, features: Sequence[str]) -> Array:
        """The rows themselves."""
        return self.rows

    def grid(self, features: Sequence[str], size: int) -> Array:
        """The formulas of the points of the grid."""
        return formulas(self.shown.grid(size), features)

    @property
    def nbytes(self) -> int:
        """About how much memory the rows take."""
        return self.rows.nbytes + self.labels.nbytes

    def usual(self) -> tuple[str, ...]:
        """The coordinates."""
        return self.names[:2]


def formulas(points: Array, features: Sequence[str]) -> Array:
    """Formulas (n, features) of points (n, 2)."""
    x, y = points.T
    return np.stack([_FORMULAS[name](x, y) for name in features], axis=1)
