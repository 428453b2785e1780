"""What is being recorded: a step for an engine, or a function that is differentiated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy.typing as npt

from chainrule.errors import RecordingError
from chainrule.graph.revisions import Revision

if TYPE_CHECKING:
    from chainrule.graph.variable import Variable

__all__ = [
    "Read",
    "Reads",
    "Recording",
    "current_recording",
    "differentiated",
    "differentiating",
    "recording",
]

_recording: ContextVar[Recording | None] = ContextVar("chainrule_recording", default=None)
_differentiated: ContextVar[str | None] = ContextVar("chainrule_differentiated", default=None)


class Read(Protocol):
    """Something that was read when a step was recorded."""

    def changed(self) -> bool:
        """Whether it is another one now."""


Reads: TypeAlias = list[Read]


class Recording:
    """A step being recorded for an engine: its buffers, as they were and as they will be.

    A buffer is an array that a step reads and writes without a gradient, such as a running
    mean. `read` holds the Variable that stands for it, `written` the value it is to get.
    `outputs` are the layers' outputs in the order they ran, so that an engine can name them.
    `reads` are what it read of the user's own that it will not read itself: after a change of one of them
    the step has to be recorded again.
    `parts` are the revisions of the layers and networks that ran.
    `checks` are what functions ask of values that the step is given, such as targets.
    """

    def __init__(self) -> None:
        self.outputs: list[tuple[Any, Variable]] = []
        self.reads: Reads = []
        self.parts: list[Revision] = []
        self.checks: list[tuple[Variable, Callable[[npt.NDArray[Any]], Any]]] = []
        self.read: dict[tuple[Any, str], Variable] = {}
        self.written: dict[tuple[Any, str], Variable] = {}


def current_recording() -> Recording | None:
    """The step being recorded for an engine, if one is."""
    return _recording.get()


@contextmanager
def recording() -> Iterator[Recording]:
    """Record for an engine: nothing is locked, and no value may steer Python's control flow."""
    made = Recording()
    token = _recording.set(made)
    try:
        with _said_by_us():
            yield made
    finally:
        _recording.reset(token)


def differentiated() -> str | None:
    """What differentiates the function that is running, such as "cr.grad", if something does."""
    return _differentiated.get()


@contextmanager
def differentiating(what: str) -> Iterator[None]:
    """Run a function whose gradient is wanted: no value may leave the graph unseen."""
    token = _differentiated.set(what)
    try:
        with _said_by_us():
            yield
    finally:
        _differentiated.reset(token)


@contextmanager
def _said_by_us() -> Iterator[None]:
    """`a[0] = x` makes NumPy ask x for a number, and hide why there is none."""
    try:
        yield
    except ValueError as error:
        if isinstance(error.__cause__, RecordingError):
            raise error.__cause__.with_traceback(error.__traceback__) from None
        raise
