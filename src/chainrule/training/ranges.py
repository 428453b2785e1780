"""Ranges: which values each setting of a preset is tried with when it is tuned, or drawn from.

For `table` they are those of RealMLP in TabArena (Erickson et al., "TabArena: a living benchmark for
machine learning on tabular data", 2025), as pytabkit's search space "tabarena" has them (Holzmüller
et al.), but for those of its settings that the preset does not have; `table-small` has no waves, and
may go without decay, as it does by itself. For `plain`, layers, dropout, rate and decay are those of
TabPack (2026, arXiv 2607.05380) and of Gorishniy et al., "Revisiting deep learning models for tabular
data", 2021, made wider where the preset's own settings lie at their edge or beyond.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from chainrule.lang.messages import Text, _, _p, listed
from chainrule.training.recipes import MOST, Recipe

__all__ = ["RANGES", "Range", "drawn_settings", "hidden_of", "label", "ranges_for"]


@dataclass(frozen=True)
class Range:
    """The values of a setting: from `low` to `high` on a scale, or one of `choices`.

    `scale`: "linear", "log", or "log to 1": the distance from 1 is on a logarithmic scale.
    `or_zero`: 0 in one of two cases. `whole`: whole numbers only.

    >>> rate = Range("lr", 0.02, 0.3, "log")
    >>> rate.drawn(np.random.default_rng(0)), rate.told.said("en")
    (0.112, '0.02 to 0.3, logarithmic')
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    scale: Literal["linear", "log", "log to 1"] = "linear"
    or_zero: bool = False
    whole: bool = False
    choices: tuple[int, ...] = ()

    def __contains__(self, value: float) -> bool:
        if self.choices:
            return value in self.choices
        return (self.or_zero and value == 0) or self.low <= value <= self.high

    def drawn(self, rng: np.random.Generator) -> float:
        """A value drawn from the range."""
        if self.choices:
            return int(rng.choice(self.choices))
        if self.or_zero and rng.random() < 0.5:
            return 0.0
        if self.whole:
            return int(rng.integers(int(self.low), int(self.high), endpoint=True))
        if self.scale == "linear":
            return self.near(rng.uniform(self.low, self.high))
        ends = (self.low, self.high) if self.scale == "log" else (1 - self.high, 1 - self.low)
        found = math.exp(rng.uniform(math.log(ends[0]), math.log(ends[1])))
        return self.near(found if self.scale == "log" else 1 - found)

    def near(self, value: float) -> float:
        """The value with few digits, as people type it, and within the range."""
        short = round(value, 4) if self.scale == "log to 1" else float(f"{value:.3g}")
        return min(max(short, self.low), self.high)

    @property
    def told(self) -> Text:
        """The range as text, for people."""
        if self.choices:
            return listed([str(choice) for choice in self.choices], "or")
        low, high = f"{self.low:g}", f"{self.high:g}"
        if self.scale == "linear":
            told = _("{low} to {high}", low=low, high=high)
        elif self.scale == "log":
            told = _("{low} to {high}, logarithmic", low=low, high=high)
        else:
            told = _("{low} to {high}, logarithmic towards 1", low=low, high=high)
        return _("0, or {range}", range=told) if self.or_zero else told


_SMOOTHING = Range("label_smoothing", 0.005, 0.1, "log", or_zero=True)
_TABLE = (
    Range("layers", 2, 4, whole=True),
    Range("width", choices=(256, 384, 512)),
    Range("lr", 0.02, 0.3, "log"),
    Range("dropout", 0.0, 0.5),
)

#: The ranges of each preset. `plain` has `epochs` besides, which go by the rows.
RANGES: dict[str, tuple[Range, ...]] = {
    "table": (
        *_TABLE,
        Range("weight_decay", 0.001, 0.05, "log"),
        Range("beta2", 0.95, 0.995, "log to 1"),
        Range("sigma", 0.01, 50.0, "log"),
        _SMOOTHING,
    ),
    "table-small": (
        *_TABLE,
        Range("weight_decay", 0.001, 0.05, "log", or_zero=True),
        Range("beta2", 0.95, 0.995, "log to 1"),
        _SMOOTHING,
    ),
    "plain": (
        Range("layers", 1, 3, whole=True),
        Range("width", choices=(64, 128, 256, 512)),
        Range("lr", 0.0001, 0.03, "log"),
        Range("dropout", 0.0, 0.5, or_zero=True),
        Range("weight_decay", 0.001, 3.0, "log", or_zero=True),
        _SMOOTHING,
    ),
}

#: What the networks of an ensemble differ in: sizes would be another step for each to compile.
DRAWN = ("lr", "dropout", "weight_decay", "beta2", "sigma")

#: What the settings are called where people read of them.
_LABELS = {
    "layers": _("layers"),
    "width": _p("of a layer", "width"),
    "lr": _("lr"),
    "dropout": _("dropout"),
    "weight_decay": _("weight decay"),
    "beta2": _("beta2"),
    "sigma": _("sigma"),
    "label_smoothing": _("label smoothing"),
    "epochs": _("epochs"),
}


def label(name: str) -> Text:
    """What a setting is called where people read of it."""
    return _LABELS[name]


def ranges_for(
    preset: str,
    *,
    classes: bool,
    numbers: bool,
    recipes: Collection[Recipe] = (),
    given: Collection[str] = (),
) -> tuple[Range, ...]:
    """The ranges of a preset for a table: of classes or of values, with columns of numbers or without.

    `recipes`: those of the plain preset, between which its epochs lie. Left out are the settings that
    are `given`, of which "hidden" is layers and width.

    >>> [r.name for r in ranges_for("table-small", classes=False, numbers=True, given=["hidden"])]
    ['lr', 'dropout', 'weight_decay', 'beta2']
    """
    fixed = {*given, *(["layers", "width"] if "hidden" in given else [])}
    if not classes:
        fixed.add("label_smoothing")
    if not numbers:
        fixed.add("sigma")
    found = RANGES[preset]
    if recipes:
        epochs = [recipe.epochs for recipe in recipes]
        ends = max(1, min(epochs) // 2), min(2 * max(epochs), MOST)
        found = (*found, Range("epochs", *ends, "log", whole=True))
    return tuple(one for one in found if one.name not in fixed)


def hidden_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of ranges as settings of a network, where layers and width are `hidden`.

    >>> hidden_of({"layers": 2, "width": 256, "lr": 0.05})
    {'hidden': (256, 256), 'lr': 0.05}
    """
    settings = dict(values)
    if "layers" in settings:
        layers, width = settings.pop("layers"), settings.pop("width")
        settings = {"hidden": (width,) * layers, **settings}
    return settings


def drawn_settings(
    preset: str, count: int, rng: np.random.Generator, given: Collection[str] = ()
) -> list[dict[str, float]]:
    """Settings for each network of an ensemble: the preset's own for the first, then drawn ones.

    Drawn are those of `DRAWN` that are not `given`, with which networks share a compiled step: all with
    weight decay, and those with dropout.
    Source: "TabPack", 2026 (arXiv 2607.05380), which trains such networks together.

    >>> [sorted(one) for one in drawn_settings("plain", 2, np.random.default_rng(0))]
    [[], ['dropout', 'lr', 'weight_decay']]
    """
    ranges = [
        replace(one, or_zero=one.or_zero and one.name == "dropout")
        for one in RANGES[preset]
        if one.name in DRAWN and one.name not in given
    ]
    others = [{one.name: one.drawn(rng) for one in ranges} for _ in range(count - 1)]
    return [{}, *others]
