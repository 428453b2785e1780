"""The notation of formulas: what a node declares, and the check that this fits what it computes.

A formula is `z = x · y`: on the left are letters for the outputs; on the right stand the names of
`forward`'s arguments. A gradient, such as `dz · y`, may also have the letters of the outputs, the names
of `backward`'s arguments, and another input's gradient, `dx`. The settings of the node (parameters of
`__init__`, attributes of the class) stand for their values. All other words are in `FUNCTIONS` and
`WORDS`. A formula with words of a sentence is a message, so that it can be translated.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, NamedTuple, Protocol

from chainrule.errors import ChainruleError, guess, shown
from chainrule.lang.messages import Text, _, _n, capital, listed, sentences

__all__ = [
    "FUNCTIONS",
    "WORD",
    "WORDS",
    "FormulaError",
    "Letters",
    "backward_words",
    "forward_words",
    "letter_of",
    "letters_of",
]

#: A word that may stand for an argument. ᵀ, ², ₖ end it.
WORD = re.compile(r"(?<![\w.])(Σ )?([A-Za-z_]\w*)", re.ASCII)
#: A letter that the text itself defines: `tanh(u), u = log(1 + e^x)`.
_SET = re.compile(r"([A-Za-z_]\w*)[ᵀᵢⱼₖ]* = ", re.ASCII)

#: Functions, and two numbers: e, and n, the count of elements.
FUNCTIONS = frozenset({
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "cos", "cosh",
    "diag", "e", "erf", "exp", "log", "low", "max", "mean", "min", "mix", "n", "one_hot", "round",
    "sign", "sin", "sinh", "softmax", "tan", "tanh", "trunc",
})  # fmt: skip
#: Words of a sentence.
WORDS = frozenset({
    "added", "along", "and", "as", "at", "back", "between", "by", "chosen", "class", "column",
    "copies", "det", "each", "eigenvalues", "eigenvectors", "else", "for", "from", "held", "in",
    "its", "joined", "logarithm", "lower", "mod", "names", "not", "of", "on", "one", "or",
    "others", "over", "own", "part", "place", "product", "repeated", "reshaped", "row", "side",
    "slice", "that", "the", "times", "to", "transposed", "triangular", "up", "was", "where",
    "with", "zeros",
})  # fmt: skip


class Declaration(Protocol):
    """What a node class declares about itself; see `Node`."""

    formula: ClassVar[str]
    how: ClassVar[str]
    gradients: ClassVar[Mapping[str, str]]
    why: ClassVar[str]


class FormulaError(ChainruleError, TypeError):
    """The formula of a node, or of one of its gradients, that does not fit what the node computes."""


class Letters(NamedTuple):
    """The letters of a node's inputs, outputs and outputs' gradients; a variadic one, `*xs`, has a star."""

    ins: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    douts: tuple[str, ...] = ()


def letters_of(
    kind: type[Declaration],
    forward: Callable[..., object] | None,
    backward: Callable[..., object] | None,
) -> Letters:
    """The letters of a class that declares formulas; an error if these do not fit its methods."""
    if not kind.formula and not kind.gradients:
        return Letters()
    ins, douts = _arguments(forward), _arguments(backward)
    letters = Letters(ins, _outputs(kind, ins, douts), douts)
    if not isinstance(kind.gradients, Mapping):
        raise FormulaError(
            _(
                "{node}.gradients must be a dict such as {example}: how the gradient of each input comes"
                " about, by the input's letter. Got {given}.",
                node=kind.__name__,
                example="{'x': 'dz · y', 'y': 'dz · x'}",
                given=shown(kind.gradients),
            )
        )
    if ins:  # else it is a family of nodes, without a forward of its own
        _check(kind, "formula", str(kind.formula).partition(" = ")[2], ins)
        for letter, how in kind.gradients.items():
            _check_gradient(kind, letter, str(how), letters)
    return letters


def letter_of(letters: tuple[str, ...], i: int) -> str:
    """The letter of argument i; each of the variadic `*xs` is an `x`, of `*indices` an `indice`."""
    if i < len(letters) and not letters[i].startswith("*"):
        return letters[i]
    return letters[-1][1:-1] if letters else ""


def _arguments(function: Callable[..., object] | None) -> tuple[str, ...]:
    """The names of a method's arguments without self; a variadic one has a star."""
    parameters = inspect.signature(function).parameters.values() if function is not None else ()
    return tuple(("*" if p.kind is p.VAR_POSITIONAL else "") + p.name for p in parameters)[1:]


