"""The compiled training step: its kernel, its arrays, and many steps per call."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.aligned import aligned, room
from chainrule.engine.compiled.blas import blas
from chainrule.engine.compiled.constants import SMALL, SPARE
from chainrule.engine.compiled.library import NO_PRODUCTS, products
from chainrule.engine.compiled.machine import Call, kernel
from chainrule.engine.compiled.module import Source, handed_over, train_text
from chainrule.engine.compiled.record import record_step
from chainrule.engine.compiled.rows import is_view
from chainrule.engine.compiled.source import Argument
from chainrule.engine.compiled.symbolic import (
    ROWS,
    Cut,
    NotCompilable,
    Rows,
    Symbolic,
    Value,
    overlay,
)
from chainrule.engine.compiled.threads import Crew, shards_for, thread_count
from chainrule.engine.compiled.values import NotAbreast
from chainrule.engine.compiler.sized import Sized, rows_at_once
from chainrule.engine.compiler.target import vector_bytes
from chainrule.engine.memory import debugging, spoil
from chainrule.engine.primitives import cast, pick, take_rows
from chainrule.engine.protocols import RecordableNetwork, Segment, UpdateRule
from chainrule.graph.reads import ArrayRead
from chainrule.graph.recording import Reads
from chainrule.lang.messages import _
from chainrule.nodes.indexing import add_at, chosen, replaced

__all__ = [
    "WRITTEN",
    "CompiledStep",
    "bound",
    "id_limits",
    "in_one_piece",
    "kept_in_one_piece",
    "multiplications",
    "product_size",
    "products_of",
    "tables",
    "within",
]

Array = npt.NDArray[Any]

#: Rows of the data that a recording is made with.
SAMPLE = 16
#: Up to so many parameters, and so much work in a step, rows are computed abreast.
MOST_NUMBERS, MOST_WORK = 12_000, 2_000_000
#: Rows abreast are computed in blocks of so many, whose numbers stay in the processor's cache.
BLOCK = 128
#: The roles of arrays that every run writes before it reads them.
WRITTEN = ("part", "work")


#: Why a result cannot be written for every batch, by what it is.
_SAME = {
    "loss": _("its loss is the same number for all data"),
    "gradient": _("its gradient is the same number for all data"),
    "written": _("what it writes is the same number for all data"),
    "out": _("its output is the same number for all data"),
}


class CompiledStep:
    """Forward, backward and update of a network, compiled; many steps per call."""

    def __init__(
        self,
        network: RecordableNetwork,
        optimizer: UpdateRule,
        data: Sequence[tuple[str, Array]],
        batch_size: int,
        *,
        threads: int | None = None,
        max_grad: float | None = None,
        say: Callable[[str], None] | None = None,
        seconds: Callable[[], float] | None = None,
    ) -> None:
        self.network, self.optimizer, self.batch = network, optimizer, batch_size
        self.max_grad = max_grad
        self.limited = max_grad is not None or optimizer.clip_norm is not None
        # Recording needs rows of the right kind, with any contents; the step may outlive the data.
        record, targets = record_step(network, [(name, a[:SAMPLE].copy()) for name, a in data])
        widths = {d for _, a in data for d in a.shape[1:]}
        widths |= {d for p in network.named_parameters().values() for d in p.shape}
        step = self.step = overlay(record, widths)
        self.reads = step.reads
        if not any(t.role == "gradient" for t in targets):
            raise NotCompilable(_("nothing in the network is to be trained"))
        self.segments = network._segments()
        moved = {id(t.payload) for t in targets if t.role == "gradient"}
        #: The gradients of parameters that the loss does not depend on: nothing else writes them.
        self.idle = [
            p.grad
            for p in network.named_parameters().values()
            if p.trainable and id(p) not in moved
        ]
        self.work = multiplications(step, batch_size)
        self.bad_loss = math.nan
        self.pace = 1e-3  # seconds per step, the latest measurement
        self._say, self._seconds, self._threads = say, seconds, threads
        #: Rows abreast lie in room for whole pairs of vectors.
        self._pair = 2 * rows_at_once(vector_bytes())
        #: Whether rows are computed abreast, one in each lane of a vector.
        self.abreast = self._is_small()
        #: How many rows at a time are computed in a step; 0 for all of them.
        self.block = BLOCK if self.abreast and batch_size > BLOCK else 0
        ways = [(True, BLOCK)] if self.block else []
        ways += [(True, 0)] if self.abreast else []
        for self.abreast, self.block in ways:
            with contextlib.suppress(
                NotAbreast, NotCompilable
            ):  # what its rows do cannot be done so
                self._make(targets, data)
                return
        self.abreast, self.block = False, 0
        self._make(targets, data)

    def _make(self, targets: Sequence[Any], data: Sequence[tuple[str, Array]]) -> None:
        """Write the text, make the arrays, compile."""
        self.text = self._text(self.step, targets)
        if self.abreast and not self._lies_abreast():
            raise NotAbreast
        mixed = self.text.mixed is not None
        # A shard may get no rows of the last, smaller batch.
        self.shards = 1 if mixed else shards_for(self.work, self.batch, thread_count(self._threads))
        sizes = [] if self.abreast else products_of(self.step, self.batch)
        multiplies = any(size >= SMALL or self.shards > 1 for _, size in sizes)
        self.blas = blas() if multiplies else None
        #: What the kernel calls to multiply.
        self._products = products(sizes) if multiplies else NO_PRODUCTS
        self._arrange()
        self._losses, self._checks = np.zeros(1), np.zeros((2, self.shards, 16))
        begin = nullcontext if self.blas is None else self.blas.alone
        self.crew = Crew(self.shards, begin, SPARE)
        self._kernel: Any = None
        self.take(data)

    def _is_small(self) -> bool:
        """Whether widths are so small that machine code for these very sizes pays."""
        numbers = sum(s.data.size for s in self.segments)
        part = self.work * min(1, BLOCK / self.batch)
        return numbers <= MOST_NUMBERS and part <= MOST_WORK

    def _lies_abreast(self) -> bool:
        """Whether the rows of a batch are the first axis of every array that has them."""
        for a in self.text.arguments:
            with_rows = [d for d in a.shape if isinstance(d, Rows)]
            first = a.shape[1 if a.stacked else 0]
            if a.role != "data" and with_rows and (first != ROWS or len(with_rows) > 1):
                return False
        return self.text.mixed is None

    # -- the text --------------------------------------------------------------------------------

    def _text(self, step: Symbolic, targets: Sequence[Any]) -> Source:
        written = []
        for target, value in zip(targets, step.targets, strict=True):
            if not isinstance(value, Value):
                raise NotCompilable(_SAME[target.role])
            written.append((target.role, target.name, value, target.payload))
        dtypes = {s.data.dtype for s in self.segments}
        if len(dtypes) > 1:
            raise NotCompilable(_("its parameters are of several dtypes"))
        (dtype,) = dtypes
        kinds = " → ".join(type(layer).__name__ for layer in self.network.layers)
        title = (
            f"A training step of {kinds}, {type(self.network.loss).__name__}, with"
            f" {type(self.optimizer).__name__}."
        )
        return train_text(
            title,
            step,
            written,
            self.optimizer,
            [(s.decays, s.lr_factor) for s in self.segments],
            dtype,
            self.limited,
            self.abreast,
            self.block,
        )

    # -- the arrays ------------------------------------------------------------------------------

    def take(self, data: Sequence[tuple[str, Array]]) -> None:
        """Use other data of the same kind, and the present arrays of the optimizer's state."""
        by_name, n = dict(data), len(data[0][1])
        if not all(within(a, limit) for a, limit in id_limits(self.step, by_name)):
            raise NotCompilable(_("an id in the data names no row of a table"))
        numbers, words = tables(self.step, [self.batch, n % self.batch or self.batch])
        leaves = [a for a in self.text.arguments if a.role == "data"]
        arrays = {a.name: in_one_piece(by_name[a.payload.name], "data") for a in leaves}
        moved, nothing = self._moved(), np.zeros(1, np.intp)
        given = [
            {
                "blas": self._products, "crew": self.crew.words, "shard": k, "shards": self.shards,
                "batch": self.batch, "order": nothing, "starts": nothing, "rates": self.rates(1),
                "numbers": numbers, "words": words, "losses": self._losses, "checks": self._checks,
                **({"limits": self._limits()} if self.limited else {}),
                **handed_over(self.text.arguments, {**self._sized(own), **arrays}), **moved,
            }
            for k, own in enumerate(self._arrays)
        ]  # fmt: skip
        if self._kernel is None:
            alone = {"shards": 1} if self.shards == 1 else {}
            self._kernel = kernel(
                self.text.source, "train", given[0], self._say, self._seconds, **alone
            )
        self._calls: list[Call] = [self._kernel.call(arguments) for arguments in given]

    def _sized(self, own: Mapping[str, Array]) -> dict[str, Array | Sized]:
        """The arrays as the kernel takes them: with known lengths, if rows are computed abreast."""
        if not self.abreast:
            return dict(own)
        of = {a.name: a for a in self.text.arguments}
        return {name: Sized(x, _by_row(of[name]), of[name].stacked) for name, x in own.items()}

    def release(self) -> None:
        """Drop the references to the data."""
        self._calls = []

    def _arrange(self) -> None:
        """Make the arrays of every shard, except the data and the optimizer's."""
        gradients = [a for a in self.text.arguments if a.role == "gradient"]
        self.whole = {id(a.payload) for a in gradients if a.whole and self.shards > 1}
        self.others = [self._others(s.grad) for s in self.segments]
        self.shared: dict[str, Array] = {}
        rows = -(-self.batch // self.shards)
        self._arrays = [
            {a.name: self._array(a, k, rows) for a in self.text.arguments if a.role != "data"}
            for k in range(self.shards)
        ]

    def _others(self, grads: Array) -> Array:
        """The array for the other shards' parts of a run of gradients; empty if there are none."""
        inside = [
            p
            for p in self.network.named_parameters().values()
            if p.trainable and np.shares_memory(p.grad, grads)
        ]
        alone = all(id(p) in self.whole for p in inside)
        return room((0 if alone else self.shards - 1, grads.size), grads.dtype)

    def _moved(self) -> dict[str, tuple[Array, ...]]:
        """The arrays that the optimizer updates: runs of parameters, gradients and its state."""
        runs = zip(self.segments, self.others, bound(self.optimizer, self.segments), strict=True)
        return {
            f"run{i}": (
                p.data.reshape(-1),
                p.grad.reshape(-1),
                others,
                *(s.reshape(-1) for s in slots),
            )
            for i, (p, others, slots) in enumerate(runs, 1)
        }

    def _limits(self) -> Array:
        """The limits of the gradients' norm; 0 for none."""
        return np.array([self.max_grad or 0.0, self.optimizer.clip_norm or 0.0])

    def _array(self, a: Argument, k: int, rows: int) -> Array:
        if a.role == "constant":
            return kept_in_one_piece(a.payload.array, self.reads)
        if a.role in ("bound", "buffer"):
            return in_one_piece(a.payload if a.role == "buffer" else a.payload.array, a.role)
        if a.role == "gradient":
            return self._gradient(a.payload, k)
        if a.role == "part":
            if a.name not in self.shared:
                size = math.prod(_at(a.shape, rows))
                self.shared[a.name] = room((self.shards, max(size, 16)), np.dtype(a.dtype))
            return self.shared[a.name]
        if a.shared and not self.abreast:
            if a.name not in self.shared:
                self.shared[a.name] = room(_at(a.shape, self.batch), a.dtype)
            return self.shared[a.name]
        if self.abreast and _by_row(a):
            rows = self.block or rows
            others = [d for d in a.shape if not isinstance(d, Rows)]
            return room((*others, -(-rows // self._pair) * self._pair), a.dtype)
        return room(_at(a.shape, rows), a.dtype)

    def _gradient(self, parameter: Any, k: int) -> Array:
        """The array for shard k's gradient of a parameter: the network's own, or another like it."""
        grad: Array = parameter.grad
        if k == 0 or id(parameter) in self.whole:
            return grad
        at = grad.ctypes.data
        for segment, others in zip(self.segments, self.others, strict=True):
            g = segment.grad
            offset = at - g.ctypes.data
            if 0 <= offset < g.nbytes or (offset == 0 and g.nbytes == 0):
                first = offset // g.itemsize
                found: Array = others[k - 1, first : first + grad.size].reshape(grad.shape)
                return found
        raise NotCompilable(_("a gradient lies outside the network's arrays"))

    # -- running --------------------------------------------------------------------------------------

    @property
    def call(self) -> Call:
        """The first shard's call of the kernel."""
        return self._calls[0]

    def array(self, name: str) -> Array:
        """The first shard's array of that name in the text; none of the data's."""
        return self._arrays[0][name]

    def rates(self, steps: int) -> Array:
        """The optimizer's numbers for the next steps."""
        return self.optimizer.hyperparameters_for(steps)

    def run(self, order: Array, starts: Array, rates: Array) -> Array:
        """Make steps over these rows; gives the losses of the steps that succeeded.

        `order` are row numbers, `starts` where each step's rows begin in it (and where the last
        ends). A step with a number that is not finite is the last one, and the caller must discard
        what it has written; its loss is `bad_loss`.
        """
        steps = len(starts) - 1
        if len(self._losses) < steps:
            self._losses = np.zeros(steps)

        limits = {"limits": self._limits()} if self.limited else {}
        for grad in self.idle:
            grad.fill(0)
        if debugging():
            for k, own in enumerate(self._arrays):
                # A gradient computed by the first shard alone: the other shards' parts stay 0.
                roles = WRITTEN if k else (*WRITTEN, "gradient")
                spoil(*(own[a.name] for a in self.text.arguments if a.role in roles))

        def work(k: int, crew: Array) -> int:
            call = self._calls[k]
            call.change(
                crew=crew, order=order, starts=starts, rates=rates, losses=self._losses, **limits
            )
            return call()

        done: int = self.crew.run(work)
        self.optimizer.iter += done
        if done < steps:
            self.bad_loss = float(self._losses[done])
        return self._losses[:done].copy()


def bound(optimizer: UpdateRule, segments: Sequence[Segment]) -> list[list[Array]]:
    """The optimizer's state for these runs of parameters, in memory that kernels take."""
    params, grads, decays, factors = map(list, zip(*segments, strict=True))
    optimizer.bind(params, grads, decays, factors)
    assert optimizer.state is not None
    for slots in optimizer.state:
        slots[:] = map(aligned, slots)
    return optimizer.state


def id_limits(step: Symbolic, data: Mapping[str, Array]) -> list[tuple[Array, int]]:
    """The data used as row numbers, each with its table's length; kernels do not check them."""
    limits = []
    for v in step.values:
        if v.function is take_rows:
            most, ids = v.args[0].shape[0], v.args[1]
        elif v.function in (chosen, replaced):
            most, ids = v.args[0].shape[-1], v.args[1]
        elif (
            v.function in (pick, add_at) and len(v.args[1]) == 1 and isinstance(v.args[1][0], Value)
        ):
            most, ids = (v if v.function is add_at else v.args[0]).shape[0], v.args[1][0]
        else:
            continue
        looks: list[Value] = []
        while isinstance(ids, Value) and (ids.function in (cast, np.reshape) or is_view(ids)):
            looks.append(ids)
            ids = ids.args[0]
        if not isinstance(ids, Value):  # a number of the formula, which ran when it was recorded
            continue
        leaf = ids.payload
        if ids.function is not None or isinstance(most, Rows):
            raise NotCompilable(_("row numbers of a table are computed in it"))
        found = data.get(leaf.name) if leaf.array is None else leaf.array
        if found is None:
            raise NotCompilable(_("row numbers of a table are computed in it"))
        limits.append((_columns(found, looks[::-1], step), most))
    return limits


def _columns(ids: Array, looks: Sequence[Value], step: Symbolic) -> Array:
    """The part of the data that is row numbers, such as one column; all of it if that is unclear."""
    part = ids
    for v in looks:
        if v.function is cast:
            continue
        if v.function is not pick or part.ndim != v.args[0].ndim:
            return part
        key: list[Any] = []
        source = out = 0  # the axes of what is looked at, and of what is seen
        for k in v.args[1]:
            places: Any = slice(None)
            if isinstance(k, Cut) and not k.whole:
                length = v.shape[out]
                if isinstance(k.start, Rows) or isinstance(length, Rows):
                    return part
                first = step.numbers.now(k.start)
                part = np.take(part, first + k.step * np.arange(length), source)
            elif isinstance(k, Rows):
                return part
            elif not isinstance(k, Cut):
                places = None if k is None else step.numbers.now(k)
            key.append(places)
            source += k is not None
            out += k is None or isinstance(k, Cut)
        part = part[tuple(key)]
    return part


def within(ids: Array, rows: int) -> bool:
    """Whether all ids have a row in a table."""
    return not ids.size or bool(ids.min() >= 0 and ids.max() < rows)


def _by_row(a: Argument) -> bool:
    """Whether it is an array of rows, or a stack of such arrays."""
    return isinstance(a.shape[1 if a.stacked else 0], Rows)


def _at(shape: tuple[Any, ...], n: int) -> tuple[int, ...]:
    return tuple(d.at(n) if isinstance(d, Rows) else d for d in shape)


def product_size(v: Value, n: int) -> int:
    """The multiplications of a product for n rows."""
    a = v.operands[0]
    return math.prod(_at(v.shape, n)) * _at(a.shape, n)[-1]


def products_of(step: Symbolic, n: int) -> list[tuple[np.dtype[Any], int]]:
    """The dtype and the multiplications of each product for n rows."""
    return [(v.dtype, product_size(v, n)) for v in step.values if v.function is np.matmul]


def multiplications(step: Symbolic, n: int) -> float:
    """The multiplications of a step; everything else counts as a few for each element."""
    total = 0
    for v in step.values:
        if v.function is np.matmul:
            total += product_size(v, n)
        elif v.function is not None:
            total += 4 * math.prod(_at(v.shape, n))
    return total


def tables(step: Symbolic, sizes: Sequence[int]) -> tuple[Array, Array]:
    """The numbers of a step for each batch size: as floats, and as 64-bit words."""
    rows = [step.numbers.at(n) for n in sizes]
    numbers, words = np.zeros((len(sizes), max(len(rows[0]), 1))), None
    words = np.zeros(numbers.shape, np.uint64)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            numbers[i, j] = value
            if isinstance(value, int):
                words[i, j] = value % 2**64
    return numbers, words


def kept_in_one_piece(array: Array, reads: Reads) -> Array:
    """A constant as a contiguous array; if it had to be copied, `reads` gets the original."""
    found = in_one_piece(array, "constant")
    if array.size and not np.may_share_memory(found, array):
        reads.append(ArrayRead(array))
    return found


def in_one_piece(array: Array, role: str) -> Array:
    """A contiguous array for a kernel: the same memory, except for data and constants, read only."""
    if not (array.flags.c_contiguous and array.flags.aligned):
        if role not in ("constant", "data"):
            raise NotCompilable(_("one of its parameters does not lie in one piece"))
        array = np.require(array, requirements=["C", "A"])
    return array.reshape(-1) if array.ndim == 0 else array
