"""Settings from a TensorFlow Playground link, and the link of settings."""

from __future__ import annotations

from dataclasses import replace

from chainrule.playground.compatible.links import Link
from chainrule.playground.settings import FEATURES, Settings, Values

__all__ = ["link_of", "settings_of"]

#: Data sets and inputs by their names here and there.
DATA = {
    "circle": "circle", "xor": "xor", "gauss": "gauss", "spiral": "spiral",
    "plane": "reg-plane", "gaussian": "reg-gauss",
}  # fmt: skip
INPUTS = {
    "x": "x", "y": "y", "x2": "x_squared", "y2": "y_squared", "xy": "x_times_y",
    "sinx": "sin_x", "siny": "sin_y",
}  # fmt: skip


def settings_of(link: Link) -> Settings:
    """The settings of a link that can be trained.

    >>> settings_of(Link.parse("#dataset=xor&networkShape=3&seed=0.1")).hidden
    (3,)
    """
    names = {theirs: ours for ours, theirs in DATA.items()}
    hidden = tuple(map(int, link.hidden))
    rate = link.regularization_rate
    return Settings(
        mode="compatible",
        data=names[link.data],
        noise=link.noise / 100,
        train_part=link.train_percent / 100,
        data_seed=link.seed,
        features=tuple(name for name in FEATURES if getattr(link, INPUTS[name])),
        hidden=hidden,
        activations=(link.activation,) * len(hidden),
        init="zeros" if link.init_zero else "reference",
        learning_rate=link.learning_rate,
        l1=rate if link.regularization == "L1" else 0.0,
        l2=rate if link.regularization == "L2" else 0.0,
        batch_size=int(link.batch_size),
    )


def link_of(settings: Settings) -> Link:
    """The TensorFlow Playground link of settings in compatible mode."""
    regression = settings.data in ("plane", "gaussian")
    data = DATA[settings.data]
    penalty = "L1" if settings.l1 else "L2" if settings.l2 else "none"
    link = Link(
        activation=settings.activations[0] if settings.activations else "tanh",
        regularization=penalty,
        batch_size=float(settings.batch_size),
        dataset="circle" if regression else data,
        regression_dataset=data if regression else "reg-plane",
        learning_rate=settings.learning_rate,
        regularization_rate=settings.l1 or settings.l2,
        noise=round(100 * settings.noise, 10),
        hidden=tuple(map(float, settings.hidden)),
        seed=str(settings.data_seed),
        train_percent=round(100 * settings.train_part, 10),
        problem="regression" if regression else "classification",
        init_zero=settings.init == "zeros",
    )
    inputs: Values = {theirs: name in settings.features for name, theirs in INPUTS.items()}
    return replace(link, **inputs)
