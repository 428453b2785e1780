"""How much a step computes for so many rows: its matrix products, and everything else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.engine.compiled.symbolic import Symbolic, Value
from chainrule.engine.compiled.values import lengths

__all__ = ["multiplications", "products_of"]


def multiplications(step: Symbolic, n: int) -> float:
    """The multiplications of a step; everything else counts as a few for each element."""
    total = 0
    for v in step.values:
        if v.function is np.matmul:
            total += _of_product(v, n)
        elif v.function is not None:
            total += 4 * math.prod(lengths(v.shape, n))
    return total


def products_of(step: Symbolic, n: int) -> list[tuple[np.dtype[Any], int]]:
    """The dtype and the multiplications of each product."""
    return [(v.dtype, _of_product(v, n)) for v in step.values if v.function is np.matmul]


def _of_product(v: Value, n: int) -> int:
    return math.prod(lengths(v.shape, n)) * lengths(v.operands[0].shape, n)[-1]
