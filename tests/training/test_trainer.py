"""The Trainer: what it learns, when it stops, and what it leaves behind."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DataError, NonFiniteError, SettingError

Array = npt.NDArray[Any]


def small(seed: int = 0, dtype: Any = np.float32) -> cr.Sequential:
    return cr.Sequential(
        cr.Affine.sized(2, 8, dtype=dtype),
        cr.Tanh(),
        cr.Affine.sized(8, 3, dtype=dtype),
        loss=cr.SoftmaxWithLoss(),
        seed=seed,
    )


def fitted(**more: Any) -> cr.Trainer:
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(small(), cr.Adam(0.01))
    trainer.fit(
        x, t, more.pop("epochs", 3), more.pop("batch_size", 32), **{"progress": None, **more}
    )
    return trainer


def test_one_fit_step_is_forward_backward_update() -> None:
    """Trainer and the chapter's loop over the same batches give the same parameters."""
    x, t = cr.datasets.spiral()
    ours, by_hand = small(dtype=np.float64), small(dtype=np.float64)
    cr.Trainer(ours, cr.Momentum(0.1)).fit(x, t, 2, 40, shuffle=False, progress=None)
    optimizer = cr.Momentum(0.1)
    for _ in range(2):
        for start in range(0, 300, 40):
            by_hand.forward(x[start : start + 40], t[start : start + 40])
            by_hand.backward()
            optimizer.update(by_hand.params, by_hand.grads)
    for p, q in zip(ours.params, by_hand.params, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-12, atol=1e-14)


def test_last_partial_batch_is_kept_and_weighs_what_it_holds() -> None:
    trainer = fitted(epochs=1, batch_size=128)
    assert trainer.history.steps == 3  # 128 + 128 + 44
    losses = trainer.history.losses
    mean = (128 * losses[0] + 128 * losses[1] + 44 * losses[2]) / 300
    assert trainer.history["loss"][0] == pytest.approx(mean, rel=1e-12)


def test_batch_larger_than_the_data_is_the_data() -> None:
    assert fitted(epochs=2, batch_size=10_000).history.steps == 2


def test_same_seed_same_bits_other_seed_other_bits() -> None:
    a, b = fitted(), fitted()
    for p, q in zip(a.model.params, b.model.params, strict=True):
        assert p.tobytes() == q.tobytes()
    x, t = cr.datasets.spiral()
    c = cr.Trainer(small(), cr.Adam(0.01), seed=1)
    c.fit(x, t, 3, 32, progress=None)
    assert any(
        p.tobytes() != q.tobytes() for p, q in zip(a.model.params, c.model.params, strict=True)
    )


def test_same_bits_in_new_processes() -> None:
    program = textwrap.dedent(
        """
        import hashlib, chainrule as cr
        x, t = cr.datasets.digits()
        net = cr.Sequential(cr.Affine.sized(64, 20, init="he"), cr.ReLU(), cr.BatchNorm.sized(20),
                            cr.Dropout(0.3), cr.Affine.sized(20, 10), loss=cr.SoftmaxWithLoss(), seed=5)
        cr.Trainer(net, cr.Adam(0.01), seed=6).fit(x, t, 2, 50, validation=0.2, progress=None)
        print(hashlib.sha256(b"".join(p.tobytes() for p in net.params)).hexdigest())
        """
    )
    seen = set()
    for hashseed in ("0", "1", "random"):
        env = {**os.environ, "PYTHONHASHSEED": hashseed}
        run = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, env=env, check=True
        )
        seen.add(run.stdout)
    assert len(seen) == 1


def test_numpys_global_generator_is_left_alone() -> None:
    np.random.seed(3)
    before = np.random.get_state()[1].tobytes()  # type: ignore[index]
    fitted(validation=0.2)
    assert np.random.get_state()[1].tobytes() == before  # type: ignore[index]


def test_history_goes_on_over_fits() -> None:
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(small(), cr.SGD(0.1))
    trainer.fit(x, t, 2, 100, progress=None)
    history = trainer.fit(x, t, 3, 100, progress=None)
    assert len(history) == trainer.current_epoch == 5
    assert history.steps == len(history.losses) == 15
    assert np.isfinite(history.losses).all()
    assert history["lr"] == [0.1] * 5


def test_validation_by_fraction_is_held_out_by_class() -> None:
    trainer = fitted(validation=0.2, metrics=["accuracy"])
    assert trainer.history.steps == 3 * 8  # 240 of 300 rows, 32 a batch
    assert set(trainer.history.epochs[0]) >= {"loss", "val_loss", "val_accuracy", "lr", "seconds"}


