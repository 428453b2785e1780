"""What a node computes, as text: its formulas, with names or numbers filled in.

The formulas are those the node declares (`Node.formula`, `Node.gradients`). The results are texts that
can be translated, where a formula has words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.lang.messages import Joined, Text, _, _n, _p, in_language, listed, words
from chainrule.nodes.base import Array, Node
from chainrule.nodes.notation import WORD, letter_of

__all__ = [
    "brief",
    "computed",
    "formula_of",
    "gradient_of",
    "in_letters",
    "joined",
    "number",
    "read_by",
    "shape_text",
]


#: A mark before Chinese words that are filled in, to remove a space after Chinese before them.
_MARK, _CHINESE = "\0", "\u2e80"
_CLOSE = re.compile("(?:(?<=[\u2e80-\uffef]) )?\0")


def joined(sign: str, parts: Iterable[str]) -> Joined:
    """The parts with a sign between them, the same in every language."""
    return words(*[text for part in parts for text in (sign, part)][1:])


class _Filled(Text):
    """The formula of a node, or of the gradient of a letter, with names for its letters."""

    __slots__ = ("letter", "names", "node")

    node: Node
    letter: str
    names: Mapping[str, str]

    def __new__(cls, node: Node, letter: str, names: Mapping[str, str]) -> _Filled:
        self = super().__new__(cls, _filled(node, letter, names, "en"))
        self.node, self.letter, self.names = node.bound((), ()), letter, names
        return self

    def said(self, lang: str, reader: str = "python") -> str:
        """The formula in a language."""
        return _filled(self.node, self.letter, self.names, lang)

    def __reduce__(self) -> tuple[object, ...]:
        return _Filled, (self.node, self.letter, self.names)


def formula_of(node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> Text:
    """What the node computes, with these names for its inputs and outputs: `L = a · b`."""
    return words(", ".join(outputs), " = ", computed(node, inputs))


def in_letters(node: Node) -> Text:
    """What the node computes, in its own letters: `y = Σ x over axis 0`; empty if it declares no formula."""
    ins, outs, _douts = ([letter.lstrip("*") for letter in letters] for letters in node.letters)
    return formula_of(node, ins, outs) if node.formula else words()


def computed(node: Node, inputs: Sequence[str]) -> Text:
    """What the node computes, with these names for its inputs: `a · b`."""
    if not node.formula:
        return words(f"{node.label}({', '.join(inputs)})")
    return _Filled(node, "", _named(node.letters.ins, inputs))


def gradient_of(
    node: Node, i: int, inputs: Sequence[str], outputs: Sequence[str], douts: Sequence[str]
) -> Text:
    """The formula of the gradient of input i, `∂z · y`; empty if the node declares none.

    `douts` has a name for every output's gradient; an empty one if there is no gradient.
    """
    ins, outs, letters = node.letters
    letter = letter_of(ins, i)
    if letter not in node.gradients:
        return words()
    names = _named(ins, inputs) | _named(outs, outputs)
    for index, dout in enumerate(douts):
        names[letter_of(letters, index)] = dout or "0"
    if letters and letters[-1].startswith("*"):
        names[f"Σ {letters[-1][1:]}"] = " + ".join(filter(None, douts[len(letters) - 1 :]))
    return _Filled(node, letter, names)


def _rule(node: Node, letter: str, lang: str, within: tuple[str, ...] = ()) -> str:
    """The gradient formula of a letter, with other inputs' gradients replaced by their formulas.

    Another input may be a number, without a gradient, or a copy, whose gradient is only a part of ∂x.
    """

    def other(match: re.Match[str]) -> str:
        word = match[2]
        inner = _rule(node, word[1:], lang, (*within, letter)) if word.startswith("d") else ""
        return f"{match[1] or ''}{f'({inner})' if inner else word}"

    if letter in within or letter not in node.gradients:
        return ""
    return WORD.sub(other, in_language(node.gradients[letter], lang))


def read_by(node: Node, i: int) -> tuple[list[int], list[int]]:
    """Which inputs and outputs occur in the gradient formula of input i."""
    ins, outs, _douts = node.letters
    read = {word for _sum, word in WORD.findall(_rule(node, letter_of(ins, i), "en"))}
    indices = []
    for letters, arrows in ((ins, node.inputs), (outs, node.outputs)):
        indices.append([k for k in range(len(arrows)) if letter_of(letters, k) in read])
    return indices[0], indices[1]


def _named(letters: tuple[str, ...], names: Sequence[str]) -> dict[str, str]:
    """The names by letter; those of variadic arguments are joined under one letter."""
    by_letter = {
        letter: name
        for letter, name in zip(letters, names, strict=False)
        if not letter.startswith("*")
    }
    if letters and letters[-1].startswith("*"):
        by_letter[letters[-1][1:]] = ", ".join(names[len(letters) - 1 :])
    return by_letter


def _filled(node: Node, letter: str, names: Mapping[str, str], lang: str) -> str:
    """The formula of the node, or of a letter's gradient, with names or numbers for its letters."""
    text = (
        _rule(node, letter, lang) if letter else in_language(node.formula, lang).partition(" = ")[2]
    )

    def fill(match: re.Match[str]) -> str:
        sign, letter = match[1] or "", match[2]
        if sign and match[0] in names:
            return names[match[0]]
        name = names.get(letter)
        if name is None:
            setting = in_language(_setting(node, letter, names), lang)
            return f"{sign}{_MARK if setting[:1] >= _CHINESE else ''}{setting}"
        before, after = text[: match.start()].rstrip(), text[match.end() :].lstrip()
        alone = (not before or before[-1] in "(=,|（，" or before[-1].isalpha()) and after[
            :1
        ] not in "^*"
        if name.startswith("-") and not alone:
            name = f"({name})"
        return sign + name

    return _CLOSE.sub("", WORD.sub(fill, text))