def _outputs(
    kind: type[Declaration], ins: tuple[str, ...], douts: tuple[str, ...]
) -> tuple[str, ...]:
    """The letters of the outputs: the left side of the formula, or z where the gradient is dz."""
    if not kind.formula:
        return tuple(re.sub(r"^(\*?)d", r"\1", dout) for dout in douts)
    left, equals, right = str(kind.formula).partition(" = ")
    letters = left.split(", ")
    if not (equals and right and all(map(str.isidentifier, letters))) or {*letters} & {*ins}:
        raise FormulaError(
            _(
                "{node}.formula must be such as {example}: on the left letters for the outputs, on the"
                " right how they come from the arguments of forward. Got {given}.",
                node=kind.__name__,
                example="'z = x · y'",
                given=shown(kind.formula),
            )
        )
    if douts and len(letters) != len(douts):
        raise FormulaError(
            _(
                "{node}.formula {formula!r} has {outputs}, and backward takes {gradients}. Name every"
                " output, as in {example}.",
                node=kind.__name__,
                formula=str(kind.formula),
                outputs=_n("{n} output", "{n} outputs", len(letters)),
                gradients=_n("the gradient of {n}", "the gradients of {n}", len(douts)),
                example="'s, c = sin(x), cos(x)'",
            )
        )
    stars = ("*" if dout.startswith("*") else "" for dout in douts or letters)
    return tuple(star + letter for star, letter in zip(stars, letters, strict=True))


def _check_gradient(kind: type[Declaration], letter: str, how: str, letters: Letters) -> None:
    if letter not in {letter_of(letters.ins, i) for i in range(len(letters.ins))}:
        raise FormulaError(
            _(
                "{node}.gradients: forward has no argument {letter!r}. It takes {letters}.",
                node=kind.__name__,
                letter=letter,
                letters=listed(letters.ins),
            )
        )
    others = (f"d{other}" for other in kind.gradients if other != letter)
    _check(kind, f"gradients[{letter!r}]", how, sum(letters, ()) + tuple(others))


def _check(kind: type[Declaration], where: str, text: str, letters: tuple[str, ...]) -> None:
    """Raise if a formula has an unknown word."""
    known = [letter.lstrip("*") for letter in letters]
    words = {found[2] for found in WORD.finditer(text)} - FUNCTIONS - WORDS - {*known}
    if words:
        meant = _SET.findall(f"{text}; {kind.how}; {kind.why}")
        words -= {*meant, *_settings(kind)}
    for word in sorted(words):
        raise FormulaError(
            sentences(
                _(
                    "{node}.{where}: {word!r} in {text!r} stands for nothing. Allowed are {letters},"
                    " settings of the node, and the words of chainrule.nodes.notation.",
                    node=kind.__name__,
                    where=where,
                    word=word,
                    text=text,
                    letters=listed(known),
                ),
                capital(guess(word, {*known, *_settings(kind), *FUNCTIONS, *WORDS})),
            )
        )


def _settings(kind: type[Declaration]) -> Iterator[str]:
    """The names of a node's settings: the parameters of `__init__`, and attributes of the class."""
    for base in kind.__mro__[:-1]:
        if "__init__" in vars(base):
            yield from _arguments(vars(base).get("__init__"))
        yield from (name for name, value in vars(base).items() if not callable(value))


# -- in docstrings ----------------------------------------------------------------------------------


def forward_words(kind: type[Declaration]) -> Text | None:
    """What a docstring of `forward` says: the formula, and how it is computed."""
    if not kind.formula:
        return None
    if kind.how:
        return _("{formula}; {how}.", formula=kind.formula, how=kind.how)
    return _("{formula}.", formula=kind.formula)


def backward_words(kind: type[Declaration]) -> Text | None:
    """What a docstring of `backward` says: why the gradients are so, and how each comes about."""
    each = kind.gradients.items()
    rules = listed((_("d{letter} = {rule}", letter=x, rule=rule) for x, rule in each), "all")
    if rules and kind.why:
        return _("{why}, so {rules}.", why=kind.why, rules=rules)
    if rules:
        return _("So {rules}.", rules=rules)
    return _("{why}.", why=kind.why) if kind.why else None
