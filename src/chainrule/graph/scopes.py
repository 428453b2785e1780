"""The runs of layers that nodes belong to, one within the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

from chainrule.graph.sources import here

__all__ = ["Scope", "around", "current_scope", "resumed", "shared_scope", "within"]

_scope: ContextVar[Scope | None] = ContextVar("chainrule_scope", default=None)


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


class _Nested(Protocol):
    @property
    def outer(self: _T) -> _T | None: ...


_T = TypeVar("_T", bound=_Nested)


def around(inner: _T | None) -> Iterator[_T]:
    """What stands within another of its kind, such as a run of a layer, from the inside out."""
    while inner is not None:
        yield inner
        inner = inner.outer
