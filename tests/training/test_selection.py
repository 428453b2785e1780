"""Greedy selection, and networks of drawn settings: against every choice there is, and one shared step."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.errors import DataError
from chainrule.layers import Loss
from chainrule.training.ranges import DRAWN, RANGES, drawn_settings
from chainrule.training.selection import greedy_selection
from chainrule.training.structure import rule_of, structure_of

Array = npt.NDArray[np.float64]


def answers(
    loss: Loss, seed: int = 0, n: int = 40, many: int = 7
) -> tuple[list[Array], npt.NDArray[Any]]:
    rng = np.random.default_rng(seed)
    t: npt.NDArray[Any]
    right: Array
    if isinstance(loss, cr.SoftmaxWithLoss):
        t = rng.integers(0, 3, n)
        right = 2.0 * np.eye(3)[t]
    elif isinstance(loss, cr.SigmoidWithLoss):
        t = rng.integers(0, 2, (n, 1)).astype(float)
        right = 4 * t - 2
    else:
        t = right = rng.normal(size=(n, 1))
    noise = rng.uniform(0.5, 3, many)
    return [right + s * rng.normal(size=right.shape) for s in noise], t


def mean_loss(
    loss: Loss, outputs: list[Array], chosen: tuple[int, ...], t: npt.NDArray[Any]
) -> float:
    """The loss of the mean of these, as an Ensemble has it, by its definition."""
    links = np.mean([np.asarray(loss.link(outputs[i])) for i in chosen], axis=0)
    if isinstance(loss, cr.SoftmaxWithLoss):
        return float(-np.log(links[np.arange(len(t)), t]).mean())
    if isinstance(loss, cr.SigmoidWithLoss):
        return float(-(t * np.log(links) + (1 - t) * np.log(1 - links)).mean())
    return float(((links - t) ** 2).mean())


LOSSES = [cr.SoftmaxWithLoss(), cr.SigmoidWithLoss(), cr.MeanSquaredError()]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("seed", range(4))
def test_each_choice_is_the_best_there_is(loss: Loss, seed: int) -> None:
    outputs, t = answers(loss, seed)
    chosen: tuple[int, ...] = ()
    found = []
    for _round in range(10):
        losses = [mean_loss(loss, outputs, (*chosen, i), t) for i in range(len(outputs))]
        chosen = (*chosen, int(np.argmin(losses)))
        found.append(min(losses))
    length = next(i for i, one in enumerate(found, 1) if one < min(found) * (1 + 1e-6))
    picked = greedy_selection(outputs, t, loss, most=10)
    assert picked.counts == tuple(np.bincount(chosen[:length], minlength=len(outputs)))
    assert picked.loss == pytest.approx(min(found))
    assert picked.loss <= min(mean_loss(loss, outputs, (i,), t) for i in range(len(outputs)))


def test_it_is_near_the_best_of_all_choices() -> None:
    loss = cr.MeanSquaredError()
    for seed in range(5):
        outputs, t = answers(loss, seed, many=5)
        every = [
            mean_loss(loss, outputs, chosen, t)
            for size in range(1, 6)
            for chosen in combinations_with_replacement(range(5), size)
        ]
        assert greedy_selection(outputs, t, loss, most=5).loss <= 1.05 * min(every)


def test_an_ensemble_of_those_chosen_has_that_loss() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(60, 4)).astype(np.float32), rng.integers(0, 3, 60)
    nets = [cr.TwoLayerNet(4, 5, 3, seed=i) for i in range(6)]
    for net in nets:
        cr.Trainer(net, cr.Adam(0.05)).fit(x, t, 3, progress=None)
    loss = cr.SoftmaxWithLoss()
    picked = greedy_selection([net.predict(x) for net in nets], t, loss)
    kept = cr.Ensemble([nets[i] for i in picked.members], picked.weights)
    assert float(loss.forward(kept.predict(x), t)) == pytest.approx(picked.loss, rel=1e-5)


def test_of_equals_it_is_the_first() -> None:
    same = np.ones((3, 1))
    assert greedy_selection([same, same, same], same, cr.MeanSquaredError()).counts == (1, 0, 0)
    with pytest.raises(DataError, match="nothing to select"):
        greedy_selection([], same, cr.MeanSquaredError())


# -- drawn settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_networks_of_drawn_settings_share_one_step(task: str) -> None:
    table = cr.datasets.load("iris")
    prepared = cr.datasets.Preprocessor.fit(table, "species", encoding="embedded")
    x = prepared.transform(table)
    own = drawn_settings("table", 6, np.random.default_rng(0))
    kind = "classification" if task == "classification" else "regression"
    presets = [cr.PRESETS["table"].with_settings(kind, **settings) for settings in own]  # type: ignore[arg-type]
    nets = [
        preset.network(x, outputs=3, layout=prepared.layout, task=kind, seed=i)  # type: ignore[arg-type]
        for i, preset in enumerate(presets)
    ]
    rules = [rule_of(preset.optimizer(len(x), task=kind)) for preset in presets]  # type: ignore[arg-type]
    structures = [structure_of(net) for net in nets]
    assert all(
        s is not None and structures[0] is not None and s[0] == structures[0][0] for s in structures
    )
    assert len({repr(rule) for rule in rules}) == 1
    assert len({preset.sigma for preset in presets}) == 6


def test_the_first_has_the_presets_own_settings() -> None:
    for name, ranges in RANGES.items():
        by_name = {one.name: one for one in ranges}
        drawn = drawn_settings(name, 5, np.random.default_rng(1), given=["lr"])
        assert drawn[0] == {}
        for settings in drawn[1:]:
            assert set(settings) == (set(DRAWN) & set(by_name)) - {"lr"}
            assert all(value in by_name[key] for key, value in settings.items())
            assert all(value > 0 or key == "dropout" for key, value in settings.items())
