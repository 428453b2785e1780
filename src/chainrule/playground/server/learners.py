"""Learners: who is connected, with which session, and what waits to be sent to them."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

from chainrule.playground.messages import Message
from chainrule.playground.server.access import Access
from chainrule.playground.server.limits import Limits
from chainrule.playground.session import Session

__all__ = ["Client", "Job", "Learner", "Learners"]


class Job(NamedTuple):
    """Something to do with a session on the worker's thread."""

    work: Callable[[Session], Message]
    #: The id of the command that asks for it.
    id: int | None
    #: Takes the answer, on the event loop.
    settle: Callable[[bytes], None]


class Client:
    """One tab of a learner: what waits to be sent to it.

    A state or a frame is complete in itself, so only the newest waits; a new state takes away a
    frame from before it. Answers all wait, in order, but no more than `answers` of them. What a
    command has changed, state and frame, is sent before its answer.
    """

    def __init__(self, address: str, answers: int) -> None:
        self.address = address
        self.state: bytes | None = None
        self.frame: bytes | None = None
        #: Whether the frame goes with the state before it, so that no answer comes between them.
        self.paired = False
        self.answers: deque[bytes] = deque()
        #: Whether more answers came than may wait.
        self.overrun = False
        self._most = answers
        self.woken: Callable[[], None] = lambda: None

    def show(self, state: bytes | None, frame: bytes | None) -> None:
        """Put what is new in place of what is old."""
        if state is not None:
            self.state, self.frame, self.paired = state, None, frame is not None
        if frame is not None:
            self.frame = frame
        self.woken()

    def answer(self, message: bytes) -> None:
        """Add an answer to what waits."""
        if len(self.answers) < self._most:
            self.answers.append(message)
        else:
            self.overrun = True
        self.woken()

    def take(self) -> bytes | None:
        """The next to be sent, and no longer waiting: the state and its frame, answers, a frame."""
        if self.state is not None:
            message, self.state = self.state, None
            return message
        if self.answers and not self.paired:
            return self.answers.popleft()
        frame, self.frame, self.paired = self.frame, None, False
        return frame


class Learner:
    """One learner: a session, made and used only on the worker's thread, and the tabs showing it.

    The event loop alone touches `clients`; of the rest, what both sides use are single values and
    a deque, each safe to read and set from either.
    """

    def __init__(self, *, teacher: bool = False) -> None:
        self.session: Session | None = None
        #: In a class: whether this is the teacher, the pupil's number and name, what the wall shows.
        self.teacher = teacher
        self.number, self.called = 0, ""
        self.card: Message | None = None
        self.clients: set[Client] = set()
        self.left = time.monotonic()
        #: What waits to be done on the worker's thread.
        self.jobs: deque[Job] = deque()
        #: Whether anybody looks; without, time stands still.
        self.watched = False
        #: Whether a client is ready for a frame.
        self.wanting = False
        #: Whether there may be more to do without a new command.
        self.going = True
        #: When, if steps are to be taken slowly.
        self.due = 0.0
        #: Seconds of the worker's time that were used, in comparison with other learners.
        self.spent = 0.0
        #: What was last shown, and when a frame may be made again.
        self.version = self.moved = -1
        self.next_frame = 0.0

    def show(self, state: bytes | None, frame: bytes | None) -> None:
        """Show the clients what is new; on the event loop."""
        for client in self.clients:
            client.show(state, frame)

    def answer(self, message: bytes) -> None:
        """Tell all clients; on the event loop."""
        for client in self.clients:
            client.answer(message)


class Learners:
    """All learners by name, and how many tabs they have open; on the event loop alone."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.known: dict[str, Learner] = {}
        self.addresses: Counter[str] = Counter()

    def full(self, address: str) -> bool:
        """Whether one more tab from this address is too many."""
        return (
            self.addresses.total() >= self.limits.clients
            or self.addresses[address] >= self.limits.clients_per_address
        )

    def enter(self, name: str, client: Client) -> Learner:
        """Let a tab in; its learner."""
        learner = self.find(name)
        learner.clients.add(client)
        learner.watched = True
        self.addresses[client.address] += 1
        return learner

    def find(self, name: str) -> Learner:
        """The learner of this name, who may be new."""
        if name not in self.known:
            self._make_room()
            self.known[name] = Learner(teacher=Access.is_teacher(name))
        return self.known[name]

    def leave(self, learner: Learner, client: Client) -> None:
        """Let a tab go; the session stays for a while."""
        learner.clients.discard(client)
        learner.left = time.monotonic()
        learner.watched = bool(learner.clients)
        self.addresses[client.address] -= 1
        self.addresses += Counter()  # those with none left

    def tidy(self) -> None:
        """Drop the sessions whose learners closed the page long ago."""
        oldest = time.monotonic() - self.limits.idle
        for name, learner in list(self.known.items()):
            if not learner.clients and learner.left < oldest:
                del self.known[name]

    def _make_room(self) -> None:
        away = [(one.left, name) for name, one in self.known.items() if not one.clients]
        for _, name in sorted(away)[: max(0, len(self.known) - self.limits.sessions + 1)]:
            del self.known[name]
