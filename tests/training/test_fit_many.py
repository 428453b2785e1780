"""Many networks at once: each as its own Trainer trains it, to the bit."""

from __future__ import annotations

import copy
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.training.engines import bits, plain, rich, spiral, state, wide

import chainrule as cr
from chainrule.errors import DataError, ExtraMissingError, NonFiniteError, SettingError
from chainrule.schedules import Cosine, ReduceOnPlateau, Schedule, Step, WarmUp
from chainrule.training.structure import rule_of, structure_of

pytest.importorskip("llvmlite")

Array = npt.NDArray[Any]
Make = Callable[[int], Any]


def rows_of(history: cr.History) -> list[dict[str, float]]:
    """The epochs without their times."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history.epochs]


def as_alone(
    make: Make, optimizer: Make, many: int = 5, threads: int | None = 2, **more: Any
) -> Any:
    """Train networks at once and each by its own Trainer; both must agree to the bit.

    What is a list of `many` is one for each.
    """
    x, t = more.pop("data", spiral())
    epochs, batch_size = more.pop("epochs", 3), more.pop("batch_size", 32)
    seeds = more.pop("seeds", list(range(5, 5 + many)))
    nets, optimizers = [make(i) for i in range(many)], [optimizer(i) for i in range(many)]
    histories = cr.fit_many(
        nets, optimizers, x, t, epochs, batch_size, seeds=seeds, engine="compiled", threads=threads,
        progress=None, **copy.deepcopy(more),
    )  # fmt: skip
    own = {"x": x, "t": t, **more}
    for i in range(many):
        trainer = cr.Trainer(make(i), optimizer(i), seed=seeds[i], engine="compiled", threads=1)
        given = {k: v[i] if isinstance(v, list) else copy.deepcopy(v) for k, v in own.items()}
        one = trainer.fit(epochs=epochs, batch_size=batch_size, progress=None, **given)
        assert trainer.engine_used == "compiled", trainer.engine_reason
        many_state = [
            *nets[i].params,
            *nets[i].named_buffers().values(),
            *(s for group in optimizers[i].state or [] for s in group),
        ]
        for p, q in zip(state(trainer), many_state, strict=True):
            assert p.tobytes() == q.tobytes(), i
        assert one.losses.tobytes() == histories[i].losses.tobytes(), i
        assert rows_of(one) == rows_of(histories[i])
        assert (one.stopped, one.interrupted) == (histories[i].stopped, False)
        assert optimizers[i].iter == trainer.optimizer.iter
        assert nets[i].engine == trainer.model.engine
    return histories


# -- the same bits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, None])
def test_each_network_is_trained_as_by_its_own_trainer(threads: int | None) -> None:
    histories = as_alone(lambda i: plain(seed=i), lambda i: cr.SGD(0.1 * (i + 1)), threads=threads)
    assert len({h.losses.tobytes() for h in histories}) == 5


@pytest.mark.parametrize(
    "more",
    [
        {"batch_size": 299},  # and a batch of one row
        {"batch_size": 10_000},
        {"batch_size": 1, "epochs": 1, "many": 2},
        {"shuffle": False},
        {"validation": 0.2},
        {"validation": 0.2, "metrics": ("accuracy",), "many": 3},
        {"metrics": ("accuracy",)},
        {"validation": spiral(), "epochs": 2},
        {"max_grad": 0.1},
        {"epochs": 60, "many": 9},
        {"many": 1},
    ],
    ids=str,
)
def test_batches_and_columns(more: dict[str, Any]) -> None:
    as_alone(lambda i: plain(seed=i), lambda i: cr.Adam(0.01), **more)


@pytest.mark.parametrize(
    "make",
    [
        lambda i: cr.Momentum(0.1, l2=1e-3 * (i + 1)),
        lambda i: cr.AdamW(0.01 * (i + 1), weight_decay=0.1 * i),  # the first without decay
        lambda i: cr.SGD(0.5, l1=1e-4, clip_value=0.01 * (i + 1)),
        lambda i: cr.RMSprop(0.01, clip_norm=0.1 * (i + 1)),
        lambda i: (cr.SGD, cr.Adam, cr.AdaGrad, cr.Nesterov, cr.SGD)[i](0.1),
        lambda i: cr.SGD(Cosine(0.5 + i, steps=25)),
        lambda i: cr.Adam(WarmUp(Step(0.01, every=7, factor=0.5), steps=5 + i)),
        lambda i: cr.SGD(ReduceOnPlateau(0.5, patience=1, min_delta=0.1)),
        lambda i: cr.SGD(lambda step: 0.5 / (1 + step + i)),
    ],
)
def test_optimizers_decays_and_schedules(make: Make) -> None:
    as_alone(lambda i: plain(seed=i), make)


def test_running_statistics_and_dropout_with_their_own_dice() -> None:
    histories = as_alone(lambda i: rich(seed=i), lambda i: cr.Adam(0.01), validation=0.2)
    assert len({h.losses.tobytes() for h in histories}) == 5


def test_dropout_with_one_seed_twice() -> None:
    def make(i: int) -> cr.Sequential:
        return cr.Sequential(
            cr.Affine.sized(2, 8),
            cr.Dropout(0.2, seed=0),
            cr.Tanh(),
            cr.Dropout(0.2, seed=i // 3),
            cr.Affine.sized(8, 3),
            loss=cr.SoftmaxWithLoss(),
            seed=i,
        )

    as_alone(make, lambda i: cr.SGD(0.1))


@pytest.mark.parametrize("steps", [None, 15])
def test_dropout_of_every_ratio_in_one_step(steps: int | None) -> None:
    """Ratios whose numbers (0.5, and 2 = 1 / (1 - 0.5)) other layers have, too."""
    ratios = [(0.5, 0.5), (0.3, 0.3), (0.75, 0.75), (0.1, 0.5), (0.5, 0.237)]

    def make(i: int) -> cr.Sequential:
        return cr.Sequential(
            cr.Affine.sized(2, 8), cr.Dropout(ratios[i][0], steps=steps), cr.LeakyReLU(0.5),
            cr.Function(double), cr.Dropout(ratios[i][1], steps=steps), cr.Affine.sized(8, 3),
            loss=cr.SoftmaxWithLoss(), seed=i,
        )  # fmt: skip

    as_alone(make, lambda i: cr.Adam(0.01))
    structures = [structure_of(make(i))[0] for i in range(5)]  # type: ignore[index]
    assert [structures.index(one) for one in structures] == [0, 0, 0, 3, 3]


def double(x: Any) -> Any:
    return 2.0 * x * 0.5 + x * 0.5


def test_float64_and_weights_of_rows() -> None:
    x, t = spiral(np.float64)
    weights = [np.random.default_rng(i).uniform(0, 2, len(x)) for i in range(5)]
    as_alone(
        lambda i: plain(np.float64, seed=i), lambda i: cr.Adam(0.01), data=(x, t), sample_weight=weights
    )  # fmt: skip


def test_networks_too_large_to_lie_abreast() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(200, 64)).astype(np.float32), rng.integers(0, 10, 200)
    as_alone(
        lambda i: wide(64, 200, 100, 10, seed=i), lambda i: cr.Adam(), many=3, data=(x, t), batch_size=64
    )  # fmt: skip


def test_data_of_their_own_of_several_lengths() -> None:
    rng = np.random.default_rng(0)
    xs = [rng.normal(size=(n, 2)).astype(np.float32) for n in (70, 100, 70, 300, 20)]
    ts = [rng.integers(0, 3, len(x)) for x in xs]
    pairs = [(x[:15], t[:15]) for x, t in zip(xs, ts, strict=True)]
    as_alone(lambda i: plain(seed=i), lambda i: cr.SGD(0.1), data=(xs, ts), validation=pairs)


def test_several_structures_at_once() -> None:
    def make(i: int) -> cr.Sequential:
        made = plain(seed=i) if i % 2 else rich(seed=i)
        if i == 3:
            made.layers[0].trainable = False
        if i == 4:
            made.layers[-1].lr_factor = 0.1
        return made

    as_alone(make, lambda i: cr.SGD(0.1))


def test_networks_and_layers_of_ones_own() -> None:
    as_alone(Skipping, lambda i: cr.SGD(0.1))
    assert len({structure_of(Skipping(i))[0] for i in range(3)}) == 1  # type: ignore[index]


def test_a_formula_that_computes_with_the_seed() -> None:
    as_alone(Seeded, lambda i: cr.SGD(0.1))
    assert len({structure_of(Seeded(i))[0] for i in range(3)}) == 3  # type: ignore[index]


class Skipping(cr.Network):
    def __init__(self, seed: int) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss(), seed=seed)
        self.first, self.last = cr.Affine.sized(2, 2), cr.Affine.sized(2, 3)

    def predict(self, x: Any) -> Any:
        return self.last(x + cr.tanh(self.first(x)))


class Seeded(Skipping):
    def predict(self, x: Any) -> Any:
        assert isinstance(self.seed, int)
        return self.last(x * (1 + self.seed))


def test_early_stopping_of_each_and_those_that_have_ended_leave() -> None:
    histories = as_alone(
        lambda i: plain(seed=i), lambda i: cr.SGD(0.2 * (i + 1)), many=8, epochs=60,
        validation=0.3, early_stopping=cr.EarlyStopping(patience=2, min_delta=0.02),
    )  # fmt: skip
    assert len({len(h) for h in histories}) > 2
    assert any("has not improved" in str(h.stopped) for h in histories)


def test_a_patience_and_a_metric_of_ones_own() -> None:
    def smallest(y: Array, t: Array) -> float:
        return float(y.min())

    stopping = cr.EarlyStopping("val_smallest", patience=1, larger_is_better=True)
    as_alone(
        lambda i: plain(seed=i), lambda i: cr.SGD(0.5), validation=0.3, metrics=(smallest,),
        early_stopping=stopping, epochs=9, many=4,
    )  # fmt: skip


def test_a_second_fit_goes_on_with_the_optimizers() -> None:
    x, t = spiral()
    nets, optimizers = [plain(seed=i) for i in range(3)], [cr.Adam(0.01) for _ in range(3)]
    for seeds in ([1, 2, 3], [4, 5, 6]):
        cr.fit_many(nets, optimizers, x, t, 2, seeds=seeds, engine="compiled", progress=None)
    for i, net in enumerate(nets):
        alone, optimizer = plain(seed=i), cr.Adam(0.01)
        for seed in (1 + i, 4 + i):
            trainer = cr.Trainer(alone, optimizer, seed=seed, engine="compiled", threads=1)
            trainer.fit(x, t, 2, progress=None)
        for p, q in zip(alone.params, net.params, strict=True):
            assert p.tobytes() == q.tobytes()


def test_the_same_bits_whatever_the_threads_and_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.training import pool

    def words(threads: int) -> list[bytes]:
        nets = [rich(seed=i) for i in range(7)]
        x, t = spiral()
        histories = cr.fit_many(
            nets, cr.Adam(0.01), x, t, 12, 50, threads=threads, engine="compiled", progress=None
        )
        return [p.tobytes() for net in nets for p in net.params] + [
            h.losses.tobytes() for h in histories
        ]

    first = words(1)
    assert words(2) == first
    for seconds in (1e-9, 10.0):  # a step a call; all in one
        monkeypatch.setattr(pool, "CALL_SECONDS", seconds)
        assert words(3) == first


# -- what is given ------------------------------------------------------------------------------


def test_a_seed_for_all_has_children() -> None:
    x, t = spiral()
    nets = [plain(seed=i) for i in range(3)]
    histories = cr.fit_many(nets, cr.SGD(0.1), x, t, 2, seeds=7, engine="compiled", progress=None)
    for i, child in enumerate(np.random.default_rng(7).spawn(3)):
        trainer = cr.Trainer(plain(seed=i), cr.SGD(0.1), seed=child, engine="compiled", threads=1)
        assert trainer.fit(x, t, 2, progress=None).losses.tobytes() == histories[i].losses.tobytes()


def test_one_optimizer_is_copied_and_stays_as_it_was() -> None:
    x, t = spiral()
    optimizer = cr.Momentum(ReduceOnPlateau(0.1, patience=1))
    nets = [plain(seed=i) for i in range(3)]
    histories = cr.fit_many(
        nets, optimizer, x, t, 4, seeds=[1, 2, 3], engine="compiled", progress=None
    )
    assert (optimizer.iter, optimizer.state) == (0, None)
    trainer = cr.Trainer(
        plain(seed=2), copy.deepcopy(optimizer), seed=3, engine="compiled", threads=1
    )
    assert rows_of(trainer.fit(x, t, 4, progress=None)) == rows_of(histories[2])


def test_a_schedule_that_several_share_follows_each_ones_losses() -> None:
    x, t = spiral()
    schedule = ReduceOnPlateau(0.5, patience=1, min_delta=0.1)
    nets, optimizers = [plain(seed=i) for i in range(3)], [cr.SGD(schedule) for _ in range(3)]
    histories = cr.fit_many(
        nets, optimizers, x, t, 6, seeds=[1, 2, 3], engine="compiled", progress=None
    )
    own = cr.SGD(ReduceOnPlateau(0.5, patience=1, min_delta=0.1))
    trainer = cr.Trainer(plain(seed=1), own, seed=2, engine="compiled", threads=1)
    assert rows_of(trainer.fit(x, t, 6, progress=None)) == rows_of(histories[1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"networks": plain()}, "is no list"),
        ({"networks": [plain(), "abc"]}, "is no network"),
        ({"networks": [plain()] * 2}, r"networks\[0\] and networks\[1\] are one object"),
        ({"optimizers": [cr.SGD()] * 2}, r"optimizers\[0\] and optimizers\[1\] are one object"),
        ({"optimizers": [cr.SGD()]}, "optimizers has 1 entries for 2 networks"),
        ({"optimizers": "sgd"}, "has no update"),
        ({"seeds": [1, 2, 3]}, "seeds has 3 entries for 2 networks"),
        ({"seeds": -1}, "seed=-1 is not usable"),
        ({"epochs": 0}, "epochs"),
        ({"engine": "fast"}, "engine"),
        ({"early_stopping": 3}, "no rows are held out"),
        ({"early_stopping": "val_loss", "validation": 0.2}, "patience in epochs"),
        ({"validation": 1.5}, "fraction"),
        ({"progress": "loud"}, "progress"),
        ({"metrics": ["wrong"]}, "wrong"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], said: str) -> None:
    x, t = spiral()
    given = {
        "networks": [plain(seed=0), plain(seed=1)], "optimizers": cr.SGD(), "x": x, "t": t,
        "epochs": 1, "progress": None, **change,
    }  # fmt: skip
    with pytest.raises(SettingError, match=said):
        cr.fit_many(**given)


def test_networks_that_share_a_layer_are_refused() -> None:
    one = plain()
    other = cr.Sequential(
        one.layers[0], cr.ReLU(), cr.Affine.sized(10, 3), loss=cr.SoftmaxWithLoss()
    )
    with pytest.raises(SettingError, match=r"networks\[0\] and networks\[1\] share parameters"):
        cr.fit_many([one, other], cr.SGD(), *spiral(), progress=None)


def test_data_that_does_not_fit_is_refused_before_anything_is_trained() -> None:
    x, t = spiral()
    nets = [plain(seed=0), plain(seed=1)]
    before = nets[0].params[0].copy()
    with pytest.raises(DataError, match="not finite"):
        cr.fit_many(nets, cr.SGD(), [x, np.full_like(x, np.nan)], t, progress=None)
    assert np.array_equal(before, nets[0].params[0])


def test_no_networks_give_no_histories() -> None:
    assert cr.fit_many([], cr.SGD(), *spiral(), progress=None) == []


# -- what ends early ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more", [{}, {"validation": 0.2}, {"epochs": 30}, {"max_grad": 1e30}], ids=str
)
def test_a_network_that_is_not_finite_stops_and_the_others_go_on(more: dict[str, Any]) -> None:
    x, t = spiral()
    x = x * 100
    rates = [0.1, 1e25, 0.1, 1e36, 0.1]

    def net(i: int) -> cr.Sequential:
        layers = cr.Affine.sized(2, 5), cr.ReLU(), cr.Affine.sized(5, 3)
        return cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=i)

    nets = [net(i) for i in range(5)]
    given = {"epochs": 4, **more, "progress": None}
    histories = cr.fit_many(
        nets, [cr.SGD(r) for r in rates], x, t, seeds=list(range(5)), engine="compiled", **given
    )
    for i, (history, rate) in enumerate(zip(histories, rates, strict=True)):
        trainer = cr.Trainer(net(i), cr.SGD(rate), seed=i, engine="compiled", threads=1)
        if rate < 1:
            trainer.fit(x, t, **given)
            assert history.error is None
            assert history.stopped is None
        else:
            with pytest.raises(NonFiniteError) as raised:
                trainer.fit(x, t, **given)
            assert str(history.stopped) == str(raised.value) == str(history.error)
        assert trainer.history.losses.tobytes() == history.losses.tobytes()
        assert rows_of(trainer.history) == rows_of(history)
        for p, q in zip(trainer.model.params, nets[i].params, strict=True):
            assert p.tobytes() == q.tobytes()
            assert np.isfinite(q).all()
    assert sum(h.error is not None for h in histories) == 2


class Pressing(Schedule):
    """Ctrl-C at an update."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self, step: int) -> float:
        if step == self.at:
            os.kill(os.getpid(), signal.SIGINT)
        return 0.1


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_all_and_leaves_usable_networks(threads: int) -> None:
    x, t = spiral()
    many = 40
    nets = [plain(seed=i) for i in range(many)]
    optimizers = [cr.SGD(Pressing(25) if i == 3 else 0.1) for i in range(many)]
    before = signal.getsignal(signal.SIGINT)
    histories = cr.fit_many(
        nets, optimizers, x, t, 4000, threads=threads, engine="compiled", progress=None
    )
    assert signal.getsignal(signal.SIGINT) is before
    stopped = [h for h in histories if h.interrupted]
    assert len(stopped) > many // 2
    assert {str(h.stopped) for h in stopped} == {"interrupted by Ctrl-C"}
    assert all(np.isfinite(p).all() for net in nets for p in net.params)
    assert all(h.steps == o.iter for h, o in zip(histories, optimizers, strict=True))
    cr.fit_many(nets, optimizers, x, t, 1, threads=threads, engine="compiled", progress=None)