def test_validation_by_pair_and_evaluate_agree() -> None:
    x, t = cr.datasets.spiral()
    trainer = fitted(validation=(x[::3], t[::3]))
    found = trainer.evaluate(x[::3], t[::3])
    assert trainer.history["val_loss"][-1] == pytest.approx(found["loss"], rel=1e-6)
    assert trainer.history["val_accuracy"][-1] == found["accuracy"]


def test_training_metrics_only_when_asked_for() -> None:
    assert "accuracy" not in fitted().history.epochs[0]
    assert "accuracy" in fitted(metrics=["accuracy"]).history.epochs[0]


def test_regression_metrics() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 3))
    t = x @ np.array([[1.0], [2.0], [-1.0]]) + 0.5
    net = cr.Sequential(cr.Affine.sized(3, 1), loss=cr.MeanSquaredError())
    trainer = cr.Trainer(net, cr.Adam(0.05))
    trainer.fit(x, t, 40, 20, validation=0.25, progress=None)
    assert trainer.history["val_r2"][-1] > 0.999
    np.testing.assert_allclose(net.params[0].ravel(), [1, 2, -1], atol=0.02)


def test_early_stopping_goes_back_to_the_best_epoch() -> None:
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(small(), cr.Momentum(3.0))  # far too fast, so that it jumps about
    stopping = cr.EarlyStopping("val_loss", patience=4)
    history = trainer.fit(x, t, 200, 30, validation=(x, t), early_stopping=stopping, progress=None)
    assert len(history) < 200
    assert history.stopped is not None
    assert "val_loss" in history.stopped
    best = min(history["val_loss"])
    assert trainer.evaluate(x, t)["loss"] == pytest.approx(best, rel=1e-6)
    assert len(history) - (history["val_loss"].index(best) + 1) == 4


@pytest.mark.parametrize("latest", [False, True])
def test_without_patience_only_the_best_epoch_is_restored(latest: bool) -> None:
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(small(), cr.Momentum(3.0))
    best = cr.EarlyStopping("val_accuracy", patience=None, latest=latest)
    history = trainer.fit(x, t, 60, 30, validation=(x, t), early_stopping=best, progress=None)
    scores = history["val_accuracy"]
    assert len(history) == 60
    assert history.stopped is None
    assert trainer.evaluate(x, t)["accuracy"] == max(scores) > scores[-1]
    equal = [i + 1 for i, score in enumerate(scores) if score == max(scores)]
    assert best.best_epoch == (equal[-1] if latest else equal[0])


def test_patience_needs_held_out_rows() -> None:
    with pytest.raises(SettingError, match=r"val_loss.*validation=0\.2"):
        fitted(early_stopping=3)


def test_callbacks_see_every_step_and_may_stop() -> None:
    class Watch(cr.Callback):
        def __init__(self) -> None:
            self.events: list[str] = []

        def on_start(self, trainer: cr.Trainer) -> None:
            self.events.append("start")

        def on_step(self, trainer: cr.Trainer) -> None:
            self.events.append("step")
            if trainer.history.steps == 12:
                trainer.stop("enough")

        def on_epoch(self, trainer: cr.Trainer) -> None:
            self.events.append("epoch")

        def on_end(self, trainer: cr.Trainer) -> None:
            self.events.append("end")

    watch = Watch()
    epochs: list[int] = []
    trainer = fitted(callbacks=[watch, lambda tr: epochs.append(tr.current_epoch)])
    assert watch.events == ["start", *["step"] * 10, "epoch", "step", "step", "epoch", "end"]
    assert epochs == [1, 2]
    assert trainer.history.stopped == "enough"


def test_a_failing_callback_is_named() -> None:
    def broken(trainer: cr.Trainer) -> None:
        raise ValueError("no disk")

    with pytest.raises(ValueError, match="no disk") as caught:
        fitted(callbacks=[broken])
    assert "on_epoch in epoch 1" in caught.value.__notes__[0]


def test_max_grad_holds_the_global_norm() -> None:
    norms: list[float] = []

    class Watch(cr.Callback):
        def on_step(self, trainer: cr.Trainer) -> None:
            norms.append(float(np.sqrt(sum(np.sum(g * g) for g in trainer.model.grads))))

    fitted(max_grad=0.05, callbacks=[Watch()])
    assert max(norms) <= 0.05 * (1 + 1e-6)
    assert min(norms) > 0.04  # it was needed


