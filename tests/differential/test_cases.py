"""Networks that once went wrong, each as small as it can be, with what was wrong about it.

They are written as their users would write them; the random networks of this folder found most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.engine.compiled.plain import compiling, plainly

import chainrule as cr
from chainrule.checking.step import check_step
from chainrule.errors import RecordingError

Array = npt.NDArray[Any]
Formula = Callable[[Any, Any], Any]


class Net(cr.Network):
    """Two Affine layers, and what a user does between them."""

    def __init__(self, formula: Formula, loss: Any, dtype: Any, width: int = 6) -> None:
        super().__init__(loss=loss, seed=0)
        self.a = cr.Affine.sized(6, 6, dtype=dtype)
        self.o = cr.Affine.sized(width, 2, dtype=dtype)
        self.formula = formula

    def predict(self, x: Any) -> Any:
        return self.o(self.formula(self, x))


def turned(h: Any) -> Any:
    return cr.swapaxes(h.reshape(-1, 2, 3), 1, 2).reshape(-1, 6)


#: By name: what stands between the layers, and how wide it is.
FORMULAS: dict[str, tuple[Formula, int]] = {
    # W1: a reshape that copies was taken for a view.
    "flattened, channels first": (lambda n, x: turned(x), 6),
    "the same of a hidden layer": (lambda n, x: turned(n.a(x)), 6),
    "two of them": (lambda n, x: turned(cr.tanh(x)) + 2 * turned(cr.sin(x)), 6),
    "every other column": (lambda n, x: n.a(x)[:, ::2].reshape(-1, 1, 3)[:, 0], 3),
    "a sequence read backwards": (lambda n, x: n.a(x)[:, ::-1].reshape(-1, 3, 2).sum(2), 3),
    "heads of attention": (
        lambda n, x: cr.swapaxes(
            cr.softmax(
                cr.swapaxes(n.a(x).reshape(-1, 3, 2, 1), 1, 2)
                @ cr.transpose(n.a(x).reshape(-1, 3, 2, 1), (0, 2, 3, 1))
            )
            @ cr.swapaxes(n.a(x).reshape(-1, 3, 2, 1), 1, 2),
            1,
            2,
        ).reshape(-1, 6),
        6,
    ),
    "upsampled by broadcasting": (
        lambda n, x: cr.broadcast_to(cr.expand_dims(n.a(x), 2), (len(x), 6, 2)).reshape(-1, 12),
        12,
    ),
    "time first": (
        lambda n, x: cr.swapaxes(cr.stack([n.a(x), cr.tanh(x)], 0), 0, 1).reshape(-1, 12),
        12,
    ),
    # W9: a mask that is known.
    "a mask": (lambda n, x: n.a(x)[:, np.array([1, 0, 1, 1, 0, 0], bool)], 3),
    "a mask as a list": (lambda n, x: n.a(x)[:, [True, False, True, True, False, False]], 3),
    # Known ids from the end of a part: the compiled engine counted from the end of the whole.
    "ids from the end of a part": (lambda n, x: x[:, :3][:, [-1, 0]], 2),
}


def rows(dtype: Any, n: int = 8) -> tuple[Array, Array]:
    x = np.random.default_rng(0).standard_normal((n, 6)).astype(dtype)
    return x, x[:, :2] * 2


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", FORMULAS)
def test_formulas(name: str, dtype: Any, engine: str) -> None:
    formula, width = FORMULAS[name]
    net = Net(formula, cr.MeanSquaredError(), dtype, width)
    with plainly(2):
        found = check_step(net, *rows(dtype), engine=engine)
    assert found.ok, "\n".join(found.lines())
    assert (found.engine, found.reason) == (engine, None)


def test_a_layer_that_flattens_a_product_of_three_axes() -> None:
    """No reshape of one's own: the product flattens inside."""

    class Mixer(cr.Network):
        def __init__(self) -> None:
            super().__init__(loss=cr.MeanSquaredError(), seed=0)
            self.a = cr.Affine.sized(2, 4, dtype=float)
            self.mix = cr.Affine.sized(3, 3, dtype=float)
            self.o = cr.Affine.sized(12, 2, dtype=float)

        def predict(self, x: Any) -> Any:
            h = self.a(x.reshape(-1, 3, 2))
            return self.o(self.mix(cr.swapaxes(h, 1, 2)).reshape(-1, 12))

    report = cr.check(Mixer(), *rows(float))
    assert report.ok, str(report)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_number_of_a_row_told_four_times(dtype: Any) -> None:
    """Ids along an axis of length 1: the number was read before the loop over the ids, by an id."""

    class Told(cr.Network):
        def __init__(self) -> None:
            super().__init__(loss=cr.MeanSquaredError(), seed=0)
            self.a = cr.Affine.sized(6, 6, dtype=dtype)

        def predict(self, x: Any) -> Any:
            return cr.expand_dims(cr.logsumexp(self.a(x), 1), 1)[:, [0, 0, 0, 0]]

    x, t = rows(dtype)
    with plainly(2):
        found = check_step(Told(), x, np.tile(t, 2), engine="compiled")
    assert found.ok, "\n".join(found.lines())
    assert (found.engine, found.reason) == ("compiled", None)


