"""A run is the Trainer's, and every step of it can be had again, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.optimizers import OPTIMIZERS
from chainrule.playground.building import make_network, make_optimizer
from chainrule.playground.caps import Caps
from chainrule.playground.run import Curve, Edit, Run
from chainrule.playground.settings import Settings
from chainrule.playground.sources import draw

CAPS = Caps()


def new_run(**changes: Any) -> Run:
    settings = Settings().changed(changes, CAPS)
    return Run(settings, draw(settings))


def bits(run: Run) -> tuple[bytes, ...]:
    """All that can be seen of a run at its present step."""
    machine = run.machine
    rows = b"" if machine.rows is None else machine.rows.tobytes()
    numbers = np.array([*run.scores, np.nan if machine.loss is None else machine.loss])
    counts = np.array([run.step, machine.epoch, machine.batch, machine.optimizer.iter])
    arrays = (machine.flat.data, machine.flat.grad, machine.slots, numbers, counts)
    return (*(a.tobytes() for a in arrays), rows, repr(run.settings).encode())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_an_undisturbed_run_is_the_trainers_fit(optimizer: str, dropout: float) -> None:
    run = new_run(
        optimizer=optimizer, dropout=dropout, l2=0.01, weight_seed=3, batch_size=30, data="spiral"
    )
    data, settings = run.data, run.settings
    x, t = data.inputs(settings.features), data.targets("squared")
    train, test = (x[: data.train], t[: data.train]), (x[data.train :], t[data.train :])
    network = make_network(settings, data)
    trainer = cr.Trainer(network, make_optimizer(settings), seed=3, engine="numpy")
    history = trainer.fit(*train, 4, 30, validation=test, metrics=["accuracy"], progress=None)
    losses = []
    for _ in range(4 * run.machine.batches):
        run.advance(1)
        losses.append(run.machine.loss)
    assert losses == history.losses.tolist()
    for mine, theirs in zip(run.machine.network.params, network.params, strict=True):
        assert np.array_equal(mine, theirs)
    assert run.curve.sample(400)[1:, 3].tolist() == history["val_loss"]
    assert run.curve.sample(400)[1:, 5].tolist() == history["val_accuracy"]


def test_the_plain_program_of_the_same_settings_makes_the_same_run() -> None:
    x, t = cr.datasets.playground("circle", 0.1, 5)
    train, _ = cr.datasets.stratified_split(t, 0.5, np.random.default_rng([5, 1]))
    net = cr.Sequential(
        cr.Affine.sized(2, 4, dtype=float), cr.Tanh(), cr.Affine.sized(4, 2, dtype=float),
        cr.Tanh(), cr.Affine.sized(2, 1, dtype=float), cr.Tanh(), loss=cr.layers.HalfSquaredError(),
        seed=0,
    )  # fmt: skip
    trainer = cr.Trainer(net, cr.SGD(0.03), engine="numpy")
    trainer.fit(x[train], np.where(t[train] == 1, 1.0, -1.0)[:, None], 3, 10, progress=None)
    run = new_run(noise=0.1, data_seed=5)
    run.advance(3 * run.machine.batches)
    assert all(
        np.array_equal(a, b) for a, b in zip(run.machine.network.params, net.params, strict=True)
    )
    assert run.curve.sample(9)[1:, 6].tolist() == trainer.history["loss"]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_every_step_can_be_had_again(optimizer: str, dropout: float) -> None:
    run = new_run(optimizer=optimizer, dropout=dropout, batch_size=40)
    seen = [bits(run)]
    for _ in range(40):
        run.advance(1)
        seen.append(bits(run))
    curve = run.curve.sample(400)
    for step in (39, 0, 40, 1, 7, 8, 6, 20, 14):
        run.go_to(step)
        assert bits(run) == seen[step], step
    run.advance(26)
    assert bits(run) == seen[40]
    assert run.end == 40
    assert np.array_equal(run.curve.sample(400), curve, equal_nan=True)


def disturbed() -> tuple[Run, list[tuple[bytes, ...]]]:
    """A run with every kind of change, and what it was after each step."""
    run = new_run(batch_size=40, hidden=[3])
    seen = [bits(run)]
    changes: dict[int, list[Any]] = {
        0: [Edit(0, (1, 2), 0.5)],
        3: [{"learning_rate": 0.3}, {"learning_rate": 0.1}],
        5: [{"optimizer": "Adam"}, Edit(1, (0,), -1.0)],
        9: [{"dropout": 0.4}],
        12: [{"optimizer_numbers": {"beta1": 0.5}, "l1": 0.01}],
        15: [{"batch_size": 16}],
        20: [{"dropout": 0.1, "optimizer": "Momentum"}, {"optimizer": "Adam"}],
        24: [{"dropout": 0.0}, {"batch_size": 250}],
        26: [{"l1": 0, "l2": 0.02}, Edit(3, (0,), 0.25), Edit(3, (0,), 0.75)],
    }
    for step in range(30):
        for change in changes.get(step, []):
            if isinstance(change, Edit):
                run.edit(change)
            else:
                run.change(run.settings.changed(change, CAPS))
            seen[step] = bits(run)
        run.advance(1)
        seen.append(bits(run))
    return run, seen


def test_every_step_can_be_had_again_across_changes() -> None:
    run, seen = disturbed()
    rng = np.random.default_rng(0)
    for step in [*range(30, -1, -1), *rng.integers(0, 31, 40).tolist()]:
        run.go_to(step)
        assert bits(run) == seen[step], step


@pytest.mark.parametrize("at", [0, 3, 5, 6, 15, 17, 24])
def test_a_branch_shares_the_past_and_leaves_the_other_run_alone(at: int) -> None:
    run, seen = disturbed()
    run.go_to(at)
    branch = run.branch(1)
    assert (branch.parent, branch.forked_at, branch.end) == (0, at, at)
    assert bits(branch) == seen[at]
    branch.change(branch.settings.changed({"learning_rate": 1.0}, CAPS))
    branch.advance(10)
    end = bits(branch)
    assert bits(run) == seen[30]
    for step in (at, max(at - 2, 0), 2, 30):
        run.go_to(step)
        assert bits(run) == seen[step]
    for step in range(at):
        branch.go_to(step)
        assert bits(branch) == seen[step]
    branch.go_to(at + 10)
    assert bits(branch) == end
    branch.rest()
    assert bits(branch) == end


def test_states_are_thinned_and_the_past_stays_exact() -> None:
    run = new_run(batch_size=125, hidden=[2])
    seen = {}
    for step in range(1, 2001):
        run.advance(1)
        if step % 97 == 0:
            seen[step] = bits(run)
    assert len(run._kept) <= 256
    for step in reversed(seen):
        run.go_to(step)
        assert bits(run) == seen[step]


def test_memory_of_the_largest_network_is_bounded() -> None:
    run = new_run(hidden=[64] * 6, optimizer="Adam", batch_size=250)
    run.advance(30)
    assert run.nbytes <= 8 << 20
    now = bits(run)
    run.go_to(7)
    run.go_to(30)
    assert bits(run) == now


def test_a_step_that_is_not_finite_is_not_taken() -> None:
    run = new_run(learning_rate=100, activations=["relu", "relu"], data="plane", batch_size=50)
    with pytest.raises(cr.errors.NonFiniteError):
        run.advance(10_000)
    assert (run.failure is not None and "not finite" in run.failure) or "loss is" in str(
        run.failure
    )
    assert np.isfinite(run.machine.flat.data).all()
    step, now = run.step, bits(run)
    assert run.end == step
    run.go_to(step // 2)
    run.go_to(step)
    assert bits(run) == now
    run.change(run.settings.changed({"learning_rate": 1e-9}, CAPS))
    assert run.failure is None


def test_a_long_curve_stays_whole() -> None:
    curve = Curve()
    for epoch in range(20_001):
        curve.add(epoch * 25, epoch, (1 / (epoch + 1), 0, 0, 0), 0.5)
    found = curve.sample(400)
    assert len(found) == 400
    assert found[0].tolist() == [0, 0, 1, 0, 0, 0, 0.5]
    assert found[-1, :2].tolist() == [20_000 * 25, 20_000]
    assert (np.diff(found[:, 0]) > 0).all()
    assert np.array_equal(found[:, 2], 1 / (found[:, 1] + 1))
    part = curve.until(10_000 * 25)
    part.add(10_000 * 25 + 1, 10_001, (0, 0, 0, 0), 0.5)
    assert curve.sample(400)[-1, 1] == 20_000
    assert part.sample(400)[-1, 1] == 10_001


def test_first_weights_do_not_depend_on_dropout() -> None:
    settings = Settings()
    data = draw(settings)
    plain = make_network(settings, data)
    with_dropout = make_network(replace(settings, dropout=0.5), data)
    assert all(np.array_equal(a, b) for a, b in zip(plain.params, with_dropout.params, strict=True))


def test_the_latest_gradient_and_change_belong_to_the_step() -> None:
    run = new_run(optimizer="Momentum", batch_size=40)

    def latest() -> tuple[Any, Any]:
        return run.machine.gradient, run.machine.change

    assert latest() == (None, None)
    seen = []
    for _ in range(12):
        before = run.machine.flat.data.copy()
        run.advance(1)
        seen.append(latest())
        assert np.array_equal(seen[-1][1], run.machine.flat.data - before)
    for step in (5, 11, 12, 1):
        run.go_to(step)
        assert all(map(np.array_equal, latest(), seen[step - 1]))
    # What is visited on the way leaves no trace.
    run.go_to(12)
    now = bits(run)
    with run.visiting(4):
        assert all(map(np.array_equal, latest(), seen[3]))
    assert bits(run) == now
    assert all(map(np.array_equal, latest(), seen[11]))
    # An edit: the gradients were of other weights, and the change is the edit's.
    run.edit(Edit(0, (1, 2), 0.5))
    gradient, change = latest()
    assert gradient is None
    assert np.flatnonzero(change).tolist() == [1 * 4 + 2]
    run.go_to(0)
    assert latest() == (None, None)


def test_the_history_of_a_number_is_what_it_was_at_the_kept_steps() -> None:
    run = new_run(batch_size=40)
    seen = [run.machine.parameters[1][3, 1]]
    for _ in range(700):
        run.advance(1)
        seen.append(run.machine.parameters[1][3, 1])
    history = run.history_of(1, (3, 1))
    assert 100 < len(history) <= 257
    assert history[-1, 0] == 700
    assert all(seen[int(step)] == value for step, value in history)
    run.go_to(300)
    assert run.history_of(1, (3, 1))[-1].tolist() == [300, seen[300]]
