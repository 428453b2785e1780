"""Messages: a template and its values, which become a sentence in the reader's language.

The English template is written where the sentence is needed, and is the key of the catalogue:

>>> from chainrule.lang.messages import _, _n
>>> note = _("{name!r} has {rows}.", name="age", rows=_n("{n:,} empty cell", "{n:,} empty cells", 1))
>>> print(note)
'age' has 1 empty cell.

A message is a `str` of its English text; `in_language` gives its text in another language, or for a
reader who does not write Python (`READERS`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from chainrule.lang.catalogue import catalogue

__all__ = [
    "READERS",
    "Joined",
    "Message",
    "Spelled",
    "Text",
    "_",
    "_n",
    "_p",
    "capital",
    "in_language",
    "lines",
    "listed",
    "says",
    "sentences",
    "words",
]

#: Who reads: somebody who writes Python, somebody at the command line, somebody at the page.
READERS = ("python", "command", "page")


class Text(str):
    """English text that can be translated: `said` gives it in another language."""

    __slots__ = ()

    def said(self, lang: str, reader: str = "python") -> str:
        """The text in a language, for a reader."""
        raise NotImplementedError


def in_language(value: object, lang: str, reader: str = "python") -> str:
    """A text in a language, for a reader; anything else as `str` has it.

    >>> in_language(_("epoch"), "zh"), in_language(12, "zh")
    ('轮次', '12')
    """
    return value.said(lang, reader) if isinstance(value, Text) else str(value)


class Message(Text):
    """A template with `{names}` as `str.format` has them, and their values; made by `_`, `_n`, `_p`."""

    __slots__ = ("context", "n", "plural", "template", "values")

    template: str
    #: The values by name; a value may be a text itself.
    values: Mapping[str, object]
    #: The template for a plural, and the number of things that chooses between the two.
    plural: str | None
    n: int
    #: What tells two meanings of one English text apart.
    context: str | None

    def __new__(
        cls,
        template: str,
        values: Mapping[str, object],
        plural: str | None = None,
        n: int = 1,
        context: str | None = None,
    ) -> Message:
        """A message; see `_`."""
        english = template if plural is None or n == 1 else plural
        self = super().__new__(cls, english.format_map(values) if values else english)
        self.template, self.values = template, values
        self.plural, self.n, self.context = plural, n, context
        return self

    def said(self, lang: str, reader: str = "python") -> str:
        """The message in a language, for a reader."""
        known = catalogue(lang)
        if self.plural is not None:
            words = known.ngettext(self.template, self.plural, self.n)
        elif self.context is not None:
            words = known.pgettext(self.context, self.template)
        else:
            words = known.gettext(self.template)
        if not self.values:
            return words
        return words.format_map(
            {
                name: value.said(lang, reader) if isinstance(value, Text) else value
                for name, value in self.values.items()
            }
        )

    def __reduce__(self) -> tuple[object, ...]:
        return Message, (self.template, dict(self.values), self.plural, self.n, self.context)


def _(template: str, **values: object) -> Message:
    """A message. The template is a literal, so that `scripts/messages.py` finds it; `{{` and `}}` are braces.

    >>> _("the loss is {loss:.3g}", loss=0.12345)
    'the loss is 0.123'
    """
    return Message(template, values)


def _n(singular: str, plural: str, n: int, **values: object) -> Message:
    """A message about `n` things, `{n}` in the templates: English has two forms, Chinese one.

    >>> [str(_n("{n:,} row", "{n:,} rows", n)) for n in (0, 1, 1200)]
    ['0 rows', '1 row', '1,200 rows']
    """
    return Message(singular, {"n": n, **values}, plural, n)


def _p(context: str, template: str, **values: object) -> Message:
    """A message with a context, for an English text that means two things.

    >>> _p("column of a table", "it is")
    'it is'
    """
    return Message(template, values, context=context)


F = TypeVar("F", bound=Callable[..., Any])


def says(text: str) -> Callable[[F], F]:
    """Give a function a docstring that is a message: programs and pages say it in other languages.

    A text of signs alone, such as a formula, needs no translation. Unlike a docstring written as such
    it is there without docstrings, too (`python -OO`).

    >>> @says("y = x^2.")
    ... def square(x):
    ...     return x * x
    >>> square.__doc__.said("zh")
    'y = x^2。'
    """
    doc = text if isinstance(text, Text) else _("{formula}.", formula=text.removesuffix("."))

    def decorate(function: F) -> F:
        function.__doc__ = doc
        return function

    return decorate


class Joined(Text):
    """Several texts one after another, with the signs of each language between them."""

    __slots__ = ("kind", "parts")

    parts: tuple[object, ...]
    kind: str

    def __new__(cls, parts: Iterable[object], kind: str) -> Joined:
        """The parts as one text; `kind` says what stands between them."""
        texts = tuple(parts)
        self = super().__new__(cls, _SIGNS[kind]["en"](list(map(str, texts))))
        self.parts, self.kind = texts, kind
        return self

    def said(self, lang: str, reader: str = "python") -> str:
        """The parts in a language, for a reader."""
        return _SIGNS[self.kind][lang]([in_language(part, lang, reader) for part in self.parts])

    def __reduce__(self) -> tuple[object, ...]:
        return Joined, (self.parts, self.kind)


def _separated(sign: str) -> Callable[[Iterable[str]], str]:
    """Joins the parts that are not empty, which some are for some readers."""
    return lambda parts: sign.join(filter(None, parts))


def _english_list(texts: Iterable[str], comma: str, last: str) -> str:
    """An English list with another separator before its last part."""
    parts = list(filter(None, texts))
    return comma.join(parts[:-1]) + last + parts[-1] if len(parts) > 1 else "".join(parts)


def _chinese_list(texts: Iterable[str], word: str) -> str:
    """A Chinese list with a word before its last part, and spaces between that word and Latin letters."""
    parts = list(filter(None, texts))
    if len(parts) < 2:
        return "".join(parts)
    before, after = (" " if c.isascii() else "" for c in (parts[-2][-1:], parts[-1][:1]))
    return "、".join(parts[:-1]) + before + word + after + parts[-1]


#: How texts are joined, by kind and language.
_SIGNS: dict[str, dict[str, Callable[[Iterable[str]], str]]] = {
    "words": {"en": "".join, "zh": "".join},
    "lines": {"en": "\n".join, "zh": "\n".join},
    "sentences": {"en": _separated(" "), "zh": "".join},
    "list": {"en": _separated(", "), "zh": _separated("、")},
    "clauses": {"en": _separated("; "), "zh": _separated("；")},
    "and": {
        "en": lambda parts: _english_list(parts, ", ", " and "),
        "zh": lambda parts: _chinese_list(parts, "和"),
    },
    "all": {"en": _separated(" and "), "zh": _separated("、")},
    "or": {
        "en": lambda parts: _english_list(parts, ", ", " or "),
        "zh": lambda parts: _chinese_list(parts, "或"),
    },
}


def sentences(*parts: object) -> Text:
    """Whole sentences one after another; empty ones are left out.

    >>> sentences(_("epoch"), "", _("step")), sentences(_("epoch"), _("step")).said("zh")
    ('epoch step', '轮次步数')
    """
    return Joined(filter(None, parts), "sentences")


def listed(parts: Iterable[object], kind: str = "list") -> Text:
    """A list of things: "list" (a, b), "and" (a, b and c), "all" (a and b and c), "or", "clauses" (a; b).

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], "and"), listed("ab").said("zh")
    ('a, b, c', 'a, b and c', 'a、b')
    """
    return Joined(parts, kind)


def words(*parts: object) -> Joined:
    """Parts of a text one after another, such as those of a formula; some may be messages.

    >>> words("y = ", _("epoch")).said("zh")
    'y = 轮次'
    """
    return Joined(parts, "words")


def lines(parts: Iterable[object]) -> Joined:
    """Texts below each other.

    >>> print(lines([_("epoch"), "W1"]).said("zh"))
    轮次
    W1
    """
    return Joined(parts, "lines")


class _Capital(Text):
    """A text that begins a sentence."""

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> _Capital:
        self = super().__new__(cls, text[:1].upper() + text[1:])
        self.text = text
        return self

    def said(self, lang: str, reader: str = "python") -> str:
        """The text, with a capital where the language has them."""
        text = in_language(self.text, lang, reader)
        return text[:1].upper() + text[1:]

    def __reduce__(self) -> tuple[object, ...]:
        return _Capital, (self.text,)


def capital(text: str) -> Text:
    """The text with a capital first letter, to begin a sentence.

    >>> capital(_("epoch")), capital(_("epoch")).said("zh")
    ('Epoch', '轮次')
    """
    return _Capital(text)


class Spelled(Text):
    """One thing as each reader writes it: an argument in Python, an option of the command.

    `page=""`, or `command=""`, leaves it out for a reader who has no such option.

    >>> header = Spelled("header=False", command="--no-header")
    >>> hint = _("Say {header}.", header=header)
    >>> print(hint, hint.said("en", "command"))
    Say header=False. Say --no-header.
    """

    __slots__ = ("readers",)

    readers: Mapping[str, str]

    def __new__(cls, python: str, command: str | None = None, page: str | None = None) -> Spelled:
        """One thing; a reader without a spelling of its own gets the one for Python."""
        self = super().__new__(cls, python)
        spellings = {"python": python, "command": command, "page": page}
        self.readers = {
            reader: spelling for reader, spelling in spellings.items() if spelling is not None
        }
        return self

    def said(self, lang: str, reader: str = "python") -> str:
        """The thing as this reader writes it."""
        return in_language(self.readers.get(reader, self.readers["python"]), lang, reader)

    def __reduce__(self) -> tuple[object, ...]:
        return Spelled, tuple(self.readers.get(reader) for reader in READERS)
