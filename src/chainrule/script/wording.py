"""Text in a program, in its language: comments and docstrings, escaped safely; wrapped lists."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from chainrule.lang.messages import Text, in_language
from chainrule.text_width import beginning, cells_wide

__all__ = [
    "WIDTH",
    "comment",
    "docstring",
    "explanation",
    "first_words",
    "identifier",
    "listed",
    "printed",
    "spoken",
    "wrapped",
]

#: The longest line.
WIDTH = 100


def spoken(text: str, limit: int = 300) -> str:
    """Any text on one line, without control characters, backslashes or triple double quotes."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    plain = " ".join(plain.replace("\\", "/").replace('"""', "'''").split())
    return plain if cells_wide(plain) <= limit else beginning(plain, limit - 1) + "…"


#: Chinese punctuation that may not begin a line, and that may not end one.
_CLOSING, _OPENING = "，。；：、！？）”》…", "（“《"


def wrapped(text: str, lang: str, lead: str = "") -> list[str]:
    """The text in lines of at most WIDTH cells, each with `lead` before it.

    Chinese words have no spaces between them, so a line may end after any character.

    >>> [len(line) for line in wrapped("猫" * 60, "zh", "# ")]
    [51, 13]
    """
    if lang != "zh":
        return textwrap.wrap(
            text, WIDTH, initial_indent=lead, subsequent_indent=lead, break_on_hyphens=False
        )
    lines = [lead]
    for piece in re.findall(
        rf"[{_OPENING}]*(?:[ -\u2e7f]+?(?= |[^ -\u2e7f]|$)|.)[{_CLOSING}]*", text
    ):
        if lines[-1] != lead and cells_wide((lines[-1] + piece).rstrip()) > WIDTH:
            lines.append(lead)
        lines[-1] += piece.lstrip() if lines[-1] == lead else piece
    return [line.rstrip() for line in lines]


def comment(text: str, lang: str = "en", indent: int = 0) -> list[str]:
    """The text as comment lines.

    >>> comment("Affine: y = x W + b.", indent=4)
    ['    # Affine: y = x W + b.']
    """
    return wrapped(spoken(in_language(text, lang)), lang, " " * indent + "# ")


def docstring(text: str, lang: str) -> str:
    """The text as a docstring on one line."""
    return f'"""{spoken(in_language(text, lang))}"""'


def printed(text: Text, lang: str) -> str:
    """The text as an f-string of the program; the values of the text are its expressions.

    >>> from chainrule.lang.messages import _
    >>> printed(_("the loss is {loss}", loss="{total / n}"), "en")
    'f"the loss is {total / n}"'
    """
    plain = text.said(lang).replace('"', "'")
    return f'f"{plain}"'


def explanation(thing: object) -> str:
    """A docstring up to its first empty line; as a translatable message, where it is one (`says`)."""
    doc = getattr(thing, "__doc__", None)
    return doc if isinstance(doc, Text) else first_words(thing)


def first_words(thing: object) -> str:
    """A docstring up to its first empty line, on one line; "" if there is none."""
    return spoken(re.split(r"\n\s*\n", (getattr(thing, "__doc__", None) or "").strip())[0])


def identifier(text: str) -> str:
    """The text with all letters that an identifier may not have replaced by underscores."""
    return re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")


def listed(name: str, items: Sequence[str], indent: int = 0) -> list[str]:
    """`name = [a, b, c]`, continued with `name += [...]` when a line is full."""
    lead, rest = " " * indent, list(items)
    lines: list[str] = []
    while rest or not lines:
        start = f"{lead}{name} {'+=' if lines else '='} ["
        room, count = WIDTH - len(start) - 1, 1
        while count < len(rest) and len(", ".join(rest[: count + 1])) <= room:
            count += 1
        lines.append(f"{start}{', '.join(rest[:count])}]")
        rest = rest[count:]
    return lines
