"""Calls one after the other that differ in their arrays alone: a loop over arrays in stacks.

So the steps of a loop over time, which recording has unrolled, are one in the text again.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from chainrule.engine.compiled.elements import Argument
from chainrule.engine.compiled.parts import OFTEN
from chainrule.engine.compiled.statements import Statement, renamed
from chainrule.engine.compiled.symbolic import Rows

__all__ = ["Stack", "Tables", "looped"]

#: The number of a turn, and how many statements there are in one at most.
_TURN, MOST = "k", 8
#: Arrays of a form are in a stack if they are so many, whatever is done with them.
MANY = 32

#: The numbers that a text reads from a table: by name, the text of the table's element, and its index.
Tables = Mapping[str, tuple[str, int]]


@dataclass(eq=False)
class Stack:
    """Arrays of one form, by their numbers in a stack of them."""

    form: Argument
    members: dict[int, str] = field(default_factory=dict)
    name: str = ""

    @property
    def size(self) -> int:
        """How many arrays there is room for."""
        return max(self.members) - min(self.members) + 1

    def text(self, number: int, step: int = 0) -> str:
        """An array: of a loop, that of turn k."""
        return f"at({self.name}, {_turn(number - min(self.members), step)})"


@dataclass(frozen=True)
class _Column:
    """What stands in one place of all calls: its number in the first of them, and how it goes on."""

    stack: Stack | str
    first: int
    step: int

    def text(self) -> str:
        if isinstance(self.stack, Stack):
            return self.stack.text(self.first, self.step)
        return self.stack.format(_turn(self.first, self.step))


def _turn(first: int, step: int) -> str:
    """first + step k."""
    if not step:
        return str(first)
    turn = _TURN if abs(step) == 1 else f"{abs(step)} * {_TURN}"
    if step < 0:
        return f"{first} - {turn}"
    return f"{turn} + {first}" if first else turn


def looped(
    given: Sequence[Statement],
    arguments: Mapping[str, Argument],
    tables: Tables,
    named: Callable[[str], str],
) -> tuple[list[str], list[Stack]]:
    """The lines with loops in place of what comes again and again, and the stacks that they are of."""
    # Of an array that has a view under another name, every call says by name that it is meant.
    views = {name for s in given if len(s.lines) == 1 and s.writes for name in s.reads}
    stacks = _Stacks(arguments, tables, views)
    runs = _runs([stacks.kind(s) for s in given])
    columns = {}
    for first, length, turns in sorted(runs, key=lambda run: -run[2]):
        found = stacks.columns([given[first + k * length :][:length] for k in range(turns)])
        if found is not None:
            columns[first] = length, turns, found
    stacks.rest()
    for stack in stacks.all:
        stack.name = named(f"all_{stack.form.name.rstrip('0123456789_')}")
    lines: list[str] = []
    at = 0
    while at < len(given):
        length, turns, found = columns.get(at, (1, 1, {}))
        inside = [line for s in given[at : at + length] for line in s.lines]
        if found:
            texts = {name: column.text() for name, column in found.items()}
            lines.append(f"for {_TURN} in range({turns}):")
            inside = [f"    {renamed(line, texts)}" for line in inside]
        lines += inside
        at += length * turns
    return lines, stacks.all


def _runs(kinds: Sequence[Hashable]) -> list[tuple[int, int, int]]:
    """What comes often, time after time: where it begins, its length, how often it comes."""
    found = []
    at = 0
    while at < len(kinds):
        ways = [(_turns(kinds, at, length), length) for length in range(1, MOST + 1)]
        turns, length = max(ways, key=lambda way: (way[0] * way[1] * (way[0] >= OFTEN), -way[1]))
        if turns >= OFTEN:
            found.append((at, length, turns))
        at += length * turns if turns >= OFTEN else 1
    return found


def _turns(kinds: Sequence[Hashable], at: int, length: int) -> int:
    """How often a run of so many statements comes, time after time."""
    end = at + length
    while end < len(kinds) and kinds[end] == kinds[end - length]:
        end += 1
    return (end - at) // length


class _Stacks:
    """Which arrays are in which stack."""

    def __init__(
        self, arguments: Mapping[str, Argument], tables: Tables, kept: Container[str]
    ) -> None:
        self.arguments, self.tables, self.kept = arguments, tables, kept
        self.all: list[Stack] = []
        self._at: dict[str, tuple[Stack, int]] = {}

    def kind(self, s: Statement) -> Hashable:
        """What statements have in common that can be the turns of a loop."""
        if len(s.lines) > 1 or s.writes:
            return s
        return s.form, tuple(n if n in self.kept else self._form(n) for n in s.names)

    def _form(self, name: str) -> Hashable:
        a = self.arguments.get(name)
        if a is not None and a.role == "work" and not any(isinstance(d, Rows) for d in a.shape[1:]):
            return tuple(map(str, a.shape)), a.dtype, a.shared
        return self.tables[name][0] if name in self.tables else name

    def columns(self, turns: Sequence[Sequence[Statement]]) -> dict[str, _Column] | None:
        """What the turns of a loop take in place of each name of the first; None if it cannot be said."""
        before, found = (len(self.all), dict(self._at)), dict[str, _Column]()
        named = ([name for s in turn for name in s.names] for turn in turns)
        columns = {*zip(*named, strict=True)}
        alike = len({names[0] for names in columns}) == len(columns)
        for names in sorted(columns) if alike else []:
            if len({*names}) == 1:
                continue
            column = self._numbers(names) if names[0] in self.tables else self._arrays(names)
            if column is None:
                alike = False
                break
            found[names[0]] = column
        if not alike:
            self._forget(*before)
        return found if alike else None

    def rest(self) -> None:
        """Put into stacks what is in none, where there are many of a form: each is one argument less."""
        forms: dict[Hashable, list[str]] = {}
        for name in self.arguments:
            if name not in self._at:
                forms.setdefault(self._form(name), []).append(name)
        for names in forms.values():
            if len(names) >= MANY:
                self.all.append(Stack(self.arguments[names[0]], dict(enumerate(names))))

    def _forget(self, count: int, places: dict[str, tuple[Stack, int]]) -> None:
        """Go back to the stacks before."""
        del self.all[count:]
        self._at = places
        for stack in self.all:
            stack.members = {k: name for k, name in stack.members.items() if name in places}

    def _numbers(self, names: Sequence[str]) -> _Column | None:
        text, first = self.tables[names[0]]
        step = self.tables[names[1]][1] - first
        fits = all(self.tables[name][1] == first + k * step for k, name in enumerate(names))
        return _Column(text, first, step) if fits else None

    def _arrays(self, names: Sequence[str]) -> _Column | None:
        known = [(k, *self._at[name]) for k, name in enumerate(names) if name in self._at]
        if len({*names}) < len(names) or len({id(stack) for _, stack, _ in known}) > 1:
            return None
        if not known:
            self.all.append(Stack(self.arguments[names[0]]))
            return self._column(self.all[-1], names, 0, 1)
        (k, stack, number), (last, _, end) = known[0], known[-1]
        steps = [(end - number) // (last - k)] if last > k else [1, -1]
        tried = (self._column(stack, names, number - k * step, step) for step in steps)
        return next((column for column in tried if column is not None), None)

    def _column(self, stack: Stack, names: Sequence[str], first: int, step: int) -> _Column | None:
        """The arrays as every so many-th of a stack, where the new ones among them find room."""
        wanted = {first + k * step: name for k, name in enumerate(names)}
        if len(wanted) < len(names):
            return None
        for number, name in wanted.items():
            free = number not in stack.members and name not in self._at
            if not free and self._at.get(name) != (stack, number):
                return None
        stack.members.update(wanted)
        self._at.update((name, (stack, number)) for number, name in wanted.items())
        return _Column(stack, first, step)
