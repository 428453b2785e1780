"""Both engines agree on networks of many forms: random ones, and those that are hard to cut up."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chainrule as cr

pytest.importorskip("llvmlite")

from tests.engine.compiled.expressions import CHOICES, A, Expression
from tests.engine.compiled.made import Holder
from tests.engine.compiled.plain import (
    ABREAST,
    ABREAST_SHARED,
    BLOCKS,
    BLOCKS_SHARED,
    Outcome,
    agree,
    agree_in_use,
    plainly,
    threads_of,
)

from chainrule.engine.compiled.predict import CompiledPredict
from chainrule.engine.compiled.step import CompiledStep
from chainrule.engine.compiled.symbolic import NotCompilable

Affine = cr.Affine.sized
ROOT = str(Path(__file__).parents[3])


class Formula(cr.Network):
    """A network of one formula `f(x, *parameters)`."""

    def __init__(
        self, f: Callable[..., Any], *shapes: Any, loss: Any = None, dtype: Any = np.float64
    ):
        super().__init__(loss=loss or cr.MeanSquaredError())
        rng = np.random.default_rng(len(shapes))
        self.f = [f]
        self.held = Holder([rng.standard_normal(s).astype(dtype) for s in shapes])

    def predict(self, x: Any) -> Any:
        return self.f[0](x, *self.held._variables())


# -- random expressions ---------------------------------------------------------------------------


STEPS = st.lists(
    st.tuples(st.integers(0, len(CHOICES) - 1), st.integers(0, 3), st.integers(0, 5)),
    min_size=1,
    max_size=7,
)


def drawn(examples: int) -> Callable[..., Any]:
    """For so many networks, in any way."""
    ways = st.sampled_from([ABREAST, ABREAST_SHARED, BLOCKS, BLOCKS_SHARED, 1, 2, 3])
    checks = list(HealthCheck)
    chosen = settings(
        max_examples=examples, deadline=None, derandomize=True, suppress_health_check=checks
    )
    return lambda test: chosen(given(STEPS, ways, st.booleans())(test))


@drawn(30)
def test_random_expressions(steps: Any, shards: int, double: bool) -> None:
    an_expression_agrees(steps, shards, double)


@pytest.mark.long
@drawn(300)
def test_random_expressions_at_length(steps: Any, shards: int, double: bool) -> None:
    an_expression_agrees(steps, shards, double)


def an_expression_agrees(steps: Any, shards: int, double: bool) -> None:
    dtype = np.float64 if double else np.float32
    rng = np.random.default_rng(3)
    x, t = rng.standard_normal((19, A)), rng.standard_normal((19, 1))
    with plainly(shards):
        agree(lambda: Expression(steps, dtype), x, t, batch=11, steps=2, slack=20)


# -- forms that are hard to cut up ------------------------------------------------------------------

FORMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "x xᵀ": (lambda x, w: (x @ x.T) @ (x @ w) / x.size, ((4, 2),)),
    "centred": (lambda x, w: (x - cr.mean(x, 0)) @ w, ((4, 2),)),
    "largest of the batch": (lambda x, w: x @ w / (1 + cr.max(cr.abs(x @ w), 0)), ((4, 2),)),
    "largest of all": (lambda x, w: x @ w - cr.max(x @ w), ((4, 2),)),
    "product over the batch": (lambda x, w: x @ w * cr.prod(1 + 0.1 * cr.tanh(x), 0)[:2], ((4, 2),)),
    "joined along the batch": (
        lambda x, w: (lambda y: y[: x.shape[0]] * y[x.shape[0] :])(cr.concatenate([x @ w, x @ w + 1])),
        ((4, 2),),
    ),
    "joined along the features": (
        lambda x, w, v: cr.concatenate([x @ w, x[:, :2], x], 1) @ v, ((4, 2), (8, 2))
    ),
    "parts of equal width": (lambda x, w: cr.tanh(x[:, :2] @ w) * x[:, 2:], ((2, 2),)),
    "every second feature": (lambda x, w: x[:, ::2] @ w + x[:, ::-2] * x[:, 1:3], ((2, 2),)),
    "the batch turned over": (lambda x, w: x[::-1] @ w + x @ w, ((4, 2),)),
    "rows moved on": (
        lambda x, w: cr.concatenate([x[1:], x[:1]]) @ w * 0.5 + x @ w, ((4, 2),)
    ),
    "weight norm": (
        lambda x, v, g: x @ (v * (g / cr.norm(v, axis=0))), ((4, 2), (2,))
    ),
    "a parameter twice": (lambda x, w, b: cr.tanh(x @ w + b) @ (w.T @ w) + b, ((4, 2), (2,))),
    "a constant table": (
        lambda x, w: x @ (w * np.arange(8.0).reshape(4, 2)) + np.array([1.0, 2.0]), ((4, 2),)
    ),
    "one number": (lambda x, w, a: x @ w * a[0] + cr.sum(a), ((4, 2), (1,))),
    "heads": (
        lambda x, w: cr.reshape(
            cr.softmax(cr.reshape(x @ w, (-1, 3, 2)), 1) @ cr.reshape(x[:, :2] @ w[:2, :2], (-1, 2, 1)),
            (-1, 3),
        )[:, 1:],
        ((4, 6),),
    ),
    "attention": (
        lambda x, w: cr.sum(
            cr.softmax(
                cr.reshape(x, (-1, 2, 2)) @ cr.transpose(cr.reshape(x @ w, (-1, 2, 2)), (0, 2, 1))
            ),
            2,
        ),
        ((4, 4),),
    ),
    "outer": (
        lambda x, w: cr.sum(cr.expand_dims(x @ w, 2) * cr.expand_dims(x, 1), 2), ((4, 2),)
    ),
    "scores of the batch": (
        lambda x, w: cr.softmax(x @ w, 0) * cr.var(x @ w, 0), ((4, 2),)
    ),
    "not used": (lambda x, w, v: x @ w, ((4, 2), (3,))),
}  # fmt: skip


@pytest.mark.parametrize("shards", [ABREAST, ABREAST_SHARED, BLOCKS, BLOCKS_SHARED, 1, 2, 3, 5])
@pytest.mark.parametrize("name", FORMS)
def test_forms(name: str, shards: int) -> None:
    f, shapes = FORMS[name]
    rng = np.random.default_rng(1)
    # The last batch has fewer rows than there may be shards; widths are as long as other batches.
    x, t = rng.standard_normal((18, 4)), rng.standard_normal((18, 2))
    with plainly(shards):
        agree(lambda: Formula(f, *shapes), x, t, batch=8, slack=10)
        if name in ("heads", "attention", "parts of equal width"):
            agree_in_use(lambda: Formula(f, *shapes), x)


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
@pytest.mark.parametrize("batch", [1, 2, 4, 10])
def test_small_batches(rows: int, batch: int) -> None:
    def make() -> cr.Network:
        return cr.Sequential(
            Affine(4, 4, dtype=np.float64), cr.Tanh(), Affine(4, 1, dtype=np.float64), cr.Sigmoid(),
            Affine(1, 3, dtype=np.float64), loss=cr.SoftmaxWithLoss(),
        )  # fmt: skip

    rng = np.random.default_rng(rows)
    with plainly(3):
        agree(make, rng.standard_normal((rows, 4)), rng.integers(0, 3, rows), batch=batch)


class Tied(cr.Network):
    """Encoder and decoder share W, the decoder turned."""

    def __init__(self) -> None:
        super().__init__(loss=cr.MeanSquaredError())
        W = np.random.default_rng(0).standard_normal((4, 3))
        self.down, self.up = cr.Affine(W, np.zeros(3)), cr.Affine(W.T, np.zeros(4))
        self.again = cr.MatMul(W)

    def predict(self, x: Any) -> Any:
        return self.up(cr.tanh(self.down(x)) + cr.tanh(self.again(x)))


def frozen() -> cr.Network:
    net = cr.Sequential(
        Affine(4, 3, dtype=np.float64), cr.Tanh(), Affine(3, 3, dtype=np.float64), cr.Tanh(),
        Affine(3, 4, dtype=np.float64), loss=cr.Huber(),
    )  # fmt: skip
    net.layers[2].trainable = False
    return net


class Words(cr.Network):
    """Ids, one or several a row."""

    def __init__(self, dtype: Any = np.float64) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss(label_smoothing=0.1, class_weights=[1, 2, 0.5]))
        self.embed = cr.Embedding.sized(7, 4, dtype=dtype)
        self.norm, self.out = cr.LayerNorm.sized(4, dtype=dtype), Affine(4, 3, dtype=dtype)

    def predict(self, ids: Any) -> Any:
        h = self.out(cr.gelu(self.norm(self.embed(ids))))
        return cr.mean(h, 1) if ids.ndim > 1 else h


def norms(width: int, ratio: float, dtype: Any = np.float64, classes: int = 3) -> cr.Network:
    return cr.Sequential(
        Affine(4, width, dtype=dtype), cr.BatchNorm.sized(width, dtype=dtype), cr.LeakyReLU(ratio / 2),
        cr.Dropout(ratio), Affine(width, width, dtype=dtype), cr.LayerNorm.sized(width, dtype=dtype),
        cr.GELU(), cr.Dropout(ratio / 3), Affine(width, classes, dtype=dtype),
        loss=cr.SoftmaxWithLoss(), seed=3,
    )  # fmt: skip


@pytest.mark.parametrize("shards", [ABREAST, ABREAST_SHARED, BLOCKS, BLOCKS_SHARED, 1, 2, 3, 5])
def test_networks(shards: int) -> None:
    rng = np.random.default_rng(2)
    x, ids = rng.standard_normal((18, 4)), rng.integers(0, 7, (18, 3))
    classes, w = rng.integers(0, 3, 18), rng.random(18) + 0.1
    with plainly(shards):
        agree(Tied, x, x, batch=8)
        agree(frozen, x, x, w, batch=8)
        agree(Words, ids, classes, w, batch=8)
        agree(Words, ids[:, 0], classes, batch=8)
        agree_in_use(Words, ids)
        for dtype in (np.float64, np.float32):
            net = functools.partial(norms, 5, 0.3, dtype)
            made: Outcome = agree(net, x, classes, w, batch=8, slack=10)
            assert made.shards == threads_of(shards)
        agree_in_use(lambda: norms(5, 0.3), x)
        agree(
            lambda: cr.Sequential(
                Affine(4, 2, dtype=np.float64), cr.LayerNorm.sized(2, dtype=np.float64),
                loss=cr.MeanAbsoluteError(),
            ),
            rng.standard_normal((18, 3, 4)), rng.standard_normal((18, 3, 2)), batch=8,
        )  # fmt: skip


def activated(kind: Any) -> cr.Network:
    return cr.Sequential(Affine(3, 3, dtype=np.float64), kind(), loss=cr.MeanSquaredError())


def test_nonfinite_numbers_stay_nonfinite() -> None:
    x = np.ones((6, 3))
    x[4, 1] = np.nan
    for layer in (cr.ReLU, cr.GELU, cr.Softmax, cr.Sigmoid):
        with plainly(1):
            agree(functools.partial(activated, layer), x, x, steps=1)


# -- the text ----------------------------------------------------------------------------------------


def source(
    make: Callable[[], cr.Network], x: Any, t: Any, batch: int, optimizer: Any = cr.Adam
) -> str:
    net = make()
    data = zip(("x", "t"), net._prepare(x, t)[:2], strict=True)
    with plainly():
        return CompiledStep(net, optimizer(), list(data), batch).text.source


def test_sizes_and_settings_do_not_change_the_text() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((30, 4)), rng.integers(0, 3, 30)
    texts = {
        source(functools.partial(norms, width, ratio, np.float32), x, t, batch)
        for width, ratio, batch in [
            (5, 0.3, 8),
            (20, 0.1, 7),
            (31, 0.45, 30),
            (6, 0.26, 4),
            (7, 0.2, 5),
            (3, 0.25, 3),
            (5, 0.5, 8),
        ]
    }
    assert len(texts) == 1

    def smooth(classes: int, smoothing: float) -> Callable[[], cr.Network]:
        loss = cr.SoftmaxWithLoss(label_smoothing=smoothing)
        return lambda: cr.Sequential(cr.Affine.sized(4, classes), loss=loss)

    settings = [(2, 0.1), (3, 0.3), (4, 0.2), (5, 0.1), (10, 0.4)]
    assert len({source(smooth(k, s), x, t % k, 10) for k, s in settings}) == 1

    def cut(a: int, b: int) -> Callable[[], cr.Network]:
        def f(x: Any, w: Any, v: Any) -> Any:
            y = cr.concatenate([x @ w, x[:, a:]], 1)
            return y[:, b:] @ v

        return lambda: Formula(f, (6, 5), (5 + 6 - a - b, 3), loss=cr.SoftmaxWithLoss())

    x = rng.standard_normal((30, 6))
    assert len({source(cut(a, b), x, t, 10) for a, b in [(2, 3), (1, 2), (4, 1), (3, 3)]}) == 1


def test_the_text_is_the_same_in_every_process() -> None:
    program = (
        "import numpy as np, sys; from tests.engine.compiled.test_agreement_graphs import *;"
        "rng = np.random.default_rng(0);"
        "print(source(lambda: norms(5, 0.3), rng.standard_normal((9, 4)), rng.integers(0, 3, 9), 3))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([ROOT, f"{ROOT}/src"])},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(texts) == 1
    assert "def step" in texts.pop()


def test_the_text_speaks_of_the_network() -> None:
    net = cr.TwoLayerNet(2, 10, 3)
    x, t = cr.datasets.spiral()
    data = list(zip(("x", "t"), net._prepare(x, t)[:2], strict=True))
    with plainly():
        text = CompiledStep(net, cr.SGD(1.0), data, 30).text.source
    for line in (
        "affine(blas, team, x, W1, b1, hidden)",
        "dot_t(blas, team, hidden, d_scores, dW2)",
        "return loss",
        "hidden.flat[i] = one / (one + exp(-hidden.flat[i]))",
    ):
        assert line in text
    assert "((" not in text.replace("reshape((", "")


# -- what is declined ----------------------------------------------------------------------------------


class Twice:
    """A layer in the chapter's way."""

    params: list[Any]
    grads: list[Any]

    def __init__(self) -> None:
        self.params, self.grads = [], []

    def forward(self, x: Any) -> Any:
        return 2 * x

    def backward(self, dout: Any) -> Any:
        return 2 * dout


