"""Verdict: is one gradient right along one direction? Backward against a numerical slope.

For a real analytic function f, Im f(x + ihv) / h is the slope along v, and there is no
difference in it to lose digits by: h may be 1e-20, and the slope comes out to the last digit.
So backward is held to 1e-12 of the numbers it adds up, not to the 1e-6 of a difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.graph.mode import complex_steps
from chainrule.lang.messages import Text, _
from chainrule.nodes.base import ignore_fp_errors
from chainrule.settings import language

__all__ = [
    "CHANGING",
    "Verdict",
    "directions",
    "judged",
    "oracles_of",
    "refused",
    "repeats",
    "weights",
    "worst",
]

Array = npt.NDArray[Any]

#: The length of the complex step; its square vanishes beside 1.
STEP = 1e-20
#: A slope that is so much less by a step so much longer, and no rounding either, has no limit: that
#: of √x at 0, and of log x below 0.
STEEP, FURTHER, LARGE = 1e3, 1e8, 1e6
#: What backward may be off by: this much of Σ|g·v|, and this much beside.
RELATIVE, ABSOLUTE = 1e-12, 1e-14
#: The same where only differences can be taken, which are good to some 1e-9 themselves.
DIFFERENCES, ROUNDING = 1e-6, 1e-9
#: The step of a central difference, and by what part the slopes of two sides differ at a kink.
WIDTH, APART = 6e-6, 1e-3


#: What gradients are held against.
COMPLEX_STEP, DIFFERENCE = _("complex step"), _("central difference")
#: What is said of a forward that draws random numbers which cannot be drawn again.
CHANGING = _(
    "forward gives other numbers each time (random ones?), so there is no slope to compare with"
)
#: The verdicts in words, by the mark that a picture has for them.
_WORDS = {
    "ok": _("ok"),
    "kink": _("ok, at a kink"),
    "wrong": _("WRONG"),
    "not finite": _("not finite"),
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether one gradient agrees with the numerical one, and by how much it does not."""

    ok: bool
    error: float = np.nan
    allowed: float = np.nan
    #: Where the error is largest against what is allowed: an element, or a random direction.
    place: str = ""
    #: What backward says there, and what the oracle says.
    got: float = np.nan
    expected: float = np.nan
    oracle: str = COMPLEX_STEP
    #: Whether the input lies on a kink, where the slope differs from side to side.
    kink: bool = False
    #: What is wrong, where no numbers could be compared.
    note: str = ""

    @property
    def mark(self) -> str:
        """What a picture marks the gradient as: "ok", "kink", "wrong" or "not finite"."""
        if self.ok:
            return "kink" if self.kink else "ok"
        return "wrong"

    @property
    def verdict(self) -> Text:
        """The verdict in a word or two, a message (see `said`)."""
        return _WORDS[self.mark]

    @property
    def detail(self) -> str:
        """Why it is wrong, in a few words, a message."""
        if self.ok or self.note:
            return self.note
        return _(
            "at {place} backward gave {got:.17g}, the {oracle} {expected:.17g}",
            place=self.place,
            got=self.got,
            oracle=self.oracle,
            expected=self.expected,
        )

    def said(self, lang: str | None = None) -> str:
        """The verdict and why, in a language; None: that of `CHAINRULE_LANG`, else English."""
        told: Text = self.verdict
        if self.detail:
            told = _("{verdict}: {detail}", verdict=self.verdict, detail=self.detail)
        return told.said(language(lang))

    def __str__(self) -> str:
        return self.said()


def oracles_of(verdicts: Iterable[Verdict]) -> str:
    """What these gradients were held against."""
    first, *others = dict.fromkeys(verdict.oracle for verdict in verdicts)
    for other in others:
        first = _("{oracle} and the {other}", oracle=first, other=other)
    return first


def refused(note: str, analytic: bool = True) -> Verdict:
    """The verdict on what is no gradient at all."""
    oracle = COMPLEX_STEP if analytic else DIFFERENCE
    return Verdict(ok=False, error=np.inf, allowed=ABSOLUTE, oracle=oracle, note=note)


def repeats(run: Callable[[], Any]) -> bool:
    """Whether a computation gives the same numbers twice."""
    first, second = np.array(run()), np.array(run())
    return np.array_equal(first, second, equal_nan=True)


