"""The gradients of a step, taken together: their norm, and clipping it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from chainrule.engine.primitives import Array
from chainrule.lang.messages import says
from chainrule.nodes.base import ignore_fp_errors
from chainrule.settings import positive

__all__ = ["RUN", "clip_grads", "global_norm", "squares"]


@ignore_fp_errors()
def global_norm(grads: Sequence[Array]) -> float:
    """√(Σ g²) over all the arrays; finite if and only if every number is (and no square overflows).

    >>> import numpy as np
    >>> global_norm([np.array([3.0]), np.array([4.0])])
    5.0
    """
    total = squares(grads[0]) if len(grads) == 1 else sum(map(squares, grads))
    if not math.isfinite(total):  # float32 squares overflow before the numbers do
        total = sum(float(np.sum(np.square(g, dtype=np.float64))) for g in grads)
    return math.sqrt(total) if total == total else math.nan


#: How many numbers are squared and summed per BLAS call: few enough that BLAS uses one thread. More
#: threads would be slower here, and the sum would depend on their number.
RUN = 8192


@says("Σ g².")
def squares(g: Array) -> float:
    if g.size <= RUN:
        return float(np.vdot(g, g))
    flat = g.reshape(-1)
    whole = flat.size - flat.size % RUN
    runs, rest = flat[:whole].reshape(-1, RUN), flat[whole:]
    return float(np.add.reduce(np.vecdot(runs, runs))) + float(np.dot(rest, rest))


def clip_grads(grads: Sequence[Array], max_norm: float) -> float:
    """Scale all gradients in place, together, so that their global norm is at most `max_norm`.

    Returns the norm before. Source: Pascanu, Mikolov and Bengio, 2013.

    >>> import numpy as np
    >>> g = [np.array([3.0]), np.array([4.0])]
    >>> clip_grads(g, 1.0), g
    (5.0, [array([0.6]), array([0.8])])
    """
    norm = global_norm(grads)
    if norm > positive(max_norm, "max_norm"):
        for g in grads:
            g *= max_norm / norm
    return norm
