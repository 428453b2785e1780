"""Targets, layers, losses and optimizers as users of other libraries bring them."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DataError, RecordingError, SettingError, ShapeError

Array = npt.NDArray[Any]
X = np.random.default_rng(0).standard_normal((12, 4))
IDS = np.random.default_rng(1).integers(0, 3, 12)


def network(loss: Any, outputs: int = 3) -> cr.Sequential:
    return cr.Sequential(cr.Affine.sized(4, outputs, dtype=float), loss=loss, seed=1)


def losses(net: Any, x: Any, t: Any, engine: str = "numpy", **more: Any) -> Array:
    trainer = cr.Trainer(net, cr.SGD(0.1), engine=engine)
    trainer.fit(x, t, 3, 5, progress=None, **more)
    assert trainer.engine_used == engine
    return trainer.history.losses


def log_softmax(s: Array) -> Array:
    a = s - s.max(axis=-1, keepdims=True)
    return np.asarray(a - np.log(np.exp(a).sum(axis=-1, keepdims=True)))


# -- targets -------------------------------------------------------------------------------------------


@pytest.mark.source("strangers 20")
@pytest.mark.parametrize(
    "kind",
    ["MeanSquaredError", "MeanAbsoluteError", "HalfSquaredError", "Huber", "SigmoidWithLoss"],
)
def test_a_column_and_a_line_are_the_same_targets(kind: str) -> None:
    rng = np.random.default_rng(2)
    t = rng.random(12)
    make = getattr(cr, kind)
    assert np.array_equal(
        losses(network(make(), 1), X, t), losses(network(make(), 1), X, t[:, None])
    )
    y = rng.standard_normal(12)
    assert make().forward(y, t[:, None]) == make().forward(y[:, None], t) == make().forward(y, t)
    w = rng.random(12)
    assert make().forward(y, t, w) == make().forward(y, t, w[:, None])
    with pytest.raises(ShapeError, match=r"\(12, 1\).*\(1, 12\)"):
        make().forward(y[:, None], t[None])


@pytest.mark.source("strangers 20")
@pytest.mark.parametrize(
    "dtype", ["i1", "u1", "<i2", ">i2", "<u2", ">i4", ">u4", ">i8", "<u8", ">f4", "f8", "O", "?"]
)
def test_ids_of_any_kind_and_byte_order(dtype: str) -> None:
    ids = IDS % 2
    want = losses(network(cr.SoftmaxWithLoss()), X, ids)
    for t in (ids.astype(dtype), ids.astype(dtype)[:, None], ids.astype(dtype).tolist()):
        assert np.array_equal(losses(network(cr.SoftmaxWithLoss()), X, t), want)


@pytest.mark.source("strangers 20")
def test_objects_that_are_numbers() -> None:
    x = np.array([[np.float32(a) for a in row] for row in X], object)
    t = np.array([np.int64(i) for i in IDS], object)
    want = losses(network(cr.SoftmaxWithLoss()), X.astype(np.float32), IDS)
    assert np.array_equal(losses(network(cr.SoftmaxWithLoss()), x, t), want)
    table = np.array([[0, 1], [2, 0]], object)
    assert cr.Embedding.sized(3, 2, seed=0).forward(table).shape == (2, 2, 2)


@pytest.mark.source("strangers 20", "peers 3")
def test_soft_targets_are_probabilities_of_the_classes() -> None:
    rng = np.random.default_rng(2)
    t = rng.random((12, 3))
    t /= t.sum(axis=1, keepdims=True)
    s = 3 * rng.standard_normal((12, 3))
    loss = cr.SoftmaxWithLoss()
    assert loss.forward(s, t) == pytest.approx(-(t * log_softmax(s)).sum(1).mean(), rel=1e-13)
    np.testing.assert_allclose(loss.backward(), (np.exp(log_softmax(s)) - t) / 12, atol=1e-15)
    # Of a single 1 they are the class, for any gap between the scores.
    far = np.array([[700.0, 0.0, -3.0]])
    sure = np.array([[1.0, 0.0, 0.0]])
    soft = cr.softmax_cross_entropy(cr.Variable(far), cr.Variable(sure))
    assert soft.data[0] == cr.softmax_cross_entropy(far, [0])[0] > 0
    p = np.exp(log_softmax(s))
    other = cr.CrossEntropyError().forward(p, t)
    assert other == pytest.approx(loss.forward(s, t), rel=1e-13)
    trainer = cr.Trainer(network(cr.SoftmaxWithLoss()), cr.SGD(0.1))
    trainer.fit(X, t, 5, len(X), progress=None)
    assert (np.diff(trainer.history.losses) < 0).all()


@pytest.mark.source("peers 3")
def test_weights_of_classes_are_weights_of_rows() -> None:
    rng = np.random.default_rng(2)
    c, e = np.array([1.0, 2.0, 0.5]), 0.2
    s = rng.standard_normal((12, 3))
    q = (1 - e) * np.eye(3)[IDS] + e / 3
    rows = -(q * log_softmax(s)).sum(1)
    want = (c[IDS] * rows).sum() / c[IDS].sum()
    loss = cr.SoftmaxWithLoss(class_weights=c, label_smoothing=e)
    assert loss.forward(s, IDS) == pytest.approx(want, rel=1e-13)
    assert loss.forward(s, np.eye(3)[IDS] * 0.999 + 0.001 / 3) == pytest.approx(want, rel=1e-2)


@pytest.mark.source("peers users of PyTorch")
@pytest.mark.parametrize("ignore", [-1, -100, 0, 9])
def test_ignored_ids_say_nothing(ignore: int) -> None:
    rng = np.random.default_rng(2)
    t = IDS.copy()
    t[::3] = ignore
    keep = t != ignore
    s = rng.standard_normal((12, 3))
    loss = cr.SoftmaxWithLoss(ignore_index=ignore)
    assert loss.forward(s, t) == pytest.approx(
        cr.SoftmaxWithLoss().forward(s[keep], t[keep]), rel=1e-13
    )
    assert not loss.backward()[~keep].any()
    assert loss.forward(s, np.full(12, ignore)) == 0
    trainer = cr.Trainer(network(cr.SoftmaxWithLoss(ignore_index=ignore)), engine="numpy")
    found = trainer.evaluate(X, t)
    right = trainer.model.classify(X)[keep] == t[keep]
    assert found["accuracy"] == right.mean()
    with pytest.raises(SettingError, match=r"ignore_index=0\.5 must be a whole number"):
        cr.SoftmaxWithLoss(ignore_index=0.5)  # type: ignore[arg-type]


@pytest.mark.source("peers users of PyTorch")
def test_sequences_of_classes() -> None:
    rng = np.random.default_rng(2)
    x, t = rng.standard_normal((12, 5, 4)), rng.integers(0, 3, (12, 5))
    flat = cr.SoftmaxWithLoss().forward(x[..., :3].reshape(-1, 3), t.ravel())
    assert cr.SoftmaxWithLoss().forward(x[..., :3], t) == pytest.approx(flat, rel=1e-13)
    t[:, 3:] = -1
    w = rng.random(12) + 0.1
    net = network(cr.SoftmaxWithLoss(ignore_index=-1))
    history = losses(net, x, t, sample_weight=w, validation=0.25)
    twin = network(cr.SoftmaxWithLoss(ignore_index=-1))
    compiled = losses(twin, x, t, "compiled", sample_weight=w, validation=0.25)
    np.testing.assert_allclose(compiled, history, rtol=1e-12)
    assert net.classify(x).shape == (12, 5)
    with pytest.raises(ShapeError, match=r"\(12, 5\) \(class ids\).*got \(12,\)"):
        net.forward(x, t[:, 0])


@pytest.mark.source("peers users of PyTorch")
def test_a_yes_may_count_more() -> None:
    rng = np.random.default_rng(2)
    s, t = 5 * rng.standard_normal((6, 3)), rng.random((6, 3))
    p = np.array([3.0, 1.0, 0.5])
    sigma = 1 / (1 + np.exp(-s))
    want = (p * t * np.log1p(np.exp(-s)) + (1 - t) * np.log1p(np.exp(s))).mean()
    loss = cr.SigmoidWithLoss(pos_weight=p)
    assert loss.forward(s, t) == pytest.approx(want, rel=1e-12)
    np.testing.assert_allclose(
        loss.backward(), ((1 - t) * sigma - p * t * (1 - sigma)) / 18, atol=1e-15
    )
    assert cr.SigmoidWithLoss(pos_weight=1).forward(s, t) == pytest.approx(
        cr.SigmoidWithLoss().forward(s, t), rel=1e-13
    )
    with pytest.raises(SettingError, match="pos_weight has 2 entries, and there are 3"):
        cr.SigmoidWithLoss(pos_weight=[1, 2]).forward(s, t)
    with pytest.raises(ValueError, match="read-only"):
        loss.pos_weight[0] = 2  # type: ignore[index]


# -- functions check as the layers do --------------------------------------------------------------------

V = cr.Variable
UNFIT: list[tuple[Callable[[], Any], str]] = [
    (lambda: cr.softmax_cross_entropy(V([[1.0, 2, 3]]), [-1]), "from 0 to 2.*ignore_index=-1"),
    (lambda: cr.softmax_cross_entropy(V([[1.0, 2, 3]]), [1.9]), "whole numbers.*1.9"),
    (lambda: cr.softmax_cross_entropy([[1.0, 2, 3]], [3]), r"t\[0\] is 3"),
    (lambda: cr.softmax_cross_entropy(V([[1.0, 2, 3]]), V([3])), r"t\[0\] is 3"),
    (lambda: cr.softmax_cross_entropy([[1.0, 2, 3]] * 3, [1, 2, 3]), "count from 1: give t - 1"),
    (lambda: cr.softmax_cross_entropy([[1.0, 2]], [[0.5, 0.6]]), "adds up to 1.1"),
    (lambda: cr.softmax_cross_entropy([[1.0, 2]], ["cat"]), "'cat'.*np.unique"),
    (lambda: cr.softmax_cross_entropy(1.0, 1), "of one class at least"),
    (lambda: cr.cross_entropy(V([[0.1, 0.9]]), [-1]), "cross_entropy: .* -1"),
    (lambda: cr.cross_entropy(V([[0.1, 0.9]]), V([2])), r"t\[0\] is 2"),
    (lambda: cr.sigmoid_cross_entropy(V([1.0]), 2.0), "from 0 to 1; got values from 2"),
    (lambda: cr.sigmoid_cross_entropy(V([1.0]), np.nan), "without a value"),
    (lambda: cr.sigmoid_cross_entropy(V([1.0, 2.0]), [-1, 1]), r"\(t \+ 1\) / 2"),
    (lambda: cr.sigmoid_cross_entropy(V([[1.0], [2.0]]), [1, 0, 1]), r"\(2, 1\).*\(3,\)"),
]


@pytest.mark.source("peers W8")
@pytest.mark.parametrize("number", range(len(UNFIT)))
def test_functions_check_their_targets(number: int) -> None:
    act, sentence = UNFIT[number]
    with pytest.raises(ChainruleError, match=sentence):
        act()


class Focal(cr.Loss):
    """A loss of the user's own that leaves the check to the function."""

    target = "classes"

    def targets(self, x_shape: tuple[int, ...], t: Array) -> Array:
        return t

    def rows(self, x: Any, t: Any) -> Any:
        rows = cr.softmax_cross_entropy(x, t)
        return (1 - cr.exp(-rows)) ** 2 * rows