def judged(
    gradient: Array,
    x: Array,
    value: Callable[[Array], Any],
    place: str,
    v: Array,
    *,
    analytic: bool,
    scale: float,
) -> Verdict:
    """The verdict on `gradient`, of the number `value(x)`, along v.

    `analytic`: whether `value` takes a complex x. `scale`: the size of the numbers that make
    up the value, which the rounding of differences goes by.
    """
    expected = other = np.nan
    if analytic:
        try:
            expected = _complex_step(value, x, v)
        except TypeError:  # float() of a complex Variable, in the user's own function
            analytic = False
    by_difference = not np.isfinite(expected) and bool(np.isfinite(gradient).all())
    if by_difference:
        # Opaque, or out of the range of complex arithmetic: σ(-1000). Large x, large steps.
        reach = np.where(v == 0, 0, np.maximum(1, np.abs(x)))
        width = float(reach.max(initial=1e-300))
        v = v * reach / width
        expected = _difference(value, x, v, WIDTH * width)
    with ignore_fp_errors():
        got, size = float(np.sum(gradient * v)), float(np.sum(np.abs(gradient * v)))
    if by_difference:
        oracle, allowed = DIFFERENCE, DIFFERENCES * size + ROUNDING * (1 + scale)
        apart = APART * (1 + size)
        if not abs(got - expected) <= allowed:
            expected, other = _two_sides(value, x, v, WIDTH * width, expected, apart)
    else:
        oracle, allowed = COMPLEX_STEP, RELATIVE * size + ABSOLUTE
        apart = allowed
        if not abs(got - expected) <= allowed:
            other = -_complex_step(value, x, -v)
            longer = abs(_complex_step(value, x, v, STEP * FURTHER))
            if abs(expected) > max(STEEP * longer, LARGE * allowed):
                expected = other = math.copysign(math.inf, expected)
    error = abs(got - expected)
    # On a kink the slope differs from side to side, and any value between is a fair one.
    kink = bool(abs(other - expected) > apart)
    slack = max(allowed, apart) if kink else allowed
    low, high = min(expected, other) - slack, max(expected, other) + slack
    right = error <= allowed or (kink and low <= got <= high)
    return Verdict(
        ok=bool(right and np.isfinite(got) and np.isfinite(expected)),
        error=error,
        allowed=allowed,
        place=place,
        got=got,
        expected=expected,
        oracle=oracle,
        kink=kink,
    )


def _complex_step(value: Callable[[Array], Any], x: Array, v: Array, step: float = STEP) -> float:
    """The slope along v, from above."""
    with complex_steps():
        return float(np.imag(value(x + 1j * step * v))) / step


def _difference(value: Callable[[Array], Any], x: Array, v: Array, width: float) -> float:
    """The slope along v, by a central difference."""
    high, low = (float(np.real(value(x + sign * width * v))) for sign in (1, -1))
    return (high - low) / (2 * width)


def _two_sides(
    value: Callable[[Array], Any], x: Array, v: Array, width: float, middle: float, apart: float
) -> tuple[float, float]:
    """The slopes of both sides where they are so far apart; else the middle one, and none."""
    high, here, low = (float(np.real(value(x + sign * width * v))) for sign in (1, 0, -1))
    above, below = (high - here) / width, (here - low) / width
    return (above, below) if abs(above - below) > apart else (middle, np.nan)


def directions(
    rng: np.random.Generator, shape: tuple[int, ...], elements: bool, count: int = 1
) -> Iterator[tuple[str, Array]]:
    """The directions to try for a gradient of this shape, each with its name."""
    if elements:
        for place in np.ndindex(shape):
            v = np.zeros(shape)
            v[place] = 1.0
            yield _("element {place}", place=place), v
    if not elements or 0 in shape:
        for k in range(count):
            yield _("direction {number}", number=k), weights(rng, shape)


def weights(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Random numbers away from 0, of both signs."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def worst(found: Iterable[Verdict]) -> Verdict:
    """Of several verdicts on one gradient, the one that counts."""

    def badness(verdict: Verdict) -> tuple[bool, float]:
        ratio = verdict.error / verdict.allowed
        return not verdict.ok, ratio if np.isfinite(ratio) else np.inf

    return max(found, key=badness)