def test_penalty_is_apart_from_the_loss() -> None:
    x, t = cr.datasets.spiral()
    plain, decayed = small(), small()
    a = cr.Trainer(plain, cr.SGD(1e-30)).fit(x, t, 1, 300, progress=None)
    b = cr.Trainer(decayed, cr.SGD(1e-30, l2=0.1, l1=0.01)).fit(x, t, 1, 300, progress=None)
    assert a["loss"] == b["loss"]
    weights = [p for p in plain.params if p.ndim == 2]
    expected = sum(0.05 * float(np.sum(w * w)) + 0.01 * float(np.abs(w).sum()) for w in weights)
    assert b["penalty"][0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nonfinite_data_is_refused_at_the_door(bad: float) -> None:
    x, t = cr.datasets.spiral()
    x[17, 1] = bad
    with pytest.raises(DataError, match=r"x\[17, 1\] is (nan|inf) \(1 of 600"):
        cr.Trainer(small(), cr.SGD(0.1)).fit(x, t, 1, progress=None)


def test_divergence_stops_before_the_update_and_names_the_place() -> None:
    x, t = cr.datasets.spiral()
    net = cr.Sequential(
        cr.Affine.sized(2, 4), cr.ReLU(), cr.Affine.sized(4, 1), loss=cr.MeanSquaredError()
    )
    trainer = cr.Trainer(net, cr.SGD(1e18))
    with pytest.raises(NonFiniteError, match=r"epoch 1, batch \d+ of 10.*learning rate"):
        trainer.fit(x, t[:, None].astype(float), 1, 30, progress=None)
    assert all(np.isfinite(p).all() for p in net.params)
    assert np.isfinite(trainer.history.losses).all()


def test_nonfinite_forward_names_layer_and_rows() -> None:
    net = cr.Sequential(
        cr.Affine.sized(2, 4), cr.Affine.sized(4, 3), loss=cr.SoftmaxWithLoss(), seed=0
    )
    x = np.ones((4, 2), np.float32)
    x[2] = 3e38
    net.params[0][...] = 10.0
    with pytest.raises(NonFiniteError, match=r"layer 0 \(Affine\), rows 2"):
        net.forward(x, np.zeros(4, int))


def test_batchnorm_buffers_survive_divergence() -> None:
    net = cr.Sequential(
        cr.Affine.sized(2, 4),
        cr.BatchNorm.sized(4),
        cr.Affine.sized(4, 1),
        loss=cr.MeanSquaredError(),
    )
    x, t = cr.datasets.spiral()
    x = x * 1e25
    with pytest.raises(NonFiniteError):
        cr.Trainer(net, cr.SGD(0.1)).fit(x, t[:, None] * 1.0, 3, 30, progress=None)
    assert all(np.isfinite(b).all() for b in net.named_buffers().values())


def test_ctrl_c_ends_after_the_step_and_leaves_a_usable_model() -> None:
    x, t = cr.datasets.spiral()

    class Press(cr.Callback):
        def on_step(self, trainer: cr.Trainer) -> None:
            if trainer.history.steps == 7:
                os.kill(os.getpid(), signal.SIGINT)

    trainer = cr.Trainer(small(), cr.Adam(0.01))
    history = trainer.fit(x, t, 50, 30, progress=None, callbacks=[Press()])
    assert history.stopped == "interrupted by Ctrl-C"
    assert history.steps in (7, 8)
    assert np.isfinite(trainer.evaluate(x, t)["loss"])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    trainer.fit(x, t, 1, 30, progress=None)  # and it can go on


def test_frozen_layers_do_not_move() -> None:
    x, t = cr.datasets.spiral()
    net = small()
    net.layers[0].trainable = False
    before = [p.data.copy() for p in net.named_parameters().values()]
    assert len(net.params) == 2
    cr.Trainer(net, cr.AdamW(0.01)).fit(x, t, 2, 30, progress=None)
    after = [p.data for p in net.named_parameters().values()]
    assert [np.array_equal(a, b) for a, b in zip(before, after, strict=True)] == [
        True, True, False, False,
    ]  # fmt: skip


def test_settings_changed_between_fits_take_effect() -> None:
    x, t = cr.datasets.digits()
    dropout = cr.Dropout(0.0)
    net = cr.Sequential(cr.Affine.sized(64, 10), dropout, loss=cr.SoftmaxWithLoss(), seed=0)
    trainer = cr.Trainer(net, cr.SGD(1e-30))
    plain = trainer.fit(x, t, 1, 1797, progress=None)["loss"][-1]
    dropout.ratio = 0.9
    dropped = trainer.fit(x, t, 1, 1797, progress=None)["loss"][-1]
    dropout.ratio = 0.0
    again = trainer.fit(x, t, 1, 1797, progress=None)["loss"][-1]
    assert plain == pytest.approx(again, rel=1e-6)
    assert abs(dropped - plain) > 0.05


def test_sample_weights_equal_repeated_rows() -> None:
    x, t = cr.datasets.spiral()
    w = np.tile([1.0, 2.0, 3.0], 100)
    a, b = small(dtype=np.float64), small(dtype=np.float64)
    cr.Trainer(a, cr.SGD(0.5)).fit(x, t, 5, 300, sample_weight=w, shuffle=False, progress=None)
    rows = np.repeat(np.arange(300), w.astype(int))
    cr.Trainer(b, cr.SGD(0.5)).fit(x[rows], t[rows], 5, 600, shuffle=False, progress=None)
    for p, q in zip(a.params, b.params, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-10, atol=1e-12)


def test_snapshot_and_restore_keep_addresses_and_the_optimizer() -> None:
    x, t = cr.datasets.spiral()
    trainer = fitted(epochs=1)
    kept = trainer.snapshot()
    address = trainer.model.params[0].ctypes.data
    first = trainer.fit(x, t, 1, 300, shuffle=False, progress=None)["loss"][-1]
    trainer.restore(kept)
    assert trainer.model.params[0].ctypes.data == address
    assert trainer.fit(x, t, 1, 300, shuffle=False, progress=None)["loss"][-1] == first


class ByHandNet:
    """A network in the chapter's way, without any of our classes."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.params = [rng.standard_normal((2, 3)), np.zeros(3)]
        self.grads = [np.zeros((2, 3)), np.zeros(3)]

    def predict(self, x: Array) -> Array:
        return np.asarray(x @ self.params[0] + self.params[1])

    def forward(self, x: Array, t: Array) -> float:
        s = self.predict(x)
        e = np.exp(s - s.max(axis=1, keepdims=True))
        self.y, self.x, self.t = e / e.sum(axis=1, keepdims=True), x, t
        return float(-np.log(self.y[np.arange(len(t)), t]).mean())

    def backward(self) -> None:
        d = self.y.copy()
        d[np.arange(len(self.t)), self.t] -= 1
        d /= len(self.t)
        self.grads[0][...] = self.x.T @ d
        self.grads[1][...] = d.sum(axis=0)


class ByHandSGD:
    def update(self, params: list[Array], grads: list[Array]) -> None:
        for p, g in zip(params, grads, strict=True):
            p -= 0.5 * g


@pytest.mark.parametrize("optimizer", [ByHandSGD(), cr.Adam(0.05)])
def test_a_network_and_an_optimizer_written_by_hand(optimizer: Any) -> None:
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(ByHandNet(), optimizer)
    history = trainer.fit(x, t, 20, 30, validation=0.2, max_grad=10.0, progress=None)
    assert history["loss"][-1] < history["loss"][0]
    assert trainer.evaluate(x, t)["accuracy"] > 0.45


def test_optimizer_by_hand_with_our_network() -> None:
    x, t = cr.datasets.spiral()
    a, b = small(dtype=np.float64), small(dtype=np.float64)
    cr.Trainer(a, ByHandSGD()).fit(x, t, 2, 30, progress=None)
    cr.Trainer(b, cr.SGD(0.5)).fit(x, t, 2, 30, progress=None)
    for p, q in zip(a.params, b.params, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-13)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"epochs": 0}, "epochs=0 must be a whole number from 1"),
        ({"epochs": 2.5}, "epochs=2.5"),
        ({"epochs": True}, "epochs=True"),
        ({"batch_size": -1}, "batch_size=-1"),
        ({"batch_size": "32"}, "batch_size='32'"),
        ({"validation": 0.0}, "0.0"),
        ({"validation": 1.0}, "1.0"),
        ({"validation": float("nan")}, "nan"),
        ({"metrics": ["acuracy"]}, 'did you mean "accuracy"'),
        ({"progress": "bars"}, "'bars'"),
        ({"callbacks": [3]}, "3 is no callback"),
        ({"max_grad": -1.0}, "max_grad=-1.0"),
        ({"max_grad": 0}, "max_grad=0"),
        ({"early_stopping": 0, "validation": 0.2}, "patience=0"),
        ({"sample_weight": [1.0, 2.0]}, "sample_weight must be 300 numbers"),
        ({"sample_weight": np.zeros(300)}, "not all 0"),
    ],
)
def test_bad_settings_are_named(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ChainruleError) as caught:
        fitted(**more)
    assert says in str(caught.value)


def test_bad_data_is_named() -> None:
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(small(), cr.SGD(0.1))
    for bx, bt, says in [
        (x, t[:-1], "x has 300 rows and t has 299 rows"),
        (x[:0], t[:0], "at least one row"),
        (x[:, :1], t, "takes 2 inputs a row"),
        (x, t + 1, "t[200] is 3"),
        (x, t - 1, "t[0] is -1"),
        (x, t + 0.5, "t[0] is 0.5"),
        (np.array([["a", "b"]] * 300), t, "array of numbers"),
        (np.ma.masked_equal(x, 0.0), t, "masked array"),
        (None, t, "array of numbers"),
    ]:
        with pytest.raises(ChainruleError) as caught:
            trainer.fit(bx, bt, 1, progress=None)  # type: ignore[arg-type]
        assert says in str(caught.value), str(caught.value)


def test_awkward_arrays_train_and_are_not_written_to() -> None:
    x, t = cr.datasets.spiral()
    want = fitted().model.params
    awkward = np.asfortranarray(np.concatenate([x, x], axis=1))[:, :2]
    awkward.flags.writeable = False
    for bx in (awkward, x[::-1][::-1], x.astype(">f8"), x.tolist()):
        trainer = cr.Trainer(small(), cr.Adam(0.01))
        trainer.fit(bx, t, 3, 32, progress=None)
        for p, q in zip(trainer.model.params, want, strict=True):
            np.testing.assert_array_equal(p, q)


def test_a_step_allocates_nothing_that_stays() -> None:
    """1,000 steps leave nothing behind, and peak below 8 KiB above the plan, whatever the batch."""
    for batch in (30, 300):
        few, ids = cr.datasets.spiral()
        x, t = np.tile(few, (1100 * batch // 300, 1)), np.tile(ids, 1100 * batch // 300)
        seen: list[tuple[int, int]] = []

        class Look(cr.Callback):
            steps = 0

            def on_step(self, trainer: cr.Trainer) -> None:
                self.steps += 1
                if self.steps == 50:
                    tracemalloc.reset_peak()
                if self.steps in (50, 1050):
                    seen.append(tracemalloc.get_traced_memory())  # noqa: B023

        tracemalloc.start()
        cr.Trainer(small(), cr.Adam(0.001)).fit(x, t, 1, batch, progress=None, callbacks=[Look()])
        tracemalloc.stop()
        (held, _), (after, peak) = seen
        assert after - held < 1024
        assert peak - held < 8 * 1024


def test_progress_lines_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    x, t = cr.datasets.spiral()
    cr.Trainer(small(), cr.SGD(0.1)).fit(x, t, 2, 30, validation=0.2)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("epoch 2/2: loss 1.")
    assert "held-out accuracy" in lines[1]
    assert lines[1].endswith("%")


def test_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    x, t = cr.datasets.spiral()
    cr.Trainer(small(), cr.SGD(0.1)).fit(x, t, 3, 30, progress="bar")
    shown = capsys.readouterr().err
    assert "epoch 3/3" in shown
    assert "100%" in shown


def test_history_plots_itself(tmp_path: Any) -> None:
    history = fitted(validation=0.2).history
    path = tmp_path / "curves.png"
    figure = history.plot(str(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    labels = [line.get_label() for line in figure.axes[0].lines]
    assert labels == ["each step", "training", "held out"]
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_ydata(), history["loss"])


def test_trained_networks_pickle() -> None:
    x, _ = cr.datasets.spiral()
    net = fitted().model
    twin = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(twin.predict(x), net.predict(x))
    flat = twin._flats[0]
    assert np.shares_memory(flat.data, twin.params[0])
    assert np.shares_memory(flat.grad, twin.grads[0])


def test_learns_what_it_should() -> None:
    x, t = cr.datasets.digits()
    net = cr.Sequential(
        cr.Affine.sized(64, 50, init="he"),
        cr.ReLU(),
        cr.Affine.sized(50, 10),
        loss=cr.SoftmaxWithLoss(),
        seed=0,
    )
    trainer = cr.Trainer(net, cr.Adam(0.003))
    trainer.fit(x / 16, t, 30, 32, validation=0.2, progress=None)
    assert trainer.history["val_accuracy"][-1] > 0.96


def test_a_fit_within_a_fit_is_refused() -> None:
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.SGD(lr=1.0))

    def again(trainer: cr.Trainer) -> None:
        trainer.fit(x, t, epochs=1)

    with pytest.raises(SettingError, match="in the midst of another fit"):
        trainer.fit(x, t, epochs=2, callbacks=[again], progress=None)
    trainer.fit(x, t, epochs=1, progress=None)  # afterwards it may go on
    assert len(trainer.history) == 2
