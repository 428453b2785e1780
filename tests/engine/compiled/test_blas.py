"""The BLAS: that it multiplies, and that it is alone only while it should be."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.engine.compiled import blas as module
from chainrule.engine.compiled.threads import Crew

pytest.importorskip("scipy")
threadpoolctl = pytest.importorskip("threadpoolctl")

Count = Callable[[], int]


@contextlib.contextmanager
def scipy() -> Iterator[tuple[Any, Count]]:
    """SciPy's BLAS, and how many threads it may use; at first three."""
    found, paths = module.Blas(), []
    for pool in threadpoolctl.threadpool_info():
        if "scipy" in Path(pool["filepath"]).parent.name and pool["internal_api"] == "openblas":
            paths.append(pool["filepath"])
    if len(paths) != 1:
        pytest.skip("this SciPy has no OpenBLAS of its own")
    library = ctypes.CDLL(paths[0])  # asked and told without threadpoolctl, which has its own rules

    def function(name: str) -> Any:
        for before, after in itertools.product(("scipy_", ""), ("", "64_", "_64")):
            if hasattr(library, f"{before}openblas_{name}_num_threads{after}"):
                return getattr(library, f"{before}openblas_{name}_num_threads{after}")
        pytest.skip("this OpenBLAS cannot be told")

    count, tell = function("get"), function("set")
    before = count()
    tell(3)
    try:
        yield found, count
    finally:
        tell(before)
        # Newer versions of threadpoolctl obey one thread only: let that be none of this test's.
        forget = getattr(threadpoolctl.OpenBLASController, "clear_controlling_thread", None)
        if forget is not None:
            forget(force=True)


@pytest.fixture
def library() -> Iterator[tuple[Any, Count]]:
    """The BLAS, apart from the one that this process uses, and its number of threads."""
    with scipy() as given:
        assert given[1]() == 3
        yield given


# -- alone ----------------------------------------------------------------------------------------


def test_it_is_alone_within_and_as_before_afterwards(library: tuple[Any, Count]) -> None:
    blas, count = library
    for _ in range(3):
        with blas.alone():
            assert count() == 1
        assert count() == 3


def test_as_before_after_an_exception(library: tuple[Any, Count]) -> None:
    blas, count = library
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error, match="mine"), blas.alone():
            raise error("mine")
        assert count() == 3


def test_within_itself(library: tuple[Any, Count]) -> None:
    blas, count = library
    with blas.alone():
        with blas.alone():
            assert count() == 1
        assert count() == 1
        with pytest.raises(ValueError, match="mine"), blas.alone():
            raise ValueError("mine")
        assert count() == 1
    assert count() == 3


@pytest.mark.parametrize("first_out", [0, 1])
def test_two_threads_at_once(library: tuple[Any, Count], first_out: int) -> None:
    """They go in one after the other, and out in either order; both live on."""
    blas, count = library
    inside, leave, out = ([threading.Event() for _ in range(2)] for _ in range(3))
    seen, end = [], threading.Event()

    def work(k: int) -> None:
        with blas.alone():
            seen.append(count())
            inside[k].set()
            leave[k].wait(20)
            seen.append(count())
        out[k].set()
        end.wait(20)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for k in range(2):
        threads[k].start()
        inside[k].wait(20)
    for k in (first_out, 1 - first_out):
        leave[k].set()
        out[k].wait(20)
    afterwards = count()
    end.set()
    for thread in threads:
        thread.join()
    assert seen == [1] * 4
    assert afterwards == 3


def test_many_threads_in_and_out(library: tuple[Any, Count]) -> None:
    blas, count = library
    seen: set[int] = set()

    def work() -> None:
        for _ in range(50):
            with blas.alone():
                seen.add(count())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {1}
    assert count() == 3


def test_every_thread_of_a_crew_is_alone_only_while_it_works(library: tuple[Any, Count]) -> None:
    blas, count = library
    before, within, after = (np.zeros(3, int) for _ in range(3))

    def look(into: Any) -> Callable[[int, Any], None]:
        together = threading.Barrier(3)

        def work(k: int, counters: Any) -> None:
            together.wait(20)
            into[k] = count()
            together.wait(20)

        return work

    Crew(3, contextlib.nullcontext).run(look(before))
    for _ in range(20):
        Crew(3, blas.alone).run(look(within))
        assert within.tolist() == [1, 1, 1]
    Crew(3, contextlib.nullcontext).run(look(after))
    assert after.tolist() == before.tolist()
    assert before[0] == 3


def test_a_limit_that_the_user_has_set_meanwhile(library: tuple[Any, Count]) -> None:
    """Whoever set it, other threads are alone within, and it holds again afterwards."""
    blas, count = library
    seen: list[int] = []

    def work() -> None:
        with blas.alone():
            seen.append(count())

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = count()
        other = threading.Thread(target=work)
        other.start()
        other.join()
        assert count() == before
    assert seen == [1]
    assert count() == 3


def test_numpys_own_blas_goes_on_as_it_was() -> None:
    def others() -> dict[str, int]:
        return {
            pool["filepath"]: pool["num_threads"]
            for pool in threadpoolctl.threadpool_info()
            if "numpy" in Path(pool["filepath"]).parent.name
        }

    with scipy() as (blas, count), threadpoolctl.threadpool_limits(3):
        before = others()
        with blas.alone():
            assert count() == 1
            assert others() == before
        assert others() == before


def test_threads_that_all_ask_first_get_the_same_one() -> None:
    """Networks that are evaluated in several threads are the first to ask, in a new process."""
    program = """
import threading
import numpy as np
from chainrule.engine.compiled.blas import blas
together, found = threading.Barrier(4), []
def work():
    together.wait()
    one = blas()
    found.append((one, one.address(np.dtype(np.float32))))
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(found), len(set(found)))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300
    )
    assert run.stdout.split() == ["4", "1"], run.stdout + run.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_that_is_forked_meanwhile_is_as_free_as_any(library: tuple[Any, Count]) -> None:
    program = """
import os, threading
from tests.engine.compiled.test_blas import scipy
with scipy() as (blas, count):
    inside, done = threading.Event(), threading.Event()
    def work():
        with blas.alone():
            inside.set()
            done.wait()
    other = threading.Thread(target=work)
    other.start()
    inside.wait()
    child = os.fork()
    if child == 0:
        with blas.alone():
            pass
        os._exit(count())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    done.set()
    other.join()
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=300
    )
    assert run.stdout.strip() == "3", run.stderr


# -- which one, and what it does ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_multiplies(library: tuple[Any, Count], dtype: str) -> None:
    """aᵀ b, in Fortran's order: as kernels call it."""
    blas, _ = library
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(7, 5)).astype(dtype), rng.normal(size=(7, 3)).astype(dtype)
    a, b, c = np.asfortranarray(a), np.asfortranarray(b), np.zeros((5, 3), dtype, "F")
    gemm = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(blas.address(np.dtype(dtype)))
    numbers = np.array([5, 3, 7, 7, 7, 5], np.int32)
    m, n, k, lda, ldb, ldc = (numbers[i:].ctypes.data for i in range(6))
    one, zero = np.ones(1, dtype), np.zeros(1, dtype)
    letters = np.frombuffer(b"TN", np.uint8)
    gemm(
        letters.ctypes.data, letters[1:].ctypes.data, m, n, k, one.ctypes.data, a.ctypes.data, lda,
        b.ctypes.data, ldb, zero.ctypes.data, c.ctypes.data, ldc,
    )  # fmt: skip
    np.testing.assert_allclose(c, a.T @ b, rtol=1e-4 if dtype == "float32" else 1e-12)


def test_scipy_is_whole_after_kernels_have_used_a_part_of_it() -> None:
    pytest.importorskip("llvmlite")
    program = """
import sys
import chainrule.engine.compiled.kernels
from chainrule.engine.compiled.blas import cython_blas
cython_blas()
print("scipy.linalg" in sys.modules, "scipy.linalg.cython_blas" in sys.modules)
import numpy, scipy.linalg
from scipy.linalg import cython_blas
print("sgemm" in cython_blas.__pyx_capi__, abs(scipy.linalg.inv(numpy.eye(2) * 2)).tolist())
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["False False", "True [[0.5, 0.0], [0.0, 0.5]]"]
