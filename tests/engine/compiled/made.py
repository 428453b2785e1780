"""Networks made around single nodes and layers, so that a step can be taken through them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from tests.layers.table import Row
from tests.nodes.table import Case

import chainrule as cr
from chainrule.graph.variable import apply
from chainrule.nodes import Node

__all__ = ["OverParameters", "OverRows", "UnderLayer", "weighted_sum"]

Array = npt.NDArray[Any]


class Holder(cr.Layer):
    """Parameters p0, p1, … for a network to compute with."""

    def __init__(self, arrays: list[Array]) -> None:
        super().__init__(**{f"p{i}": a for i, a in enumerate(arrays)})


def weighted_sum(v: Any, dtype: Any) -> Any:
    """Σ v·c for numbers c that are unlike each other, so that every element counts."""
    if v.dtype.kind != "f":
        v = v.astype(dtype)
    c = np.cos(np.arange(max(v.size, 1))).reshape(v.shape or (1,)).astype(dtype)
    return cr.sum(v * (c if v.shape else c[0]))


class OverParameters(cr.Network):
    """A node of parameters and constants: nothing in it goes with the batch."""

    def __init__(self, case: Case, dtype: Any) -> None:
        super().__init__(loss=cr.MeanSquaredError())
        self.node, self.moving, self.kind = [case.node], case.moving, dtype
        self.given = [a.astype(dtype) if a.dtype.kind == "f" else np.array(a) for a in case.inputs]
        arrays = [np.array(self.given[i]).astype(dtype) for i in case.moving]
        self.held = Holder([*arrays, np.ones((1,), dtype)])

    def predict(self, x: Any) -> Any:
        *parameters, gain = self.held._variables()
        inputs: list[Any] = list(self.given)
        for i, p in zip(self.moving, parameters, strict=True):
            inputs[i] = p
        out = apply(self.node[0], *inputs)
        outs = out if isinstance(out, tuple) else (out,)
        total = gain
        for v in outs:
            total = total + weighted_sum(
                cr.Variable(v, requires_grad=False) if isinstance(v, np.ndarray) else v, self.kind
            )
        return x * total


class OverRows(cr.Network):
    """A node whose inputs have the batch as their first axis, cut out of the rows of x."""

    def __init__(self, node: Node, inputs: tuple[Array, ...], moving: tuple[int, ...]) -> None:
        super().__init__(loss=cr.MeanSquaredError())
        self.node, self.moving = [node], moving
        self.tails = [a.shape[1:] for a in inputs]
        self.kinds = [a.dtype for a in inputs]
        self.rows = len(inputs[0])
        self.held = Holder([np.ones(a.shape[1:] or (1,)) for a in inputs])

    @staticmethod
    def data(inputs: tuple[Array, ...], n: int) -> Array:
        """n rows like those of the inputs; no two have the same real numbers."""
        other = 1 + 0.003 * np.arange(n)[:, None]
        columns = []
        for a in inputs:
            flat = np.asarray(a, np.float64).reshape(len(a), -1)[np.arange(n) % len(a)]
            columns.append(flat * other if a.dtype.kind == "f" else flat)
        return np.concatenate(columns, axis=1)

    def predict(self, x: Any) -> Any:
        n = x.shape[0]
        scales = self.held._variables()
        inputs, first = [], 0
        for i, (tail, kind) in enumerate(zip(self.tails, self.kinds, strict=True)):
            size = int(np.prod(tail, dtype=int))
            part = cr.reshape(x[:, first : first + size], (n, *tail))
            first += size
            if i in self.moving:
                part = part * (scales[i] if tail else scales[i][0])
            elif kind.kind == "b":
                part = part > 0.5
            elif kind.kind in "iu":
                part = part.astype(kind)
            inputs.append(part)
        out = apply(_resized(self.node[0], self.rows, n), *inputs)
        outs = out if isinstance(out, tuple) else (out,)
        total = cr.sum(scales[0]) * 0.25
        for v in outs:
            v = v if v.dtype.kind == "f" else v.astype(float)
            if v.ndim and v.shape[0] == n:
                c = np.cos(np.arange(int(np.prod(v.shape[1:], dtype=int))))
                v = cr.reshape(v * c.reshape((1, *v.shape[1:])) if v.ndim > 1 else v, (n, -1))
                total = total + cr.sum(v, 1, keepdims=True)
            else:
                total = total + cr.mean(v)
        return total if total.ndim == 2 else cr.broadcast_to(total.reshape((1, 1)), (n, 1))


def _resized(node: Node, old: int, n: int) -> Node:
    """The node for a batch of n rows, where a shape among its settings begins with the batch."""
    shape = node.hyperparameters().get("shape")
    if not isinstance(shape, tuple) or not shape or shape[0] != old:
        return node
    made = object.__new__(type(node))
    made.__dict__.update(node.hyperparameters(), shape=(n, *shape[1:]))
    return made


class UnderLayer(cr.Network):
    """A layer or a loss of the table, with a scale before it that is learnt."""

    def __init__(self, row: Row, dtype: Any, shape: tuple[int, ...]) -> None:
        super().__init__(loss=row.make(dtype) if row.is_loss else cr.MeanSquaredError())
        self.takes_ids = row.takes_ids or row.goes_first
        self.scale = Holder(
            [(1 + 0.1 * np.arange(shape[-1] if len(shape) > 1 else 1)).astype(dtype)]
        )
        if not row.is_loss:
            self.layer = row.make(dtype)

    def predict(self, x: Any) -> Any:
        (scale,) = self.scale._variables()
        if not self.takes_ids:
            x = x * scale
        if hasattr(self, "layer"):
            x = self.layer(x)
        return x * cr.mean(scale) if self.takes_ids else x
