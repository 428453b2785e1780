"""Lengths and numbers that depend on the batch size: 30 becomes n, and 1/30 becomes 1 / n.

A recording has the numbers of a single batch size. A comparison with recordings of other sizes
shows which of its numbers depend on the size, and by which formula.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import TypeVar

import numpy as np

from chainrule.engine.trace import Traced
from chainrule.errors import RecordingError
from chainrule.lang.messages import _
from chainrule.script.function_source import literal
from chainrule.script.recorded import ScriptRecording

T = TypeVar("T")

__all__ = ["ATOM", "PRODUCT", "SIGN", "SUM", "Sizes", "Text", "alike"]

#: A text and its precedence, as in Python's table of operators.
Text = tuple[str, int]
SUM, PRODUCT, SIGN, ATOM = 12, 13, 14, 20


def alike(ours: ScriptRecording, theirs: ScriptRecording) -> dict[Traced, Traced] | None:
    """The value in `theirs` for each value in `ours`; None if the recordings do not match.

    A recording omits operations that do nothing at its size, such as the factor 2/n for two rows,
    or the sum over a single row. If ours has such an operation and theirs does not, they still
    match.
    """
    twins: dict[Traced, Traced] = {}
    if len(ours.targets) != len(theirs.targets):
        return None
    ahead = list(zip(ours.targets, theirs.targets, strict=True))
    while ahead:
        a, b = ahead.pop()
        if a in twins:
            if twins[a] is not b and not _same_number(twins[a], b):
                return None
            continue
        twins[a] = b
        mine, others = a.operands, b.operands
        if _may_match(a, b) and len(mine) == len(others) and not _is_omitted(a, b):
            ahead.extend(zip(mine, others, strict=True))
            continue
        if a.function is np.divide and b.function is np.reciprocal:  # 1 / x, whatever the 1 is
            ahead += [(a.args[0], b.trace.constant(1.0, a.args[0].dtype)), (a.args[1], b.args[0])]
            continue
        operand, one = _identity_operand(a, theirs.rows)
        if operand is None:
            return None
        if one is not None:
            ahead.append((one, b.trace.constant(1.0, one.dtype)))
        ahead.append((operand, b))
    return twins


def _identity_operand(a: Traced, rows: int) -> tuple[Traced | None, Traced | None]:
    """The operand that `a` returns unchanged at size `rows`, and the factor that is 1 there, if any."""
    if a.function in (np.multiply, np.divide):
        indices = (1, 0) if a.function is np.multiply else (1,)
        for i in indices:
            if a.args[i].weak and a.args[i].known is not None:
                return a.args[1 - i], a.args[i]
    if rows == 1 and (a.is_view or a.function is np.sum) and a.operands:
        return a.operands[0], None
    return None, None


def _is_omitted(a: Traced, b: Traced) -> bool:
    """Whether `a` multiplies by a number and `b` does not, so that b matches a's other operand."""
    return _identity_operand(a, 2)[1] is not None and not any(o.weak for o in b.operands)


def _may_match(a: Traced, b: Traced) -> bool:
    """Whether two values may be the same operation, or the same leaf."""
    if (a.function, a.ndim, a.dtype, a.weak) != (b.function, b.ndim, b.dtype, b.weak):
        return False
    if a.function is not None:
        return a.kwargs == b.kwargs
    if a.known is None or a.ndim == 0:
        return a.name == b.name and (a.known is None) == (b.known is None)
    # A constant array must be the same at every size.
    return b.known is not None and np.array_equal(a.known, b.known, equal_nan=a.dtype.kind == "f")


def _same_number(a: Traced, b: Traced) -> bool:
    return a.known is not None and b.known is not None and np.array_equal(a.known, b.known)


