"""The last, smaller batch left out: which rows are used, on every engine, alone and at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.training.batches import Batches, rows_used


@pytest.mark.parametrize(("n", "size"), [(10, 4), (12, 4), (3, 4), (4, 4), (5, 4), (9, 1)])
def test_every_batch_is_whole_and_other_rows_are_left_out_in_turn(n: int, size: int) -> None:
    whole = Batches(n, size, np.random.default_rng(0))
    batches = Batches(n, size, np.random.default_rng(0), drop_last=True)
    assert len(batches) == max(1, n // size)
    assert batches.used == rows_used(n, size, True) == len(batches) * min(n, size)
    seen: set[int] = set()
    for _epoch in range(60):
        whole.shuffle()
        batches.shuffle()
        for i in range(len(batches)):
            assert len(batches[i]) == min(n, size)
            assert (batches[i] == whole[i]).all()  # the orders are those of all batches
            seen |= set(batches[i].tolist())
    assert seen == set(range(n))
    several = np.empty((5, batches.used), np.intp)
    Batches(n, size, np.random.default_rng(0), drop_last=True).shuffle(several)
    one = Batches(n, size, np.random.default_rng(0), drop_last=True)
    for order in several:
        one.shuffle()
        assert (one.order[: one.used] == order).all()


def network(seed: int) -> cr.Sequential:
    layers: list[cr.Layer] = [
        cr.Affine.sized(2, 8),
        cr.Tanh(),
        cr.Dropout(0.2),
        cr.Affine.sized(8, 3),
    ]
    return cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=seed)


def bits(net: Any) -> list[bytes]:
    return [p.tobytes() for p in net.params]


@pytest.mark.parametrize("weighted", [False, True])
def test_trainings_on_both_engines_and_many_at_once(weighted: bool) -> None:
    x, t = (a[:290] for a in cr.datasets.spiral(seed=1))
    w = np.random.default_rng(2).uniform(0.5, 2, 290) if weighted else None
    more: dict[str, Any] = {"sample_weight": w, "progress": None, "validation": 0.2}

    def trained(engine: str, epochs: int = 6, **settings: Any) -> cr.Trainer:
        trainer = cr.Trainer(network(0), cr.Adam(0.01), seed=4, engine=engine, threads=1)
        trainer.fit(x, t, epochs, 50, **more, **settings)
        return trainer

    numpy, compiled = trained("numpy", drop_last=True), trained("compiled", drop_last=True)
    for each in (numpy, compiled):
        assert each.history.steps == 6 * (232 // 50)
    for a, b in zip(numpy.model.params, compiled.model.params, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(numpy.history["loss"], compiled.history["loss"], rtol=1e-4)
    assert trained("numpy").history.steps == 6 * 5
    # The same orders: a training on whole batches alone is the same with it and without.
    assert rows_used(232, 58, True) == 232

    nets = [network(0), network(1), network(2)]
    cr.fit_many(
        nets, [cr.Adam(0.01) for _ in nets], x, t, 6, 50, seeds=[4, 5, 6], engine="compiled",
        drop_last=True, **more,
    )  # fmt: skip
    assert bits(nets[0]) == bits(compiled.model)


def test_presets_leave_it_out_as_their_steps_say() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 4))
    y = (X[:, 0] + rng.normal(size=700) > 0).astype(int)
    model = cr.NetworkClassifier("table-small", epochs=3, random_state=0, engine="numpy").fit(X, y)
    assert cr.PRESETS["table-small"].steps(560, 3) == 6  # 560 of 700 rows; two batches of 256
    assert model.history_.steps == 6
