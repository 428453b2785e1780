"""Threads that take steps together: none waits for ever, whatever happens to another."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.engine.compiled.compiling import FIRST, compiled
from tests.training.engines import bits, blobs, same_bits, wide

import chainrule as cr
from chainrule.errors import SettingError

pytest.importorskip("llvmlite")
threads = pytest.importorskip("chainrule.engine.compiled.threads")

Array = npt.NDArray[Any]
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


# -- how many ----------------------------------------------------------------------------------


def test_as_asked_or_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINRULE_NUM_THREADS", raising=False)
    assert threads.thread_count(3) == 3
    assert 1 <= threads.thread_count(None) <= (os.cpu_count() or 1)
    assert threads.thread_count(10**6) == threads.MOST
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "5")
    assert threads.thread_count(None) == 5
    assert threads.thread_count(2) == 2


@pytest.mark.parametrize("bad", ["0", "-1", "two", "1.5", " ", "1e3"])
def test_a_bad_number_in_the_environment(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", bad)
    with pytest.raises(SettingError, match="CHAINRULE_NUM_THREADS"):
        threads.thread_count(None)
    trainer = cr.Trainer(wide(), cr.Adam(), engine="compiled")
    with pytest.raises(SettingError, match="CHAINRULE_NUM_THREADS"):
        trainer.fit(*blobs(20, 784), 1, progress=None)


@pytest.mark.parametrize("bad", [0, -1, 1.5, "2", True])
def test_a_bad_number_of_threads(bad: Any) -> None:
    with pytest.raises(SettingError, match="threads="):
        cr.Trainer(wide(), threads=bad)


def test_a_container_with_fewer_cores(tmp_path: Path) -> None:
    file = tmp_path / "cpu.max"
    for text, cores in (("200000 100000", 2), ("50000 100000", 0), ("max 100000", threads.MOST)):
        file.write_text(text)
        assert threads._quota(file) == cores
    assert threads._quota(tmp_path / "absent") == threads.MOST
    assert threads.thread_count(None) >= 1


def _count(_: int) -> int:
    from chainrule.engine.compiled.threads import thread_count

    count: int = thread_count(None)
    return count


def test_one_in_worker_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINRULE_NUM_THREADS", raising=False)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(_count, [0])) == [1]


def test_one_in_workers_of_joblib(monkeypatch: pytest.MonkeyPatch) -> None:
    joblib = pytest.importorskip("joblib")
    monkeypatch.delenv("CHAINRULE_NUM_THREADS", raising=False)
    with joblib.parallel_config("loky"):
        assert joblib.Parallel(2)(joblib.delayed(_count)(0) for _ in range(2)) == [1, 1]


def test_shards_follow_from_shapes_and_threads_alone() -> None:
    assert threads.shards_for(1e6, 128, 8) == 1  # little work
    assert threads.shards_for(1e9, 128, 2) == 2
    assert threads.shards_for(1e9, 128, 64) == 16  # at least eight rows each
    assert threads.shards_for(1e9, 7, 4) == 1
    assert threads.shards_for(1e9, 128, 1) == 1


# -- the crew ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def meet() -> Callable[..., int]:
    """A kernel whose threads meet n times; each adds to its own number in between."""
    text = f"""from chainrule.engine.compiled.kernels import wait
{FIRST}\
def meetings(crew, k, shards, own, n):
    apart = 0
    for i in range(n):
        own[k, 0] = i
        wait(crew, shards)
        for other in range(shards):
            if own[other, 0] != i:
                apart += 1
        wait(crew, shards)
    return apart
"""
    given = {"crew": threads.crew_words(0), "k": 0, "shards": 1, "own": np.zeros((1, 8)), "n": 1}
    return compiled(text, "meetings", given)


@pytest.fixture(params=["looking", "asleep", "yielding"])
def waiting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How threads wait: patiently, asleep as soon as may be, or as where the system has no futex."""
    if request.param != "looking":
        monkeypatch.setattr(threads, "LONGEST", 1)
    if request.param == "yielding":
        monkeypatch.setattr(threads, "_SYSTEM", (0, 0))
    return str(request.param)


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize(("size", "times"), [(1, 1000), (2, 1000), (8, 50), (64, 3)])
def test_all_meet_every_time(meet: Callable[..., int], size: int, times: int) -> None:
    own = np.zeros((size, 8))
    crew = threads.Crew(size, nullcontext)
    for _ in range(3):
        assert crew.run(lambda k, counters: meet(counters, k, size, own, times)) == 0


