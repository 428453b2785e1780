"""Plant faults in the backward of nodes, one at a time, and see that the table's check finds each.

Run as a script it prints a table, and exits 1 if a fault survives:

    python tests/nodes/planted_faults.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.nodes import laws
from tests.nodes.table import draw

from chainrule import nodes
from chainrule.nodes import Node
from chainrule.nodes.indexing import add_at

Backward = Callable[..., Any]
#: As many as the table's check takes by default.
CASES = 40


@dataclass(frozen=True)
class Fault:
    """A wrong backward for a node."""

    node: type[Node]
    what: str
    backward: Backward
    #: Whether what it gives has not even the right form.
    breaks: bool = False


def times(node: type[Node], factor: float, i: int = 0) -> Fault:
    """The i-th gradient off by a factor."""
    right = node.pure_backward

    def backward(self: Node, *douts: Any) -> Any:
        dxs = right(self, *douts)
        if not isinstance(dxs, tuple):
            return dxs * factor
        return tuple(dx * factor if k == i else dx for k, dx in enumerate(dxs))

    sign = "the wrong sign" if factor == -1 else f"times 1 + {factor - 1:.0e}"
    return Fault(node, f"gradient {i} {sign}", backward)


def changed(node: type[Node], what: str, change: Callable[..., Any]) -> Fault:
    """The right gradients, then something done to them."""
    right = node.pure_backward
    return Fault(node, what, lambda self, *douts: change(self, right(self, *douts), *douts))


N = nodes
FAULTS: list[Fault] = [
    # a relative error in the ninth digit
    *(
        times(node, 1 + 1e-9)
        for node in (
            N.Add,
            N.Branch,
            N.Concatenate,
            N.Exp,
            N.GELU,
            N.Index,
            N.IndexAdd,
            N.Log,
            N.Log1p,
            N.LogSumExp,
            N.MatMul,
            N.Max,
            N.Mean,
            N.Mul,
            N.Norm,
            N.Pow,
            N.Prod,
            N.Repeat,
            N.Reshape,
            N.Sigmoid,
            N.SigmoidCrossEntropy,
            N.Softmax,
            N.SoftmaxCrossEntropy,
            N.Softplus,
            N.Sqrt,
            N.Std,
            N.Sum,
            N.Tanh,
            N.Transpose,
            N.Var,
        )
    ),
    times(N.Sub, 1 + 1e-9, 1),
    times(N.Div, 1 + 1e-9, 1),
    times(N.MatMul, 1 + 1e-9, 1),
    times(N.Where, 1 + 1e-9, 2),
    times(N.Clip, 1 - 1e-9),
    times(N.Stack, 1 - 1e-9),
    *(times(node, 1 + 1e-9) for node in (N.Inv, N.Det, N.SlogDet, N.Solve)),
    times(N.Solve, 1 + 1e-9, 1),
    # the wrong sign
    times(N.Inv, -1),
    times(N.Solve, -1),
    times(N.Sub, -1, 1),
    times(N.Neg, -1),
    times(N.Cos, -1),
    times(N.Div, -1, 1),
    times(N.Abs, -1),
    # swapped operands
    changed(N.Mul, "dz·x and dz·y change places", lambda self, d, dz: d[::-1]),
    changed(N.Maximum, "the smaller gets the gradient", lambda self, d, dz: d[::-1]),
    changed(N.Where, "the branch not chosen gets it", lambda self, d, dz: (None, d[2], d[1])),
    changed(N.Concatenate, "the parts in reverse", lambda self, d, dy: d[::-1]),
    changed(N.Stack, "the slices in reverse", lambda self, d, dy: d[::-1]),
    Fault(
        N.MatMul,
        "dW = dyᵀ x, transposed back",
        lambda self, dy: (
            dy @ np.swapaxes(self.inputs[1], -1, -2),
            np.swapaxes(np.swapaxes(dy, -1, -2) @ self.inputs[0], -1, -2) * 0.5,
        ),
    ),
    changed(N.Det, "A⁻¹ where A⁻ᵀ is meant", lambda self, d, dy: np.swapaxes(d, -1, -2)),
    changed(N.Cholesky, "both triangles", lambda self, d, dL: d + np.swapaxes(d, -1, -2)),
    changed(N.Cholesky, "the diagonal not halved", lambda self, d, dL: d * (1 + np.eye(len(d.T)))),
    changed(N.Eigh, "the other triangle", lambda self, d, *ds: np.swapaxes(d, -1, -2)),
    Fault(N.Pinv, "as of an inverse", lambda self, dY: _as_inverse(self.out, dY)),
    times(N.Erf, 1 + 1e-3),
    # a missing sum
    Fault(N.Branch, "only the first branch comes back", lambda self, *dys: dys[0]),
    changed(
        N.Repeat,
        "the sum over copies is a mean",
        lambda self, d, dy: d * (np.size(self.inputs[0].shape) and d.size / max(dy.size, 1)),
    ),
    Fault(N.Softmax, "no Σ dy·y", lambda self, dy: self.out * dy * (1 - self.out)),
    Fault(
        N.Index,
        "a repeated index counts once",
        lambda self, dy: (_once(self, dy), *(None for _ in self.inputs[1:])),
    ),
    Fault(
        N.SoftmaxCrossEntropy,
        "p for every class",
        lambda self, dl: (_probabilities(self) * np.expand_dims(dl, -1), None),
    ),
    # a wrong axis
    Fault(
        N.Transpose,
        "the axes again, not back",
        lambda self, dy: np.reshape(np.transpose(dy, self.axes), self.inputs[0].shape),
    ),
    Fault(
        N.Softmax,
        "Σ over the first axis",
        lambda self, dy: self.out * (dy - np.sum(dy * self.out, axis=0, keepdims=True)),
    ),
    changed(
        N.Sum,
        "repeated along the axes in reverse",
        lambda self, d, dy: self.spread(self.inputs[0], np.reshape(np.ravel(dy)[::-1], dy.shape)),
    ),
    changed(N.Reshape, "column by column", lambda self, d, dy: _fortran(dy, self.inputs[0].shape)),
    # a dropped term or factor
    Fault(N.Sigmoid, "y instead of y (1 - y)", lambda self, dy: dy * self.out),
    Fault(N.Tanh, "1 - y instead of 1 - y²", lambda self, dy: dy * (1 - self.out)),
    Fault(N.Sqrt, "1/y instead of 1/(2y)", lambda self, dy: dy / self.out),
    Fault(N.Exp, "dy · x, not dy · y", lambda self, dy: dy * self.inputs[0]),
    Fault(N.Log, "dy / y, not dy / x", lambda self, dy: dy / (1e-3 + self.out)),
    Fault(N.Log, "dy / (x + 1e-7)", lambda self, dy: dy / (self.inputs[0] + 1e-7)),
    Fault(N.Log1p, "dy / x", lambda self, dy: dy / (self.inputs[0] + 2)),
    Fault(N.Pow, "x^y, not x^(y-1)", lambda self, dz: _pow(self, dz, 0)),
    Fault(N.Pow, "no log x for the exponent", lambda self, dz: _pow(self, dz, 1)),
    Fault(
        N.GELU,
        "the gate taken as constant",
        lambda self, dy: dy * 0.5 * (1 + np.tanh(self.c * _cubic(self))),
    ),
    Fault(N.Softplus, "1 instead of σ(x)", lambda self, dy: np.where(self.inputs[0] > 0, dy, 0)),
    changed(N.SigmoidCrossEntropy, "σ(s), without - t", lambda self, d, dl: _ds(self, dl, d[1])),
    changed(N.SigmoidCrossEntropy, "no gradient for t", lambda self, d, dl: (d[0], 0 * d[1])),
    Fault(N.LogSumExp, "an even share", lambda self, dy: _even(self, dy)),
    changed(
        N.Prod, "y/x of the wrong factor", lambda self, d, dy: np.flip(d, -1) if d.ndim else 2 * d
    ),
    changed(N.Norm, "x², not x/y", lambda self, d, dy: d * self.inputs[0]),
    # off by one
    changed(N.Mean, "n + 1", lambda self, d, dy: d * (_n(self) / (_n(self) + 1))),
    changed(N.Var, "n - 1 where n is meant", lambda self, d, dy: d * (_n(self) / (_n(self) + 1))),
    changed(N.Std, "2 too many", lambda self, d, dy: d * 2),
    changed(N.Concatenate, "the cut one too early", lambda self, d, dy: _shifted(self, dy)),
    # a kink on the wrong side, a threshold off
    Fault(N.ReLU, "passes everything", lambda self, dy: dy),
    Fault(N.ReLU, "a leak of 1e-6", lambda self, dy: np.where(self.out > 0, dy, 1e-6 * dy)),
    Fault(
        N.LeakyReLU,
        "the slope on the wrong side",
        lambda self, dy: np.where(self.inputs[0] > 0, self.slope * dy, dy),
    ),
    Fault(N.Clip, "passes everything", lambda self, dy: dy),
    Fault(N.Abs, "1 on both sides", lambda self, dz: dz),
    Fault(N.Sign, "straight through", lambda self, dz: dz),
    changed(
        N.Max, "everyone gets the gradient", lambda self, d, dy: self.spread(self.inputs[0], dy)
    ),
    changed(N.Min, "nobody gets it", lambda self, d, dy: 0 * d),
    # a wrong shape, dtype or count
    Fault(N.Mul, "one gradient only", lambda self, dz: dz * self.inputs[1], breaks=True),
    changed(N.Add, "a gradient of one number", lambda self, d, dz: (np.sum(dz), dz)),
    changed(N.Sin, "in float32", lambda self, d, dy: d.astype(np.float32)),
    changed(N.Tanh, "the upstream gradient overwritten", lambda self, d, dy: _spoiled(d, dy)),
]


def _as_inverse(Y: Any, dY: Any) -> Any:
    turned = np.swapaxes(Y, -1, -2)
    return -turned @ dY @ turned


def _n(self: Any) -> int:
    return int(self.count(self.inputs[0]))


def _once(self: Any, dy: Any) -> Any:
    left = iter(self.inputs[1:])
    key = tuple(next(left) if isinstance(k, str) else k for k in self.key)
    if not isinstance(dy, np.ndarray):
        return add_at(dy, key, self.inputs[0].shape)
    dx = np.zeros(self.inputs[0].shape, dy.dtype)
    dx[key] = dy
    return dx


def _probabilities(self: Any) -> Any:
    s = self.inputs[0]
    e = np.exp(s - np.max(s, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def _fortran(dy: Any, shape: tuple[int, ...]) -> Any:
    return np.transpose(np.reshape(dy, shape[::-1]))


def _pow(self: Any, dz: Any, which: int) -> Any:
    x, y = self.inputs
    slope = y * x**y if which == 0 else y * x ** (y - 1)
    return dz * slope, np.where(x > 0, dz * self.out * (np.log(abs(x)) if which == 0 else 1), 0)


def _cubic(self: Any) -> Any:
    x = self.inputs[0]
    return x + self.a * (x * x * x)


def _ds(self: Any, dl: Any, dt: Any) -> Any:
    return dl / (1 + np.exp(-self.inputs[0])), dt


def _even(self: Any, dy: Any) -> Any:
    x = self.inputs[0]
    if not self.keepdims:
        dy = np.expand_dims(dy, self.axis)
    return np.broadcast_to(dy, x.shape) / x.shape[self.axis]


def _shifted(self: Any, dy: Any) -> Any:
    axis = self.axis % dy.ndim
    joined = np.concatenate([dy, dy], axis=axis)
    parts, start = [], 1
    for x in self.inputs:
        parts.append(joined[(slice(None),) * axis + (slice(start, start + x.shape[axis]),)])
        start += x.shape[axis]
    return tuple(parts)


def _spoiled(dx: Any, dy: Any) -> Any:
    if isinstance(dy, np.ndarray) and dy.flags.writeable:
        dy *= 2
    return dx


@contextmanager
def planted(fault: Fault) -> Iterator[None]:
    """The node with the wrong backward, stand-alone and recorded."""
    node = fault.node
    kept = {
        name: node.__dict__[name] for name in ("backward", "pure_backward") if name in node.__dict__
    }
    node.pure_backward = fault.backward
    node.backward = lambda self, *douts: fault.backward(self, *douts)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for name in ("backward", "pure_backward"):
            delattr(node, name)
        for name, value in kept.items():
            setattr(node, name, value)


def alone(name: str, i: int) -> list[str]:
    """The table's check of the node by itself."""
    case, rng = draw(name, i)
    return laws.stands_alone(case, rng) or laws.is_linear(case, rng)


