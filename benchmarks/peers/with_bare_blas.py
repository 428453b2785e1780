"""No network at all: what the step's matrix products and Adam's memory traffic take by themselves.

Every core has its share of the batch in a thread of its own, with BLAS on one thread: the
products of forward (x W) and backward (xᵀ d, and d Wᵀ but for the first layer), then Adam over
its share of the parameters. Threads never wait for each other, and nothing else is computed: with
this BLAS, a step that shares the batch out cannot be much faster.
"""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from benchmarks.workloads import Array, Setting, Workload

from chainrule.engine.compiled.blas import blas

Product = tuple[Any, ...]


def sgemm() -> Any:
    """The `sgemm` of the BLAS that chainrule would take."""
    integer, number = ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_float)
    array, text = ctypes.c_void_p, ctypes.c_char_p
    kind = ctypes.CFUNCTYPE(
        None,
        text,
        text,
        integer,
        integer,
        integer,
        number,
        array,
        integer,
        array,
        integer,
        number,
        array,
        integer,
    )
    return kind(blas().address(np.dtype(np.float32)))


def adam(p: Array, g: Array, m: Array, v: Array, rate: Any, rest: Any) -> None:
    for i in range(len(p)):
        m[i] += np.float32(0.1) * (g[i] - m[i])
        v[i] += rest * (g[i] * g[i] - v[i])
        p[i] -= rate * m[i] / (np.sqrt(v[i]) + np.float32(1e-8))


class BareStep:
    probabilities = False

    def __init__(self, with_adam: bool) -> None:
        self.with_adam = with_adam

    def prepare(self, workload: Workload, setting: Setting) -> None:
        self.w, self.sgemm = workload, sgemm()
        usable = getattr(os, "sched_getaffinity", None)
        cores = len(usable(0)) if usable else os.cpu_count() or 1
        self.threads = ThreadPoolExecutor(cores)
        params = np.concatenate([p.ravel() for layer in setting.weights for p in layer])
        slots = [params, *(np.zeros_like(params) for _ in range(3))]
        self.update = numba.njit(adam, nogil=True, fastmath=True, error_model="numpy")
        self.shares = []
        for i in range(cores):
            begin, end = len(params) * i // cores, len(params) * (i + 1) // cores
            products = list(self.products(workload.batch // cores, setting.weights))
            self.shares.append((products, [slot[begin:end] for slot in slots]))

    def products(self, n: int, weights: list[tuple[Array, Array]]) -> Any:
        """The products of n rows, each as `sgemm`'s arguments, with arrays of its own.

        `sgemm` counts along columns first, so it is asked for each product's transpose.
        """
        rng = np.random.default_rng(0)
        inputs = [rng.standard_normal((n, W.shape[0])).astype(np.float32) for W, _ in weights]
        last = np.empty((n, weights[-1][0].shape[1]), np.float32)
        outputs = [*inputs[1:], last]
        for x, (W, _), y in zip(inputs, weights, outputs, strict=True):
            yield self.product("N", "N", W, x, y.copy())
        for i in reversed(range(len(weights))):
            W = weights[i][0]
            d = np.full_like(outputs[i], 1e-3)
            yield self.product("N", "T", d, inputs[i], np.empty_like(W))
            if i:
                yield self.product("T", "N", W, d, np.empty_like(inputs[i]))

    def product(self, turn_a: str, turn_b: str, a: Array, b: Array, c: Array) -> Product:
        inner = a.shape[0] if turn_a == "N" else a.shape[1]
        whole = [ctypes.c_int(n) for n in (c.shape[1], c.shape[0], inner)]
        ld_a, ld_b, ld_c = (ctypes.byref(ctypes.c_int(q.shape[1])) for q in (a, b, c))
        one, zero = ctypes.byref(ctypes.c_float(1)), ctypes.byref(ctypes.c_float(0))
        kept = (a, b, c)  # beside their addresses
        return (
            kept, turn_a.encode(), turn_b.encode(), *map(ctypes.byref, whole), one,
            a.ctypes.data, ld_a, b.ctypes.data, ld_b, zero, c.ctypes.data, ld_c,
        )  # fmt: skip

    def restart(self) -> None:
        pass

    def epochs(self, k: int) -> list[float]:
        list(self.threads.map(lambda share: self.run(k * self.w.steps, *share), self.shares))
        return []

    def run(self, steps: int, products: list[Product], slots: list[Array]) -> None:
        calls = [product[1:] for product in products]
        rate, rest = np.float32(1e-3), np.float32(1e-3)
        for _ in range(steps):
            for call in calls:
                self.sgemm(*call)
            if self.with_adam:
                self.update(*slots, rate, rest)

    def predict(self, x: Array) -> Array:
        raise NotImplementedError
