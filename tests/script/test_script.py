"""Written programs: the losses of the NumPy engine, digit for digit, without chainrule."""

from __future__ import annotations

import ast
import copy
import cProfile
import functools
import io
import math
import re
import subprocess
import sys
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engine.compiled.expressions import Expression
from tests.layers.table import LAYERS, LOSSES
from tests.layers.table import Row as LayerRow
from tests.optimizers.table import ROWS as OPTIMIZERS
from tests.script.programs import run_all, spiral_network, tidy, trained

import chainrule as cr
from chainrule.errors import DataError, RecordingError, SettingError
from chainrule.lang.messages import Text
from chainrule.layers import Layer
from chainrule.layers.losses import Loss
from chainrule.nodes import Node, random
from chainrule.optimizers import Optimizer
from chainrule.optimizers.gradients import squares
from chainrule.script import Script
from chainrule.script.data import MAKERS
from chainrule.script.wording import comment, first_words
from chainrule.text_width import cells_wide

F = np.float64
X, T = cr.datasets.spiral()


def both(
    network: Any, optimizer: Any, x: Any = X, t: Any = T, **settings: Any
) -> tuple[Script, list[str]]:
    """The program, and what it must print."""
    script = network.script(copy.deepcopy(optimizer), x, t, **settings)
    return script, trained(network, optimizer, x, t, **settings)


def prints_the_same(folder: Path, *pairs: tuple[Script, list[str]]) -> None:
    """Run the programs in one process, and compare line by line."""
    printed = run_all([script for script, _ in pairs], folder)
    for (script, wanted), lines in zip(pairs, printed, strict=True):
        assert lines == wanted, script.text
    tidy(folder)


# -- training ---------------------------------------------------------------------------------------


def test_the_network_of_the_readme(tmp_path: Path) -> None:
    network = spiral_network()
    script = network.script(cr.SGD(lr=1.0), cr.datasets.spiral, epochs=300, batch_size=30)
    assert script.arrays == {}  # data, weights and order all come from seeds
    assert "chainrule" not in script.text.replace("Written by chainrule.", "")
    assert len(script.text.splitlines()) <= 92
    wanted = trained(network, cr.SGD(lr=1.0), X, T, epochs=300, batch_size=30)
    assert len(set(wanted)) == 300
    prints_the_same(tmp_path, (script, wanted))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["program_0.py"]


