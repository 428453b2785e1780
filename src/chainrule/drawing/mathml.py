"""Formulas as MathML, which every browser sets by itself: from the text that steps and reasons have."""

from __future__ import annotations

import re
from collections.abc import Collection

from chainrule.nodes.notation import FUNCTIONS

__all__ = ["to_mathml"]

#: Numbers, names with their index or their digits, and all else one character at a time.
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
#: How what can be multiplied ends, and what stands between two such where no sign does.
_OPERAND, _THIN = ("</mi>", "</mn>", "</msub>", "</msup>", "</mrow>"), '<mspace width="0.2em"/>'
#: Words that are names of a formula, not words of a sentence.
_NAMES = FUNCTIONS | {"slope", "high", "axis"}
#: Chinese stands close: no space next to its marks.
_CLOSE_MARK = re.compile("\u00a0?([\u3000-\u303f\uff00-\uffef])\u00a0?")


def to_mathml(text: str, names: Collection[str] = ()) -> str:
    """A formula as a `<math>` element; `names` are those of arrows, which no grammar could tell.

    What is no formula stands as text, so every text has a rendering.

    >>> to_mathml("y = x^2")
    '<math><mi>y</mi><mo>=</mo><msup><mi>x</mi><mrow><mn>2</mn></mrow></msup></math>'
    """
    return f"<math>{''.join(_Reader(text, names).row())}</math>"


class _Reader:
    def __init__(self, text: str, names: Collection[str]) -> None:
        known = sorted((re.escape(name) for name in names), key=len, reverse=True)
        self.name = re.compile(rf"∂?(?:{'|'.join(known)})(?![^\Wᵀ²³′₀-ₜ]|→)") if known else None
        self.text, self.at = text, 0
        self.spaced = False

    def row(self, until: str = "") -> list[str]:
        """The elements up to a closing sign, or to the end."""
        found: list[str] = []
        while self.at < len(self.text) and self.text[self.at] not in (until or "\0"):
            self._element(found)
        self.at += 1
        return found

    def _element(self, found: list[str]) -> None:
        kind, part = self._next()
        spaced, self.spaced = self.spaced, kind == "space"
        if kind == "space":
            return
        if spaced and (kind == "name" or _is_name(part)) and "".join(found[-1:]).endswith(_OPERAND):
            found.append(_THIN)  # a product: "lr g" must not become lrg
        if part in _OPEN:
            inside = self.row(_CLOSE[_OPEN.index(part)])
            self._bracketed(found, part, inside)
        elif part == "√":
            found.append(f"<msqrt>{self._argument()}</msqrt>")
        elif part in ("^", "**") and found:
            found.append(f"<msup>{found.pop()}{self._argument()}</msup>")
        elif part in ("ᵀ", "²", "³", "′") and found:
            raised = {"ᵀ": "<mo>⊤</mo>", "′": "<mo>′</mo>"}.get(
                part, f"<mn>{'23'['²³'.find(part)]}</mn>"
            )
            found.append(f"<msup>{found.pop()}{raised}</msup>")
        elif part.translate(_LOWERED) != part and found:
            found.append(f"<msub>{found.pop()}<mi>{part.translate(_LOWERED)}</mi></msub>")
        elif kind == "word":
            self._word(found, part)
        elif kind == "mark":
            self._say(found, part)
        elif part in "-−" and (not found or found[-1].startswith("<mo")):
            found.append('<mo form="prefix">−</mo>')
        else:
            found.append(_leaf(kind, part))

    def _next(self) -> tuple[str, str]:
        named = self.name.match(self.text, self.at) if self.name else None
        if named and (self.at == 0 or not self.text[self.at - 1].isalnum()):
            self.at = named.end()
            return "name", named[0]
        found = _TOKEN.match(self.text, self.at)
        assert found is not None
        self.at = found.end()
        return str(found.lastgroup), found[0]

    def _word(self, found: list[str], word: str) -> None:
        """A letter or a function is set as one; the words of a sentence stay together."""
        after = self.text[self.at : self.at + 1]
        if _is_name(word) or after == "(":
            found.append(_leaf("name", word))
            return
        self._say(found, f"\u00a0{_escaped(word)}\u00a0")

    def _say(self, found: list[str], words: str) -> None:
        if found and found[-1].startswith("<mtext>"):
            words = found.pop()[len("<mtext>") : -len("</mtext>")].rstrip("\u00a0") + words
        close = _CLOSE_MARK.sub(r"\1", words)
        found.append(f"<mtext>{close}</mtext>")

    def _argument(self) -> str:
        """What a root or a power takes: a sign and one element, or what stands in brackets."""
        taken: list[str] = []
        while self.at < len(self.text) and self.text[self.at] in " -−":
            if self.text[self.at] != " ":
                taken.append('<mo form="prefix">−</mo>')
            self.at += 1
        if self.text[self.at : self.at + 1] == "(":
            self.at += 1
            taken += self.row(")")
        elif self.at < len(self.text):
            self._element(taken)
            if self.text[self.at : self.at + 1] == "[":  # its index belongs to it
                self._element(taken)
        return f"<mrow>{''.join(taken)}</mrow>"

    def _bracketed(self, found: list[str], opening: str, inside: list[str]) -> None:
        """Brackets; behind a name, square ones hold its index."""
        content = "".join(inside)
        if opening == "[" and found and found[-1].endswith(("</mi>", "</msub>", "</mrow>")):
            # The number of W1 and the place in it would be hard to tell apart below one another.
            name = _NUMBERED.sub(r"<mi>\1\2</mi>", found.pop())
            found.append(f"<msub><mrow>{name}</mrow><mrow>{content}</mrow></msub>")
            return
        closing = _CLOSE[_OPEN.index(opening)]
        found.append(f"<mrow><mo>{opening}</mo>{content}<mo>{closing}</mo></mrow>")


def _is_name(word: str) -> bool:
    """Whether a word is one of a formula, not of a sentence."""
    if word in _NAMES or word.startswith("∂"):
        return True
    return len(word) == 1 and word.isalpha() and word < "\u2e80"  # beyond, a letter is a word


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
