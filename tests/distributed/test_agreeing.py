"""Ranks whose callbacks change the training: alike on all of them, or it ends, and nobody waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.distributed.cases import T, X, plain
from tests.distributed.threads import on_threads
from tests.engine.compiled.plain import plainly

import chainrule as cr
from chainrule.engine.compiled.step import CompiledStep
from chainrule.engine.compiled.values import NotCompilable
from chainrule.lang.messages import _
from chainrule.training import compiled


class Change(cr.training.Callback):
    """Changes the training after a step, or after an epoch, where `here`."""

    def __init__(self, change: Callable[[Any], None], *, here: bool) -> None:
        self.change, self.here = change, here


class AfterStep(Change):
    def on_step(self, trainer: Any) -> None:
        if self.here and trainer.history.steps == 5:  # the second of an epoch
            self.change(trainer)


class AfterEpoch(Change):
    def on_epoch(self, trainer: Any) -> None:
        if self.here and trainer.current_epoch == 1:
            self.change(trainer)


def give_up(trainer: Any) -> None:
    """The kernel is given up."""
    trainer.model.refuses = True
    trainer.model._revision.change()


def freeze(trainer: Any) -> None:
    """Other gradients are added up."""
    trainer.model.layers[0].parameters["W"].trainable = False


def step_or_refusal(network: Any, *given: Any, **more: Any) -> CompiledStep:
    if getattr(network, "refuses", False):
        raise NotCompilable(_("nothing in the network is to be trained"))
    return CompiledStep(network, *given, **more)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("when", [AfterStep, AfterEpoch])
@pytest.mark.parametrize("change", [give_up, freeze])
@pytest.mark.parametrize("ranks", [(1,), (0, 1, 2)])
def test_a_change_of_all_goes_on_and_one_of_some_ends(
    change: Callable[[Any], None],
    when: type[Change],
    engine: str,
    ranks: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiled, "CompiledStep", step_or_refusal)

    def rank(communicator: Any) -> str:
        callback = when(change, here=communicator.rank in ranks)
        trainer = cr.Trainer(plain(), cr.SGD(0.5), engine=engine, communicator=communicator)
        try:
            history = trainer.fit(X, T, 3, 16, callbacks=[callback], progress=None)
        except cr.errors.RanksDifferError as error:
            return str(error)
        return f"{len(history)} epochs, {trainer.engine_used}"

    with plainly():
        said = on_threads(3, rank)
    assert said == said[:1] * 3
    gives_up = change is give_up and engine == "compiled"
    if len(ranks) == 3 or (change is give_up and engine == "numpy"):
        assert said[0] == f"3 epochs, {'numpy' if gives_up else engine}"
        return
    assert said[0].startswith("in epoch 2 a callback has changed the training, and not on every")
    assert "rank 2" not in said[0]
    if gives_up:
        assert (
            "rank 1 goes on with numpy (nothing in the network is to be trained), rank 0 with compiled"
            in said[0]
        )
    else:
        assert "rank 1 and rank 0 differ in whether" in said[0]
