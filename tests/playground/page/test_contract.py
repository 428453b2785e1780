"""The messages that a session really sends are those of the page's types, to the last field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.playground.page.contract import Contract

from chainrule.playground.messages import Message
from chainrule.playground.session import Session

SOURCES = Path(__file__).parents[3] / "page" / "src"
FILES = ("contract.ts", "parts/inside/model.ts", "text.ts")
TABLE = "a,b,kind\n" + "".join(f"{i},{i * i % 7},{'xy'[i % 2]}\n" for i in range(20))


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract.of(*(SOURCES / file for file in FILES))


class Talk:
    """Commands to a session, and all of its messages by the type that they must be of."""

    def __init__(self) -> None:
        self.session = Session()
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.hear("Hello", self.session.hello())
        self.shown()

    def hear(self, name: str, message: Message) -> None:
        fields = dict(Message.from_bytes(message.to_bytes()).fields)
        fields.pop("id", None)
        self.heard.append((name, fields))

    def shown(self) -> None:
        self.hear("State", self.session.state())
        self.hear("Frame", self.session.frame())

    def do(self, name: str | None, command: str, **fields: Any) -> None:
        answer = self.session.do({"do": command, **fields})
        while self.session.advance(0.05) and not self.session.playing:
            pass
        if name is not None:
            self.hear(name, answer)
        self.shown()

    def set(self, **settings: Any) -> None:
        self.do(None, "configure", settings=settings)


@pytest.fixture(scope="module")
def heard() -> list[tuple[str, dict[str, Any]]]:
    talk = Talk()
    talk.do(None, "step", count=30)
    talk.do("UnitReply", "unit", column=1, index=2)
    talk.do("ElementReply", "element", parameter=0, place=[1, 2])
    talk.do(None, "follow", row=3)
    for of in ("latest", "row"):
        talk.do("InsideMessage", "inside", of=of)
    talk.do(None, "follow", row=None)
    talk.do(None, "edit", parameter=0, place=[0, 0], value=2)
    talk.set(learning_rate=0.1, optimizer="Adam")
    talk.do(None, "step", count=5)
    for detail in (False, True):
        talk.do("InsideMessage", "inside", detail=detail)
        talk.do("Explained", "explain", arrow="W1", element=[0, 0], gradient=True)
        talk.do("Explained", "explain", arrow="W1", element=[0, 0], update="p")
        talk.do("Verdicts", "check")
        talk.do("CodeMessage", "code")
    talk.do(None, "goto", step=10)
    talk.set(learning_rate=1)
    for what in ("code", "data"):
        talk.do("ExportReply", "export", what=what)
    talk.do("LinkReply", "link", text="#chainrule=1&data=xor&view=test,batch&step=3")
    talk.do("LinkReply", "link", text="#dataset=spiral&seed=0.4&nonsense=1")
    talk.do("ErrorMessage", "configure", settings={"noise": 7})
    talk.do(None, "paint", points=[[1, 1, 0], [2, 2, 1]])
    talk.set(data="digits", mode="teaching")
    talk.do("TableReply", "paste", text=TABLE)
    talk.set(data="own")
    talk.set(target="b")
    # What goes wrong: dead and saturated units, a loss that grows, one that is not finite.
    talk.set(data="plane", features=["x", "y"], activations=["relu", "relu"], learning_rate=3)
    for _ in range(3):
        talk.do(None, "step", unit="epoch")
    talk.set(activations=["sigmoid", "tanh"], init="uniform", learning_rate=100)
    for _ in range(3):
        talk.do(None, "step", unit="epoch")
    talk.set(activations=["linear", "linear"], learning_rate=100)
    for _ in range(3):
        talk.do(None, "step", unit="epoch")
    talk.do("InsideMessage", "inside")
    talk.set(activations=["relu", "relu"], learning_rate=3)
    talk.do(None, "step", count=60)
    talk.do("DiagnosisReply", "diagnose")
    talk.do("RemedyReply", "remedy", step=10, settings={"learning_rate": 0.01})
    talk.do(None, "pause")
    talk.do(None, "speed", epochs=2)
    talk.do(None, "play", score=0.5)
    return talk.heard


def test_every_message_is_of_its_type(contract: Contract, heard: list[Any]) -> None:
    for name, fields in heard:
        assert list(contract.problems(fields, name)) == []


def test_every_message_and_every_field_was_heard(contract: Contract, heard: list[Any]) -> None:
    for name, fields in heard:
        assert not list(contract.problems(fields, name))
    of_messages = {
        name
        for file in FILES
        for name in _declared(SOURCES / file)
        if contract.types[name][0] == "object"
    }
    assert {field.partition(".")[0] for field in contract.seen} == of_messages
    assert contract.optional <= contract.seen
    assert {trouble["kind"] for _, fields in heard for trouble in fields.get("trouble", ())} >= {
        "dead", "saturated", "diverging", "not_finite"
    }  # fmt: skip


def _declared(path: Path) -> list[str]:
    """The types that a file exports."""
    return list(Contract.of(path).types)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda frame: frame.pop("epoch"), "Frame.epoch is not there"),
        (lambda frame: frame.update(epochs=1), "Frame.epochs is not in the contract"),
        (lambda frame: frame.update(step="3"), "Frame.step is '3', not number"),
        (lambda frame: frame.update(playing=1), "Frame.playing is 1, not boolean"),
        (lambda frame: frame.update(loss=[]), "Frame.loss is [], not number"),
        (lambda frame: frame.update(trouble=[{}]), "Frame.trouble[0].kind is not there"),
    ],
)
def test_a_difference_is_told(contract: Contract, heard: list[Any], change: Any, told: str) -> None:
    frame = dict(next(fields for name, fields in heard if name == "Frame"))
    change(frame)
    assert told in list(contract.problems(frame, "Frame"))
