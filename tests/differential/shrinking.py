"""The smallest network that still fails: moves taken out one by one, as long as it does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from tests.differential.moves import ROWS, Move, batch_axes
from tests.differential.networks import Plan, data, entered, flow, looked

import chainrule as cr

__all__ = ["shrunk"]


def shrunk(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """A plan with as few moves as there need be for it to fail."""
    smaller: Plan | None = plan
    while smaller is not None:
        plan = smaller
        smaller = next((p for p in _smaller(plan) if _goes(p) and fails(p)), None)
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    for end in plan.ends:
        if len(plan.ends) > 1:
            yield _ended(plan, tuple(e for e in plan.ends if e != end))
    if plan.loss != "MeanSquaredError":
        yield dataclasses.replace(plan, loss="MeanSquaredError")
    if plan.weighted:
        yield dataclasses.replace(plan, weighted=False)
    begun = len(entered(plan, cr.Variable(data(plan, ROWS)[0])))
    for k in reversed(range(len(plan.moves))):
        for instead in dict.fromkeys((*plan.moves[k].given, *range(begun))):
            yield _without(plan, k, begun, instead)
    for i, part in enumerate(plan.parts):
        for j in reversed(range(len(part.moves))):
            moves = part.moves[:j] + part.moves[j + 1 :]
            own = 1 + len(part.shapes)
            for instead in part.moves[j].given:
                inner = dataclasses.replace(part, moves=_renumbered(moves, own + j, instead))
                yield dataclasses.replace(
                    plan, parts=(*plan.parts[:i], inner, *plan.parts[i + 1 :])
                )


def _renumbered(moves: tuple[Move, ...], gone: int, instead: int) -> tuple[Move, ...]:
    def new(i: int) -> int:
        return instead if i == gone else i - (i > gone)

    return tuple(dataclasses.replace(m, given=tuple(map(new, m.given))) for m in moves)


def _without(plan: Plan, k: int, begun: int, instead: int) -> Plan:
    """The plan without move k: another value takes the place of what it gave."""
    gone = begun + k
    moves = _renumbered(plan.moves[:k] + plan.moves[k + 1 :], gone, instead)
    ends = tuple(
        (instead if i == gone else i - (i > gone), axis, width) for i, axis, width in plan.ends
    )
    return _ended(dataclasses.replace(plan, moves=moves), ends)


def _ended(plan: Plan, ends: tuple[tuple[int, int, int], ...]) -> Plan:
    """With these ends, as wide as they now are, and no part that nobody uses."""
    used = sorted({m.how[0] for m in plan.moves if m.name == "part"})
    place = {k: i for i, k in enumerate(used)}
    moves = tuple(
        dataclasses.replace(m, how=(place[m.how[0]],)) if m.name == "part" else m
        for m in plan.moves
    )
    plan = dataclasses.replace(plan, moves=moves, parts=tuple(plan.parts[k] for k in used))
    try:
        with np.errstate(all="ignore"):
            start = entered(plan, cr.Variable(data(plan, ROWS)[0]))
            values = flow(plan.moves, start, looked(plan))
    except Exception:  # it does not go without that move
        return plan
    found = []
    for i, _, _ in dict.fromkeys(ends):
        axes = batch_axes(values[i].shape)
        if len(axes) == 1 and values[i].dtype.kind == "f":
            found.append((i, axes[0], values[i].size // ROWS))
    return dataclasses.replace(plan, ends=tuple(dict.fromkeys(found)))


def _goes(plan: Plan) -> bool:
    """Whether it is a network at all."""
    if not plan.ends:
        return False
    try:
        with np.errstate(all="ignore"):
            values = flow(plan.moves, entered(plan, cr.Variable(data(plan, ROWS)[0])), looked(plan))
    except Exception:
        return False
    return all(values[i].size // ROWS == width for i, _, width in plan.ends)
