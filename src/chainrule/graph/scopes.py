"""Scopes: the runs of layers that nodes belong to, one inside the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

from chainrule.graph.sources import here

__all__ = ["Scope", "around", "current_scope", "resumed", "shared_scope", "within"]

_scope: ContextVar[Scope | None] = ContextVar("chainrule_scope", default=None)


class Scope:
    """One run of a layer, to which the nodes recorded in it belong. A layer may run several times."""

    __slots__ = ("layer", "outer", "place")

    def __init__(self, layer: Any, outer: Scope | None) -> None:
        self.layer, self.outer = layer, outer
        #: Where the user called it; inside a layer of the user's own, the line of its formula.
        self.place = here(False, 4)


def shared_scope(a: Scope | None, b: Scope | None) -> Scope | None:
    """The innermost run of a layer that both are in."""
    outer_scopes = set()
    while a is not None:
        outer_scopes.add(a)
        a = a.outer
    while b is not None and b not in outer_scopes:
        b = b.outer
    return b


def current_scope() -> Scope | None:
    """The run of a layer that is being recorded, or None."""
    return _scope.get()


@contextmanager
def within(layer: Any) -> Iterator[Scope]:
    """Inside the block, nodes are recorded in a new run of this layer."""
    scope = Scope(layer, _scope.get())
    token = _scope.set(scope)
    try:
        yield scope
    finally:
        _scope.reset(token)


@contextmanager
def resumed(scope: Scope | None) -> Iterator[None]:
    """Inside the block, nodes are recorded in an earlier run of a layer, or in none."""
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
    """An object and those it is nested in, such as runs of layers, from the inside out."""
    while inner is not None:
        yield inner
        inner = inner.outer