def test_a_parameter_that_is_turned_and_flattened() -> None:
    """W10: it raised KeyError in forward, predict and Trainer."""

    class Turned(cr.Layer):
        def formula(self, x: Any, a: Any) -> Any:
            return x * a.T.reshape(6)

    a = np.random.default_rng(1).standard_normal((2, 3))
    net = cr.Sequential(Turned(a=a), cr.Affine.sized(6, 2, dtype=float), loss=cr.MeanSquaredError())
    x, t = rows(float)
    assert cr.check(net, x, t).ok
    np.testing.assert_allclose(net.layers[0].forward(x), x * a.T.reshape(6))
    with cr.inference_mode():
        np.testing.assert_allclose(net.predict(x), net.predict(cr.Variable(x)).data)


def test_a_mask_that_is_computed_is_refused_while_a_step_is_recorded() -> None:
    net = Net(lambda n, x: n.a(x)[n.a(x) > 0], cr.MeanSquaredError(), float)
    x, t = rows(float)
    with pytest.raises(RecordingError, match=r"cr\.where\(mask, x, 0\)"):
        net.forward(x, t)
    positive = cr.Variable(x)[x > 0]  # of Variables it works
    np.testing.assert_array_equal(positive.data, x[x > 0])


class Given:
    """A layer by hand that gives what it was given: dropout in use, or the identity."""

    def __init__(self) -> None:
        self.params: list[Array] = []
        self.grads: list[Array] = []

    def forward(self, x: Array) -> Array:
        return x

    def backward(self, dout: Array) -> Array:
        return dout


class Flatten(Given):
    """By hand: another look at what it was given."""

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dout: Array) -> Array:
        return dout.reshape(self.shape)


class InPlace(Given):
    """ReLU as much code by hand has it: it writes into what comes in, both ways."""

    def forward(self, x: Array) -> Array:
        self.mask = x <= 0
        x[self.mask] = 0
        return x

    def backward(self, dout: Array) -> Array:
        dout[self.mask] = 0
        return dout


class OneArray(Given):
    """It gives the same array at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.out, self.dx = np.zeros((8, 6)), np.zeros((8, 6))

    def forward(self, x: Array) -> Array:
        self.out[...] = 1 / (1 + np.exp(-x))
        self.kept = self.out.copy()
        return self.out

    def backward(self, dout: Array) -> Array:
        self.dx[...] = dout * self.kept * (1 - self.kept)
        return self.dx


@pytest.mark.parametrize("kind", [Given, Flatten, InPlace, OneArray])
def test_layers_by_hand_that_share_memory(kind: type[Given]) -> None:
    """A step's buffer was given away while what such a layer gave still looked into it."""

    class Held(cr.Network):
        def __init__(self, hand: Any) -> None:
            super().__init__(loss=cr.MeanSquaredError(), seed=0)
            self.a = cr.Affine.sized(6, 6, dtype=float)
            self.hand, self.o = hand, cr.Affine.sized(6, 2, dtype=float)

        def predict(self, x: Any) -> Any:
            h = cr.tanh(self.a(x))
            u, v = self.hand(h), self.hand(h * 2)
            w = cr.exp(cr.sin(h) * cr.cos(h) + 1) * h
            return self.o(u * w + cr.tanh(v) * cr.sin(w) + h)

    x, t = rows(float)
    held = Held(kind())
    losses = cr.Trainer(held, cr.SGD(0.1), engine="numpy").fit(x, t, 5, 8, progress=None).losses
    plain = _by_graph(kind, x, t)
    np.testing.assert_allclose(losses, plain, rtol=1e-12)


