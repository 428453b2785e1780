"""What a network reads beside its rows: seen when it changes, or refused when it is recorded."""

from __future__ import annotations

import copy
import functools
import os
import random
import time
from collections import UserDict, deque
from collections.abc import Callable
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.errors import RecordingError, ShapeError

Array = npt.NDArray[Any]
X = np.random.default_rng(0).standard_normal((6, 2))
T = X[:, :1] * 2 - X[:, 1:]
TEMPERATURE = 1.0


def made(body: Callable[..., Any], start: Callable[[Any], None] = lambda net: None) -> Any:
    """A network whose predict is `body(net, x)`, with what `start` puts into it."""

    class Net(cr.Network):
        def __init__(self) -> None:
            super().__init__(loss=cr.MeanSquaredError(), seed=0)
            self.a = cr.Affine.sized(2, 2, dtype=float)
            start(self)

    Net.predict = _planned(body)  # type: ignore[method-assign]
    return Net()


def _planned(body: Callable[..., Any]) -> Any:
    """The function as a class would have it."""

    class Holder(cr.Network):
        predict = body

    return Holder.predict


def helper(x: Any) -> Any:
    return x * 2


class Slots:
    __slots__ = ("t",)

    def __init__(self) -> None:
        self.t = 1.0


def closure() -> tuple[Callable[..., Any], Callable[[], None]]:
    k = 2.0

    def body(net: Any, x: Any) -> Any:
        return net.a(x) * k

    def change() -> None:
        nonlocal k
        k = 7.0

    return body, change


def deep(net: Any, x: Any) -> Any:
    x = net.a(x)
    for block in net.blocks:
        x = cr.tanh(block(x))
    return x


class Called:
    """An object that is called as a function."""

    def __init__(self) -> None:
        self.factor = 2.0

    def __call__(self, x: Any) -> Any:
        return x * self.factor


class AttrDict(dict[str, Any]):
    """A dict whose keys are attributes, as configurations often are."""

    __getattr__ = dict.__getitem__


def decorated() -> Any:
    """A function behind a decorator, which keeps what it decorates in a closure."""
    told = {"factor": 2.0}

    def decorator(function: Any) -> Any:
        @functools.wraps(function)
        def inside(*args: Any) -> Any:
            return function(*args)

        return inside

    @decorator
    def scaled(x: Any) -> Any:
        return x * told["factor"]

    scaled.told = told
    return scaled


def scaled_by(told: dict[str, float], x: Any) -> Any:
    return x * told["factor"]


def of_the_environment(net: Any, x: Any) -> Any:
    return net.a(x) * float(os.environ["CHAINRULE_TEST_FACTOR"])


FACTOR: ContextVar[float] = ContextVar("FACTOR", default=1.0)
SCALED = decorated()
WAITING = cr.Affine.sized(2, 2, dtype=float, seed=5)
BODY, CHANGE = closure()


def change_global() -> None:
    global TEMPERATURE
    TEMPERATURE += 4


def change_helper() -> None:
    def other(x: Any) -> Any:
        return x * 9

    globals()["helper"] = other


def put(name: str, value: Any) -> Callable[[Any], None]:
    return lambda net: setattr(net, name, value)


def put_new(name: str, value: Callable[[], Any]) -> Callable[[Any], None]:
    return lambda net: setattr(net, name, value())


