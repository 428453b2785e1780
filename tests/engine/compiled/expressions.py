"""Random expressions of rows and parameters, as networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tests.engine.compiled.made import Holder

import chainrule as cr

__all__ = ["CHOICES", "Expression"]

A, B = 3, 5  # widths

Make = Callable[["Expression", Any, Any], Any]


def _tame(v: Any) -> Any:
    return cr.tanh(v)


def _pairs(f: Callable[[Any, Any], Any]) -> Make:
    """Of any two values that NumPy can line up: else of the first and itself."""

    def make(net: Expression, a: Any, b: Any) -> Any:
        try:
            shape = np.broadcast_shapes(a.shape, b.shape)
        except ValueError:
            return f(a, a)
        lined = [v.ndim == len(shape) or not net.has_rows(v) for v in (a, b)]
        return f(a, b) if all(lined) and len(shape) < 4 else f(a, a)

    return make


def _single(f: Callable[[Any], Any]) -> Make:
    return lambda net, a, b: f(a)


def _of_rows(f: Callable[[Any, Any], Any]) -> Make:
    """Where a has rows and features."""
    return lambda net, a, b: f(a, b) if net.has_rows(a) and a.ndim == 2 else _tame(a)


def _product(net: Expression, a: Any, b: Any) -> Any:
    if a.ndim == 2 and net.has_rows(a):
        return a @ net.weight(a.shape[1]) / a.shape[1]
    return a * 0.5


def _joined(net: Expression, a: Any, b: Any) -> Any:
    if not (net.has_rows(a) and net.has_rows(b) and a.ndim == b.ndim == 2):
        return a + 1
    return cr.concatenate([a, b, a], 1)[:, : 2 * a.shape[1]]


#: What may be made of two values that are there.
CHOICES: list[Make] = [
    _pairs(lambda a, b: a + b),
    _pairs(lambda a, b: a - 0.5 * b),
    _pairs(lambda a, b: _tame(a * b)),
    _pairs(lambda a, b: a / (1.5 + _tame(b))),
    _pairs(lambda a, b: cr.where(a > 0.123, b, a)),
    _product,
    _product,
    _joined,
    _single(_tame),
    _single(cr.sigmoid),
    _single(cr.gelu),
    _single(lambda a: cr.exp(-a * a)),
    _single(lambda a: cr.log(2 + _tame(a))),
    _single(lambda a: cr.sqrt(1.5 + _tame(a)) ** 3),
    _of_rows(lambda a, b: cr.softmax(a)),
    _of_rows(lambda a, b: cr.sum(a, 1)),
    _of_rows(lambda a, b: cr.logsumexp(a, keepdims=True)),
    _of_rows(lambda a, b: cr.mean(a, 1, keepdims=True) - a),
    _of_rows(lambda a, b: cr.var(a, 1, keepdims=True)),
    _of_rows(lambda a, b: cr.norm(a, axis=1) * 0.3),
    _of_rows(lambda a, b: a - cr.mean(a, 0)),
    _of_rows(lambda a, b: a / cr.std(a, 0)[None, :] if a.shape[0] > 2 else a),
    _of_rows(lambda a, b: cr.mean(a, 0)),
    _of_rows(lambda a, b: cr.sum(a) / a.size),
    _of_rows(lambda a, b: (a @ a.T) @ a / a.size),
    _of_rows(lambda a, b: a[:, 1:] if a.shape[1] > 1 else a),
    _of_rows(lambda a, b: cr.stack([a, 2 * a], 2)[:, :, 1]),
    _of_rows(lambda a, b: cr.reshape(cr.stack([a, a * a], 1), (-1, 2 * a.shape[1]))),
    _of_rows(lambda a, b: cr.expand_dims(a, 2) * cr.expand_dims(a, 1)),
    _single(lambda a: cr.sum(a, -1) * 0.2 if a.ndim > 2 else a),
    _single(lambda a: cr.sum(a, 1) * 0.2 if a.ndim > 2 else a),
    _single(lambda a: cr.transpose(a, (0, 2, 1)) if a.ndim > 2 else a),
]


class Expression(cr.Network):
    """A program of steps (which of CHOICES, of which two values), its sum compared with t."""

    def __init__(self, steps: Sequence[tuple[int, int, int]], dtype: Any) -> None:
        super().__init__(loss=cr.MeanSquaredError())
        self.steps = [tuple(s) for s in steps]
        rng = np.random.default_rng(5)
        shapes = [(A,), (B,), (A, B), (1, A), (1,)]
        self.held = Holder([rng.standard_normal(s).astype(dtype) for s in shapes])
        self.kind = dtype
        self._n = 0

    def has_rows(self, v: Any) -> bool:
        return bool(v.ndim) and v.shape[0] == self._n

    def weight(self, inputs: int) -> Any:
        """A matrix to multiply by: the parameter where it fits, else numbers."""
        if inputs == A:
            return self.held._variables()[2]
        c = np.cos(np.arange(inputs * B)).reshape(inputs, B)
        return c.astype(self.kind)

    def predict(self, x: Any) -> Any:
        self._n = x.shape[0]
        pool = [x, *self.held._variables(), x[:, 0], x[:, 1:2]]
        for choice, a, b in self.steps:
            # Mostly of what came last, so that programs are deep.
            first, second = pool[-1 - a % len(pool)], pool[-1 - b % len(pool)]
            out = CHOICES[choice % len(CHOICES)](self, first, second)
            if out.ndim <= 3 and out.size <= 600:
                pool.append(out)
        total = cr.sum(x * pool[1], 1, keepdims=True)
        for v in pool[6:]:
            if self.has_rows(v):
                total = total + cr.reshape(v, (self._n, -1)).mean(1, keepdims=True)
            else:
                total = total + 0.1 * cr.sum(v)
        return total
