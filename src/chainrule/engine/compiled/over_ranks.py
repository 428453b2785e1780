"""What a kernel calls to add up over the ranks that share every batch."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.compiled.constants import SEND, SENT
from chainrule.engine.protocols import Division
from chainrule.lang.messages import _

__all__ = ["OverRanks"]

Array = npt.NDArray[Any]

# int64 function(int64 words): what kernels call has the form of a kernel.
_FORM = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)


class OverRanks:
    """Adds up arrays of a kernel over all ranks, whenever it asks for that.

    The kernel says which by its address: the numbers `told` for gradients and loss, or the parts of a
    sum over rows, of which the first is to become the whole.
    """

    def __init__(self, division: Division) -> None:
        self.division = division
        #: The loss, 1 if a rank wants to stop after this step, and how the step failed: 1 for an
        #: exception, 2 for a number that is not finite.
        self.told = np.zeros(3)
        self._parts: dict[int, Array] = {}
        self._error: BaseException | None = None
        self._again = False
        #: The words of the kernel's crew, and how often it has called.
        self._crew, self._calls = np.zeros(SENT + 1, np.int64), 0
        self._function = _FORM(self._add_up)
        #: Where a kernel finds it.
        self.address: int = ctypes.cast(self._function, ctypes.c_void_p).value or 0

    @property
    def parts(self) -> int:
        """The parts of a batch that are computed apart, in all processes together."""
        return (self.division.parts or 1) * self.division.size

    @property
    def given(self) -> dict[str, Any]:
        """The kernel's arguments."""
        return {"rank": self.division.rank, "ranks": self.division.size, "told": self.told}

    def take(self, parts: Iterable[tuple[Array, int]]) -> None:
        """The arrays with parts of sums, one row for each thread, and how many numbers a sum has."""
        self._parts = {array.ctypes.data: array[0, :size] for array, size in parts}

    def _add_up(self, words: int) -> int:
        """The kernel's call: the table of words begins with the address of an array.

        A signal may come as this begins, and its handler raise: that is lost, and so is the call. It is
        noticed by the number of calls, or, of the gradients', by `told`, which still says failed.
        """
        try:
            at = ctypes.c_int64.from_address(words).value
            self._calls += 1
            if self._error is not None or self._calls != self._crew[SENT]:
                return 0
            if at in self._parts:
                self.division.add_up(self._parts[at])
            else:
                loss, stops = self.division.add_up_gradients(float(self.told[0]))
                self.told[:] = loss, stops and not self._again, 0
        except BaseException as error:  # a kernel cannot raise it
            self._error = error
        return 0

    def begin(self, crew: Array, again: bool) -> None:
        """Before a call of the kernel; steps that are made again are made to their end."""
        self.told[:], self._again = 0, again
        self._crew, self._calls = crew, 0
        crew[SEND], crew[SENT] = self.address, 0

    def end(self) -> None:
        """After it: raise what was raised within."""
        error, self._error = self._error, None
        if error is None and self.told[2] == 1:
            error = InterruptedError(_("a signal's handler raised an exception within a step"))
        if error is not None:
            raise error

    @property
    def stops(self) -> bool:
        """Whether a rank wanted to stop after the latest step."""
        return bool(self.told[1])

    @property
    def failed(self) -> bool:
        """Whether the latest step had a number that is not finite."""
        return bool(self.told[2] == 2)
