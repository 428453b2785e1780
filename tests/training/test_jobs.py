"""`fit_many` in jobs of joblib: the bits of the same call without them, whoever carries the jobs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training.checkpoints.runs import digest_of_many
from tests.training.engines import plain, rich, spiral

import chainrule as cr
from chainrule.errors import NonFiniteError, SettingError
from chainrule.training.sharing import ManyFits

joblib = pytest.importorskip("joblib")
pytest.importorskip("llvmlite")
ROOT = Path(__file__).parents[2]


class ByHand:
    """A network in the chapter's way, whose bias no parameter holds."""

    def __init__(self, seed: int) -> None:
        self.W = np.random.default_rng(seed).normal(size=(2, 3))
        self.params, self.grads, self.steps = [self.W], [np.zeros((2, 3))], 0
        self.last = cr.SoftmaxWithLoss()

    def predict(self, x: Any) -> Any:
        return x @ self.W

    def forward(self, x: Any, t: Any) -> Any:
        self.x, self.steps = x, self.steps + 1
        return self.last.forward(x @ self.W, t)

    def backward(self) -> None:
        self.grads[0][...] = self.x.T @ self.last.backward()


def mixed(**more: Any) -> tuple[list[Any], list[Any], list[cr.History]]:
    """Networks of two structures and of both engines, one that does not stay finite, one by hand."""
    x, t = spiral()
    nets: list[Any] = [rich(seed=i) for i in range(5)] + [plain(seed=i) for i in range(6)]
    nets[10].layers[2].W[...] = 3e38
    rates: list[Any] = [cr.Adam(0.01 * (1 + i)) for i in range(11)]
    if more.pop("by_hand", False):
        nets, rates = [*nets, ByHand(0)], [*rates, cr.SGD(0.1)]
    given = {"validation": 0.2, "early_stopping": 2, "engine": "compiled", "threads": 1, **more}
    histories = cr.fit_many(nets, rates, x, t, epochs=6, batch_size=32, progress=None, **given)
    return nets, rates, histories


def digests(made: tuple[list[Any], list[Any], list[cr.History]]) -> list[str]:
    return [digest_of_many([n], [o], [h]) for n, o, h in zip(*made, strict=True)]


@pytest.fixture(scope="module")
def here() -> list[str]:
    return digests(mixed())


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_the_same_bits_and_the_same_objects(backend: str, here: list[str]) -> None:
    with joblib.parallel_config(backend):
        nets, rates, histories = mixed(n_jobs=2)
    assert digests((nets, rates, histories)) == here
    error = histories[10].error
    assert isinstance(error, NonFiniteError)
    assert error.said("zh") != error.said("en")  # it is a message still


def test_the_block_of_joblib_says_the_jobs(here: list[str]) -> None:
    seen = []
    start = joblib.Parallel.__call__

    def watched(parallel: Any, calls: Any) -> Any:
        seen.append(parallel.n_jobs)
        return start(parallel, calls)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joblib.Parallel, "__call__", watched)
        with joblib.parallel_config("loky", n_jobs=2):
            assert digests(mixed()) == here
        assert digests(mixed(n_jobs=1)) == here
    assert seen == [2]


@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_the_engine_is_that_of_the_whole_call(engine: str) -> None:
    """A job has a part of the steps only, by which compiling might not pay."""
    assert digests(mixed(engine=engine, n_jobs=2)) == digests(mixed(engine=engine))


def test_data_and_weights_of_each_network() -> None:
    x, t = spiral()
    xs = [x + i for i in range(4)]
    weights = [np.full(len(t), 1.0 + i, np.float32) for i in range(4)]
    held: list[Any] = [(x[:50] - i, t[:50]) for i in range(4)]
    found = []
    for n_jobs in (None, 2):
        nets = [plain(seed=i) for i in range(4)]
        histories = cr.fit_many(
            nets, cr.SGD(0.1), xs, t, 2, sample_weight=weights, validation=held, n_jobs=n_jobs,
            metrics=[lambda y, t: float(np.mean(y))], engine="compiled", progress=None,
        )  # fmt: skip
        found.append(
            [digest_of_many([n], [cr.SGD(0.1)], [h]) for n, h in zip(nets, histories, strict=True)]
        )
    assert found[0] == found[1]


def test_what_is_written_by_hand_is_trained_in_this_process() -> None:
    nets, rates, histories = mixed(by_hand=True, n_jobs=2, engine="auto")
    assert nets[-1].steps > 40  # an attribute that no job would bring back
    others = mixed(by_hand=True, engine="auto")
    assert nets[-1].W.tobytes() == others[0][-1].W.tobytes()
    expected = digests((others[0][:-1], others[1][:-1], others[2][:-1]))
    assert digests((nets[:-1], rates[:-1], histories[:-1])) == expected


