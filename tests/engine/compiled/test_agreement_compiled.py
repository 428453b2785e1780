"""Both engines agree where the generated text is really compiled: some small networks that hold much.

`python -m pytest -m long` compiles every case of the tables.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr

pytest.importorskip("llvmlite")

from tests.engine.compiled import test_agreement as tables
from tests.engine.compiled.plain import (
    ABREAST,
    ABREAST_SHARED,
    BLOCKS,
    BLOCKS_SHARED,
    agree,
    agree_in_use,
    compiling,
    threads_of,
)
from tests.engine.compiled.test_agreement_graphs import Affine, Formula
from tests.layers.table import ROWS as LAYERS
from tests.optimizers.table import ROWS as OPTIMIZERS


@pytest.fixture(scope="module", autouse=True)
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder for the machine code of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAINRULE_CACHE", str(tmp_path_factory.mktemp("kernels")))
        yield


# Compiling takes longer than in proportion to what is compiled, so these are some small ones.


def functions(x: Any, w: Any, b: Any, v: Any) -> Any:
    """Functions of one number."""
    h = x @ w + b
    a = cr.sigmoid(h) + cr.exp(-h * h) + cr.log1p(h * h) * cr.log(2 + cr.tanh(h))
    return (a + cr.sin(h) * cr.cos(h) + (2 + cr.tanh(h)) ** 1.3 + cr.sqrt(1 + h * h)) @ v


def choices(x: Any, w: Any, b: Any, v: Any) -> Any:
    """Truth values, whole numbers and small tables."""
    h = x @ w + b
    a = cr.maximum(h, 0.5 * x[:, :3]) - cr.minimum(h, b) + cr.sign(h) * h + cr.clip(h, -0.5, 0.7)
    above, even = h > 0.25, cr.equal(cr.abs(h) > 0.5, h < 1)
    a = a + cr.where(cr.logical_and(above, cr.logical_not(even)), a, -h) * above + even
    return (a * cr.one_hot(np.array([0, 2, 1]), 3)[0] + a) @ v


def sums(x: Any, w: Any, b: Any, v: Any) -> Any:
    """What rows are scaled by."""
    h = x @ w + b
    return cr.softmax(h) @ (v / cr.norm(v, 0)) + cr.sqrt(1 + cr.std(h, 1, keepdims=True))


def parts(x: Any, w: Any, b: Any, v: Any) -> Any:
    """Parts of arrays, put together in another order."""
    h = cr.concatenate([x[:, :2] @ w[:2], x[:, ::-1][:, 1:2] * v], 1)
    h = cr.stack([h, h * h], 1)[:, 1] + h[:, [1, 0, 2, 3, 5, -1]]
    return cr.concatenate([h[1:], h[:1]])[:, :4] @ w + cr.sum(b)


def rows(x: Any, w: Any, b: Any, v: Any) -> Any:
    """What mixes the rows of a batch, and products of several matrices."""
    h = cr.concatenate([x, x[:, :2]], 1)
    h = h - cr.mean(h, 0) + cr.max(h, 0) * 0.1 + (h @ h.T) @ h / h.size
    three = cr.reshape(h, (-1, 2, 3))
    three = cr.reshape(three @ cr.transpose(three, (0, 2, 1)), (-1, 4)) * 0.1
    return (three * cr.prod(1 + 0.1 * x, 1, keepdims=True)) @ w + b * v


class Layers(cr.Network):
    """Layers that take rows of words, and more of them after."""

    def __init__(self, dtype: Any) -> None:
        super().__init__(
            loss=cr.SoftmaxWithLoss(label_smoothing=0.1, class_weights=[1, 2, 0.5]), seed=3
        )
        self.embed = cr.Embedding.sized(7, 4, dtype=dtype)
        self.norm, self.middle = cr.LayerNorm.sized(4, dtype=dtype), Affine(4, 5, dtype=dtype)
        self.rest = [
            cr.BatchNorm.sized(5, dtype=dtype), cr.LeakyReLU(0.2), cr.Dropout(0.3),
            Affine(5, 3, dtype=dtype),
        ]  # fmt: skip

    def predict(self, ids: Any) -> Any:
        h = cr.mean(cr.gelu(self.middle(self.norm(self.embed(ids)))), 1)
        for layer in self.rest:
            h = layer(h)
        return h


BAGS: dict[str, tuple[Callable[[], cr.Network], Callable[[], cr.Optimizer]]] = {
    "functions": (
        lambda: Formula(functions, (4, 3), (3,), (3, 3), dtype=np.float32, loss=cr.Huber()),
        lambda: cr.Adam(0.01, l2=0.01, clip_value=1.0),
    ),
    "choices": (lambda: Formula(choices, (4, 3), (3,), (3, 3), dtype=np.float32), cr.RMSprop),
    "sums": (lambda: Formula(sums, (4, 3), (3,), (3, 3)), cr.AdaGrad),
    "parts": (lambda: Formula(parts, (4, 3), (3,), (1, 3)), lambda: cr.Nesterov(0.01)),
    "rows": (lambda: Formula(rows, (4, 3), (3,), (1, 3)), lambda: cr.Momentum(0.01)),
    "layers": (lambda: Layers(np.float32), lambda: cr.AdamW(0.01, l1=0.01, clip_norm=0.5)),
}


#: What takes longest to compile; as plain Python the tables run all of it in the default mode.
LONG = ("choices", "layers", "parts", "sums")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.long) if n in LONG else n for n in BAGS]
)
def test_what_is_compiled(name: str) -> None:
    make, optimizer = BAGS[name]
    rng = np.random.default_rng(4)
    x: Any = rng.standard_normal((19, 4))
    t: Any = rng.standard_normal((19, 3))
    w = rng.random(19) + 0.1
    if name == "layers":
        x, t = rng.integers(0, 7, (19, 3)).astype(np.uint8), rng.integers(0, 3, 19)
    sources = set()
    for shards in (BLOCKS, BLOCKS_SHARED, ABREAST, ABREAST_SHARED, 1, 2, 5):
        with compiling(shards):
            done = agree(make, x, t, w, batch=8, slack=20, optimizer=optimizer, steps=3)
        sources.add(done.source)
        assert done.shards == (1 if name in ("parts", "rows") else threads_of(shards))
    assert len(sources) == (1 if name in ("parts", "rows", "layers") else 2)
    if name == "layers":
        agree_in_use(make, x, slack=5)


def wide(dtype: Any) -> cr.Network:
    """Layers so wide that threads share out the columns of their products, and one that is not."""
    return cr.Sequential(
        Affine(4, 350, dtype=dtype), cr.Tanh(), Affine(350, 330, dtype=dtype), cr.Dropout(0.4),
        cr.MatMul.sized(330, 400, dtype=dtype, seed=5), cr.Tanh(), Affine(400, 3, dtype=dtype),
        loss=cr.MeanSquaredError(), seed=2,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.long)])
def test_products_that_threads_share(dtype: Any) -> None:
    rng = np.random.default_rng(5)
    x, t = rng.standard_normal((27, 4)), rng.standard_normal((27, 3))
    for shards in (1, 2, 3, 5):  # of the last batch, 3 rows, two of five shards get none
        with compiling(shards):
            done = agree(lambda: wide(dtype), x, t, batch=8, slack=20, steps=4)
        assert done.shards == shards
        assert "dot_by_t(blas, team," in done.source


@pytest.mark.parametrize(
    ("width", "dtype"),  # plain loops, BLAS, tiles
    [
        (5, np.float32),
        (40, np.float64),
        (420, np.float32),
        (420, np.float64),
        pytest.param(5, np.float64, marks=pytest.mark.long),
        pytest.param(40, np.float32, marks=pytest.mark.long),
    ],
)
def test_products_of_another_dtype_than_the_network(dtype: Any, width: int) -> None:
    other = np.float64 if dtype == np.float32 else np.float32
    spread = np.linspace(-1, 1, width * width).reshape(width, width).astype(other)

    def formula(x: Any, W: Any, b: Any) -> Any:
        inside = cr.tanh(x @ W + b).astype(other) @ spread
        return cr.tanh(inside.astype(dtype))[:, :3]

    rng = np.random.default_rng(6)
    x, t = rng.standard_normal((19, 4)), rng.standard_normal((19, 3))
    for shards in (1, 2):
        with compiling(shards):
            make = functools.partial(Formula, formula, (4, width), (width,), dtype=dtype)
            agree(make, x, t, batch=16, slack=200 if dtype == np.float32 else 1e9, steps=2)


# -- everything ----------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("name", tables.COMPILED)
def test_every_node_compiled(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "plainly", compiling)
    tables.test_nodes_of_parameters(name, True)
    tables.test_nodes_of_rows(name, True)


@pytest.mark.long
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("row", LAYERS, ids=lambda row: row.name)
def test_every_layer_compiled(row: Any, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "plainly", compiling)
    tables.test_layers_and_losses(row, dtype, True)


@pytest.mark.long
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("row", OPTIMIZERS, ids=lambda row: row.name)
def test_every_optimizer_compiled(row: Any, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "plainly", compiling)
    tables.test_optimizers(row, dtype)
