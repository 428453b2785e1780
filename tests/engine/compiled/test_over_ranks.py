"""What a kernel asks for over ranks: sums that fail, or are lost, end the run; no step goes on without."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from chainrule.engine.compiled.constants import SENT
from chainrule.engine.compiled.over_ranks import OverRanks

FORM = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)


class Division:
    """Two ranks, of which the other has the same numbers."""

    rank, size, parts, seconds = 0, 2, None, 0.0

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    def add_up(self, array: Any) -> None:
        if self.error is not None:
            raise self.error
        array *= 2

    def add_up_gradients(self, loss: float) -> tuple[float, bool]:
        return 2 * loss, True


def asks(ranks: OverRanks, crew: Any, array: Any, *, lost: bool = False) -> None:
    """As a kernel asks for a sum; `lost` if a signal's handler raises before Python has begun."""
    crew[SENT] += 1
    if not lost:
        words = np.array([array.ctypes.data], np.int64)
        FORM(ranks.address)(words.ctypes.data)


def begun(error: BaseException | None = None) -> tuple[OverRanks, Any, Any]:
    ranks, crew, parts = OverRanks(Division(error)), np.zeros(100, np.int64), np.ones((1, 16))
    ranks.take([(parts, 3)])
    ranks.begin(crew, again=False)
    return ranks, crew, parts


def test_sums() -> None:
    ranks, crew, parts = begun()
    asks(ranks, crew, parts)
    assert parts.tolist() == [[2.0] * 3 + [1.0] * 13]
    ranks.told[:] = 1.5, 0, 1
    asks(ranks, crew, ranks.told)
    assert ranks.told.tolist() == [3.0, 1.0, 0.0]
    ranks.end()
    assert ranks.stops


def test_steps_that_are_made_again_do_not_stop() -> None:
    ranks, crew, _parts = begun()
    ranks.begin(crew, again=True)
    ranks.told[2] = 1
    asks(ranks, crew, ranks.told)
    assert not ranks.stops


def test_an_error_within_is_raised_after_the_run() -> None:
    ranks, crew, parts = begun(ValueError("gone"))
    asks(ranks, crew, parts)
    ranks.told[:] = 1.5, 0, 1
    asks(ranks, crew, ranks.told)
    assert ranks.told.tolist() == [1.5, 0.0, 1.0]  # the kernel ends here
    with pytest.raises(ValueError, match="gone"):
        ranks.end()


@pytest.mark.parametrize("which", ["of parts", "of gradients"])
def test_a_call_that_is_lost_is_noticed(which: str) -> None:
    ranks, crew, parts = begun()
    asks(ranks, crew, parts, lost=which == "of parts")
    ranks.told[:] = 1.5, 0, 1
    asks(ranks, crew, ranks.told, lost=which == "of gradients")
    assert ranks.told.tolist() == [1.5, 0.0, 1.0]
    with pytest.raises(InterruptedError, match="handler"):
        ranks.end()
