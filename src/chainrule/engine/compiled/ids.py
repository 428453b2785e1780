"""Ids in the data: row numbers of tables, which are checked beforehand, since kernels do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.compiled.rows import is_view
from chainrule.engine.compiled.symbolic import Cut, NotCompilable, Rows, Symbolic, Value
from chainrule.engine.primitives import cast, pick, take_rows
from chainrule.lang.messages import _
from chainrule.nodes.indexing import add_at, chosen, replaced

__all__ = ["check_ids", "id_limits", "within"]

Array = npt.NDArray[Any]


def check_ids(step: Symbolic, data: Mapping[str, Array]) -> None:
    """Refuse data with an id that names no row."""
    if not all(within(ids, limit) for ids, limit in id_limits(step, data)):
        raise NotCompilable(_("an id in the data names no row of a table"))


def within(ids: Array, rows: int) -> bool:
    """Whether all ids have a row in a table."""
    return not ids.size or bool(ids.min() >= 0 and ids.max() < rows)


def id_limits(step: Symbolic, data: Mapping[str, Array]) -> list[tuple[Array, int]]:
    """The data used as row numbers, each with its table's length."""
    limits = []
    for v in step.values:
        if v.function is take_rows:
            most, ids = v.args[0].shape[0], v.args[1]
        elif v.function in (chosen, replaced):
            most, ids = v.args[0].shape[-1], v.args[1]
        elif (
            v.function in (pick, add_at) and len(v.args[1]) == 1 and isinstance(v.args[1][0], Value)
        ):
            most, ids = (v if v.function is add_at else v.args[0]).shape[0], v.args[1][0]
        else:
            continue
        looks: list[Value] = []
        while isinstance(ids, Value) and (ids.function in (cast, np.reshape) or is_view(ids)):
            looks.append(ids)
            ids = ids.args[0]
        if not isinstance(ids, Value):  # a number of the formula, which ran when it was recorded
            continue
        leaf = ids.payload
        if ids.function is not None or isinstance(most, Rows):
            raise NotCompilable(_("row numbers of a table are computed in it"))
        found = data.get(leaf.name) if leaf.array is None else leaf.array
        if found is None:
            raise NotCompilable(_("row numbers of a table are computed in it"))
        limits.append((_columns(found, looks[::-1], step), most))
    return limits


def _columns(ids: Array, looks: Sequence[Value], step: Symbolic) -> Array:
    """The part of the data that is row numbers, such as one column; all of it if that is unclear."""
    part = ids
    for v in looks:
        if v.function is cast:
            continue
        if v.function is not pick or part.ndim != v.args[0].ndim:
            return part
        key: list[Any] = []
        source = out = 0  # the axes of what is looked at, and of what is seen
        for k in v.args[1]:
            places: Any = slice(None)
            if isinstance(k, Cut) and not k.whole:
                length = v.shape[out]
                if isinstance(k.start, Rows) or isinstance(length, Rows):
                    return part
                first = step.numbers.now(k.start)
                part = np.take(part, first + k.step * np.arange(length), source)
            elif isinstance(k, Rows):
                return part
            elif not isinstance(k, Cut):
                places = None if k is None else step.numbers.now(k)
            key.append(places)
            source += k is not None
            out += k is None or isinstance(k, Cut)
        part = part[tuple(key)]
    return part
