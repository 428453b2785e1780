"""Training on the compiled engine: the same training as on the NumPy engine, by other means."""

from __future__ import annotations

import ast
import io
import math
import os
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.training.engines import alike, bits, blobs, plain, rich, same_bits, spiral, wide

import chainrule as cr
from chainrule.errors import (
    DataError,
    ExtraMissingError,
    NonFiniteError,
    RecordingError,
    SettingError,
)
from chainrule.schedules import Cosine, ReduceOnPlateau, Schedule, Step, WarmUp
from chainrule.training.choice import Choice, choose

pytest.importorskip("llvmlite")
compiled = pytest.importorskip("chainrule.training.compiled")

Array = npt.NDArray[Any]
Make = Callable[[], Any]

#: What the losses may differ by between the engines, relatively.
CLOSE = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}


def trained(net: Any, optimizer: Any, x: Array, t: Array, **more: Any) -> cr.Trainer:
    """A trainer after a fit on an engine; told nothing."""
    engine, threads = more.pop("engine", "compiled"), more.pop("threads", None)
    trainer = cr.Trainer(net, optimizer, seed=5, engine=engine, threads=threads)
    trainer.fit(x, t, more.pop("epochs", 3), more.pop("batch_size", 32), progress=None, **more)
    assert trainer.engine_used == engine, trainer.engine_reason
    return trainer


def both(net: Make, optimizer: Make, x: Array, t: Array, **more: Any) -> None:
    """Train on both engines, and compare."""
    more = {k: v if callable(v) else (lambda v=v: v) for k, v in more.items()}
    a, b = (
        trained(net(), optimizer(), x, t, engine=engine, **{k: v() for k, v in more.items()})
        for engine in ("compiled", "numpy")
    )
    alike(a, b, CLOSE[a.model.dtype])


# -- the same training ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {},  # the last batch has 12 rows
        {"batch_size": 299},  # and here one
        {"batch_size": 10_000},
        {"batch_size": 1, "epochs": 1},
        {"shuffle": False},
        {"validation": 0.2, "metrics": ("accuracy",)},
        {"metrics": ("accuracy",)},
    ],
    ids=str,
)
def test_batches_and_columns(more: dict[str, Any]) -> None:
    both(plain, lambda: cr.SGD(0.5), *spiral(), **more)


@pytest.mark.parametrize(
    "schedule",
    [
        lambda: Cosine(0.5, steps=25),
        lambda: Step(0.5, every=7, factor=0.5),
        lambda: WarmUp(Cosine(0.5, steps=20), steps=5),
        lambda: ReduceOnPlateau(0.5, patience=1, min_delta=0.1),
    ],
)
def test_schedules(schedule: Make) -> None:
    both(plain, lambda: cr.SGD(schedule()), *spiral(), epochs=6, validation=0.25)


def test_a_schedule_by_hand_keeps_its_rate_of_every_epoch() -> None:
    class Falling(Schedule):
        def __call__(self, step: int) -> float:
            return 0.5 / (1 + step)

    x, t = spiral()
    trainer = trained(plain(), cr.SGD(Falling()), x, t, epochs=40)
    assert trainer.history["lr"] == [0.5 / (1 + 10 * e) for e in range(40)]


def test_decay_and_clipping() -> None:
    def optimizer() -> cr.Momentum:
        return cr.Momentum(0.1, l1=1e-3, l2=1e-2, clip_value=0.01)

    both(plain, optimizer, *spiral())
    assert trained(plain(), optimizer(), *spiral()).history["penalty"][0] > 0


def test_norms_and_shrinking() -> None:
    both(plain, lambda: cr.AdamW(0.01, weight_decay=0.1, clip_norm=0.05), *spiral())


def test_running_statistics_dropout_and_the_largest_gradient() -> None:
    both(rich, lambda: cr.Adam(0.01), *spiral(), max_grad=0.1, batch_size=64)


def test_float64() -> None:
    def net() -> cr.Sequential:
        return plain(np.float64)

    both(net, lambda: cr.Adam(0.01, l2=1e-3), *spiral(np.float64))


