"""An answer is tried for a few seconds: a loop without an end is told as such."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

from chainrule.lang.messages import _n
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.faults import Fault
from chainrule.lessons.judging import Answer

__all__ = ["SECONDS", "endless", "limited"]

#: Seconds that an answer may take.
SECONDS = 5


class _Late(BaseException):
    """Raised in the reader's code when its time is over; no `except Exception` of its own takes it."""


def endless(exercise: Exercise) -> Answer:
    """What is said of an answer that does not end."""
    sentence = _n(
        "Your code did not end within {n} second: is there a loop that never stops?",
        "Your code did not end within {n} seconds: is there a loop that never stops?",
        SECONDS,
    )
    return Answer(exercise, 0, 0, Fault("endless", sentence))


def limited(judged: Callable[[], Answer], exercise: Exercise) -> Answer:
    """Judge within the time, where this thread can be interrupted; else for as long as it takes."""
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "setitimer"):
        return judged()

    def late(number: int, frame: FrameType | None) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        return judged()
    except _Late:
        return endless(exercise)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
