"""Which nodes the lines of a kernel compute: told at the ends of the lines, and taken off the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from chainrule.engine.compiled.symbolic import Value
from chainrule.engine.origins import Origin

__all__ = ["Marks", "unmarked"]

#: A mark: for each node its number, and 1 on the way back. No word stands in it that a text might use.
_MARK = re.compile(r"  #@((?: \d+\.[01])+)$", re.M)


class Marks:
    """Marks the lines that are written for a value; none where its nodes are not known.

    A value without a line of its own is computed within the lines of its readers.
    """

    def __init__(self) -> None:
        self._within: dict[Value, frozenset[Origin]] = {}

    @contextmanager
    def of(self, values: Iterable[Value], *texts: list[str]) -> Iterator[None]:
        """Mark the lines that the block adds to any of these texts."""
        before = [len(text) for text in texts]
        yield
        wanted = list(values)
        origins = frozenset[Origin]().union(*map(self._origins, wanted))
        written = False
        for text, begin in zip(texts, before, strict=True):
            for k in range(begin, len(text)):
                written = True
                text[k] = _marked(text[k], origins)
        if not written:
            self._within |= dict.fromkeys(wanted, origins)

    def _origins(self, v: Value) -> frozenset[Origin]:
        return v.origins.union(*(self._within.get(o, ()) for o in v.operands))


def _marked(line: str, origins: Iterable[Origin]) -> str:
    code, _, known = line.partition("  #@")
    found = {f"{node}.{int(backward)}" for node, backward in origins} | set(known.split())
    return f"{code}  #@ {' '.join(sorted(found))}" if found else code


def unmarked(text: str) -> tuple[str, dict[int, frozenset[Origin]]]:
    """The text without marks, and the nodes of its lines, by their numbers from 0."""
    origins = {
        number: frozenset(_read(part) for part in found[1].split())
        for number, line in enumerate(text.split("\n"))
        if (found := _MARK.search(line))
    }
    return _MARK.sub("", text), origins


def _read(part: str) -> Origin:
    node, backward = part.split(".")
    return Origin(int(node), backward == "1")
