"""The functions that generated kernels call, besides products: of one number, of arrays, of threads.

They are plain Python, which a kernel can call as it stands; compiled, their text is translated
with that of the kernel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.engine.compiled.constants import (
    ASLEEP,
    FAILED,
    LONGEST,
    MET,
    OFTEN,
    PATIENCE,
    SEND,
    SENT,
    SHORTEST,
    SYSTEM,
    WAITING,
    YIELD,
)
from chainrule.engine.compiler.memory import (
    add_atomic,
    call,
    call_at,
    look,
    pause,
    shaped,
    sleep,
    wake,
)

__all__ = [
    "add_in_pairs",
    "add_in_turn",
    "add_shards",
    "add_up",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cbrt",
    "ceil",
    "cell",
    "cosh",
    "exp2",
    "expm1",
    "floor",
    "isfinite",
    "kernel",
    "limited",
    "limited_alike",
    "log2",
    "log10",
    "loss_of_all",
    "maximum",
    "minimum",
    "put",
    "remainder",
    "rint",
    "shaped",
    "share",
    "sign",
    "sinh",
    "sqrt",
    "square",
    "squares",
    "tan",
    "together",
    "together_number",
    "trunc",
    "wait",
    "where",
]


def kernel(function: Any) -> Any:
    """Mark a generated function: a part of a kernel."""
    return function


# -- one number ---------------------------------------------------------------------------------


def maximum(a: Any, b: Any) -> Any:
    """The larger; NaN if either is."""
    return a if a > b or a != a else b


def minimum(a: Any, b: Any) -> Any:
    """The smaller; NaN if either is."""
    return a if a < b or a != a else b


def where(condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b."""
    return a if condition else b


def isfinite(a: Any) -> Any:
    """Whether a is neither NaN nor infinite."""
    return np.isfinite(a)


def sqrt(a: Any) -> Any:
    """√a."""
    return np.sqrt(a)


def exp2(a: Any) -> Any:
    """2 to the a."""
    return np.exp2(a)


def expm1(a: Any) -> Any:
    """eᵃ - 1."""
    return np.expm1(a)


def log2(a: Any) -> Any:
    """log a, to the base 2."""
    return np.log2(a)


def log10(a: Any) -> Any:
    """log a, to the base 10."""
    return np.log10(a)


def cbrt(a: Any) -> Any:
    """∛a."""
    return np.cbrt(a)


def tan(a: Any) -> Any:
    """tan a."""
    return np.tan(a)


def arcsin(a: Any) -> Any:
    """arcsin a."""
    return np.arcsin(a)


def arccos(a: Any) -> Any:
    """arccos a."""
    return np.arccos(a)


def arctan(a: Any) -> Any:
    """arctan a."""
    return np.arctan(a)


def sinh(a: Any) -> Any:
    """sinh a."""
    return np.sinh(a)


def cosh(a: Any) -> Any:
    """cosh a."""
    return np.cosh(a)


def arcsinh(a: Any) -> Any:
    """arcsinh a."""
    return np.arcsinh(a)


def arccosh(a: Any) -> Any:
    """arccosh a."""
    return np.arccosh(a)


def arctanh(a: Any) -> Any:
    """arctanh a."""
    return np.arctanh(a)


def floor(a: Any) -> Any:
    """a rounded down."""
    return np.floor(a)


def ceil(a: Any) -> Any:
    """a rounded up."""
    return np.ceil(a)


def trunc(a: Any) -> Any:
    """a rounded towards 0."""
    return np.trunc(a)


def rint(a: Any) -> Any:
    """a rounded to the nearest whole number."""
    return np.rint(a)


def arctan2(a: Any, b: Any) -> Any:
    """The angle of the point (b, a)."""
    return np.arctan2(a, b)


def remainder(a: Any, b: Any) -> Any:
    """The remainder of a divided by b."""
    return np.remainder(a, b)


def sign(a: Any) -> Any:
    """1, 0 or -1; NaN for NaN."""
    return np.sign(a)


def square(a: Any) -> Any:
    """a²."""
    return a * a