@pytest.mark.skipif(threads._SYSTEM == (0, 0), reason="no futex here")
def test_one_that_waits_long_sleeps(meet: Callable[..., int]) -> None:
    crew, own, used = threads.Crew(2, nullcontext), np.zeros((2, 8)), []

    def work(k: int, counters: Array) -> int:
        if k == 1:
            time.sleep(0.5)
        before = time.thread_time()
        apart = meet(counters, k, 2, own, 3)
        used.append(time.thread_time() - before)
        return apart

    assert crew.run(work) == 0
    assert max(used) < 0.25
    assert crew.words[threads.PATIENCE] <= threads.LONGEST


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize("who", [0, 1, 2])
def test_one_that_fails_keeps_none_waiting(meet: Callable[..., int], who: int) -> None:
    crew, own = threads.Crew(3, nullcontext), np.zeros((3, 8))

    def work(k: int, counters: Array) -> int:
        if k == who:
            raise KeyError("mine")
        return meet(counters, k, 3, own, 1000)

    for _ in range(3):
        with pytest.raises(KeyError, match="mine"):
            crew.run(work)
        assert crew.run(lambda k, counters: meet(counters, k, 3, own, 100)) == 0


@pytest.mark.parametrize("how", ["no context", "no entering"])
@pytest.mark.parametrize("helper", [True, False])
def test_one_that_cannot_begin(meet: Callable[..., int], how: str, helper: bool) -> None:
    main = threading.current_thread()

    def fail() -> None:
        if (threading.current_thread() is not main) is helper:
            raise MemoryError("mine")

    @contextmanager
    def entered() -> Iterator[None]:
        fail()
        yield

    def given() -> Any:
        fail()
        return nullcontext()

    own = np.zeros((2, 8))
    crew = threads.Crew(2, given if how == "no context" else entered)
    for _ in range(2):
        with pytest.raises(MemoryError, match="mine"):
            crew.run(lambda k, counters: meet(counters, k, 2, own, 10))
    crew.begin = nullcontext
    assert crew.run(lambda k, counters: meet(counters, k, 2, own, 10)) == 0


@pytest.mark.parametrize("size", [1, 3])
def test_each_is_within_its_own_while_it_works(size: int) -> None:
    events: list[tuple[str, int]] = []

    @contextmanager
    def within() -> Iterator[None]:
        events.append(("in", threading.get_ident()))
        try:
            yield
        finally:
            events.append(("out", threading.get_ident()))

    def work(k: int, counters: Array) -> None:
        events.append(("work", threading.get_ident()))
        if k == failing:
            raise KeyError("mine")

    crew = threads.Crew(size, within)
    for failing in (-1, 0, size - 1):
        events.clear()
        with nullcontext() if failing < 0 else pytest.raises(KeyError, match="mine"):
            crew.run(work)
        mine = threading.get_ident()
        who = {thread for _, thread in events}
        assert mine in who
        if failing != 0:  # otherwise a helper may have had nothing to do any more
            assert len(who) == size
        for thread in who:
            assert [what for what, whose in events if whose == thread] == ["in", "work", "out"]