def test_ctrl_c_between_networks_for_themselves() -> None:
    x, t = spiral()
    nets = [plain(seed=i) for i in range(3)]
    optimizers = [cr.SGD(0.1), cr.SGD(Pressing(12)), cr.SGD(0.1)]
    histories = cr.fit_many(nets, optimizers, x, t, 2, engine="numpy", progress=None)
    assert [h.interrupted for h in histories] == [False, True, True]
    assert [h.steps for h in histories] == [20, 13, 0]


def test_a_users_error_ends_all_and_is_raised() -> None:
    def falling(step: int) -> float:
        if step == 25:
            raise ZeroDivisionError("mine")
        return 0.1

    x, t = spiral()
    nets = [plain(seed=i) for i in range(9)]
    optimizers = [cr.SGD(falling if i == 4 else 0.1) for i in range(9)]
    before = threading.active_count()  # helpers of earlier tests wait for work, as they should
    with pytest.raises(ZeroDivisionError, match="mine"):
        cr.fit_many(nets, optimizers, x, t, 30, threads=2, engine="compiled", progress=None)
    assert threading.active_count() - before < 3
    assert all(np.isfinite(p).all() for net in nets for p in net.params)


# -- what cannot share ----------------------------------------------------------------------------


def test_without_the_compiled_engine_each_is_trained_by_its_own_trainer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import chainrule.training.choice as choice

    monkeypatch.setenv("CHAINRULE_ENGINE", "auto")
    monkeypatch.setattr(choice, "missing_packages", lambda: ["llvmlite"])
    x, t = spiral()
    nets = [plain(seed=i) for i in range(3)]
    histories = cr.fit_many(
        nets,
        cr.Adam(0.01),
        x,
        t,
        3,
        seeds=[1, 2, 3],
        validation=0.2,
        early_stopping=1,
        progress=None,
    )
    trainer = cr.Trainer(plain(seed=1), cr.Adam(0.01), seed=2, engine="numpy")
    one = trainer.fit(x, t, 3, validation=0.2, early_stopping=1, progress=None)
    assert rows_of(one) == rows_of(histories[1])
    assert one.losses.tobytes() == histories[1].losses.tobytes()
    with pytest.raises(ExtraMissingError):
        cr.fit_many(nets, cr.Adam(0.01), x, t, 1, engine="compiled", progress=None)


