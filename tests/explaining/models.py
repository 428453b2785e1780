"""Small table models of every kind, for tests of what explains them."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

import numpy as np

import chainrule as cr
from chainrule.datasets import Preprocessor, Table
from chainrule.files import Model

__all__ = ["KINDS", "Task", "a_table", "model_of", "of_linear"]

Task = Literal["classification", "regression"]
KINDS = ("plain", "table-small", "table", "ensemble")


@functools.cache
def a_table(task: Task, n: int = 240) -> Table:
    """A number with gaps, a date, a text of 12 and one of 2 categories, and noise."""
    rng = np.random.default_rng(3)
    size, noise = rng.normal(100, 20, n), rng.normal(size=n)
    day = np.datetime64("2020-01-01") + rng.integers(0, 900, n)
    town, garage = rng.integers(0, 12, n), rng.integers(0, 2, n)
    value = size / 10 + 3 * np.sin(town) + 2 * garage + rng.normal(size=n)
    t: Any = (
        value
        if task == "regression"
        else np.array(["low", "mid", "high"])[np.digitize(value, np.quantile(value, [0.3, 0.7]))]
    )
    cells: dict[str, Any] = {
        "size": [None if i % 17 == 0 else float(v) for i, v in enumerate(size)],
        "day": day,
        "town": [f"t{k}" for k in town],
        "garage": np.array(["no", "yes"])[garage],
        "noise": noise,
        "t": t,
    }
    return Table(cells)


@functools.cache
def model_of(kind: str, task: Task) -> Model:
    """A model of a kind, trained a little, with its baselines."""
    table = a_table(task)
    encoding: Any = "standard" if kind == "plain" else cr.PRESETS[_preset(kind)].encoding
    prepared = Preprocessor.fit(table, "t", task, encoding=encoding)
    x, t = prepared.transform(table), prepared.targets(table)
    outputs = 3 if task == "classification" else 1
    classes = outputs if task == "classification" else None
    baselines = cr.Baselines.fit(prepared.layout.one_hot(x), t, classes)
    nets: list[Any] = []
    for seed in range(3 if kind == "ensemble" else 1):
        if kind == "plain":
            loss: Any = cr.SoftmaxWithLoss() if classes else cr.MeanSquaredError()
            layers = (cr.Affine.sized(x.shape[1], 24), cr.ReLU(), cr.Affine.sized(24, outputs))
            net: Any = cr.Sequential(*layers, loss=loss, seed=seed)
            trainer = cr.Trainer(net, cr.Adam(0.01), engine="numpy")
            batch = 32
        else:
            preset = dataclasses.replace(cr.PRESETS[_preset(kind)], hidden=(20, 20))
            net = preset.network(
                x, outputs=outputs, layout=prepared.layout, task=task, epochs=12, seed=seed
            )
            optimizer = preset.optimizer(len(x), task=task, epochs=12)
            trainer = cr.Trainer(net, optimizer, engine="numpy")
            batch = 64
        trainer.fit(x, t, 12, batch, progress=None)
        nets.append(net)
    network = cr.Ensemble(nets) if kind == "ensemble" else nets[0]
    return Model(network, prepared, {}, baselines)


def _preset(kind: str) -> str:
    return "table" if kind == "ensemble" else kind


def of_linear(W: Any, b: Any, table: Table, loss: Any) -> Model:
    """A model that is one affine layer with these weights, after the standard encoding."""
    prepared = Preprocessor.fit(table, "t")
    x, t = prepared.transform(table), prepared.targets(table)
    net = cr.Sequential(cr.Affine(np.asarray(W), np.asarray(b)), loss=loss)
    classes = len(prepared.classes) if prepared.classes else None
    return Model(net, prepared, {}, cr.Baselines.fit(x, t, classes))