def test_rows_to_test_on_and_a_last_epoch_that_is_not_complete(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    test = (rng.normal(size=(70, 2)), rng.integers(3, size=70))
    network, twin = spiral_network(), spiral_network()
    with_dropout = cr.Sequential(
        cr.Affine.sized(2, 6, dtype=F), cr.ReLU(), cr.Dropout(0.3), cr.Affine.sized(6, 3, dtype=F),
        loss=cr.SoftmaxWithLoss(), seed=3,
    )  # fmt: skip
    pairs = []
    for net in (network, with_dropout):
        script = net.script(cr.SGD(lr=0.5), X, T, epochs=2, batch_size=50, test=test)
        trainer = cr.Trainer(net, cr.SGD(lr=0.5), engine="numpy")
        epochs = trainer.fit(X, T, 2, 50, progress=None).epochs
        losses = [trainer.evaluate(*rows)["loss"] for rows in ((X, T), test)]
        wanted = [f"epoch {i}: loss {row['loss']!r}" for i, row in enumerate(epochs, 1)]
        wanted += [
            f"{kind} rows: loss {n!r}" for kind, n in zip(("training", "test"), losses, strict=True)
        ]
        pairs.append((script, wanted))
    # Seven steps of six an epoch: one of the second epoch.
    script = twin.script(cr.SGD(lr=0.5), X, T, batch_size=50, test=test, steps=7)
    order = np.random.default_rng(0)
    rows = [order.permutation(300).reshape(6, 50) for _ in range(2)]
    optimizer = cr.SGD(lr=0.5)
    total = []
    for batch in [*rows[0], rows[1][0]]:
        total.append(twin.forward(X[batch], T[batch]) * 50)
        twin.backward()
        optimizer.update(twin.params, twin.grads)
    trainer = cr.Trainer(twin, optimizer, engine="numpy")
    losses = [trainer.evaluate(*rows)["loss"] for rows in ((X, T), test)]
    first = 0.0
    for loss in total[:6]:
        first += loss
    wanted = [f"epoch 1: loss {first / 300!r}"]
    wanted += [
        f"{kind} rows: loss {n!r}" for kind, n in zip(("training", "test"), losses, strict=True)
    ]
    prints_the_same(tmp_path, *pairs, (script, wanted))


def test_it_reads_like_the_chapter() -> None:
    text = spiral_network().script(cr.SGD(lr=1.0), X, T, epochs=3, batch_size=30).text
    for line in (
        "x, t = spiral()",
        "W1 = rng.standard_normal((2, 10)) * math.sqrt(2 / (2 + 10))",
        "    z1 = np.dot(x, W1) + b1  # Affine: y = x W + b.",
        "    hidden = 1 / (1 + np.exp(-z1))  # Sigmoid: y = 1 / (1 + e⁻ˣ).",
        "    scores = np.dot(hidden, W2) + b2  # Affine",
        "    dW2 = np.dot(hidden.T, d_scores)",
        "    d_hidden = np.dot(d_scores, W2.T)",
        "    d_z1 = d_hidden * (hidden * (1 - hidden))",
        "    loss = np.sum(losses) / n  # Mean: y = Σ x / n over axis.",
        "        rows = order[start : start + 30]  # step 1: mini-batch",
        "            p -= lr * g",
    ):
        assert line in text.splitlines(), text


def test_every_optimizer(tmp_path: Path) -> None:
    pairs = [both(spiral_network(), row.make(), epochs=6, batch_size=32) for row in OPTIMIZERS]
    prints_the_same(tmp_path, *pairs)


def _layer_network(row: LayerRow, rng: np.random.Generator) -> tuple[cr.Sequential, Any, Any]:
    shape = (8, *next((s for s in row.shapes if len(s) > 1), row.shapes[0])[1:])
    x, _ = row.inputs(rng, shape)
    layer = row.make(F)
    with cr.training_mode():
        y = row.make(F).forward(x)
    leads = row.takes_ids or row.goes_first
    first = [] if leads else [cr.Affine.sized(shape[-1], shape[-1], dtype=F)]
    last = cr.Affine.sized(y.shape[-1], 2, dtype=F)
    network = cr.Sequential(*first, layer, last, loss=cr.MeanSquaredError(), seed=1)
    return network, x, rng.standard_normal((*y.shape[:-1], 2))


def test_every_layer_of_the_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    pairs = [
        both(*made[:1], cr.SGD(lr=0.02), *made[1:], epochs=4, batch_size=3)
        for made in (_layer_network(row, rng) for row in LAYERS)
    ]
    prints_the_same(tmp_path, *pairs)


def test_every_loss_of_the_table(tmp_path: Path) -> None:
    rng, pairs = np.random.default_rng(3), []
    for row in LOSSES:
        shape = (8, *next((s for s in row.shapes if len(s) == 2), row.shapes[0])[1:])
        x, more = row.inputs(rng, shape)
        layers: list[Any] = [cr.Affine.sized(shape[-1], shape[-1], dtype=F)]
        if row.name.startswith("CrossEntropy"):
            layers.append(cr.Softmax())
        network = cr.Sequential(*layers, loss=row.make(F), seed=1)
        weights = {"sample_weight": more[1]} if row.weighted else {}
        pairs.append(both(network, cr.SGD(lr=0.1), x, more[0], epochs=4, batch_size=3, **weights))
    prints_the_same(tmp_path, *pairs)


class Skip(cr.Network):
    """A skip connection, a join, and an average, written with operators."""

    def __init__(self) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=3)
        self.first = cr.Affine.sized(4, 4, dtype=F)
        self.second = cr.Affine.sized(8, 2, dtype=F)

    def predict(self, x: Any) -> Any:
        h = x + cr.tanh(self.first(x))
        both = cr.concatenate([h, 2 * x[:, ::-1]], axis=1)
        y = self.second(both)
        return y - 0.1 * cr.mean(y, 1, keepdims=True)


