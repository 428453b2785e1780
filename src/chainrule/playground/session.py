"""Session: one learner, whatever the page is connected by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.playground import views
from chainrule.playground.commands import find_command, take_table
from chainrule.playground.controls import mind
from chainrule.playground.link_replay import replay_link
from chainrule.playground.messages import Fields, Message, refused
from chainrule.playground.settings import sentences_of
from chainrule.playground.workspace import Workspace

__all__ = ["Session"]


class Session(Workspace):
    """One learner's settings, data and runs; commands change it, messages show it.

    One caller at a time: it is not for several threads at once. `version` counts the changes of
    what `state` tells, `moved` those of what `frame` shows.

    >>> session = Session()
    >>> session.do({"do": "step", "unit": "epoch", "count": 2}).fields["ok"]
    True
    >>> frame = session.frame()
    >>> frame.fields["epoch"], frame.arrays["map"].shape
    (2, (1, 100, 100))
    >>> session.do({"do": "configure", "settings": {"noise": 7}}).fields["errors"]
    ['noise must be a number from 0 to 0.8. Got 7.']
    """

    def hello(self) -> Message:
        """The choices that the page offers."""
        return views.hello(self.caps)

    def state(self) -> Message:
        """All that the page shows, but for what changes with every step."""
        return views.state(self)

    def frame(self) -> Message:
        """What changes with every step, complete in itself."""
        return views.frame(self)

    def advance(self, seconds: float) -> bool:
        """Take the steps that are due, for about so long; whether there were any to take."""
        if self.link_events:
            replay_link(self, seconds)
        elif self.target is not None:
            self.advance_to(self.target, seconds)
        elif self.recorder is not None and self.recorder.recording is None:
            self.recorder.advance(seconds)
        elif self.playing:
            if not self.play(seconds):
                return True
        else:
            return False
        self.moved += 1
        return True

    def do(self, message: Mapping[str, Any]) -> Message:
        """Do what a command says, or nothing of it; the reply, or an error with sentences."""
        answer: Fields = {"id": message.get("id")}
        name = message.get("do")
        fields = {field: value for field, value in message.items() if field not in ("do", "id")}
        try:
            command = find_command(name, fields)
            mind(self.controls, self.run.settings, name, fields)
            if not command.on_the_way:
                self.settle()
            if name not in ("state", "hello"):
                self.link_events = ()
            reply = command.call(self, **fields)
        except (ChainruleError, TypeError) as error:
            return refused(sentences_of(error), **answer)
        if isinstance(reply, Message):
            return Message(reply.kind, {**answer, **reply.fields}, reply.arrays)
        return Message("reply", {**answer, "ok": True, **(reply or {})})

    def upload(self, name: str, body: bytes) -> Message:
        """Take a table, pasted if it has no name; the reply tells its columns, or the error what is wrong."""
        try:
            mind(self.controls, self.run.settings, "upload", {})
            return Message("reply", {"ok": True, **take_table(self, name, body)})
        except ChainruleError as error:
            return refused(sentences_of(error))
