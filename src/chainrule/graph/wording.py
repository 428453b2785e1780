"""What a node computes, as text: its docstrings' formulas, with names or numbers filled in.

The docstring of `forward` begins with the formula, `z = x · y.`; that of `backward` says how
each gradient comes about, `so dx = dz · y and dy = dz · x`. The letters are the arguments'
names. This file only fills them in, so the node's own words are the one description of it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from chainrule.nodes.base import Node

__all__ = ["brief", "filled", "formula_of", "gradient_of", "number", "read_by", "shape_text"]

#: A word that may stand for an argument. ᵀ, ², ₖ end it.
_WORD = re.compile(r"(?<![\w.])(Σ )?([A-Za-z_]\w*)", re.ASCII)
#: The gradients of a docstring, up to the end of the sentence; and where the next one begins.
_RULES = re.compile(r"\b[Ss]o (d\w+ = .+?)(?:[;:.](?:\s|$)|$)", re.ASCII | re.DOTALL)
_NEXT = re.compile(r"(?:, |\s+and\s+)(?=d\w+ = )", re.ASCII)


class _Form(NamedTuple):
    """What a class of nodes says of itself: its formula, and how the gradient of each letter comes."""

    formula: str
    #: The letters of inputs, outputs and outputs' gradients; that of a whole rest has a star.
    ins: tuple[str, ...]
    outs: tuple[str, ...]
    douts: tuple[str, ...]
    rules: dict[str, str]


_forms: WeakKeyDictionary[type[Node], _Form] = WeakKeyDictionary()


def _form(node: Node) -> _Form:
    kind = type(node)
    if kind not in _forms:
        _forms[kind] = _read(kind)
    return _forms[kind]


def _read(kind: type[Node]) -> _Form:
    text = re.split(r"[;.](?:\s|$)|\n", inspect.getdoc(kind.formula) or "")[0]
    found = _RULES.search(inspect.getdoc(kind.derivation) or "")
    rules = {}
    for rule in _NEXT.split(found[1]) if found else ():
        letter, how = rule.split(" = ", 1)
        rules[letter[1:]] = " ".join(how.split())
    formula = text if " = " in text else ""
    douts = _letters(kind.derivation)
    # The gradient of y is dy; if backward's author calls it g, the formula tells that y comes out.
    left = formula.partition(" = ")[0].split(", ")
    outs = tuple(
        re.sub(r"^(\*?)d", r"\1", dout) if re.match(r"\*?d", dout) else out
        for dout, out in zip_longest(douts, left[: len(douts)], fillvalue="")
    )
    return _Form(formula, _letters(kind.formula), outs, douts, rules)


def _letters(function: Any) -> tuple[str, ...]:
    """The names of a method's arguments but self; one that takes the rest has a star."""
    kinds = inspect.signature(function).parameters.values()
    return tuple(("*" if p.kind is p.VAR_POSITIONAL else "") + p.name for p in kinds)[1:]


