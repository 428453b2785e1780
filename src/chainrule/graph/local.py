"""One node with its numbers, element by element: which inputs an output is computed from, and back.

No node is known by name here. Everything is found by running the node's own forward and backward: on
the numbers themselves, on one-hot gradients, and on labels (1, 2, 3, ...) in place of the numbers,
whose positions in the result show where each number goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from chainrule.errors import RecordingError
from chainrule.graph.recording import recording
from chainrule.graph.variable import Variable
from chainrule.nodes.base import Array, Node, Value, ignore_fp_errors
from chainrule.nodes.linear_algebra import MatrixError

__all__ = ["Local", "Part", "as_float64"]


class Part(NamedTuple):
    """Terms of a sum: each a coefficient times an element of one array, or of two arrays."""

    coefficients: Array
    #: One or two factors: the number of the array, and the flat positions of its elements.
    factors: tuple[tuple[int, Array], ...]


def as_float64(x: Value) -> Array:
    """Real numbers in float64, so that a slope is exact to the last digit; others unchanged."""
    array = np.asarray(x)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


class Local:
    """A float64 copy of a node with the numbers at its inputs, separate from its graph."""

    def __init__(self, node: Node) -> None:
        self.inputs = tuple(as_float64(v.data) for v in node.inputs)
        self.node = node.float64_copy()
        self.outputs = self.forward(self.inputs)
        #: The inputs of real numbers, which have slopes.
        self.moving = [k for k, x in enumerate(self.inputs) if x.dtype.kind == "f"]

    # -- running the node ------------------------------------------------------------------

    def forward(self, inputs: Sequence[Value]) -> tuple[Value, ...]:
        """The outputs for some inputs."""
        with ignore_fp_errors():
            out = self.node.pure_forward(*inputs)
        return out if isinstance(out, tuple) else (out,)

    def backward(
        self, douts: Sequence[Value], inputs: Sequence[Value] | None = None
    ) -> list[Value]:
        """The gradient of every input; 0 where the node gives none."""
        arrays = self.inputs if inputs is None else tuple(inputs)
        outputs = self.outputs if inputs is None else self.forward(arrays)
        with ignore_fp_errors():
            result = self.node.bound(arrays, outputs).pure_backward(*douts)
        dxs = result if isinstance(result, tuple) else (result,)
        return [np.zeros(x.shape) if dx is None else dx for x, dx in zip(arrays, dxs, strict=True)]

    # -- what the node is ------------------------------------------------------------------

    @cached_property
    def shape(self) -> tuple[list[int], tuple[int, int] | None] | None:
        """The inputs it is linear in, and the pair that it multiplies; None for any other node.

        The gradient of a linear input does not change with any input; if it changes with exactly one
        other input, the node multiplies the two.
        """
        try:
            return self._shape()
        except MatrixError:  # it takes some matrices only: no sum of products
            return None

    def _shape(self) -> tuple[list[int], tuple[int, int] | None] | None:
        rng = np.random.default_rng(0)
        us = [rng.normal(size=np.shape(out)) for out in self.outputs]
        base = {k: rng.normal(size=self.inputs[k].shape) for k in self.moving}

        def at(**moved: Array) -> list[Value]:
            inputs = list(self.inputs)
            for k, x in base.items():
                inputs[k] = moved.get(f"x{k}", x)
            return self.backward(us, inputs)

        before = at()
        partners: dict[int, set[int]] = {k: set() for k in self.moving}
        for moved, x in base.items():
            # Values of the other sign, and large ones, beyond what a node may compare with.
            for other in (-x, 50 * rng.normal(size=x.shape), -50 * rng.normal(size=x.shape)):
                after = at(**{f"x{moved}": other})
                for k in self.moving:
                    if not np.allclose(before[k], after[k], rtol=1e-9, atol=1e-12):
                        partners[k].add(moved)
        pairs = [(k, *others) for k, others in partners.items() if others]
        if not pairs:
            return list(self.moving), None
        if len(pairs) != 2 or pairs[0] != pairs[1][::-1]:
            return None
        (a, b) = pairs[0]
        return [k for k in self.moving if k not in (a, b)], (a, b)

    @cached_property
    def copied(self) -> tuple[Array, Array] | None:
        """For every element of the only output, the input it is copied from, and its position there."""
        try:
            return self._copied() if len(self.outputs) == 1 else None
        except MatrixError:
            return None

    def _copied(self) -> tuple[Array, Array] | None:
        sizes = [x.size for x in self.inputs]
        starts = np.cumsum([1, *sizes[:-1]])
        labels = [
            np.arange(s, s + x.size, dtype=float).reshape(x.shape) if k in self.moving else x
            for k, (s, x) in enumerate(zip(starts, self.inputs, strict=True))
        ]
        label = np.asarray(self.forward(labels)[0], float).reshape(-1)
        labels_out = self._whole(label, int(sum(sizes)))
        if labels_out is None or not self._gathers(labels_out, starts):
            return None
        which = np.searchsorted(starts, labels_out, side="right") - 1
        return which, labels_out - starts[which]

    def _gathers(self, labels: Array, starts: Array) -> bool:
        """Whether random numbers are copied to the same positions, too."""
        rng = np.random.default_rng(0)
        drawn = [np.asarray(rng.integers(-(10**6), 10**6, x.shape), float) for x in self.inputs]
        for sign in (1, -1):
            tried = [
                sign * d if k in self.moving else x
                for k, (d, x) in enumerate(zip(drawn, self.inputs, strict=True))
            ]
            flat = np.concatenate([np.zeros(1), *(np.reshape(x, -1) for x in tried)])
            if not np.array_equal(flat[labels], np.reshape(self.forward(tried)[0], -1)):
                return False
        return True

    def passed_on(self, k: int, m: int) -> Array | None:
        """For every element of input k, the element of output m whose gradient it gets unchanged."""
        out = self.outputs[m]
        us = [np.zeros(np.shape(o)) for o in self.outputs]
        us[m] = np.arange(1.0, np.size(out) + 1).reshape(np.shape(out))
        if self.shape is None:
            return None
        label = self._whole(np.reshape(self.backward(us)[k], -1), int(np.size(out)))
        if label is None:
            return None
        us[m] = np.asarray(np.random.default_rng(0).integers(-99, 99, np.shape(out)), float)
        same = np.array_equal(
            np.reshape(us[m], -1)[label - 1], np.reshape(self.backward(us)[k], -1)
        )
        return label - 1 if same else None

    @staticmethod
    def _whole(labels: Array, most: int) -> Array | None:
        """Labels as whole numbers from 1 to `most`; None if these are not all labels."""
        if not np.all((labels >= 1) & (labels <= most)):
            return None
        whole = labels.astype(np.int64)
        return whole if np.array_equal(whole, labels) else None

    # -- what an element is made of, and what it moves ----------------------------------------

    def parts(self, m: int, position: int) -> list[Part] | None:
        """An element of output m as a sum of products; None if it is not one."""
        if self.shape is None:
            return None
        singles, pair = self.shape
        one = self._one_hot(m, position)
        dxs = self.backward(one)
        terms = [self._slopes(k, dxs[k]) for k in singles]
        if pair is not None:
            a, b = pair
            labels = self._labelled(b)
            partner = self._whole_part(self.backward(one, labels)[a], a, b)
            if partner is None:
                return None
            terms.append(partner)
        terms = [part for part in terms if len(part.coefficients)]
        value = float(np.reshape(self.outputs[m], -1)[position])
        sizes = [self.value(part) for part in terms]
        total = float(sum(np.sum(size) for size in sizes))
        scale = float(sum(np.sum(np.abs(size)) for size in sizes))
        return terms if abs(total - value) <= 1e-9 * scale + 1e-300 else None

    def touches(self, m: int, position: int) -> list[tuple[int, Array]]:
        """The elements of each input that an element of output m is computed from.

        These have a slope other than 0: here, or, since a slope may happen to be 0, where all inputs are 1.
        """
        ones = [np.ones(x.shape) if k in self.moving else x for k, x in enumerate(self.inputs)]
        one = self._one_hot(m, position)
        here = self.backward(one)
        try:
            there = self.backward(one, ones)
        except MatrixError:
            there = here
        touched = []
        for k in self.moving:
            slopes = [np.reshape(np.asarray(dxs[k], float), -1) for dxs in (here, there)]
            positions = np.flatnonzero((slopes[0] != 0) | (slopes[1] != 0))
            if len(positions):
                touched.append((k, positions))
        return touched

    def moves(self, k: int, position: int, m: int) -> Part:
        """∂y/∂x for one element of input k and all of output m; the first factors are those of y.

        Where the slope is an element of another input, that is the second factor.
        """
        if self.shape is not None and self.shape[1] is not None and k in self.shape[1]:
            a, b = self.shape[1]
            other = b if k == a else a
            column = self._column(k, position, m, self._labelled(other))
            at = np.flatnonzero(column)
            label = self._whole(column[at], self.inputs[other].size)
            if label is not None:
                return Part(np.ones(len(at)), ((m, at), (other, label - 1)))
        column = self._column(k, position, m, None)
        at = np.flatnonzero(column)
        return Part(column[at], ((m, at),))

    def value(self, part: Part) -> Array:
        """The numbers of a part of an output."""
        values = part.coefficients
        for k, positions in part.factors:
            values = values * np.reshape(self.inputs[k], -1)[positions]
        return values

    def _one_hot(self, m: int, position: int) -> list[Array]:
        us = [np.zeros(np.shape(out)) for out in self.outputs]
        us[m].reshape(-1)[position] = 1.0
        return us

    def _labelled(self, k: int) -> list[Value]:
        """The inputs, with the labels 1, 2, 3, … in place of input k."""
        inputs = list(self.inputs)
        inputs[k] = np.arange(1.0, inputs[k].size + 1).reshape(inputs[k].shape)
        return inputs

    def _slopes(self, k: int, dx: Value) -> Part:
        flat = np.reshape(np.asarray(dx, float), -1)
        at = np.flatnonzero(flat)
        return Part(flat[at], ((k, at),))

    def _whole_part(self, dx: Value, a: int, b: int) -> Part | None:
        flat = np.reshape(dx, -1)
        at = np.flatnonzero(flat)
        label = self._whole(flat[at], self.inputs[b].size)
        return None if label is None else Part(np.ones(len(at)), ((a, at), (b, label - 1)))

    def _column(self, k: int, position: int, m: int, inputs: list[Value] | None) -> Array:
        """∂y/∂x of one element of input k: the slope of its gradient in the gradient of y.

        Backward is linear in the gradients it takes, so its own gradient is the transposed map.
        """
        at = self.inputs if inputs is None else inputs
        # Not at 0, where some nodes return 0 whatever the slope is.
        us = [Variable(np.ones(np.shape(out))) for out in self.outputs]
        try:
            with recording():
                dx = self.backward(us, at)[k]
                if not isinstance(dx, Variable) or not dx.requires_grad:
                    return np.zeros(us[m].size)
                by_arrow = dx.reshape(-1)[position].graph.gradients(wanted=[us[m]])
        except RecordingError:  # a hand-written backward takes arrays only
            return self._column_by_rows(k, position, m, at)
        return np.reshape(by_arrow.get(us[m], np.zeros(us[m].shape)), -1)

    def _column_by_rows(self, k: int, position: int, m: int, at: Sequence[Value]) -> Array:
        column = np.zeros(np.size(self.outputs[m]))
        for j in range(len(column)):
            column[j] = np.reshape(self.backward(self._one_hot(m, j), at)[k], -1)[position]
        return column