def test_what_cannot_be_compiled_runs_beside_what_can(capsys: pytest.CaptureFixture[str]) -> None:
    class ByHand:
        """A layer under the chapter's contract."""

        def __init__(self) -> None:
            self.params: list[Array] = []
            self.grads: list[Array] = []

        def forward(self, x: Array) -> Array:
            return x * 2

        def backward(self, dout: Array) -> Array:
            return dout * 2

    class Own(cr.SGD):
        def update(self, params: Any, grads: Any, *rest: Any) -> None:
            super().update(params, grads, *rest)

    def handmade(i: int) -> cr.Sequential:
        layers = cr.Affine.sized(2, 8), ByHand(), cr.Tanh(), cr.Affine.sized(8, 3)
        return cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=i)

    def makes() -> tuple[list[Any], list[Any]]:
        nets = [plain(seed=0), handmade(1), plain(seed=2), plain(seed=3)]
        return nets, [cr.SGD(0.1), cr.SGD(0.1), Own(0.1), cr.SGD(0.1)]

    x, t = spiral()
    nets, optimizers = makes()
    seeds = [4, 5, 6, 7]
    histories = cr.fit_many(
        nets, optimizers, x, t, 3, seeds=seeds, engine="compiled", validation=0.2, progress="lines"
    )
    said = capsys.readouterr().err
    assert said.count("runs on the NumPy engine") == 2
    assert "4 of 4 networks trained, mean loss" in said
    for i, (net, optimizer) in enumerate(zip(*makes(), strict=True)):
        trainer = cr.Trainer(net, optimizer, seed=seeds[i], engine="compiled", threads=1)
        trainer.fit(x, t, 3, validation=0.2, progress=None)
        assert rows_of(trainer.history) == rows_of(histories[i]), i
        for p, q in zip(trainer.model.params, nets[i].params, strict=True):
            assert p.tobytes() == q.tobytes()


