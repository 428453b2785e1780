"""From a trace to a Python program of NumPy calls, with every buffer planned beforehand.

The program is plain source text (see `Program.source`): one NumPy call per line, each writing into
memory chosen here. With `planned`, intermediate values are in fixed buffers, which are reused after
their last read, and a run allocates nothing. Without it results are new arrays, which a layer
used by itself returns.

A program has one function per section (forward, backward): values that an earlier section computes
and a later one reads are passed in a tuple called `saved`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

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
from chainrule.engine.primitives import Array, Function, item
from chainrule.engine.texts import Texts
from chainrule.engine.trace import Traced
from chainrule.engine.writing import lines_of
from chainrule.graph.recording import Reads
from chainrule.nodes.base import ignore_fp_errors

__all__ = ["Program", "Section", "build"]


@dataclass
class Section:
    """One function of a program: its arguments, its results, and its writes (destination, value)."""

    name: str
    arguments: Sequence[Traced]
    returns: Sequence[Traced] = ()
    writes: Sequence[tuple[Traced, Traced]] = ()


@dataclass
class Program:
    """The functions by name, their source, and the number of bytes in planned buffers."""

    source: str
    functions: dict[str, Function]
    nbytes: int = 0
    arrays: dict[str, object] = field(default_factory=dict, repr=False)
    #: The values read while planning; after a change of one the program is outdated.
    reads: Reads = field(default_factory=list, repr=False)
    #: The work in one run of all functions.
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
        #: The buffer of each value (planned); the values in new arrays, which may be reused (else).
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
        """Find where each value's memory is read last, as (section, position)."""
        self.last: dict[Traced, tuple[int, int]] = {}
        self.section_of: dict[Traced, int] = {}
        self.position: dict[Traced, tuple[int, int]] = {}
        for s, steps in enumerate(self.steps):
            for i, value in enumerate(steps):
                self.section_of[value] = s
                self.position[value] = (s, i)
                for operand in value.operands:
                    self.last[root_of(operand)] = (s, i)
            end = (s, len(steps))
            for value in (*self.sections[s].returns, *(v for _, v in self.sections[s].writes)):
                self.last[root_of(value)] = end
        for s, section in enumerate(self.sections):  # an argument may first be read later
            self.section_of.update(dict.fromkeys(section.arguments, s))
        self.returned: set[Traced] = set()
        for section in self.sections:
            self.returned |= {root_of(v) for v in section.returns}

    # -- the program --------------------------------------------------------------------------

    def program(self) -> Program:
        texts = []
        for section in self.sections:  # arguments get their names first
            for argument in section.arguments:
                self.texts.text(argument)
        bodies = [self._body(s) for s in range(len(self.sections))]
        bodies[0] = [*self._spoil_lines([*self.pool.buffers, *self.texts.scratch]), *bodies[0]]
        for s, section in enumerate(self.sections):
            saved_in, saved_out = self._saved(s - 1), self._saved(s)
            arguments = [self.texts.text(a) for a in section.arguments]
            head = ", ".join((["saved"] if saved_in else []) + arguments)
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
        space: dict[str, Any] = dict(self.texts.constants)
        exec(compile(source, "<chainrule program>", "exec"), space)  # noqa: S102 - our own text
        if self.debug:
            lines = source.splitlines(keepends=True)
            source = "".join(
                line for line in lines if not line.lstrip().startswith(self._spoil_call)
            )
        # A decorator costs half as much time per call as a `with` block.
        functions = {
            section.name: ignore_fp_errors()(space[section.name]) for section in self.sections
        }
        work = work_of(value for steps in self.steps for value in steps)
        return Program(source, functions, self.pool.nbytes, self.texts.constants, work=work)

    def _saved(self, s: int) -> list[Traced]:
        """Run-time values of section s or earlier that a later section reads."""
        if s < 0 or s >= len(self.sections) - 1:
            return []
        read: dict[Traced, None] = {}
        for later in self.steps[s + 1 :]:
            for value in later:
                read.update((root, None) for o in value.operands for root in memories(o))
        for section in self.sections[s + 1 :]:
            read.update((root, None) for v in section.returns for root in memories(v))
        return [v for v in read if not self.texts.is_bound(v) and self.section_of[v] <= s]

    def _body(self, s: int) -> list[str]:
        lines: list[str] = []
        direct, after = self._destinations(s)
        for i, value in enumerate(self.steps[s]):
            if value.function is None or value.weak or value.is_view:
                continue
            out = self._destination(value, (s, i), direct)
            lines += lines_of(self.texts, value, out)
            lines += self._spoil_lines(self._recycle(value, (s, i)))
        for destination, value in after:
            lines.append(
                f"{self.texts.function(np.copyto)}({self.texts.text(destination)}, {self.texts.text(value)})"
            )
        return lines

    def _destinations(self, s: int) -> tuple[dict[Traced, Traced], list[tuple[Traced, Traced]]]:
        """Values to compute directly in the array they are written to; and the writes by copying."""
        direct: dict[Traced, Traced] = {}
        after: list[tuple[Traced, Traced]] = []
        for destination, value in self.sections[s].writes:
            is_direct = (
                value.function is not None
                and not value.is_view
                and not value.weak
                and value not in direct
                and value.function is not item
                and self.section_of[value] == s
                and (value.shape, value.dtype) == (destination.shape, destination.dtype)
                # Views of the value are planned for a contiguous array.
                and (destination.array is None or destination.array.flags.c_contiguous)
                and root_of(value) not in self.returned
                and self._unread_after(destination, value)
            )
            if is_direct:
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
        # np.where(c, new, old) may overwrite `old`, but not `new`, which it reads after writing.
        overwritable = [o for o in in_place(value) if o is destination]
        return is_elementwise(value) and len(overwritable) == len(reads)

    def _destination(
        self, value: Traced, now: tuple[int, int], direct: dict[Traced, Traced]
    ) -> str | None:
        """The name of the array to compute into; None for a new one."""
        if value in direct:
            destination = direct[value]
            if destination.array is not None:
                self.texts.bound[value] = destination.array
            self.texts.names[value] = self.texts.text(destination)
            return self.texts.names[value]
        if value.function is item or value.dtype == object or is_opaque(value):
            return None
        reused = self._reusable_operand(value, now)
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

    def _reusable_operand(self, value: Traced, now: tuple[int, int]) -> Traced | None:
        """An operand of the same shape and dtype that nothing reads later, so that it can be overwritten."""
        if not self.planned and value.ndim == 0:
            return None  # a new result without axes is a NumPy scalar, which cannot be written into
        for operand in in_place(value):
            mine = operand in self.owned if self.planned else operand in self.fresh
            if (
                mine
                # Results of an earlier section stay, so that backward can run again.
                and (self.planned or self.section_of[operand] == now[0])
                and self.last[operand] == now
                and operand not in self.returned
                and operand.shape == value.shape
                and operand.dtype == value.dtype
                and sum(root_of(o) is operand for o in value.operands) == 1
            ):
                return operand
        return None

    def _recycle(self, value: Traced, now: tuple[int, int]) -> list[Array]:
        """Give back the buffers that nothing reads later, and return them."""
        if not self.planned:
            return []
        finished = [
            operand
            for operand in dict.fromkeys(map(root_of, value.operands))
            if operand in self.owned and self.last[operand] == now and operand not in self.returned
        ]
        if value in self.owned and value not in self.last and value not in self.returned:
            finished.append(value)
        buffers = [self.owned.pop(v) for v in finished]
        for buffer in buffers:
            self.pool.give(buffer)
        return buffers

    # -- debugging ----------------------------------------------------------------------------

    def _spoil_lines(self, buffers: list[Array]) -> list[str]:
        """The line that fills these buffers with NaN when debugging; the shown source leaves it out."""
        if not self.debug or not buffers:
            return []
        return [f"{self._spoil_call}{', '.join(self.texts.constant(b, 'room') for b in buffers)})"]

    @property
    def _spoil_call(self) -> str:
        return f"{self.texts.function(spoil)}("

    def _assert_sound(self) -> None:
        """Assert that every writeable array in the program belongs to a leaf or to the plan.

        A copy made by mistake while planning does not: no run would update it.
        """
        leaves = (v for steps in self.steps for v in steps if v.array is not None)
        owners = [v.array for v in leaves] + [d.array for s in self.sections for d, _ in s.writes]
        known = {
            id(owner(a))
            for a in (*owners, *self.pool.buffers, *self.texts.scratch)
            if a is not None
        }
        for name, array in self.texts.constants.items():
            if isinstance(array, np.ndarray) and array.flags.writeable and array.size:
                assert id(owner(array)) in known, f"{name} is a copy that nothing writes"
