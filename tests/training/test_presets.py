"""Presets: what their networks are made of, and that they learn what a plain network does not."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import pytest

import chainrule as cr
from chainrule.datasets import Preprocessor, Table

Task = Literal["classification", "regression"]
TABLE, SMALL = cr.PRESETS["table"], cr.PRESETS["table-small"]


def a_table(task: Task, n: int = 400) -> Table:
    """Steps and ripples along two numbers, a third without meaning, and effects of 30 cities."""
    rng = np.random.default_rng(1)
    a, b, noise = rng.uniform(-1, 1, (3, n))
    city = rng.integers(0, 30, n)
    value = np.floor(3 * a) % 2 + np.sin(9 * b) + np.linspace(-1, 1, 30)[city * 7 % 30]
    t: Any = value if task == "regression" else np.where(value > 0.5, "high", "low")
    return Table({"a": a, "b": b, "noise": noise, "city": [f"c{i}" for i in city], "t": t})


def trained(
    preset: cr.Preset, task: Task, epochs: int | None = None, seed: int = 0, rows: int = 320
) -> Any:
    table = a_table(task, rows + 200)
    train, test = table.rows(np.arange(rows)), table.rows(np.arange(rows, rows + 200))
    prepared = Preprocessor.fit(train, "t", task, encoding=preset.encoding)
    x, t = prepared.transform(train), prepared.targets(train)
    outputs = 2 if task == "classification" else 1
    net = preset.network(
        x, outputs=outputs, layout=prepared.layout, task=task, epochs=epochs, seed=seed
    )
    trainer = cr.Trainer(net, preset.optimizer(len(x), task=task, epochs=epochs), engine="numpy")
    trainer.fit(x, t, epochs or preset.epochs, preset.batch_size, drop_last=True, progress=None)
    found = trainer.evaluate(prepared.transform(test), prepared.targets(test))
    return net, trainer, found


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_it_learns_steps_ripples_and_many_categories(task: Task) -> None:
    small = dataclasses.replace(cr.PRESETS["table"], hidden=(48, 48))
    _net, trainer, found = trained(small, task, epochs=200, rows=1500)
    assert found["accuracy" if task == "classification" else "r2"] > 0.8
    assert trainer.optimizer.lr == pytest.approx(0, abs=1e-12)


def test_the_layers_of_table() -> None:
    net, trainer, _ = trained(TABLE, "classification", epochs=2)
    kinds = [type(layer).__name__ for layer in net.layers]
    block = ["NTKAffine", "ParametricSELU", "Dropout"]
    assert kinds == ["CategoryEmbedding", "PeriodicEmbedding", "Scale", *block * 3, "NTKAffine"]
    factors = {name: p.lr_factor for name, p in net.named_parameters().items()}
    assert {name: f for name, f in factors.items() if f != 1} == {
        **{f"1.{name}": 0.1 for name in "WbAc"},
        "2.a": 6.0,
        **{f"{i}.b": 0.1 for i in (3, 6, 9, 12)},
        **{f"{i}.a": 0.1 for i in (4, 7, 10)},
    }
    decays = {name for name, p in net.named_parameters().items() if not p.decays}
    assert decays == {f"{i}.b" for i in (3, 6, 9, 12)}
    assert net.layers[3].W.shape == (3 * 4 + 8, 256)
    assert trainer.optimizer.beta2 == 0.95
    assert net.loss.label_smoothing == 0.1
    assert all(layer.steps == 2 * (320 // 256) for layer in net.layers[5::3])


def test_the_layers_of_table_small() -> None:
    net, trainer, _ = trained(SMALL, "regression", epochs=2)
    kinds = [type(layer).__name__ for layer in net.layers]
    assert kinds == ["Scale", *["NTKAffine", "Mish"] * 3, "NTKAffine"]
    fresh = cr.PRESETS["table-small"].network(
        np.zeros((5, 3), np.float32),
        outputs=1,
        layout=cr.datasets.parts.Layout(3),
        task="regression",
    )
    assert not fresh.layers[-1].W.any()
    assert not np.asarray(fresh.predict(np.ones((2, 3)))).any()
    assert trainer.optimizer.weight_decay == 0


def test_unknown_texts_begin_and_stay_at_zero() -> None:
    net, _trainer, _found = trained(TABLE, "classification", epochs=3)
    assert not net.layers[0].W[0].any()
    assert np.abs(net.layers[0].W[1:]).min(axis=1).max() > 0


def test_the_same_bits_for_a_seed() -> None:
    one, two, other = (trained(TABLE, "regression", 2, seed)[0] for seed in (5, 5, 6))
    same = [np.array_equal(a, b) for a, b in zip(one.params, two.params, strict=True)]
    assert all(same)
    assert not np.array_equal(one.params[0], other.params[0])


def test_many_at_once_are_those_of_one_by_one() -> None:
    pytest.importorskip("llvmlite")
    preset, table = cr.PRESETS["table"], a_table("classification", 300)
    prepared = Preprocessor.fit(table, "t", encoding="embedded")
    x, t = prepared.transform(table), prepared.targets(table)

    def made(seed: int) -> tuple[cr.Sequential, Any]:
        net = preset.network(
            x, outputs=2, layout=prepared.layout, task="classification", epochs=3, seed=seed
        )
        return net, preset.optimizer(len(x), task="classification", epochs=3)

    pairs = [made(seed) for seed in range(3)]
    best = cr.EarlyStopping("val_accuracy", patience=None, latest=True)
    cr.fit_many(
        [net for net, _ in pairs], [o for _, o in pairs], x, t, 3, 256, seeds=[7, 8, 9],
        validation=0.2, early_stopping=best, engine="compiled", progress=None,
    )  # fmt: skip
    for seed, (net, _) in enumerate(pairs):
        alone, optimizer = made(seed)
        trainer = cr.Trainer(alone, optimizer, seed=7 + seed, engine="compiled", threads=1)
        trainer.fit(
            x, t, 3, 256, validation=0.2, progress=None,
            early_stopping=cr.EarlyStopping("val_accuracy", patience=None, latest=True),
        )  # fmt: skip
        for a, b in zip(net.params, alone.params, strict=True):
            np.testing.assert_array_equal(a, b)
