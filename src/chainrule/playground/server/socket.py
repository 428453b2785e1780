"""The WebSocket of a tab: commands come up, what is new goes down; who does not read is cut off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from chainrule.errors import FormatError
from chainrule.lang.messages import _
from chainrule.playground.messages import Message, refused
from chainrule.playground.server.answers import plain_refusal
from chainrule.playground.server.command_reader import read_command
from chainrule.playground.server.learners import Client, Learner, Learners
from chainrule.playground.server.limits import Limits
from chainrule.playground.server.worker import Worker
from chainrule.playground.session import Session

__all__ = ["Gate"]

UNSUPPORTED, TOO_MUCH, TRY_LATER = 1003, 1008, 1013
RETRY = 10


class Gate:
    """Lets tabs in, and serves each until it goes, breaks a rule, or stops reading."""

    def __init__(self, learners: Learners, worker: Worker, limits: Limits) -> None:
        self.learners, self.worker, self.limits = learners, worker, limits

    async def admit(self, websocket: WebSocket) -> None:
        """Serve one tab."""
        address = websocket.client.host if websocket.client else ""
        if self.learners.full(address):
            full = plain_refusal(
                _("The playground is full. Try again later."), websocket.scope, 503
            )
            full.headers["Retry-After"] = str(RETRY)
            await websocket.send_denial_response(full)
            return
        client = Client(address, self.limits.answers)
        learner = self.learners.enter(websocket.state.learner, client)
        try:
            await websocket.accept()
            if self.worker.room is not None:
                self.worker.room.enter(learner)
                client.answer(self.worker.room.message(learner).to_bytes())
            await self.serve(websocket, client, learner)
        finally:
            self.learners.leave(learner, client)

    async def serve(self, websocket: WebSocket, client: Client, learner: Learner) -> None:
        """Send and receive until one of the two ends; then end the other."""

        def greet(session: Session) -> Message:
            learner.version = learner.moved = -1  # a state and a frame for who is new
            return session.hello()

        hello = await self.worker.do(learner, greet)
        tasks = [
            asyncio.create_task(self.send(websocket, client, learner, hello)),
            asyncio.create_task(self.receive(websocket, client, learner)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        for end in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(end, Ended):
                await self.end(websocket, end)
            elif isinstance(end, TimeoutError):
                websocket.state.abort()
            elif isinstance(end, Exception) and not isinstance(end, WebSocketDisconnect):
                raise end

    async def end(self, websocket: WebSocket, end: Ended) -> None:
        """Say why the connection ends; cut it if that is not heard."""
        asyncio.get_running_loop().call_later(self.limits.send, websocket.state.abort)
        await websocket.close(end.code, end.reason)

    async def send(
        self, websocket: WebSocket, client: Client, learner: Learner, hello: bytes
    ) -> None:
        """Send what waits, each message within its time."""
        news = asyncio.Event()
        client.woken = news.set
        news.set()
        message: bytes | None = hello
        while True:
            while message is not None:
                if client.overrun:
                    raise Ended(TRY_LATER, "too many answers wait")
                async with asyncio.timeout(self.limits.send):
                    await websocket.send_bytes(message)
                message = client.take()
            self.worker.want(learner)
            await news.wait()
            news.clear()
            message = client.take()

    async def receive(self, websocket: WebSocket, client: Client, learner: Learner) -> None:
        """Do what the page says, one command after the other."""
        left, then = float(self.limits.messages), time.monotonic()
        while True:
            event = await websocket.receive()
            if event["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(event["code"])
            now = time.monotonic()
            left = min(left + (now - then) * self.limits.messages, self.limits.messages) - 1
            then = now
            if left < 0:
                raise Ended(TOO_MUCH, "too many messages a second")
            text = event.get("text")
            if text is None:
                raise Ended(UNSUPPORTED, "commands are text")
            try:
                command = read_command(text, self.limits.depth)
            except FormatError as error:
                client.answer(refused([error.args[0]], id=None).to_bytes())
                continue
            room = self.worker.room
            if room is not None and (waiting := room.refusal(learner, command)) is not None:
                client.answer(waiting.to_bytes())
                continue
            if room is not None and command.get("do") == "name":
                named = room.take_name(learner, command.get("name"), command.get("id"))
                client.answer(named.to_bytes())
                continue
            answer = await self.worker.do(learner, doing(command), command.get("id"))
            client.answer(answer)


def doing(command: dict[str, Any]) -> Callable[[Session], Message]:
    """What does a command with a session."""
    return lambda session: session.do(command)


class Ended(Exception):  # noqa: N818 - an end, no error
    """The server ends a connection, with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason
