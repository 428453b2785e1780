"""The recipe of training: chosen by the rows given, alike every time, and nothing is left changed."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.errors import DataError, NonFiniteError, SettingError
from chainrule.training.recipes import folds_for, part_of_rows

Array = npt.NDArray[Any]


def table(rows: int, noise: float, seed: int = 0) -> tuple[Array, Array]:
    """A straight line under noise, with columns that say nothing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 20)).astype(np.float32)
    t = (x[:, 0] - x[:, 1] + noise * rng.normal(size=rows))[:, None]
    return x, t.astype(np.float32)


def trainer_for(x: Array, **more: Any) -> cr.Trainer:
    net = cr.Sequential(
        cr.Affine.sized(x.shape[1], 64),
        cr.ReLU(),
        cr.Affine.sized(64, 1),
        loss=cr.MeanSquaredError(),
        seed=more.pop("net_seed", 0),
    )
    rate = cr.schedules.Cosine(0.01, steps=1)
    return cr.Trainer(net, cr.AdamW(rate), seed=1, engine="numpy", **more)


def choose(x: Array, t: Array, **more: Any) -> cr.Choice:
    return cr.choose_recipe(trainer_for(x), x, t, progress=None, **more)


def test_noise_asks_for_a_tight_hand_and_a_clear_curve_for_a_long_training() -> None:
    assert choose(*table(120, 3.0)).recipe.weight_decay == 3.0
    x, _ = table(400, 0.0)
    curve = np.sin(3 * x[:, :1]) * x[:, 1:2]
    assert choose(x[:, :2], curve).recipe == cr.recipes_for(400)[0]


def test_the_choice_is_better_on_new_rows_than_the_longest_training() -> None:
    """Means of squares on 2,000 rows that nothing was told of."""
    new, true = table(2000, 3.0, seed=9)
    for rows in (60, 150):
        x, t = table(rows, 3.0)
        found = {}
        for name in ("chosen", "long"):
            trainer = trainer_for(x)
            recipes = None if name == "chosen" else cr.recipes_for(rows)[:1]
            recipe = cr.choose_recipe(trainer, x, t, recipes, progress=None).recipe
            trainer.fit(x, t, recipe.epochs, 32, progress=None)
            found[name] = float(np.mean((trainer.predict(new) - true) ** 2))
        assert found["chosen"] < 0.8 * found["long"], (rows, found)


def test_same_rows_same_choice_and_nothing_is_left_changed() -> None:
    x, t = table(80, 1.0)
    trainer, fresh = trainer_for(x), trainer_for(x)
    first = cr.choose_recipe(trainer, x, t, progress=None)
    again = cr.choose_recipe(trainer_for(x), x, t, progress=None)
    assert first == again
    assert len(trainer.history) == 0
    for p, q in zip(trainer.model.params, fresh.model.params, strict=True):
        assert p.tobytes() == q.tobytes()
    # What follows is what the recipe alone would have done, to the bit.
    recipe = first.recipe
    cr.choose_recipe(fresh, x, t, [recipe], progress=None)
    for one in (trainer, fresh):
        one.fit(x, t, recipe.epochs, 32, progress=None)
    assert list(trainer.history.losses) == list(fresh.history.losses)
    for p, q in zip(trainer.model.params, fresh.model.params, strict=True):
        assert p.tobytes() == q.tobytes()


def test_moving_averages_are_put_back_too() -> None:
    x, t = table(60, 1.0)
    net = cr.Sequential(
        cr.Affine.sized(20, 8), cr.BatchNorm.sized(8), cr.ReLU(), cr.Affine.sized(8, 1),
        loss=cr.MeanSquaredError(), seed=0,
    )  # fmt: skip
    before = {name: np.copy(buffer) for name, buffer in net.named_buffers().items()}
    assert before
    trainer = cr.Trainer(net, cr.AdamW(0.01), engine="numpy")
    cr.choose_recipe(trainer, x, t, progress=None)
    for name, buffer in net.named_buffers().items():
        np.testing.assert_array_equal(buffer, before[name])


def test_the_optimizer_is_set_for_the_recipe() -> None:
    x, t = table(100, 1.0)
    trainer = trainer_for(x)
    choice = cr.choose_recipe(trainer, x, t, batch_size=30, progress=None)
    assert trainer.optimizer.weight_decay == choice.recipe.weight_decay
    schedule = trainer.optimizer.schedule
    assert isinstance(schedule, cr.schedules.Cosine)
    assert schedule.steps == 4 * choice.recipe.epochs
    plain = cr.Trainer(trainer.model, cr.AdamW(0.005), engine="numpy")
    cr.choose_recipe(plain, x, t, progress=None)
    assert float(plain.optimizer.lr) == 0.005


