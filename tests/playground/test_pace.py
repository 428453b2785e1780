"""Playing goes as fast as it is told to, ends where it is told to, and relative commands add up."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from chainrule.playground.pace import Pace
from chainrule.playground.session import Session


def do(session: Session, what: str, **fields: Any) -> None:
    answer = session.do({"do": what, **fields})
    assert answer.kind == "reply", answer.fields


def test_steps_come_evenly_and_lost_time_is_not_made_up() -> None:
    pace, now = Pace(), 100.0
    pace.set(2.0)
    pace.begin(25, now)
    taken = [pace.due(25, now := now + 0.02) for _ in range(100)]
    assert 100 <= sum(taken) <= 101
    assert max(taken) <= 2
    assert pace.due(25, now + 60) <= 0.25 * 50 + 1
    assert 0 < pace.wait(25, now + 60) <= 0.03
    # Slower than its own patience: a step a second.
    pace.set(1.0)
    pace.begin(1, now)
    assert [pace.due(1, now + 0.1 * k) for k in range(21)] == [1, *[0] * 9, 1, *[0] * 9, 1]
    assert pace.wait(1, now + 2.0) == pytest.approx(1.0)


def test_a_slow_session_waits_between_its_steps() -> None:
    session = Session()
    do(session, "speed", epochs=1)
    do(session, "play")
    assert session.advance(0.01)
    assert session.run.step == 1
    moved = session.moved
    assert session.advance(0.01)  # too early: nothing has moved, and it still plays
    assert (session.run.step, session.moved) == (1, moved)
    assert 0.01 < session.wait() <= 0.05
    time.sleep(session.wait())
    session.advance(0.01)
    assert session.run.step >= 2
    do(session, "speed", epochs=None)
    session.advance(0.05)
    assert session.wait() == 0.0
    assert session.run.step > 10
    assert session.state().fields["speed"] is None


def test_playing_ends_after_epochs_and_at_a_score() -> None:
    session = Session()
    do(session, "step", count=30)
    do(session, "play", epochs=4)
    while session.playing:
        session.advance(0.05)
    assert session.run.step == 5 * 25
    do(session, "play", score=0.95)
    while session.playing:
        session.advance(0.05)
    scores = session.run.curve.sample(4096)
    assert scores[-1, 5] >= 0.95 > scores[6:-1, 5].max()
    assert session.run.machine.batch == 0
    before = session.state().to_bytes()
    for fields in ({"epochs": 0}, {"epochs": "x"}, {"score": 2}, {"score": [1]}):
        assert session.do({"do": "play", **fields}).kind == "error"
    assert session.do({"do": "speed", "epochs": 0}).kind == "error"
    assert session.state().to_bytes() == before


def test_relative_commands_add_up_within_the_limits() -> None:
    r, session = random.Random(0), Session()
    hidden, caps = [4, 2], session.caps
    for _ in range(60):
        if r.random() < 0.3 or not hidden:
            by = r.choice([1, -1, 2])
            do(session, "add_layers", by=by)
            hidden = (hidden + [2] * by)[: max(len(hidden) + by, 0)][: caps.layers]
        else:
            k, by = r.randrange(len(hidden)), r.choice([1, -1, 5])
            do(session, "resize", layer=k + 1, by=by)
            hidden[k] = min(max(hidden[k] + by, 1), caps.units)
        assert list(session.run.settings.hidden) == hidden
        assert len(session.run.settings.activations) == len(hidden)
    session = Session()
    do(session, "activate", layer=2, activation="relu")
    assert session.run.settings.activations == ("tanh", "relu")
    for name in ("siny", "x2", "siny"):
        do(session, "use", feature=name, on=True)
    do(session, "use", feature="x", on=False)
    assert session.run.settings.features == ("y", "x2", "siny")
    before = session.state().to_bytes()
    for command in (
        {"do": "resize", "layer": 3, "by": 1}, {"do": "resize", "layer": 0, "by": 1},
        {"do": "resize", "layer": 1, "by": "1"}, {"do": "add_layers"},
        {"do": "activate", "layer": 1, "activation": "step"},
        {"do": "use", "feature": "z", "on": True}, {"do": "use", "feature": "x2", "on": 1},
    ):  # fmt: skip
        assert session.do(command).kind == "error", command
    assert session.state().to_bytes() == before
