"""What is particular to one kind of layer: values, randomness, statistics, ids, first weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import layers
from chainrule.graph import Variable

# -- activations --------------------------------------------------------------------------------------

FORMULAS: list[tuple[Any, Any]] = [
    (cr.Sigmoid(), lambda x: 1 / (1 + math.exp(-x))),
    (cr.Tanh(), math.tanh),
    (cr.ReLU(), lambda x: max(x, 0.0)),
    (cr.LeakyReLU(), lambda x: x if x > 0 else 0.01 * x),
    (cr.LeakyReLU(0.2), lambda x: x if x > 0 else 0.2 * x),
    (
        cr.GELU(),
        lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
]


@pytest.mark.parametrize(("layer", "formula"), FORMULAS, ids=lambda v: repr(v)[:16])
def test_activations_are_their_formulas(layer: Any, formula: Any) -> None:
    x = np.array([-700.0, -30.0, -2.0, -0.5, -1e-9, -0.0, 0.0, 1e-9, 0.5, 2.0, 30.0, 700.0])
    want = [formula(a) for a in x.tolist()]
    np.testing.assert_allclose(layer.forward(x), want, rtol=2e-15, atol=1e-16)
    assert np.isfinite(layer.backward(np.ones(12))).all()


@pytest.mark.parametrize("layer", [layer for layer, _ in FORMULAS], ids=lambda v: repr(v)[:16])
def test_activations_far_out(layer: Any) -> None:
    x = np.array([-1e300, -1e4, -1000.0, 1000.0, 1e4, 1e300])
    with np.errstate(all="raise"):
        y = layer.forward(x)
        dx = layer.backward(np.ones(6))
    assert np.isfinite(y).all()
    assert np.isfinite(dx[1:-1]).all()


def test_the_gradient_at_a_kink_is_the_one_documented() -> None:
    for layer, at_zero in ((cr.ReLU(), 0.0), (cr.LeakyReLU(0.3), 0.3)):
        layer.forward(np.array([0.0, -0.0]))
        np.testing.assert_array_equal(layer.backward(np.ones(2)), [at_zero, at_zero])


def test_softmax_rows_are_probabilities_whatever_the_scores() -> None:
    softmax = cr.Softmax()
    for shape in ((4,), (3, 4), (2, 3, 4), (2, 1, 3, 4)):  # three axes are no exception
        x = 1e4 * np.random.default_rng(0).standard_normal(shape)
        y = softmax.forward(x)
        assert ((y >= 0) & (y <= 1)).all()
        np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=1e-15)
        np.testing.assert_allclose(softmax.backward(np.ones(shape)), 0, atol=1e-15)
    np.testing.assert_array_equal(softmax.forward([[0.0, -np.inf]]), [[1, 0]])


# -- dropout ------------------------------------------------------------------------------------------


def kept(layer: Any, shape: tuple[int, ...] = (40, 30)) -> Any:
    return layer.forward(np.ones(shape)) != 0


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_dropout_drops_that_part_and_keeps_the_mean(ratio: float) -> None:
    layer = cr.Dropout(ratio, seed=1)
    n, shape = 400, (50, 40)
    ys = np.array([layer.forward(np.full(shape, 2.0)) for _ in range(n)])
    assert set(np.unique(ys)) == {0.0, 2.0 / (1 - ratio)}
    count = ys.size
    spread = math.sqrt(ratio * (1 - ratio) / count)
    assert abs((ys == 0).mean() - ratio) < 5 * spread
    for axis in (0, 1, 2):  # nor is any draw, row or column favoured
        others = count // ys.shape[axis]
        rates = (ys == 0).mean(axis=tuple(i for i in range(3) if i != axis))
        assert np.abs(rates - ratio).max() < 6 * math.sqrt(ratio * (1 - ratio) / others)
    flat = (ys == 0).reshape(n, -1).astype(float) - ratio
    for shifted in (flat[:, 1:] * flat[:, :-1], flat[1:] * flat[:-1]):  # nor neighbours alike
        assert abs(shifted.mean()) < 6 * ratio * (1 - ratio) / math.sqrt(shifted.size)


def test_the_mask_is_a_function_of_seed_and_clock_and_place() -> None:
    a, b, other = cr.Dropout(0.5, seed=3), cr.Dropout(0.5, seed=3), cr.Dropout(0.5, seed=4)
    first, second = kept(a), kept(a)
    np.testing.assert_array_equal(first, kept(b))
    np.testing.assert_array_equal(second, kept(b))
    for left, right in ((first, second), (first, kept(other)), (first[0], first[1])):
        assert 0.3 < (left != right).mean() < 0.7
    a.clock[...] = 0  # it is a buffer: set it back, and the masks come again
    np.testing.assert_array_equal(kept(a), first)
    a.clock[...] = 0
    np.testing.assert_array_equal(kept(a, (7, 30)), first[:7])  # a row's mask is its own
    a.clock[...] = 0
    np.testing.assert_array_equal(a.forward(np.ones((40, 30), np.float32)) != 0, first)


def test_the_clock_counts_training_passes_only() -> None:
    layer = cr.Dropout(0.5, seed=0)
    layer.forward(np.ones(3))
    layer.forward(np.ones(3), train_flg=True)
    layer.forward(np.ones(3), train_flg=False)
    with layers.inference_mode():
        layer.forward(np.ones(3))
    layer.forward(Variable(np.ones(3)))
    assert layer.clock == 3
    none = cr.Dropout(0.0)
    none.forward(np.ones(3))
    assert none.clock == 0


def test_dropout_backward_uses_the_mask_of_its_forward() -> None:
    layer = cr.Dropout(0.5, seed=0)
    x = np.ones((20, 10))
    for _ in range(3):
        y = layer.forward(x)
        np.testing.assert_array_equal(layer.backward(x), y)
        np.testing.assert_array_equal(layer.backward(x), y)
    with layers.inference_mode():
        np.testing.assert_array_equal(layer.forward(x), x)
        np.testing.assert_array_equal(layer.backward(x), x)


def test_a_changed_ratio_takes_effect() -> None:
    layer = cr.Dropout(0.0, seed=0)
    assert kept(layer).all()
    layer.ratio = 0.5
    assert 0.4 < kept(layer).mean() < 0.6
    layer.ratio = 0.9
    assert 0.05 < kept(layer).mean() < 0.15
    net = cr.Sequential(cr.Affine.sized(4, 50), layer, loss=cr.MeanSquaredError())
    x, t = np.ones((20, 4)), np.zeros((20, 50))
    assert net.forward(x, t) > 0
    layer.ratio = 0.0
    assert net.forward(x, t) == pytest.approx(float(np.mean(net.predict(x) ** 2)), rel=1e-6)


def test_dropout_in_a_network_draws_its_seed_from_the_network() -> None:
    def losses(seed: int) -> list[float]:
        net = cr.Sequential(
            cr.Affine.sized(2, 20),
            cr.Dropout(),
            cr.Dropout(),
            loss=cr.MeanSquaredError(),
            seed=seed,
        )
        return [net.forward(np.ones((5, 2)), np.ones((5, 20))) for _ in range(3)]

    assert losses(0) == losses(0)
    assert losses(0) != losses(1)
    assert len(set(losses(0))) == 3


def test_two_dropouts_of_one_network_have_masks_of_their_own() -> None:
    first, second = cr.Dropout(), cr.Dropout()
    cr.Sequential(first, second, seed=0)
    assert (kept(first) != kept(second)).any()


# -- normalization ------------------------------------------------------------------------------------


def test_batch_norm_by_hand() -> None:
    rng = np.random.default_rng(0)
    x = 3 * rng.standard_normal((8, 2)) + 5
    layer = cr.BatchNorm(np.array([2.0, 0.5]), np.array([-1.0, 1.0]), momentum=0.75, eps=1e-3)
    y = layer.forward(x)
    for j in range(2):
        column = x[:, j].tolist()
        mean = math.fsum(column) / 8
        var = math.fsum((a - mean) ** 2 for a in column) / 8
        want = [[2.0, 0.5][j] * (a - mean) / math.sqrt(var + 1e-3) + [-1, 1][j] for a in column]
        np.testing.assert_allclose(y[:, j], want, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(layer.running_mean[j], 0.25 * mean)
        np.testing.assert_allclose(layer.running_var[j], 0.75 + 0.25 * var * 8 / 7)
    with layers.inference_mode():
        z = layer.forward(x[:1])
        normal = (x[:1] - layer.running_mean) / np.sqrt(layer.running_var + 1e-3)
        np.testing.assert_allclose(z, normal * layer.gamma + layer.beta)
        np.testing.assert_array_equal(layer.forward(x)[:1], z)  # the rows beside it do not matter
    before = layer.running_mean.copy()
    with layers.inference_mode():
        layer.forward(x)
    np.testing.assert_array_equal(layer.running_mean, before)


def test_batch_norm_follows_the_data() -> None:
    rng = np.random.default_rng(1)
    layer = cr.BatchNorm.sized(3, dtype=np.float64)
    place = layer.running_mean.__array_interface__["data"]
    for _ in range(300):
        layer.forward(2 * rng.standard_normal((64, 3)) + 7)
    np.testing.assert_allclose(layer.running_mean, 7, atol=0.3)
    np.testing.assert_allclose(layer.running_var, 4, rtol=0.2)
    assert layer.running_mean.__array_interface__["data"] == place


def test_a_constant_column_or_row_gives_the_shift() -> None:
    for layer in (cr.BatchNorm.sized(3), cr.LayerNorm.sized(3)):
        np.testing.assert_array_equal(layer.forward(np.full((4, 3), 7.0)), np.zeros((4, 3)))
        assert np.isfinite(layer.backward(np.ones((4, 3), np.float32))).all()


def test_layer_norm_by_hand() -> None:
    x = np.array([[1.0, 2.0, 6.0], [-1.0, 0.0, 4.0]])
    y = cr.LayerNorm(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0]), eps=1e-5).forward(x)
    for i, row in enumerate(x.tolist()):
        mean = sum(row) / 3
        var = sum((a - mean) ** 2 for a in row) / 3
        want = [(a - mean) / math.sqrt(var + 1e-5) for a in row]
        np.testing.assert_allclose(y[i], [want[0], 2 * want[1], 3 * want[2] + 1], rtol=1e-13)


# -- embedding ----------------------------------------------------------------------------------------


def test_an_id_used_twice_adds_up() -> None:
    layer = cr.Embedding(np.arange(8.0).reshape(4, 2))
    for dtype in (np.int8, np.int64, np.uint16):
        ids = np.array([0, 2, 0, 0], dtype)
        np.testing.assert_array_equal(layer.forward(ids), layer.W[[0, 2, 0, 0]])
        assert layer.backward(np.array([[1.0, 2], [3, 4], [5, 6], [7, 8]])) is None
        np.testing.assert_array_equal(layer.grads[0], [[13, 16], [0, 0], [3, 4], [0, 0]])
    layer.forward([[3], [3]])  # overwritten, rows of the last batch included
    layer.backward(np.ones((2, 1, 2)))
    np.testing.assert_array_equal(layer.grads[0], [[0, 0], [0, 0], [0, 0], [2, 2]])


def test_an_embedding_learns_in_a_network() -> None:
    class Mean(cr.Network):
        def __init__(self) -> None:
            super().__init__(loss=cr.SoftmaxWithLoss(), seed=0)
            self.words = cr.Embedding.sized(6, 4)
            self.out = cr.Affine.sized(4, 2)

        def predict(self, x: Any) -> Any:
            return self.out(cr.mean(self.words(x), 1))

    ids = np.array([[0, 1], [1, 2], [2, 0], [3, 4], [4, 5], [5, 3]])
    t = np.array([0, 0, 0, 1, 1, 1])
    trainer = cr.Trainer(Mean(), cr.Adam(0.1))
    trainer.fit(ids, t, epochs=60, batch_size=4, progress=None)
    assert trainer.evaluate(ids, t)["accuracy"] == 1


# -- first weights --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("init", "spread"),
    [
        ("xavier", math.sqrt(2 / 700)),
        ("he", math.sqrt(2 / 400)),
        ("book", 0.01),
        ("uniform", 1 / math.sqrt(3 * 400)),
        ("zeros", 0.0),
        (lambda rng, shape: 3 * rng.standard_normal(shape), 3.0),
    ],
)
def test_first_weights(init: Any, spread: float) -> None:
    for layer in (
        cr.Affine.sized(400, 300, init=init, seed=0),
        cr.MatMul.sized(400, 300, init=init, seed=0),
        cr.Embedding.sized(400, 300, init=init, seed=0),
    ):
        assert layer.W.dtype == np.float32
        np.testing.assert_allclose(layer.W.std(), spread, rtol=0.02)
        np.testing.assert_allclose(layer.W.mean(), 0, atol=spread / 50)
    assert not cr.Affine.sized(400, 300, init=init).b.any()


def test_a_seed_means_the_same_weights() -> None:
    def drawn(seed: Any) -> Any:
        return cr.Affine.sized(3, 4, seed=seed, dtype=np.float64).W

    np.testing.assert_array_equal(drawn(5), drawn(5))
    np.testing.assert_array_equal(drawn(5), drawn(np.random.default_rng(5)))
    np.testing.assert_array_equal(drawn(np.int64(5)), drawn(5))
    assert (drawn(5) != drawn(6)).any()
    assert (drawn(None) != drawn(None)).any()


def test_the_global_generator_is_neither_read_nor_written() -> None:
    np.random.seed(0)
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    cr.Affine.sized(3, 4).forward(np.ones((2, 3)))
    cr.Dropout().forward(np.ones(3))
    net = cr.TwoLayerNet(2, 5, 3)
    cr.Trainer(net, cr.SGD()).fit(np.ones((9, 2)), np.arange(9) % 3, epochs=2, progress=None)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # type: ignore[index]


def test_a_failed_drawing_leaves_the_layer_waiting() -> None:
    answers = [np.ones(1), np.ones((2, 3))]
    layer = cr.MatMul.sized(2, 3, init=lambda rng, shape: answers.pop(0), seed=0)
    with pytest.raises(cr.errors.ShapeError):
        layer.W  # noqa: B018
    np.testing.assert_array_equal(layer.W, np.ones((2, 3)))
