"""Functions for texts to call: those without a loop are written into their callers."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.engine.compiler.functions import inlined

nothing = None
table = [1, 2, 3]
half = np.float16(0.5)


def clipped(x: Any, low: Any, high: Any) -> Any:
    """Several returns."""
    if x < low:
        return low
    if x > high:
        return high
    return x


def nested(x: Any, low: Any, high: Any) -> Any:
    """Returns in branches, in a function within a function."""
    y = clipped(x, low, high)
    if y == x:
        if y > clipped(low, high, high):
            y = y * 2
            return y
    else:
        y += 1
        return clipped(y, low, high + 1)
    x = x + y
    return x


def changed(x: Any, k: Any) -> Any:
    """A parameter that is assigned on one way only."""
    if k > 2:
        x = k
    return x


def written(a: Any, i: Any, x: Any) -> None:
    """Nothing comes back, and it may end early."""
    if i < 0:
        return
    a[i] = x


def parts(a: Any) -> Any:
    """A tuple comes back."""
    return a[0], a[1:]


@inlined
def power(x: Any, n: Any) -> Any:
    """With a loop, and yet written into the caller."""
    y = x
    for _ in range(n):
        y = y * x
    return y


def first_above(a: Any, x: Any) -> Any:
    """A return in a loop: a function of its own."""
    for i in range(len(a)):
        if a[i] > x:
            return i
    return -1


def sometimes(x: Any) -> Any:
    if x > 0:
        return x


def either(x: Any) -> Any:
    if x > 0:
        return x
    return 0


def one_of_two(x: Any) -> Any:
    if x > 0:
        return x, x
    return x, -x


def itself(x: Any) -> Any:
    return x if x < 0 else itself(x - 1)


def itself_in_a_loop(x: Any) -> Any:
    for _ in range(2):
        x = itself_in_a_loop(x)
    return x


def several_kinds(x: Any, /, *, y: Any = 1) -> Any:
    return x


def with_default(x: Any, y: Any = 2) -> Any:
    return x


unnamed = lambda x: x  # noqa: E731
