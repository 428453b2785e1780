"""Classroom: what a class shares. Where everybody begins, who is there, and whether all look to the front."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.datasets.table import Table
from chainrule.errors import shown
from chainrule.lang.messages import _
from chainrule.playground.messages import Fields, Message, refused
from chainrule.playground.server.learners import Learner, Learners
from chainrule.playground.session import Session
from chainrule.playground.settings import Problems

__all__ = ["Classroom", "card"]

#: Points along a side of a map on the wall.
SIDE = 24
#: Levels of a map of one output, from its least to its largest colour.
LEVELS = 254
LONGEST_NAME, LONGEST_WORDS, LONGEST_LINK = 24, 200, 20_000
#: What pupils may ask for while all look to the front.
LOOKING = ("state", "hello", "unit", "pause")


class Classroom:
    """A class: its pupils by number, the link at which they begin, the words that stop them.

    Names are what pupils like to be called, kept as long as their sessions and written nowhere. The
    event loop alone changes it; the worker's thread reads single values.

    >>> from chainrule.playground.server.limits import Limits
    >>> room = Classroom(Learners(Limits()))
    >>> room.take_name(Learner(), "  Ann\\tLee ").fields
    {'id': None, 'ok': True, 'called': 'Ann Lee'}
    """

    def __init__(self, learners: Learners) -> None:
        self.learners = learners
        #: The words at which everybody stops and looks; none while they work.
        self.look: str | None = None
        #: Where everybody begins, with the table that this needs.
        self.start: tuple[str, Table | None] | None = None
        self._count = 0

    @property
    def pupils(self) -> list[Learner]:
        """All but the teacher, in the order in which they came."""
        known = (one for one in self.learners.known.values() if not one.teacher)
        return sorted(known, key=lambda one: one.number)

    def enter(self, learner: Learner) -> None:
        """Give a pupil who is new a number."""
        if not learner.teacher and not learner.number:
            self._count += 1
            learner.number = self._count

    def holds(self, learner: Learner) -> bool:
        """Whether time stands still for a learner."""
        return self.look is not None and not learner.teacher

    # -- what pupils hear ---------------------------------------------------------------------------

    def message(self, learner: Learner) -> Message:
        """What a page is told of its class."""
        fields = {
            "teacher": learner.teacher,
            "number": learner.number,
            "called": learner.called,
            "look": self.look,
        }
        return Message("class", fields)

    def tell(self) -> None:
        """Tell everybody how things stand."""
        for learner in self.learners.known.values():
            learner.answer(self.message(learner).to_bytes())

    def refusal(self, learner: Learner, command: Mapping[str, Any]) -> Message | None:
        """The answer to a command of a pupil who should look to the front."""
        if not self.holds(learner) or command.get("do") in LOOKING:
            return None
        waiting = _("The teacher has stopped everybody. It goes on in a moment.")
        return refused([waiting], id=command.get("id"))

    def take_name(self, learner: Learner, name: object, id: object = None) -> Message:
        """Call a pupil by a name."""
        if not isinstance(name, str):
            return refused([_("name must be a text. Got {value}.", value=shown(name))], id=id)
        letters = (" " if unicodedata.category(c)[0] in "ZC" else c for c in name[:200])
        learner.called = " ".join("".join(letters).split())[:LONGEST_NAME].strip()
        return Message("reply", {"id": id, "ok": True, "called": learner.called})

    # -- what is done with sessions, on the worker's thread -------------------------------------------

    def prepare(self, session: Session, learner: Learner) -> None:
        """Begin where everybody begins."""
        if self.start is not None and not learner.teacher:
            begin(session, *self.start)

    @staticmethod
    def beginning_of(session: Session) -> tuple[str, Table | None]:
        """Where a session stands, for others to begin there."""
        fields = session.state().fields
        locks = (
            f"&{name}_{'hide' if word == 'hidden' else 'lock'}=true"
            for name, word in session.controls.items()
        )
        return fields["link"] + "".join(locks), session.table

    # -- the wall -------------------------------------------------------------------------------------

    def wall(self) -> Message:
        """All pupils, for the teacher's page: numbers, and maps one upon another."""
        pupils = self.pupils
        maps = [one.card.arrays["map"] for one in pupils if one.card and "map" in one.card.arrays]
        fields = {
            "look": self.look,
            "start": self.start and self.start[0],
            "pupils": [
                {
                    "number": one.number,
                    "called": one.called,
                    "here": bool(one.clients),
                    **(one.card.fields if one.card else BLANK),
                }
                for one in pupils
            ],
        }
        stack = np.concatenate(maps) if maps else np.zeros((0, SIDE, SIDE), np.uint8)
        return Message("wall", fields, {"maps": stack})


#: Of a pupil of whom no frame was made yet.
BLANK: Fields = {
    "step": 0, "epoch": 0, "playing": False, "train_loss": None, "test_loss": None,
    "test_score": None, "classes": 0, "trouble": None,
}  # fmt: skip


def begin(session: Session, link: str, table: Table | None) -> None:
    """Begin a session where others are."""
    if table is not None:
        session.table = table
    session.do({"do": "pause"})
    session.controls = {}
    answer = session.do({"do": "link", "text": link})
    if answer.kind == "error":  # nothing that a pupil could mend
        raise Problems(answer.fields["errors"])


def read_words(value: object) -> str:
    """What a teacher says to everybody."""
    if not isinstance(value, str):
        raise Problems([_("message must be a text. Got {value}.", value=shown(value))])
    return value[:LONGEST_WORDS].strip()


def read_start(value: object) -> str:
    """A link at which everybody begins."""
    if not isinstance(value, str) or len(value) > LONGEST_LINK:
        raise Problems([_("link must be a link. Got {value}.", value=shown(value))])
    return value


def card(frame: Message) -> Message:
    """What the wall shows of a frame: some numbers, and a small map (1, 24, 24) of whole numbers.

    A map of one output has 127 where it is 0, 0 and 254 at its ends; of several, the class.
    """
    fields = {name: frame.fields[name] for name in BLANK if name in frame.fields}
    trouble = frame.fields["trouble"]
    fields |= {"classes": 0, "trouble": trouble[0]["kind"] if trouble else None}
    arrays = {}
    found = frame.arrays.get("map")
    if found is not None:
        some = np.linspace(0, found.shape[-1] - 1, SIDE).round().astype(int)
        small = np.nan_to_num(found[:, some][:, :, some])
        fields["classes"] = len(found)
        if len(found) > 1:
            arrays["map"] = small.argmax(axis=0, keepdims=True).astype(np.uint8)
        else:
            most = max(1.0, float(np.abs(small).max()))
            arrays["map"] = np.rint((small / most + 1) * (LEVELS / 2)).astype(np.uint8)
    return Message("card", fields, arrays)
