"""Verdict: is one gradient right along one direction? Backward is compared with a numerical slope.

For a real analytic function f, Im f(x + ihv) / h is the slope along v. It subtracts nothing, so no
digits cancel: h may be 1e-20, and the slope is exact to the last digit. So an error of 1e-12 of the
numbers that backward adds up is allowed, where a difference would need 1e-6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.graph.mode import complex_steps
from chainrule.lang.messages import Text, _
from chainrule.nodes.base import Array, Value, ignore_fp_errors
from chainrule.settings import language

__all__ = [
    "CHANGING",
    "Verdict",
    "compare",
    "directions",
    "oracles_of",
    "refused",
    "repeats",
    "weights",
    "worst",
]

#: The length of the complex step; its square vanishes beside 1.
STEP = 1e-20
#: A slope is infinite (as of √x at 0, and of log x below 0) if it is STEEP times that of a step
#: FURTHER times as long, and LARGE times the allowed error.
STEEP, FURTHER, LARGE = 1e3, 1e8, 1e6
#: The allowed error: this part of Σ|g·v|, plus a constant.
RELATIVE, ABSOLUTE = 1e-12, 1e-14
#: The same for central differences, which themselves are exact to about 1e-9.
DIFFERENCES, ROUNDING = 1e-6, 1e-9
#: The step of a central difference, and the relative difference of the two sides' slopes at a kink.
WIDTH, APART = 6e-6, 1e-3


#: The oracles: what gradients are compared with.
COMPLEX_STEP, DIFFERENCE = _("complex step"), _("central difference")
#: The note on a forward that draws new random numbers at every run.
CHANGING = _(
    "forward gives other numbers each time (random ones?), so there is no slope to compare with"
)
#: The verdicts in words, by their mark in a picture.
_WORDS = {
    "ok": _("ok"),
    "kink": _("ok, at a kink"),
    "wrong": _("WRONG"),
    "not finite": _("not finite"),
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether one gradient agrees with the numerical one, the error, and the allowed error."""

    ok: bool
    error: float = np.nan
    allowed: float = np.nan
    #: Where the error is largest against what is allowed: an element, or a random direction.
    place: str = ""
    #: The slope by backward, and that of the oracle.
    got: float = np.nan
    expected: float = np.nan
    oracle: str = COMPLEX_STEP
    #: Whether the input lies on a kink, where the slope differs from side to side.
    kink: bool = False
    #: The reason, where no numbers could be compared.
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
        text: Text = self.verdict
        if self.detail:
            text = _("{verdict}: {detail}", verdict=self.verdict, detail=self.detail)
        return text.said(language(lang))

    def __str__(self) -> str:
        return self.said()


def oracles_of(verdicts: Iterable[Verdict]) -> str:
    """The oracles that these gradients were compared with."""
    first, *others = dict.fromkeys(verdict.oracle for verdict in verdicts)
    for other in others:
        first = _("{oracle} and the {other}", oracle=first, other=other)
    return first


def refused(note: str, analytic: bool = True) -> Verdict:
    """The verdict where there is no gradient to compare."""
    oracle = COMPLEX_STEP if analytic else DIFFERENCE
    return Verdict(ok=False, error=np.inf, allowed=ABSOLUTE, oracle=oracle, note=note)


def repeats(run: Callable[[], Value]) -> bool:
    """Whether a computation gives the same numbers twice."""
    first, second = np.array(run()), np.array(run())
    return np.array_equal(first, second, equal_nan=True)


def compare(
    gradient: Array,
    x: Array,
    value: Callable[[Array], Value],
    place: str,
    v: Array,
    *,
    analytic: bool,
    scale: float,
) -> Verdict:
    """The verdict on `gradient`, that of the number `value(x)`, along the direction v.

    `analytic`: whether `value` takes a complex x. `scale`: the sum of the absolute terms of the
    value, in proportion to which its differences are rounded.
    """
    expected = other = np.nan
    if analytic:
        try:
            expected = _complex_step(value, x, v)
        except TypeError:  # float() of a complex Variable, in the user's own function
            analytic = False
    finite = bool(np.isfinite(gradient).all())
    with ignore_fp_errors():
        got, size = float(np.sum(gradient * v)), float(np.sum(np.abs(gradient * v)))
    # Not analytic; or out of the range of complex arithmetic: σ(-1000); or a function of real numbers,
    # such as np.abs, in the user's own forward.
    by_difference = finite and not (
        np.isfinite(expected)
        and (abs(got - expected) <= RELATIVE * size + ABSOLUTE or _agrees(value, x, v, scale))
    )
    if by_difference:
        v, width = _wide(x, v)
        expected = _difference(value, x, v, WIDTH * width)
        with ignore_fp_errors():
            got, size = float(np.sum(gradient * v)), float(np.sum(np.abs(gradient * v)))
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
    # At a kink the slopes of the two sides differ, and every value between them is a subgradient.
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


def _complex_step(value: Callable[[Array], Value], x: Array, v: Array, step: float = STEP) -> float:
    """The slope along v, from above."""
    with complex_steps():
        return float(np.imag(value(x + 1j * step * v))) / step


def _wide(x: Array, v: Array) -> tuple[Array, float]:
    """The direction with larger steps for large x, and how much larger the largest is."""
    reach = np.where(v == 0, 0, np.maximum(1, np.abs(x)))
    width = float(reach.max(initial=1e-300))
    return v * reach / width, width


def _agrees(value: Callable[[Array], Value], x: Array, v: Array, scale: float) -> bool:
    """Whether the complex step along v gives the slope that differences see, where they can tell."""
    v, width = _wide(x, v)
    slope = _complex_step(value, x, v)
    if slope != -_complex_step(value, x, -v):
        return True  # at a kink
    longer, shorter = (_difference(value, x, v, WIDTH * width / part) for part in (1, 4))
    allowed = DIFFERENCES * abs(longer) + 4 * ROUNDING * (1 + scale)
    return not abs(longer - shorter) <= allowed or abs(slope - longer) <= 2 * allowed


def _difference(value: Callable[[Array], Value], x: Array, v: Array, width: float) -> float:
    """The slope along v, by a central difference."""
    high, low = (float(np.real(value(x + sign * width * v))) for sign in (1, -1))
    return (high - low) / (2 * width)


def _two_sides(
    value: Callable[[Array], Value], x: Array, v: Array, width: float, middle: float, apart: float
) -> tuple[float, float]:
    """The slopes of both sides if they differ by more than `apart`; else the central one, and NaN."""
    high, here, low = (float(np.real(value(x + sign * width * v))) for sign in (1, 0, -1))
    above, below = (high - here) / width, (here - low) / width
    return (above, below) if abs(above - below) > apart else (middle, np.nan)


def directions(
    rng: np.random.Generator, shape: tuple[int, ...], elements: bool, count: int = 1
) -> Iterator[tuple[str, Array]]:
    """The directions to compare a gradient of this shape along, each with its name."""
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


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Of several verdicts on one gradient, the worst: a wrong one, or the largest error."""

    def badness(verdict: Verdict) -> tuple[bool, float]:
        ratio = verdict.error / verdict.allowed
        return not verdict.ok, ratio if np.isfinite(ratio) else np.inf

    return max(verdicts, key=badness)
