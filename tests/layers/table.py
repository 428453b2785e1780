"""The table: one row for every public layer and loss, with the settings worth telling apart.

The laws in the test files beside this one run over every row. A layer is made in the dtype it
is asked for; inputs are drawn away from kinks, where a slope is one number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr

Array = npt.NDArray[Any]
Rng = np.random.Generator
Shape = tuple[int, ...]


def normal(rng: Rng, shape: Shape) -> Array:
    return rng.standard_normal(shape)


def away_from_zero(rng: Rng, shape: Shape) -> Array:
    x = rng.standard_normal(shape)
    return x + 0.05 * np.where(x < 0, -1.0, 1.0)


def probabilities(rng: Rng, shape: Shape) -> Array:
    e = np.exp(rng.standard_normal(shape))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def ids_below(n: int) -> Callable[[Rng, Shape], Array]:
    return lambda rng, shape: rng.integers(0, n, shape)


def numbers_and_ids(n: int, columns: int) -> Callable[[Rng, Shape], Array]:
    def draw(rng: Rng, shape: Shape) -> Array:
        x = normal(rng, shape)
        x[:, -columns:] = rng.integers(0, n, (shape[0], columns)) + 0.5  # away from the steps
        return x

    return draw


def class_targets(rng: Rng, x: Array) -> Array:
    return rng.integers(0, x.shape[-1], x.shape[:-1])


def one_hot_targets(rng: Rng, x: Array) -> Array:
    return np.eye(x.shape[1])[class_targets(rng, x)]


def class_probabilities(rng: Rng, x: Array) -> Array:
    return probabilities(rng, x.shape)


def padded_ids(rng: Rng, x: Array) -> Array:
    ids = rng.integers(0, x.shape[-1], x.shape[:-1])
    ids[0] = -1
    ids[-1] = 0
    return ids


def value_targets(rng: Rng, x: Array) -> Array:
    return x + away_from_zero(rng, x.shape)


def yes_no_targets(rng: Rng, x: Array) -> Array:
    return rng.integers(0, 2, x.shape)


def soft_targets(rng: Rng, x: Array) -> Array:
    return rng.random(x.shape)


@dataclass(frozen=True)
class Row:
    """A layer or loss to test: how to make it, and what it takes."""

    name: str
    make: Callable[[Any], Any]
    shapes: tuple[Shape, ...]
    draw: Callable[[Rng, Shape], Array] = normal
    target: Callable[[Rng, Array], Array] | None = None
    weighted: bool = False
    takes_ids: bool = False
    #: Whether some columns of x are ids, so that no other layer can stand before it.
    goes_first: bool = False
    modes: tuple[bool, ...] = (False,)
    #: Whether row i of the output depends on more than row i of the input (or on its number).
    mixes_rows: bool = False

    @property
    def is_loss(self) -> bool:
        return self.target is not None

    def inputs(self, rng: Rng, shape: Shape, dtype: Any = np.float64) -> tuple[Array, list[Any]]:
        """x, and what else `forward` takes: targets and weights."""
        x = self.draw(rng, shape)
        more: list[Any] = [] if self.target is None else [self.target(rng, x)]
        if self.weighted:
            more.append(rng.random(len(x)) + 0.1)
        more = [a.astype(dtype) if a.dtype.kind == "f" else a for a in more]
        return (x if self.takes_ids else x.astype(dtype)), more


def wave(x: Any) -> Any:
    return np.sin(x) * x


ANY_AXES: tuple[Shape, ...] = ((5,), (4, 3), (1, 3), (4, 1), (2, 3, 4), (2, 1, 3, 2))
ROWS_OF_3: tuple[Shape, ...] = ((3,), (4, 3), (1, 3), (2, 5, 3), (2, 1, 2, 3))
TABLES: tuple[Shape, ...] = ((6, 3), (1, 3), (4, 2), (5, 7))


def _weights(*shape: int) -> Array:
    return np.random.default_rng(shape).standard_normal(shape)


def _at_step(layer: Any, step: int) -> Any:
    layer.buffers["clock"][...] = step
    return layer


def _norm(kind: Any, n: int, **settings: Any) -> Callable[[Any], Any]:
    def make(dtype: Any) -> Any:
        layer = kind((1 + 0.5 * _weights(n)).astype(dtype), _weights(n).astype(dtype), **settings)
        for i, buffer in enumerate(layer.buffers.values()):
            buffer[...] = np.abs(_weights(i + 1, n)[i]) + 0.5
        return layer

    return make


def _loss(kind: Any, **settings: Any) -> Callable[[Any], Any]:
    return lambda dtype: kind(**settings)


ROWS = [
    Row("MatMul", lambda d: cr.MatMul(_weights(3, 4).astype(d)), ROWS_OF_3),
    Row("MatMul 1×1", lambda d: cr.MatMul(_weights(1, 1).astype(d)), ((4, 1), (1, 1), (1,))),
    Row(
        "MatMul of a strided W",
        lambda d: cr.MatMul(_weights(8, 6).astype(d)[1:7:2, ::-2]),
        ROWS_OF_3,
    ),
    Row("Affine", lambda d: cr.Affine(_weights(3, 4).astype(d), _weights(4).astype(d)), ROWS_OF_3),
    Row(
        "Affine with a row b",
        lambda d: cr.Affine(_weights(3, 2).astype(d), _weights(1, 2).astype(d)),
        ((4, 3), (1, 3), (2, 5, 3)),
    ),
    Row("Affine.sized", lambda d: cr.Affine.sized(3, 4, dtype=d, seed=1), ROWS_OF_3),
    Row("Sigmoid", lambda d: cr.Sigmoid(), ANY_AXES),
    Row("Tanh", lambda d: cr.Tanh(), ANY_AXES),
    Row("ReLU", lambda d: cr.ReLU(), ANY_AXES, away_from_zero),
    Row("LeakyReLU", lambda d: cr.LeakyReLU(), ANY_AXES, away_from_zero),
    Row("LeakyReLU 0.3", lambda d: cr.LeakyReLU(0.3), ((4, 3),), away_from_zero),
    Row("GELU", lambda d: cr.GELU(), ANY_AXES),
    Row("ELU", lambda d: cr.ELU(), ANY_AXES, away_from_zero),
    Row("ELU 0.3", lambda d: cr.ELU(0.3), ((4, 3),), away_from_zero),
    Row("SELU", lambda d: cr.SELU(), ANY_AXES, away_from_zero),
    Row("SiLU", lambda d: cr.SiLU(), ANY_AXES),
    Row("Mish", lambda d: cr.Mish(), ANY_AXES),
    Row(
        "ParametricSELU",
        lambda d: cr.ParametricSELU(_weights(3).astype(d)),
        ROWS_OF_3,
        away_from_zero,
    ),
    Row("ParametricMish", lambda d: cr.ParametricMish(_weights(3).astype(d)), ROWS_OF_3),
    Row("Scale", lambda d: cr.Scale(_weights(3).astype(d)), ROWS_OF_3),
    Row(
        "NTKAffine",
        lambda d: cr.NTKAffine(_weights(3, 4).astype(d), _weights(4).astype(d)),
        ROWS_OF_3,
    ),
    Row("NTKAffine.sized", lambda d: cr.NTKAffine.sized(3, 4, dtype=d, seed=1), ROWS_OF_3),
    Row(
        "PeriodicEmbedding of all columns",
        lambda d: cr.PeriodicEmbedding.sized(3, waves=5, sigma=1.0, dtype=d, seed=1),
        ((4, 3), (1, 3)),
    ),
    Row(
        "PeriodicEmbedding of some columns",
        lambda d: cr.PeriodicEmbedding.sized(2, outputs=2, dtype=d, seed=1),
        ((4, 3), (1, 5)),
    ),
    Row(
        "CategoryEmbedding",
        lambda d: cr.CategoryEmbedding(_weights(5, 3).astype(d), columns=2),
        ((6, 4), (1, 3)),
        numbers_and_ids(5, 2),
        goes_first=True,
    ),
    Row("Flatten", lambda d: cr.Flatten(), ANY_AXES),
    Row("Function cr.silu", lambda d: cr.Function(cr.silu), ANY_AXES),
    Row("Function of one's own", lambda d: cr.Function(wave), ANY_AXES),
    Row("Softmax", lambda d: cr.Softmax(), ANY_AXES),
    Row("Dropout", lambda d: cr.Dropout(0.4, seed=7), ANY_AXES, modes=(False, True)),
    Row(
        "Dropout over steps",
        lambda d: _at_step(cr.Dropout(0.4, seed=7, steps=8), 6),
        ANY_AXES,
        modes=(False, True),
    ),
    Row("Dropout 0", lambda d: cr.Dropout(0, seed=7), ((4, 3),), modes=(False, True)),
    Row(
        "BatchNorm",
        _norm(cr.BatchNorm, 3),
        ((4, 3), (2, 3), (2, 5, 3), (2, 2, 2, 3)),
        modes=(False, True),
        mixes_rows=True,
    ),
    Row(
        "BatchNorm slow",
        _norm(cr.BatchNorm, 1, momentum=0.99, eps=1e-3),
        ((4, 1), (2, 5, 1)),
        modes=(False, True),
        mixes_rows=True,
    ),
    Row("LayerNorm", _norm(cr.LayerNorm, 3), ((4, 3), (1, 3), (2, 5, 3), (2, 1, 2, 3))),
    Row("LayerNorm of pairs", _norm(cr.LayerNorm, 2, eps=1e-2), ((4, 2),)),
    Row(
        "Embedding",
        lambda d: cr.Embedding(_weights(5, 3).astype(d)),
        ((6,), (1,), (4, 2), (2, 3, 2)),
        ids_below(5),
        takes_ids=True,
    ),
    Row("SoftmaxWithLoss", _loss(cr.SoftmaxWithLoss), TABLES, target=class_targets),
    Row("SoftmaxWithLoss of one class", _loss(cr.SoftmaxWithLoss), ((4, 1),), target=class_targets),
    Row("SoftmaxWithLoss one-hot", _loss(cr.SoftmaxWithLoss), TABLES, target=one_hot_targets),
    Row(
        "SoftmaxWithLoss weighted",
        _loss(cr.SoftmaxWithLoss),
        TABLES,
        target=class_targets,
        weighted=True,
    ),
    Row(
        "SoftmaxWithLoss by class, smoothed",
        _loss(cr.SoftmaxWithLoss, class_weights=[1.0, 0.5, 2.0], label_smoothing=0.1),
        ((6, 3),),
        target=class_targets,
        weighted=True,
    ),
    Row(
        "SoftmaxWithLoss of probabilities",
        _loss(cr.SoftmaxWithLoss),
        (*TABLES, (2, 4, 3)),
        target=class_probabilities,
    ),
    Row(
        "SoftmaxWithLoss of probabilities, weighted",
        _loss(cr.SoftmaxWithLoss, class_weights=[1.0, 0.5, 2.0], label_smoothing=0.1),
        ((6, 3),),
        target=class_probabilities,
        weighted=True,
    ),
    Row(
        "SoftmaxWithLoss of sequences",
        _loss(cr.SoftmaxWithLoss),
        ((5, 4, 3), (2, 1, 2), (3, 2, 2, 3)),
        target=class_targets,
        weighted=True,
    ),
    Row(
        "SoftmaxWithLoss of padded sequences",
        _loss(cr.SoftmaxWithLoss, ignore_index=-1, class_weights=[1.0, 0.5, 2.0]),
        ((5, 4, 3), (6, 3)),
        target=padded_ids,
        weighted=True,
    ),
    Row(
        "CrossEntropyError of probabilities",
        _loss(cr.CrossEntropyError),
        ((6, 3), (2, 4, 3)),
        probabilities,
        target=class_probabilities,
    ),
    Row(
        "CrossEntropyError padded",
        _loss(cr.CrossEntropyError, ignore_index=-1),
        ((6, 3),),
        probabilities,
        target=padded_ids,
    ),
    Row(
        "CrossEntropyError",
        _loss(cr.CrossEntropyError),
        TABLES,
        probabilities,
        target=class_targets,
    ),
    Row(
        "CrossEntropyError weighted",
        _loss(cr.CrossEntropyError, class_weights=[1.0, 0.5, 2.0]),
        ((6, 3),),
        probabilities,
        target=one_hot_targets,
        weighted=True,
    ),
    Row(
        "SigmoidWithLoss",
        _loss(cr.SigmoidWithLoss),
        ((5,), (4, 1), (4, 3)),
        target=yes_no_targets,
    ),
    Row(
        "SigmoidWithLoss soft, weighted",
        _loss(cr.SigmoidWithLoss),
        ((5,), (4, 3)),
        target=soft_targets,
        weighted=True,
    ),
    Row(
        "SigmoidWithLoss, a yes counts 3",
        _loss(cr.SigmoidWithLoss, pos_weight=3.0),
        ((5,), (4, 3)),
        target=soft_targets,
        weighted=True,
    ),
    Row(
        "SigmoidWithLoss, weights of a yes",
        _loss(cr.SigmoidWithLoss, pos_weight=[1.0, 0.5, 2.0]),
        ((4, 3),),
        target=yes_no_targets,
    ),
    *(
        Row(f"{name}{' weighted' * w}", make, ANY_AXES, target=value_targets, weighted=w)
        for w in (False, True)
        for name, make in (
            ("MeanSquaredError", _loss(cr.MeanSquaredError)),
            ("HalfSquaredError", _loss(cr.HalfSquaredError)),
            ("MeanAbsoluteError", _loss(cr.MeanAbsoluteError)),
            ("Huber", _loss(cr.Huber)),
            ("Huber 0.3", _loss(cr.Huber, delta=0.3)),
        )
    ),
]

LAYERS = [row for row in ROWS if not row.is_loss]
LOSSES = [row for row in ROWS if row.is_loss]