CHANGES: dict[str, tuple[Callable[..., Any], Callable[[Any], None], Callable[[Any], None]]] = {
    "a dict": (
        lambda net, x: net.a(x) * net.cfg["T"],
        put("cfg", {"T": 1.0}),
        lambda net: net.cfg.update(T=100.0),
    ),
    "a list of numbers": (
        lambda net, x: net.a(x) * net.ts[-1],
        put("ts", [1.0]),
        lambda net: net.ts.append(3.0),
    ),
    "a dict in a list": (
        lambda net, x: net.a(x) * net.cfgs[0]["T"],
        put("cfgs", [{"T": 1.0}]),
        lambda net: net.cfgs[0].update(T=3.0),
    ),
    "a private attribute": (
        lambda net, x: net.a(x) * net._t,
        put("_t", 1.0),
        lambda net: setattr(net, "_t", 3.0),
    ),
    "an attribute": (lambda net, x: net.a(x) * net.t, put("t", 1.0), put("t", 3.0)),
    "a namespace": (
        lambda net, x: net.a(x) * net.c.t,
        put("c", SimpleNamespace(t=1.0)),
        lambda net: setattr(net.c, "t", 4.0),
    ),
    "slots": (lambda net, x: net.a(x) * net.c.t, put("c", Slots()), lambda net: setattr(net.c, "t", 4.0)),
    "a global": (lambda net, x: net.a(x) * TEMPERATURE, lambda net: None, lambda net: change_global()),
    "a closure": (BODY, lambda net: None, lambda net: CHANGE()),
    "a helper": (lambda net, x: helper(net.a(x)), lambda net: None, lambda net: change_helper()),
    "a function in an attribute": (
        lambda net, x: net.f(net.a(x)),
        put("f", lambda x: x * 2),
        put("f", lambda x: x * 5),
    ),
    "a class attribute": (
        lambda net, x: net.a(x) * getattr(net, "scale", 1.0) * type(net).T,
        lambda net: setattr(type(net), "T", 1.0),
        lambda net: setattr(type(net), "T", 2.0),
    ),
    "an array computed with at once": (
        lambda net, x: net.a(x) * (net.arr * 2),
        lambda net: setattr(net, "arr", np.ones(2)),
        lambda net: net.arr.fill(9.0),
    ),
    "an array": (
        lambda net, x: net.a(x) * net.arr,
        lambda net: setattr(net, "arr", np.ones(2)),
        lambda net: net.arr.fill(9.0),
    ),
    "an array that chooses": (
        lambda net, x: net.a(x) * (3.0 if net.arr.any() else 1.0),
        lambda net: setattr(net, "arr", np.zeros(2)),
        lambda net: net.arr.fill(9.0),
    ),
    "an object that is called": (
        lambda net, x: net.f(net.a(x)), put_new("f", Called), lambda net: setattr(net.f, "factor", 5.0),
    ),
    "a partial function": (
        lambda net, x: net.f(net.a(x)),
        put_new("f", lambda: functools.partial(scaled_by, {"factor": 2.0})),
        lambda net: net.f.args[0].update(factor=5.0),
    ),
    "behind a decorator": (
        lambda net, x: SCALED(net.a(x)), lambda net: None, lambda net: SCALED.told.update(factor=5.0),
    ),
    "a deque": (
        lambda net, x: net.a(x) * net.ts[-1],
        put_new("ts", lambda: deque([1.0], maxlen=1)),
        lambda net: net.ts.append(3.0),
    ),
    "a UserDict": (
        lambda net, x: net.a(x) * net.cfg["T"],
        put_new("cfg", lambda: UserDict(T=1.0)),
        lambda net: net.cfg.update(T=3.0),
    ),
    "a dict with attributes": (
        lambda net, x: net.a(x) * net.cfg.T,
        put_new("cfg", lambda: AttrDict(T=1.0)),
        lambda net: net.cfg.update(T=3.0),
    ),
    "a name in quotes": (
        lambda net, x: net.a(x) * getattr(net.c, "t"),  # noqa: B009 - it is what is tested
        put_new("c", lambda: SimpleNamespace(t=1.0)),
        lambda net: setattr(net.c, "t", 4.0),
    ),
    "a global by its name": (
        lambda net, x: net.a(x) * globals()["TEMPERATURE"],
        lambda net: None,
        lambda net: change_global(),
    ),
    "an attribute by one of several names": (
        lambda net, x: sum((net.a(x) * getattr(net, k) for k in ("_p", "_q")), start=0.0),
        lambda net: vars(net).update(_p=1.0, _q=2.0),
        lambda net: setattr(net, "_q", 4.0),
    ),
    "the environment": (
        of_the_environment,
        lambda net: None,
        lambda net: os.environ.update(CHAINRULE_TEST_FACTOR="3"),
    ),
    "a context variable": (
        lambda net, x: net.a(x) * FACTOR.get(), lambda net: None, lambda net: FACTOR.set(3.0) and None,
    ),
    "a list of layers": (deep, put_new("blocks", list), lambda net: net.blocks.append(WAITING)),
    "a dict of layers": (
        lambda net, x: deep(SimpleNamespace(a=net.a, blocks=net.named.values()), x),
        put_new("named", dict),
        lambda net: net.named.update(w=WAITING),
    ),
}  # fmt: skip