def in_a_graph(name: str, i: int) -> list[str]:
    """The table's check of the recorded node."""
    case, _ = draw(name, i)
    return laws.is_recorded(case, i)


def caught_after(check: Callable[[str, int], list[str]], fault: Fault) -> int | None:
    """How many cases it takes to find the fault; None if it survives them all."""
    with planted(fault):
        for i in range(CASES):
            try:
                faults = check(fault.node.__name__, i)
            except (ValueError, TypeError):
                if not fault.breaks:
                    raise
                return i + 1  # a wrong shape or count stops the chain rule itself
            if faults:
                return i + 1
    return None


def main() -> int:
    """Try every fault; print what happened; 1 if any survived, or if a sound node is accused."""
    for node in dict.fromkeys(fault.node for fault in FAULTS):
        if caught_after(alone, Fault(node, "nothing", node.pure_backward)) is not None:
            print(f"{node.__name__} is found faulty with nothing planted in it.")
            return 1
    print(f"{'node':<20} {'planted in its backward':<40} {'found: alone':>13} {'in a graph':>11}")
    survivors = 0
    for fault in FAULTS:
        found = [caught_after(check, fault) for check in (alone, in_a_graph)]
        survived = found[0] is None
        survivors += survived
        cells = ["never" if n is None else f"case {n}" for n in found]
        mark = "  SURVIVED" if survived else ""
        print(f"{fault.node.__name__:<20} {fault.what:<40} {cells[0]:>13} {cells[1]:>11}{mark}")
    print(f"{len(FAULTS) - survivors} of {len(FAULTS)} planted faults caught.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
