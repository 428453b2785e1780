"""Networks to train on both engines, and what must be alike afterwards."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr

__all__ = ["alike", "bits", "blobs", "plain", "rich", "same_bits", "spiral", "wide"]

Array = npt.NDArray[Any]


def spiral(dtype: Any = np.float32) -> tuple[Array, Array]:
    x, t = cr.datasets.spiral()
    return x.astype(dtype), t


def blobs(n: int, width: int, seed: int = 0) -> tuple[Array, Array]:
    """Rows with one of ten classes each, which their first numbers tell."""
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=(n, width)).astype(np.float32), rng.integers(0, 10, n)
    x[np.arange(n), t] += 3
    return x, t


def plain(dtype: Any = np.float32, seed: int = 0) -> cr.Sequential:
    return cr.Sequential(
        cr.Affine.sized(2, 10, dtype=dtype),
        cr.Tanh(),
        cr.Affine.sized(10, 3, dtype=dtype),
        loss=cr.SoftmaxWithLoss(),
        seed=seed,
    )


def rich(dtype: Any = np.float32, seed: int = 0) -> cr.Sequential:
    """With buffers that training writes: running statistics, and the clock of the dropout."""
    return cr.Sequential(
        cr.Affine.sized(2, 16, dtype=dtype),
        cr.ReLU(),
        cr.BatchNorm.sized(
            16, dtype=dtype
        ),  # right after a bias its gradient would be all rounding
        cr.Dropout(0.3),
        cr.Affine.sized(16, 3, dtype=dtype),
        loss=cr.SoftmaxWithLoss(),
        seed=seed,
    )


def wide(*widths: int, seed: int = 0) -> cr.Sequential:
    """Large enough that the batch is split between threads."""
    a, b, c, d = widths or (784, 512, 256, 10)
    return cr.Sequential(
        cr.Affine.sized(a, b),
        cr.ReLU(),
        cr.Affine.sized(b, c),
        cr.ReLU(),
        cr.Affine.sized(c, d),
        loss=cr.SoftmaxWithLoss(),
        seed=seed,
    )


def state(trainer: cr.Trainer) -> list[Array]:
    """All that a fit changes, but for the history."""
    slots = [s for group in trainer.optimizer.state or [] for s in group]
    return [*trainer.model.params, *trainer.model.named_buffers().values(), *slots]


def bits(trainer: cr.Trainer) -> str:
    """One word for the parameters, buffers, optimizer's state, losses and dice after a fit."""
    digest = hashlib.sha256()
    for array in (*state(trainer), trainer.history.losses):
        digest.update(array.tobytes())
    digest.update(repr((trainer.optimizer.iter, trainer.rng.bit_generator.state)).encode())
    return digest.hexdigest()


def same_bits(a: cr.Trainer, b: cr.Trainer) -> None:
    for p, q in zip(state(a), state(b), strict=True):
        assert p.tobytes() == q.tobytes()
    assert a.history.losses.tobytes() == b.history.losses.tobytes()
    assert bits(a) == bits(b)


def alike(a: cr.Trainer, b: cr.Trainer, rtol: float) -> None:
    """The same training but for rounding."""
    assert a.history.steps == b.history.steps
    np.testing.assert_allclose(a.history.losses, b.history.losses, rtol=rtol)
    assert len(a.history.epochs) == len(b.history.epochs)
    for one, other in zip(a.history.epochs, b.history.epochs, strict=True):
        assert list(one) == list(other)
        assert all(type(one[k]) is type(other[k]) for k in one)
        for name in set(one) - {"seconds"}:
            slack = 0.02 if name.endswith("accuracy") else 0.0  # a row may fall to the other side
            np.testing.assert_allclose(one[name], other[name], rtol=rtol, atol=slack, err_msg=name)
    assert (a.history.stopped, a.current_epoch) == (b.history.stopped, b.current_epoch)
    assert a.optimizer.iter == b.optimizer.iter
    assert a.rng.bit_generator.state == b.rng.bit_generator.state
    layouts = [
        [[(s.shape, s.dtype) for s in group] for group in trainer.optimizer.state or []]
        for trainer in (a, b)
    ]
    assert layouts[0] == layouts[1]
    pairs = zip([*state(a), *a.model.grads], [*state(b), *b.model.grads], strict=True)
    for p, q in pairs:
        assert p.dtype == q.dtype
        if p.dtype.kind == "f":
            size = float(np.abs(q).max(initial=0.0))
            np.testing.assert_allclose(p, q, rtol=100 * rtol, atol=100 * rtol * size)
        else:
            np.testing.assert_array_equal(p, q)
