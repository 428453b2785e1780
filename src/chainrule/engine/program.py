"""From a trace to a Python program of NumPy calls, with every buffer planned beforehand.

The program is plain source text (`Program.source` shows it): one NumPy call a line, each
writing into memory that was chosen here. With `planned`, intermediate values live in fixed
buffers, reused as soon as nothing reads them any more, and a run allocates nothing. Without,
results are fresh arrays, as a layer used by itself gives them.

A program has one function per section (forward, backward): what an earlier section computed
and a later one reads is handed on in a tuple called `saved`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.memory import (
    Pool,
    in_place,
    is_elementwise,
    is_opaque,
    memories,
    needed,
    root_of,
)
from chainrule.engine.names import Names
from chainrule.engine.primitives import cast, filled, item, pick, put_flat, take_flat, take_rows
from chainrule.engine.trace import Traced
from chainrule.nodes.base import quiet
from chainrule.nodes.indexing import add_at

__all__ = ["Program", "Section", "build"]

Array = npt.NDArray[Any]

#: How the operations of Python numbers are written.
_WEAK_TEXT: dict[Any, str] = {
    np.add: "({} + {})",
    np.subtract: "({} - {})",
    np.multiply: "({} * {})",
    np.divide: "({} / {})",
    np.negative: "(-{})",
    np.power: "({} ** {})",
    np.sqrt: "({} ** 0.5)",
}

_REDUCE = {np.sum: "add", np.prod: "multiply", np.max: "maximum", np.min: "minimum"}


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


def build(sections: Sequence[Section], *, planned: bool) -> Program:
    """Plan and write the program for some sections of one trace."""
    return _Builder(sections, planned).program()


class _Builder:
    def __init__(self, sections: Sequence[Section], planned: bool) -> None:
        self.sections, self.planned = sections, planned
        self.constants: dict[str, Any] = {}
        self.constant_names: dict[int, str] = {}
        #: Known numbers, rows of ones and reductions, each held once.
        self.small: dict[Any, Any] = {}
        self.identifiers = Names({"saved", *(section.name for section in sections)})
        self.names: dict[Traced, str] = {}
        self.bound: dict[Traced, Array] = {}
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

    # -- names --------------------------------------------------------------------------------

    def _constant(self, value: Any, wanted: str) -> str:
        name = self.constant_names.get(id(value))
        if name is None:
            name = self.constant_names[id(value)] = self.identifiers.unique(wanted)
            self.constants[name] = value
        return name

    def _function(self, function: Any) -> str:
        return self._constant(function, function.__name__)

    def _text(self, value: Any) -> str:
        """How a value is written in the source."""
        if not isinstance(value, Traced):
            return self._plain(value)
        if value in self.names:
            return self.names[value]
        if value.weak and value.known is not None:
            text = repr(value.known)
            return text if text[-1] not in "fn" else self._constant(value.known, "number")
        if value.weak and value.function is not None:
            given = [self._text(a) for a in value.args]
            if value.function in _WEAK_TEXT:
                return _WEAK_TEXT[value.function].format(*given)
            # Of any other function, too, a number that takes on the dtype of what it meets.
            return f"{self._function(value.function)}({', '.join(given)}).item()"
        if value in self.bound or value.array is not None:
            array = self.bound.get(value, value.array)
            name = self._constant(array, value.name or "v")
        elif value.is_view and self._is_bound(root_of(value)):
            array = self._view(value)
            self.bound[value] = array
            name = self._constant(array, value.name or "view")
        elif value.is_view:
            return self._view_text(value)
        else:
            name = self.identifiers.unique(value.name or "v")
        self.names[value] = name
        return name

    def _plain(self, value: Any) -> str:
        if isinstance(value, tuple):
            inside = ", ".join(map(self._text, value))
            return f"({inside},)" if len(value) == 1 else f"({inside})"
        if isinstance(value, slice):
            return f"slice({value.start!r}, {value.stop!r}, {value.step!r})"
        if value is Ellipsis or value is None or isinstance(value, bool | int | float | str):
            return repr(value)
        return self._constant(value, "k")

    # -- views --------------------------------------------------------------------------------

    def _is_bound(self, root: Traced) -> bool:
        return (
            root in self.bound or root.array is not None or (root.weak and root.known is not None)
        )

    def _view(self, value: Traced) -> Array:
        """The view of a bound array, made once, now."""
        if value in self.bound:
            return self.bound[value]
        if value.array is not None:
            return value.array
        if value.weak:
            return np.array(value.known, dtype=value.dtype)
        source = self._view(value.args[0])
        if value.function is pick and value.ndim == 0:  # x[0] is a number, x[0, ...] a view
            array: Array = source[(*(k for k in value.args[1] if k is not ...), ...)]
        else:
            array = value.function(source, *value.args[1:], **value.kwargs)  # type: ignore[misc]
        self.bound[value] = array
        return array

    def _view_text(self, value: Traced) -> str:
        source = self._text(value.args[0])
        if value.function is np.transpose:
            reverse = value.args[1] == tuple(range(value.ndim))[::-1]
            return f"{source}.T" if reverse else f"{source}.transpose({value.args[1]})"
        if value.function is np.reshape:
            return f"{source}.reshape({value.args[1]})"
        if value.function is np.broadcast_to:
            return f"{self._function(np.broadcast_to)}({source}, {value.args[1]})"
        return f"{source}[{self._key(value.args[1])}]"

    def _key(self, key: tuple[Any, ...]) -> str:
        return ", ".join(map(self._text, key)) + ("," if len(key) == 1 else "")

    def _copies(self, value: Traced) -> bool:
        """Whether a reshape of bound memory cannot be a view, so that it is an operation."""
        if value.function is not np.reshape or not self._is_bound(root_of(value)):
            return False
        return not np.shares_memory(
            self._view(value.args[0]), np.reshape(self._view(value.args[0]), value.args[1])
        )

    # -- the program --------------------------------------------------------------------------

    def program(self) -> Program:
        texts = []
        for section in self.sections:  # arguments get their names first
            for argument in section.arguments:
                self._text(argument)
        bodies = [self._body(s) for s in range(len(self.sections))]
        for s, section in enumerate(self.sections):
            saved_in, saved_out = self._saved(s - 1), self._saved(s)
            given = [self._text(a) for a in section.arguments]
            head = ", ".join((["saved"] if saved_in else []) + given)
            lines = [f"def {section.name}({head}):"]
            if saved_in:
                lines.append(f"    {', '.join(self.names[v] for v in saved_in)}, = saved")
            lines += [f"    {line}" for line in bodies[s]]
            results = [self._text(v) for v in section.returns]
            if s < len(self.sections) - 1:
                results.append(f"({''.join(self.names[v] + ', ' for v in saved_out)})")
            lines.append(f"    return {', '.join(results)}" if results else "    return None")
            texts.append("\n".join(lines))
        source = "\n\n\n".join(texts) + "\n"
        space = dict(self.constants)
        exec(compile(source, "<chainrule program>", "exec"), space)  # noqa: S102 - our own text
        # A decorated function costs half of what a `with` block around the call would.
        functions = {section.name: quiet()(space[section.name]) for section in self.sections}
        return Program(source, functions, self.pool.nbytes, self.constants)

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
        return [v for v in found if not self._is_bound(v) and self.section_of[v] <= s]

    def _body(self, s: int) -> list[str]:
        lines: list[str] = []
        direct, after = self._destinations(s)
        for i, value in enumerate(self.steps[s]):
            if value.function is None or value.weak or (value.is_view and not self._copies(value)):
                continue
            out = self._place(value, (s, i), direct)
            lines += self._emit(value, out)
            self._recycle(value, (s, i))
        for destination, value in after:
            lines.append(
                f"{self._function(np.copyto)}({self._text(destination)}, {self._text(value)})"
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
        return is_elementwise(value) and all(o is destination for o in reads)

    def _place(
        self, value: Traced, now: tuple[int, int], direct: dict[Traced, Traced]
    ) -> str | None:
        """The name of the array to compute into; None for a fresh one."""
        if value in direct:
            destination = direct[value]
            if destination.array is not None:
                self.bound[value] = destination.array
            self.names[value] = self._text(destination)
            return self.names[value]
        if value.function is item or value.dtype == object or is_opaque(value):
            return None
        reused = self._dying(value, now)
        if self.planned:
            if reused is not None:
                self.owned[value] = self.owned.pop(reused)
                self.bound[value] = self.bound[reused]
                self.names[value] = self._text(reused)
                return self.names[value]
            buffer = self.owned[value] = self.pool.take(value.nbytes)
            array = buffer[: value.nbytes].view(value.dtype).reshape(value.shape)
            self.bound[value] = array
            return self._text(value)
        if reused is not None:
            self.names[value] = self._text(reused)
            self.fresh.add(value)
            return self.names[value]
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

    def _recycle(self, value: Traced, now: tuple[int, int]) -> None:
        if not self.planned:
            return
        for operand in {root_of(o) for o in value.operands}:
            if operand in self.owned and self.last[operand] == now and operand not in self.kept:
                self.pool.give(self.owned.pop(operand))
        if value in self.owned and value not in self.last and value not in self.kept:
            self.pool.give(self.owned.pop(value))

    # -- one operation --------------------------------------------------------------------------

    def _emit(self, value: Traced, out: str | None) -> list[str]:
        f, args = value.function, value.args
        assert f is not None
        if isinstance(f, np.ufunc):
            return [self._call(value, self._ufunc_name(value), self._operands(value), out)]
        if f is np.where:
            return self._emit_where(value, out)
        if f in _REDUCE:
            return self._emit_reduction(value, out)
        x = self._text(args[0]) if args and isinstance(args[0], Traced) else ""
        if f is take_rows and out is not None:
            return [f"{x}.take({self._text(args[1])}, 0, {out}, 'clip')"]
        if f is take_flat:
            taken = f"{x}.take({self._text(args[1])}, None, {out}, 'clip')"
            return [taken if out is not None else f"{self._text(value)} = {taken}"]
        if f is put_flat:
            return self._emit_put(value, out)
        if out is None:
            texts = [
                *map(self._text, args),
                *(f"{k}={self._text(v)}" for k, v in value.kwargs.items()),
            ]
            name = self._text(value)
            if f is pick:
                return [f"{name} = {x}[{self._key(args[1])}]"]
            if f is cast:
                return [f"{name} = {x}.astype({texts[1]})"]
            if f is item:
                return [f"{name} = {x}[{args[1]}]"]
            if f is take_rows:
                return [f"{name} = {x}[{texts[1]}]"]
            return [f"{name} = {self._function(f)}({', '.join(texts)})"]
        if f in (np.concatenate, np.stack):
            parts = self._text(tuple(args[0]))
            axis = value.kwargs["axis"]
            return [f"{self._function(f)}({parts}, axis={axis}, out={out})"]
        if f is add_at:
            key = self._plain(args[1]) if len(args[1]) > 1 else self._text(args[1][0])
            return [
                f"{out}.fill(0)",
                f"{self._constant(self.small.setdefault('at', np.add.at), 'add_at')}({out}, {key}, {x})",
            ]
        if f is pick:
            return [f"{out}[...] = {x}[{self._key(args[1])}]"]
        if f is np.reshape:
            seen = self.bound[value].reshape(args[0].shape)
            return [f"{self._function(np.copyto)}({self._constant(seen, 'v')}, {x})"]
        if f in (cast, filled):
            return [f"{self._function(np.copyto)}({out}, {x}, 'unsafe')"]
        texts = [*map(self._text, args), *(f"{k}={self._text(v)}" for k, v in value.kwargs.items())]
        return [f"{out}[...] = {self._function(f)}({', '.join(texts)})"]

    def _call(self, value: Traced, function: str, operands: list[str], out: str | None) -> str:
        if out is None:
            return f"{self._text(value)} = {function}({', '.join(operands)})"
        # NumPy wants these two told by name which operand is the result.
        named = "out=" if value.function in (np.maximum, np.minimum) else ""
        return f"{function}({', '.join([*operands, named + out])})"

    def _ufunc_name(self, value: Traced) -> str:
        if value.function is np.matmul and value.ndim == 2:
            return self._function(np.dot)  # the same product, with less around it
        return self._function(value.function)

    def _operands(self, value: Traced) -> list[str]:
        """The operands of a ufunc; a known number as an array of the right dtype, which is faster."""
        ufunc = value.function
        assert isinstance(ufunc, np.ufunc)
        kinds = [
            (type(o.known) if o.known is not None else float) if o.weak else o.dtype
            for o in value.args
        ]
        loop = None
        texts = []
        for i, operand in enumerate(value.args):
            if operand.weak and operand.known is not None and not all(o.weak for o in value.args):
                loop = loop or ufunc.resolve_dtypes((*kinds, None))
                number = np.array(operand.known, dtype=loop[i])
                texts.append(self._number(number))
            else:
                texts.append(self._text(operand))
        return texts

    def _number(self, number: Array) -> str:
        known = self.small.setdefault((number.dtype.str, number.tobytes()), number)
        label = re.sub(r"\W", "_", repr(number.item()).replace("-", "m"))
        return self._constant(known, f"n_{label}")

    def _emit_put(self, value: Traced, out: str | None) -> list[str]:
        x, places = map(self._text, value.args[:2])
        lines = []
        if out is None:
            out = self._text(value)
            lines.append(f"{out} = {x}.copy()")
        elif out != x:
            lines.append(f"{self._function(np.copyto)}({out}, {x})")
        new = value.args[2]
        if isinstance(new, Traced) and new.weak:
            new = new.known
        text = (
            self._text(new)
            if isinstance(new, Traced)
            else self._number(np.array(new, dtype=value.dtype))
        )
        return [*lines, f"{out}.put({places}, {text}, 'clip')"]

    def _emit_where(self, value: Traced, out: str | None) -> list[str]:
        condition, x, y = map(self._text, value.args)
        if out is None:
            texts = []
            for operand in value.args[1:]:
                known = operand.weak and operand.known is not None
                texts.append(
                    self._number(np.array(operand.known, dtype=value.dtype))
                    if known
                    else self._text(operand)
                )
            return [
                f"{self._text(value)} = {self._function(np.where)}({condition}, {', '.join(texts)})"
            ]
        copyto = self._function(np.copyto)
        lines = []
        if y != out:
            lines.append(f"{copyto}({out}, {y})")
        lines.append(f"{copyto}({out}, {x}, 'same_kind', {condition})")
        return lines

    def _emit_reduction(self, value: Traced, out: str | None) -> list[str]:
        x: Traced = value.args[0]
        axes, keepdims = value.kwargs["axis"], value.kwargs["keepdims"]
        source = self._text(x)
        if value.function is np.sum and x.ndim == 2 and x.dtype in (np.float32, np.float64):
            # One product with ones is the fastest sum of rows or of columns that NumPy has.
            if axes == (0,):
                ones = np.ones((1, x.shape[0]) if keepdims else x.shape[0], x.dtype)
                return [self._call(value, self._function(np.dot), [self._ones(ones), source], out)]
            if axes == (1,):
                ones = np.ones((x.shape[1], 1) if keepdims else x.shape[1], x.dtype)
                return [self._call(value, self._function(np.dot), [source, self._ones(ones)], out)]
        ufunc = _REDUCE[value.function]  # type: ignore[index]
        method = self.small.setdefault(("reduce", ufunc), getattr(np, ufunc).reduce)
        reduce = self._constant(method, f"{ufunc}_reduce")
        axis = axes[0] if len(axes) == 1 else axes
        dtype = self._constant(value.dtype, value.dtype.name)
        if out is None:
            return [f"{self._text(value)} = {reduce}({source}, {axis}, {dtype}, None, {keepdims})"]
        if value in self.bound and axes == (1,) and x.ndim == 2 and x.shape[1] <= 32 < x.size:
            # Over few columns NumPy goes number by number; over rows, many at a time.
            columns = self._constant(np.empty(x.shape[::-1], x.dtype), "columns")
            flat = self._constant(self.bound[value].reshape(-1), value.name or "v")
            turn = f"{self._function(np.copyto)}({columns}, {source}.T)"
            return [turn, f"{reduce}({columns}, 0, {dtype}, {flat}, False)"]
        return [f"{reduce}({source}, {axis}, {dtype}, {out}, {keepdims})"]

    def _ones(self, ones: Array) -> str:
        return self._constant(self.small.setdefault((ones.dtype.str, ones.shape), ones), "ones")
