"""Compiled prediction: rows in blocks, through buffers that hold one block."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.aligned import room
from chainrule.engine.compiled.blas import blas
from chainrule.engine.compiled.constants import SMALL, SPARE
from chainrule.engine.compiled.ids import id_limits, within
from chainrule.engine.compiled.library import NO_PRODUCTS, Products, products
from chainrule.engine.compiled.machine import Call, kernel
from chainrule.engine.compiled.module import handed_over, predict_text
from chainrule.engine.compiled.pieces import in_one_piece, kept_in_one_piece
from chainrule.engine.compiled.record import record_predict
from chainrule.engine.compiled.symbolic import NotCompilable, Rows, Value, overlay
from chainrule.engine.compiled.threads import Crew, crew_words, shards_for, thread_count
from chainrule.engine.compiled.values import lengths
from chainrule.engine.compiled.work import multiplications, products_of
from chainrule.engine.protocols import RecordableNetwork
from chainrule.lang.messages import _

__all__ = ["BLOCK", "CompiledPredict"]

Array = npt.NDArray[Any]

#: The number of rows in a block: few enough that their values stay in the processor's cache.
BLOCK = 128
#: Outputs of fewer numbers may come to lie near anything; larger ones do not at the same row.
_LITTLE = 1024


class CompiledPredict:
    """A network's compiled prediction for any number of rows; several threads may call it at once.

    Rows are processed in blocks from the first row on, whatever the number of threads. So the same
    rows at the same indices give the same bits; at other indices the last digits may differ.
    """

    def __init__(
        self,
        network: RecordableNetwork,
        x: Array,
        say: Callable[[str], None] | None = None,
        seconds: Callable[[], float] | None = None,
    ) -> None:
        record, targets = record_predict(network, x)
        widths = set(x.shape[1:])
        widths |= {d for p in network.named_parameters().values() for d in p.shape}
        step = overlay(record, widths)
        self.reads = step.reads
        (out,) = step.targets
        if not isinstance(out, Value) or not out.shape or not isinstance(out.shape[0], Rows):
            raise NotCompilable(_("its outputs do not go row by row"))
        kinds = " → ".join(type(layer).__name__ for layer in network.layers)
        written = [(targets[0].role, targets[0].name, out, None)]
        self.text = predict_text(f"Prediction of {kinds}.", step, written, network.dtype)
        if self.text.mixed is not None:
            raise NotCompilable(self.text.mixed)
        numbers, words = step.numbers.tables([BLOCK, BLOCK + 1])
        # A block cannot depend on other rows, nor on their number.
        whole = any(a.role == "part" for a in self.text.arguments)
        if whole or any(one.tobytes() != other.tobytes() for one, other in (numbers, words)):
            raise NotCompilable(_("its outputs for a row go with the other rows"))
        self._numbers = numbers[0], words[0]
        #: The recorded prediction, if row numbers are in x, which `takes` checks before every call.
        self.ids = step if id_limits(step, {"x": x}) else None
        self._kind = out.dtype
        self._tail = tuple(d for d in out.shape[1:] if isinstance(d, int))
        self._width = math.prod(self._tail)
        self._sizes = products_of(step, BLOCK)
        self.row_work = multiplications(step, 1)
        # A single row goes through plain loops: a matrix times a vector is bound by memory.
        most = max((size for _, size in products_of(step, 1)), default=0)
        self.blas_rows = max(2, -(-SMALL // max(most, 1)))
        #: The arrays of another network, instead of the recorded one's, by name.
        self._own: dict[str, Array] = {}
        # Free calls, with working arrays, for one row and for a block.
        self._free: list[Call] = []
        self._free_rows: list[tuple[Callable[[], int], Array, Array]] = []
        given = self._given(1, room((1, *x.shape[1:]), x.dtype), self._empty(1))
        self._kernel: Any = kernel(self.text.source, "predict", given, say, seconds)

    def _given(self, rows: int, x: Array, y: Array) -> dict[str, Any]:
        """The arguments, with working arrays for so many rows."""
        arrays: dict[str, Any] = {}
        for a in self.text.arguments:
            if a.role == "work":
                arrays[a.name] = room(lengths(a.shape, rows), a.dtype)
            elif a.role in ("data", "out"):
                arrays[a.name] = x if a.role == "data" else y
            elif a.role == "constant":
                arrays[a.name] = kept_in_one_piece(a.payload.array, self.reads)
            else:
                arrays[a.name] = in_one_piece(self._own.get(a.name, a.payload.array), a.role)
        numbers, words = self._numbers
        return {
            "blas": NO_PRODUCTS, "crew": crew_words(SPARE), "low": 0, "high": 1, "block": BLOCK,
            "numbers": numbers, "words": words, **handed_over(self.text.arguments, arrays),
        }  # fmt: skip

    def twin(self, arrays: Mapping[int, Array]) -> CompiledPredict | None:
        """The prediction of a network of the same structure, with its arrays by the id of this one's.

        None if an array is not among them.
        """
        leaves = [
            a for a in self.text.arguments if a.role not in ("work", "data", "out", "constant")
        ]
        if not all(id(a.payload.array) in arrays for a in leaves):
            return None
        twin = copy.copy(self)
        twin._own = {a.name: arrays[id(a.payload.array)] for a in leaves}
        twin._free, twin._free_rows = [], []
        return twin

    def _empty(self, n: int) -> Array:
        shape = (n, *self._tail)
        return room(shape, self._kind) if n * self._width < _LITTLE else np.empty(shape, self._kind)

    def _one(self, row: Array) -> Array:
        """The outputs for a single row."""
        free = self._free_rows
        try:
            entry = free.pop()
        except IndexError:
            x, y = room(row.shape, row.dtype), self._empty(1)
            entry = self._kernel.call(self._given(1, x, y)).bare(), x, y
        run, x, y = entry
        x[...] = row
        run()
        out = y.copy()
        free.append(entry)
        return out

    def _some(self, calls: Products, low: int, high: int, x: Array, y: Array) -> None:
        """Rows low to high."""
        free = self._free
        try:
            call = free.pop()
        except IndexError:
            call = self._kernel.call(self._given(BLOCK, x, y))
        call.change(blas=calls, low=low, high=high, data=(x,), out=(y,))
        call()
        call.forget("data", "out")
        free.append(call)

    @functools.cached_property
    def _calls(self) -> Products:
        """What multiplies the matrices of blocks."""
        return products(self._sizes)

    def takes(self, x: Array) -> bool:
        """Whether every id in x has a row in its table; if not, the NumPy engine reports which."""
        if self.ids is None:
            return True
        return all(within(ids, limit) for ids, limit in id_limits(self.ids, {"x": x}))

    def __call__(self, x: Array) -> Array:
        """The outputs for x."""
        n = len(x)
        if n == 1:
            return self._one(x)
        x = in_one_piece(x, "data")
        y = self._empty(n)
        if n < self.blas_rows:
            self._some(NO_PRODUCTS, 0, n, x, y)
            return y
        library, calls = blas(), self._calls
        blocks = -(-n // BLOCK)
        shards = 1
        if blocks > 1:
            shards = min(shards_for(self.row_work * n, n, thread_count(None)), blocks)

        def part(k: int, crew: Array) -> None:
            low, high = (min(BLOCK * (blocks * i // shards), n) for i in (k, k + 1))
            self._some(calls, low, high, x, y)

        Crew(shards, library.alone).run(part)
        return y
