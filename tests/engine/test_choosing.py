"""`np.where` by bits: the very bits of NumPy's, for any numbers, alone and inside of trainings."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.engine import choosing, writing
from chainrule.engine.choosing import WORDS, chosen, mask_shape

Array = npt.NDArray[Any]


def numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
    """Random bits: ordinary numbers, tiny ones, both zeros, infinities, and NaN of many kinds."""
    word = WORDS[np.dtype(dtype)]
    bits = rng.integers(np.iinfo(word).min, np.iinfo(word).max, shape, word, endpoint=True)
    x: Array = bits.view(dtype)
    odd = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype)
    return np.where(rng.random(shape) < 0.3, rng.choice(odd, shape), x)


@pytest.mark.parametrize("block", [1 << 14, 1, 11])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_bits_are_those_of_where(
    dtype: Any, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "BLOCK", block)
    rng = np.random.default_rng(0)
    shapes: list[tuple[tuple[int, ...], ...]] = [
        ((7, 5), (7, 5), (7, 5)),
        ((7, 1), (7, 5), (5,)),
        ((5,), (7, 5), ()),
        ((7, 5), (), (7, 1)),
        ((3, 1, 4), (2, 1), (3, 2, 4)),
        ((), (4,), (4,)),
        ((0, 3), (0, 3), (3,)),
    ]  # fmt: skip
    word = WORDS[np.dtype(dtype)]
    for condition_shape, x_shape, y_shape in shapes:
        condition = rng.random(condition_shape) < 0.5
        x, y = numbers(rng, x_shape, dtype), numbers(rng, y_shape, dtype)
        expected = np.where(condition, x, y)
        for turned in (False, True):  # with the strides of a transpose, too
            c, a, b, e = (v.T.copy().T if turned else v for v in (condition, x, y, expected))
            for out in (None, np.empty_like(e)):
                mask = None if out is None else np.empty(mask_shape(e.shape), word)
                found = chosen(c, a, b, out, mask)
                assert found.dtype == e.dtype
                assert found.tobytes() == e.tobytes()
                assert out is None or found is out
    condition, x, y = rng.random(9) < 0.5, numbers(rng, (9,), dtype), numbers(rng, (9,), dtype)
    expected = np.where(condition, x, y)
    assert chosen(condition, x, y, y) is y
    assert y.tobytes() == expected.tobytes()


class Chooser(cr.Network):
    """A network that chooses by masks of every kind: of rows, of columns, from numbers."""

    def __init__(self) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss(), seed=0)
        self.inner, self.outer = cr.Affine.sized(6, 24), cr.Affine.sized(24, 3)
        self.rate = cr.Parameter(np.array(0.3, np.float32))

    def predict(self, x: Any) -> Any:
        h = self.inner(x)
        h = cr.where(x[:, :1] > 0, h, h * self.rate) + cr.where(h > 0.5, 1.0, h)
        h = cr.clip(h, -2.0, 2.0) + cr.abs(h) + cr.maximum(h, 0.1) + cr.where(h > 0, 0.0, h)
        return self.outer(cr.where(h[0] > 0, self.rate, h))


KINDS = (cr.ReLU, cr.LeakyReLU, cr.ELU, cr.SELU, cr.Mish, cr.GELU)


@pytest.mark.parametrize("rows", [40, 1])
@pytest.mark.parametrize("kind", [None, *KINDS])
def test_trainings_have_the_same_bits_either_way(
    kind: type[cr.Layer] | None, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(80, 6)).astype(np.float32), rng.integers(0, 3, 80)
    calls = 0

    def counted(*arrays: Array) -> Array:
        nonlocal calls
        calls += 1
        return chosen(*arrays)

    def trained(many: int) -> list[bytes]:
        monkeypatch.setattr(writing, "_MANY", many)
        layers: list[cr.Layer] = [cr.Affine.sized(6, 24), cr.Dropout(0.3), cr.Affine.sized(24, 3)]
        network: cr.Network = Chooser()
        if kind is not None:
            layers.insert(1, kind())
            network = cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=0)
        cr.Trainer(network, cr.Adam(1e-2), engine="numpy", seed=3).fit(
            x, t, epochs=3, batch_size=rows, progress=None
        )
        return [network.predict(x).tobytes(), *(p.tobytes() for p in network.params)]

    by_jumps = trained(10**9)
    monkeypatch.setattr(writing, "chosen", counted)
    assert trained(1) == by_jumps
    assert calls >= 80 // rows * 3