def cell(row: Any, column: Any) -> Any:
    """The counter of a row and a column, from which random bits are made (see `Dropout`)."""
    at = (np.uint64(row + 1) << np.uint64(32)) | np.uint64(column)
    return at * np.uint64(0x9E3779B97F4A7C15)


def share(n: Any, k: Any, shards: Any) -> Any:
    """The index where the part of shard k begins, of n items."""
    return n * k if shards == 1 else n * k // shards  # a division takes as long as a short row


# -- threads ------------------------------------------------------------------------------------

# `crew` is an array of counters that all threads of a step share.


def wait(crew: Any, shards: Any) -> None:
    """Wait until all threads have come here: looking for a while, then asleep.

    A thread that looks keeps its core busy, which is quick as long as every thread has a core. If
    they have not, each sleep halves the patience for the next, until they take turns at once; now and
    then a thread looks for long again, to find out.
    """
    if shards == 1:
        return
    turn = look(crew, MET)
    if add_atomic(crew, WAITING, 1) == shards - 1:
        add_atomic(crew, WAITING, -shards)
        add_atomic(crew, MET, 1)
        if add_atomic(crew, ASLEEP, 0) > 0:
            wake(crew[SYSTEM], crew[SYSTEM + 1], crew, MET)
        return
    patience = look(crew, PATIENCE)
    if turn % OFTEN == 0:
        patience = np.int64(LONGEST)
    looks = 0
    while look(crew, MET) == turn:
        pause()
        looks += 1
        if looks >= patience:
            if look(crew, FAILED):
                return
            if crew[SYSTEM]:
                add_atomic(crew, ASLEEP, 1)
                sleep(crew[SYSTEM], crew[SYSTEM + 1], crew, MET, turn)
                add_atomic(crew, ASLEEP, -1)
            elif crew[YIELD]:
                call(crew[YIELD])
    if looks < patience:
        crew[PATIENCE] = min(2 * patience, np.int64(LONGEST))
    elif crew[PATIENCE] > SHORTEST:
        crew[PATIENCE] = crew[PATIENCE] // 2


# -- sums over the rows of all threads, and of all ranks ------------------------------------------


def add_up(crew: Any, array: Any) -> None:
    """Put the sum over all ranks into an array: Python does it, and may put more into it."""
    if crew[SEND]:
        add_atomic(crew, SENT, 1)
        call_at(crew[SEND], _alone, array)


def _alone(array: Any) -> None:
    """What stands for the sum over ranks where a kernel runs as Python: there is one."""


def add_in_pairs(first: Any, others: Any, k: Any, shards: Any) -> None:
    """Add parts up into the first of them, for thread k's part of the numbers.

    In pairs: ((0 + 1) + (2 + 3)) + ..., which is how ranks go on, so that it does not matter who
    adds which.
    """
    low, high = share(first.size, k, shards), share(first.size, k + 1, shards)
    step, parts = 1, others.shape[0] + 1
    while step < parts:
        for s in range(0, parts - step, 2 * step):
            if s == 0:
                for i in range(low, high):
                    first[i] += others[step - 1, i]
            else:
                for i in range(low, high):
                    others[s - 1, i] += others[s + step - 1, i]
        step = 2 * step


