"""Both engines agree: on every node, layer, loss and optimizer of the tables, step by step.

The generated text runs as plain Python here (see `plain`), in one shard and in three;
`test_agreement_compiled` compiles a selection of it.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest

import chainrule as cr

pytest.importorskip("llvmlite")

from tests.engine.compiled.made import OverParameters, OverRows, UnderLayer
from tests.engine.compiled.plain import ABREAST, BLOCKS, agree, agree_in_use, plainly
from tests.layers.table import ROWS as LAYERS
from tests.nodes.table import TABLE as NODES
from tests.nodes.table import Case, draw
from tests.optimizers.table import ROWS as OPTIMIZERS

from chainrule.engine.compiled.symbolic import NotCompilable
from chainrule.errors import ChainruleError

#: Why a case may be left to the NumPy engine.
REASONS = (
    "a constant array in it goes with the batch",
    "a length in it does not go evenly with the batch size",
    "row numbers of a table are computed in it",
    "an id in the data names no row of a table",
    "it picks by ids along several axes, or not along the first",
)

#: What Python or LAPACK computes, which the NumPy engine calls: the functions that are declined by name.
CALLED = {
    "Cholesky": "cholesky", "Det": "det", "Eigh": "eigh", "Erf": "erf", "Inv": "inv", "Pinv": "pinv",
    "SlogDet": "slogdet", "Solve": "solve",
}  # fmt: skip
COMPILED = [name for name in NODES if name not in CALLED]

N, BATCH = 24, 13  # the last batch has 11 rows; no width of the tables is as long


def cases(name: str, n: int) -> list[tuple[int, Case]]:
    found = []
    for i in range(n):
        case, _ = draw(name, i)
        empty = any(0 in a.shape for a in case.inputs)
        with contextlib.suppress(ValueError):  # outputs of several shapes
            empty |= 0 in np.shape(case.node.forward(*case.inputs))
        if not empty:
            found.append((i, case))
    return found


def agree_or_decline(make: Any, x: Any, t: Any, batch: int, shards: int) -> bool:
    """Whether the engines have agreed; if not, the step was declined for one of the REASONS."""
    reason = None
    with plainly(shards):
        try:
            agree(make, x, t, batch=batch)
        except NotCompilable as given:
            reason = str(given)
    assert reason is None or reason in REASONS
    return reason is None


#: By default nodes have three cases, or one of rows; layers go the two ways of small steps with a dtype
#: each, and in float32 half of their shapes.
some = pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.long)])


@some
@pytest.mark.parametrize("name", COMPILED)
def test_nodes_of_parameters(name: str, whole: bool) -> None:
    agreed = 0
    for i, case in cases(name, 5 if whole else 3):
        rng = np.random.default_rng(i)
        x, t = rng.standard_normal((2, 7, 2))

        def make(case: Case = case) -> cr.Network:
            return OverParameters(case, np.float64)

        agreed += agree_or_decline(make, x, t, 4, 1 + 2 * (i % 2))
    assert agreed


@pytest.mark.parametrize("name", CALLED)
def test_what_no_kernel_computes_is_declined(name: str) -> None:
    _, case = next(iter(cases(name, 5)))
    x, t = np.random.default_rng(0).standard_normal((2, 7, 2))
    with plainly(1), pytest.raises(NotCompilable, match=f"^{CALLED[name]} has no compiled form$"):
        agree(lambda: OverParameters(case, np.float64), x, t, batch=4)
    net = OverParameters(case, np.float64)
    assert cr.Trainer(net, cr.SGD(lr=1e-3), engine="auto").fit(x, t, epochs=2, progress=None)


@some
@pytest.mark.parametrize("name", COMPILED)
def test_nodes_of_rows(name: str, whole: bool) -> None:
    fitting = 0
    for i, case in cases(name, 5):
        if fitting == (2 if whole else 1):
            break
        n = len(case.inputs[0]) if case.inputs[0].ndim else 0
        if not n or any(a.ndim == 0 or len(a) != n for a in case.inputs):
            continue  # has no rows
        x = OverRows.data(case.inputs, N)
        t = np.random.default_rng(i).standard_normal((N, 1))

        def make(case: Case = case) -> cr.Network:
            return OverRows(case.node, case.inputs, case.moving)

        try:
            for rows in (BATCH, N - BATCH, 5, 7):
                make().forward(x[:rows], t[:rows])
        except (ChainruleError, ValueError, IndexError):
            continue  # fits no other number of rows
        fitting += 1
        for shards in (BLOCKS, ABREAST, 1 + 2 * (i % 2)):
            agree_or_decline(make, x, t, BATCH, shards)
    assert fitting or name in ("Repeat", "MatMul")


@some
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("row", LAYERS, ids=lambda row: row.name)
def test_layers_and_losses(row: Any, dtype: Any, whole: bool) -> None:
    for number, shape in enumerate(row.shapes):
        if len(shape) == 1 and row.make(dtype).params and not row.takes_ids:
            continue  # one row, without a batch
        if not whole and dtype == np.float32 and number % 2 and len(row.shapes) > 2:
            continue
        rng = np.random.default_rng(len(shape))
        shape = (13, *shape[1:])
        x, more = row.inputs(rng, shape, dtype)

        def make(shape: Any = shape) -> cr.Network:
            return UnderLayer(row, dtype, shape)

        t = more[0] if row.is_loss else rng.standard_normal(make().predict(x).shape)
        w = more[1] if row.weighted else None
        for way in (ABREAST, BLOCKS) if whole else (ABREAST if dtype == np.float32 else BLOCKS,):
            with plainly(way):
                agree(make, x, t, w, batch=8, slack=4)
        with plainly(3 if number % 2 else 1):
            agree(make, x, t, w, batch=8, slack=4)
            if row.name != "Softmax" or len(shape) > 1:  # softmax of a column: rows as classes
                agree_in_use(make, x)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("row", OPTIMIZERS, ids=lambda row: row.name)
def test_optimizers(row: Any, dtype: Any) -> None:
    def make() -> cr.Network:
        sizes = {"dtype": dtype}
        return cr.Sequential(
            cr.Affine.sized(3, 4, **sizes), cr.Tanh(), cr.Affine.sized(4, 2, **sizes),
            loss=cr.MeanSquaredError(),
        )  # fmt: skip

    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((12, 3)), rng.standard_normal((12, 2))
    settings: list[dict[str, Any]] = [
        {},
        {"l1": 0.01, "l2": 0.1, "clip_value": 0.05},
        {"weight_decay": 0.1, "clip_norm": 0.2},
        {"lr": cr.schedules.Step(0.1, every=1)},
    ]
    for i, more in enumerate(settings):
        with plainly((1, 3, ABREAST)[i % 3]):
            agree(make, x, t, batch=4, steps=3, optimizer=lambda m=more: row.make(**m))  # type: ignore[misc]
            agree(make, x, t, batch=4, steps=2, max_grad=None, optimizer=row.make)


class HeavyBall(cr.Optimizer):
    """Momentum by way of where the parameter was: the old p goes to the slot."""

    slots = ("last", "before")

    def rule(self, p: Any, g: Any, last: Any, before: Any, *, lr: Any) -> tuple[Any, ...]:
        """p ← p - lr g + (p - last) / 2; last ← p; before ← last."""
        return p - lr * g + 0.5 * (p - last) - 0.1 * before, p, last


@pytest.mark.parametrize("shards", [ABREAST, 1, 3])
def test_a_rule_may_keep_what_it_was_given(shards: int) -> None:
    def make() -> cr.Network:
        return cr.Sequential(
            cr.Affine.sized(3, 2, dtype=np.float64), loss=cr.MeanSquaredError(), seed=1
        )

    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((12, 3)), rng.standard_normal((12, 2))
    with plainly(shards):
        agree(make, x, t, batch=3, steps=4, optimizer=lambda: HeavyBall(0.1))
    p, g = np.array([1.0, -2.0]), np.array([0.5, 0.25])
    last = before = np.zeros(2)
    ours, optimizer = p.copy(), HeavyBall(0.1)
    for _ in range(5):
        optimizer.update([ours], [g])
        p, last, before = p - 0.1 * g + 0.5 * (p - last) - 0.1 * before, p, last
        np.testing.assert_allclose(ours, p, rtol=1e-14)
