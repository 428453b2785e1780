"""Parts of a kernel's text that are alike but for their names: one function, called with other arrays.

A loop over time is unrolled when it is recorded, so its lines come again at every step; so do those
of layers that follow each other. As a function they are compiled once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chainrule.engine.compiled.statements import Statement, statements

__all__ = ["OFTEN", "Part", "shared"]

#: A part comes at least so often, has at most so many statements, and saves at least so many lines.
OFTEN, MOST, SAVED = 4, 64, 8


@dataclass(frozen=True)
class Part:
    """A function: what it takes, its lines, and how often it is called."""

    name: str
    parameters: list[str]
    lines: list[str]
    calls: int


def shared(lines: Sequence[str], named: Callable[[str], str]) -> tuple[list[Statement], list[Part]]:
    """The text with calls in place of parts that come often, and these parts.

    `named` gives a function a name like the one wanted.
    """
    text, parts = _Text(statements(lines)), list[Part]()
    while (run := text.best()) is not None:
        parts.append(text.replace(run, named("part")))
    return text.statements, parts


@dataclass(frozen=True)
class _Run:
    """Statements one after the other that come again: how many, where, and the lines they save."""

    length: int
    places: list[int]
    saved: int


class _Text:
    """The statements of a text, and which of them are alike."""

    def __init__(self, given: list[Statement]) -> None:
        self.statements = given

    def best(self) -> _Run | None:
        """The run of statements that is best made a function; None if there is none."""
        last, best = self._last_readers(), _Run(0, [], SAVED - 1)
        for found in sorted(self._runs(), key=lambda run: (-run.saved, -run.length)):
            if found.saved <= best.saved:
                break
            best = max([best, *self._alike(found, last)], key=lambda run: run.saved)
        return best if best.length else None

    def _last_readers(self) -> list[int]:
        """The last statement that reads a variable as each statement leaves it; 0 if none does."""
        writer, last = dict[str, int](), [0] * len(self.statements)
        for k, s in enumerate(self.statements):
            for name in s.reads & writer.keys():
                last[writer[name]] = k
            writer.update(dict.fromkeys(s.writes, k))
        return last

    def _runs(self) -> Iterator[_Run]:
        """Runs of statements that have the same forms, wherever they begin."""
        numbers: dict[object, int] = {}
        forms = [numbers.setdefault(s.form, len(numbers)) for s in self.statements]
        known = forms
        for length in range(1, MOST + 1):
            if length > 1:
                numbers = {}
                both = zip(known, forms[length - 1 :], strict=False)
                known = [numbers.setdefault(pair, len(numbers)) for pair in both]
            places = defaultdict(list)
            for k, number in enumerate(known):
                places[number].append(k)
            often = [at for at in places.values() if len(at) >= OFTEN]
            if not often:
                return
            for at in often:
                yield _Run(length, at, self._saved(length, _apart(length, at)))

    def _saved(self, length: int, places: Sequence[int]) -> int:
        """The lines in loops that a function saves."""
        first, again = places[0], len(places) - 1
        return again * sum(len(s.lines) - 1 for s in self.statements[first : first + length])

    def _alike(self, run: _Run, last: Sequence[int]) -> Iterator[_Run]:
        """Those whose names go alike, too, and that leave no variable to what follows."""
        groups: dict[object, list[int]] = defaultdict(list)
        for k in run.places:
            if max(last[k : k + run.length]) < k + run.length:
                groups[self._names_in_order(k, run.length)].append(k)
        for at in groups.values():
            places = _apart(run.length, at)
            if len(places) >= OFTEN:
                yield _Run(run.length, places, self._saved(run.length, places))

    def _names_in_order(self, first: int, length: int) -> tuple[int, ...]:
        """The names in a run of statements, each as its number in the order of their coming."""
        order: dict[str, int] = {}
        part = self.statements[first : first + length]
        return tuple(order.setdefault(name, len(order)) for s in part for name in s.names)

    def replace(self, run: _Run, name: str) -> Part:
        """Make a run of statements a function, which the text calls."""
        for k in reversed(run.places):
            part = self.statements[k : k + run.length]
            given = _parameters(part)
            self.statements[k : k + run.length] = [Statement([f"{name}({', '.join(given)})"])]
        lines = [line for s in part for line in s.lines]
        return Part(name, given, lines, len(run.places))


def _apart(length: int, places: Sequence[int]) -> list[int]:
    """Those places at which statements begin that are not in a run before."""
    found: list[int] = []
    for k in places:
        if not found or found[-1] + length <= k:
            found.append(k)
    return found


def _parameters(part: Sequence[Statement]) -> list[str]:
    """The variables that statements take from those before them, in order."""
    own, found = set[str](), dict[str, None]()
    for s in part:
        found.update((name, None) for name in s.names if name in s.reads and name not in own)
        own |= s.writes
    return [*found]
