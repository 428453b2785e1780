"""What the sentences about tables have in common: quoted names, places, lists of many, topics of notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chainrule.errors import guess, shown
from chainrule.lang.messages import Spelled, Text, _, _n, in_language, listed

__all__ = [
    "Note",
    "absent",
    "advice",
    "at_column",
    "at_line",
    "counted",
    "quoted",
    "some",
    "topic_of",
]


class Note(Text):
    """A note on a table that says what it is about: "gaps", "constants" or "layout"."""

    __slots__ = ("text", "topic")

    text: str
    topic: str

    def __new__(cls, text: str, topic: str) -> Note:
        """The text as a note."""
        self = super().__new__(cls, text)
        self.text, self.topic = text, topic
        return self

    def said(self, lang: str, reader: str = "python") -> str:
        """The note in a language, for a reader."""
        return in_language(self.text, lang, reader)

    def __reduce__(self) -> tuple[Any, ...]:
        return Note, (self.text, self.topic)


def topic_of(note: str) -> str:
    """What a note is about; "" where it does not say.

    >>> topic_of(Note("2 missing cells.", "gaps")), topic_of("Measured in May.")
    ('gaps', '')
    """
    return note.topic if isinstance(note, Note) else ""


def quoted(text: Any, limit: int = 0) -> str:
    """A name or a cell in quotes, those of the language that it is said in.

    What is no plain text, or longer than `limit` allows, is as Python has it.

    >>> quoted("age"), quoted("age").said("zh"), quoted("a\\n"), quoted("twelve letters", 9)
    ("'age'", '“age”', "'a\\\\n'", "'twelve …")
    """
    told = shown(text, limit) if limit else repr(text)
    plain = isinstance(text, str) and text.isprintable() and told == repr(text)
    return _("{text!r}", text=text) if plain else told


def some(
    parts: Sequence[Any], most: int = 12, told: Callable[[Any], object] = str, rest: str = ""
) -> Text:
    """The first of them, each as `told` has it, and how many more there are, or `rest`.

    >>> some("abc", 2), some(["a", "b"], 1, quoted), some("ab"), some("abc", 2, rest="…")
    ('a, b and 1 more', "'a' and 1 more", 'a, b', 'a, b, …')
    """
    first = [told(part) for part in parts[:most]]
    if len(parts) <= most:
        return listed(first)
    if rest:
        return listed([*first, rest])
    return _("{names} and {count} more", names=listed(first), count=len(parts) - most)


def counted(pair: tuple[object, int]) -> Text:
    """One thing and how many there are of it.

    >>> counted(("Ulm", 3)), counted(("Ulm", 3)).said("zh")
    ('Ulm (3)', 'Ulm（3）')
    """
    name, count = pair
    return _("{name} ({count})", name=name, count=count)


def at_column(source: str, column: str) -> Text:
    """The place of a column whose name is quoted."""
    return _("{source}, column {column}", source=source, column=column)


def at_line(source: str, line: int) -> Text:
    """The place of a line of a file."""
    return _("{source}:{line}", source=source, line=line)


def advice(text: Text) -> Spelled:
    """What Python and the command can be told to do otherwise, and the page cannot."""
    return Spelled(text, page="")


def absent(source: str, names: Sequence[str], free: Iterable[str], here: str) -> Text:
    """That columns of the training rows are absent, with the names among the `free` ones to take them for."""
    left = list(free)

    def told(name: str) -> str:
        hint = guess(name, left)
        return _("{name} ({hint})", name=quoted(name), hint=hint) if hint else quoted(name)

    return _n(
        "{source}: {n} column of the training rows is absent: {names}. Columns here: {here}."
        " Rename or add the column.",
        "{source}: {n} columns of the training rows are absent: {names}. Columns here: {here}."
        " Rename or add the columns.",
        len(names),
        source=source,
        names=some(names, 5, told),
        here=here,
    )