@pytest.mark.source("peers W8")
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("bad", [-1, 3])
def test_a_recorded_step_checks_all_rows_where_they_come_in(engine: str, bad: int) -> None:
    net = network(Focal())
    losses(net, X, IDS, engine)
    t = IDS.copy()
    t[11] = bad
    before = net.params[0].copy()
    with pytest.raises(DataError, match=rf"t\[11\] is {bad}"):
        losses(net, X, t, engine)
    with pytest.raises(DataError, match=rf"t\[11\] is {bad}"):
        net.forward(X, t)
    assert np.array_equal(net.params[0], before)


@pytest.mark.source("peers W8")
def test_gradients_reach_soft_targets() -> None:
    rng = np.random.default_rng(2)
    s, t = rng.standard_normal((4, 3)), rng.random((4, 3))
    t /= t.sum(axis=1, keepdims=True)
    t[0] = [0, 1, 0]
    p = np.exp(log_softmax(s))
    for f, x in (
        (cr.softmax_cross_entropy, s), (cr.sigmoid_cross_entropy, s), (cr.cross_entropy, p),
    ):  # fmt: skip
        assert cr.check(lambda a, b, f=f: cr.sum(f(a, b)), x, t, second_order=True).ok


# -- one sentence ----------------------------------------------------------------------------------------