def test_a_large_batch_whose_rows_cannot_be_done_in_blocks() -> None:
    """Rows abreast, all at once, since the norm needs their mean: more than a thread's memory holds."""
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((6000, 6)), rng.standard_normal((6000, 1))
    losses = []
    for engine in ("numpy", "compiled"):
        net = cr.Sequential(
            cr.Affine.sized(6, 40), cr.BatchNorm.sized(40), cr.Tanh(), cr.Affine.sized(40, 40),
            cr.Tanh(), cr.Affine.sized(40, 1), loss=cr.MeanSquaredError(), seed=0,
        )  # fmt: skip
        trainer = cr.Trainer(net, cr.Adam(1e-3), engine=engine, threads=1, seed=0)
        losses.append(trainer.fit(x, t, epochs=3, batch_size=6000, progress=None).losses)
        assert trainer.engine_used == engine
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


def test_the_momentum_of_a_dead_unit_becomes_zero_not_subnormal() -> None:
    """Subnormal numbers make a processor many times as slow, and decay stops among them: 0.9 of the
    smallest is the smallest again."""
    rng = np.random.default_rng(1)
    x, t = rng.standard_normal((120, 4)), rng.integers(0, 3, 120)
    net = cr.Sequential(
        cr.Affine.sized(x.shape[1], 16), cr.ReLU(), cr.Affine.sized(16, 3),
        loss=cr.SoftmaxWithLoss(), seed=0,
    )  # fmt: skip
    optimizer = cr.Adam(1e-3)
    trainer = cr.Trainer(net, optimizer, engine="compiled", seed=0)
    trainer.fit(x, t, epochs=2, batch_size=20, progress=None)
    net.params[1][:5] = -100  # never above 0 again
    trainer.fit(x, t, epochs=300, batch_size=20, progress=None)
    assert trainer.engine_used == "compiled"
    numbers = np.concatenate([a.ravel() for slots in optimizer.state or [] for a in slots])
    tiny = np.finfo(numbers.dtype).tiny
    assert not np.any((numbers != 0) & (np.abs(numbers) < tiny))
    assert np.any(numbers == 0)
    # This thread's own arithmetic is as it was.
    assert np.float32(1e-38) * np.float32(0.01) > 0


def test_weights_of_rows_and_a_frozen_layer() -> None:
    def net() -> cr.Sequential:
        made = plain()
        made.layers[0].trainable = False
        return made

    x, t = spiral()
    weights = np.random.default_rng(0).uniform(0, 2, len(x))
    both(net, lambda: cr.SGD(0.1), x, t, sample_weight=weights)


def test_tied_weights() -> None:
    def net() -> cr.Sequential:
        W = np.random.default_rng(0).normal(size=(4, 2))
        one, two = cr.Affine(W, np.zeros(2)), cr.Affine(W.T, np.zeros(4))
        return cr.Sequential(one, cr.Tanh(), two, loss=cr.MeanSquaredError())

    x = np.random.default_rng(1).normal(size=(50, 4))
    both(net, lambda: cr.SGD(0.05), x, x)


def test_early_stopping_stops_and_goes_back_alike() -> None:
    stopping = cr.EarlyStopping(patience=2, min_delta=0.02)
    both(plain, lambda: cr.SGD(0.5), *spiral(), validation=0.3, epochs=60,
         early_stopping=lambda: stopping)  # fmt: skip
    trainer = trained(plain(), cr.SGD(0.5), *spiral(), validation=0.3, epochs=60,
                      early_stopping=stopping)  # fmt: skip
    assert "has not improved" in (trainer.history.stopped or "")
    assert trainer.optimizer.iter < trainer.history.steps  # it went back


def test_switching_engines_between_fits_goes_on_alike() -> None:
    x, t = spiral()
    trainers = []
    for engines in (("numpy",) * 3, ("compiled", "numpy", "compiled"), ("numpy", "compiled") * 2):
        trainer = cr.Trainer(rich(), cr.Adam(0.01), seed=5)
        for engine in engines[:3]:
            trainer.engine = engine
            trainer.fit(x, t, 2, 64, max_grad=0.1, progress=None)
        trainers.append(trainer)
    alike(trainers[1], trainers[0], 3e-5)
    alike(trainers[2], trainers[0], 3e-5)


