"""aᵀ b in parts: the right numbers, and the same bits whoever computes how many of the parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from chainrule.aligned import room
from chainrule.distributed.communicator import part_of
from chainrule.distributed.messages import add_in_pairs
from chainrule.engine.compiled.constants import SPARE
from chainrule.engine.compiled.library import _product

Array = npt.NDArray[Any]
PARTS = 8


def product(a: Array, b: Array, n: int, rank: int, ranks: int, cut: int) -> Array:
    """What one of the ranks computes of a batch of n rows, in two calls: rows before a cut and after."""
    start, stop = part_of(n, rank, ranks)
    out = room((a.shape[1], b.shape[1]), a.dtype)
    out.fill(np.nan)
    many = PARTS // ranks
    for low, high in ((0, cut), (cut, a.shape[1])):
        given: dict[str, Any] = {
            "a": np.ascontiguousarray(a[start:stop]),
            "b": np.ascontiguousarray(b[start:stop]),
            "out": out,
            "low": low,
            "high": high,
            "n": n,
            "before": start,
            "first": rank * many,
            "many": many,
            "parts": PARTS,
            "room": room((SPARE * 8 // a.itemsize,), a.dtype),
        }
        _product("dot_t_of_parts", a.dtype).call(given)()
    return out


#: Rows of the batch (of none, one, or many in a part), and the product's rows and columns.
SIZES = [
    (1, 3, 2),
    (5, 1, 1),
    (8, 12, 32),
    (9, 13, 33),
    (100, 50, 7),
    (700, 70, 100),
    (2500, 24, 49),
    (60_000, 13, 9),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n", "rows", "columns"), SIZES)
def test_parts(n: int, rows: int, columns: int, dtype: str) -> None:
    rng = np.random.default_rng(n)
    a, b = (rng.normal(size=(n, k)).astype(dtype) for k in (rows, columns))
    whole = product(a, b, n, 0, 1, 0)
    wanted = a.astype(np.longdouble).T @ b.astype(np.longdouble)
    size = np.abs(a.astype(np.longdouble)).T @ np.abs(b.astype(np.longdouble))
    assert np.abs(whole - wanted).max() <= 4 * np.finfo(dtype).eps * size.max()
    for ranks in (1, 2, 4, 8):
        sums = [product(a, b, n, rank, ranks, rows // 2) for rank in range(ranks)]
        add_in_pairs(sums)
        assert sums[0].tobytes() == whole.tobytes(), ranks