class Forgetful(cr.Network):
    def __init__(self) -> None:
        self.a = cr.Affine.sized(4, 3)

    def predict(self, x: Any) -> Any:
        return self.a(x)


class ForgetfulLayer(cr.Layer):
    def __init__(self) -> None:
        self.k = 2

    def formula(self, x: Any) -> Any:
        return x * self.k


class ForgetfulLoss(cr.Loss):
    def __init__(self) -> None:
        pass


class ForgetfulOptimizer(cr.Optimizer):
    def __init__(self) -> None:
        self.l2 = 0.1


class Bare(cr.Optimizer):
    def rule(self, p: Any, g: Any, *, lr: Any) -> Any:
        return p - lr * g


class TooFew(cr.Optimizer):
    slots = ("v",)

    def rule(self, p: Any, g: Any, v: Any, *, lr: Any) -> Any:
        return (p - lr * g,)


class OwnParams(cr.Layer):
    def __init__(self, W: Array) -> None:
        super().__init__()
        self.params = [W]  # type: ignore[misc]


def _set(thing: Any, name: str, value: Any) -> Callable[[], None]:
    return lambda: setattr(thing, name, value)


def _first(arrays: list[Array]) -> None:
    arrays[0] = np.zeros((4, 3))


def _trainer(*args: Any) -> Any:
    return cr.Trainer(*args)


