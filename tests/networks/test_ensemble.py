"""Ensemble: the mean of several networks' answers, and how far they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import FormatError, SettingError, ShapeError

X = np.random.default_rng(0).standard_normal((30, 3))
KINDS: list[tuple[Any, int, Any]] = [
    (cr.SoftmaxWithLoss, 4, np.arange(30) % 4),
    (cr.SigmoidWithLoss, 2, np.arange(60).reshape(30, 2) % 2),
    (cr.MeanSquaredError, 2, X[:, :2] * 3),
]


def members(loss: Any, outputs: int, count: int = 3, size: float = 1.0) -> list[cr.Sequential]:
    made = []
    for i in range(count):
        hidden = cr.Affine.sized(3, 5, dtype=float)
        last = cr.Affine.sized(5, outputs, dtype=float)
        net = cr.Sequential(hidden, cr.Tanh(), last, loss=loss(), seed=i)
        net.params[2][...] *= size
        made.append(net)
    return made


@pytest.mark.parametrize(("loss", "outputs", "t"), KINDS)
@pytest.mark.parametrize("weights", [None, [1.0, 5.0, 2.0]])
def test_the_mean_of_answers(loss: Any, outputs: int, t: Any, weights: list[float] | None) -> None:
    nets = members(loss, outputs)
    both = cr.Ensemble(nets, weights)
    answers = np.stack([net.loss.link(net.predict(X)) for net in nets])
    w = np.ones(3) if weights is None else np.array(weights)
    mean = np.average(answers, axis=0, weights=w)
    np.testing.assert_allclose(both.loss.link(both.predict(X)), mean, rtol=1e-12)
    spread = np.sqrt(np.average((answers - mean) ** 2, axis=0, weights=w))
    np.testing.assert_allclose(both.spread(X), spread, rtol=1e-12)
    assert cr.check(both, X[:6], t[:6]).ok
    assert both.spread(X).shape == both.predict(X).shape


@pytest.mark.parametrize(("loss", "outputs"), [(kind[0], kind[1]) for kind in KINDS[:2]])
def test_answers_that_are_sure_stay_finite(loss: Any, outputs: int) -> None:
    nets = members(loss, outputs, size=1e4)
    with np.errstate(all="raise", under="ignore"):
        scores = np.asarray(cr.Ensemble(nets).predict(X))
    assert np.isfinite(scores).all()
    same = cr.Ensemble([nets[0], nets[0]]).predict(X)
    links = [np.asarray(nets[0].loss.link(y)) for y in (same, nets[0].predict(X))]
    np.testing.assert_allclose(links[0], links[1], rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize(("loss", "outputs", "t"), KINDS)
def test_kept_in_a_model_file(loss: Any, outputs: int, t: Any, tmp_path: Path) -> None:
    both = cr.Ensemble(members(loss, outputs), [3.0, 1.0, 1.0])
    cr.save_model(tmp_path / "both.safetensors", both)
    again = cr.load_model(tmp_path / "both.safetensors").network
    assert isinstance(again, cr.Ensemble)
    assert again.weights == both.weights
    np.testing.assert_array_equal(again.predict(X), both.predict(X))
    trainer = cr.Trainer(again, cr.SGD(0.01), engine="numpy")
    assert trainer.fit(X, t, 2, progress=None)["loss"][1] < trainer.history["loss"][0]


def test_damaged_weights_in_a_file() -> None:
    from chainrule.files.architecture import describe
    from chainrule.files.architecture_checks import expected_arrays

    described = describe(cr.Ensemble(members(cr.MeanSquaredError, 1)))
    for weights in ([1.0], [0.5, 0.5, -1.0], "x", None):
        with pytest.raises(FormatError, match="weights"):
            expected_arrays({**described, "weights": weights}, "file")
    plain = {**describe(members(cr.MeanSquaredError, 1)[0]), "weights": [1.0]}
    with pytest.raises(FormatError, match="weights"):
        expected_arrays(plain, "file")


def test_the_compiled_engine_predicts_the_same() -> None:
    pytest.importorskip("llvmlite")
    both = cr.Ensemble(members(cr.SoftmaxWithLoss, 4))
    plain = np.asarray(both.predict(X))
    both.engine = "compiled"
    np.testing.assert_allclose(both.predict(X), plain, rtol=1e-12, atol=1e-13)


def test_what_is_no_ensemble() -> None:
    nets = members(cr.SoftmaxWithLoss, 4)
    with pytest.raises(SettingError, match="list of networks"):
        cr.Ensemble([])
    with pytest.raises(SettingError, match="same loss"):
        cr.Ensemble([nets[0], *members(cr.MeanSquaredError, 4)])
    with pytest.raises(ShapeError, match="got 2 weights for 3"):
        cr.Ensemble(nets, [1.0, 2.0])
    with pytest.raises(SettingError, match="weights"):
        cr.Ensemble(nets, [1.0, 0.0, 1.0])
