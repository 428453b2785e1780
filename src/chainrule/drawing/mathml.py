"""Formulas as MathML, which browsers display, from the text of steps and explanations."""

from __future__ import annotations

import re
from collections.abc import Collection

from chainrule.nodes.notation import FUNCTIONS

__all__ = ["to_mathml"]

#: Numbers, names with their index or digits, and other characters one at a time.
_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
    r"|(?P<mark>[\u3000-\u303f\uff00-\uffef]+)"
    r"|(?P<word>∂?[^\W\d_ₐ-ₜᵀ²³′][^\W₀-ₜᵀ²³′]*)"
    r"|(?P<sign>\*\*|<=|>=|!=|==|.)",
    re.DOTALL,
)
_NUMBERED = re.compile(r"<msub><mi>([^<]*)</mi><mn>(\d+)</mn></msub>")
_DIGITS = re.compile(r"(.*?[^\d])_?(\d+)", re.DOTALL)
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₚᵣₛₜ", "0123456789aehijklmnprst")
_SIGNS = {"*": "·", "-": "−", "**": "^", "<=": "≤", ">=": "≥", "!=": "≠", "==": "="}
_OPEN, _CLOSE = "([", ")]"
#: The ends of elements that can be multiplied, and the space between two factors.
_OPERAND, _THIN = ("</mi>", "</mn>", "</msub>", "</msup>", "</mrow>"), '<mspace width="0.2em"/>'
#: Words that are names of a formula, not words of a sentence.
_NAMES = FUNCTIONS | {"slope", "high", "axis"}
#: Chinese punctuation has no space beside it.
_CLOSE_MARK = re.compile("\u00a0?([\u3000-\u303f\uff00-\uffef])\u00a0?")


def to_mathml(text: str, names: Collection[str] = ()) -> str:
    """A formula as a `<math>` element; `names` are those of arrows, which the grammar cannot recognise.

    Whatever is no formula becomes text, so every text can be rendered.

    >>> to_mathml("y = x^2")
    '<math><mi>y</mi><mo>=</mo><msup><mi>x</mi><mrow><mn>2</mn></mrow></msup></math>'
    """
    return f"<math>{''.join(_Reader(text, names).row())}</math>"


class _Reader:
    """Reads the text of a formula from left to right, and makes MathML elements."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        known = sorted((re.escape(name) for name in names), key=len, reverse=True)
        self.name = re.compile(rf"∂?(?:{'|'.join(known)})(?![^\Wᵀ²³′₀-ₜ]|→)") if known else None
        self.text, self.at = text, 0
        self.spaced = False

    def row(self, until: str = "") -> list[str]:
        """The elements up to a closing sign, or to the end."""
        elements: list[str] = []
        while self.at < len(self.text) and self.text[self.at] not in (until or "\0"):
            self._element(elements)
        self.at += 1
        return elements

    def _element(self, elements: list[str]) -> None:
        kind, part = self._next()
        spaced, self.spaced = self.spaced, kind == "space"
        if kind == "space":
            return
        if (
            spaced
            and (kind == "name" or _is_name(part))
            and "".join(elements[-1:]).endswith(_OPERAND)
        ):
            elements.append(_THIN)  # a product: "lr g" must not become lrg
        if part in _OPEN:
            inside = self.row(_CLOSE[_OPEN.index(part)])
            self._bracketed(elements, part, inside)
        elif part == "√":
            elements.append(f"<msqrt>{self._argument()}</msqrt>")
        elif part in ("^", "**") and elements:
            elements.append(f"<msup>{elements.pop()}{self._argument()}</msup>")
        elif part in ("ᵀ", "²", "³", "′") and elements:
            raised = {"ᵀ": "<mo>⊤</mo>", "′": "<mo>′</mo>"}.get(
                part, f"<mn>{'23'['²³'.find(part)]}</mn>"
            )
            elements.append(f"<msup>{elements.pop()}{raised}</msup>")
        elif part.translate(_LOWERED) != part and elements:
            elements.append(f"<msub>{elements.pop()}<mi>{part.translate(_LOWERED)}</mi></msub>")
        elif kind == "word":
            self._word(elements, part)
        elif kind == "mark":
            self._say(elements, part)
        elif part in "-−" and (not elements or elements[-1].startswith("<mo")):
            elements.append('<mo form="prefix">−</mo>')
        else:
            elements.append(_leaf(kind, part))

    def _next(self) -> tuple[str, str]:
        named = self.name.match(self.text, self.at) if self.name else None
        if named and (self.at == 0 or not self.text[self.at - 1].isalnum()):
            self.at = named.end()
            return "name", named[0]
        match = _TOKEN.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        return str(match.lastgroup), match[0]

    def _word(self, elements: list[str], word: str) -> None:
        """Append a letter or function as an identifier; words of a sentence are joined as text."""
        after = self.text[self.at : self.at + 1]
        if _is_name(word) or after == "(":
            elements.append(_leaf("name", word))
            return
        self._say(elements, f"\u00a0{_escaped(word)}\u00a0")

    def _say(self, elements: list[str], words: str) -> None:
        if elements and elements[-1].startswith("<mtext>"):
            words = elements.pop()[len("<mtext>") : -len("</mtext>")].rstrip("\u00a0") + words
        close = _CLOSE_MARK.sub(r"\1", words)
        elements.append(f"<mtext>{close}</mtext>")

    def _argument(self) -> str:
        """The argument of a root or a power: a sign and one element, or the content of brackets."""
        elements: list[str] = []
        while self.at < len(self.text) and self.text[self.at] in " -−":
            if self.text[self.at] != " ":
                elements.append('<mo form="prefix">−</mo>')
            self.at += 1
        if self.text[self.at : self.at + 1] == "(":
            self.at += 1
            elements += self.row(")")
        elif self.at < len(self.text):
            self._element(elements)
            if self.text[self.at : self.at + 1] == "[":  # its index belongs to it
                self._element(elements)
        return f"<mrow>{''.join(elements)}</mrow>"

    def _bracketed(self, elements: list[str], opening: str, inside: list[str]) -> None:
        """Append brackets; square ones after a name become its index."""
        content = "".join(inside)
        if opening == "[" and elements and elements[-1].endswith(("</mi>", "</msub>", "</mrow>")):
            # The number of W1 and an index would be hard to tell apart in one subscript.
            name = _NUMBERED.sub(r"<mi>\1\2</mi>", elements.pop())
            elements.append(f"<msub><mrow>{name}</mrow><mrow>{content}</mrow></msub>")
            return
        closing = _CLOSE[_OPEN.index(opening)]
        elements.append(f"<mrow><mo>{opening}</mo>{content}<mo>{closing}</mo></mrow>")


def _is_name(word: str) -> bool:
    """Whether a word belongs to a formula, not to a sentence."""
    if word in _NAMES or word.startswith("∂"):
        return True
    return (
        len(word) == 1 and word.isalpha() and word < "\u2e80"
    )  # from there on, letters are Chinese words


def _leaf(kind: str, part: str) -> str:
    if kind == "number":
        return f"<mn>{part}</mn>"
    if kind in ("name", "word"):
        if part.startswith("∂") and len(part) > 1:
            return f"<mrow><mi>∂</mi>{_leaf('name', part[1:])}</mrow>"
        digits = _DIGITS.fullmatch(part)
        if digits and "→" not in part:
            return f"<msub><mi>{_escaped(digits[1])}</mi><mn>{digits[2]}</mn></msub>"
        return f"<mi>{_escaped(part)}</mi>"
    return f"<mo>{_escaped(_SIGNS.get(part, part))}</mo>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
