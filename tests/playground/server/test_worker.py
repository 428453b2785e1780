"""Turns: nobody waits long for another, and a fault ends one turn alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chainrule.playground.messages import Message
from chainrule.playground.server.learners import Client, Learners
from chainrule.playground.server.limits import Limits
from chainrule.playground.server.worker import Worker

LIMITS = Limits()


class Work:
    """Stands for a session: it moves when it advances, each time for so long."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.version = self.moved = 0
        self.playing = True
        self.frames = 0

    def advance(self, seconds: float) -> bool:
        if not self.playing:
            return False
        time.sleep(max(seconds, self.seconds))
        self.moved += 1
        return True

    def wait(self) -> float:
        return 0.0

    def do(self, command: dict[str, Any]) -> Message:
        if command["do"] == "fail":
            raise ZeroDivisionError("/secret/path")
        return Message("reply", {"id": command["id"], "ok": True})

    def state(self) -> Message:
        return Message("state")

    def frame(self) -> Message:
        self.frames += 1
        return Message("frame", {"seq": self.frames})


def with_worker(
    sessions: list[Any], body: Callable[[Worker, list[Client]], Awaitable[None]]
) -> None:
    """Run with a worker that has one learner, and one client, for each session."""

    async def run() -> None:
        learners = Learners(LIMITS)
        worker = Worker(learners, LIMITS, Work)  # type: ignore[arg-type]
        clients = [Client("here", 8) for _ in sessions]
        for number, (session, client) in enumerate(zip(sessions, clients, strict=True)):
            learners.enter(str(number), client).session = session
        worker.start()
        try:
            await body(worker, clients)
        finally:
            worker.stop()
            await asyncio.to_thread(worker.join)

    asyncio.run(run())


def taken(client: Client) -> list[Message]:
    found = []
    while (message := client.take()) is not None:
        found.append(Message.from_bytes(message))
    return found


def frames(worker: Worker, clients: list[Client], seconds: float) -> Awaitable[list[int]]:
    """How many frames each client gets when all are read at once."""

    async def read() -> list[int]:
        counts = [0] * len(clients)
        known = worker.learners.known.values()
        learners = [next(one for one in known if client in one.clients) for client in clients]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for number, client in enumerate(clients):
                counts[number] += any(message.kind == "frame" for message in taken(client))
                worker.want(learners[number])
            await asyncio.sleep(0.005)
        return counts

    return read()


def test_who_needs_long_makes_others_wait_little() -> None:
    """One whose every step takes 0.1 s, beside 10 who watch quick ones: these have many more turns."""

    async def body(worker: Worker, clients: list[Client]) -> None:
        counts = await frames(worker, clients, 3.0)
        assert counts[0] >= 1
        assert min(counts[1:]) >= 4 * counts[0], counts

    with_worker([Work(0.1), *(Work() for _ in range(10))], body)


def test_a_class_trains_in_turns() -> None:
    sessions = [Work() for _ in range(30)]

    async def body(worker: Worker, clients: list[Client]) -> None:
        await frames(worker, clients, 3.0)
        moved = [session.moved for session in sessions]
        assert min(moved) > 0.5 * max(moved), moved

    with_worker(sessions, body)


def test_a_fault_ends_one_turn_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def body(worker: Worker, clients: list[Client]) -> None:
        one = worker.learners.known["0"]
        command = {"do": "fail", "id": 3}
        answer = Message.from_bytes(
            await worker.do(one, lambda session: session.do(command), name=3)
        )
        assert answer.kind == "error"
        assert answer.fields["id"] == 3
        (sentence,) = answer.fields["errors"]
        assert "secret" not in sentence
        assert "ZeroDivisionError" not in sentence
        number = sentence.split("error ")[1].split(")")[0]
        assert number in caplog.text
        assert "ZeroDivisionError: /secret/path" in caplog.text
        good = {"do": "play", "id": 4}
        assert b'"ok": true' in await worker.do(one, lambda session: session.do(good), name=4)
        assert min(await frames(worker, clients[1:], 0.3)) > 2

    with_worker([Work(), Work()], body)


class Broken(Work):
    """Raises in training and in drawing."""

    def advance(self, seconds: float) -> bool:
        if self.playing:
            raise MemoryError
        return False

    def frame(self) -> Message:
        raise RuntimeError("no frame")


def test_a_fault_in_training_stops_that_learner_and_no_other() -> None:
    broken, good = Broken(), Work()

    async def body(worker: Worker, clients: list[Client]) -> None:
        await asyncio.sleep(0.3)
        errors = [message for message in taken(clients[0]) if message.kind == "error"]
        assert 1 <= len(errors) <= 3
        assert broken.playing is False
        assert good.moved > 10

    with_worker([broken, good], body)


def test_frames_are_made_once_for_all_clients_and_only_on_demand() -> None:
    session = Work()

    async def body(worker: Worker, clients: list[Client]) -> None:
        learner = worker.learners.known["0"]
        others = [Client("here", 8) for _ in range(50)]
        for client in others:
            worker.learners.enter("0", client)
        await asyncio.sleep(0.3)
        made = session.frames
        assert made <= 2  # nobody was ready for more
        worker.want(learner)
        await asyncio.sleep(0.2)
        assert session.frames == made + 1
        waiting = {id(client.frame) for client in (*clients, *others)}
        assert len(waiting) == 1
        worker.learners.leave(learner, clients[0])
        for client in others:
            worker.learners.leave(learner, client)
        await asyncio.sleep(0.1)
        moved = session.moved
        await asyncio.sleep(0.2)
        assert session.moved == moved  # nobody looks

    with_worker([session], body)


def test_the_newest_frame_waits_and_no_answer_is_lost() -> None:
    client = Client("here", 3)
    client.show(None, b"frame 1")
    client.show(b"state 1", b"frame 2")
    client.answer(b"answer 1")
    client.show(None, b"frame 3")
    client.answer(b"answer 2")
    assert [client.take() for _ in range(3)] == [b"state 1", b"frame 3", b"answer 1"]
    client.show(None, b"frame 4")  # of no command
    assert [client.take() for _ in range(3)] == [b"answer 2", b"frame 4", None]
    client.show(None, b"frame 5")
    client.show(b"state 2", None)  # the frame was of the state before
    assert [client.take(), client.take()] == [b"state 2", None]
    for _ in range(3):
        client.answer(b"")
    assert not client.overrun
    client.answer(b"")
    assert client.overrun