def _by_graph(kind: type[Given], x: Array, t: Array) -> list[float]:
    """The same with chainrule's own functions, by Variables and by hand."""
    functions: dict[type[Given], Callable[[Any], Any]] = {InPlace: cr.relu, OneArray: cr.sigmoid}
    f = functions.get(kind, lambda h: h)
    net = Net(lambda n, x: x, cr.MeanSquaredError(), float)
    net._flatten_parameters()
    losses = []
    for _ in range(5):
        h = cr.tanh(net.a(cr.Variable(x)))
        u, v = f(h), f(h * 2)
        w = cr.exp(cr.sin(h) * cr.cos(h) + 1) * h
        y = net.o(u * w + cr.tanh(v) * cr.sin(w) + h)
        loss = cr.mean((y - t) ** 2)
        losses.append(float(loss.data))
        loss.backward()
        for p in net.named_parameters().values():
            p.data -= 0.1 * p.grad
    return losses


@pytest.mark.parametrize("shards", [1, 2])
def test_the_mean_absolute_error_of_a_float32_network(shards: int) -> None:
    """Its gradient was float64, which a product in machine code read as float32."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 100)).astype(np.float32)
    t = rng.standard_normal((64, 20)).astype(np.float32)
    net = cr.Sequential(
        cr.Affine.sized(100, 50), cr.ReLU(), cr.Affine.sized(50, 20), loss=cr.MeanAbsoluteError()
    )
    with compiling(shards):
        found = check_step(net, x, t, engine="compiled")
    assert found.ok, "\n".join(found.lines())
    assert found.engine == "compiled"
    assert "float64" not in net.step_program(x, t, rows=np.arange(64)).source


def test_parameters_that_a_step_leaves_out_do_not_move() -> None:
    """The compiled engine applied again and again what `backward` had left in their gradients."""

    class Two(cr.Network):
        def __init__(self) -> None:
            super().__init__(loss=cr.MeanSquaredError(), seed=0)
            self.a, self.b = (cr.Affine.sized(6, 2, dtype=float) for _ in range(2))
            self.both = True

        def predict(self, x: Any) -> Any:
            return self.a(x) + self.b(x) if self.both else self.a(x)

    x, t = rows(float)
    net = Two()
    net.forward(x, t)
    net.backward()
    net.both = False
    before = net.b.W.copy()
    with plainly():
        cr.Trainer(net, cr.SGD(0.1), engine="compiled").fit(x, t, 3, 4, progress=None)
    np.testing.assert_array_equal(net.b.W, before)


def test_where_over_what_it_may_choose() -> None:
    """A rule that keeps some old values was written over them before it chose."""

    class Lazy(cr.Optimizer):
        """Only parameters whose gradient is negative move."""

        def rule(self, p: Any, g: Any, *slots: Any, **numbers: Any) -> tuple[Any, ...]:
            return (np.where(g > 0, p, p - numbers["lr"] * g),)

    p, g = np.array([1.0, 2.0, 3.0]), np.array([1.0, -1.0, 1.0])
    Lazy(lr=0.5).update([p], [g])
    np.testing.assert_array_equal(p, [1.0, 2.5, 3.0])


def test_joined_dtypes_get_their_gradients_in_their_own() -> None:
    """W11: the float32 one got a float64 gradient."""
    a, b = cr.Variable(np.ones((2, 2), np.float32)), cr.Variable(np.ones((2, 2)))
    for joined in (cr.concatenate([a, b]), cr.stack([a, b])):
        cr.sum(joined * 2).backward()
        assert a.grad is not None
        assert b.grad is not None
        assert [a.grad.dtype.name, b.grad.dtype.name] == ["float32", "float64"]
        np.testing.assert_array_equal(a.grad, 2)


def test_joined_along_no_axis() -> None:
    """W11: the way back raised TypeError."""
    a, b = cr.Variable(np.ones((2, 2))), cr.Variable(np.ones(3))
    cr.sum(cr.concatenate([a, b], None) * np.arange(7.0)).backward()
    np.testing.assert_array_equal(a.grad, [[0, 1], [2, 3]])
    np.testing.assert_array_equal(b.grad, [4, 5, 6])


def test_truth_values_that_a_network_gives_turned_round() -> None:
    """They raised: np.positive, which made a copy of them, takes numbers only."""

    class Signs(Net):
        def predict(self, x: Any) -> Any:
            return (self.a(x) > 0)[:, ::-1]

    x, _ = rows(float)
    signs = Signs(lambda n, x: x, cr.MeanSquaredError(), float)
    np.testing.assert_array_equal(signs.predict(x), signs.predict(cr.Variable(x)).data)
