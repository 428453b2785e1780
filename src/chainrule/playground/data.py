"""The data of a run: rows to train on and rows to test on, in the plane or not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.datasets import playground, spiral, stratified_split
from chainrule.datasets.playground import PLAYGROUND
from chainrule.datasets.table import Table
from chainrule.playground.caps import Caps
from chainrule.playground.compatible.training import Compatible
from chainrule.playground.settings import FEATURES, Problems, Settings
from chainrule.playground.translation import link_of

__all__ = ["SQUARE", "Data", "Plane", "Points", "draw"]

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
#: The book's spiral is the one of this seed.
BOOK_SEED = 1984
#: Multiples of the golden ratio, without their whole parts, are spread evenly however many there are.
GOLDEN = (5**0.5 - 1) / 2


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

    def suited(self, settings: Settings, asked: Mapping[str, Any]) -> Settings:
        """The settings with features and a loss of these data, where none were asked for."""
        changes: dict[str, Any] = {}
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
        problems = [
            f"There is no feature {name!r} in these data."
            for name in settings.features
            if name not in self.names
        ]
        if self.classes is None and settings.loss == "softmax":
            problems.append(
                "The softmax loss is for classes, and these data have numbers to predict. Choose"
                ' the loss "squared".'
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


def draw(settings: Settings, table: Table | None = None, caps: Caps | None = None) -> Data:
    """The data that the settings ask for; `table` is the learner's own, if there is one."""
    if settings.mode == "compatible":
        return _compatible(settings)
    seed = int(settings.data_seed)
    if settings.data == "painted":
        return _painted(settings, seed)
    if settings.data in ("own", "digits"):
        from chainrule.playground.tables import digit_cells, table_cells

        if settings.data == "digits":
            return digit_cells(settings)
        return table_cells(settings, table, caps or Caps())
    x: Array
    t: Array
    plane = SQUARE
    if settings.data in PLAYGROUND:
        x, t = playground(settings.data, settings.noise, seed)
    else:
        x, t = spiral((BOOK_SEED + seed) % 2**32)
        shift = np.random.default_rng(seed).uniform(-0.2, 0.2, x.shape)
        x, plane = x + settings.noise * shift, Plane((-1.2, 1.2), (-1.2, 1.2))
    # Its own stream: the points are drawn from the seed itself.
    held = np.random.default_rng([seed, 1])
    train, test = stratified_split(t, 1 - settings.train_part, held)
    order = np.concatenate([train, test])
    kinds = int(t.max()) + 1 if t.dtype.kind == "i" else 0
    classes = tuple(str(k) for k in range(kinds)) if kinds else None
    return Points(t[order], len(train), FEATURES, classes, rows=x[order], shown=plane)


def _painted(settings: Settings, seed: int) -> Data:
    """Points painted by hand, the first for training. Where one falls stays so as others come."""
    found = np.array(settings.points, dtype=float).reshape(-1, 3)
    labels = found[:, 2].astype(int)
    train = (np.arange(len(found)) + seed) * GOLDEN % 1 < settings.train_part
    order = np.concatenate([np.flatnonzero(train), np.flatnonzero(~train)])
    classes = tuple(str(k + 1) for k in range(max(2, labels.max(initial=0) + 1)))
    return Points(labels[order], int(train.sum()), FEATURES, classes, rows=found[order, :2])


def _compatible(settings: Settings) -> Data:
    """The data of a TensorFlow Playground link, in its order."""
    link = link_of(settings)
    model = Compatible(link)
    rows, labels = model.points[:, :2], model.points[:, 2]
    classes = None
    if link.problem == "classification":
        labels, classes = (labels > 0).astype(int), ("−1", "+1")
    notes: tuple[str, ...] = ()
    if settings.batch_size > link.train_rows:
        notes = (
            f"A batch of {settings.batch_size} rows is larger than the {link.train_rows} rows to train"
            " with, so nothing is learnt: that is how TensorFlow Playground does it.",
        )
    return Points(labels, link.train_rows, FEATURES, classes, notes=notes, rows=rows)