@pytest.mark.source("strangers A4")
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen_by_batches_of_every_size(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_TEST_FACTOR", "1")
    body, start, change = CHANGES[name]
    net = made(body, start)
    before = net.predict(X)
    assert np.array_equal(net.predict(X[:3]), before[:3])
    net.forward(X, np.zeros((6, 2)))
    change(net)
    after = net.predict(X)
    assert not np.allclose(after, before)
    right = net.predict(cr.Variable(X)).data
    np.testing.assert_allclose(after, right, rtol=1e-12)
    for n in (3, 5):
        np.testing.assert_allclose(net.predict(X[:n]), right[:n], rtol=1e-12)
    loss = net.forward(X, np.zeros((6, 2)))
    assert loss == pytest.approx(float(np.mean(right**2)), rel=1e-12)


@pytest.mark.source("strangers A4")
def test_a_change_between_epochs_is_trained_with() -> None:
    def losses(change: bool) -> Array:
        net = made(lambda net, x: net.a(x) * net.cfg["T"], put("cfg", {"T": 1.0}))

        def after(run: Any) -> None:
            if change:
                net.cfg["T"] *= 0.5

        trainer = cr.Trainer(net, cr.SGD(0.1), engine="numpy")
        trainer.fit(X, np.repeat(T, 2, 1), 4, 6, progress=None, callbacks=[after])
        return trainer.history.losses

    still, moved = losses(False), losses(True)
    assert still[0] == moved[0]
    assert not np.allclose(still[1:], moved[1:])


@pytest.mark.source("strangers A4")
def test_a_layer_put_into_a_list_later_is_trained() -> None:
    net = made(deep, put("blocks", [cr.Affine.sized(2, 2, dtype=float)]))
    net.predict(X)
    count = len(net.params)
    block = cr.Affine.sized(2, 2, dtype=float)
    net.blocks.append(block)
    assert len(net.params) == count + 2
    first = block.W.copy()
    cr.Trainer(net, cr.SGD(0.1), engine="numpy").fit(X, np.repeat(T, 2, 1), 2, 6, progress=None)
    assert not np.array_equal(block.W, first)
    del net.blocks[-1]
    assert len(net.params) == count


def drawn(net: Any, x: Any) -> Any:
    return net.a(x) + net.rng.normal(size=2)


def counted(net: Any, x: Any) -> Any:
    net.n += 1
    return net.a(x)


def counted_inside(net: Any, x: Any) -> Any:
    net.state["n"] += 1
    return net.a(x) * (2.0 if net.state["n"] > 9 else 1.0)


def once(net: Any, x: Any) -> Any:
    y = net.a(x) if net.first else net.a(x) * 2
    net.first = False
    return y


REFUSED: dict[str, tuple[Callable[..., Any], Callable[[Any], None], str]] = {
    "NumPy's global": (
        lambda net, x: net.a(x) + np.random.normal(size=2), lambda net: None, "draws from.*cr.Dropout",
    ),
    "Python's": (lambda net, x: net.a(x) * random.random(), lambda net: None, "draws from.*cr.Dropout"),
    "a generator": (drawn, put_new("rng", lambda: np.random.default_rng(0)), r"draws from self\.rng"),
    "a new generator": (
        lambda net, x: net.a(x) * np.random.default_rng().random(), lambda net: None, "draws from",
    ),
    "a draw that rarely matters": (
        lambda net, x: net.a(x) * (2.0 if np.random.rand() > 0.999 else 1.0), lambda net: None, "draws from",
    ),
    "the clock": (lambda net, x: net.a(x) * time.perf_counter(), lambda net: None, "others at every run"),
    "the data of what is computed": (
        lambda net, x: (lambda h: cr.exp(h - h.data.max(axis=1, keepdims=True)))(net.a(x)),
        lambda net: None, "stop_gradient",
    ),
    "the data of the rows": (lambda net, x: net.a(x) * (x.data > 0), lambda net: None, "others at every run"),
    "a number of the rows": (lambda net, x: net.a(x / x.data.std()), lambda net: None, "others at every run"),
    "a choice by the data": (
        lambda net, x: net.a(x) if x.data[0, 0] > 0 else net.a(x) * 2, lambda net: None, "others at",
    ),
    "a mask by the data": (lambda net, x: cr.where(x.data > 0, net.a(x), 0.0), lambda net: None, "others at"),
    "an order by the data": (
        lambda net, x: net.a(x[np.argsort(x.data[:, 0])]), lambda net: None, "others at",
    ),
    "weights computed with": (
        lambda net, x: net.a(x) / np.linalg.norm(net.a.W), lambda net: None, "the numbers of a parameter",
    ),
    "weights copied": (
        lambda net, x: net.a(x) @ net.a.W.T.copy(), lambda net: None, "numbers of a parameter",
    ),
    "a counter": (counted, put("n", 0), r"changes self\.n"),
    "a counter in a dict": (counted_inside, put("state", {"n": 0}), r"changes self\.state"),
    "only the first time": (once, put("first", True), "others at every run|changes"),
}  # fmt: skip


@pytest.mark.source("strangers A4")
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_never_the_same_is_refused(name: str, engine: str) -> None:
    body, start, said = REFUSED[name]
    net = made(body, start)
    with pytest.raises(RecordingError, match=f"Net.predict .*{said}"):
        net.predict(X)
    trainer = cr.Trainer(made(body, start), cr.SGD(0.1), engine=engine)
    with pytest.raises(RecordingError, match=said):
        trainer.fit(X, np.repeat(T, 2, 1), 1, 6, progress=None)


@pytest.mark.source("strangers A4")
def test_what_a_formula_keeps_to_be_looked_at_is_no_change() -> None:
    def body(net: Any, x: Any) -> Any:
        net.hidden = net.a(x)
        net.shape, net._last = x.shape, x.shape
        net.kept.append(net.hidden)
        return net.hidden

    net = made(body, put("kept", []))
    assert np.array_equal(net.predict(X)[:3], net.predict(X[:3]))
    assert np.array_equal(net.predict(X)[:3], net.predict(X[:3]))


@pytest.mark.source("strangers A4")
def test_a_seeded_generator_made_in_the_formula_is_the_same_each_time() -> None:
    net = made(lambda net, x: net.a(x) + np.random.default_rng(3).normal(size=2))
    right = net.a(X) + np.random.default_rng(3).normal(size=2)
    np.testing.assert_allclose(net.predict(X), right, rtol=1e-12)


@pytest.mark.source("strangers A4")
def test_a_layer_of_ones_own_sees_changes_too() -> None:
    class Scaled(cr.Layer):
        def __init__(self) -> None:
            super().__init__(a=np.ones(2))
            self.cfg = {"T": 1.0}

        def formula(self, x: Any, a: Any) -> Any:
            return x * a * self.cfg["T"]

    layer = Scaled()
    net = cr.Sequential(layer, loss=cr.MeanSquaredError())
    assert np.array_equal(layer.forward(X), X)
    assert np.array_equal(net.predict(X), X)
    layer.cfg["T"] = 5.0
    assert np.array_equal(layer.forward(X), 5 * X)
    assert np.array_equal(net.predict(X), 5 * X)


@pytest.mark.source("strangers A4")
def test_a_lambda_in_a_sequential_sees_what_it_reads() -> None:
    cfg = {"T": 1.0}
    net = cr.Sequential(lambda x: x * cfg["T"], loss=cr.MeanSquaredError())
    assert np.array_equal(net.predict(X), X)
    cfg["T"] = 2.0
    assert np.array_equal(net.predict(X), 2 * X)


# -- parameters that stand by themselves -----------------------------------------------------------------


class Bare(cr.Network):
    def __init__(self) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.a = cr.Affine.sized(2, 2, dtype=float)
        self.g = cr.Parameter(np.ones(2))
        self.v = cr.Variable([0.0, 0.0])
        self.ws: list[Any] = [cr.Variable(np.ones(2)), {"deep": cr.Parameter(np.full(2, 0.5))}]

    def predict(self, x: Any) -> Any:
        return self.a(x) * self.g + self.v * self.ws[0] * self.ws[1]["deep"]


class Layered(cr.Layer):
    def __init__(self) -> None:
        super().__init__(a=np.ones(2))
        self.shift = cr.Variable(np.zeros(2))

    def formula(self, x: Any, a: Any) -> Any:
        return x * a + self.shift


@pytest.mark.source("peers W6")
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_parameters_by_themselves_are_trained_checked_counted_and_copied(engine: str) -> None:
    net: Any = Bare()
    assert list(net.named_parameters()) == ["a.W", "a.b", "g", "v", "ws.0", "ws.1.deep"]
    assert cr.check(net, X, np.repeat(T, 2, 1))
    first = [p.copy() for p in net.params]
    trainer = cr.Trainer(net, cr.Adam(0.05), engine=engine)
    trainer.fit(X, X * 3 + 5, 40, 3, progress=None)
    assert trainer.engine_used == engine
    assert all(not np.array_equal(a, b) for a, b in zip(net.params, first, strict=True))
    assert "14 parameters" in net.summary()
    twin = copy.deepcopy(net)
    twin.g = 0.0
    assert np.array_equal(twin.g.data, [0, 0])
    assert not np.array_equal(net.g.data, twin.g.data)
    with pytest.raises(ShapeError, match=r"g has shape \(2,\)"):
        net.g = np.ones(3)


@pytest.mark.source("peers W6")
def test_both_engines_and_the_script_agree_on_parameters_by_themselves() -> None:
    found = []
    for engine in ("numpy", "compiled"):
        trainer = cr.Trainer(Bare(), cr.SGD(0.1), engine=engine)
        trainer.fit(X, X * 3 + 5, 5, 4, progress=None)
        found.append(trainer.history.losses)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


@pytest.mark.source("peers W6")
def test_a_layer_holds_parameters_too() -> None:
    layer = Layered()
    assert list(layer.named_parameters()) == ["a", "shift"]
    assert cr.check(layer, X)
    layer.forward(X)
    layer.backward(np.ones((6, 2)))
    assert np.array_equal(layer.grads[1], [6.0, 6.0])
    net = cr.Sequential(layer, loss=cr.MeanSquaredError())
    assert len(net.params) == 2
    cr.Trainer(net, cr.SGD(0.1), engine="numpy").fit(X, X + 2, 60, 6, progress=None)
    assert np.allclose(layer.shift.data, 2, atol=0.1)


FOREIGN = cr.Parameter(np.ones(2), "foreign")
FREE = cr.Variable(np.ones(2))


@pytest.mark.source("peers W6")
@pytest.mark.parametrize(
    "body",
    [
        lambda net, x: net.a(x) * FOREIGN,
        lambda net, x: net.a(x) * FREE,
        lambda net, x: net.a(x) * net._hidden,
        lambda net, x: net._layer(net.a(x)),
    ],
)
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_what_nobody_would_train_is_refused(body: Callable[..., Any], engine: str) -> None:
    def start(net: Any) -> None:
        net._hidden, net._layer = cr.Parameter(np.ones(2)), cr.Affine.sized(2, 2, dtype=float)

    for net in (made(body, start), made(body, start)):
        with pytest.raises(RecordingError, match="does not hold, so it would never be trained"):
            net.predict(X)
        with pytest.raises(RecordingError, match="does not hold, so it would never be trained"):
            cr.Trainer(net, cr.SGD(0.1), engine=engine).fit(X, X, 1, 6, progress=None)
    constant = made(lambda net, x: net.a(x) * FOREIGN.data)
    assert np.array_equal(constant.predict(X), constant.a(X))


@pytest.mark.source("strangers A4")
def test_the_numbers_of_a_parameter_are_said_to_be_a_constant() -> None:
    net = made(lambda net, x: net.a(x) @ net.a.W.T)
    with pytest.warns(UserWarning, match=r"reads the numbers of a\.W as a constant"):
        net.predict(X)
    for body in (
        lambda net, x: net.a(x) @ net.a.parameters["W"].T,
        lambda net, x: net.a(x) @ cr.Variable(net.a.W, "W", requires_grad=False).T,
    ):
        quiet = made(body)
        assert np.array_equal(quiet.predict(X), net.predict(X))


# -- the same seed, whatever was looked at ------------------------------------------------------------------


class Seeded(cr.Network):
    def __init__(self, look: Callable[[Any], Any], late: Callable[[Any], Any]) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.a = cr.Affine.sized(2, 4)
        look(self)
        self.d = cr.Dropout(0.5)
        self.blocks = [cr.Affine.sized(4, 4)]
        self.o = cr.Affine.sized(4, 1)
        late(self)

    def predict(self, x: Any) -> Any:
        return self.o(self.blocks[0](self.d(cr.tanh(self.a(x)))))


LOOKS: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda net: None,
    "weights": lambda net: net.a.W,
    "params": lambda net: net.a.params,
    "calls": lambda net: net.a.forward(X.astype(np.float32)),
    "records": lambda net: net.a(cr.Variable(X.astype(np.float32))),
    "all": lambda net: [layer.params for layer in net.layers],
    "dropout": lambda net: [
        layer.forward(np.ones((2, 4), np.float32), True)
        for layer in net.layers
        if isinstance(layer, cr.Dropout)
    ],
}


