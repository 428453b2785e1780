"""The simplest models of the training rows, as arrays beside those of the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import FormatError, SettingError
from chainrule.lang.messages import Text, _, sentences

if TYPE_CHECKING:
    from chainrule.datasets import Preprocessor
    from chainrule.training.baselines import Baselines

__all__ = ["DAMAGED", "NAMES", "arrays_of", "baselines_in"]

Array = npt.NDArray[Any]

#: What they are called in the file; no layer has such a name. The last two go together.
NAMES = ANSWER, W, B = "baselines.answer", "baselines.W", "baselines.b"
DAMAGED = _("The file is damaged; get it again, or train again.")


def arrays_of(baselines: Baselines | None, preparation: Preprocessor | None) -> dict[str, Array]:
    """The arrays to keep.

    Raises:
        SettingError: they are not those of the prepared rows.
    """
    if baselines is None:
        return {}
    found: dict[str, Array] = {ANSWER: baselines.answer}
    if baselines.linear is not None:
        found |= {W: baselines.linear.W, B: baselines.linear.b}
    if preparation is None or _wrong(found, preparation):
        raise SettingError(
            _(
                "baselines are kept with the preparation of their training rows: Baselines.fit("
                "preparation.transform(table), preparation.targets(table), classes)."
            )
        )
    return found


def baselines_in(
    arrays: Mapping[str, Array], preparation: Preprocessor | None, where: str
) -> Baselines | None:
    """Those of a file's arrays, if it has any.

    Raises:
        FormatError: arrays that are missing, or do not fit the preparation.
    """
    found = {name: arrays[name] for name in NAMES if name in arrays}
    if not found:
        return None
    wrong = _("there is no preparation") if preparation is None else _wrong(found, preparation)
    if wrong or preparation is None:
        what = _("{where}: the baselines do not fit the model: {wrong}.", where=where, wrong=wrong)
        raise FormatError(sentences(what, DAMAGED))
    from chainrule.training.baselines import Baselines
    from chainrule.training.linear import Linear

    line = Linear(found[W], found[B]) if W in found else None
    return Baselines(found[ANSWER], line, preparation.classes is not None)


def _wrong(found: Mapping[str, Array], preparation: Preprocessor) -> Text | str:
    """What does not fit; nothing if all does."""
    outputs = len(preparation.classes) if preparation.classes else 1
    shapes = {ANSWER: (outputs,), W: (len(preparation.features), outputs), B: (outputs,)}
    wanted = NAMES if W in found or B in found else (ANSWER,)
    for name in wanted:
        if name not in found:
            return _("{name} is missing", name=name)
        array = found[name]
        if array.shape != shapes[name] or array.dtype != np.float64:
            is_, due = f"{array.dtype} {array.shape}", f"float64 {shapes[name]}"
            return _("{name} is {found} and should be {due}", name=name, found=is_, due=due)
    return ""