def _setting(node: Node, word: str, names: Mapping[str, str]) -> str:
    """A setting of the node as text: a number, a shape, the axes, a key."""
    value = getattr(node, word, word)
    if word == "axis":
        if value is None:
            return _("all axes")
        axes = value if isinstance(value, tuple) else (value,)
        return _n("axis {axes}", "axes {axes}", len(axes), axes=listed(axes))
    if word == "key" and value is not word:
        arrays = iter(names.get("indices", "").split(", "))
        parts = value if isinstance(value, tuple) else (value,)
        return joined(
            ", ", (next(arrays, "indices") if isinstance(k, str) else _key(k) for k in parts)
        )
    if word == "shape" and isinstance(value, tuple):
        return shape_text(value)
    if isinstance(value, float | int) and not isinstance(value, bool):
        return number(value)
    if value is None and word in node.hyperparameters():
        ends = {"low": "-∞", "high": "∞"}
        return ends.get(word) or _p("setting", "none")
    return str(value) if isinstance(value, np.dtype) else word


def _key(part: object) -> str:
    if isinstance(part, slice):
        ends = ["" if end is None else str(end) for end in (part.start, part.stop, part.step)]
        return ":".join(ends if part.step is not None else ends[:2])
    if isinstance(part, np.ndarray):
        return _n("{n} id", "{n} ids", part.size) if part.size > 4 else str(part.tolist())
    return "..." if part is Ellipsis else str(part)


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as the chapter writes it: `30×2`.

    >>> shape_text((30, 2)), shape_text((5,)), shape_text(())
    ('30×2', '5', 'one number')
    """
    return "×".join(map(str, shape)) if shape else _("one number")


def number(value: Any, digits: int = 4) -> str:
    """A number to a few significant digits, without an exponent where it reads well.

    >>> number(0.123456), number(-2.0), number(1e-9), number(1234567.0), number(-1000.0, 3)
    ('0.1235', '-2', '1e-9', '1.235e6', '-1000')
    >>> number(True), number(1 - 2j)
    ('True', '(1-2i)')
    """
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, complex | np.complexfloating):
        real, imaginary = number(value.real, digits), number(value.imag, digits)
        return f"({real}{'' if imaginary.startswith('-') else '+'}{imaginary}i)"
    x = float(value)
    if x != x:
        return "NaN"
    if x in (np.inf, -np.inf):
        return "∞" if x > 0 else "-∞"
    mantissa, _, exponent = f"{x:.{digits}g}".partition("e")
    if exponent and 0 < int(exponent) < 5:  # 1234 and not 1.23e3, whatever the digits
        return f"{x:.0f}"
    return f"{mantissa}e{int(exponent)}" if exponent else "0" if x == 0 else mantissa


def brief(value: Array) -> str:
    """An array in a few characters: its numbers if they are few, else its shape and range.

    >>> brief(np.array(0.5)), brief(np.array([1.0, -2.5])), brief(np.arange(60.0).reshape(30, 2))
    ('0.5', '[1, -2.5]', '30×2, from 0 to 59')
    """
    array = np.asarray(value)
    if array.ndim == 0:
        return number(array[()])
    if array.size == 0:
        return _("{shape}, empty", shape=shape_text(array.shape))
    if array.size <= 6 and array.ndim <= 2:
        return _rows(array)
    return _("{shape}, {values}", shape=shape_text(array.shape), values=_range(array))


def _rows(array: Array) -> str:
    inside = map(number, array) if array.ndim == 1 else map(_rows, array)
    return f"[{', '.join(inside)}]"


def _range(array: Array) -> Text:
    total = array.size
    if array.dtype.kind == "b":
        return _("{n} of {total} True", n=np.count_nonzero(array), total=total)
    bad = np.count_nonzero(~np.isfinite(array))
    if bad:
        return _("{n} of {total} not finite", n=bad, total=total)
    if array.dtype.kind == "c":
        return _p("numbers", "complex")
    low, high = number(array.min()), number(array.max())
    if array.min() == array.max():
        return _("all {value}", value=low)
    return _("from {low} to {high}", low=low, high=high)
