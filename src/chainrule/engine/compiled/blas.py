"""Which BLAS multiplies the matrices: MKL where its package is installed, else SciPy's.

A kernel is given the address of `sgemm` or `dgemm` when it runs, so that its machine code is the
same for every BLAS. Each thread of a step multiplies its own shard, so the BLAS itself is held to
one thread meanwhile: threads within threads are many times slower, and would change the bits.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.machinery
import importlib.util
import os
import re
import sys
import threading
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from chainrule.engines import extra_missing
from chainrule.errors import SettingError

__all__ = ["Blas", "blas", "blas_at_hand"]


class Blas:
    """A BLAS: its name, and where its products are. `with blas:` holds it to one thread."""

    name = ""

    def address(self, dtype: np.dtype[Any]) -> int:
        """Where `sgemm` (float32) or `dgemm` (float64) is, in Fortran's form, with 32-bit sizes."""
        raise NotImplementedError

    def begin_thread(self) -> None:
        """Called by every thread before its first product."""

    def __enter__(self) -> Blas:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class _Mkl(Blas):
    name = "MKL"

    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(str(path))

    def address(self, dtype: np.dtype[Any]) -> int:
        function = self.library.sgemm_ if dtype == np.float32 else self.library.dgemm_
        return _address(function)

    def begin_thread(self) -> None:
        self.library.MKL_Set_Num_Threads_Local(1)  # for the calling thread alone


class _SciPy(Blas):
    name = "SciPy's BLAS"

    def __init__(self) -> None:
        self.capsules = cython_blas().__pyx_capi__
        self._lock = threading.Lock()
        self._held = 0
        self._limit: Any = None
        self._controller: Any = None

    def address(self, dtype: np.dtype[Any]) -> int:
        capsule = self.capsules["sgemm" if dtype == np.float32 else "dgemm"]
        api = ctypes.pythonapi
        api.PyCapsule_GetName.restype = ctypes.c_char_p
        api.PyCapsule_GetName.argtypes = [ctypes.py_object]
        api.PyCapsule_GetPointer.restype = ctypes.c_void_p
        api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
        name = api.PyCapsule_GetName(capsule)
        if name.count(b"int *") != 6:
            raise SettingError(
                "this SciPy's BLAS counts in another kind of integer than chainrule's kernels."
                " Install SciPy's own wheels: pip install --force-reinstall scipy."
            )
        pointer: int = api.PyCapsule_GetPointer(capsule, name)
        return pointer

    def __enter__(self) -> Blas:
        with self._lock:
            self._held += 1
            if self._held == 1:
                self._limit = self._libraries().limit(limits=1)
                self._limit.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._held -= 1
            if self._held == 0:
                self._limit.__exit__(None, None, None)

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


def _address(function: Any) -> int:
    found = ctypes.cast(function, ctypes.c_void_p).value
    assert found is not None
    return found


_TABLE = "scipy.linalg.cython_blas"


@contextlib.contextmanager
def blas_at_hand() -> Iterator[None]:
    """Let what is imported meanwhile find SciPy's BLAS, without all of `scipy.linalg`.

    Numba looks for it at every start, and would spend 0.15 s on what it does not use.
    """
    there = _TABLE in sys.modules
    with contextlib.suppress(ImportError):
        sys.modules[_TABLE] = cython_blas()
    try:
        yield
    finally:
        if not there:
            sys.modules.pop(_TABLE, None)


@functools.cache
def cython_blas() -> ModuleType:
    """SciPy's table of BLAS functions: one file, loaded by itself where that is possible."""
    name = _TABLE
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.find_spec("scipy")
    if spec is None or spec.origin is None:
        raise extra_missing(["scipy"])
    import scipy  # noqa: F401 - on Windows it says where the libraries lie

    folder = Path(spec.origin).parent / "linalg"
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = folder / f"cython_blas{suffix}"
        if path.exists():
            loader = importlib.machinery.ExtensionFileLoader(name, str(path))
            made = importlib.util.spec_from_loader(name, loader)
            assert made is not None
            module = importlib.util.module_from_spec(made)
            loader.exec_module(module)
            return module
    return importlib.import_module(name)


def _mkl_path() -> Path | None:
    """The library of the package `mkl`, if that is installed."""
    try:
        files = metadata.files("mkl") or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if re.fullmatch(
            r"(libmkl_rt\.so(\.\d+)?|mkl_rt(\.\d+)?\.dll|libmkl_rt(\.\d+)?\.dylib)", file.name
        ):
            path = Path(str(file.locate())).resolve()
            if path.exists():
                return path
    return None


@functools.cache
def blas() -> Blas:
    """The BLAS of this process: MKL if installed, else SciPy's; `CHAINRULE_BLAS` overrides."""
    wanted = os.environ.get("CHAINRULE_BLAS", "").lower()
    if wanted not in ("", "mkl", "scipy"):
        raise SettingError(f'CHAINRULE_BLAS="{wanted}" must be "mkl" or "scipy", or not be set.')
    path = None if wanted == "scipy" else _mkl_path()
    if path is not None:
        return _Mkl(path)
    if wanted == "mkl":
        raise SettingError(
            'CHAINRULE_BLAS="mkl" needs the package mkl: pip install "chainrule[mkl]".'
        )
    return _SciPy()