def add_in_turn(first: Any, others: Any, k: Any, shards: Any, q: Any, count: Any) -> None:
    """Add up the `count` parts that thread k computes one after the other, as `add_in_pairs` would.

    Its array holds part q: the first one, or the other of its number. What is left of the others waits
    there for its equal, sums of one part, of two, of four; after the last part the array has the sum.
    """
    waiting = others.shape[0] + 1 - shards
    start = shards - 1 + k * (waiting // shards)
    if k == 0:
        _in_turn(first, others[start:], q, count)
    else:
        _in_turn(others[k - 1], others[start:], q, count)


def _in_turn(own: Any, waiting: Any, q: Any, count: Any) -> None:
    level, earlier = 0, q
    while earlier % 2 == 1:
        for i in range(own.size):
            own[i] = waiting[level, i] + own[i]
        level += 1
        earlier = earlier // 2
    if q + 1 < count:
        for i in range(own.size):
            waiting[level, i] = own[i]


def _over_ranks(crew: Any, k: Any, shards: Any, parts: Any) -> None:
    """The first of the parts becomes the sum over all shards of all ranks."""
    wait(crew, shards)
    if k == 0:
        add_in_pairs(parts[0], parts[1:], 0, 1)
        add_up(crew, parts)
    wait(crew, shards)


def together(crew: Any, k: Any, shards: Any, part: Any, parts: Any, out: Any) -> None:
    """out = the sum of the parts of all shards, in their order."""
    own = parts[k]
    mine = shaped(part, (part.size,))
    to = shaped(out, (out.size,))
    for j in range(mine.shape[0]):
        own[j] = mine[j]
    if crew[SEND]:
        _over_ranks(crew, k, shards, parts)
        for j in range(to.shape[0]):
            to[j] = parts[0, j]
        return
    wait(crew, shards)
    for j in range(to.shape[0]):
        to[j] = parts[0, j]
    for s in range(1, shards):
        for j in range(to.shape[0]):
            to[j] += parts[s, j]


def together_number(crew: Any, k: Any, shards: Any, part: Any, parts: Any) -> Any:
    """The sum of a number's parts over all shards, in their order."""
    parts[k, 0] = part
    if crew[SEND]:
        _over_ranks(crew, k, shards, parts)
        return np.float64(parts[0, 0])
    wait(crew, shards)
    whole = np.float64(0.0)
    for s in range(shards):
        whole += parts[s, 0]
    return whole


# -- what the loop of a step calls ----------------------------------------------------------------


def put(to: Any, new: Any) -> Any:
    """to[...] = new; gives 0, or NaN if a number is not finite."""
    check = np.float64(0.0)
    a = shaped(to, (to.size,))
    b = shaped(new, (new.size,))
    for i in range(a.shape[0]):
        a[i] = b[i]
        check += b[i] * 0.0
    return check


def add_shards(g: Any, others: Any, k: Any, shards: Any) -> Any:
    """g += the other shards' gradients, for one thread's part of g; gives Σ g² of the part."""
    low, high = share(g.size, k, shards), share(g.size, k + 1, shards)
    mine, theirs, squares = g[low:high], others[:, low:high], np.float64(0.0)
    for s in range(theirs.shape[0]):
        for i in range(mine.shape[0]):
            mine[i] += theirs[s, i]
    for i in range(mine.shape[0]):
        squares += np.float64(mine[i]) * np.float64(mine[i])
    return squares


def loss_of_all(checks: Any, shards: Any, like: Any) -> Any:
    """The sum of the shards' parts of the loss, in pairs; rounded as ranks do, who send it like that."""
    for s in range(shards):
        checks[s, 0] = like.dtype.type(checks[s, 0])
    step = 1
    while step < shards:
        for s in range(0, shards - step, 2 * step):
            checks[s, 0] = like.dtype.type(checks[s, 0] + checks[s + step, 0])
        step = 2 * step
    return checks[0, 0]


def squares(g: Any, k: Any, pieces: Any) -> Any:
    """Σ g² of one of several pieces of g."""
    mine, found = g[share(g.size, k, pieces) : share(g.size, k + 1, pieces)], np.float64(0.0)
    for i in range(mine.shape[0]):
        found += np.float64(mine[i]) * np.float64(mine[i])
    return found


def limited(checks: Any, shards: Any, limits: Any) -> Any:
    """The factor of the gradients that brings their norm to at most each of two limits (0: none)."""
    squares = np.float64(0.0)
    for s in range(shards):
        squares += checks[s, 2]
    return _factor(squares, limits)


def limited_alike(pieces: Any, limits: Any) -> Any:
    """The same, from the sums of squares of pieces."""
    squares = np.float64(0.0)
    for square in pieces:
        squares += square
    return _factor(squares, limits)


def _factor(squares: Any, limits: Any) -> Any:
    norm, scale = np.sqrt(squares), np.float64(1.0)
    for limit in limits:
        if limit > 0 and norm * scale > limit:
            scale = limit / norm
    return scale