# -- the same bits ------------------------------------------------------------------------------


def test_fits_one_after_the_other_are_one_fit() -> None:
    x, t = spiral()
    straight = trained(rich(), cr.Adam(0.01), x, t, epochs=7, batch_size=64, max_grad=0.1)
    parts = trained(rich(), cr.Adam(0.01), x, t, epochs=2, batch_size=64, max_grad=0.1)
    parts.fit(x, t, 1, 64, max_grad=0.1, progress=None)
    parts = pickle.loads(pickle.dumps(parts))
    parts.fit(x, t, 4, 64, max_grad=0.1, progress=None)
    same_bits(straight, parts)
    assert [e["loss"] for e in straight.history.epochs] == parts.history["loss"]


@pytest.mark.parametrize("call", [0.0, 1e-4, 10.0])
def test_how_many_steps_a_call_makes_changes_nothing(
    call: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, t = spiral()
    usual = trained(plain(), cr.SGD(0.5), x, t, epochs=20)
    monkeypatch.setattr(compiled, "CALL_SECONDS", call)
    same_bits(usual, trained(plain(), cr.SGD(0.5), x, t, epochs=20))
    assert usual.current_epoch == len(usual.history.epochs) == 20


def test_where_and_how_the_data_lie_changes_nothing(tmp_path: Any) -> None:
    x, t = spiral()
    usual = trained(plain(), cr.SGD(0.5), x, t)
    moved = np.frombuffer(b"." * 3 + x.tobytes(), np.uint8)[3:].view(np.float32).reshape(x.shape)
    assert not moved.flags.aligned
    locked, turned = x.copy(), np.asfortranarray(x)
    locked.flags.writeable = False
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    strided = np.repeat(x, 2, axis=0)[::2]
    for other in (moved, locked, turned, mapped, strided, x.astype(np.float64), x.tolist()):
        same_bits(usual, trained(plain(), cr.SGD(0.5), other, t))
    ids = t.copy()
    ids.flags.writeable = False
    same_bits(usual, trained(plain(), cr.SGD(0.5), x, ids))


WIDE = """
import chainrule as cr
from tests.training.engines import bits, blobs, wide
x, t = blobs(500, 784)
for threads in (1, 2):
    trainer = cr.Trainer(wide(), cr.Adam(), engine="compiled", threads=threads)
    trainer.fit(x, t, 2, 128, progress=None)
    print(bits(trainer))
"""


def process(program: str, **env: str) -> str:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        env={**os.environ, **env}, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_new_processes_give_the_same_bits(tmp_path: Any) -> None:
    """The first compiles, into an empty folder; the other loads what it compiled."""
    outs = [process(WIDE, PYTHONHASHSEED=seed, CHAINRULE_CACHE=str(tmp_path)) for seed in "01"]
    assert outs[0] == outs[1]
    assert len(set(outs[0].split())) == 2  # the number of threads is in the bits


# -- callbacks ----------------------------------------------------------------------------------


def test_callbacks_are_called_after_every_step_or_epoch() -> None:
    class Counting(cr.Callback):
        def __init__(self) -> None:
            self.steps: list[int] = []
            self.epochs: list[int] = []

        def on_step(self, trainer: cr.Trainer) -> None:
            self.steps.append(trainer.optimizer.iter)
            assert trainer.history.steps == trainer.optimizer.iter

        def on_epoch(self, trainer: cr.Trainer) -> None:
            self.epochs.append(trainer.optimizer.iter)

    x, t = spiral()
    counting = Counting()
    told = trained(plain(), cr.SGD(0.5), x, t, callbacks=[counting])
    assert counting.steps == list(range(1, 31))
    assert counting.epochs == [10, 20, 30]
    same_bits(told, trained(plain(), cr.SGD(0.5), x, t))
    epochs: list[int] = []
    trained(plain(), cr.SGD(0.5), x, t, callbacks=[lambda tr: epochs.append(tr.optimizer.iter)])
    assert epochs == [10, 20, 30]


def _lower_rate(trainer: cr.Trainer) -> None:
    trainer.optimizer.lr = 0.1


def _more_dropout(trainer: cr.Trainer) -> None:
    trainer.model.layers[3].ratio = 0.45


def _freeze(trainer: cr.Trainer) -> None:
    trainer.model.layers[0].trainable = False


def _freeze_all(trainer: cr.Trainer) -> None:
    for layer in trainer.model.layers:
        layer.trainable = trainer.current_epoch > 2


def _decay(trainer: cr.Trainer) -> None:
    trainer.optimizer.l2 = 0.1


def _forget(trainer: cr.Trainer) -> None:
    trainer.optimizer.state = None


def _by_hand(trainer: cr.Trainer) -> None:
    trainer.model.params[0][...] *= 0.5


@pytest.mark.parametrize(
    ("change", "net"),
    [
        (_lower_rate, plain),
        (_more_dropout, rich),
        (_freeze, plain),
        (_freeze_all, plain),
        (_decay, plain),
        (_forget, rich),
        (_by_hand, plain),
    ],
    ids=lambda f: f.__name__.strip("_"),
)
@pytest.mark.parametrize("when", ["epoch", "step"])
def test_what_a_callback_changes_takes_effect_as_on_the_other_engine(
    change: Callable[[cr.Trainer], None], net: Callable[[], Any], when: str
) -> None:
    class AfterEpochs(cr.Callback):
        def on_epoch(self, trainer: cr.Trainer) -> None:
            if trainer.current_epoch in (1, 3):
                change(trainer)

    class AfterSteps(cr.Callback):
        def on_step(self, trainer: cr.Trainer) -> None:
            if trainer.optimizer.iter in (3, 12):
                change(trainer)

    x, t = spiral()
    ends = []
    for engine in ("compiled", "numpy"):
        optimizer, most = (cr.SGD(0.5), None) if net is plain else (cr.Adam(0.01), 0.1)
        trainer = cr.Trainer(net(), optimizer, seed=5, engine=engine)
        watcher = AfterEpochs() if when == "epoch" else AfterSteps()
        trainer.fit(x, t, 4, 64, max_grad=most, callbacks=[watcher], progress=None)
        ends.append(trainer)
    alike(ends[0], ends[1], 2e-5)


def test_an_exception_in_a_callback_leaves_everything_as_after_that_step() -> None:
    class Failing(cr.Callback):
        def on_step(self, trainer: cr.Trainer) -> None:
            if trainer.optimizer.iter == 13:
                raise KeyError("mine")

    x, t = spiral()
    trainer = cr.Trainer(plain(), cr.SGD(0.5), seed=5, engine="compiled")
    with pytest.raises(KeyError, match="mine"):
        trainer.fit(x, t, 3, 32, callbacks=[Failing()], progress=None)
    assert trainer.history.steps == trainer.optimizer.iter == 13
    assert trainer.current_epoch == len(trainer.history.epochs) == 1
    same_bits(trainer, after(13, plain(), cr.SGD(0.5), x, t, 3))
    trainer.fit(x, t, 1, 32, progress=None)
    assert trainer.optimizer.iter == 23


class StopAt(cr.Callback):
    """Ends training after a step."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_start(self, trainer: cr.Trainer) -> None:
        if self.steps == 0:
            trainer.stop("there")

    def on_step(self, trainer: cr.Trainer) -> None:
        if trainer.optimizer.iter == self.steps:
            trainer.stop("there")


def after(steps: int, net: Any, optimizer: Any, x: Array, t: Array, epochs: int) -> cr.Trainer:
    """A straight run of so many steps."""
    return trained(net, optimizer, x, t, epochs=epochs, callbacks=[StopAt(steps)])


# -- numbers that are not finite -------------------------------------------------------------------


class Spike(Schedule):
    """A rate that throws the parameters out of range at one update, so that the next step fails."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self, step: int) -> float:
        return 3e38 if step == self.at else 0.5


@pytest.mark.parametrize("at", [0, 3, 4, 5, 23])
def test_a_loss_that_is_not_finite_is_caught_at_its_step(at: int) -> None:
    x, t = spiral()
    good = at + 1  # the update itself goes through; what it leads to does not
    told = []
    for engine in ("compiled", "numpy"):
        trainer = cr.Trainer(rich(), cr.Adam(Spike(at)), seed=5, engine=engine)
        with pytest.raises(NonFiniteError) as error:
            trainer.fit(x, t, 50, 64, max_grad=0.1, progress=None)
        assert trainer.history.steps == trainer.optimizer.iter == good
        assert trainer.current_epoch == len(trainer.history.epochs) == good // 5
        told.append((str(error.value), trainer))
    assert told[0][0] == told[1][0]
    assert f"epoch {1 + good // 5}, batch {1 + good % 5} of 5" in told[0][0]
    assert told[0][1].rng.bit_generator.state == told[1][1].rng.bit_generator.state
    straight = trained(rich(), cr.Adam(Spike(at)), x, t, epochs=50, batch_size=64, max_grad=0.1,
                       callbacks=[StopAt(good)])  # fmt: skip
    if good % 5 == 0:
        straight.rng.shuffle(np.arange(len(x)))  # the next epoch was drawn when it failed
    same_bits(told[0][1], straight)


def test_the_first_step_may_be_the_bad_one() -> None:
    x, t = spiral()
    net = rich()
    net.params[0][0, 0] = np.nan
    before = [a.copy() for a in (*net.params, *net.named_buffers().values())]
    trainer = cr.Trainer(net, cr.Adam(0.01), seed=5, engine="compiled")
    with pytest.raises(NonFiniteError, match=r"epoch 1, batch 1 of 5.*layer 0 \(Affine\)"):
        trainer.fit(x, t, 3, 64, max_grad=0.1, progress=None)
    for a, b in zip([*net.params, *net.named_buffers().values()], before, strict=True):
        assert a.tobytes() == b.tobytes()
    assert trainer.history.steps == trainer.optimizer.iter == 0


def test_data_that_turn_bad_on_the_way() -> None:
    """NaN in a row, after the data were looked at: the batch with that row is named."""
    x, t = spiral()

    def spoil(trainer: cr.Trainer) -> None:
        if trainer.current_epoch == 2:
            x[77, 1] = np.nan

    told = []
    for engine in ("compiled", "numpy"):
        x[77, 1] = 0.25
        trainer = cr.Trainer(rich(), cr.Adam(0.01), seed=5, engine=engine)
        with pytest.raises(NonFiniteError, match="the input, rows") as error:
            trainer.fit(x, t, 5, 64, max_grad=0.1, callbacks=[spoil], progress=None)
        told.append((str(error.value), trainer))
    assert told[0][0] == told[1][0]
    alike(told[0][1], told[1][1], 1e-4)


def test_two_threads_find_the_bad_step_too() -> None:
    x, t = blobs(512, 784)
    trainer = cr.Trainer(wide(), cr.Adam(), seed=5, engine="compiled", threads=2)
    trainer.fit(x, t, 1, 128, progress=None)
    good = bits(trainer)
    x[3, 3] = np.nan

    class Late(cr.Callback):
        def on_start(self, trainer: cr.Trainer) -> None:
            x[3, 3] = np.nan

    x[3, 3] = 0.0
    with pytest.raises(NonFiniteError, match=r"epoch 2, batch \d of 4"):
        trainer.fit(x, t, 3, 128, shuffle=False, callbacks=[Late()], progress=None)
    assert bits(trainer) == good
    assert trainer.history.steps == trainer.optimizer.iter == 4


def test_a_schedule_that_fails_does_so_at_its_step() -> None:
    class Ending(Schedule):
        def __call__(self, step: int) -> float:
            return 0.5 if step < 13 else -1.0

    x, t = spiral()
    for engine in ("compiled", "numpy"):
        trainer = cr.Trainer(plain(), cr.SGD(Ending()), seed=5, engine=engine)
        with pytest.raises(SettingError, match="for update 13"):
            trainer.fit(x, t, 3, 32, progress=None)
        assert trainer.optimizer.iter == 13


# -- Ctrl-C -------------------------------------------------------------------------------------

CTRL_C = """
import os, random, signal, sys, threading
import numpy as np
import chainrule as cr
from tests.training.engines import bits, blobs, plain, spiral, wide
from chainrule.training.loop import Interrupt
from tests.training.test_compiled_training import StopAt

def interrupted(net, optimizer, x, t, batch, delay):
    trainer = cr.Trainer(net, optimizer, seed=5, engine="compiled", threads=2)
    timer = threading.Timer(delay, lambda: os.kill(os.getpid(), signal.SIGINT))
    Interrupt.__enter__ = lambda self: (enter(self), timer.start())[0]
    trainer.fit(x, t, 10**6, batch, progress=None)
    timer.join()
    assert trainer.history.stopped == "interrupted by Ctrl-C"
    return trainer

enter = Interrupt.__enter__
dice = random.Random({seed})
for make, data, batch, longest in (
    (lambda: (plain(), cr.SGD(0.1)), spiral(), 32, {many}),
    (lambda: (wide(), cr.Adam()), blobs(1000, 784), 128, {many} / 2),
):
    cr.Trainer(*make(), engine="compiled", threads=2).fit(*data, 1, batch, progress=None)
    for _ in range({times}):
        trainer = interrupted(*make(), *data, batch, dice.uniform(0, longest))
        steps = trainer.history.steps
        assert trainer.current_epoch < 10**6
        assert trainer.optimizer.iter == steps
        assert all(np.isfinite(p).all() for p in trainer.model.params)
        Interrupt.__enter__ = enter
        per = -(-len(data[0]) // batch)
        assert trainer.current_epoch == len(trainer.history.epochs) == -(-steps // per)
        straight = cr.Trainer(*make(), seed=5, engine="compiled", threads=2)
        straight.fit(*data, 1 + steps // per, batch, callbacks=[StopAt(steps)], progress=None)
        straight.stop_reason = None
        if steps:
            assert bits(straight) == bits(trainer), steps
        both = [trainer, straight]
        for t in both:
            t.fit(*data, 1, batch, progress=None)
        assert bits(straight) == bits(trainer), steps
print("fine")
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_at_any_moment() -> None:
    """Training ends with the step in hand, everything as after a straight run of those steps."""
    assert process(CTRL_C.format(seed=1, many=0.12, times=2)) == "fine\n"


@pytest.mark.long
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("seed", range(5))
def test_ctrl_c_at_many_moments(seed: int) -> None:
    assert process(CTRL_C.format(seed=100 + seed, many=0.8, times=12)) == "fine\n"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_second_ctrl_c_raises() -> None:
    program = """
    import os, signal, sys, threading, time
    import chainrule as cr
    from tests.training.engines import plain, spiral

    class Slow(cr.Callback):
        def on_epoch(self, trainer):
            os.kill(os.getpid(), signal.SIGINT)
            if trainer.stop_reason is None:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    trainer = cr.Trainer(plain(), cr.SGD(0.1), engine="compiled")
    try:
        trainer.fit(*spiral(), 10, 32, callbacks=[Slow()], progress=None)
    except KeyboardInterrupt:
        trainer.fit(*spiral(), 1, 32, progress=None)
        print(trainer.optimizer.iter)
    """
    assert process(program) == "20\n"


# -- which engine ---------------------------------------------------------------------------------

BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "llvmlite":
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Blocker())
import chainrule as cr
from tests.training.engines import plain, spiral
trainer = cr.Trainer(plain(), cr.SGD(0.1), engine="auto")
trainer.fit(*spiral(), 2, 32, progress="lines")
print(trainer.engine_used, "|", trainer.engine_reason, "|", len(trainer.history.epochs))
trainer = cr.Trainer(plain(), cr.SGD(0.1), engine="compiled")
try:
    trainer.fit(*spiral(), 2, 32)
except cr.errors.ExtraMissingError as error:
    print(error)
net = plain()
net.engine = "auto"
print(net.predict(spiral()[0]).shape)
net.engine = "compiled"
try:
    net.predict(spiral()[0])
except cr.errors.ExtraMissingError as error:
    print(error)
"""


def test_without_llvmlite() -> None:
    said = process(BLOCKED, CHAINRULE_ENGINE="auto").splitlines()
    assert said[0] == "numpy | llvmlite is not installed | 2"
    assert said[2] == "(300, 3)"
    for line in (said[1], said[3]):
        assert line.startswith("the compiled engine needs llvmlite:")
        assert 'pip install "chainrule[compiled]"' in line
    assert issubclass(ExtraMissingError, Exception)


def test_auto_takes_the_compiled_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINRULE_ENGINE", raising=False)
    trainer = cr.Trainer(plain(), cr.SGD(0.1))
    trainer.fit(*spiral(), 1, 32, progress=None)
    assert trainer.engine_used == "numpy"  # a few steps are not worth compiling
    assert "compiling it would take" in str(trainer.engine_reason)
    x, t, _ = trainer.model._prepare(*spiral())
    assert choose(trainer, x[:32], t[:32], None, 10**8) == Choice("compiled")


@pytest.mark.parametrize("bad", ["llvm", "Compiled", None, 3])
def test_no_such_engine(bad: Any) -> None:
    with pytest.raises(SettingError, match="engine="):
        cr.Trainer(plain(), cr.SGD(0.1), engine=bad)
    with pytest.raises(SettingError, match="engine="):
        plain().engine = bad


class ByHand:
    """A layer with the chapter's four members, and no base class."""

    def __init__(self) -> None:
        self.params: list[Array] = []
        self.grads: list[Array] = []

    def forward(self, x: Array) -> Array:
        self.out: Array = np.tanh(x)
        return self.out

    def backward(self, dout: Array) -> Array:
        dx: Array = dout * (1 - self.out**2)
        return dx


class Own(cr.SGD):
    def update(self, params: Any, grads: Any, decays: Any = None, factors: Any = None) -> None:
        for p, g in zip(params, grads, strict=True):
            p -= 0.5 * g
        self.iter += 1


def mixed() -> cr.Sequential:
    layers = [cr.Affine.sized(2, 10), ByHand(), cr.Affine.sized(10, 3)]
    return cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=0)


