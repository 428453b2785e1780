"""From a trace to a Python program of NumPy calls, with every buffer planned beforehand.

The program is plain source text (`Program.source` shows it): one NumPy call a line, each
writing into memory that was chosen here. With `planned`, intermediate values live in fixed
buffers, reused as soon as nothing reads them any more, and a run allocates nothing. Without,
results are fresh arrays, as a layer used by itself gives them.

A program has one function per section (forward, backward): what an earlier section computed
and a later one reads is handed on in a tuple called `saved`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.cost import Work, work_of
from chainrule.engine.memory import (
    Pool,
    debugging,
    in_place,
    is_elementwise,
    is_opaque,
    memories,
    needed,
    owner,
    root_of,
    spoil,
)
from chainrule.engine.primitives import item
from chainrule.engine.texts import Texts
from chainrule.engine.trace import Traced
from chainrule.engine.writing import lines_of
from chainrule.graph.recording import Reads
from chainrule.nodes.base import ignore_fp_errors

__all__ = ["Program", "Section", "build"]

Array = npt.NDArray[Any]


@dataclass
class Section:
    """One function of a program: what it is given, what it returns, what it writes into."""

    name: str
    arguments: Sequence[Traced]
    returns: Sequence[Traced] = ()
    writes: Sequence[tuple[Traced, Traced]] = ()


@dataclass
class Program:
    """The functions by name, their source, and how much memory the plan holds."""

    source: str
    functions: dict[str, Callable[..., Any]]
    nbytes: int = 0
    arrays: dict[str, Any] = field(default_factory=dict, repr=False)
    #: What was read of arrays while planning; after a change a new program has to be made.
    reads: Reads = field(default_factory=list, repr=False)
    #: What one run of all functions has to do.
    work: Work = field(default_factory=Work)


def build(sections: Sequence[Section], *, planned: bool) -> Program:
    """Plan and write the program for some sections of one trace."""
    return _Builder(sections, planned).program()


class _Builder:
    def __init__(self, sections: Sequence[Section], planned: bool) -> None:
        self.sections, self.planned = sections, planned
        self.debug = planned and debugging()
        self.texts = Texts(section.name for section in sections)
        self.pool = Pool()
        #: The buffer behind a value (planned), and the fresh arrays that are ours to reuse.
        self.owned: dict[Traced, Array] = {}
        self.fresh: set[Traced] = set()
        self._order()
        self._liveness()

    # -- which operations, in which order ---------------------------------------------------

    def _order(self) -> None:
        self.steps: list[list[Traced]] = []
        done: set[Traced] = set()
        for section in self.sections:
            targets = [*section.returns, *(v for _, v in section.writes)]
            targets += [d for d, _ in section.writes]
            new = needed(targets) - done
            values = targets[0].trace.values if targets else ()
            self.steps.append([v for v in values if v in new])
            done |= new

    def _liveness(self) -> None:
        """The last place where each memory is read: (section, position)."""
        self.last: dict[Traced, tuple[int, int]] = {}
        self.section_of: dict[Traced, int] = {}
        self.position: dict[Traced, tuple[int, int]] = {}
        for s, steps in enumerate(self.steps):
            for i, value in enumerate(steps):
                self.section_of[value] = s
                self.position[value] = (s, i)
                for operand in value.operands:
                    self.last[root_of(operand)] = (s, i)
            for argument in self.sections[s].arguments:
                self.section_of[argument] = s
            end = (s, len(steps))
            for value in (*self.sections[s].returns, *(v for _, v in self.sections[s].writes)):
                self.last[root_of(value)] = end
        self.kept: set[Traced] = set()
        for section in self.sections:
            self.kept |= {root_of(v) for v in section.returns}

    # -- the program --------------------------------------------------------------------------

    def program(self) -> Program:
        texts = []
        for section in self.sections:  # arguments get their names first
            for argument in section.arguments:
                self.texts.text(argument)
        bodies = [self._body(s) for s in range(len(self.sections))]
        bodies[0] = [*self._spoilt([*self.pool.rooms, *self.texts.scratch]), *bodies[0]]
        for s, section in enumerate(self.sections):
            saved_in, saved_out = self._saved(s - 1), self._saved(s)
            given = [self.texts.text(a) for a in section.arguments]
            head = ", ".join((["saved"] if saved_in else []) + given)
            lines = [f"def {section.name}({head}):"]
            if saved_in:
                lines.append(f"    {', '.join(self.texts.names[v] for v in saved_in)}, = saved")
            lines += [f"    {line}" for line in bodies[s]]
            results = [self.texts.text(v) for v in section.returns]
            if s < len(self.sections) - 1:
                results.append(f"({''.join(self.texts.names[v] + ', ' for v in saved_out)})")
            lines.append(f"    return {', '.join(results)}" if results else "    return None")
            texts.append("\n".join(lines))
        source = "\n\n\n".join(texts) + "\n"
        self._assert_sound()
        space = dict(self.texts.constants)
        exec(compile(source, "<chainrule program>", "exec"), space)  # noqa: S102 - our own text
        if self.debug:
            lines = source.splitlines(keepends=True)
            source = "".join(line for line in lines if not line.lstrip().startswith(self._spoil))
        # A decorated function costs half of what a `with` block around the call would.
        functions = {
            section.name: ignore_fp_errors()(space[section.name]) for section in self.sections
        }
        work = work_of(value for steps in self.steps for value in steps)
        return Program(source, functions, self.pool.nbytes, self.texts.constants, work=work)

    def _saved(self, s: int) -> list[Traced]:
        """Run-time values of section s or earlier that a later section reads."""
        if s < 0 or s >= len(self.sections) - 1:
            return []
        found: dict[Traced, None] = {}
        for later in self.steps[s + 1 :]:
            for value in later:
                found.update((root, None) for o in value.operands for root in memories(o))
        for section in self.sections[s + 1 :]:
            found.update((root, None) for v in section.returns for root in memories(v))
        return [v for v in found if not self.texts.is_bound(v) and self.section_of[v] <= s]

    def _body(self, s: int) -> list[str]:
        lines: list[str] = []
        direct, after = self._destinations(s)
        for i, value in enumerate(self.steps[s]):
            if value.function is None or value.weak or value.is_view:
                continue
            out = self._place(value, (s, i), direct)
            lines += lines_of(self.texts, value, out)
            lines += self._spoilt(self._recycle(value, (s, i)))
        for destination, value in after:
            lines.append(
                f"{self.texts.function(np.copyto)}({self.texts.text(destination)}, {self.texts.text(value)})"
            )
        return lines

    def _destinations(self, s: int) -> tuple[dict[Traced, Traced], list[tuple[Traced, Traced]]]:
        """Values that can be computed right into the array they are to be written to."""
        direct: dict[Traced, Traced] = {}
        after: list[tuple[Traced, Traced]] = []
        for destination, value in self.sections[s].writes:
            can = (
                value.function is not None
                and not value.is_view
                and not value.weak
                and value not in direct
                and value.function is not item
                and self.section_of[value] == s
                and (value.shape, value.dtype) == (destination.shape, destination.dtype)
                # Views of the value are planned for an array laid out row by row.
                and (destination.array is None or destination.array.flags.c_contiguous)
                and root_of(value) not in self.kept
                and self._unread_after(destination, value)
            )
            if can:
                direct[value] = destination
            else:
                after.append((destination, value))
        return direct, after

    def _unread_after(self, destination: Traced, value: Traced) -> bool:
        """Whether nothing reads the destination's old contents once `value` is being computed."""
        here = self.position[value]
        last = self.last.get(destination, (-1, 0))
        if last != here:
            return last < here
        reads = [o for o in value.operands if root_of(o) is destination]
        # As `np.where(c, new, old)` may be written over `old`, but over `new` only after the choice.
        over = [o for o in in_place(value) if o is destination]
        return is_elementwise(value) and len(over) == len(reads)

    def _place(
        self, value: Traced, now: tuple[int, int], direct: dict[Traced, Traced]
    ) -> str | None:
        """The name of the array to compute into; None for a fresh one."""
        if value in direct:
            destination = direct[value]
            if destination.array is not None:
                self.texts.bound[value] = destination.array
            self.texts.names[value] = self.texts.text(destination)
            return self.texts.names[value]
        if value.function is item or value.dtype == object or is_opaque(value):
            return None
        reused = self._dying(value, now)
        if self.planned:
            if reused is not None:
                self.owned[value] = self.owned.pop(reused)
                self.texts.bound[value] = self.texts.bound[reused]
                self.texts.names[value] = self.texts.text(reused)
                return self.texts.names[value]
            buffer = self.owned[value] = self.pool.take(value.nbytes)
            array = buffer[: value.nbytes].view(value.dtype).reshape(value.shape)
            self.texts.bound[value] = array
            return self.texts.text(value)
        if reused is not None:
            self.texts.names[value] = self.texts.text(reused)
            self.fresh.add(value)
            return self.texts.names[value]
        self.fresh.add(value)
        return None

    def _dying(self, value: Traced, now: tuple[int, int]) -> Traced | None:
        """An operand of the same kind that nothing reads after this, to compute in place of."""
        if not self.planned and value.ndim == 0:
            return None  # a fresh result without axes is a number, not an array to write into
        for operand in in_place(value):
            mine = operand in self.owned if self.planned else operand in self.fresh
            if (
                mine
                # What an earlier section computed stays, so that backward can run again.
                and (self.planned or self.section_of[operand] == now[0])
                and self.last[operand] == now
                and operand not in self.kept
                and operand.shape == value.shape
                and operand.dtype == value.dtype
                and sum(root_of(o) is operand for o in value.operands) == 1
            ):
                return operand
        return None

    def _recycle(self, value: Traced, now: tuple[int, int]) -> list[Array]:
        """Take back the buffers that nothing reads after this."""
        if not self.planned:
            return []
        over = [
            operand
            for operand in dict.fromkeys(map(root_of, value.operands))
            if operand in self.owned and self.last[operand] == now and operand not in self.kept
        ]
        if value in self.owned and value not in self.last and value not in self.kept:
            over.append(value)
        buffers = [self.owned.pop(v) for v in over]
        for buffer in buffers:
            self.pool.give(buffer)
        return buffers

    # -- what must hold -----------------------------------------------------------------------

    def _spoilt(self, buffers: list[Array]) -> list[str]:
        """The line that fills these with NaN, while debugging; it is not shown in the source."""
        if not self.debug or not buffers:
            return []
        return [f"{self._spoil}{', '.join(self.texts.constant(b, 'room') for b in buffers)})"]

    @property
    def _spoil(self) -> str:
        return f"{self.texts.function(spoil)}("

    def _assert_sound(self) -> None:
        """Every array that the program holds is somebody's memory, or never changes.

        A copy that was made while planning would be neither: no run would write it again.
        """
        leaves = (v for steps in self.steps for v in steps if v.array is not None)
        owners = [v.array for v in leaves] + [d.array for s in self.sections for d, _ in s.writes]
        known = {
            id(owner(a)) for a in (*owners, *self.pool.rooms, *self.texts.scratch) if a is not None
        }
        for name, array in self.texts.constants.items():
            if isinstance(array, np.ndarray) and array.flags.writeable and array.size:
                assert id(owner(array)) in known, f"{name} is a copy that nothing writes"