def test_auto_compiles_where_it_pays_for_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_ENGINE", "auto")
    x, t = spiral()
    few, many = [plain(seed=0)], [plain(seed=i) for i in range(600)]
    cr.fit_many(few, cr.SGD(0.1), x, t, 1, progress=None)
    cr.fit_many(many, cr.SGD(0.1), x, t, 20, progress=None)
    assert {net.engine for net in few} == {"numpy"}
    assert {net.engine for net in many} == {"compiled"}


def test_structures() -> None:
    def kinds(*nets: cr.Network) -> int:
        return len({structure_of(net)[0] for net in nets})  # type: ignore[index]

    def net(*layers: Any) -> cr.Sequential:
        return cr.Sequential(*layers, loss=cr.SoftmaxWithLoss())

    assert kinds(plain(seed=1), plain(seed=2)) == 1
    assert kinds(rich(seed=1), rich(seed=2)) == 1
    assert kinds(plain(), plain(np.float64), rich()) == 3
    assert kinds(net(cr.Affine.sized(2, 3)), net(cr.Affine.sized(2, 3), cr.ReLU())) == 2
    assert kinds(net(cr.LeakyReLU(0.1)), net(cr.LeakyReLU(0.2)), net(cr.LeakyReLU(0.2))) == 2
    assert kinds(net(cr.tanh), net(cr.tanh), net(cr.exp)) == 2
    assert kinds(*(net(cr.Dropout(ratio)) for ratio in (0.0, 0.1, 0.2))) == 2
    assert kinds(net(lambda x: x), net(lambda x: x)) == 2
    W = np.ones((2, 2))
    tied = [
        cr.Sequential(cr.Affine(W.copy(), np.zeros(2)), loss=cr.MeanSquaredError()) for _ in "ab"
    ]
    both = cr.Affine(W.copy(), np.zeros(2))
    assert kinds(*tied) == 1
    assert (
        kinds(net(both, both), net(*(cr.Affine(W, np.zeros(2)) for W in (W.copy(), W.copy())))) == 2
    )