class Sizes:
    """Writes lengths and numbers of a recording as text that is right for every batch size.

    `others` maps each further size to the matching values of its recording (see `alike`).
    """

    def __init__(
        self,
        base: ScriptRecording,
        others: Mapping[int, dict[Traced, Traced]],
        used: tuple[int, ...],
    ) -> None:
        self.base, self.others = base, others
        #: The sizes that the batches will have.
        self.used = used

    def each(self, v: Traced, ask: Callable[[Traced], T]) -> dict[int, T]:
        """The result of `ask` for a value, by batch size."""
        results = {self.base.rows: ask(v)}
        for n, twins in self.others.items():
            if v in twins:
                results[n] = ask(twins[v])
        return results

    def length(self, v: Traced, ask: Callable[[Traced], int]) -> Text:
        """A length: 10, n, 3 * n, n + 1."""
        lengths = {n: int(value) for n, value in self.each(v, ask).items()}
        (m1, p), *rest = lengths.items()
        if all(q == p for _, q in rest):
            return str(p), ATOM
        times = Fraction(rest[0][1] - p, rest[0][0] - m1)
        plus = p - times * m1
        if times.denominator != 1 or any(times * n + plus != q for n, q in rest):
            return self._table(lengths)
        text, level = ("n", ATOM) if times == 1 else (f"{times} * n", PRODUCT)
        if plus:
            return f"{text} {'+' if plus > 0 else '-'} {abs(plus)}", SUM
        return text, level

    def shape(
        self, v: Traced, ask: Callable[[Traced], tuple[int, ...]], alone: bool = False
    ) -> str:
        """A shape: (n, 10); with `alone`, a single length has no parentheses."""
        parts = [self.length(v, _nth(ask, i))[0] for i in range(len(ask(v)))]
        if len(parts) == 1:
            return parts[0] if alone else f"({parts[0]},)"
        return f"({', '.join(parts)})"

    def number(self, v: Traced) -> Text:
        """A known number: 0.5, or 1 / n."""
        numbers = self.each(v, lambda a: a.known)
        values = list(numbers.values())
        if all(repr(value) == repr(values[0]) for value in values):
            text = literal(values[0])
            return text, SIGN if text.startswith("-") else ATOM
        if all(isinstance(value, int) for value in values):
            return self.length(v, lambda a: a.known)
        for text, formula in _forms(numbers):
            if all(_exactly(formula, n, value) for n, value in numbers.items()):
                return text, PRODUCT
        return self._table(numbers)

    def _table(self, numbers: Mapping[int, float]) -> Text:
        """The number itself, or a dict from batch size to number: for numbers without a formula."""
        if any(n not in numbers for n in self.used):
            raise RecordingError(
                _(
                    "a number in the network goes with the batch size in a way that cannot be written out."
                    " Give a batch_size that divides the number of rows."
                )
            )
        if len(self.used) == 1:
            text = literal(numbers[self.used[0]])
            return text, SIGN if text.startswith("-") else ATOM
        pairs = ", ".join(f"{n}: {literal(numbers[n])}" for n in self.used)
        return f"{{{pairs}}}[n]", ATOM


def _nth(ask: Callable[[Traced], tuple[int, ...]], i: int) -> Callable[[Traced], int]:
    return lambda a: ask(a)[i]


def _exactly(formula: Callable[[int], float], n: int, value: float) -> bool:
    try:
        return formula(n) == value
    except ZeroDivisionError:
        return False


Form = tuple[str, Callable[[int], float]]

#: A constant of at most PLAIN letters is taken to be chosen by a person; a sum is taken to be
#: divided among fewer than PARTS parts.
PLAIN, PARTS = 8, 1001

#: How numbers depend on the batch size, as 1/n in a mean, as n/(n - 1) in a variance: the text, the
#: formula, and its inverse, which gives the constant up to rounding.
_KINDS: tuple[tuple[str, Callable[[float, int], float], Callable[[float, int], float]], ...] = (
    ("{} / n", lambda c, n: c / n, lambda v, n: v * n),
    ("{} * (1 / n)", lambda c, n: c * (1 / n), lambda v, n: v * n),
    ("{} * n", lambda c, n: c * n, lambda v, n: v / n),
    ("{} * (n / (n - 1))", lambda c, n: c * (n / (n - 1)), lambda v, n: v * (n - 1) / n),
    ("{} / (n - 1)", lambda c, n: c / (n - 1), lambda v, n: v * (n - 1)),
)


def _forms(numbers: Mapping[int, float]) -> Iterator[Form]:
    """Formulas that may give these numbers, by batch size; the simplest first."""
    n = max(numbers)
    value = numbers[n]
    if not math.isfinite(value) or n < 2:
        return
    ratio = Fraction(value * n).limit_denominator(10_000)
    p, q = ratio.numerator, ratio.denominator
    if p and math.isclose(value, p / (q * n), rel_tol=1e-14):
        yield (f"{p} / n" if q == 1 else f"{p} / ({q} * n)"), lambda n: p / (q * n)
    yield "n / (n - 1)", lambda n: n / (n - 1)
    near = [
        (text, formula, c) for text, formula, constant in _KINDS for c in _near(constant(value, n))
    ]
    plain = [len(repr(c)) <= PLAIN for _, _, c in near]
    for text, formula, c in itertools.compress(near, plain):
        yield text.format(literal(c)), functools.partial(formula, c)
    # A weight shared among the classes, as in label smoothing.
    shares = [(float(f"{value * n * k:.{PLAIN}g}"), k) for k in range(2, PARTS)]
    for c, k in sorted(shares, key=lambda share: len(repr(share[0]))):
        if math.isclose(c, value * n * k, rel_tol=1e-14):
            yield f"{literal(c)} * (1 / n) / {k}", functools.partial(_share, c, k)
    for (text, formula, c), is_plain in zip(near, plain, strict=True):
        if not is_plain:
            yield text.format(literal(c)), functools.partial(formula, c)


def _share(c: float, k: int, n: int) -> float:
    return c * (1 / n) / k


def _near(c: float) -> list[float]:
    """The floats within 8 units in the last place, those with the shortest text first."""
    neighbours, above, below = [c], c, c
    for _turn in range(8):
        above, below = math.nextafter(above, math.inf), math.nextafter(below, -math.inf)
        neighbours += [above, below]
    return sorted(neighbours, key=lambda x: len(repr(x)))