class Turned(cr.Layer):
    """Arrays that lie column by column: sums and products of them must not change their order."""

    def formula(self, x: Any) -> Any:
        """Turned over and back."""
        turned = cr.exp(x.T * 0.1) * x.T
        return turned.T - cr.mean(turned, 1) + cr.reshape(turned, x.shape) * 0.01


def deep(*, seed: int = 4) -> cr.Sequential:
    """Dropout and batch norm, whose state goes on from batch to batch."""
    return cr.Sequential(
        cr.Affine.sized(2, 12, dtype=F, init="he"), cr.BatchNorm.sized(12, dtype=F), cr.ReLU(),
        cr.Dropout(0.3), cr.Affine.sized(12, 12, dtype=F, init="uniform"), cr.Dropout(0.1),
        cr.LayerNorm.sized(12, dtype=F), cr.GELU(), cr.Affine.sized(12, 3, dtype=F),
        loss=cr.SoftmaxWithLoss(label_smoothing=0.1, class_weights=[1.0, 2.0, 0.5]), seed=seed,
    )  # fmt: skip


def row_bias() -> cr.Sequential:
    """A bias that is a row already, so that a batch of one row is not repeated."""
    b = np.linspace(-1, 1, 2)[None, :]
    layer = cr.Affine(np.linspace(-1, 1, 8).reshape(4, 2), b)
    return cr.Sequential(layer, cr.Softmax(), loss=cr.MeanSquaredError())