class ChapterNet:
    """A whole network by hand."""

    def __init__(self) -> None:
        self.inner = plain()
        self.params, self.grads = self.inner.params, self.inner.grads

    def forward(self, x: Array, t: Array) -> Any:
        return self.inner.forward(x, t)

    def backward(self) -> None:
        self.inner.backward()

    def predict(self, x: Array) -> Any:
        return self.inner.predict(x)


@pytest.mark.parametrize(
    ("net", "optimizer", "who"),
    [
        (mixed, lambda: cr.SGD(0.5), "ByHand is written by hand"),
        (plain, lambda: Own(0.5), "the optimizer has an update of its own"),
        (ChapterNet, lambda: cr.SGD(0.5), "the model is written by hand"),
    ],
)
def test_parts_by_hand_run_on_the_numpy_engine(
    net: Make, optimizer: Make, who: str, capfd: pytest.CaptureFixture[str]
) -> None:
    x, t = spiral()
    expected = cr.Trainer(plain(), cr.SGD(0.5), seed=5, engine="numpy")
    expected.fit(x, t, 3, 32, progress=None)
    trainer = cr.Trainer(net(), optimizer(), seed=5, engine="compiled")
    trainer.fit(x, t, 2, 32, progress="lines")
    trainer.fit(x, t, 1, 32, progress="lines")
    np.testing.assert_allclose(trainer.history.losses, expected.history.losses, rtol=1e-5)
    assert trainer.engine_used == "numpy"
    assert who in (trainer.engine_reason or "")
    said = capfd.readouterr().err
    assert said.count("This training runs on the NumPy engine") == said.count(who) == 1
    told = cr.Trainer(net(), optimizer(), seed=5, engine="compiled")
    told.fit(x, t, 1, 32, progress=None)
    assert capfd.readouterr().err.count(who) == 1


