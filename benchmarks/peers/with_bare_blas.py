"""No network at all: what the step's matrix products and Adam's memory traffic take by themselves.

Every core has a thread with BLAS on one thread: its share of the columns (of the rows where there
are few columns) of each product of forward (x W) and backward (xᵀ d, and d Wᵀ but for the first
layer), then Adam over its share of the parameters. Threads never wait for each other, and nothing
else is computed: with this BLAS, a step cannot be much faster.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from benchmarks import kernels, machine
from benchmarks.workloads import Array, Setting, Workload
from scipy.linalg import cython_blas

Product = tuple[Any, ...]


def sgemm() -> Any:
    """SciPy's `sgemm`, called by address."""
    capsule = cython_blas.__pyx_capi__["sgemm"]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype = ctypes.c_char_p
    api.PyCapsule_GetName.argtypes = [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    address = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    integer, number = ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_float)
    array, text = ctypes.c_void_p, ctypes.c_char_p
    return ctypes.CFUNCTYPE(
        None, text, text, integer, integer, integer, number, array, integer, array, integer, number,
        array, integer,
    )(address)  # fmt: skip


def share(array: Array, k: int, cores: int) -> tuple[slice, slice]:
    """Core k's part of a matrix: some of its columns, or of its rows if there are few columns."""
    rows, columns = array.shape
    narrow = columns < 64 * cores
    whole = rows if narrow else columns
    part = slice(whole * k // cores, whole * (k + 1) // cores)
    return (part, slice(columns)) if narrow else (slice(rows), part)


class BareStep:
    probabilities = False

    def __init__(self, with_adam: bool) -> None:
        self.with_adam = with_adam

    def prepare(self, workload: Workload, setting: Setting) -> None:
        self.w, self.sgemm = workload, sgemm()
        cores = machine.cores()
        self.threads = ThreadPoolExecutor(cores)
        params = np.concatenate([p.ravel() for layer in setting.weights for p in layer])
        slots = [params, *(np.zeros_like(params) for _ in range(3))]
        self.adam = kernels.adam()
        rng = np.random.default_rng(0)
        layers = [W for W, _ in setting.weights]
        widths = [layers[0].shape[0], *(W.shape[1] for W in layers)]
        self.values = [rng.standard_normal((workload.batch, n)).astype(np.float32) for n in widths]
        self.slopes = [np.full_like(x, 1e-3) for x in self.values]
        self.layers, self.grads = layers, [np.empty_like(W) for W in layers]
        self.shares = []
        for k in range(cores):
            begin, end = len(params) * k // cores, len(params) * (k + 1) // cores
            moved = [slot[begin:end] for slot in slots]
            self.shares.append((list(self.products(k, cores)), moved))

    def products(self, k: int, cores: int) -> Any:
        """One core's share of the products, each as `sgemm`'s arguments.

        `sgemm` counts along columns first, so it is asked for each product's transpose.
        """
        last = len(self.layers) - 1
        for i, W in enumerate(self.layers):
            y = self.values[i + 1] if i < last else np.empty_like(self.values[i + 1])
            rows, columns = share(y, k, cores)
            yield self.product("N", "N", W[:, columns], self.values[i][rows], y[rows, columns])
        for i in reversed(range(last + 1)):
            W, dW = self.layers[i], self.grads[i]
            d, x, dx = self.slopes[i + 1], self.values[i], np.empty_like(self.values[i])
            rows, columns = share(dW, k, cores)
            yield self.product("N", "T", d[:, columns], x[:, rows], dW[rows, columns])
            if i:
                rows, columns = share(dx, k, cores)
                yield self.product("T", "N", W[columns], d[rows], dx[rows, columns])

    def product(self, turn_a: str, turn_b: str, a: Array, b: Array, c: Array) -> Product:
        inner = a.shape[0] if turn_a == "N" else a.shape[1]
        whole = [ctypes.c_int(n) for n in (c.shape[1], c.shape[0], inner)]
        ld_a, ld_b, ld_c = (ctypes.byref(ctypes.c_int(q.strides[0] // 4)) for q in (a, b, c))
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
        addresses = [slot.ctypes.data for slot in slots]
        for _ in range(steps):
            for call in calls:
                self.sgemm(*call)
            if self.with_adam:
                self.adam(1, len(slots[0]), *addresses, 1e-3, 0.1, 1e-3, 1e-8)

    def predict(self, x: Array) -> Array:
        raise NotImplementedError
