"""Products in tiles against NumPy in twice the digits, for sizes of every kind."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("llvmlite")

from chainrule.engine.compiled import tiles
from chainrule.engine.compiled.cache import Code
from chainrule.engine.compiled.machine import Kernel
from chainrule.engine.compiler.entry import SYMBOL, machine_code
from chainrule.engine.compiler.sized import Sized

Array = npt.NDArray[Any]
Size = tuple[int, int, int]

HEAD = """\
from chainrule.engine.compiled.elementary import exp, tanh
from chainrule.engine.compiled.kernels import maximum
from chainrule.engine.compiled.tiles import affine, dot_by_t, dot_t, stored
from chainrule.engine.compiler.vectors import put_some, some, spread


def rectified(x, count, out, i, j, given):
    put_some(maximum(x, spread(0, out)), out, count, i, j)


def bent(x, count, out, i, j, given):
    put_some(tanh(x), out, count, i, j)


def logistic(x, count, out, i, j, given):
    put_some(1 / (1 + exp(-x)), out, count, i, j)


def where_positive(x, count, out, i, j, given):
    put_some(x * (some(given, count, i, j) > 0), out, count, i, j)


def descend(x, count, out, i, j, given):
    put_some(some(given, count, i, j) - x / 8, given, count, i, j)


