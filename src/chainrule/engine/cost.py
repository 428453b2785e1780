"""Estimates of what a training step costs on each engine, and what compiling it costs.

They follow from operations and their shapes only, never from a clock or a cache: the same training
runs on the same engine everywhere, so that its bits repeat.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass

import numpy as np

from chainrule.engine.compiled.constants import TILED
from chainrule.engine.memory import is_opaque
from chainrule.engine.trace import Traced
from chainrule.lang.messages import Text, _, _n

__all__ = ["Estimate", "Work", "compiled_of", "duration", "estimate", "paced", "work_of"]

#: Functions that take many instructions per element.
_LONG = (np.exp, np.log, np.log1p, np.tanh, np.power, np.sin, np.cos)


@dataclass(frozen=True)
class Work:
    """The amounts of work in one run of a program."""

    #: NumPy calls, views not counted.
    calls: int = 0
    #: Kinds of them: calls of one function, for operands and results of the same shapes.
    kinds: int = 0
    #: Words of 4 bytes read or written, matrix products not counted.
    words: int = 0
    #: Elements of long functions, such as an exponential.
    long: int = 0
    #: Elements chosen by a mask (`where`), which NumPy blends in five calls.
    chosen: int = 0
    #: Multiplications in matrix products.
    multiplications: int = 0
    #: Of these, those of large products, which are computed in tiles.
    tiled: int = 0
    #: Kinds of products of stacks of matrices, and the number of matrices in all.
    stacks: int = 0
    matrices: int = 0
    views: int = 0
    #: Calls of hand-written layers, which only Python can run.
    by_hand: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def work_of(operations: Iterable[Traced]) -> Work:
    """The total work of some operations."""
    total = Counter[str]()
    kinds = set[tuple[object, ...]]()
    for v in operations:
        if v.function is None or v.weak:
            continue
        if v.is_view:
            total["views"] += 1
            continue
        total["calls"] += 1
        kind = v.function, v.shape, v.dtype, *((o.shape, o.dtype) for o in v.operands)
        new = kind not in kinds
        kinds.add(kind)
        total["by_hand"] += is_opaque(v)
        if v.function is np.matmul:
            size = v.size * v.operands[0].shape[-1]
            total["multiplications"] += size
            total["tiled"] += size if size >= TILED and v.ndim == 2 else 0
            if v.ndim > 2:
                total["stacks"] += new
                total["matrices"] += math.prod(v.shape[:-2])
            continue
        # A sum reads more than it writes. The leaf that a gather reads from counts for nothing.
        touched = [v, *(o for o in v.operands if o.function is not None)]
        size = max(o.size for o in touched)
        total["words"] += max(o.nbytes for o in touched) // 4
        total["long"] += size if v.function in _LONG else 0
        total["chosen"] += size if v.function is np.where else 0
    return Work(**total, kinds=len(kinds))


# -- seconds --------------------------------------------------------------------------------------

#: Seconds on one core for each term of `paced`, fitted by `benchmarks/engine_choice.py` to networks
#: of many structures: of a step on the NumPy engine, and on the compiled one.
NUMPY = (1.4e-05, 5.4e-07, 2.5e-10, 1.1e-09, 1.4e-09, 1.8e-11, 4.5e-07)
COMPILED = (3.7e-07, 0, 2.8e-11, 1.1e-09, 5.7e-10, 1.8e-11, 4e-07)
#: The place of multiplications among these terms.
MULTIPLICATIONS = 5
#: Seconds for each term of `compiled_of`, to compile a step.
COMPILING = (0.2, 0.0094, 0.00073, 0.079, 2)


def paced(work: Work) -> tuple[float, ...]:
    """The terms of a step's time on an engine, in the order of `NUMPY`."""
    return (
        1,
        work.calls,
        work.words,
        work.long,
        work.chosen,
        work.multiplications,
        work.matrices,
    )


def compiled_of(work: Work) -> tuple[float, ...]:
    """The terms of compiling time: 1, kinds of calls, calls, kinds of products of stacks, tiles.

    What comes again and again, as the steps of a loop over time, is compiled once. So are tiles, for
    all networks; but what a cache holds plays no part.
    """
    return 1, work.kinds, work.calls, work.stacks, bool(work.tiled)


@dataclass(frozen=True)
class Estimate:
    """Seconds on one core: to compile a step, and to run it once on each engine.

    `by_hand`: a layer in it is hand-written, so that it cannot be compiled.
    """

    compiling: float
    numpy: float
    compiled: float
    by_hand: bool

    def saved(self, steps: int) -> float:
        """The seconds that the compiled engine saves in so many steps, without those of compiling."""
        return steps * max(self.numpy - self.compiled, 0.0)

    def pays(self, steps: int) -> bool:
        """Whether compiling saves more than it costs."""
        return self.saved(steps) > self.compiling

    @property
    def least_steps(self) -> int:
        """The fewest steps that pay for compiling; 0 if none do."""
        one = self.saved(1)
        return math.floor(self.compiling / one) + 1 if one else 0


@functools.lru_cache(maxsize=256)
def estimate(work: Work, flops: float | None = None) -> Estimate:
    """The estimated seconds for the work of a step.

    flops: the operations a second of matrix products on a core, two for each multiplication, if it is
        not that of the machine that the prices were measured on.
    """
    numpy, compiled = list(NUMPY), list(COMPILED)
    if flops is not None:
        numpy[MULTIPLICATIONS] = compiled[MULTIPLICATIONS] = 2 / flops
    return Estimate(
        _sum_of(compiled_of(work), COMPILING),
        _sum_of(paced(work), numpy),
        _sum_of(paced(work), compiled),
        bool(work.by_hand),
    )


def _sum_of(amounts: Iterable[float], prices: Iterable[float]) -> float:
    return sum(a * p for a, p in zip(amounts, prices, strict=True))


def duration(seconds: float) -> Text:
    """A rough duration, as text for people.

    >>> [duration(s) for s in (0.2, 1.2, 11.6, 80, 370, 9000)]
    ['less than a second', 'about 1 s', 'about 12 s', 'about 1 minute', 'about 6 minutes', 'about 2.5 hours']
    """
    if seconds < 0.95:
        return _("less than a second")
    if seconds < 59.5:
        return _("about {seconds:.0f} s", seconds=seconds)
    if seconds < 5400:
        minutes = round(seconds / 60)
        return _n("about {n} minute", "about {n} minutes", minutes)
    return _("about {hours:.1f} hours", hours=seconds / 3600)