def fit(**more: Any) -> Any:
    return losses(network(cr.SoftmaxWithLoss()), X, IDS, **more)


ANY: Any = cr
A = cr.Affine.sized(4, 3, seed=0)
MIXED: list[tuple[Callable[[], Any], str]] = [
    (lambda: network(cr.SoftmaxWithLoss), r"loss is the class .*: write SoftmaxWithLoss\(...\)"),
    (lambda: network("mse"), "loss='mse' is no loss"),
    (lambda: network(cr.softmax_cross_entropy), "is no loss"),
    (lambda: ANY.Sequential(A, cr.Tanh), r"layer 1 is the class Tanh"),
    (lambda: ANY.Sequential(A, "relu"), r"layer 1 is 'relu'; write cr.ReLU\(\)"),
    (lambda: ANY.Sequential(A, "reluu"), 'did you mean "relu"'),
    (lambda: ANY.Sequential([A]), "layer 0 is a list: give the layers one by one"),
    (lambda: ANY.Sequential(A, None), "layer 1 is None"),
    (lambda: ANY.Sequential(A, cr.SoftmaxWithLoss()), r"loss=cr.SoftmaxWithLoss\(\)"),
    (lambda: cr.Affine(4, 3), r"write Affine.sized\(4, 3\)"),
    (lambda: _trainer(network(None), cr.SGD), "optimizer is the class SGD"),
    (lambda: _trainer(network(None), "adam"), "optimizer='adam' has no update"),
    (lambda: _trainer(cr.TwoLayerNet, cr.SGD()), "model is the class TwoLayerNet"),
    (lambda: _trainer(cr.SGD(), network(None)), "is no network"),
    (lambda: fit(callbacks=[cr.EarlyStopping]), "is the class EarlyStopping"),
    (lambda: fit(validation=0.2, early_stopping=cr.EarlyStopping), "is the class EarlyStopping"),
    (lambda: fit(validation=0.2, early_stopping="val_loss"), r"EarlyStopping\('val_loss'"),
    (lambda: ANY.SGD(cr.schedules.Cosine), "lr is the class Cosine"),
    (lambda: ANY.SGD("cosine"), "lr='cosine' must be"),
    (lambda: ANY.SGD(network(None).params), "An optimizer is not given the parameters"),
    (lambda: ANY.SGD(lambda step: None).update([np.ones(2)], [np.ones(2)]), "gave None"),
    (lambda: ANY.SGD(0.1, momentum=0.9), "no option momentum, which cr.Momentum has"),
    (lambda: ANY.Adam(learning_rate=0.1), "here it is called lr"),
    (lambda: ANY.Momentum(0.1, momentun=0.9), 'did you mean "momentum"'),
    (lambda: Forgetful().predict(X), r"Forgetful.__init__ has to call super\(\).__init__\(\)"),
    (lambda: Forgetful().forward(X, IDS), "Forgetful is not ready"),
    (lambda: cr.Trainer(Forgetful()).fit(X, IDS), "Forgetful is not ready"),
    (lambda: ForgetfulLayer().forward(X), "ForgetfulLayer is not ready"),
    (lambda: cr.Sequential(ForgetfulLayer()), "ForgetfulLayer is not ready"),
    (lambda: network(ForgetfulLoss()).forward(X, IDS), "ForgetfulLoss is not ready"),
    (lambda: ForgetfulOptimizer().update([X], [X]), "ForgetfulOptimizer is not ready"),
    (lambda: Bare(0.1).update([X.copy()], [X]), r"gave one value alone.*return \(p,\)"),
    (lambda: TooFew(0.1).update([X.copy()], [X]), r"gave 1 value.*return \(p, v\)"),
    (lambda: OwnParams(X), r"params cannot be set.*super\(\).__init__\(W=W\)"),
    (_set(A, "W", np.ones((1, 3))), r"W has shape \(4, 3\).*\(1, 3\)"),
    (_set(A, "W", np.ones((3, 3))), r"W has shape \(4, 3\).*\(3, 3\)"),
    (_set(A, "b", "x"), "needs an array of numbers"),
    (lambda: _first(A.params), r"params\[0\]\[...\] = W"),
    (lambda: _first(network(None).params), r"params\[0\]\[...\] = W"),
    (lambda: network(None).predict((X, X[:, :2])), "put them side by side"),
    (lambda: network(cr.SoftmaxWithLoss()).forward((X, X), IDS), "put them side by side"),
    (lambda: network(cr.SoftmaxWithLoss()).forward(X, ["a"] * 12), "'a'.*np.unique"),
    (lambda: network(cr.SigmoidWithLoss(), 1).forward(X, ["y"] * 12), r"== 'y'\)"),
]  # fmt: skip


