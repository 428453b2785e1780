"""What picks of one array hand back is added up in one array, and a constant's gradient is not made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.variable import Variable
from chainrule.nodes import MatMul, Mul, Pow


def random_key(rng: np.random.Generator) -> Any:
    """A number, a slice, ids, a mask, an axis more, or two of them."""
    ways: list[Any] = [
        int(rng.integers(-5, 5)),
        slice(*sorted(int(i) for i in rng.integers(0, 6, 2))),
        slice(None, None, -2),
        rng.integers(-5, 5, 4),
        rng.random(5) < 0.5,
        (int(rng.integers(5)), slice(1, None)),
        (..., int(rng.integers(3))),
        (None, int(rng.integers(5))),
        (rng.integers(0, 5, 3), rng.integers(0, 3, 3)),
        (slice(None), [0, 0, 2]),
    ]
    return ways[int(rng.integers(len(ways)))]


def program(seed: int, w: Any) -> Any:
    """A sum of functions of picks, and of the whole, of one array."""
    rng = np.random.default_rng(seed)
    total: Any = 0.0
    for _ in range(int(rng.integers(1, 7))):
        part = w if rng.random() < 0.25 else w[random_key(rng)]
        if rng.random() < 0.3 and part.ndim and part.shape[0]:
            part = part[0] * part
        total = total + cr.sum(cr.sin(part) * float(rng.integers(1, 4)))
    return total


@pytest.mark.parametrize("chunk", range(4))
def test_picks_added_in_place_give_the_same_gradients(chunk: int) -> None:
    for seed in range(50 * chunk, 50 * chunk + 50):
        w = np.random.default_rng([seed, 1]).standard_normal((5, 3))
        v = Variable(w)
        graph = program(seed, v).graph
        slowly, quickly = graph.gradients(), graph.gradients(in_place=True)
        assert set(quickly) <= set(slowly)
        np.testing.assert_allclose(quickly[v], slowly[v], rtol=1e-14, atol=1e-15)
        assert cr.check(lambda a, s=seed: program(s, a), w, second_order=True)


def test_no_array_of_the_whole_is_made_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    zeros = np.zeros

    def counting(shape: Any, *args: Any, **kwargs: Any) -> Any:
        made.append(shape)
        return zeros(shape, *args, **kwargs)

    w = np.ones((50, 7))
    monkeypatch.setattr(np, "zeros", counting)
    found = cr.grad(lambda a: sum(cr.sum(a[i] * a[i]) for i in range(50)))(w)
    assert made.count((50, 7)) == 1
    assert np.array_equal(found, 2 * w)


def test_float32_stays_float32() -> None:
    v = Variable(np.ones((4, 2), np.float32))
    cr.sum(v[0] * v[1] + v[2]).backward()
    assert v.grad is not None
    assert v.grad.dtype == np.float32
    assert np.array_equal(v.grad, [[1, 1], [1, 1], [1, 1], [0, 0]])


def test_a_constant_has_no_gradient_made() -> None:
    for node, inputs in (
        (Mul(), (2.0, 3.0)),
        (Pow(), (2.0, 3.0)),
        (MatMul(), (np.ones((1, 2)), np.ones((2, 1)))),
    ):
        node.forward(*inputs)
        dout = np.ones_like(node.out)
        assert all(d is not None for d in node.backward(dout))
        node.asked = (True, False)
        assert [d is None for d in node.backward(dout)] == [False, True]


def test_the_chain_rule_asks_for_no_more_than_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    pure_backward = Pow.pure_backward

    def seen(self: Any, dz: Any) -> Any:
        asked.append(self.asked)
        return pure_backward(self, dz)

    monkeypatch.setattr(Pow, "pure_backward", seen)
    x = Variable(np.array([1.0, 2.0]))
    cr.sum(x**3).backward()
    assert asked == [(True, False)]
    assert x.grad is not None
    assert np.array_equal(x.grad, 3 * x.data**2)