def formula_of(node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """What the node computes, with these names for its inputs and outputs: `L = a · b`."""
    formula, ins, *_ = _form(node)
    left = ", ".join(outputs)
    if not formula:
        return f"{left} = {node.title}({', '.join(inputs)})"
    return f"{left} = {filled(node, formula.split(' = ', 1)[1], _named(ins, inputs))}"


def gradient_of(
    node: Node, i: int, inputs: Sequence[str], outputs: Sequence[str], douts: Sequence[str]
) -> str:
    """How the gradient of input i comes about, `∂z · y`; empty where the node does not say.

    `douts` has a name for every output's gradient, which is empty where none comes back.
    """
    _, ins, outs, letters, rules = _form(node)
    rule = _alone(rules, _letter(ins, i))
    if not rule:
        return ""
    names = _named(ins, inputs) | _named(outs, outputs)
    for place, dout in enumerate(douts):
        names[_letter(letters, place)] = dout or "0"
    if letters and letters[-1].startswith("*"):
        names[f"Σ {letters[-1][1:]}"] = " + ".join(filter(None, douts[len(letters) - 1 :]))
    return filled(node, rule, names)


def _alone(rules: Mapping[str, str], letter: str, within: tuple[str, ...] = ()) -> str:
    """The rule of a letter, in no other input's gradient: with that one's own rule in its place.

    The other input may be a number, without a gradient, or a copy, whose gradient is a part of ∂x.
    """

    def other(found: re.Match[str]) -> str:
        word = found[2]
        inner = _alone(rules, word[1:], (*within, letter)) if word.startswith("d") else ""
        return f"{found[1] or ''}{f'({inner})' if inner else word}"

    return "" if letter in within else _WORD.sub(other, rules.get(letter, ""))


def read_by(node: Node, i: int) -> tuple[list[int], list[int]]:
    """Which inputs and which outputs the gradient of input i is computed from, by the node's word."""
    _, ins, outs, _, rules = _form(node)
    words = {word for _, word in _WORD.findall(_alone(rules, _letter(ins, i)))}
    found = []
    for letters, arrows in ((ins, node.inputs), (outs, node.outputs)):
        found.append([k for k in range(len(arrows)) if _letter(letters, k) in words])
    return found[0], found[1]


def _letter(letters: tuple[str, ...], i: int) -> str:
    """The letter of argument i; of the rest, `xs` or `indices`, one is an `x`, an `indice`."""
    if i < len(letters) and not letters[i].startswith("*"):
        return letters[i]
    return letters[-1][1:-1] if letters else ""


def _named(letters: tuple[str, ...], names: Sequence[str]) -> dict[str, str]:
    """The names by letter; all the rest by the letter of the rest."""
    found = {
        letter: name
        for letter, name in zip(letters, names, strict=False)
        if not letter.startswith("*")
    }
    if letters and letters[-1].startswith("*"):
        found[letters[-1][1:]] = ", ".join(names[len(letters) - 1 :])
    return found


def filled(node: Node, text: str, names: Mapping[str, str]) -> str:
    """The text with names, or numbers, in place of letters and of the node's own settings."""

    def fill(found: re.Match[str]) -> str:
        sign, letter = found[1] or "", found[2]
        if sign and found[0] in names:
            return names[found[0]]
        name = names.get(letter)
        if name is None:
            return sign + _setting(node, letter, names)
        before, after = text[: found.start()].rstrip(), text[found.end() :].lstrip()
        alone = (not before or before[-1] in "(=,|" or before[-1].isalpha()) and after[
            :1
        ] not in "^*"
        if name.startswith("-") and not alone:
            name = f"({name})"
        return sign + name

    return _WORD.sub(fill, text)


def _setting(node: Node, word: str, names: Mapping[str, str]) -> str:
    """A setting of the node in place of its name: a number, a shape, the axes, a key."""
    value = getattr(node, word, word)
    if word == "axis":
        axes = value if isinstance(value, tuple) else (value,)
        several = f"ax{'i' if len(axes) == 1 else 'e'}s {', '.join(map(str, axes))}"
        return "all axes" if value is None else several
    if word == "key" and value is not word:
        arrays = iter(names.get("indices", "").split(", "))
        parts = value if isinstance(value, tuple) else (value,)
        return ", ".join(next(arrays) if isinstance(k, str) else _key(k) for k in parts)
    if word == "shape" and isinstance(value, tuple):
        return shape_text(value)
    if isinstance(value, float | int) and not isinstance(value, bool):
        return number(value)
    if value is None and word in node.settings():
        return {"low": "-∞", "high": "∞"}.get(word, "none")
    return str(value) if isinstance(value, np.dtype) else word


def _key(part: Any) -> str:
    if isinstance(part, slice):
        ends = ["" if end is None else str(end) for end in (part.start, part.stop, part.step)]
        return ":".join(ends if part.step is not None else ends[:2])
    if isinstance(part, np.ndarray):
        return f"{part.size} ids" if part.size > 4 else str(part.tolist())
    return "..." if part is Ellipsis else str(part)


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as the chapter writes it: `30×2`.

    >>> shape_text((30, 2)), shape_text((5,)), shape_text(())
    ('30×2', '5', 'one number')
    """
    return "×".join(map(str, shape)) if shape else "one number"


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


def brief(value: npt.NDArray[Any]) -> str:
    """An array in a few characters: its numbers if they are few, else its shape and range.

    >>> brief(np.array(0.5)), brief(np.array([1.0, -2.5])), brief(np.arange(60.0).reshape(30, 2))
    ('0.5', '[1, -2.5]', '30×2, from 0 to 59')
    """
    array = np.asarray(value)
    if array.ndim == 0:
        return number(array[()])
    if array.size == 0:
        return f"{shape_text(array.shape)}, empty"
    if array.size <= 6 and array.ndim <= 2:
        return _rows(array)
    return f"{shape_text(array.shape)}, {_range(array)}"


def _rows(array: npt.NDArray[Any]) -> str:
    inside = map(number, array) if array.ndim == 1 else map(_rows, array)
    return f"[{', '.join(inside)}]"


def _range(array: npt.NDArray[Any]) -> str:
    if array.dtype.kind == "b":
        return f"{np.count_nonzero(array)} of {array.size} True"
    bad = np.count_nonzero(~np.isfinite(array))
    if bad:
        return f"{bad} of {array.size} not finite"
    if array.dtype.kind == "c":
        return "complex"
    low, high = array.min(), array.max()
    return f"all {number(low)}" if low == high else f"from {number(low)} to {number(high)}"