@pytest.mark.source("peers W5")
@pytest.mark.parametrize("early", LOOKS)
@pytest.mark.parametrize("late", LOOKS)
def test_looking_at_weights_draws_nothing_of_its_own(early: str, late: str) -> None:
    def bits(net: Any) -> tuple[bytes, int]:
        return b"".join(p.tobytes() for p in net.params), net.d.mask_seed

    assert bits(Seeded(LOOKS[early], LOOKS[late])) == bits(
        Seeded(LOOKS["nothing"], LOOKS["nothing"])
    )


@pytest.mark.source("peers W5")
def test_looking_before_a_network_is_there() -> None:
    looked, plain = cr.Affine.sized(2, 3), cr.Affine.sized(2, 3)
    assert np.any(looked.W != 0)
    nets = [cr.Sequential(first, cr.Affine.sized(3, 1), seed=4) for first in (looked, plain)]
    assert all(np.array_equal(a, b) for a, b in zip(*(n.params for n in nets), strict=True))
    set_by_hand = cr.Affine.sized(2, 3)
    set_by_hand.W = np.ones((2, 3))
    assert np.all(cr.Sequential(set_by_hand, cr.Affine.sized(3, 1), seed=4).params[0] == 1)
    net = Seeded(LOOKS["nothing"], LOOKS["nothing"])
    net.predict(cr.Variable(X.astype(np.float32)))
    assert np.array_equal(net.a.W, Seeded(LOOKS["nothing"], LOOKS["nothing"]).params[0])


