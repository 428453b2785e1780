"""Sums as text: Σ with its letters, the numbers filled in, and totals that add up as printed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.graph.sums import Factor, Group, Reader
from chainrule.graph.variable import Variable
from chainrule.graph.wording import number
from chainrule.lang.messages import Joined, in_language, words
from chainrule.text_width import cells_wide

__all__ = [
    "Line",
    "Term",
    "added",
    "element",
    "exactly",
    "factor_values",
    "product",
    "sigma",
    "symbols",
    "written",
]

#: Letters of summation indices: n for the rows of the batch, these for the others.
_LETTERS = "kjimlpst"
_LOW = str.maketrans("nkjimlpst", "ₙₖⱼᵢₘₗₚₛₜ")
#: A line longer than this is broken at its equals signs.
WIDTH = 100


@dataclass(frozen=True)
class Term:
    """One term of a sum: its value, and how it is written with names and with numbers."""

    value: float
    text: str
    numbers: str

    def __str__(self) -> str:
        return f"{self.text} = {self.numbers}"


class Line:
    """`a = b = c ≈ d`: one number in several forms, with a note below the first; all may be messages."""

    def __init__(self, head: str) -> None:
        self.head = head
        self.forms: list[tuple[bool, str]] = []
        self.note = ""

    def add(self, text: str, exact: bool = True) -> None:
        """Append another form, unless it equals the last one."""
        if text and (not self.forms or self.forms[-1][1] != text):
            self.forms.append((exact, text))

    @property
    def rounded(self) -> bool:
        """Whether some form is rounded."""
        return not all(exact for exact, _ in self.forms)

    def text(self, lang: str = "en", width: int = WIDTH) -> list[str]:
        """The line in a language, or one line for each form if it would be wider than so many cells."""
        forms = [f"{'=' if exact else '≈'} {in_language(form, lang)}" for exact, form in self.forms]
        if self.note:
            forms.insert(1, f"  {in_language(self.note, lang)}")
        whole = " ".join([self.head, *forms])
        if cells_wide(whole) <= width and not self.note:
            return [whole]
        indent = " " * cells_wide(self.head)
        return [f"{self.head} {forms[0]}", *(f"{indent} {form}" for form in forms[1:])]


# -- names of elements ------------------------------------------------------------------------


def element(name: str, shape: tuple[int, ...], position: int) -> str:
    """The name of an element of an array: `W[0,2]`; of a single number, the name alone."""
    indices = np.unravel_index(position, shape) if shape else ()
    return f"{name}[{','.join(str(int(i)) for i in indices)}]" if indices else name


def symbols(
    group: Group, name: Callable[[Variable, bool], str], rows: set[Variable]
) -> tuple[str, list[str]]:
    """The letters a group runs over, and each factor with them: `k`, `x[0,k]`, `W[k,2]`.

    Where its positions follow no pattern, the letter is "…" and the factors have no indices.
    """
    count = len(group.coefficients)
    columns: dict[bytes, str] = {}
    texts, distinct = [], 1
    vectors = []
    free = iter(_LETTERS)
    for factor in group.factors:
        shape = factor.arrow.shape if factor.arrow.scalar is None else ()
        indices = np.unravel_index(factor.positions, shape) if shape else ()
        parts = []
        for axis, column in enumerate(indices):
            if np.all(column == column[0]):
                parts.append(str(int(column[0])))
                continue
            key = column.tobytes()
            if key not in columns:
                first = axis == 0 and factor.arrow in rows and "n" not in columns.values()
                columns[key] = "n" if first else next(free, "?")
                distinct *= len(np.unique(column))
                vectors.append(column)
            parts.append(columns[key])
        base = name(factor.arrow, factor.gradient)
        texts.append(f"{base}[{','.join(parts)}]" if parts else base)
    letters = "".join(columns.values())
    different = len(set(zip(*map(tuple, vectors), strict=True))) if vectors else 1
    if "?" in letters or different != count or distinct != count:
        return "…", [name(f.arrow, f.gradient) for f in group.factors]
    return letters, texts


def sigma(letters: str) -> str:
    """Σ over some letters."""
    return f"Σ{letters.translate(_LOW)} "


# -- numbers ----------------------------------------------------------------------------------


def product(numbers: Sequence[float], eps: float) -> tuple[str, bool]:
    """A product in numbers, and whether they are exact as printed."""
    texts = [number(x) for x in numbers]
    exact = exactly(texts, numbers, eps)
    rest = [f"({text})" if text.startswith("-") else text for text in texts[1:]]
    return "·".join([texts[0], *rest]), exact


def exactly(texts: Sequence[str], numbers: Sequence[float], eps: float) -> bool:
    """Whether numbers are printed without rounding; ∞, NaN and True always are."""
    return all(
        isinstance(x, bool | np.bool_)
        or not math.isfinite(x)
        or abs(float(text) - x) <= eps * abs(x)
        for text, x in zip(texts, numbers, strict=True)
    )


def written(values: Sequence[float], total: float, eps: float) -> tuple[list[str], str, bool]:
    """Numbers and their total, as text with digits that add up; and whether they are exact.

    All have the same number of decimals, so each number adds at most half a unit of the last decimal
    to the error of the sum. Very small and very large ones share a power of ten.
    """
    largest = max((abs(v) for v in (*values, total) if math.isfinite(v)), default=0.0)
    if not largest or not all(map(math.isfinite, (*values, total))):
        return [number(v) for v in values], number(total), True
    power = _power(largest)
    shifted = power < -4 or power > 6
    # In two steps, since the power of ten of the smallest numbers underflows.
    half = power // 2 if shifted else 0
    scaled = [v / 10.0**half / 10.0 ** (power - half if shifted else 0) for v in (*values, total)]
    most = max(3 - (0 if shifted else power), 0)
    slack = eps * max(map(abs, scaled))
    left = abs(scaled[-1])
    if 1e3 * slack < left < 10.0 ** (1 - most):  # most of it cancels: two digits of what is left
        most = min(most + 6, 1 - _power(left))

    def exact(decimals: int) -> bool:
        return all(abs(v - round(v, decimals)) <= slack for v in scaled)

    decimals = next((d for d in range(most + 1) if exact(d)), most)
    ending = f"e{power}" if shifted else ""
    texts = [f"{v:.{decimals}f}" for v in scaled]
    texts = [t.lstrip("-") if float(t) == 0 else t for t in texts]
    texts = ["0" if v == 0 else t + ending for v, t in zip(scaled, texts, strict=True)]
    return texts[:-1], texts[-1], exact(decimals)


def _power(x: float) -> int:
    """The decimal exponent of a positive number rounded to four digits."""
    return int(f"{x:.3e}".partition("e")[2])


def added(texts: Iterable[str]) -> Joined:
    """`a + b − c`."""
    parts: list[str] = []
    for text in texts:
        if not parts:
            parts = [text]
        elif text.startswith("-"):
            parts += [" − ", text[1:]]
        else:
            parts += [" + ", text]
    return words(*parts)


def factor_values(reader: Reader, factors: Sequence[Factor], i: int) -> list[float]:
    """The i-th number of every factor."""
    return [float(reader.values(f._replace(positions=f.positions[i : i + 1]))[0]) for f in factors]