@pytest.mark.source("strangers 24", "strangers 25", "peers 6")
@pytest.mark.parametrize("number", range(len(MIXED)))
def test_what_is_mixed_up_is_said_in_one_sentence(number: int) -> None:
    act, sentence = MIXED[number]
    with pytest.raises(ChainruleError, match=sentence):
        act()


class Frame:
    """As little of a data frame as is looked at."""

    columns = ("age", "name")

    def __getitem__(self, name: str) -> Array:
        return np.array([3, 4]) if name == "age" else np.array(["a", "b"], object)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return np.array([[3, "a"], [4, "b"]], object)


class Sparse:
    shape = (2, 2)

    def toarray(self) -> Array:
        return np.eye(2)


@pytest.mark.source("strangers 25")
def test_tables_and_sparse_matrices_say_what_to_do() -> None:
    net = network(None)
    with pytest.raises(ChainruleError, match="Column 'name' holds text, such as 'a' in row 0"):
        net.predict(Frame())
    with pytest.raises(ChainruleError, match=r"sparse Sparse. Write x.toarray\(\)"):
        net.predict(Sparse())
    with pytest.raises(ChainruleError, match="has no value in row 1"):
        net.predict(np.array([[1, 2], [None, 3]], object))


# -- copies ----------------------------------------------------------------------------------------------


