"""The data of a run: rows to train on and rows to test on, in the plane or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.datasets import playground, spiral, stratified_split
from chainrule.datasets.playground import PLAYGROUND
from chainrule.playground.compatible.training import Compatible
from chainrule.playground.settings import FEATURES, Problems, Settings
from chainrule.playground.translation import link_of

__all__ = ["Data", "Plane", "draw"]

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


@dataclass(frozen=True, eq=False)
class Data:
    """The rows of a run, those to train on first.

    `rows` (n, ·) are points of the plane, or the columns `names`; `labels` (n,) class ids, or
    values where `classes` is None. The first `train` rows are trained on.
    """

    rows: Array
    labels: Array
    train: int
    names: tuple[str, ...]
    classes: tuple[str, ...] | None
    plane: Plane | None = None
    target: str | None = None
    notes: tuple[str, ...] = ()
    #: Whether the inputs are formulas of a point, rather than columns.
    formulas: bool = True
    #: Rows and columns, where the columns are the pixels of an image.
    image: tuple[int, int] | None = None

    @property
    def problem(self) -> str:
        """ "classification" or "regression"."""
        return "regression" if self.classes is None else "classification"

    @property
    def test(self) -> int:
        """How many rows there are to test on."""
        return len(self.rows) - self.train

    @property
    def outputs(self) -> dict[str, int]:
        """How many outputs a network needs, by its loss."""
        n = 1 if self.classes is None else len(self.classes)
        return {"squared": n if n > 2 else 1, "softmax": n}

    def inputs(self, rows: Array, features: Sequence[str]) -> Array:
        """What the network is given (n, features) for rows like those of the data."""
        if self.formulas:
            x, y = rows.T
            return np.stack([_FORMULAS[name](x, y) for name in features], axis=1)
        return rows[:, [self.names.index(name) for name in features]]

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
        if "features" not in asked and not set(settings.features) <= set(self.names):
            changes["features"] = self.names[:2] if self.formulas else self.names
        if "loss" not in asked and self.classes is None:
            changes["loss"] = "squared"
        return replace(settings, **changes)

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


def draw(settings: Settings) -> Data:
    """The data that the settings ask for."""
    plane = Plane((-6.0, 6.0), (-6.0, 6.0))
    if settings.mode == "compatible":
        return _compatible(settings, plane)
    seed = int(settings.data_seed)
    x: Array
    t: Array
    if settings.data in PLAYGROUND:
        x, t = playground(settings.data, settings.noise, seed)
    elif settings.data == "book_spiral":
        x, t = spiral((BOOK_SEED + seed) % 2**32)
        shift = np.random.default_rng(seed).uniform(-0.2, 0.2, x.shape)
        x, plane = x + settings.noise * shift, Plane((-1.2, 1.2), (-1.2, 1.2))
    else:
        raise Problems([f"The data set {settings.data!r} is still to come."])
    # Its own stream: the points are drawn from the seed itself.
    held = np.random.default_rng([seed, 1])
    train, test = stratified_split(t, 1 - settings.train_part, held)
    order = np.concatenate([train, test])
    kinds = int(t.max()) + 1 if t.dtype.kind == "i" else 0
    classes = tuple(str(k) for k in range(kinds)) if kinds else None
    return Data(x[order], t[order], len(train), FEATURES, classes, plane)


def _compatible(settings: Settings, plane: Plane) -> Data:
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
    return Data(rows, labels, link.train_rows, FEATURES, classes, plane, notes=notes)
