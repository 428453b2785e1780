"""The step that training runs, held against the graph: what is said of it, and what is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.driver import as_json, good
from tests.differential.test_planted_faults import stale_view
from tests.distributed.threads import on_threads
from tests.engine.compiled.plain import plainly

import chainrule as cr
from chainrule.checking.step import check_step
from chainrule.distributed.messages import Messages
from chainrule.engine.program import _Builder
from chainrule.errors import CheckError, SettingError

X = np.random.default_rng(0).standard_normal((8, 6))
T = X[:, :2]


class Turned(cr.Network):
    """The smallest network whose recorded step once was wrong."""

    def __init__(self) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.o = cr.Affine.sized(6, 2, dtype=np.float64)

    def predict(self, x: Any) -> Any:
        return self.o(cr.swapaxes(x.reshape(-1, 2, 3), 1, 2).reshape(-1, 6))


class ByHand:
    def __init__(self) -> None:
        self.params: list[Any] = []
        self.grads: list[Any] = []

    def forward(self, x: Any) -> Any:
        return x * 2

    def backward(self, dout: Any) -> Any:
        return dout * 2


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_a_right_step(engine: str) -> None:
    with plainly():
        report = cr.check(Turned(), X, T, engine=engine)
    assert report
    assert report.step is not None
    assert (report.step.engine, report.step.reason) == (engine, None)
    name = {"numpy": "NumPy"}.get(engine, engine)
    assert report.summary == (
        f"All 3 gradients agree with the complex step. The loss and the gradients of the {name} engine's"
        " step are those of the graph."
    )
    assert list(report.step.verdicts) == ["loss", "o.W", "o.b"]


def test_a_wrong_step_is_found_though_the_graph_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Builder, "_assert_sound", lambda self: None)
    stale_view(monkeypatch)
    report = cr.check(Turned(), X, T, engine="numpy")
    assert all(row.ok for row in report.rows)
    assert not report
    assert report.step is not None
    assert not report.step.verdicts["o.W"].ok
    assert "The NumPy engine's step is WRONG in loss, o.W" in str(report)
    trainer = cr.Trainer(Turned(), cr.SGD(0.1), engine="numpy", check=True)
    with pytest.raises(CheckError, match=r"o\.W: the NumPy engine's step has .* at o\.W\["):
        trainer.fit(X, T, 1, progress=None)
    assert trainer.history.epochs == []


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("wrong", [False, True])
def test_the_step_of_ranks_is_the_one_that_is_checked(
    engine: str, wrong: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_up = Messages.add_up_gradients

    def halved(self: Messages, loss: float) -> tuple[float, bool]:
        found = add_up(self, loss)
        self.gradients[0][:3] *= 0.5
        return found

    if wrong:
        monkeypatch.setattr(Messages, "add_up_gradients", halved)

    def rank(ranks: Any) -> str:
        trainer = cr.Trainer(Turned(), cr.SGD(0.1), engine=engine, check=True, communicator=ranks)
        try:
            trainer.fit(X, T, 1, progress=None)
        except CheckError as error:
            return str(error)
        assert trainer.checked is not None
        assert trainer.checked.step is not None
        assert (trainer.checked.step.engine, trainer.checked.step.divided) == (engine, True)
        return "right"

    with plainly():
        first, second = on_threads(2, rank)
    assert first == second
    name = "NumPy" if engine == "numpy" else "compiled"
    assert (f"o.W: the {name} engine's step on divided batches has" in first) == wrong, first
    assert (first == "right") != wrong


def test_why_it_is_not_the_compiled_engine() -> None:
    net = cr.Sequential(ByHand(), cr.Affine.sized(6, 2, dtype=float), loss=cr.MeanSquaredError())
    found = check_step(net, X, T, engine="compiled")
    assert found.ok
    assert (found.engine, found.reason) == ("numpy", "ByHand is written by hand, in Python")
    assert "(compiled: ByHand is written by hand, in Python)" in found.summary


def test_it_changes_nothing() -> None:
    net = cr.Sequential(
        cr.Affine.sized(6, 4), cr.BatchNorm.sized(4), cr.Dropout(0.3), cr.Affine.sized(4, 2),
        loss=cr.MeanSquaredError(), seed=0,
    )  # fmt: skip
    net.forward(X, T)
    net.backward()
    before = [a.copy() for a in (*net.params, *net.grads, *net.named_buffers().values())]
    assert cr.check(net, X, T, engine="numpy")
    for a, b in zip(before, (*net.params, *net.grads, *net.named_buffers().values()), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_trainer_checks_the_first_rows(engine: str) -> None:
    w = np.random.default_rng(1).random(8)
    with plainly():
        trainer = cr.Trainer(Turned(), cr.Adam(0.1), engine=engine, check=True)
        trainer.fit(X, T, 2, 5, sample_weight=w, max_grad=1.0, progress=None)
    assert trainer.checked is not None
    assert trainer.checked.step is not None
    assert trainer.checked.step.engine == trainer.engine_used == engine
    same = cr.Trainer(Turned(), cr.Adam(0.1), engine="numpy")
    same.fit(X, T, 2, 5, sample_weight=w, max_grad=1.0, progress=None)
    np.testing.assert_allclose(trainer.history.losses, same.history.losses, rtol=1e-12)


def test_a_model_by_hand_cannot_be_looked_into() -> None:
    class Model(ByHand):
        def forward(self, x: Any, t: Any = None) -> Any:
            return 0.0

    with pytest.raises(SettingError, match=r"cr\.check\(layer, x\)"):
        cr.Trainer(Model(), cr.SGD(), check=True).fit(X, T, 1, progress=None)


def test_the_command_says_so(tmp_path: Path) -> None:
    net = cr.Sequential(cr.Affine.sized(4, 3), loss=cr.SoftmaxWithLoss(), seed=0)
    path = str(tmp_path / "net.safetensors")
    cr.save_model(path, net)
    told = good("check", path, "--engine", "numpy")
    assert "The loss and the gradients of the NumPy engine's step" in told
    found = as_json("check", path, "--engine", "numpy")
    assert found["step"]["engine"] == "numpy"
    assert {row["gradient"] for row in found["step"]["rows"]} == {"loss", "0.W", "0.b"}
    assert found["ok"]
    assert "step" not in as_json("check", "sum(tanh(x * w))")
