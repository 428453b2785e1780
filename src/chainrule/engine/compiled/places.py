"""The index of a view's element in its operand, from its index in the view.

A place is an index as a tuple of texts, one for each axis: ("i", "j + 3"). In an axis of length 1 it
is "0".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from chainrule.engine.compiled.symbolic import Cut, Dim, Number, Rows, Value

__all__ = ["Place", "lined_up", "picked", "plus", "rows_text", "through"]

Place: TypeAlias = tuple[str, ...]


def rows_text(d: Rows) -> str:
    """The text of a length that goes with the batch."""
    text = "n" if d.times == 1 else f"{d.times} * n"
    sign = "-" if d.plus < 0 else "+"
    return f"{text} {sign} {abs(d.plus)}" if d.plus else text


def plus(at: str, offset: str) -> str:
    """at + offset."""
    if offset == "0":
        return at
    return offset if at == "0" else f"{at} + {offset}"


def lined_up(place: Place, shape: Sequence[Dim]) -> Place:
    """The place in an operand of an elementwise operation, which NumPy broadcasts."""
    last = place[len(place) - len(shape) :]
    return tuple("0" if d == 1 else p for d, p in zip(shape, last, strict=True))


def through(v: Value, place: Place, number: Callable[[Number], str]) -> Place:
    """The place of a view's element in its operand."""
    x = v.args[0]
    if v.function is np.broadcast_to:
        return lined_up(place, x.shape)
    if v.function is np.transpose:
        order = v.args[1]
        return tuple(place[order.index(a)] for a in range(x.ndim))
    if v.function is np.reshape:  # only axes of length 1 appear and vanish
        left = iter([p for d, p in zip(v.shape, place, strict=True) if d != 1])
        return tuple("0" if d == 1 else next(left) for d in x.shape)
    return picked(v.args[1], x.ndim, place, number, lambda ids, at: "")


def picked(
    key: tuple[Any, ...],
    ndim: int,
    place: Place,
    number: Callable[[Number], str],
    element: Callable[[Value, Place], str],
) -> Place:
    """The place in x of an element of x[key]; `element` gives the text of an id in the key."""
    key = (*key, *[Cut()] * (ndim - sum(k is not None for k in key)))
    places = list(place)
    ids_ndim = max((k.ndim for k in key if isinstance(k, Value)), default=0)
    # NumPy puts the axes of ids where the first id is, or in front if the ids are not adjacent.
    ids = [i for i, k in enumerate(key) if isinstance(k, Value)]
    if ids:  # a number among ids counts as one
        ids = [i for i, k in enumerate(key) if isinstance(k, Value | int | Number)]
    apart = bool(ids) and ids != list(range(ids[0], ids[-1] + 1))
    front: list[str] = []
    if apart:
        front, places = places[:ids_ndim], places[ids_ndim:]
    found: list[str] = []
    at = 0
    for i, k in enumerate(key):
        if ids and i == ids[0] and not apart:
            front, at = places[at : at + ids_ndim], at + ids_ndim
        if k is None:
            at += 1
        elif isinstance(k, Value):
            found.append(element(k, lined_up(tuple(front), k.shape)))
        elif isinstance(k, Cut):
            found.append(_cut(k, places[at], number))
            at += 1
        else:
            found.append(_offset(k, number))
    return tuple(found)


def _cut(cut: Cut, at: str, number: Callable[[Number], str]) -> str:
    if cut.step != 1 and at != "0":
        at = f"{cut.step} * {at}" if at.isidentifier() else f"{cut.step} * ({at})"
    return plus(at, _offset(cut.start, number))


def _offset(start: int | Rows | Number, number: Callable[[Number], str]) -> str:
    if isinstance(start, Number):
        return number(start)
    return rows_text(start) if isinstance(start, Rows) else str(start)