@pytest.mark.source("peers W5")
def test_a_network_in_a_network_has_the_outer_seed() -> None:
    class Outer(cr.Network):
        def __init__(self, look: bool) -> None:
            super().__init__(loss=cr.MeanSquaredError(), seed=7)
            self.inner = cr.Sequential(cr.Affine.sized(2, 2), cr.Affine.sized(2, 2), seed=1)
            if look:
                _ = self.inner.params

        def predict(self, x: Any) -> Any:
            return self.inner(x)

    a, b = Outer(True), Outer(False)
    assert all(np.array_equal(p, q) for p, q in zip(a.params, b.params, strict=True))


# -- constants in a network -------------------------------------------------------------------------------

WIDE = np.random.default_rng(1).standard_normal((6, 6))
MASK = np.array([True, False, True, True, False, True])


class Chosen(cr.Network):
    def __init__(self, key: Any) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.o = cr.Affine.sized(4, 1, dtype=float)
        self.key = key

    def predict(self, x: Any) -> Any:
        return self.o(x[:, self.key])


@pytest.mark.source("peers W9")
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("key", [MASK, MASK.tolist(), np.flatnonzero(MASK), [0, 2, 3, -1]], ids=str)
def test_a_constant_mask_or_index(key: Any, engine: str) -> None:
    net = Chosen(key)
    right = net.o(WIDE[:, MASK])
    assert np.array_equal(net.predict(WIDE), right)
    assert net.forward(WIDE, WIDE[:, :1]) == pytest.approx(
        float(np.mean((right - WIDE[:, :1]) ** 2))
    )
    trainer = cr.Trainer(net, cr.SGD(0.1), engine=engine)
    trainer.fit(WIDE, WIDE[:, :1], 3, 4, progress=None)
    assert trainer.engine_used == engine
    assert trainer.history.losses[-1] < trainer.history.losses[0]