def test_rules() -> None:
    def kinds(*optimizers: cr.Optimizer) -> int:
        return len({rule_of(o) for o in optimizers})

    assert kinds(cr.SGD(0.1), cr.SGD(0.2), cr.SGD(Cosine(0.1, steps=3))) == 1
    assert kinds(cr.SGD(l2=0.1), cr.SGD(l2=0.2)) == 1
    assert kinds(cr.SGD(), cr.SGD(l2=0.1), cr.SGD(l1=0.1), cr.SGD(clip_norm=1), cr.Adam()) == 5
    assert kinds(cr.Adam(beta1=0.5), cr.Adam(eps=1e-3)) == 1


def test_a_step_of_an_earlier_call_is_taken_again_unless_its_network_has_changed() -> None:
    from chainrule.training import pool

    def net(i: int) -> cr.Sequential:
        layers = cr.Affine.sized(2, 7), cr.LeakyReLU(0.25), cr.Dropout(0.2), cr.Affine.sized(7, 3)
        return cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=i)

    x, t = spiral()
    first = net(0)
    cr.fit_many([first], cr.SGD(0.1), x, t, 1, engine="compiled", progress=None)
    before = list(pool._steps._programs.values())
    assert before[-1].step.network is first
    as_alone(net, lambda i: cr.SGD(0.3), data=(x[:205], t[:205]))
    assert list(pool._steps._programs.values()) == before
    first.layers[1].slope = 0.5
    as_alone(net, lambda i: cr.SGD(0.3), data=(x[:201], t[:201]))
    assert before[-1] not in pool._steps._programs.values()