def test_what_cannot_be_compiled_runs_on_the_numpy_engine(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from chainrule.engine.compiled import cache
    from chainrule.engine.compiler.refusals import Refused
    from chainrule.engine.compiler.registry import STATEMENTS

    def failing(*given: Any) -> None:
        raise Refused("no such thing")

    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "_obtained", {})
    monkeypatch.setitem(STATEMENTS, ast.For, failing)
    x, t = spiral()
    trainer = cr.Trainer(plain(), cr.SGD(0.5), seed=5, engine="compiled")
    trainer.fit(x, t, 2, 32, progress=None)
    assert trainer.engine_used == "numpy"
    reason = str(trainer.engine_reason)
    assert reason.startswith("its kernel cannot be compiled (train_")
    assert reason.endswith(", `for s in range(starts.shape[0] - 1):`: no such thing)")
    assert len(trainer.history.epochs) == 2
    net = plain()
    net.engine = "compiled"
    np.testing.assert_array_equal(net.predict(x), plain().predict(x))
    assert capfd.readouterr().err.count("\n") == 1


def test_source_prints_the_latest_program(capsys: pytest.CaptureFixture[str]) -> None:
    trainer = cr.Trainer(plain(), cr.SGD(0.5), engine="compiled")
    with pytest.raises(RecordingError, match="call fit first"):
        trainer.source()
    trainer.fit(*spiral(), 1, 32, progress=None)
    trainer.source()
    text = capsys.readouterr().out
    assert "def train(" in text
    compile(text, "step", "exec")
    trainer.engine = "numpy"
    trainer.fit(*spiral(), 1, 32, progress=None)
    file = io.StringIO()
    trainer.source(file=file)
    assert "def step(" in file.getvalue()
    assert "def train(" not in file.getvalue()
    assert capsys.readouterr().out == ""
    by_hand = cr.Trainer(ChapterNet(), cr.SGD(0.5))
    by_hand.fit(*spiral(), 1, 32, progress=None)
    with pytest.raises(RecordingError, match="by hand"):
        by_hand.source()


