"""Parts of the sentences about tables: quoted names, locations, long lists, topics of notes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from chainrule.errors import DataError, guess, shown
from chainrule.lang.messages import Spelled, Text, _, _n, in_language, listed, sentences

__all__ = [
    "Note",
    "absent",
    "advice",
    "at_column",
    "at_line",
    "counted",
    "dates_note",
    "in_list",
    "no_rows",
    "quoted",
    "some",
    "topic_of",
    "typed",
]

T = TypeVar("T")


class Note(Text):
    """A note on a table with its topic: "gaps", "constants" or "layout"."""

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

    def __reduce__(self) -> tuple[object, ...]:
        return Note, (self.text, self.topic)


def topic_of(note: str) -> str:
    """The topic of a note; "" if it has none.

    >>> topic_of(Note("2 missing cells.", "gaps")), topic_of("Measured in May.")
    ('gaps', '')
    """
    return note.topic if isinstance(note, Note) else ""


def quoted(text: object, limit: int = 0) -> str:
    """A name or a cell in the quotes of the reader's language.

    Anything but a printable text of at most `limit` letters is written as Python's repr.

    >>> quoted("age"), quoted("age").said("zh"), quoted("a\\n"), quoted("twelve letters", 9)
    ("'age'", '“age”', "'a\\\\n'", "'twelve …")
    """
    literal = shown(text, limit) if limit else repr(text)
    plain = isinstance(text, str) and text.isprintable() and literal == repr(text)
    return _("{text!r}", text=text) if plain else literal


def some(
    parts: Sequence[T], most: int = 12, text_of: Callable[[T], object] = str, rest: str = ""
) -> Text:
    """The first `most` parts, each as `text_of` gives it, and the number of the others, or `rest`.

    >>> some("abc", 2), some(["a", "b"], 1, quoted), some("ab"), some("abc", 2, rest="…")
    ('a, b and 1 more', "'a' and 1 more", 'a, b', 'a, b, …')
    """
    first = [text_of(part) for part in parts[:most]]
    if len(parts) <= most:
        return listed(first)
    if rest:
        return listed([*first, rest])
    return _("{names} and {count} more", names=listed(first), count=len(parts) - most)


def in_list(text: str) -> str:
    """A text as a part of a list: in quotes if it might be taken for several parts.

    >>> in_list("Loss"), in_list("Loss, Theft")
    ('Loss', "'Loss, Theft'")
    """
    return quoted(text) if not text.isprintable() or set(text) & set(",;、") else text


def counted(pair: tuple[object, int]) -> Text:
    """A thing and its count.

    >>> counted(("Ulm", 3)), counted(("Ulm", 3)).said("zh")
    ('Ulm (3)', 'Ulm（3）')
    """
    name, count = pair
    name = in_list(name) if isinstance(name, str) else name
    return _("{name} ({count})", name=name, count=count)


def at_column(source: str, column: str) -> Text:
    """The location of a column, whose name is already quoted."""
    return _("{source}, column {column}", source=source, column=column)


def at_line(source: str, line: int) -> Text:
    """The location of a line in a file."""
    return _("{source}:{line}", source=source, line=line)


def advice(text: Text) -> Spelled:
    """Advice about an option that Python and the command have, but the page does not."""
    return Spelled(text, page="")


def typed(word: str) -> str:
    """A word as it is typed after an option in a shell."""
    return word if re.fullmatch(r"[\w@%+=:./-]+", word) else repr(word)


def dates_note(names: Sequence[str], example: str) -> Text:
    """The note that columns of texts were read as dates; `example` is the first cell of the first one."""
    command = f"--text {typed(names[0])}"
    option = Spelled(f"kinds={{{names[0]!r}: 'text'}} ({command})", command=command)
    return sentences(
        _n(
            "{columns} holds dates or times, such as {example}.",
            "{columns} hold dates or times, such as {example}.",
            len(names),
            columns=some(names, 3, quoted),
            example=example,
        ),
        advice(_("(As texts: {option}.)", option=option)),
    )


def no_rows(source: str) -> DataError:
    """The error for data without rows."""
    return DataError(
        _("{source} has 0 rows, so there is nothing to read. Give data with rows.", source=source)
    )


def absent(source: str, names: Sequence[str], free: Iterable[str], here: str) -> Text:
    """The sentence that columns of the training rows are absent, with similar names among `free`."""
    left = list(free)

    def with_hint(name: str) -> str:
        hint = guess(name, left)
        return _("{name} ({hint})", name=quoted(name), hint=hint) if hint else quoted(name)

    return _n(
        "{source}: {n} column of the training rows is absent: {names}. Columns here: {here}."
        " Rename or add the column.",
        "{source}: {n} columns of the training rows are absent: {names}. Columns here: {here}."
        " Rename or add the columns.",
        len(names),
        source=source,
        names=some(names, 5, with_hint),
        here=here,
    )
