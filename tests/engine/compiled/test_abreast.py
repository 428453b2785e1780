"""What small networks do with rows abreast, for sizes of every kind, against NumPy in twice the digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("llvmlite")

from chainrule.engine.compiled.cache import Code
from chainrule.engine.compiled.constants import COUNTERS, SPARE
from chainrule.engine.compiled.machine import Kernel
from chainrule.engine.compiled.threads import crew_words
from chainrule.engine.compiler.entry import SYMBOL, machine_code
from chainrule.engine.compiler.sized import Sized, rows_at_once
from chainrule.engine.compiler.target import vector_bytes

Array = npt.NDArray[Any]
Size = tuple[int, int, int]

TEXT = """\
from chainrule.engine.compiled.abreast import (
    add_dot_t_abreast, affine_abreast, dot_abreast, dot_by_t_abreast, dot_t_abreast, gather_abreast,
)


def run(crew, data, rows, W, bias, x, affine, product, back, dW, sums):
    team, n = (crew, 0, 1, 0, rows.shape[0]), rows.shape[0]
    gather_abreast(data, rows, x[:n])
    affine_abreast(x[:n], W, bias, affine[:n])
    dot_abreast(x[:n], W, product[:n])
    dot_by_t_abreast(affine[:n], W, back[:n])
    dot_t_abreast(team, x[:n], affine[:n], dW)
    add_dot_t_abreast(team, x[:n], affine[:n], sums)
    return 0
"""
#: Rows, and the columns of x and of W.
SIZES: list[Size] = [
    (32, 30, 64), (1, 1, 1), (30, 2, 10), (33, 64, 48), (2, 3, 2), (3, 4, 5), (4, 2, 16), (5, 13, 8),
    (15, 12, 17), (16, 24, 32), (17, 5, 31), (31, 7, 33), (50, 11, 40), (64, 25, 63), (128, 9, 97),
    (265, 13, 34), (3000, 5, 40),
]  # fmt: skip
FEW = SIZES[:4]
#: What stands after a thread's working memory, and must stay.
FENCE = 0x5EED


def abreast(rows: int, columns: int, dtype: str) -> Sized:
    """Room for whole pairs of vectors of rows, filled with what no sum may take in."""
    pair = 2 * rows_at_once(vector_bytes())
    return Sized(np.full((columns, -(-rows // pair) * pair), np.nan, dtype), rows_last=True)


def arguments(size: Size, dtype: str) -> dict[str, Any]:
    n, m, k = size
    rng = np.random.default_rng(sum(size))
    data, W, bias = (
        rng.standard_normal(shape).astype(dtype) for shape in ((n + 9, m), (m, k), (k,))
    )
    x, back = abreast(n, m, dtype), abreast(n, m, dtype)
    affine, product = abreast(n, k, dtype), abreast(n, k, dtype)
    crew = crew_words(SPARE * 40)
    crew[COUNTERS + SPARE :] = FENCE
    return {
        "crew": crew, "data": data, "rows": rng.integers(0, n + 9, n),
        "W": Sized(W), "bias": Sized(bias), "x": x, "affine": affine, "product": product,
        "back": back, "dW": Sized(np.full((m, k), np.nan, dtype)),
        "sums": Sized(np.ones((m, k), dtype)),
    }  # fmt: skip


def plain(given: dict[str, Any]) -> dict[str, Any]:
    return {name: a.plain if isinstance(a, Sized) else a for name, a in given.items()}


def check(given: dict[str, Any]) -> None:
    arrays = plain(given)
    n = len(arrays["rows"])
    exact = {name: arrays[name].astype(np.longdouble) for name in ("data", "W", "bias")}
    x = exact["data"][arrays["rows"]]
    affine = x @ exact["W"] + exact["bias"]
    want = {
        "x": x,
        "affine": affine,
        "product": x @ exact["W"],
        "back": affine @ exact["W"].T,
        "dW": x.T @ affine,
        "sums": 1 + x.T @ affine,
    }
    assert np.all(arrays["crew"][COUNTERS + SPARE :] == FENCE)
    for name, value in want.items():
        got = arrays[name] if name in ("dW", "sums") else arrays[name][:n]
        atol = 8 * np.finfo(got.dtype).eps * (1 + float(np.abs(value).max()))
        np.testing.assert_allclose(
            got, value.astype(got.dtype), rtol=0, atol=atol, err_msg=f"{name} of {given['W']}"
        )


@pytest.mark.parametrize(
    ("size", "dtype", "processor"),
    [
        *((size, "float32", "") for size in SIZES),
        *((size, "float64", "") for size in FEW),
        *((size, "float32", "generic") for size in FEW),
    ],
)
def test_products_and_rows_of_any_size(
    size: Size, dtype: str, processor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_CPU", processor)
    given = arguments(size, dtype)
    code = Code(SYMBOL, machine_code(TEXT, "abreast", "run", given, {}))
    Kernel(code).call(given)()
    check(given)


@pytest.mark.parametrize("size", FEW)
def test_in_plain_python(size: Size) -> None:
    names: dict[str, Any] = {}
    exec(TEXT, names)
    given = arguments(size, "float32")
    names["run"](**plain(given))
    check(given)


def test_the_last_row_stands_in_the_lanes_beyond() -> None:
    """So that a number made of it, an id in a table for instance, is one that there is."""
    given = arguments((5, 3, 2), "float32")
    code = Code(SYMBOL, machine_code(TEXT, "abreast", "run", given, {}))
    Kernel(code).call(given)()
    x, wide = given["x"].array, rows_at_once(vector_bytes())
    assert np.array_equal(x[:, 4:wide], np.repeat(x[:, 4:5], wide - 4, axis=1))
