"""Arrays as kernels take them: each in one piece of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.aligned import aligned
from chainrule.engine.compiled.values import NotCompilable
from chainrule.engine.protocols import Segment, UpdateRule
from chainrule.graph.reads import ArrayRead
from chainrule.graph.recording import Reads
from chainrule.lang.messages import _

__all__ = ["bound", "in_one_piece", "kept_in_one_piece"]

Array = npt.NDArray[Any]


def in_one_piece(array: Array, role: str) -> Array:
    """A contiguous array for a kernel: the same memory, except for data and constants, read only."""
    if not (array.flags.c_contiguous and array.flags.aligned):
        if role not in ("constant", "data"):
            raise NotCompilable(_("one of its parameters does not lie in one piece"))
        array = np.require(array, requirements=["C", "A"])
    return array.reshape(-1) if array.ndim == 0 else array


def kept_in_one_piece(array: Array, reads: Reads) -> Array:
    """A constant as a contiguous array; if it had to be copied, `reads` gets the original."""
    found = in_one_piece(array, "constant")
    if array.size and not np.may_share_memory(found, array):
        reads.append(ArrayRead(array))
    return found


def bound(optimizer: UpdateRule, segments: Sequence[Segment]) -> list[list[Array]]:
    """The optimizer's state for these runs of parameters, in such memory."""
    params, grads, decays, factors = map(list, zip(*segments, strict=True))
    optimizer.bind(params, grads, decays, factors)
    assert optimizer.state is not None
    for slots in optimizer.state:
        slots[:] = map(aligned, slots)
    return optimizer.state