DECLINED: dict[str, tuple[Callable[[], cr.Network], str]] = {
    "by hand": (
        lambda: cr.Sequential(Affine(4, 2), Twice(), loss=cr.MeanSquaredError()),
        "Twice is written by hand, in Python",
    ),
    "a constant as long as the batch": (
        lambda: Formula(lambda x, w: x @ w * np.ones((x.shape[0], 1)), (4, 2)),
        "a constant array in it goes with the batch",
    ),
    "a batch of one size": (
        lambda: Formula(lambda x, w: x @ w * np.ones((8, 1)), (4, 2)),
        "it cannot be recorded for batches of another size",
    ),
    "every second row": (
        lambda: Formula(lambda x, w: x @ w + cr.sum(x[::2]), (4, 2)),
        "a length in it does not go evenly with the batch size",
    ),
    "another formula for another size": (
        lambda: Formula(lambda x, w: x @ w if x.shape[0] % 4 == 1 else cr.tanh(x @ w), (4, 2)),
        "it takes other operations for another batch size",
    ),
}


@pytest.mark.parametrize("name", DECLINED)
def test_declined_with_a_reason(name: str) -> None:
    make, reason = DECLINED[name]
    net = make()
    x, t = np.ones((8, 4)), np.ones((8, 2))
    data = list(zip(("x", "t"), net._prepare(x, t)[:2], strict=True))
    with plainly(), pytest.raises(NotCompilable) as caught:
        CompiledStep(net, cr.SGD(0.1), data, 8)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    "f",
    [
        lambda x, w: x @ w / x.shape[0],
        lambda x, w: x @ w * x.size,
        lambda x, w: x @ w - cr.mean(x @ w, 0),
        lambda x, w: x @ w + cr.sum(x),
        lambda x, w: x @ w / (1 + cr.std(x, 0)[:2]),
    ],
)
def test_a_prediction_that_looks_at_the_whole_batch_is_declined(f: Callable[..., Any]) -> None:
    """Blocks of rows know neither the other rows nor how many there are."""
    x = np.random.default_rng(0).standard_normal((300, 4))
    net = Formula(f, (4, 2))
    with plainly(), pytest.raises(NotCompilable, match="go with the other rows"):
        CompiledPredict(net, net._as_input(x))
    ours, theirs = Formula(f, (4, 2)), Formula(f, (4, 2))
    ours.engine = "compiled"
    for n in (300, 128, 50):
        np.testing.assert_array_equal(ours.predict(x[:n]), theirs.predict(x[:n]))
