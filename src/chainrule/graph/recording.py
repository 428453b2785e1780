"""The recording in progress: of a step for an engine, or of a function to differentiate."""

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
    """A value that was read when a step was recorded."""

    def changed(self) -> bool:
        """Whether it has another value now."""


Reads: TypeAlias = list[Read]


class Recording:
    """A step being recorded for an engine: its buffers before and after the step, and what it reads.

    A buffer is an array that a step reads and writes without a gradient, such as a running
    mean. `read` holds the Variable that stands for it, `written` its new value.
    `outputs` are the layers' outputs in the order they ran, so that an engine can name them.
    `reads` are the user's values that were read only while recording: if one of them changes, the step
    has to be recorded again.
    `parts` are the revisions of the layers and networks that ran.
    `checks` are functions that check a value of the step, such as the targets, before every run.
    """

    def __init__(self) -> None:
        self.outputs: list[tuple[Any, Variable]] = []
        self.reads: Reads = []
        self.parts: list[Revision] = []
        self.checks: list[tuple[Variable, Callable[[npt.NDArray[Any]], Any]]] = []
        self.read: dict[tuple[Any, str], Variable] = {}
        self.written: dict[tuple[Any, str], Variable] = {}


def current_recording() -> Recording | None:
    """The recording in progress for an engine, or None."""
    return _recording.get()


@contextmanager
def recording() -> Iterator[Recording]:
    """Inside the block, record for an engine: no array is locked, no value may control Python's flow."""
    new_recording = Recording()
    token = _recording.set(new_recording)
    try:
        with _own_errors():
            yield new_recording
    finally:
        _recording.reset(token)


def differentiated() -> str | None:
    """The name of what differentiates the running function, such as "cr.grad", or None."""
    return _differentiated.get()


@contextmanager
def differentiating(what: str) -> Iterator[None]:
    """Inside the block runs a function to differentiate: a value taken as a plain number is an error."""
    token = _differentiated.set(what)
    try:
        with _own_errors():
            yield
    finally:
        _differentiated.reset(token)


@contextmanager
def _own_errors() -> Iterator[None]:
    """Raise our own error where NumPy hides it, as `a[0] = x` does, which asks x for a number."""
    try:
        yield
    except ValueError as error:
        if isinstance(error.__cause__, RecordingError):
            raise error.__cause__.with_traceback(error.__traceback__) from None
        raise
