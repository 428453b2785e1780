"""Generated kernels run as plain Python as they stand, with all that they import: helpers are Python, too.

`test_agreement` serves what they import from elsewhere. Here it is what the compiler reads: products
are loops or `@`, rows abreast are the rows of arrays that lie otherwise, vectors are small arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

pytest.importorskip("llvmlite")

from tests.engine.compiled import test_agreement as tables
from tests.engine.compiled import test_agreement_graphs as graphs
from tests.engine.compiled.plain import (
    ABREAST,
    BLOCKS,
    agree,
    agree_in_use,
    close,
    compiling,
    really,
)
from tests.engine.compiled.test_agreement_compiled import BAGS
from tests.engine.compiled.test_agreement_graphs import Affine, Tied, Words, norms
from tests.layers.table import ROWS as LAYERS
from tests.optimizers.table import ROWS as OPTIMIZERS

from chainrule.engine.compiled.step import CompiledStep
from chainrule.nodes.base import ignore_fp_errors

#: A threads' share of the work needs threads; each of these runs in one.
WAYS = (1, ABREAST, BLOCKS)


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests of the tables, with real imports."""
    for module in (tables, graphs):
        monkeypatch.setattr(module, "plainly", lambda way: really(min(way, 1)))


def sample(names: Any) -> list[Any]:
    """Each twelfth by default."""
    return [
        n if i % 12 == 0 else pytest.param(n, marks=pytest.mark.long) for i, n in enumerate(names)
    ]


@pytest.mark.parametrize("name", sample(tables.COMPILED))
def test_nodes(name: str, real: None) -> None:
    tables.test_nodes_of_parameters(name, False)
    tables.test_nodes_of_rows(name, False)


@pytest.mark.parametrize("row", sample(LAYERS), ids=lambda row: row.name)
def test_layers_and_losses(row: Any, real: None) -> None:
    tables.test_layers_and_losses(row, np.float32, False)


@pytest.mark.parametrize("row", sample(OPTIMIZERS), ids=lambda row: row.name)
def test_optimizers(row: Any, real: None) -> None:
    tables.test_optimizers(row, np.float32)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", sample(graphs.FORMS))
def test_forms(name: str, way: int, real: None) -> None:
    graphs.test_forms(name, way)


@pytest.mark.parametrize("way", WAYS)
def test_networks(way: int) -> None:
    rng = np.random.default_rng(2)
    x, ids = rng.standard_normal((18, 4)), rng.integers(0, 7, (18, 3))
    classes = rng.integers(0, 3, 18)
    with really(way):
        agree(Tied, x, x, batch=8)
        agree(Words, ids, classes, batch=8)
        agree_in_use(Words, ids)
        agree(
            lambda: norms(5, 0.3),
            x,
            classes,
            batch=8,
            slack=10,
            optimizer=lambda: cr.Adam(clip_norm=0.1),
        )


def wide(dtype: Any) -> cr.Network:
    """Products of every size: column by column, in registers, turned, by BLAS."""
    return cr.Sequential(
        Affine(4, 9, dtype=dtype), cr.Tanh(), Affine(9, 40, dtype=dtype), cr.Dropout(0.4),
        Affine(40, 13, dtype=dtype), cr.Tanh(), Affine(13, 1, dtype=dtype), cr.Sigmoid(),
        Affine(1, 2, dtype=dtype),
        loss=cr.MeanSquaredError(), seed=2,
    )  # fmt: skip


def test_products_of_every_size() -> None:
    rng = np.random.default_rng(5)
    x, t = rng.standard_normal((29, 4)), rng.standard_normal((29, 2))
    for dtype in (np.float32, np.float64):
        with really():
            agree(lambda dtype=dtype: wide(dtype), x, t, batch=13, slack=20)  # type: ignore[misc]
            agree_in_use(lambda dtype=dtype: wide(dtype), x, slack=20)  # type: ignore[misc]


def taken(
    make: Callable[[], cr.Network], x: Any, t: Any, optimizer: Callable[[], Any]
) -> list[Any]:
    """What three steps leave: losses, parameters, gradients, buffers, the optimizer's state."""
    net, moves = make(), optimizer()
    data = list(zip(("x", "t"), net._prepare(x, t)[:2], strict=True))
    net._flatten_parameters()
    made = CompiledStep(net, moves, data, 8)
    order = np.random.default_rng(3).permutation(len(x)).astype(np.intp)
    with ignore_fp_errors():
        losses = made.run(order, np.array([0, 8, 16, len(x)]), made.rates(3))
    slots = [s.copy() for group in moves.state or [] for s in group]
    return [losses, *net.params, *net.grads, *net.named_buffers().values(), *slots]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name", ["tied", *(pytest.param(n, marks=pytest.mark.long) for n in ("norms", "choices"))]
)
def test_compiled_they_give_the_same_numbers(name: str, way: int) -> None:
    rng = np.random.default_rng(2)
    x, classes = rng.standard_normal((19, 4)), rng.integers(0, 3, 19)
    make, t, optimizer = {
        "tied": (Tied, x, lambda: cr.Momentum(0.01, l2=0.1)),
        "norms": (lambda: norms(5, 0.3, np.float32), classes, lambda: cr.Adam(0.01, clip_norm=0.5)),
        "choices": (BAGS["choices"][0], rng.standard_normal((19, 3)), BAGS["choices"][1]),
    }[name]
    with compiling(way):
        ours = taken(make, x, t, optimizer)
    with really(way):
        theirs = taken(make, x, t, optimizer)
    scale = max(float(np.abs(a).max(initial=0.0)) for a in theirs)
    for k, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert a.dtype == b.dtype
        close(f"array {k}", a, b, scale, make().dtype, slack=20)