@pytest.mark.source("strangers 22")
@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda v: copy.deepcopy([v])[0]])
def test_a_gradient_flows_through_the_copy_of_a_computed_value(way: Callable[[Any], Any]) -> None:
    x = cr.Variable(np.array([1.0, 2.0]), "x")
    L = cr.sum(way(x * x) * x)
    kept = way(L)
    assert kept.data == 9.0
    kept.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [3.0, 12.0]
    assert np.array_equal(cr.grad(lambda v: cr.sum(way(v) * way(v * 2)))(np.ones(2)), [4.0, 4.0])
    own = way(x)
    assert own is not x
    assert own.grad.tolist() == [3.0, 12.0]


@pytest.mark.source("strangers 22")
def test_what_a_file_keeps_of_a_computed_value_is_the_value_alone() -> None:
    x = cr.Variable(np.array([1.0, 2.0]), "x")
    L = cr.sum(x * x)
    kept = pickle.loads(pickle.dumps(L))
    assert kept.data == 5.0
    with pytest.raises(RecordingError, match="a pickle"):
        cr.grad(lambda v: cr.sum(pickle.loads(pickle.dumps(v * 2))))(np.ones(2))
    with pytest.raises(RecordingError, match="keep its number"):
        kept.backward()
    del kept
    gc.collect()
    L.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 4.0]
    x.data[0] = 3.0  # free again


# -- layers by hand, functions, rates ------------------------------------------------------------------------


class ByHand:
    def __init__(self) -> None:
        self.params, self.grads = [np.eye(4)], [np.zeros((4, 4))]

    def forward(self, x: Array) -> Array:
        self.x = x
        return np.asarray(x @ self.params[0])

    def backward(self, dout: Array) -> Array:
        self.grads[0][...] = self.x.T @ dout
        return np.asarray(dout @ self.params[0].T)


class Holding(cr.Network):
    def __init__(self, kind: str) -> None:
        super().__init__(loss=cr.MeanSquaredError())
        self.parts: Any = []
        made = [ByHand(), ByHand()]
        if kind == "appended":
            for one in made:
                self.parts.append(one)
        else:
            ways = {"list": made, "tuple": tuple(made), "dict": dict(enumerate(made))}
            self.parts = ways[kind]

    def predict(self, x: Any) -> Any:
        return self.parts[1].forward(self.parts[0].forward(x))


@pytest.mark.source("peers 6")
@pytest.mark.parametrize("kind", ["list", "tuple", "dict", "appended"])
def test_layers_by_hand_in_a_container_are_trained(kind: str) -> None:
    rng = np.random.default_rng(2)
    net = Holding(kind)
    assert len(net.params) == 2
    t = X @ rng.standard_normal((4, 4))
    before = [p.copy() for p in net.params]
    losses(net, X, t)
    assert all((p != b).any() for p, b in zip(net.params, before, strict=True))
    want = losses(cr.Sequential(ByHand(), ByHand(), loss=cr.MeanSquaredError()), X, t)
    assert np.array_equal(losses(Holding(kind), X, t), want)


