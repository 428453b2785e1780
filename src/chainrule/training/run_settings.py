"""What the bits of a training go by besides its state: network, optimizer, settings, data; to compare."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError
from chainrule.lang.messages import Spelled, _, listed
from chainrule.networks import Network
from chainrule.optimizers import Optimizer
from chainrule.training.callbacks import EarlyStopping
from chainrule.training.digests import digest
from chainrule.training.loop import Settings
from chainrule.training.state import Training, parameter_arrays

__all__ = [
    "MODEL",
    "NAMES",
    "data_settings",
    "differing",
    "fit_settings",
    "model_settings",
    "refuse_differences",
]

Array = npt.NDArray[Any]
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")

#: What each setting is called in an error.
NAMES: dict[str, str] = {
    "network": _("the network"),
    "loss": _("the loss"),
    "begun": _("the first weights or seeds"),
    "optimizer": _("the optimizer"),
    "batch_size": "batch_size",
    "max_grad": "max_grad",
    "shuffle": "shuffle",
    "drop_last": "drop_last",
    "metrics": _("the metrics"),
    "validation": _("the held-out rows"),
    "early_stopping": "early_stopping",
    "x": _("the inputs x"),
    "t": _("the targets t"),
    "sample_weight": "sample_weight",
    "reproducible": "reproducible",
    "engine": "engine",
}
#: The settings of the trainer itself, which are compared before the state is put back.
MODEL = ("network", "loss", "optimizer")


_ADVICE = Spelled(
    _("Give what it was stopped with; resume(..., may_differ=True) goes on all the same."),
    command=_("Begin anew in another folder."),
)


def model_settings(training: Training) -> dict[str, str]:
    """The network, its loss, and the optimizer, as texts that are equal for equal ones."""
    model = training.model
    told = _said(model)
    if isinstance(model, Network):
        shapes = {name: p.data for name, p in model.named_parameters().items()}
        frozen = [name for name, p in model.named_parameters().items() if not p.trainable]
        loss = _said(model.loss)
    else:
        shapes = {f"params.{i}": p for i, p in enumerate(parameter_arrays(model))}
        told, frozen, loss = type(model).__name__, [], ""
    arrays = ", ".join(f"{name}: {a.dtype}{list(a.shape)}" for name, a in shapes.items())
    told = f"{told}; {arrays}" + (f"; frozen {', '.join(frozen)}" if frozen else "")
    optimizer = training.optimizer
    return {
        "network": told,
        "loss": loss,
        "optimizer": _said(optimizer)
        if isinstance(optimizer, Optimizer)
        else type(optimizer).__name__,
    }


def fit_settings(settings: Settings, validation: object) -> dict[str, Any]:
    """The settings of a fit; of held-out rows the fraction, or the sha256 if they were given."""
    held: str | float | None = None
    if isinstance(validation, tuple | list):
        held = digest(*(np.asarray(a) for a in validation))
    elif validation is not None:
        held = float(validation)  # type: ignore[arg-type]
    stopping = [vars(c) for c in settings.callbacks if isinstance(c, EarlyStopping)]
    names = ("monitor", "patience", "min_delta", "latest", "sign")
    return {
        "batch_size": settings.batch_size,
        "max_grad": settings.max_grad,
        "shuffle": settings.shuffle,
        "drop_last": settings.drop_last,
        "metrics": list(settings.metrics),
        "validation": held,
        "early_stopping": [{name: each[name] for name in names} for each in stopping],
    }


def data_settings(x: Array, t: Array, w: Array | None) -> dict[str, Any]:
    """The sha256 of the data, prepared for the network."""
    return {
        "x": digest(x),
        "t": digest(t),
        "sample_weight": None if w is None else digest(w),
    }


def refuse_differences(
    now: Mapping[str, Any], then: Mapping[str, Any], where: str, advice: str = _ADVICE
) -> None:
    """Raise if settings differ from those of a checkpoint, naming each, with both values.

    Raises:
        SettingError: they differ.
    """
    problems = []
    for name, value in now.items():
        old = then.get(name)
        if value == old:
            continue
        label = NAMES[name]
        if name in ("begun", "x", "t", "sample_weight") or (
            name == "validation" and {type(value), type(old)} == {str}
        ):
            problems.append(_("{name} differ from those of the checkpoint", name=label))
        else:
            problems.append(
                _(
                    "{name}: {now} now, {then} in the checkpoint",
                    name=label,
                    now=differing(value, old),
                    then=differing(old, value),
                )
            )
    if problems:
        raise SettingError(
            _(
                "{file} is of another training: {problems}. {advice}",
                file=where,
                problems=listed(problems, "clauses"),
                advice=advice,
            )
        )


def differing(value: object, other: object) -> str:
    """The part of a text that differs from another, with what is around it; or the value itself."""
    if not (isinstance(value, str) and isinstance(other, str)) or len(value) < 60:
        return str(value)
    first = next(
        (i for i, (a, b) in enumerate(zip(value, other, strict=False)) if a != b),
        min(len(value), len(other)),
    )
    begin = max(value.rfind(" ", 0, max(first - 1, 0)) + 1, first - 40)
    return (
        ("…" if begin else "")
        + value[begin : first + 40]
        + ("…" if first + 40 < len(value) else "")
    )


def _said(part: object) -> str:
    return _ADDRESS.sub("", repr(part))
