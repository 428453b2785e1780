"""Products in compiled code, for sizes that take every way there is, alone and shared by threads."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("llvmlite")
pytest.importorskip("scipy")

from tests.engine.compiled.compiling import compiled

from chainrule.aligned import room
from chainrule.engine.compiled.blas import blas
from chainrule.engine.compiled.constants import COUNTERS, SPARE, TILED
from chainrule.engine.compiled.kernels import share
from chainrule.engine.compiled.library import Products
from chainrule.engine.compiled.library import products as products_for
from chainrule.engine.compiled.threads import crew_words
from chainrule.engine.compiled.tiles import LINE, room_for

Array = npt.NDArray[Any]

TEXT = """
from chainrule.engine.compiled.products import affine, dot, dot_by_t, dot_t, dot_t_by_t


def product(kind, blas, crew, shard, shards, first, batch, a, b, bias, out, start, end):
    team = crew, shard, shards, first, batch
    own = a[start:end]
    if kind == 0:
        affine(blas, team, own, b, bias, out[start:end])
    elif kind == 1:
        dot(blas, team, own, b, out[start:end])
    elif kind == 2:
        dot_t(blas, team, own, b[start:end], out)
    elif kind == 3:
        dot_by_t(blas, team, own, b, out[start:end])
    else:
        dot_t_by_t(blas, team, a, b, out)
"""


def _run(
    kind: int, products: Products, team: Any, a: Array, b: Array, bias: Array, out: Array,
    first: int = 0, end: int | None = None,
) -> None:  # fmt: skip
    """What one thread calls, with its own rows of the batch; one alone has machine code of its own."""
    names = [
        "kind", "blas", "crew", "shard", "shards", "first", "batch", "a", "b", "bias", "out", "start", "end",
    ]  # fmt: skip
    given = (kind, products, *team, a, b, bias, out, first, len(a) if end is None else end)
    alone = {"shards": 1} if team[2] == 1 else {}
    compiled(TEXT, "product", dict(zip(names, given, strict=True)), **alone)(*given)


def expected(kind: int, a: Array, b: Array, bias: Array) -> Array:
    """The same by NumPy, in twice the digits."""
    a, b = a.astype(np.longdouble), b.astype(np.longdouble)
    left = a.T if kind in (2, 4) else a
    right = b.T if kind in (3, 4) else b
    found: Array = left @ right + (bias if kind == 0 else 0)
    return found


#: Rows, inner length, columns: plain loops (few columns, and more), turned first, BLAS, tiles.
SIZES = [
    (1, 1, 1), (1, 784, 50), (7, 3, 1), (30, 2, 10), (30, 10, 3), (31, 10, 11), (5, 40, 6), (3, 5, 7),
    (9, 30, 13), (32, 64, 64), (33, 61, 67), (100, 10, 50), (64, 5, 128), (17, 128, 130), (40, 300, 200),
    (130, 40, 33), (300, 2, 2600), (2, 900, 1000), (257, 784, 10),
]  # fmt: skip
KINDS = ["affine", "dot", "dot_t", "dot_by_t", "dot_t_by_t"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_thread_has_room_for_tiles(dtype: str) -> None:
    one = np.zeros(1, dtype)
    assert room_for(one) * one.itemsize <= 8 * SPARE
    assert 8 * SPARE % LINE == 8 * COUNTERS % LINE == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", range(5), ids=KINDS)
def test_alone(kind: int, dtype: str) -> None:
    rng, crew = np.random.default_rng(kind), crew_words(SPARE)
    products, eps = products_for([(np.dtype(dtype), TILED)]), np.finfo(dtype).eps
    with blas().alone():
        for rows, inner, columns in SIZES:
            a = rng.standard_normal((inner, rows) if kind in (2, 4) else (rows, inner))
            b = rng.standard_normal((columns, inner) if kind in (3, 4) else (inner, columns))
            a, b = a.astype(dtype), b.astype(dtype)
            bias = rng.standard_normal(columns).astype(dtype)
            out = np.full((rows, columns), np.nan, dtype)
            _run(kind, products, (crew, 0, 1, 0, len(a)), a, b, bias, out)
            scale = 1 + np.abs(bias).max() + np.abs(a).max() * np.abs(b).max() * inner
            np.testing.assert_allclose(
                out, expected(kind, a, b, bias).astype(float), rtol=0, atol=4 * eps * scale
            )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [0, 1, 2, 3], ids=KINDS[:4])
@pytest.mark.parametrize(
    ("batch", "inner", "columns"),
    [
        (8, 300, 310),
        (3, 70, 400),
        (33, 20, 9),
        (33, 9, 20),
        (40, 250, 257),
        (5, 1, 1),
        (90, 784, 50),
    ],
)
def test_shared(kind: int, dtype: str, batch: int, inner: int, columns: int) -> None:
    rng, shards = np.random.default_rng(batch), 4
    crew, products = crew_words(shards * SPARE), products_for([(np.dtype(dtype), TILED)])
    a, b, out = (room(s, np.dtype(dtype)) for s in _shapes(kind, batch, inner, columns))
    a[...], b[...] = rng.standard_normal(a.shape), rng.standard_normal(b.shape)
    bias = rng.standard_normal(columns).astype(dtype)
    out[...] = np.nan
    if kind == 2 and batch < shards:
        out[...] = 0

    def work(shard: int) -> None:
        first, end = (share(batch, k, shards) for k in (shard, shard + 1))
        with blas().alone():
            _run(kind, products, (crew, shard, shards, first, batch), a, b, bias, out, first, end)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(shards)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    length = batch if kind == 2 else inner
    scale = 1 + np.abs(bias).max() + np.abs(a).max() * np.abs(b).max() * length
    wanted = expected(kind, a, b, bias).astype(float)
    np.testing.assert_allclose(out, wanted, rtol=0, atol=4 * np.finfo(dtype).eps * scale)


def _shapes(kind: int, batch: int, inner: int, columns: int) -> tuple[tuple[int, int], ...]:
    """Of the rows, of what they are multiplied with, and of the result."""
    if kind == 2:
        return (batch, inner), (batch, columns), (inner, columns)
    return (batch, inner), (columns, inner) if kind == 3 else (inner, columns), (batch, columns)
