"""The arrays that a step works on: some for each shard of a batch, some that all shards share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.aligned import room
from chainrule.engine.compiled.elements import Argument
from chainrule.engine.compiled.pieces import bound, in_one_piece, kept_in_one_piece
from chainrule.engine.compiled.values import NotCompilable, Rows, lengths
from chainrule.engine.compiler.sized import Sized, rows_at_once
from chainrule.engine.compiler.target import vector_bytes
from chainrule.engine.memory import spoil
from chainrule.engine.protocols import Segment, UpdateRule
from chainrule.graph.recording import Reads
from chainrule.lang.messages import _

__all__ = ["WRITTEN", "ShardArrays"]

Array = npt.NDArray[Any]

#: The roles of arrays that every run writes before it reads them.
WRITTEN = ("part", "work")


class ShardArrays:
    """The arrays of a step's text, for each shard; the data and the optimizer's state are others'.

    `abreast`: rows are computed side by side, `block` of them at a time if that is not 0. `parts`: into how
    many parts the batch is cut, if each shard computes several of them, one after the other, else `shards`.
    """

    def __init__(
        self,
        arguments: Iterable[Argument],
        segments: Sequence[Segment],
        parameters: Iterable[Any],
        reads: Reads,
        *,
        batch: int,
        shards: int,
        parts: int,
        abreast: bool,
        block: int,
    ) -> None:
        self.arguments = {a.name: a for a in arguments if a.role != "data"}
        self.segments, self.reads, self.batch, self.shards = segments, reads, batch, shards
        self.abreast, self.block = abreast, block
        #: The most rows that are computed at once: of a shard, or of each part that it computes in turn.
        self.rows = -(-batch // parts)
        #: How many sums of parts may wait, in each shard, for others of as many.
        self._waiting = (parts // shards).bit_length() - 1
        gradients = [a for a in self.arguments.values() if a.role == "gradient"]
        #: The parameters whose gradients are added up for all rows at once: by their ids.
        self._whole = {id(a.payload) for a in gradients if a.whole and shards > 1}
        moving = [p for p in parameters if p.trainable]
        #: For each run of gradients, the parts that shards beside the first have of it.
        self._others = [self._parts(s.grad, moving) for s in segments]
        self._shared: dict[str, Array] = {}
        self._of = [
            {name: self._array(a, k) for name, a in self.arguments.items()} for k in range(shards)
        ]

    def first(self, name: str) -> Array:
        """The first shard's array of that name in the text."""
        return self._of[0][name]

    def given(self, k: int) -> dict[str, Array | Sized]:
        """Shard k's arrays as the kernel takes them: with known lengths, if rows are abreast."""
        if not self.abreast:
            return dict(self._of[k])
        return {
            name: Sized(x, self.arguments[name].by_row, self.arguments[name].stacked)
            for name, x in self._of[k].items()
        }

    def parts(self) -> Iterator[tuple[Array, int]]:
        """The arrays with the shards' parts of sums, and how many numbers each sum has."""
        for name, a in self.arguments.items():
            if a.role == "part":
                yield self.first(name), math.prod(lengths(a.shape, self.rows))

    def runs(self, optimizer: UpdateRule) -> dict[str, tuple[Array, ...]]:
        """The arrays that the optimizer updates: runs of parameters, gradients and its state."""
        runs = zip(self.segments, self._others, bound(optimizer, self.segments), strict=True)
        return {
            f"run{i}": (
                p.data.reshape(-1),
                p.grad.reshape(-1),
                others,
                *(s.reshape(-1) for s in slots),
            )
            for i, (p, others, slots) in enumerate(runs, 1)
        }

    def spoil(self) -> None:
        """Fill with NaN what every run writes before it reads it."""
        for k, own in enumerate(self._of):
            # A gradient computed by the first shard alone: the other shards' parts stay 0.
            roles = WRITTEN if k else (*WRITTEN, "gradient")
            spoil(*(own[name] for name, a in self.arguments.items() if a.role in roles))

    def _parts(self, grads: Array, parameters: Sequence[Any]) -> Array:
        """The array for the other shards' parts of a run of gradients; empty if there are none."""
        inside = [p for p in parameters if np.shares_memory(p.grad, grads)]
        alone = all(id(p) in self._whole for p in inside)
        others = self.shards - 1 + self.shards * self._waiting
        return room((0 if alone else others, grads.size), grads.dtype)

    def _array(self, a: Argument, k: int) -> Array:
        if a.role == "constant":
            return kept_in_one_piece(a.payload.array, self.reads)
        if a.role in ("bound", "buffer"):
            return in_one_piece(a.payload if a.role == "buffer" else a.payload.array, a.role)
        if a.role == "gradient":
            return self._gradient(a.payload, k)
        if a.role == "part":
            size = max(math.prod(lengths(a.shape, self.rows)), 16)
            return self._for_all(a, (self.shards, size))
        if a.shared and not self.abreast:
            return self._for_all(a, lengths(a.shape, self.batch))
        if self.abreast and a.by_row:
            pair = 2 * rows_at_once(vector_bytes())  # of vectors, in which rows are computed
            others = [d for d in a.shape if not isinstance(d, Rows)]
            return room((*others, -(-(self.block or self.rows) // pair) * pair), a.dtype)
        return room(lengths(a.shape, self.rows), a.dtype)

    def _for_all(self, a: Argument, shape: tuple[int, ...]) -> Array:
        """An array that all shards share."""
        if a.name not in self._shared:
            self._shared[a.name] = room(shape, a.dtype)
        return self._shared[a.name]

    def _gradient(self, parameter: Any, k: int) -> Array:
        """The array for shard k's gradient of a parameter: the network's own, or another like it."""
        grad: Array = parameter.grad
        if k == 0 or id(parameter) in self._whole:
            return grad
        at = grad.ctypes.data
        for segment, others in zip(self.segments, self._others, strict=True):
            g = segment.grad
            offset = at - g.ctypes.data
            if 0 <= offset < g.nbytes or (offset == 0 and g.nbytes == 0):
                first = offset // g.itemsize
                found: Array = others[k - 1, first : first + grad.size].reshape(grad.shape)
                return found
        raise NotCompilable(_("a gradient lies outside the network's arrays"))
