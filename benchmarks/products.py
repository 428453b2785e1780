"""Products of matrices: ours, in tiles, beside SciPy's OpenBLAS, for the shapes of small and middle networks.

    taskset -c 1 python benchmarks/products.py [--known] [--dtype float32] [--rounds 41] [--only c,d]

Both multiply on one thread, in short turns one after the other, so that what else the machine does
slows both. Times are the processor's, in microseconds: the median and the least. The ratio is the
median of each turn's. The peak is what multiplications and additions in registers alone reach here;
a product's share of it is that of its least time. `--known`: the machine code is made for the lengths.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.aligned import room
from chainrule.engine.compiled.blas import blas
from chainrule.engine.compiled.cache import Code
from chainrule.engine.compiled.machine import Call, Kernel
from chainrule.engine.compiled.tiles import room_for
from chainrule.engine.compiler.entry import SYMBOL, machine_code
from chainrule.engine.compiler.sized import Sized
from chainrule.engine.compiler.target import vector_bytes

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Product:
    """What is multiplied: out, of so many rows and columns, and the inner length."""

    network: str
    kind: str
    rows: int
    inner: int
    columns: int

    @property
    def operations(self) -> int:
        return 2 * self.rows * self.inner * self.columns

    def arguments(self, dtype: str) -> dict[str, Any]:
        """Arrays for both."""
        m, inner, n = self.rows, self.inner, self.columns
        shapes = {
            "a": (inner, m) if self.kind == "dot_t" else (m, inner),
            "b": (n, inner) if self.kind == "dot_by_t" else (inner, n),
            "bias": (n,),
            "out": (m, n),
        }
        rng, kind = np.random.default_rng(0), np.dtype(dtype)
        found: dict[str, Any] = {"times": 1, "blas": blas().address(kind)}
        for name, shape in shapes.items():
            found[name] = room(shape, kind)
            found[name][...] = rng.standard_normal(shape)
        found["room"] = room((room_for(found["a"]),), kind)
        return found


def stack(network: str, batch: int, *widths: int) -> list[Product]:
    """The products of a training step of fully connected layers."""
    found = []
    for k, (inner, n) in enumerate(pairwise(widths)):
        found.append(Product(network, "affine", batch, inner, n))
        found.append(Product(network, "dot_t", inner, batch, n))
        if k:
            found.append(Product(network, "dot_by_t", batch, n, inner))
    return found


PRODUCTS = [
    *stack("b", 100, 784, 50, 10),
    *stack("c", 128, 784, 512, 256, 10),
    *stack("d", 256, 784, 1024, 1024, 1024, 10),
    *stack("e", 32, 30, 64, 64, 1),
    *stack("digits", 64, 64, 128, 10),
]

TEXT = """\
from chainrule.engine.compiled.tiles import affine, dot_by_t, dot_t, stored
from chainrule.engine.compiler.memory import gemm
from chainrule.engine.compiler.vectors import lanes, put, several, unrolled, vector


def begin(bias, out):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = bias[j]


def registers(x):
    n = lanes(x)
    sums = several(12, vector(x, 0, 0))
    for k in unrolled(12):
        sums[k] = vector(x, 0, k)
    factor, more = vector(x, 0, 12), vector(x, 0, 12 + n)
    for i in range(1000):
        for k in unrolled(12):
            sums[k] = sums[k] * factor + more
    for k in unrolled(12):
        put(sums[k], x, 0, k)


def run(times, blas, a, b, bias, out, room):
    for _ in range(times):
        {what}
    return 0
"""
OURS = {
    "affine": "affine(a, b, bias, out, room, stored, ())",
    "dot_t": "dot_t(a, b, out, room, stored, ())",
    "dot_by_t": "dot_by_t(a, b, out, room, stored, ())",
}
THEIRS = {
    "affine": "begin(bias, out)\n        gemm(blas, False, False, a, b, True, out)",
    "dot_t": "gemm(blas, True, False, a, b, False, out)",
    "dot_by_t": "gemm(blas, False, True, a, b, False, out)",
}


def made(what: str, given: dict[str, Any], known: bool) -> Call:
    """The machine code of a loop."""
    kinds = given
    if known:
        kinds = {k: Sized(x) if isinstance(x, np.ndarray) else x for k, x in given.items()}
    code = machine_code(TEXT.format(what=what), "products", "run", kinds, {"shards": 1})
    return Kernel(Code(SYMBOL, code)).call(given)


def turns(calls: list[Call], times: int, rounds: int) -> Array:
    """Microseconds of each call in each round."""
    found = np.zeros((len(calls), rounds))
    for call in calls:
        call.change(times=times)
        call()
    for k in range(rounds):
        for i, call in enumerate(calls):
            before = time.thread_time()
            call()
            found[i, k] = (time.thread_time() - before) / times * 1e6
    return found


def peak(dtype: str, rounds: int) -> float:
    """Operations a microsecond."""
    given = Product("", "affine", 4, 4, 64).arguments(dtype)
    given["out"][...] = np.linspace(0, 0.5, 64)
    (taken,) = turns([made("registers(out)", given, False)], 100, rounds)
    lanes = vector_bytes() // np.dtype(dtype).itemsize
    return 1000 * 12 * 2 * lanes / float(taken.min())


def compare(product: Product, dtype: str, known: bool, rounds: int, most: float) -> None:
    """Measure a product both ways, and print it."""
    given = product.arguments(dtype)
    calls = [made(text[product.kind], given, known) for text in (THEIRS, OURS)]
    results = []
    for call in calls:
        call()
        results.append(given["out"].copy())
    np.testing.assert_allclose(results[0], results[1], rtol=0, atol=1e-4 * np.abs(results[0]).max())
    times = max(1, min(400, int(2000 * most / product.operations)))
    theirs, ours = turns(calls, times, rounds)
    shape = f"{product.rows}×{product.inner}×{product.columns}"
    shares = [product.operations / t.min() / most for t in (theirs, ours)]
    print(
        f"{product.network:7}{product.kind:12}{shape:>15}"
        f"{np.median(theirs):10.1f} ({theirs.min():8.1f})"
        f"{np.median(ours):10.1f} ({ours.min():8.1f})"
        f"{np.median(ours / theirs):8.2f}{shares[0]:9.0%}{shares[1]:6.0%}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--known", action="store_true")
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--only", default="b,c,d,e,digits")
    args = parser.parse_args()
    with blas().alone():
        most = peak(args.dtype, args.rounds)
        print(f"peak: {most / 1000:.0f} GFLOP/s")
        print(
            f"{'network':7}{'product':12}{'shape':>15}{'OpenBLAS':>14}{'(least)':>7}"
            f"{'ours':>14}{'(least)':>7}{'ratio':>8}{'of the peak':>15}"
        )
        for product in PRODUCTS:
            if product.network in args.only.split(","):
                compare(product, args.dtype, args.known, args.rounds, most)


if __name__ == "__main__":
    main()
