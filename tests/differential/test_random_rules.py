"""Random optimizers: a rule in place gives what the same rule gives on plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.engine.compiled.plain import agree, plainly

import chainrule as cr
from chainrule.nodes.base import ignore_fp_errors

Array = npt.NDArray[Any]

ONE: list[Callable[[Any], Any]] = [
    np.negative,
    np.abs,
    np.tanh,
    lambda a: a * 0.5,
    lambda a: np.sqrt(a * a + 0.1),
    np.sign,
]
TWO: list[Callable[[Any, Any], Any]] = [
    np.add,
    np.subtract,
    np.multiply,
    np.maximum,
    np.minimum,
    lambda a, b: a / (b * b + 1.0),
    lambda a, b: np.where(a > b, a, b * 0.5),
]


def drawn(seed: int) -> Callable[..., tuple[Any, ...]]:
    """A rule of two slots: new values for the parameter and both, each from any of the old ones."""
    rng = np.random.default_rng(seed)
    moves = [rng.integers(0, 1 << 30, 4) for _ in range(rng.integers(0, 6))]
    ends = rng.integers(0, 1 << 30, 3)

    def rule(p: Any, g: Any, v: Any, u: Any, lr: Any) -> tuple[Any, ...]:
        pool: list[Any] = [p, g, v, u, p - lr * g]
        for kind, *at in moves:
            a, b, c = (pool[i % len(pool)] for i in at)
            if kind % 3 == 0:
                pool.append(np.where(a > 0, b, c))
            elif kind % 3 == 1:
                pool.append(ONE[kind // 3 % len(ONE)](a))
            else:
                pool.append(TWO[kind // 3 % len(TWO)](a, b))
        return tuple(pool[e % len(pool)] for e in ends)

    return rule


def made(seed: int) -> cr.Optimizer:
    rule = drawn(seed)

    class Random(cr.Optimizer):
        slots = ("v", "u")

        def rule(self, p: Any, g: Any, *slots: Any, **numbers: Any) -> tuple[Any, ...]:
            return rule(p, g, *slots, numbers["lr"])

    return Random(lr=0.3)


@pytest.mark.parametrize("first", range(0, 500, 100))
def test_a_rule_in_place(first: int) -> None:
    for seed in range(first, first + 100):
        rng, rule, optimizer = np.random.default_rng(seed), drawn(seed), made(seed)
        p = rng.standard_normal(7)
        ours = p.copy()
        state: Sequence[Any] = (p, np.zeros(7), np.zeros(7))
        for step in range(3):
            g = rng.standard_normal(7)
            with ignore_fp_errors():
                state = tuple(np.array(a) for a in rule(state[0], g, *state[1:], 0.3))
            optimizer.update([ours], [g.copy()])
            assert optimizer.state is not None
            for found, wanted in zip((ours, *optimizer.state[0]), state, strict=True):
                np.testing.assert_allclose(found, wanted, 1e-13, 1e-13, err_msg=f"{seed}, {step}")


def test_a_rule_in_a_kernel() -> None:
    x = np.random.default_rng(0).standard_normal((8, 3))

    def net() -> cr.Network:
        return cr.Sequential(cr.Affine.sized(3, 2, dtype=float), loss=cr.MeanSquaredError())

    with plainly():
        for seed in range(100):
            agree(net, x, x[:, :2], optimizer=lambda seed=seed: made(seed), batch=4)  # type: ignore[misc]