def test_an_interrupt_while_work_is_handed_out(
    meet: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between the first helper's part and the second's."""
    whole = threads._hand_out
    own = np.zeros((3, 8))

    def interrupted(tasks: Any) -> None:
        whole(tasks[:1])
        raise KeyboardInterrupt

    crew = threads.Crew(3, nullcontext)
    monkeypatch.setattr(threads, "_hand_out", interrupted)
    with pytest.raises(KeyboardInterrupt):
        crew.run(lambda k, counters: meet(counters, k, 3, own, 1000))
    monkeypatch.undo()
    assert crew.run(lambda k, counters: meet(counters, k, 3, own, 1000)) == 0


def test_crews_take_turns(meet: Callable[..., int]) -> None:
    def some(_: int) -> list[int]:
        own, crew = np.zeros((2, 8)), threads.Crew(2, nullcontext)
        return [crew.run(lambda k, c: meet(c, k, 2, own, 50)) for _ in range(20)]

    with ThreadPoolExecutor(4) as pool:
        assert [list(r) for r in pool.map(some, range(4))] == [[0] * 20] * 4


def test_helpers_stay_few_and_hold_nothing(meet: Callable[..., int]) -> None:
    import gc
    import weakref

    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    own = np.zeros((2, 8))

    def work(k: int, counters: Array, thing: Thing = thing) -> int:
        return meet(counters, k, 2, own, 2)

    threads.Crew(2, nullcontext).run(work)
    before = threading.active_count()
    for _ in range(100):
        threads.Crew(2, nullcontext).run(lambda k, c: meet(c, k, 2, own, 2))
    assert threading.active_count() == before
    del work, thing
    gc.collect()
    deadline = time.monotonic() + 5  # the helper may be on its way back
    while gone() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert gone() is None


# -- fits ----------------------------------------------------------------------------------------


def fit(seed: int = 0, epochs: int = 2, **more: Any) -> cr.Trainer:
    trainer = cr.Trainer(wide(seed=seed), cr.Adam(), engine="compiled", threads=2)
    trainer.fit(*blobs(300, 784), epochs, 128, progress=None, **more)
    assert trainer.engine_used == "compiled"
    return trainer


def test_fits_at_once_and_within_each_other() -> None:
    alone = [fit(seed) for seed in range(3)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(fit, range(3)))
    for a, b in zip(alone, together, strict=True):
        same_bits(a, b)
    inner: list[cr.Trainer] = []
    outer = fit(0, callbacks=[lambda trainer: inner.append(fit(1))])
    same_bits(outer, alone[0])
    assert len(inner) == 2
    for trainer in inner:
        same_bits(trainer, alone[1])


def test_rows_fewer_than_shards_in_the_last_batch() -> None:
    x, t = blobs(129, 784)
    ends = []
    for engine, count in (("numpy", 1), ("compiled", 1), ("compiled", 2), ("compiled", 7)):
        trainer = cr.Trainer(wide(), cr.SGD(0.1), engine=engine, threads=count)
        trainer.fit(x, t, 2, 128, progress=None)
        ends.append(trainer)
    for trainer in ends[1:]:
        np.testing.assert_allclose(trainer.history.losses, ends[0].history.losses, rtol=2e-5)
        for p, q in zip(trainer.model.params, ends[0].model.params, strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-3, atol=1e-5)


def process(program: str, **env: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, **env}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


@posix
def test_a_fit_in_a_forked_child_after_one_in_the_parent() -> None:
    program = """
    import multiprocessing, os
    from tests.engine.compiled.test_threads import fit
    from tests.training.engines import bits

    def child(_=0):
        return bits(fit())

    here = child()
    print(here)
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, child().encode())
        os._exit(0)
    print(os.read(read, 100).decode())
    os.wait()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for found in pool.map(child, range(2)):
            print(found)
    print(child())
    """
    assert len(set(process(program).split())) == 1


def test_nothing_keeps_the_interpreter_from_ending() -> None:
    program = """
    import threading, time
    from tests.engine.compiled.test_threads import fit
    fit()
    def on():
        while True:
            fit(0, 10**4)
    threading.Thread(target=on, daemon=True).start()
    time.sleep(0.5)
    print("end", flush=True)
    """
    assert process(program) == "end\n"


@pytest.mark.long
def test_a_hundred_fits_leave_no_thread_behind() -> None:
    fit()
    before = threading.active_count()
    words = {bits(fit()) for _ in range(100)}
    assert threading.active_count() == before
    assert len(words) == 1


@pytest.mark.long
def test_ten_thousand_epochs_take_no_more_memory() -> None:
    program = """
    import gc, resource, tracemalloc
    import numpy as np
    import chainrule as cr
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.SGD(0.5), engine="compiled")
    trainer.fit(x, t, 10_000, 30, progress=None)
    figures = []
    for _ in range(3):
        trainer.history = cr.History()
        trainer.fit(x, t, 10_000, 30, progress=None)
        figures.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print(figures[-1] - figures[0])
    tracemalloc.start()
    trainer.history = cr.History()
    trainer.fit(x, t, 100, 30, progress=None)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(20):
        trainer.history = cr.History()
        trainer.fit(x, t, 100, 30, progress=None)
    gc.collect()
    print(tracemalloc.get_traced_memory()[0] - before)
    """
    grown, traced = map(int, process(program).split())
    assert grown < 20_000  # KiB
    assert traced < 100_000
