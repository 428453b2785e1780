"""What is being recorded: a step for an engine, and the run of a layer that nodes belong to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from chainrule.errors import RecordingError
from chainrule.graph.sources import here

if TYPE_CHECKING:
    from chainrule.graph.reads import Reads
    from chainrule.graph.variable import Variable

__all__ = [
    "Recording",
    "Scope",
    "complex_steps",
    "current_recording",
    "current_scope",
    "differentiated",
    "differentiating",
    "recording",
    "resumed",
    "shared_scope",
    "stepping",
    "within",
]

_recording: ContextVar[Recording | None] = ContextVar("chainrule_recording", default=None)
_differentiated: ContextVar[str | None] = ContextVar("chainrule_differentiated", default=None)
_stepping: ContextVar[bool] = ContextVar("chainrule_stepping", default=False)
_scope: ContextVar[Scope | None] = ContextVar("chainrule_scope", default=None)


class Recording:
    """A step being recorded for an engine: its buffers, as they were and as they will be.

    A buffer is an array that a step reads and writes without a gradient, such as a running
    mean. `read` holds the Variable that stands for it, `written` the value it is to get.
    `outputs` are the layers' outputs in the order they ran, so that an engine can name them.
    `reads` are what it read of the user's own that it will not read itself: after a change of one of them
    the step has to be recorded again.
    `checks` are what functions ask of values that the step is given, such as targets.
    """

    def __init__(self) -> None:
        self.outputs: list[tuple[Any, Variable]] = []
        self.reads: Reads = []
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
def complex_steps() -> Iterator[None]:
    """Complex numbers are steps beside real ones: a node takes the imaginary part as it is."""
    token = _stepping.set(True)
    try:
        yield
    finally:
        _stepping.reset(token)


def stepping() -> bool:
    """Whether complex numbers are steps beside real ones."""
    return _stepping.get()


@contextmanager
def _said_by_us() -> Iterator[None]:
    """`a[0] = x` makes NumPy ask x for a number, and hide why there is none."""
    try:
        yield
    except ValueError as error:
        if isinstance(error.__cause__, RecordingError):
            raise error.__cause__.with_traceback(error.__traceback__) from None
        raise


class Scope:
    """One run of a layer: what the nodes recorded meanwhile belong to. A layer may run twice."""

    __slots__ = ("layer", "outer", "place")

    def __init__(self, layer: Any, outer: Scope | None) -> None:
        self.layer, self.outer = layer, outer
        #: Where the user called it; inside a layer of the user's own, the line of its formula.
        self.place = here(False, 4)


def shared_scope(a: Scope | None, b: Scope | None) -> Scope | None:
    """The innermost run of a layer that both are in."""
    around = set()
    while a is not None:
        around.add(a)
        a = a.outer
    while b is not None and b not in around:
        b = b.outer
    return b


def current_scope() -> Scope | None:
    """The run of a layer that is being recorded, if one is."""
    return _scope.get()


@contextmanager
def within(layer: Any) -> Iterator[Scope]:
    """What is recorded in here belongs to a run of this layer."""
    made = Scope(layer, _scope.get())
    token = _scope.set(made)
    try:
        yield made
    finally:
        _scope.reset(token)


@contextmanager
def resumed(scope: Scope | None) -> Iterator[None]:
    """What is recorded in here belongs to a run of a layer that has been, or to none."""
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)
