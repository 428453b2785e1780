"""Faults planted in the NumPy engine, each found by the random networks within two hundred of their kind."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.differential.agreement import Case, Unfit, by_itself, compare, predictions, trainer
from tests.differential.networks import Plan, draw_plan

from chainrule.engine import memory, program, rules, texts, trace
from chainrule.engine.memory import in_place
from chainrule.engine.program import _Builder
from chainrule.engine.trace import Traced

Patch = pytest.MonkeyPatch

WITHIN = 200


def stale_view(patch: Patch) -> None:
    """A reshape that must copy is taken for a view, whose copy is made while planning."""
    whole = trace.view_of

    def view_of(view: Traced, source: Any) -> Any:
        return (
            np.reshape(source, view.args[1]) if view.function is np.reshape else whole(view, source)
        )

    patch.setattr(texts, "view_of", view_of)
    patch.setattr(trace, "view_of", view_of)
    patch.setattr(rules, "_viewable", lambda trace, x, shape: x)
    patch.setattr(rules, "_reshape_view", rules._reshape)


def reuse_of_what_is_still_read(patch: Patch) -> None:
    """A value is computed in place of an operand that something reads later."""

    def dying(self: Any, value: Traced, now: Any) -> Traced | None:
        for operand in in_place(value):
            if (
                operand in (self.owned if self.planned else self.fresh)
                and (self.planned or self.section_of[operand] == now[0])
                and operand not in self.returned
                and (operand.shape, operand.dtype) == (value.shape, value.dtype)
                and (self.planned or value.ndim)
            ):
                return operand
        return None

    patch.setattr(_Builder, "_reusable_operand", dying)


def swapped_buffer(patch: Patch) -> None:
    """Now and then a buffer is handed out that somebody has."""
    take = memory.Pool.take

    def taking(self: memory.Pool, nbytes: int) -> Any:
        self.asked = getattr(self, "asked", 0) + 1  # type: ignore[attr-defined]
        if self.asked % 7 == 0:  # type: ignore[attr-defined]
            for room in self.buffers:
                if room.nbytes >= nbytes:
                    return room
        return take(self, nbytes)

    patch.setattr(memory.Pool, "take", taking)
    patch.setattr(program, "Pool", memory.Pool)


def liveness_off_by_one(patch: Patch) -> None:
    """Buffers are given back one operation before they are read for the last time."""

    def recycle(self: Any, value: Traced, now: tuple[int, int]) -> list[Any]:
        if not self.planned:
            return []
        soon = (now[0], now[1] + 1)
        over = [v for v in self.owned if self.last.get(v) == soon and v not in self.returned]
        buffers = [self.owned.pop(v) for v in over]
        for buffer in buffers:
            self.pool.give(buffer)
        return buffers

    patch.setattr(_Builder, "_recycle", recycle)


def copy_while_planning(patch: Patch) -> None:
    """The transpose of a parameter is copied when the plan is made."""
    whole = trace.view_of

    def view_of(view: Traced, source: Any) -> Any:
        found = whole(view, source)
        return found.copy() if view.function is np.transpose else found

    patch.setattr(texts, "view_of", view_of)


def write_before_the_last_read(patch: Patch) -> None:
    """A gradient or a buffer is written while what it held is still to be read."""
    patch.setattr(_Builder, "_unread_after", lambda self, destination, value: True)


def view_of_a_transient(patch: Patch) -> None:
    """What a layer by hand gives is taken as it is, though it looks into a buffer."""
    from chainrule.layers import opaque

    patch.setattr(
        opaque, "_call_with_copies", lambda function, inputs: np.asarray(function(*inputs))
    )


def by_hand(plan: Plan) -> bool:
    """Whether a layer by hand is among the parts, as in one of twenty."""
    return any(part.name.startswith("by hand") for part in plan.parts)


#: What is of interest to a fault that only some networks can show.
KINDS: dict[Callable[[Patch], None], Callable[[Plan], bool]] = {view_of_a_transient: by_hand}
FAULTS: list[Callable[[Patch], None]] = [
    stale_view,
    reuse_of_what_is_still_read,
    swapped_buffer,
    liveness_off_by_one,
    copy_while_planning,
    write_before_the_last_read,
    view_of_a_transient,
]


def found(road: Callable[[Case], list[str]]) -> Callable[[Case], list[str]]:
    """The road; what it raises is found, too."""

    def careful(case: Case) -> list[str]:
        try:
            return road(case)
        except Exception as error:
            return [repr(error)]

    return careful


@pytest.mark.parametrize("debug", ["0", pytest.param("1", marks=pytest.mark.long)])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_found(
    fault: Callable[[Patch], None], debug: str, monkeypatch: Patch
) -> None:
    """By the numbers alone: the assertions on the plan are switched off."""
    monkeypatch.setenv("CHAINRULE_DEBUG", debug)
    monkeypatch.setattr(_Builder, "_assert_sound", lambda self: None)
    fault(monkeypatch)
    roads = [found(by_itself), found(trainer), found(predictions)]
    plans = (draw_plan(seed, tame=bool(seed % 2)) for seed in itertools.count())
    for plan in itertools.islice(filter(KINDS.get(fault), plans), WITHIN):
        try:
            if compare(plan, roads):
                return
        except Unfit:
            continue
    pytest.fail(f"{WITHIN} networks, and none of them noticed")
