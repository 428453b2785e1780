"""SciPy's BLAS, which multiplies the matrices.

A kernel takes the address of `sgemm` or `dgemm` as an argument, so its machine code does not depend
on it. Each thread of a step multiplies its own shard, so BLAS is limited to one thread meanwhile:
nested threads are many times slower, and would change the bits.

It is SciPy's OpenBLAS on every processor. With AVX-512 (Emerald Rapids, one thread, 100 to 256 rows)
MKL takes 0.84 to 0.99 of its time, which our own tiles reach too where products are large, for 650 MB
more to install; BLIS, as its wheel has it, takes twice its time.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.machinery
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from chainrule.engine.choice import extra_missing
from chainrule.errors import SettingError
from chainrule.lang.messages import _

__all__ = ["Blas", "blas"]

# Prototypes of our own: the functions that `ctypes.pythonapi` keeps are everybody's.
_name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(
    ("PyCapsule_GetName", ctypes.pythonapi)
)
_pointer_in = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


class Blas:
    """SciPy's BLAS."""

    def __init__(self) -> None:
        self.capsules = cython_blas().__pyx_capi__
        self._addresses: dict[np.dtype[Any], int] = {}
        self._lock = threading.Lock()
        self._held = 0
        self._before: list[int] = []
        self._controller: Any = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def address(self, dtype: np.dtype[Any]) -> int:
        """The address of Fortran's `sgemm` (float32) or `dgemm` (float64), with 32-bit sizes."""
        if dtype not in self._addresses:
            self._addresses[dtype] = self._address(dtype)
        return self._addresses[dtype]

    def _address(self, dtype: np.dtype[Any]) -> int:
        capsule = self.capsules["sgemm" if dtype == np.float32 else "dgemm"]
        name: bytes = _name_of(capsule)
        if name.count(b"int *") != 6:
            raise SettingError(
                _(
                    "this SciPy's BLAS counts in another kind of integer than chainrule's kernels."
                    " Install SciPy's own wheels: pip install --force-reinstall scipy."
                )
            )
        pointer: int = _pointer_in(capsule, name)
        return pointer

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Within this context BLAS uses one thread; each thread of a step multiplies within it."""
        with self._lock:  # the limit is per process: set by the first to enter, lifted by the last
            if self._held == 0:
                self._before = [c.num_threads for c in self._libraries().lib_controllers]
                self._set([1] * len(self._before))
            self._held += 1
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1
                if self._held == 0:
                    self._set(self._before)

    def _set(self, counts: list[int]) -> None:
        for library, count in zip(self._libraries().lib_controllers, counts, strict=True):
            # Newer versions expect one thread to set this; ours take turns under a lock.
            set_it = getattr(library, "_real_set_num_threads", library.set_num_threads)
            set_it(count)

    def _after_fork(self) -> None:
        """Reset the count in a forked child, in which no thread of the parent multiplies."""
        self._lock = threading.Lock()
        if self._held:
            self._held = 0
            self._set(self._before)

    def _libraries(self) -> Any:
        if self._controller is None:
            import threadpoolctl

            everything = threadpoolctl.ThreadpoolController()
            ours = [
                found["filepath"]
                for found in everything.info()
                if found["user_api"] == "blas"
                and "numpy" not in Path(found["filepath"]).parent.name
            ]
            self._controller = everything.select(filepath=ours) if ours else everything
        return self._controller


_TABLE = "scipy.linalg.cython_blas"


@functools.cache
def cython_blas() -> ModuleType:
    """SciPy's table of BLAS functions: one module, loaded by itself where possible."""
    name = _TABLE
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.find_spec("scipy")
    if spec is None or spec.origin is None:
        raise extra_missing(["scipy"])
    import scipy  # noqa: F401 - on Windows it sets the path of the libraries

    folder = Path(spec.origin).parent / "linalg"
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = folder / f"cython_blas{suffix}"
        if path.exists():
            loader = importlib.machinery.ExtensionFileLoader(name, str(path))
            made = importlib.util.spec_from_loader(name, loader)
            assert made is not None
            module = importlib.util.module_from_spec(made)
            loader.exec_module(module)
            sys.modules.pop(name, None)  # of a package that is not loaded
            return module
    return importlib.import_module(name)


_finding = threading.Lock()


def blas() -> Blas:
    """The BLAS of this process: one for all threads, even if several ask for it first at once.

    Two that load SciPy's table at once get half of it, and two that count for themselves who
    multiplies would lift each other's limit.
    """
    with _finding:
        return _found()


@functools.cache
def _found() -> Blas:
    return Blas()


def _after_fork() -> None:
    """Replace the lock in a forked child: another thread of the parent may have held it."""
    global _finding
    _finding = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
