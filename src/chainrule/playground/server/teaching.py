"""What a teacher's page asks for: the wall, the way in as a picture, and orders to everybody."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chainrule.errors import ChainruleError, FormatError, nearest, shown
from chainrule.lang.messages import Text, _
from chainrule.playground.messages import Message, refused
from chainrule.playground.server.classroom import Classroom, begin, read_start, read_words
from chainrule.playground.server.command_reader import read_command
from chainrule.playground.server.learners import Job, Learner
from chainrule.playground.server.limits import Limits
from chainrule.playground.server.static import Asset
from chainrule.playground.server.worker import Worker
from chainrule.playground.session import Session
from chainrule.playground.settings import sentences_of

__all__ = ["Teaching", "qr_lines", "qr_svg"]

MEDIA = "application/octet-stream"
#: Quiet border around the code, in modules.
BORDER = 2


class Teaching:
    """The teacher's routes, all of them under `/class`, which the guards let nobody else into."""

    def __init__(
        self, room: Classroom, worker: Worker, limits: Limits, join: tuple[str, str]
    ) -> None:
        self.room, self.worker, self.limits, self.join = room, worker, limits, join

    def routes(self, page: Asset, serving: Callable[[Asset], Any]) -> list[BaseRoute]:
        """The routes of the application."""
        routes: list[BaseRoute] = [
            Route("/class", serving(page), methods=["GET"]),
            Route("/class/wall", self.wall, methods=["GET"]),
            Route("/class/do", self.do, methods=["POST"]),
        ]
        picture = qr_svg(f"{self.join[0]}?token={self.join[1]}")
        if picture is not None:
            code = Asset(picture, "image/svg+xml")
            routes.append(Route("/class/code.svg", serving(code), methods=["GET"]))
        return routes

    async def wall(self, request: Request) -> Response:
        """All pupils as they stand, and how others join them."""
        wall = self.room.wall()
        fields = {**wall.fields, "address": self.join[0], "code": self.join[1], "qr": can_draw()}
        return Response(Message(wall.kind, fields, wall.arrays).to_bytes(), media_type=MEDIA)

    async def do(self, request: Request) -> Response:
        """Do what the teacher says to everybody."""
        try:
            body = b""
            async for part in request.stream():
                body += part
                if len(body) > self.limits.message:
                    raise FormatError(_("The command is too long."))
            command = read_command(body.decode(errors="replace"), self.limits.depth)
            orders = {"start": self._start, "mine": self._mine, "look": self._look, "go": self._go}
            name = command.get("do")
            if not isinstance(name, str) or name not in orders:
                raise FormatError(_no_order(name, orders))
            answer = await orders[name](self.teacher(request), command)
        except ChainruleError as error:
            answer = refused(sentences_of(error))
        return Response(answer.to_bytes(), media_type=MEDIA)

    def teacher(self, request: Request) -> Learner:
        """The teacher as a learner, whose own network may be given to all."""
        return self.room.learners.find(request.state.learner)

    async def _start(self, teacher: Learner, command: dict[str, Any]) -> Message:
        link = read_start(command.get("link"))

        def tried(session: Session) -> Message:
            other = type(session)(session.caps)
            begin(other, link, session.table)
            # As our own link, in which nothing is left to chance: the same weights for everybody.
            self.room.start = Classroom.beginning_of(other)
            return Message("reply", {"ok": True})

        return await self._everybody(teacher, tried)

    async def _mine(self, teacher: Learner, command: dict[str, Any]) -> Message:
        def taken(session: Session) -> Message:
            self.room.start = Classroom.beginning_of(session)
            return Message("reply", {"ok": True})

        return await self._everybody(teacher, taken)

    async def _everybody(self, teacher: Learner, make: Callable[[Session], Message]) -> Message:
        """Find out where to begin, in the teacher's turn; then everybody begins there, in theirs."""

        def careful(session: Session) -> Message:
            try:
                return make(session)
            except ChainruleError as error:
                return refused(sentences_of(error))

        answer = Message.from_bytes(await self.worker.do(teacher, careful))
        if answer.kind == "reply":
            for pupil in self.room.pupils:
                if pupil.session is not None:
                    pupil.jobs.append(Job(self._begin, None, lambda _: None))
            self.worker.wake()
        return answer

    def _begin(self, session: Session) -> Message:
        assert self.room.start is not None
        begin(session, *self.room.start)
        return Message("reply", {"ok": True})

    async def _look(self, teacher: Learner, command: dict[str, Any]) -> Message:
        self.room.look = read_words(command.get("message", ""))
        return self._told()

    async def _go(self, teacher: Learner, command: dict[str, Any]) -> Message:
        self.room.look = None
        return self._told()

    def _told(self) -> Message:
        self.room.tell()
        self.worker.wake()
        return Message("reply", {"ok": True})


def _no_order(name: object, orders: dict[str, Any]) -> Text:
    return _(
        "There is no command {name}; {nearest}.", name=shown(name), nearest=nearest(name, orders)
    )


def can_draw() -> bool:
    """Whether there is what draws QR codes."""
    return find_spec("segno") is not None


def qr_svg(text: str) -> bytes | None:
    """A text as a QR code, in SVG; None where segno is not installed."""
    if not can_draw():
        return None
    import segno

    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", border=BORDER, light="#fff", dark="#000", xmldecl=False, omitsize=True
    )
    return out.getvalue()


def qr_lines(text: str) -> str | None:
    """A text as a QR code of half blocks, dark on light whatever the terminal's colours."""
    if not can_draw():
        return None
    import segno

    rows = [
        list(row) for row in segno.make(text, error="l", micro=False).matrix_iter(border=BORDER)
    ]
    rows += [[0] * len(rows[0])] * (len(rows) % 2)
    blocks = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
    lines = (
        "".join(blocks[bool(up), bool(low)] for up, low in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    )
    return "\n".join(f"\x1b[30;107m{line}\x1b[0m" for line in lines)
