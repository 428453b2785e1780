"""What is said of ranks that are slower than one: once, from steps that are warm, and where it is so."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tests.distributed.cases import T, X, plain
from tests.distributed.threads import on_threads
from tests.engine.compiled.plain import plainly

import chainrule as cr
from chainrule.lang.messages import in_language
from chainrule.training import pace
from chainrule.training.pace import Pace


def test_what_is_said() -> None:
    own = Pace(4)
    assert own.add(10, 9.0, 8.9) is None  # the first ones
    assert own.add(40, 0.3, 0.29) is None  # too few
    told = own.add(60, 0.3, 0.29)
    assert told is not None
    start = "On 4 ranks a step takes 6,000 µs, and 5,800 µs of them are messages; alone it would take 800"
    assert str(told) == f"{start} µs at the most. Train it on one rank."
    assert in_language(told, "en", "command") == f"{start} µs at the most: use --ranks 1."
    assert own.add(60, 0.3, 0.29) is None  # once


@pytest.mark.parametrize(
    ("ranks", "seconds", "sent"),
    [
        (1, 1.0, 0.9),
        (2, 1.0, 0.4),  # alone up to 1.2
        (2, 1.0, 0.52),  # alone up to 0.96
        (8, 1.0, 0.85),
    ],
)
def test_ranks_that_pay_are_not_remarked_on(ranks: int, seconds: float, sent: float) -> None:
    own = Pace(ranks)
    assert [own.add(100, seconds, sent) for _ in range(3)] == [None] * 3


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("slow", [True, False])
def test_rank_0_says_so_while_training(
    engine: str,
    slow: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By a clock that each look moves on, the more the longer a sum takes."""
    ticks = itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: 0.01 * next(ticks))
    monkeypatch.setattr(pace, "SLOWER", 0.0 if slow else 1e9)

    def rank(communicator: Any) -> None:
        trainer = cr.Trainer(plain(), cr.SGD(0.1), engine=engine, communicator=communicator)
        trainer.fit(X, T, 40, 16, progress="lines")

    with plainly():
        on_threads(2, rank)
    assert capsys.readouterr().err.count("On 2 ranks a step takes") == slow
