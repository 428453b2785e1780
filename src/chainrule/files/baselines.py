"""The baselines of the training rows, saved as arrays in the network's model file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import FormatError, SettingError
from chainrule.graph.variable import Array
from chainrule.lang.messages import Text, _, sentences

if TYPE_CHECKING:
    from chainrule.datasets import Preprocessor
    from chainrule.training.baselines import Baselines

__all__ = ["DAMAGED", "NAMES", "arrays_of", "baselines_in"]


#: The names of the arrays in the file; no layer has such a name. W and b are both there or neither;
#: older files have no mean.
NAMES = ANSWER, W, B, MEAN = (
    "baselines.answer",
    "baselines.W",
    "baselines.b",
    "baselines.mean",
)
DAMAGED = _("The file is damaged; get it again, or train again.")


def arrays_of(baselines: Baselines | None, preparation: Preprocessor | None) -> dict[str, Array]:
    """The arrays to save, by name.

    Raises:
        SettingError: their shapes do not fit the preparation.
    """
    if baselines is None:
        return {}
    arrays: dict[str, Array] = {ANSWER: baselines.answer}
    if baselines.linear is not None:
        arrays |= {W: baselines.linear.W, B: baselines.linear.b}
    if baselines.mean is not None:
        arrays[MEAN] = baselines.mean
    if preparation is None or _mismatch(arrays, preparation):
        raise SettingError(
            _(
                "baselines are kept with the preparation of their training rows: Baselines.fit("
                "preparation.transform(table), preparation.targets(table), classes)."
            )
        )
    return arrays


def baselines_in(
    arrays: Mapping[str, Array], preparation: Preprocessor | None, where: str
) -> Baselines | None:
    """The baselines among a file's arrays; None if it has none.

    Raises:
        FormatError: an array is missing, or does not fit the preparation.
    """
    present = {name: arrays[name] for name in NAMES if name in arrays}
    if not present:
        return None
    problem = (
        _("there is no preparation") if preparation is None else _mismatch(present, preparation)
    )
    if problem or preparation is None:
        what = _(
            "{where}: the baselines do not fit the model: {wrong}.", where=where, wrong=problem
        )
        raise FormatError(sentences(what, DAMAGED))
    from chainrule.training.baselines import Baselines
    from chainrule.training.linear import Linear

    linear = Linear(present[W], present[B]) if W in present else None
    answer, mean = present[ANSWER], present.get(MEAN)
    return Baselines(answer, linear, preparation.classes is not None, mean)


def _mismatch(arrays: Mapping[str, Array], preparation: Preprocessor) -> Text | str:
    """Which array does not fit the preparation; "" if all fit."""
    outputs = len(preparation.classes) if preparation.classes else 1
    inputs = preparation.layout.width(len(preparation.features))
    shapes = {ANSWER: (outputs,), W: (inputs, outputs), B: (outputs,), MEAN: (inputs,)}
    required = [ANSWER]
    required += [W, B] if W in arrays or B in arrays else []
    required += [MEAN] if MEAN in arrays else []
    for name in required:
        if name not in arrays:
            return _("{name} is missing", name=name)
        array = arrays[name]
        if array.shape != shapes[name] or array.dtype != np.float64:
            actual, expected = f"{array.dtype} {array.shape}", f"float64 {shapes[name]}"
            return _("{name} is {found} and should be {due}", name=name, found=actual, due=expected)
    return ""