def test_networks_of_all_kinds(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    x, t = rng.standard_normal((50, 4)), rng.standard_normal((50, 2))
    W = rng.standard_normal((4, 3))
    tied = cr.Sequential(cr.MatMul(W), cr.Tanh(), cr.MatMul(W.T), loss=cr.MeanSquaredError())
    turned = cr.Sequential(
        cr.Affine.sized(4, 3, dtype=F), Turned(), cr.Affine.sized(3, 2, dtype=F),
        loss=cr.MeanSquaredError(), seed=1,
    )  # fmt: skip
    frozen = spiral_network()
    frozen.layers[0].trainable = False
    twice = cr.Affine.sized(4, 4, dtype=F)
    shared = cr.Sequential(twice, cr.Sigmoid(), twice, loss=cr.Huber(), seed=2)
    inner = cr.Sequential(cr.Affine.sized(4, 4, dtype=F), cr.Tanh())
    nested = cr.Sequential(inner, cr.Affine.sized(4, 2, dtype=F), loss=cr.MeanSquaredError())
    single = {"epochs": 3, "batch_size": 7}  # 50 = 7 · 7 + 1: a last batch of one row
    prints_the_same(
        tmp_path,
        *(both(make(), cr.SGD(lr=0.1), x, t, **single) for make in (Skip, row_bias)),
        both(spiral_network(), cr.SGD(lr=0.1), X[:61], T[:61], epochs=3, batch_size=30),
        both(deep(), cr.SGD(lr=0.1), epochs=5, batch_size=32),
        both(deep(), cr.Adam(), epochs=3, batch_size=300, sample_weight=rng.random(300)),
        both(Skip(), cr.Adam(), x, t, epochs=5, batch_size=8, seed=7),
        both(tied, cr.Momentum(), x, x, epochs=5, batch_size=8),
        both(turned, cr.SGD(lr=0.1), x, t, epochs=5, batch_size=8),
        both(frozen, cr.SGD(lr=0.5), epochs=3, batch_size=32),
        both(shared, cr.SGD(lr=0.1), x, x, epochs=3, batch_size=7),
        both(nested, cr.SGD(lr=0.1), x, t, epochs=3, batch_size=7, shuffle=False),
        both(nested, cr.SGD(lr=0.1), x, t, epochs=3, batch_size=100),
    )


class Twofold(cr.schedules.Schedule):
    """A schedule of the user's own."""

    def __call__(self, step: int) -> float:
        return 0.5 if step % 2 else 0.25


class Slopes(cr.Optimizer):
    """A rule of the user's own: it remembers the last gradient, and how far it went."""

    slots = ("slope", "way")

    def rule(self, p: Any, g: Any, slope: Any, way: Any, *, lr: Any) -> Any:
        """A step, and a little of the last one."""
        step = lr * (g + 0.5 * slope)
        return p - step - 0.01 * way, g, way + step


def test_smoothed_labels_are_written_as_shares_of_the_batch(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    pairs = []
    for smoothing, classes, batch in (
        (0.1, 3, 32), (0.1, 10, 32), (0.1, 10, 61), (0.25, 7, 24), (0.05, 4, 40), (0.3, 101, 30),
    ):  # fmt: skip
        x, t = rng.standard_normal((61, 4)), rng.integers(0, classes, 61)
        network = cr.Sequential(
            cr.Affine.sized(4, classes, dtype=F), seed=1,
            loss=cr.SoftmaxWithLoss(label_smoothing=smoothing),
        )  # fmt: skip
        pairs.append(both(network, cr.SGD(lr=0.5), x, t, epochs=4, batch_size=batch))
        text = pairs[-1][0].text
        assert "[n]" not in text, text
        assert not re.search(r"\d\.\d{9}", text), text  # no number that nobody chose
    prints_the_same(tmp_path, *pairs)


def test_updates_of_all_kinds(tmp_path: Path) -> None:
    steps = cr.schedules.WarmUp(cr.schedules.Cosine(0.1, steps=40, end=0.1), steps=8)
    slower = cr.schedules.Exponential(cr.schedules.Step(0.5, every=9), every=20)
    wide = cr.Sequential(
        cr.Affine.sized(2, 3000, dtype=F), cr.Tanh(), cr.Affine.sized(3000, 3, dtype=F),
        loss=cr.SoftmaxWithLoss(), seed=0,
    )  # fmt: skip
    everything = {"l1": 0.001, "l2": 0.01, "weight_decay": 0.1, "clip_value": 0.01}
    few = {"epochs": 5, "batch_size": 32}
    prints_the_same(
        tmp_path,
        both(spiral_network(), cr.Adam(steps, clip_norm=0.1, **everything), max_grad=0.2, **few),
        both(deep(), cr.AdamW(weight_decay=0.1), **few),
        both(spiral_network(), cr.Nesterov(slower, l2=0.01), **few),
        both(spiral_network(), cr.Adam(Twofold()), **few),
        both(spiral_network(), Slopes(0.1), **few),
        both(spiral_network(), cr.RMSprop(clip_norm=0.05), **few),
        both(wide, cr.SGD(lr=0.1), max_grad=0.05, epochs=2, batch_size=100),
    )


def test_float32_to_rounding(tmp_path: Path) -> None:
    network = spiral_network(np.float32)
    script, wanted = both(network, cr.Adam(), epochs=20, batch_size=32)
    assert "up to rounding in float32" in " ".join(script.text.split())
    assert "x = x.astype(np.float32)" in script.text
    (printed,) = run_all([script], tmp_path)
    losses = np.array([[float(line.split()[-1]) for line in lines] for lines in (printed, wanted)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    tidy(tmp_path)


# -- what is made again, and what is kept ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "named"),
    [
        ("spiral", (), {}),
        ("spiral", (7,), {}),
        *(
            (name, args, named)
            for name in ("moons", "circles", "xor", "blobs")
            for args, named in (((), {}), ((61,), {"noise": 0.3, "seed": 5}), ((), {"noise": 0}))
        ),
        ("blobs", (50,), {"classes": 4, "features": 3, "seed": 2}),
        ("blobs", (50,), {"centers": [[0.0, 1.0], [2.0, -3.5]]}),
    ],
)
def test_generated_sets_are_those_of_the_library(name: str, args: Any, named: Any) -> None:
    space: dict[str, Any] = {"np": np}
    exec(MAKERS[name], space)
    x, t = space[name](*args, **named)
    wanted_x, wanted_t = getattr(cr.datasets, name)(*args, **named)
    assert x.tobytes() == wanted_x.tobytes()
    assert (t.dtype, t.tolist()) == (wanted_t.dtype, wanted_t.tolist())


def test_generated_data_is_made_again_by_the_program(tmp_path: Path) -> None:
    moons = functools.partial(cr.datasets.moons, 90, noise=0.2, seed=8)
    xor = functools.partial(cr.datasets.xor, seed=3)
    hot = functools.partial(cr.datasets.spiral, one_hot=True)
    binary = cr.Sequential(
        cr.Affine.sized(2, 8, dtype=F), cr.Tanh(), cr.Affine.sized(8, 1, dtype=F),
        loss=cr.SigmoidWithLoss(), seed=0,
    )  # fmt: skip
    three = cr.Sequential(cr.Affine.sized(2, 3, dtype=F), loss=cr.MeanSquaredError(), seed=0)
    pairs = []
    for network, maker, call in (
        (spiral_network(), moons, "x, t = moons(90, noise=0.2, seed=8)"),
        (binary, xor, "x, t = xor(seed=3)"),
        (three, hot, "x, t = spiral()"),
        (spiral_network(), hot, "x, t = spiral()"),
    ):
        script = network.script(cr.SGD(lr=0.1), maker, epochs=2)
        assert script.arrays == {}
        assert call in script.text.splitlines()
        pairs.append((script, trained(network, cr.SGD(lr=0.1), *maker(), epochs=2)))
    prints_the_same(tmp_path, *pairs)


def test_arrays_are_kept_where_no_seed_makes_them() -> None:
    network = spiral_network()
    assert network.script(cr.SGD(), X, T, epochs=1).arrays == {}  # spiral's own arrays
    changed = X + 1e-9
    assert sorted(network.script(cr.SGD(), changed, T, epochs=1).arrays) == ["t", "x"]
    trained(network, cr.SGD(), X, T, epochs=1)
    kept = network.script(cr.SGD(), X, T, epochs=1).arrays
    assert sorted(kept) == ["W1", "W2", "b1", "b2"]
    for name, p in zip(("W1", "b1", "W2", "b2"), network.params, strict=True):
        assert kept[name].tobytes() == p.tobytes()


def test_going_on_from_a_trained_network(tmp_path: Path) -> None:
    network = deep()
    trained(network, cr.SGD(lr=0.1), X, T, epochs=2)
    prints_the_same(tmp_path, both(network, cr.SGD(lr=0.1), epochs=2, batch_size=32))


def test_a_trainer_writes_what_a_new_one_would_do(tmp_path: Path) -> None:
    trainer = cr.Trainer(spiral_network(), cr.Momentum(), seed=11, engine="numpy")
    script = trainer.script(X, T, epochs=3, batch_size=40, max_grad=1.0)
    history = trainer.fit(X, T, epochs=3, batch_size=40, max_grad=1.0, progress=None)
    (printed,) = run_all([script], tmp_path)
    assert [line.split()[-1] for line in printed] == [repr(e["loss"]) for e in history.epochs]
    child = cr.Trainer(spiral_network(), cr.SGD(), seed=np.random.default_rng(1).spawn(1)[0])
    with pytest.raises(SettingError, match="needs a seed to shuffle by"):
        child.script(X, T)


# -- names, safety, errors -------------------------------------------------------------------------------

HOSTILE = 'x"""\nimport os\nos.system("touch hacked")\n"""\\N{BEL}\u202e\r\n# {n} %s'


def test_no_name_or_docstring_becomes_code(tmp_path: Path) -> None:
    def formula(self: Any, x: Any, **_: Any) -> Any:
        return x * 2

    formula.__doc__ = HOSTILE
    kind = type(HOSTILE, (cr.Layer,), {"formula": formula, "__doc__": HOSTILE})
    network = cr.Sequential(cr.Affine.sized(2, 3, dtype=F), kind(), loss=cr.SoftmaxWithLoss())
    network.loss.__class__.rows.__doc__  # noqa: B018 - a real loss beside it
    optimizer = type(HOSTILE, (cr.SGD,), {})(0.1)
    script, wanted = both(network, optimizer, epochs=2)
    ast.parse(script.text)
    assert all(line.isprintable() for line in script.text.splitlines())
    prints_the_same(tmp_path, (script, wanted))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["program_0.py"]


def test_parameters_may_be_called_anything(tmp_path: Path) -> None:
    class Odd(cr.Layer):
        """Parameters whose names a program needs itself, or that are no identifiers."""

        def __init__(self) -> None:
            named = {name: np.full(2, 1.0 + i) for i, name in enumerate(
                ("np", "print", "lambda", "params", "file", "allow_pickle", "a b", "1", "π", "rows",
                 "lr", "p", "step", "gradient", "spiral", "bound", "kept", "x", "n", "ones", "dW")
            )}  # fmt: skip
            super().__init__(**named)

        def formula(self, x: Any, *more: Any) -> Any:
            """Each in turn."""
            for parameter in more:
                x = cr.tanh(x * parameter)
            return x

    network = cr.Sequential(Odd(), loss=cr.MeanSquaredError())
    prints_the_same(tmp_path, both(network, cr.Adam(clip_norm=1.0), X, X, epochs=2))


class ByHand:
    """A layer in the chapter's way."""

    def __init__(self) -> None:
        self.params: list[Any] = []
        self.grads: list[Any] = []

    def forward(self, x: Any) -> Any:
        return np.tanh(x)

    def backward(self, dout: Any) -> Any:
        return dout


class UpdateByHand:
    def update(self, params: Any, grads: Any) -> None:
        """Nothing."""


def _changing() -> cr.Network:
    class Changing(cr.Network):
        """Other operations for other batch sizes."""

        def __init__(self) -> None:
            super().__init__(loss=cr.SoftmaxWithLoss())
            self.first = cr.Affine.sized(2, 3, dtype=F)

        def predict(self, x: Any) -> Any:
            y = self.first(x)
            return y if len(x) == 32 else cr.tanh(y)

    return Changing()


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (
            lambda: cr.Sequential(
                cr.Affine.sized(2, 3), ByHand(), loss=cr.SoftmaxWithLoss()
            ).script(cr.SGD(), X, T),
            RecordingError,
            "ByHand is written by hand",
        ),
        (
            lambda: spiral_network().script(UpdateByHand(), X, T),
            RecordingError,
            "has an update of its own",
        ),
        (
            lambda: spiral_network().script(cr.SGD(cr.schedules.ReduceOnPlateau(0.1)), X, T),
            SettingError,
            "by the losses it hears",
        ),
        (
            lambda: cr.Sequential(cr.Affine.sized(2, 3)).script(cr.SGD(), X, T),
            RecordingError,
            "has no loss",
        ),
        (lambda: spiral_network().script(cr.SGD(), X, T, epochs=0), SettingError, "epochs"),
        (lambda: spiral_network().script(cr.SGD(), X, T, seed=-1), SettingError, "seed"),
        (lambda: spiral_network().script(cr.SGD(), X[:, :1], T), Exception, "2 inputs"),
        (lambda: spiral_network().script(cr.SGD(), np.full((4, 2), np.nan), T[:4]), DataError, "NaN"),
        (lambda: spiral_network().script(cr.SGD(), len), SettingError, "generated sets"),
        (
            lambda: cr.Trainer(UpdateByHand(), cr.SGD()).script(X, T),
            RecordingError,
            "written by hand",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_written_says_why(
    make: Callable[[], Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        make()


def test_a_step_that_is_another_for_each_size_is_written_for_each(tmp_path: Path) -> None:
    prints_the_same(
        tmp_path,
        both(_changing(), cr.SGD(), X[:96], T[:96], epochs=2, batch_size=32),
        both(_changing(), cr.SGD(), X[:80], T[:80], epochs=2, batch_size=32),
        both(_changing(), cr.SGD(), X[:80], T[:80], epochs=2, batch_size=30),
    )


@pytest.mark.parametrize(
    "steps", [np.random.default_rng(n).integers(0, 50, (n, 3)).tolist() for n in range(2, 8)]
)
def test_random_expressions(steps: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    x, t = rng.standard_normal((19, 3)), rng.standard_normal((19, 1))
    pairs = [
        both(Expression(steps, F), cr.SGD(0.01), x, t, epochs=2, batch_size=n) for n in (11, 19, 8)
    ]
    prints_the_same(tmp_path, *pairs)


def test_saving_is_whole_or_not_at_all(tmp_path: Path) -> None:
    script = spiral_network().script(cr.SGD(), X + 1, T, epochs=1)
    with pytest.raises(SettingError, match=r"ends in \.py"):
        script.save(tmp_path / "train.txt")
    (tmp_path / "train.py").write_text("mine")
    with pytest.raises(SettingError, match="exists already"):
        script.save(tmp_path / "train.py")
    (tmp_path / "other.npz").write_text("mine")
    with pytest.raises(SettingError, match="exists already"):
        script.save(tmp_path / "other.py")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other.npz", "train.py"]
    script.save(tmp_path / "train.py", overwrite=True)
    first = [(tmp_path / name).read_bytes() for name in ("train.py", "train.npz")]
    script.save(tmp_path / "train.py", overwrite=True)
    assert first == [(tmp_path / name).read_bytes() for name in ("train.py", "train.npz")]
    with np.load(tmp_path / "train.npz", allow_pickle=False) as kept:
        assert {name: kept[name].tobytes() for name in kept} == {
            name: array.tobytes() for name, array in script.arrays.items()
        }
    assert math.isfinite(sum(map(len, first)))


def test_writing_changes_nothing(tmp_path: Path) -> None:
    network, optimizer = deep(), cr.Adam()
    before = [a.copy() for a in (*network.params, *network.named_buffers().values())]
    profile = sys.getprofile()
    texts = {network.script(optimizer, X, T, epochs=1).text for _ in range(2)}
    assert len(texts) == 1
    after = [*network.params, *network.named_buffers().values()]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert (optimizer.iter, optimizer.state) == (0, None)
    assert sys.getprofile() is profile


@pytest.mark.skipif(sys.gettrace() is not None, reason="coverage has one of Python's two hooks")
@pytest.mark.parametrize("who", ["a profiler", "a tracer", "both"])
def test_the_text_is_the_same_under_a_profiler_and_a_debugger(who: str) -> None:
    def text() -> str:
        net = cr.TwoLayerNet(2, 10, 3)
        return net.script(cr.Adam(0.1), cr.datasets.spiral, epochs=2).text

    def nothing(*event: Any) -> None:
        return None

    wanted, profile, trace = text(), cProfile.Profile(), sys.gettrace()
    try:
        if who != "a tracer":
            profile.enable()
        if who != "a profiler":
            sys.settrace(nothing)
        found = text()
        held = sys.gettrace(), sys.getprofile()
    finally:
        sys.settrace(trace)
        profile.disable()
    assert (held[0] is nothing) == (who != "a profiler")
    assert (held[1] is None) == (who == "a tracer")
    if who != "both":
        assert found == wanted
        return
    told = [  # nobody tells the names of the formulas then, but it is the same program
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        for program in (found, wanted)
    ]
    assert told[0].stdout == told[1].stdout != ""


# -- languages -------------------------------------------------------------------------------------------


def code_of(text: str) -> list[str]:
    """A program without what it says: comments, docstrings, and the words it prints."""
    return [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in (tokenize.COMMENT, tokenize.NL)
        and not token.string.startswith(('"""', 'f"'))
    ]


def test_a_program_in_chinese_is_the_same_program(tmp_path: Path) -> None:
    deep = cr.Sequential(
        cr.Affine.sized(2, 8, dtype=F), cr.BatchNorm.sized(8, dtype=F), cr.GELU(), cr.Dropout(0.3),
        cr.LayerNorm.sized(8, dtype=F), cr.SELU(), cr.Affine.sized(8, 3, dtype=F),
        loss=cr.SoftmaxWithLoss(), seed=0,
    )  # fmt: skip
    pairs = []
    for network, optimizer in (
        (spiral_network(), cr.AdamW(lr=cr.schedules.Cosine(0.1, 10), clip_norm=1.0)),
        (deep, cr.Nesterov(lr=cr.schedules.WarmUp(0.1, 5), weight_decay=0.01)),
    ):
        settings: Any = {"epochs": 2, "batch_size": 30, "max_grad": 5.0}
        chinese = network.script(optimizer, X, T, lang="zh", **settings)
        english, wanted = both(network, optimizer, **settings)
        assert code_of(chinese.text) == code_of(english.text)
        said = set(re.findall(r"[A-Za-z]{2,}", " ".join(re.findall(r"#.*", chinese.text))))
        assert not said & {"the", "so", "where", "of", "and", "else", "over", "step", "in", "as"}
        pairs.append(
            (chinese, [re.sub(r"epoch (\d+): loss", r"第 \1 轮：损失", w) for w in wanted])
        )
    assert "z1 = np.dot(x, W1) + b1  # Affine：y = x W + b。" in pairs[0][0].text
    assert "  # 步骤 1：mini-batch" in pairs[0][0].text
    prints_the_same(tmp_path, *pairs)


def test_comments_in_chinese_stay_within_a_line() -> None:
    text = "每份副本的斜率为 1，所以 dx = Σ dy（对各份副本求和）。" * 4
    lines = comment(text, "zh", 4)
    assert all(80 < cells_wide(line) <= 100 for line in lines[:-1])
    assert "".join(line.removeprefix("    # ") for line in lines).replace(" ", "") == text.replace(
        " ", ""
    )
    assert not any(line.removeprefix("    # ")[0] in "，。）" for line in lines)


#: Names of functions and numbers, which are no words of a language.
SIGNS = {
    *(
        "sin",
        "cos",
        "tan",
        "arcsin",
        "arccos",
        "arctan",
        "sinh",
        "cosh",
        "tanh",
        "arcsinh",
        "arccosh",
    ),
    *("arctanh", "log", "erf", "det", "mod", "max", "min", "round", "trunc", "softmax"),
    *("key", "ids", "momentum", "lr"),
}


def kinds(base: Any) -> set[Any]:
    below = set(base.__subclasses__())
    rooms = ("chainrule.nodes.", "chainrule.layers.", "chainrule.optimizers")
    return {kind for kind in below if kind.__module__.startswith(rooms)}.union(*map(kinds, below))


def test_what_is_said_in_words_is_known_in_chinese() -> None:
    """The docstrings that a program may take over, unless they are formulas of signs only."""
    sources: list[Any] = [random.mixed, random.cells, squares]
    for kind in (kinds(Node) - {Node}) | kinds(Layer) | kinds(Optimizer):
        names = {Layer: ("formula",), Loss: ("rows",), Node: ("forward", "backward")}
        told = next((names[k] for k in (Loss, Layer, Node) if issubclass(kind, k)), ("rule",))
        if kind.__module__ != "chainrule.layers.opaque":  # what is written by hand is no program
            sources += [getattr(kind, name) for name in told]
    sources = [source for source in sources if source not in (Node.forward, Node.backward)]
    messages = [source.__doc__ for source in sources if isinstance(source.__doc__, Text)]
    assert len(messages) > 150
    for message in messages:
        chinese = message.said("zh")
        assert re.search("[\u4e00-\u9fff。]", chinese), message
        assert not set(re.findall(r"[A-Za-z]{2,}", chinese)) & {"the", "where", "so", "of", "and"}
    plain = {first_words(source) for source in sources if not isinstance(source.__doc__, Text)}
    for doc in plain:  # written by hand, so it must be signs
        assert set(re.findall(r"[A-Za-z]{2,}", doc)) <= SIGNS, doc


def test_a_schedule_of_weight_decay(tmp_path: Path) -> None:
    optimizer = cr.AdamW(
        cr.schedules.CosineLog(0.05, 40), weight_decay=cr.schedules.FlatCosine(0.5, 40)
    )
    prints_the_same(tmp_path, both(spiral_network(), optimizer, epochs=4, batch_size=32))