def test_a_fit_in_another_thread_and_prediction_afterwards() -> None:
    x, t = spiral()
    nets = [plain(seed=i) for i in range(4)]
    done: list[Any] = []
    thread = threading.Thread(
        target=lambda: done.append(
            cr.fit_many(
                nets, cr.SGD(0.5), x, t, 5, validation=(x, t), engine="compiled", progress=None
            )
        )
    )
    thread.start()
    thread.join()
    for net, history in zip(nets, done[0], strict=True):
        loss = net.loss.forward(net.predict(x), t)
        assert loss == history["val_loss"][-1]
        alone = copy.deepcopy(net)  # its own compiled prediction
        assert alone.predict(x).tobytes() == net.predict(x).tobytes()
        assert np.allclose(alone.predict(x[:1]), net.predict(x[:1]))
    assert len({bits(cr.Trainer(net)) for net in nets}) == 4


def test_one_bar_for_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nets = [plain(seed=i) for i in range(5)]
    cr.fit_many(
        nets, cr.SGD(0.5), *spiral(), epochs=40, engine="compiled", validation=0.3, early_stopping=1,
        progress="bar", lang="zh",
    )  # fmt: skip
    said = capsys.readouterr().err
    assert "5 个网络中已训练 5 个，平均损失" in said
    assert "100%" in said


