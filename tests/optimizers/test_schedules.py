"""Every schedule against its formula; nesting; and the plateau."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import schedules
from chainrule.errors import SettingError
from chainrule.schedules import (
    Constant,
    Cosine,
    CosineLog,
    Exponential,
    FlatCosine,
    OfStep,
    ReduceOnPlateau,
    Schedule,
    Step,
    WarmUp,
)


def hyperbola(n: int) -> float:
    return 0.3 / (1 + n)


FORMULAS: list[tuple[Any, Callable[[int], float]]] = [
    (Constant(0.3), lambda n: 0.3),
    (Step(0.3, 10), lambda n: 0.3 * 0.1 ** (n // 10)),
    (Step(0.3, 7, 0.5), lambda n: 0.3 * 0.5 ** (n // 7)),
    (Step(0.3, 1, 1), lambda n: 0.3),
    (Exponential(0.3, 10), lambda n: 0.3 * math.exp(math.log(0.1) * n / 10)),
    (Exponential(0.3, 1, 0.99), lambda n: 0.3 * 0.99**n),
    (
        Cosine(0.3, 40),
        lambda n: 0.15 * (1 + math.cos(math.pi * n / 40)) if n < 40 else 0.0,
    ),
    (
        Cosine(0.3, 40, 0.2),
        lambda n: 0.06 + 0.12 * (1 + math.cos(math.pi * n / 40)) if n < 40 else 0.06,
    ),
    (
        FlatCosine(0.3, 40),
        lambda n: 0.3 if n < 20 else 0.15 * (1 + math.cos(math.pi * (n - 20) / 20)) * (n < 40),
    ),
    (
        CosineLog(0.3, 40),
        lambda n: 0.3 * math.sin(math.pi * math.log2(1 + 15 * min(n / 40, 1))) ** 2,
    ),
    (
        CosineLog(0.3, 50, waves=2),
        lambda n: 0.3 * math.sin(math.pi * math.log2(1 + 3 * min(n / 50, 1))) ** 2,
    ),
    (WarmUp(0.3, 8), lambda n: 0.3 * (n + 1) / 8 if n < 8 else 0.3),
    (WarmUp(0.3, 1), lambda n: 0.3),
    (ReduceOnPlateau(0.3), lambda n: 0.3),
    (OfStep(hyperbola), lambda n: 0.3 / (1 + n)),
    (WarmUp(hyperbola, 4), lambda n: 0.3 / (1 + n) * min(1, (n + 1) / 4)),
    (
        WarmUp(Step(Cosine(0.3, 50), 20, 0.5), 5),
        lambda n: (
            0.15
            * (1 + math.cos(math.pi * min(n, 50) / 50))
            * 0.5 ** (n // 20)
            * min(1, (n + 1) / 5)
        ),
    ),
]


def test_every_schedule_has_a_row() -> None:
    kinds = {type(s).__name__ for s, _ in FORMULAS}
    assert kinds == set(schedules.__all__) - {"Schedule", "as_schedule", "decay_schedule"}


@pytest.mark.parametrize(("schedule", "formula"), FORMULAS, ids=lambda v: repr(v)[:24])
def test_formulas(schedule: Any, formula: Any) -> None:
    for n in (*range(100), 10_000):
        rate = schedule(n)
        assert type(rate) is float
        assert rate == pytest.approx(formula(n), rel=1e-12, abs=1e-17)
    for twin in (copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))):
        assert [twin(n) for n in range(60)] == [schedule(n) for n in range(60)]
        assert repr(twin) == repr(schedule)


def test_a_schedule_drives_any_optimizer() -> None:
    for make in (cr.SGD, cr.Adam):
        scheduled, by_hand = make(Step(0.1, 2, 0.5)), make(0.1)
        p, q = np.ones(3), np.ones(3)
        for n in range(6):
            assert scheduled.lr == 0.1 * 0.5 ** (n // 2)
            by_hand.lr = 0.1 * 0.5 ** (n // 2)
            scheduled.update([p], [np.full(3, 0.5)])
            by_hand.update([q], [np.full(3, 0.5)])
            np.testing.assert_array_equal(p, q)
        scheduled.lr = Constant(0.25)
        assert scheduled.lr == 0.25
        assert "Step" in repr(make(Step(0.1, 2)))


def test_reduce_on_plateau() -> None:
    schedule = ReduceOnPlateau(1.0, factor=0.5, patience=2, min_delta=0.1)
    heard = [(5.0, 1.0), (4.0, 1.0), (3.95, 1.0), (4.5, 0.5), (3.95, 0.5), (3.8, 0.5)]
    heard += [(3.8, 0.5), (3.8, 0.25), (3.8, 0.25), (3.8, 0.125)]
    for loss, rate in heard:
        schedule.observe(loss)
        assert schedule(0) == rate
    inside = WarmUp(Cosine(ReduceOnPlateau(1.0, patience=1), 10), 1)
    inside.observe(1.0)
    inside.observe(1.0)  # heard through the schedules around it
    assert inside(0) == 0.5


def test_the_trainer_tells_the_plateau_its_losses() -> None:
    x, t = np.ones((8, 2)), np.zeros((8, 1))
    net = cr.Sequential(cr.Affine.sized(2, 1, init="zeros"), loss=cr.MeanSquaredError())
    trainer = cr.Trainer(net, cr.SGD(ReduceOnPlateau(0.1, patience=2)))
    trainer.fit(x, t, epochs=7, batch_size=4, progress=None)  # the loss is 0 and stays there
    assert trainer.history["lr"] == [0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025]


BAD: list[Any] = [np.nan, None, True, "a", -1, np.inf, [1]]
MAKE: list[tuple[str, Callable[[Any], Any], list[Any]]] = [
    ("lr", Constant, [0]),
    ("lr", lambda v: Step(v, 5), [0]),
    ("lr", lambda v: WarmUp(Cosine(v, 5), 5), [0]),
    ("every", lambda v: Step(0.1, v), [0, 2.5, 2.0]),
    ("every", lambda v: Exponential(0.1, v), [0, 2.5]),
    ("steps", lambda v: Cosine(0.1, v), [0, 2.5]),
    ("steps", lambda v: WarmUp(0.1, v), [0, 2.5]),
    ("patience", lambda v: ReduceOnPlateau(0.1, patience=v), [0, 2.5]),
    ("factor", lambda v: Step(0.1, 5, v), [0, 1.5]),
    ("factor", lambda v: Exponential(0.1, 5, v), [0, 1.5]),
    ("factor", lambda v: ReduceOnPlateau(0.1, v), [0, 1.5]),
    ("end", lambda v: Cosine(0.1, 5, v), [1.5]),
    ("min_delta", lambda v: ReduceOnPlateau(0.1, min_delta=v), []),
]


@pytest.mark.parametrize(("name", "make", "also"), MAKE)
def test_bad_settings_are_refused_with_name_and_value(name: str, make: Any, also: Any) -> None:
    for bad in [*BAD, *also]:
        with pytest.raises(SettingError) as caught:
            make(bad)
        assert f"{name}={bad!r} must be a" in str(caught.value)


def test_numpy_numbers_are_numbers() -> None:
    assert Step(np.float32(0.5), np.int64(5), np.float64(0.5))(5) == 0.25  # type: ignore[arg-type]


def test_a_schedule_of_one_s_own() -> None:
    class Triangle(Schedule):
        def __init__(self, top: float) -> None:
            self.top = top

        def __call__(self, step: int) -> float:
            return self.top / (1 + step)

    assert repr(cr.SGD(Triangle(0.5))) == "SGD(lr=Triangle(top=0.5))"
    assert Cosine(Triangle(0.5), 2)(1) == pytest.approx(0.125)
    Triangle(0.5).observe(1.0)


def test_weight_decay_by_a_schedule() -> None:
    """The shrinking of each update is lr · decay of that update: on arrays, and in the engines."""
    decay = FlatCosine(0.5, 8)
    W, by_hand = np.array([[2.0, -1.0]]), np.array([[2.0, -1.0]])
    optimizer = cr.SGD(0.1, weight_decay=decay)
    for step in range(10):
        optimizer.update([W], [np.ones((1, 2))])
        by_hand = by_hand - 0.1 * decay(step) * by_hand - 0.1
        np.testing.assert_allclose(W, by_hand, rtol=1e-14)
    assert decay(3) == 0.5
    assert decay(9) == 0
    for given in (0.5, decay, lambda step: 0.5):
        assert "weight_decay" in repr(cr.AdamW(weight_decay=given))
    with pytest.raises(SettingError, match="weight_decay"):
        cr.AdamW(weight_decay=-1.0)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_a_scheduled_decay_trains_alike(engine: str) -> None:
    if engine == "compiled":
        pytest.importorskip("llvmlite")
    x, t = cr.datasets.spiral()
    nets = [cr.TwoLayerNet(2, 10, 3, dtype=float) for _ in range(2)]
    trainer = cr.Trainer(nets[0], cr.AdamW(0.01, weight_decay=FlatCosine(2.0, 60)), engine=engine)
    trainer.fit(x, t, 8, 30, progress=None)
    by_hand = cr.AdamW(0.01, weight_decay=0.0)
    rng = np.random.default_rng(0)
    for _epoch in range(8):
        order = rng.permuted(np.arange(300))
        for i in range(10):
            rows = order[30 * i : 30 * i + 30]
            nets[1].forward(x[rows], t[rows])
            nets[1].backward()
            by_hand.weight_decay = FlatCosine(2.0, 60)(by_hand.iter)
            by_hand.update(nets[1].params, nets[1].grads)
    for a, b in zip(*(net.params for net in nets), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)
