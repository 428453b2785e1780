"""The errors chainrule raises on purpose.

Every message says in a few sentences what is wrong, where, what was given, what is
allowed, and what to do. Each class also derives from the builtin
that Python users expect, so `except ValueError` works too.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from chainrule.lang.languages import chosen, language_of
from chainrule.lang.messages import Text, _, _p, capital, in_language, listed, sentences

__all__ = [
    "ChainruleError",
    "CheckError",
    "DTypeError",
    "DataError",
    "ExtraMissingError",
    "FormatError",
    "MissingMethodError",
    "NonFiniteError",
    "RanksApartError",
    "RanksDifferError",
    "RecordingError",
    "SettingError",
    "ShapeError",
    "forgotten_init",
    "guess",
    "missing_method",
    "nearest",
    "printable",
    "refuse_class",
    "shown",
]


class ChainruleError(Exception):
    """Base of every error that chainrule raises on purpose.

    Its text is a message (`chainrule.lang.messages`): `str(error)` is English, or what the environment
    variable `CHAINRULE_LANG` says; `said` gives it in a given language.

    >>> error = SettingError(_("{name} must be positive.", name="lr"))
    >>> print(error)
    lr must be positive.
    """

    def said(self, lang: str, reader: str = "python") -> str:
        """The text in a language ("en", "zh"; English if the tag means neither), for a reader."""
        known = language_of(lang) or "en"
        return (
            in_language(self.args[0], known, reader) if len(self.args) == 1 else super().__str__()
        )

    def __str__(self) -> str:
        return self.said(chosen())


class ShapeError(ChainruleError, ValueError):
    """Arrays whose shapes do not fit each other or the operation."""


class DTypeError(ChainruleError, TypeError):
    """An array of a kind of number the operation cannot take."""


class DataError(ChainruleError, ValueError):
    """Training data that cannot be used as it is: a file, a column, an array."""


class FormatError(ChainruleError, ValueError):
    """A file that is not what it claims to be, or is damaged."""


class SettingError(ChainruleError, ValueError):
    """A hyper-parameter or option outside what is allowed."""


class RecordingError(ChainruleError, TypeError):
    """Something that a recorded computation cannot hold."""


class NonFiniteError(ChainruleError, FloatingPointError):
    """NaN or infinity where training needs finite numbers."""


class CheckError(ChainruleError, AssertionError):
    """A gradient that disagrees with the numerical one."""


class RanksDifferError(ChainruleError, RuntimeError):
    """The ranks of a training on several processes do not do the same."""


class RanksApartError(ChainruleError, RuntimeError):
    """Processes that were started as the ranks of one training, and that MPI has not brought together."""


class MissingMethodError(ChainruleError, NotImplementedError):
    """A class of the user's own without the method that makes it work."""


class ExtraMissingError(ChainruleError, ImportError):
    """A package of an optional extra is not installed."""


def shown(value: object, limit: int = 80) -> str:
    """`repr(value)` on one line, cut to `limit` characters, for error messages."""
    text = repr(value).replace("\n", " ")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def missing_method(owner: object, method: str) -> MissingMethodError:
    """The error for an object whose class does not define `method`, such as "rule(self, p, g)"."""
    return MissingMethodError(
        _(
            "{kind} has no {name}. Define `def {method}` in the class.",
            kind=type(owner).__name__,
            name=method.partition("(")[0],
            method=method,
        )
    )


def forgotten_init(owner: object, base: str) -> SettingError:
    """The error for an object whose own `__init__` did not call that of its base class."""
    name = type(owner).__name__
    return SettingError(
        _(
            "{name} is not ready: {name}.__init__ has to call super().__init__(), which makes what every"
            " {base} needs. Write it as the first line.",
            name=name,
            base=base,
        )
    )


def refuse_class(given: object, where: str, wanted: Text) -> None:
    """An error if a class stands where one of its objects is wanted.

    >>> class SGD: ...
    >>> refuse_class(SGD, "optimizer", _("an optimizer"))
    Traceback (most recent call last):
    ...
    chainrule.errors.SettingError: optimizer is the class SGD, and not an optimizer yet: write SGD(...).
    """
    if isinstance(given, type):
        raise SettingError(
            _(
                "{where} is the class {given}, and not {wanted} yet: write {given}(...).",
                where=where,
                given=given.__name__,
                wanted=wanted,
            )
        )


def printable(text: str) -> str:
    """The text with all non-printable characters escaped, so that no name can control a terminal.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in text
    )


def guess(name: object, allowed: Iterable[str]) -> Text | str:
    """A question with the nearest allowed name; empty if none is near.

    Capital letters make no difference: x may be meant for X.

    >>> guess("rleu", ["relu", "sigmoid"]), guess(3, ["relu", "sigmoid"])
    ('did you mean "relu"?', '')
    >>> guess("SPECIES", ["species", "size"])
    'did you mean "species"?'
    """
    by_casefold = {known.casefold(): known for known in reversed(list(allowed))}
    close = get_close_matches(str(name).casefold(), by_casefold, n=1)
    return _('did you mean "{name}"?', name=by_casefold[close[0]]) if close else ""


def nearest(name: object, allowed: Iterable[str], called: Text | None = None) -> Text:
    """The allowed names as a phrase, with the nearest one first if one is near.

    >>> nearest("rleu", ["relu", "sigmoid"])
    'did you mean "relu"? Allowed: relu, sigmoid'
    >>> nearest("x", ["relu", "sigmoid"])
    'allowed: relu, sigmoid'
    """
    names = list(allowed)
    hint = guess(name, names)
    called = _p("what may be chosen", "allowed") if called is None else called
    start = capital(called) if hint else called
    return sentences(hint, _("{called}: {names}", called=start, names=listed(names)))