def test_a_kernel_that_calls_kernels_runs_as_plain_python() -> None:
    from chainrule.engine.compiled import many
    from chainrule.engine.compiled.machine import kernel

    text = "from chainrule.engine.compiled.kernels import kernel\n\n\n@kernel\n"
    text += "def f(a):\n    a[0] += 1\n    return a[1]\n"
    a, b = np.array([[1, 5], [2, 7]], np.int64)
    train = kernel(text, "f", {"a": a}, None)
    words = np.stack([train.call({"a": x}).words for x in (a, b)])
    names: dict[str, Any] = {}
    exec(compile(many._SOURCE, "many", "exec"), names)
    for run in (names["train_many"], lambda **given: many._train_many().call(given)()):
        done = np.zeros(2, np.int64)
        assert run(train=train.address, words=words, done=done) == 2
        assert done.tolist() == [5, 7]
    assert (a[0], b[0]) == (3, 4)


@pytest.mark.parametrize("engine", ["compiled", "numpy"])
@pytest.mark.parametrize("lines", [True, False])
def test_networks_that_are_interrupted_are_not_said_to_be_trained(
    lines: bool, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    x, t = spiral()
    calls = 0

    def metric(y: Any, t: Any) -> float:
        nonlocal calls
        calls += 1
        if calls == 3:  # networks[0] has made its two epochs, the next one has not
            signal.raise_signal(signal.SIGINT)
        return 0.5

    histories = cr.fit_many(
        [plain(seed=i) for i in range(4)], cr.SGD(0.1), x, t, 2, metrics=[metric], threads=1,
        engine=engine, progress="lines" if lines else "bar",
    )  # fmt: skip
    trained = sum(not history.interrupted for history in histories)
    assert trained < 4
    last = capsys.readouterr().err.rstrip().splitlines()[-1].split("\r")[-1]
    assert f"{trained} of 4 networks trained" in last
