"""Operations and the rows of a batch: which work row by row, and which need other rows too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.engine.compiled.symbolic import ROWS, Cut, Dim, Rows, Value
from chainrule.engine.primitives import cast, filled, pick
from chainrule.lang.messages import Text, _
from chainrule.nodes.indexing import add_at, replaced
from chainrule.nodes.random import cells

__all__ = [
    "REDUCTIONS",
    "affine",
    "is_elementwise",
    "is_row",
    "is_view",
    "long_axes",
    "root_of",
    "row_problem",
    "total",
    "wide",
]


def affine(a: Any, b: Any, bias: Any) -> Any:
    """A product with a bias added to every row."""
    return a @ b + bias


def total(x: Any) -> Any:
    """The sum of the parts that the shards have of x."""
    return x


#: Reductions.
REDUCTIONS = (np.sum, np.prod, np.max, np.min)


def is_elementwise(v: Value) -> bool:
    """Whether each element depends only on the operands' elements at the same index."""
    f = v.function
    return (isinstance(f, np.ufunc) and f is not np.matmul) or f in (
        np.where,
        cast,
        filled,
        replaced,
        cells,
    )


def is_view(v: Value) -> bool:
    """Whether the value is read from its operand, elsewhere."""
    f = v.function
    if f in (np.transpose, np.broadcast_to):
        return True
    if f is np.reshape:  # if only axes of length 1 appear or vanish
        return long_axes(v.shape) == long_axes(v.args[0].shape)
    return f is pick and not any(isinstance(k, Value) for k in v.args[1]) and _keeps_rows(v)


def long_axes(shape: Iterable[Dim]) -> list[Dim]:
    """The lengths that are not 1."""
    return [d for d in shape if d != 1]


def root_of(v: Value) -> Value:
    """The value that a view reads."""
    while is_view(v) and isinstance(v.args[0], Value):
        v = v.args[0]
    return v


def wide(v: Value) -> tuple[Dim, ...]:
    """The axes of a row that are not of length 1."""
    return tuple(d for d in v.shape[1:] if d != 1)


def is_row(v: Value) -> bool:
    """Whether the value has one part for every row of the batch."""
    return bool(v.shape) and v.shape[0] == ROWS


def row_problem(v: Value) -> Text | None:
    """Why a row of the value needs other rows of the operands; None if it does not."""
    if not _crosses(v):
        return None
    name = getattr(v.function, "__name__", "?")
    return _("{function} works across the rows of a batch", function=name)


def _crosses(v: Value) -> bool:
    """Whether a row of the value needs other rows of the operands."""
    operands = v.operands
    if not v.has_rows and not any(o.has_rows for o in operands):
        return False
    if v.function in (np.matmul, affine):
        a, b = operands[:2]
        forward = _leads(v) and _leads(a) and not b.has_rows
        back = (
            not v.has_rows
            and a.ndim == b.ndim == 2
            and a.function is np.transpose
            and _leads(a.args[0])
            and _leads(b)
            and a.args[0].shape[0] == b.shape[0]
        )
        stacks = v.ndim > 2 and all(_leads(w) or not w.has_rows for w in (v, a, b))
        alone = v.ndim == 2 and (forward or back)
        return not (alone or (stacks and v.has_rows))
    if v.function is np.transpose and v.has_rows:
        return not (v.ndim == 2 or (_leads(v) and v.args[1][0] == 0))
    if v.has_rows and not _leads(v):
        return True
    if any(o.has_rows and not _leads(o) for o in operands):
        return True
    if v.function in REDUCTIONS:
        kept = 0 not in v.kwargs["axis"]
        return not (kept or v.function is np.sum)
    if v.function in (np.concatenate, np.stack):
        return bool(v.kwargs["axis"] % v.ndim == 0)
    if v.function in (pick, add_at):
        x, key = v.args
        table = v if v.function is add_at else x
        if table.has_rows:  # the table has one part per row: the rows do not mix
            return not (_keeps_rows(v) and x.has_rows and v.has_rows)
        ids = key[0] if len(key) == 1 else None
        return not (isinstance(ids, Value) and _leads(ids))
    if is_elementwise(v) and v.function is not cells:
        # A row of an operand belongs to a row of the result only if their axes align.
        aligned = all(
            o.ndim == v.ndim or (o.function is None and not o.shape)
            for o in operands
            if o.has_rows and v.function is not replaced
        )
        return not aligned
    return False


def _keeps_rows(v: Value) -> bool:
    """Whether a key leaves the rows where they are, if there are any."""
    x, key = v.args
    first = key[0] if key else Cut()
    whole = isinstance(first, Cut) and first.whole
    return whole or not (v.has_rows or (isinstance(x, Value) and x.has_rows))


def _leads(v: Value) -> bool:
    """Whether the rows are the first axis, and only that."""
    first = v.shape[0] if v.shape else 1
    return (
        isinstance(first, Rows)
        and first.plus == 0
        and not any(isinstance(d, Rows) for d in v.shape[1:])
    )
