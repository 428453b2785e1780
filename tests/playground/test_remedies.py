"""A remedy that is offered works: done, it takes the trouble away, and the loss goes down."""

from __future__ import annotations

from typing import Any

import pytest

from chainrule.playground.messages import Message
from chainrule.playground.session import Session

RELU = {"activations": ["relu", "relu"]}
#: Settings, then what is done after five epochs.
RUINED: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "diverged from the start": ({"data": "plane", "learning_rate": 10, **RELU}, []),
    "diverged later": (
        {"data": "plane", **RELU},
        [{"do": "configure", "settings": {"learning_rate": 10}}],
    ),
    "saturated": ({}, [{"do": "configure", "settings": {"learning_rate": 10}}]),
    "killed by a rate": (RELU, [{"do": "configure", "settings": {"learning_rate": 3}}]),
    "killed by hand": (
        {"hidden": [3], "activations": ["relu"]},
        [{"do": "edit", "parameter": 2, "place": [0], "value": -50}],
    ),
    "never alive": ({"init": "zeros", **RELU}, []),
    "vanishing": ({"hidden": [8] * 6, "activations": ["sigmoid"] * 6}, []),
}


def do(session: Session, what: str, **fields: Any) -> Message:
    answer = session.do({"do": what, **fields})
    assert answer.kind != "error", answer.fields
    return answer


def ruined(name: str) -> Session:
    settings, commands = RUINED[name]
    session = Session()
    do(session, "configure", settings=settings)
    do(session, "step", unit="epoch", count=5)
    for command in commands:
        assert session.do(command).kind == "reply", command
    do(session, "step", unit="epoch", count=25)
    while session.target is not None:
        session.advance(0.2)
    return session


@pytest.mark.parametrize("name", RUINED)
def test_the_first_remedy_takes_the_trouble_away(name: str) -> None:
    session = ruined(name)
    found = do(session, "diagnose").fields["troubles"]
    shown = session.frame().fields["trouble"]
    assert [t["kind"] for t in found] == [t["kind"] for t in shown] != []
    before, end = session.run.number, session.run.step
    assert all(0 < trouble["began"] <= end for trouble in found)
    trouble = next(trouble for trouble in found if trouble["remedies"])
    # The step that is named is the first with this trouble: one before there was none.
    if trouble["kind"] not in ("not_finite", "diverging"):
        do(session, "goto", step=trouble["began"] - 1)
        assert not in_trouble(session, trouble)
        do(session, "goto", step=trouble["began"])
        assert in_trouble(session, trouble)
        do(session, "goto", step=end)
    answer = do(session, "remedy", **trouble["remedies"][0])
    assert answer.fields["before"] == before != answer.fields["run"]
    assert session.playing
    first = session.run.machine.scores()[0]
    batches = session.run.machine.batches
    do(session, "step", count=10 * batches)
    while session.target is not None:
        session.advance(0.2)
    assert session.frame().fields["train_loss"] < first
    assert not in_trouble(session, trouble)
    assert session.run.failure is None
    # The old run stays, to compare.
    assert before in session.runs


def in_trouble(session: Session, trouble: dict[str, Any]) -> bool:
    return any(
        (found["kind"], found["column"]) == (trouble["kind"], trouble["column"])
        and set(trouble["units"]) <= set(found["units"])
        for found in session.frame().fields["trouble"]
    )


def test_a_diagnosis_changes_nothing() -> None:
    session = ruined("saturated")
    before = session.version, session.moved, session.state().to_bytes(), session.frame().to_bytes()
    do(session, "diagnose")
    after = session.version, session.moved, session.state().to_bytes(), session.frame().to_bytes()
    assert after == before


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "needs settings"),
        ({"settings": {"hidden": [9]}}, "does not change"),
        ({"settings": {"data": "xor"}}, "does not change"),
        ({"step": 3, "settings": {"init": "he"}}, "only the learning rate"),
        ({"step": 10_000, "settings": {}}, "from 0 to 50"),
        ({"step": 3, "settings": {"learning_rate": -1}}, "learning_rate"),
    ],
)
def test_nothing_else_can_be_changed_as_a_remedy(fields: dict[str, Any], message: str) -> None:
    session = Session()
    do(session, "step", count=50)
    before = session.state().to_bytes()
    answer = session.do({"do": "remedy", **fields})
    assert message in " ".join(answer.fields["errors"])
    assert session.state().to_bytes() == before