@pytest.mark.source("peers 4: declined")
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_a_constant_adjacency_and_ids_of_two_tables(engine: str) -> None:
    class Graph(cr.Network):
        def __init__(self) -> None:
            super().__init__(loss=cr.MeanSquaredError(), seed=0)
            self.o = cr.Affine.sized(3, 2, dtype=float)
            self.near = np.random.default_rng(1).random((5, 5))

        def predict(self, x: Any) -> Any:
            return self.near @ self.o(x)

    class Tables(cr.Network):
        def __init__(self) -> None:
            super().__init__(loss=cr.MeanSquaredError(), seed=0)
            self.u, self.i = (
                cr.Embedding.sized(9, 3, dtype=float),
                cr.Embedding.sized(7, 3, dtype=float),
            )

        def predict(self, x: Any) -> Any:
            return cr.sum(self.u(x[:, 0]) * self.i(x[:, 1]), 1, keepdims=True)

    nodes = np.random.default_rng(0).standard_normal((8, 5, 3))
    pairs = np.stack([np.arange(20) % 9, np.arange(20) % 7], 1)
    for net, x, t in (
        (Graph(), nodes, np.zeros((8, 5, 2))),
        (Tables(), pairs, np.ones((20, 1))),
    ):
        trainer = cr.Trainer(net, cr.SGD(0.1), engine=engine)
        trainer.fit(x, t, 2, 4, progress=None)
        assert trainer.engine_used == engine, trainer.engine_reason
        if isinstance(net, Graph):
            right = net.near @ (x @ net.o.W + net.o.b)
        else:
            right = np.sum(net.u.W[x[:, 0]] * net.i.W[x[:, 1]], 1, keepdims=True)
        np.testing.assert_allclose(net.predict(x), right, rtol=1e-12, atol=1e-12)


@pytest.mark.source("peers W11")
def test_joined_float32_and_float64_keep_their_own() -> None:
    a, b = cr.Variable(np.ones(2, np.float32)), cr.Variable(np.ones(2))
    cr.sum(cr.concatenate([a, b], None) * 2).backward()
    assert a.grad is not None
    assert b.grad is not None
    assert a.grad.dtype == np.float32
    assert b.grad.dtype == np.float64
    assert np.array_equal(a.grad, [2, 2])
