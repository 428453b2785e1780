"""The worker: one thread on which all sessions train, answer and are drawn, each in its turn."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable

from chainrule.playground.messages import Message, refused
from chainrule.playground.server.classroom import Classroom, card
from chainrule.playground.server.faults import fault
from chainrule.playground.server.learners import Job, Learner, Learners
from chainrule.playground.server.limits import Limits
from chainrule.playground.session import Session

__all__ = ["Worker"]

#: The shortest slice of training, in seconds: below, taking turns costs more than training.
SHORTEST = 0.0005
#: For about so many seconds a learner waits while the others catch up.
LONGEST_WAIT = 0.4


class Worker(threading.Thread):
    """Gives learners turns: one command, or a slice of training, and a frame if one is due.

    The turn goes to the learner who has used the least time, so a large network makes only its
    own learner wait. A turn that raises ends there, and tells the learner the number under which
    the log says more. Results go to the event loop, which this thread never waits for.
    """

    def __init__(
        self,
        learners: Learners,
        limits: Limits,
        begin: Callable[[], Session],
        room: Classroom | None = None,
    ) -> None:
        super().__init__(name="chainrule-worker", daemon=True)
        self.learners, self.limits, self.begin, self.room = learners, limits, begin, room
        self.loop = asyncio.get_running_loop()
        self.stopped = False
        self._news = threading.Condition()
        #: A session made before anybody came, so that the first to come need not wait.
        self._spare: Session | None = None

    def stop(self) -> None:
        """End after the present turn."""
        self.stopped = True
        self.wake()

    def wake(self) -> None:
        """Look again whether there is something to do."""
        with self._news:
            self._news.notify()

    def want(self, learner: Learner) -> None:
        """A client of the learner is ready for a frame."""
        if not learner.wanting:
            learner.wanting = True
            self.wake()

    async def do(
        self, learner: Learner, work: Callable[[Session], Message], name: int | None = None
    ) -> bytes:
        """Do something with the learner's session in its turn; the answer, with the id `name`."""
        answer: asyncio.Future[bytes] = self.loop.create_future()

        def settle(message: bytes) -> None:
            if not answer.done():  # who asked may have gone
                answer.set_result(message)

        learner.jobs.append(Job(work, name, settle))
        self.wake()
        return await answer

    # -- on the thread ----------------------------------------------------------------------------

    def run(self) -> None:
        """Give turns until stopped."""
        self._spare = self.begin()
        while not self.stopped:
            with self._news:
                ready, wait = self.ready()
                if not ready and not self.stopped:
                    self._news.wait(wait)
                    continue
            self.turn(min(ready, key=lambda learner: learner.spent), len(ready))

    def ready(self) -> tuple[list[Learner], float | None]:
        """Those for whom there is something to do; with none, how long until there may be."""
        now = time.perf_counter()
        known = list(self.learners.known.values())
        found, wait = [], None
        for learner in known:
            due = math.inf
            if learner.watched and learner.going and not self.held(learner):
                due = learner.due
            if learner.watched and learner.wanting and unseen(learner):
                due = min(due, learner.next_frame)
            if learner.jobs or due <= now:
                found.append(learner)
            elif due < math.inf:
                wait = min(due - now, wait or 1.0)
        if found:
            # Nobody saves time up: who did nothing counts as having used what the least one has. And
            # nobody pays for one long turn, such as opening a step, with more than a short wait.
            least = min(learner.spent for learner in found)
            most = least + LONGEST_WAIT / len(found)
            for learner in known:
                learner.spent = min(max(learner.spent, least), most)
        return found, wait

    def held(self, learner: Learner) -> bool:
        """Whether the teacher has stopped a learner."""
        return self.room is not None and self.room.holds(learner)

    def turn(self, learner: Learner, waiting: int) -> None:
        """One learner's turn, while so many wait for theirs."""
        began = time.perf_counter()
        if learner.session is None:
            learner.session, self._spare = self._spare or self.begin(), None
            if self.room is not None:
                self.room.prepare(learner.session, learner)
        session = learner.session
        job = learner.jobs.popleft() if learner.jobs else None
        answer = b""
        try:
            if job is not None:
                learner.going = True
                answer = job.work(session).to_bytes()
            elif (
                learner.watched
                and learner.going
                and learner.due <= began
                and not self.held(learner)
            ):
                learner.going = session.advance(self.slice(learner, began, waiting))
            learner.due = time.perf_counter() + session.wait()
        except Exception:
            answer = failed(job.id if job else None)
            session.playing = learner.going = False
        try:
            self.show(learner, session, waiting)
        except Exception:
            learner.moved = session.moved  # not again before something changes
            self.post(learner.answer, failed(None))
        if job is not None:
            self.post(job.settle, answer)
        elif answer:
            self.post(learner.answer, answer)
        learner.spent += time.perf_counter() - began

    def slice(self, learner: Learner, now: float, waiting: int) -> float:
        """For how long to train: others should not wait, nor a frame that is due soon."""
        seconds = self.limits.turn / waiting
        if learner.wanting:
            seconds = min(seconds, learner.next_frame - now)
        return max(seconds, SHORTEST)

    def show(self, learner: Learner, session: Session, waiting: int) -> None:
        """Send what is new to the learner's clients: made once, whatever their number."""
        now, began = time.perf_counter(), time.thread_time()
        state = frame = None
        if session.version != learner.version:
            learner.version = session.version
            state = session.state().to_bytes()
        if state or (learner.wanting and unseen(learner) and learner.next_frame <= now):
            learner.moved, learner.wanting = session.moved, False
            made = session.frame()
            frame = made.to_bytes()
            if self.room is not None:
                learner.card = card(made)
            # Frames may take half of the time, not more. Waiting for other threads does not count:
            # once it took long, a learner in a class would see nothing for a second.
            cost = time.thread_time() - began
            learner.next_frame = now + max(1 / self.limits.frames, 2 * cost * waiting)
        if state or frame:
            self.post(learner.show, state, frame)

    def post(self, call: Callable[..., None], *arguments: bytes | None) -> None:
        """Call something on the event loop, soon."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(call, *arguments)


def unseen(learner: Learner) -> bool:
    """Whether something moved that no frame has shown."""
    return learner.session is not None and learner.session.moved != learner.moved


def failed(name: int | None) -> bytes:
    """What a learner is told when a turn has raised."""
    return refused([fault()], id=name).to_bytes()