def run(which, a, b, c, bias, out, room):
"""
#: A product, and what it is to give, of a, b, c as they were and the bias.
PRODUCTS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "affine(a, b, bias, out, room, stored, ())": lambda a, b, c, bias: a @ b + bias,
    "affine(a, b, (), out, room, stored, ())": lambda a, b, c, bias: a @ b,
    "affine(a, b, bias, out, room, rectified, ())": (
        lambda a, b, c, bias: np.maximum(a @ b + bias, 0)
    ),
    "affine(a, b, bias, out, room, bent, ())": lambda a, b, c, bias: np.tanh(a @ b + bias),
    "affine(a, b, bias, out, room, logistic, ())": (
        lambda a, b, c, bias: 1 / (1 + np.exp(-(a @ b + bias)))
    ),
    "dot_t(a, b, out, room, stored, ())": lambda a, b, c, bias: a.T @ b,
    "dot_t(a, b, out, room, descend, c)": lambda a, b, c, bias: c - (a.T @ b) / 8,
    "dot_by_t(a, b, out, room, stored, ())": lambda a, b, c, bias: a @ b.T,
    "dot_by_t(a, b, out, room, where_positive, c)": lambda a, b, c, bias: (a @ b.T) * (c > 0),
}
#: Rows, inner length and columns of the product.
SIZES: list[Size] = [
    (0, 3, 2), (3, 2, 0), (1, 1, 1), (1, 1, 2), (2, 1, 3), (1, 5, 7), (5, 3, 8), (6, 9, 9), (7, 17, 15),
    (13, 8, 16), (12, 31, 17), (11, 33, 18), (29, 2, 19), (30, 10, 31), (31, 12, 32), (6, 30, 33),
    (50, 100, 10), (49, 7, 50), (100, 13, 66), (97, 5, 64), (3, 40, 131), (300, 6, 65),
    (8, 263, 20), (7, 264, 18), (9, 265, 65), (10, 600, 34), (541, 9, 5), (256, 20, 50),
    (25, 6, 256), (22, 30, 515), (2, 2, 513), (266, 266, 513),
]  # fmt: skip


def text(products: dict[str, Any] | list[str] = PRODUCTS) -> str:
    cases = [f"    if which == {k}:\n        {call}\n" for k, call in enumerate(products)]
    return HEAD + "".join(cases) + "    return 0\n"


def memory(shape: tuple[int, ...], dtype: str) -> Array:
    """Memory that begins at a cache line, filled with what no one should read."""
    size = math.prod(shape)
    whole = np.full(size + 64, np.nan, dtype)
    start = -whole.ctypes.data % 64 // whole.itemsize
    return whole[start : start + size].reshape(shape)


def arguments(product: str, size: Size, dtype: str) -> dict[str, Any]:
    m, inner, n = size
    rng = np.random.default_rng(sum(size))
    given: dict[str, Any] = {
        "which": list(PRODUCTS).index(product),
        "a": (inner, m) if "dot_t" in product else (m, inner),
        "b": (n, inner) if "by_t" in product else (inner, n),
        "c": (m, n),
        "bias": (n,),
    }
    for name in ("a", "b", "c", "bias"):
        shape = given[name]
        given[name] = memory(shape, dtype)
        given[name][...] = rng.standard_normal(shape)
    given["out"] = memory((m, n), dtype)
    given["room"] = memory((tiles.room_for(given["a"]),), dtype)
    return given


def expected(product: str, given: dict[str, Any]) -> Array:
    a, b, c, bias = (given[k].astype(np.longdouble) for k in ("a", "b", "c", "bias"))
    found: Array = PRODUCTS[product](a, b, c, bias)
    return found


def check(product: str, given: dict[str, Any], want: Array) -> None:
    got = given["c"] if "descend" in product else given["out"]
    inner = given["a"].shape[0 if "dot_t" in product else 1]
    atol = 8 * np.finfo(got.dtype).eps * (1 + 4 * inner**0.5)
    np.testing.assert_allclose(got, want.astype(got.dtype), rtol=0, atol=atol)


def kernel(source: str, given: dict[str, Any]) -> Kernel:
    return Kernel(Code(SYMBOL, machine_code(source, "tiles", "run", given, {"shards": 1})))


@functools.cache
def compiled(dtype: str, processor: str) -> Kernel:
    return kernel(text(), arguments("affine(a, b, bias, out, room, stored, ())", (1, 1, 1), dtype))


@pytest.mark.parametrize(
    ("dtype", "processor"), [("float32", ""), ("float64", ""), ("float32", "generic")]
)
@pytest.mark.parametrize("product", PRODUCTS)
def test_of_any_size(
    product: str, dtype: str, processor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_CPU", processor)
    run = compiled(dtype, processor)
    for size in SIZES:
        given = arguments(product, size, dtype)
        want = expected(product, given)
        run.call(given)()
        check(product, given, want)


@pytest.mark.parametrize(
    "size", [(8, 263, 20), (31, 12, 32), (11, 33, 18), (6, 9, 9), (256, 20, 60)]
)
def test_of_a_known_size(size: Size) -> None:
    for product in (p for p in PRODUCTS if "stored" in p):
        given = arguments(product, size, "float32")
        want = expected(product, given)
        sized = {k: Sized(x) if isinstance(x, np.ndarray) else x for k, x in given.items()}
        kernel(text([product]), {**sized, "which": 0}).call({**given, "which": 0})()
        check(product, given, want)


@pytest.mark.parametrize("product", PRODUCTS)
def test_in_plain_python(product: str) -> None:
    names: dict[str, Any] = {}
    exec(text(), names)
    names["maximum"] = np.maximum  # of vectors
    for size in [*(s for s in SIZES if math.prod(s) < 3000), (7, 265, 2), (3, 265, 1)]:
        given = arguments(product, size, "float32")
        want = expected(product, given)
        names["run"](**given)
        check(product, given, want)


PARTS = {
    "affine": (
        ["affine(a[:cut], b, bias, out[:cut], room, stored, ())",
         "affine(a[cut:], b, bias, out[cut:], room, stored, ())"],
        ["affine(a, b[:, :cut], bias[:cut], out[:, :cut], room, stored, ())",
         "affine(a, b[:, cut:], bias[cut:], out[:, cut:], room, stored, ())"],
    ),
    "dot_t": (
        ["dot_t(a[:, :cut], b, out[:cut], room, stored, ())",
         "dot_t(a[:, cut:], b, out[cut:], room, stored, ())"],
        ["dot_t(a, b[:, :cut], out[:, :cut], room, stored, ())",
         "dot_t(a, b[:, cut:], out[:, cut:], room, stored, ())"],
    ),
    "dot_by_t": (
        ["dot_by_t(a[:cut], b, out[:cut], room, stored, ())",
         "dot_by_t(a[cut:], b, out[cut:], room, stored, ())"],
        ["dot_by_t(a, b[:cut], out[:, :cut], room, stored, ())",
         "dot_by_t(a, b[cut:], out[:, cut:], room, stored, ())"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("product", PARTS)
def test_parts_give_the_same_bits(product: str) -> None:
    """Threads may divide the rows anywhere, and the columns at whole vectors."""
    by_rows, by_columns = PARTS[product]
    source = text([*by_rows, *by_columns]).replace("(which, ", "(which, cut, ")
    bias = "bias, " if product == "affine" else ""
    whole = f"{product}(a, b, {bias}out, room, stored, ())"
    given = arguments(whole, (45, 300, 84), "float32")
    others = {k: x for k, x in given.items() if k != "which"}
    run = kernel(source, {"which": 0, "cut": 0} | others)
    compiled("float32", "").call(given)()
    want = given["out"].tobytes()
    for first, cuts in ((0, (1, 20, 24, 44)), (2, (32, 64))):
        for cut in cuts:
            given["out"][...] = np.nan
            for which in (first, first + 1):
                run.call({"which": which, "cut": cut} | others)()
            assert given["out"].tobytes() == want