def test_ids_beyond_a_table_are_refused_not_read() -> None:
    """A kernel does not look whether a row exists."""

    class Table(cr.Network):
        def __init__(self) -> None:
            super().__init__(loss=cr.SoftmaxWithLoss(), seed=0)
            self.out = cr.Affine.sized(4, 3)
            self.table = cr.Embedding.sized(5, 4)

        def predict(self, x: Any) -> Any:
            return self.out(self.table(x))

    rng = np.random.default_rng(0)
    x, t = rng.integers(0, 5, 60), rng.integers(0, 3, 60)
    both(Table, lambda: cr.SGD(0.5), x, t, batch_size=16)
    far = x.copy()
    far[50] = 10**9
    trainer = trained(Table(), cr.SGD(0.5), x, t, batch_size=16)
    net = trainer.model
    assert net.predict(x).shape == (60, 3)
    for call in (lambda: net.predict(far), lambda: trainer.fit(far, t, 1, 16, progress=None)):
        with pytest.raises((DataError, IndexError, ValueError)):
            call()


def test_progress_lines_and_the_time_of_epochs(capfd: pytest.CaptureFixture[str]) -> None:
    x, t = spiral()
    trainer = cr.Trainer(plain(), cr.SGD(0.5), seed=5, engine="compiled")
    trainer.fit(x, t, 30, 32, progress="lines")
    said = [line for line in capfd.readouterr().err.splitlines() if "Compiling" not in line]
    assert [line.split(":")[0] for line in said] == [f"epoch {e}/30" for e in range(1, 31)]
    assert all(0 < s < 5 and math.isfinite(s) for s in trainer.history["seconds"])


def test_a_kept_kernel_follows_another_model_optimizer_state_and_data() -> None:
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.Adam(0.01), engine="compiled")
    trainer.fit(x, t, 2, 30, progress=None)
    kernel = trainer._kernel
    trainer.fit(x[:100], t[:100], 2, 30, progress=None)  # a last batch of 10 rows
    assert trainer._kernel is kernel

    def straight() -> cr.Trainer:
        other = cr.Trainer(cr.TwoLayerNet(2, 10, 3, seed=5), cr.SGD(0.5), engine="compiled")
        other.fit(x[:100], t[:100], 3, 30, progress=None)
        return other

    trainer.model, trainer.optimizer = cr.TwoLayerNet(2, 10, 3, seed=5), cr.SGD(0.5)
    trainer.rng = np.random.default_rng(0)
    trainer.fit(x[:100], t[:100], 3, 30, progress=None)
    for p, q in zip(trainer.model.params, straight().model.params, strict=True):
        assert p.tobytes() == q.tobytes()