class Block(cr.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.inner = ByHand()

    def formula(self, x: Any) -> Any:
        return self.inner.forward(x)


@pytest.mark.source("peers 6")
def test_a_layer_by_hand_in_a_layer_is_refused() -> None:
    with pytest.raises(SettingError, match=r"Block\.inner holds ByHand.*would not be trained"):
        cr.Sequential(Block(), loss=cr.MeanSquaredError())


def doubled(x: Any) -> Any:
    return 2 * x


@pytest.mark.source("peers users of Keras")
def test_functions_in_a_sequential(tmp_path: Path) -> None:
    def made(*between: Any) -> cr.Sequential:
        parts = cr.Affine.sized(4, 5, dtype=float), *between, cr.Affine.sized(5, 3, dtype=float)
        return cr.Sequential(*parts, loss=cr.SoftmaxWithLoss(), seed=1)

    want = losses(made(cr.Tanh()), X, IDS)
    for function in (cr.tanh, np.tanh, lambda v: cr.tanh(v)):
        for engine in ("numpy", "compiled"):
            np.testing.assert_allclose(losses(made(function), X, IDS, engine), want, rtol=1e-13)
    net = made(cr.silu, np.tanh)
    cr.save_model(tmp_path / "m.safetensors", net)
    again = cr.load_model(tmp_path / "m.safetensors").network
    assert np.array_equal(again.predict(X), net.predict(X))
    with pytest.raises(SettingError, match=r"function doubled, cannot be kept.*cr\.tanh"):
        cr.save_model(tmp_path / "n.safetensors", made(doubled))
    assert not (tmp_path / "n.safetensors").exists()
    twin = pickle.loads(pickle.dumps(made(cr.gelu, doubled)))
    assert np.array_equal(twin.predict(X), made(cr.gelu, doubled).predict(X))
    with pytest.raises(SettingError, match="gave 3 for a Variable"):
        made(lambda v: 3).predict(X)


@pytest.mark.source("peers users of PyTorch")
def test_pictures_are_flattened() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((12, 2, 2))
    net = cr.Sequential(
        cr.Flatten(), cr.Affine.sized(4, 3, dtype=float), loss=cr.SoftmaxWithLoss(), seed=1
    )
    want = losses(network(cr.SoftmaxWithLoss()), x.reshape(12, 4), IDS)
    assert np.array_equal(losses(net, x, IDS), want)


@pytest.mark.source("peers users of PyTorch")
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: cr.SGD(0.1), lambda: cr.Momentum(0.1, weight_decay=0.1), lambda: cr.AdamW(0.01),
        lambda: cr.RMSprop(0.01, clip_norm=1.0), lambda: cr.Nesterov(0.1, l2=0.1),
    ],
)  # fmt: skip
def test_a_layer_may_have_a_rate_of_its_own(optimizer: Callable[[], Any], tmp_path: Path) -> None:
    def made() -> cr.Sequential:
        net = cr.Sequential(
            cr.Affine.sized(4, 5, dtype=float), cr.Tanh(), cr.Affine.sized(5, 3, dtype=float),
            loss=cr.SoftmaxWithLoss(), seed=1,
        )  # fmt: skip
        net.sequence[0].lr_factor = 0.1
        return net

    by_hand, slow, fast = made(), optimizer(), optimizer()
    slow.lr = slow.lr * 0.1
    for _ in range(4):
        by_hand.forward(X, IDS)
        by_hand.backward()
        if slow.clip_norm:  # the norm is that of all gradients
            cr.clip_grads(by_hand.grads, 1.0)
        slow.update(by_hand.params[:2], by_hand.grads[:2])
        fast.update(by_hand.params[2:], by_hand.grads[2:])
    for engine in ("numpy", "compiled") if isinstance(fast, cr.AdamW) else ("numpy",):
        net = made()
        cr.Trainer(net, optimizer(), engine=engine).fit(X, IDS, 4, 12, shuffle=False, progress=None)
        for p, want in zip(net.params, by_hand.params, strict=True):
            np.testing.assert_allclose(p, want, rtol=1e-9, atol=1e-12)
    cr.save_model(tmp_path / "m.safetensors", made())
    again: Any = cr.load_model(tmp_path / "m.safetensors").network
    assert (again.sequence[0].lr_factor, again.sequence[2].lr_factor) == (0.1, 1.0)
    with pytest.raises(SettingError, match="lr_factor=0 must be a finite number above 0"):
        made().sequence[0].lr_factor = 0


@pytest.mark.source("peers users of PyTorch")
def test_a_rate_by_a_function() -> None:
    rate = cr.SGD(lambda step: 0.1 / (1 + step))
    want = [0.1 / (1 + 3 * e) for e in range(3)]
    for engine in ("numpy", "compiled"):
        trainer = cr.Trainer(network(cr.SoftmaxWithLoss()), copy.deepcopy(rate), engine=engine)
        assert trainer.fit(X, IDS, 3, 5, progress=None)["lr"] == want


@pytest.mark.source("peers users of PyTorch")
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (6, 1)])
def test_orthogonal_weights(shape: tuple[int, int]) -> None:
    W = cr.Affine.sized(*shape, init="orthogonal", dtype=float, seed=3).W
    n = min(shape)
    np.testing.assert_allclose(W.T @ W if shape[1] == n else W @ W.T, np.eye(n), atol=1e-14)
    assert np.array_equal(W, cr.Affine.sized(*shape, init="orthogonal", dtype=float, seed=3).W)