def test_errors_name_the_network() -> None:
    x, t = spiral()

    def metric(y: Any, t: Any) -> float:
        raise RuntimeError("no such label")

    with pytest.raises(RuntimeError, match="no such label") as raised:
        cr.fit_many(
            [plain(seed=i) for i in range(8)], cr.SGD(), x, t, 2, metrics=[metric], n_jobs=2,
            engine="compiled", progress=None,
        )  # fmt: skip
    notes = "\n".join(raised.value.__notes__)
    assert "raised while networks[" in notes
    assert "raised by the job of networks[" in notes
    assert "0 of 8 networks were trained by then" in notes


@pytest.mark.parametrize("n_jobs", [0, 1.5, True, "2"])
def test_bad_numbers_are_refused(n_jobs: Any) -> None:
    with pytest.raises(SettingError, match="n_jobs must be"):
        mixed(n_jobs=n_jobs)


def test_without_joblib_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(cr.errors.ExtraMissingError, match=r"extra \[sklearn\]"):
        mixed(n_jobs=2)


INTERRUPTED = """
import sys, time
import chainrule as cr, joblib
if __name__ == "__main__":
    x, t = cr.datasets.spiral()
    nets = [cr.TwoLayerNet(2, 300, 3, seed=i) for i in range(8)]
    print("ready", flush=True)
    with joblib.parallel_config(sys.argv[1], n_jobs=2):
        histories = cr.fit_many(nets, cr.SGD(0.1), x, t, 100_000, engine="compiled", progress=None)
    before = nets[0].params[0].copy()
    time.sleep(0.3)
    assert (before == nets[0].params[0]).all(), "it is trained still"
    print(sum(h.interrupted for h in histories), histories[-1].stopped, flush=True)
"""


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_ctrl_c_ends_all_jobs(backend: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    process = subprocess.Popen(
        [sys.executable, str(script), backend], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(6)
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out == "8 interrupted by Ctrl-C\n"
    assert time.monotonic() - started < 50
    assert "Traceback" not in err


def test_ctrl_c_leaves_the_endings_of_networks_that_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also of those that have no epoch, since a number was not finite in their first."""
    x, t = spiral()
    nets = [plain(seed=i) for i in range(4)]
    nets[0].layers[2].W[...] = 3e38
    finish = ManyFits.finish

    def finish_and_interrupt(fits: ManyFits, i: int, state: Any) -> None:
        finish(fits, i, state)
        if i == 0:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(ManyFits, "finish", finish_and_interrupt)
    with joblib.parallel_config("threading"):
        histories = cr.fit_many(
            nets, cr.SGD(), x, t, 100_000, engine="compiled", threads=1, n_jobs=2, progress=None
        )
    assert len(histories[0]) == 0
    assert isinstance(histories[0].error, NonFiniteError)
    assert histories[0].stopped == histories[0].error.args[0]
    assert not histories[0].interrupted
    assert histories[-1].interrupted
    assert histories[-1].stopped == "interrupted by Ctrl-C"


@pytest.mark.parametrize("engine", ["compiled", "numpy"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_that_is_killed_is_an_error_with_what_is_trained(number: int, engine: str) -> None:
    x, t = spiral()

    def dies(y: Any, t: Any) -> float:
        os.kill(os.getpid(), number)
        return 0.0

    with pytest.raises(Exception, match=r"(?i)worker|terminated") as raised:
        cr.fit_many(
            [plain(seed=i) for i in range(4)], cr.SGD(), x, t, 2, metrics=[dies], n_jobs=2,
            engine=engine, progress=None,
        )  # fmt: skip
    assert "0 of 4 networks were trained by then" in raised.value.__notes__


@pytest.mark.filterwarnings("ignore")
def test_with_dask(here: list[str]) -> None:
    distributed = pytest.importorskip("dask.distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        assert digests(mixed()) == here


@pytest.mark.filterwarnings("ignore")
def test_with_ray(here: list[str]) -> None:
    ray = pytest.importorskip("ray")
    register = pytest.importorskip("ray.util.joblib").register_ray
    register()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        with joblib.parallel_config("ray"):
            assert digests(mixed()) == here
    finally:
        ray.shutdown()


def test_in_a_thread_of_the_program(here: list[str]) -> None:
    found: list[list[str]] = []
    thread = threading.Thread(target=lambda: found.append(digests(mixed(n_jobs=2))))
    thread.start()
    thread.join()
    assert found == [here]