def test_of_equals_it_is_the_first_and_one_is_not_tried() -> None:
    x, t = table(40, 1.0)
    twins = [cr.Recipe(2, 0.5), cr.Recipe(2, 0.5)]
    choice = choose(x, t, recipes=twins)
    assert choice.losses[0] == choice.losses[1]
    assert choice.recipe is twins[0]
    one = choose(x, t, recipes=twins[:1])
    assert (one.recipe, one.losses, one.folds) == (twins[0], (), 0)


def test_parts_hold_every_row_once_and_every_class_evenly() -> None:
    t = np.repeat([0, 1, 2], [50, 23, 2])
    part = part_of_rows(t, 5, np.random.default_rng(0))
    assert np.bincount(part).tolist() == [15] * 5
    for label, rows in ((0, 50), (1, 23)):
        counts = np.bincount(part[t == label], minlength=5)
        assert counts.sum() == rows
        assert np.ptp(counts) <= 1
    alone = part_of_rows(np.zeros((50, 1)), 1, np.random.default_rng(0))
    assert np.bincount(alone + 1).tolist() == [40, 10]


@pytest.mark.parametrize("rows", [1, 19, 20, 150, 1_000, 9_999, 10_000, 300_000])
def test_all_trials_take_about_as_long_as_one_training(rows: int) -> None:
    batch = 32 if rows < 10_000 else 128
    recipes = cr.recipes_for(rows, batch)
    steps = -(-rows // batch)
    assert steps * max(r.epochs for r in recipes) <= max(5000 + steps, 10 * steps)
    if 20 <= rows < 10_000:
        folds = folds_for(recipes, rows, batch)
        assert 0.8 * steps * folds * sum(r.tried.epochs for r in recipes) < 1.6 * 5000 + 400
    else:
        assert len(recipes) == 1


def test_what_cannot_be_tried_is_refused() -> None:
    x, t = table(10, 1.0)
    with pytest.raises(SettingError, match="give some"):
        choose(x, t, recipes=[])
    with pytest.raises(DataError, match="10 rows cannot be cut in 11 parts"):
        choose(x, t, recipes=[cr.Recipe(1, 0.0), cr.Recipe(2, 0.0)], folds=11)
    with pytest.raises(SettingError, match="AdamW"):
        cr.choose_recipe(cr.Trainer(trainer_for(x).model, cr.SGD(0.1)), x, t)
    for wrong in ((0, 0.1), (1.5, 0.1), (3, -1.0), (3, float("nan"))):
        with pytest.raises(SettingError):
            cr.Recipe(*wrong)


def test_a_recipe_that_goes_out_of_bounds_is_not_chosen() -> None:
    x, t = table(60, 1.0)
    mad, sane = cr.Recipe(30, 900.0), cr.Recipe(2, 0.1)  # 0.01 · 900 shrinks by -8 each step
    choice = choose(x, t, recipes=[mad, sane])
    assert choice.recipe == sane
    assert choice.losses[0] == np.inf
    trainer = trainer_for(x)
    before = [p.copy() for p in trainer.model.params]
    with pytest.raises(NonFiniteError):
        cr.choose_recipe(trainer, x, t, [mad, cr.Recipe(31, 900.0)], progress=None)
    for p, q in zip(trainer.model.params, before, strict=True):
        np.testing.assert_array_equal(p, q)


def test_ctrl_c_ends_the_trials_and_leaves_the_network_as_it_was() -> None:
    x, t = table(60, 1.0)
    trainer = trainer_for(x)
    before = [p.copy() for p in trainer.model.params]
    old = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            cr.choose_recipe(
                trainer, x, t, [cr.Recipe(10**6, 0.1), cr.Recipe(1, 0.1)], progress=None
            )
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    for p, q in zip(trainer.model.params, before, strict=True):
        np.testing.assert_array_equal(p, q)


def test_words_are_said_only_where_words_are_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    x, t = table(40, 1.0)
    some = [cr.Recipe(1, 0.1), cr.Recipe(2, 1.0)]
    choose(x, t, recipes=some)
    assert capsys.readouterr().err == ""
    cr.choose_recipe(trainer_for(x), x, t, some, progress="lines")
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert told[0].startswith("1 epoch, weight decay 0.1: ")
