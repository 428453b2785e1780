"""What changes one network leaves the recorded programs of every other one alone."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.engine.cache import ProgramCache
from chainrule.graph.revisions import Revision

X = np.random.default_rng(0).standard_normal((12, 4)).astype(np.float32)
T = np.arange(12) % 3


def network(seed: int = 0) -> Any:
    return cr.Sequential(
        cr.Affine.sized(4, 5), cr.Dropout(0.2), cr.BatchNorm.sized(5), cr.Affine.sized(5, 3),
        loss=cr.SoftmaxWithLoss(), seed=seed,
    )  # fmt: skip


class Planned:
    """Counts the programs that are made while it is open."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        from chainrule.engine import plans
        from chainrule.layers import base
        from chainrule.networks import network as rooms

        self.made: list[str] = []
        for module, name in (
            (rooms, "plan_loss"), (rooms, "plan_step"), (rooms, "plan_predict"), (base, "plan_layer"),
        ):  # fmt: skip
            patch.setattr(module, name, self.counting(name, getattr(plans, name)))

    def counting(self, name: str, plan: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            self.made.append(name)
            return plan(*args)

        return counted


def use(net: Any) -> None:
    net.forward(X, T)
    net.backward()
    net.predict(X)
    net.sequence[0].forward(X)
    net.step_program(*net._prepare(X, T), rows=np.arange(4))


def build_and_train(net: Any) -> None:
    cr.Trainer(net, cr.Adam(0.01), engine="numpy").fit(X, T, 2, 4, progress=None)
    net.sequence[1].ratio = 0.4
    net.sequence[0].trainable = False
    net.sequence[3].lr_factor = 0.1
    net.loss = cr.SoftmaxWithLoss(label_smoothing=0.1)
    net.extra = cr.Tanh()
    use(net)


def test_a_network_records_nothing_again_because_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a = network()
    use(a)
    planned = Planned(monkeypatch)
    build_and_train(network(1))
    assert planned.made
    planned.made.clear()
    use(a)
    assert not planned.made


def test_in_a_class_a_change_of_one_is_a_change_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    all_ = [network(seed) for seed in range(30)]
    for net in all_:
        use(net)
    planned = Planned(monkeypatch)
    all_[7].sequence[1].ratio = 0.5
    for net in all_[:7] + all_[8:]:
        use(net)
    assert not planned.made
    use(all_[7])
    assert sorted(planned.made) == ["plan_loss", "plan_predict", "plan_step"]


def changed(change: Callable[[], None], seen: Callable[[], Any]) -> bool:
    before = np.array(seen())
    change()
    return not np.array_equal(before, seen())


def test_a_layer_of_two_networks_changes_both() -> None:
    shared = cr.LeakyReLU(0.1)
    nets = [cr.Sequential(cr.Affine.sized(4, 3), shared, seed=s) for s in (1, 2)]
    twin = copy.deepcopy(nets[0])
    for net in nets:
        assert changed(lambda: None, lambda net=net: net.predict(X)) is False  # type: ignore[misc]
    before = [np.array(net.predict(X)) for net in (*nets, twin)]
    shared.slope = 0.7
    after = [net.predict(X) for net in (*nets, twin)]
    assert [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)] == [
        True, True, False,
    ]  # fmt: skip


class Block(cr.Layer):
    """A layer that holds one."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = cr.LeakyReLU(0.1)

    def formula(self, x: Any) -> Any:
        return self.inner(x)


OUTSIDE = cr.LeakyReLU(0.1)


class Reaching(cr.Network):
    """Layers that the network holds, or only reaches."""

    def __init__(self, inner: Any = None) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.first = cr.Affine.sized(4, 3)
        self.block = Block()
        self.listed = [cr.LeakyReLU(0.1)]
        self._hidden = cr.LeakyReLU(0.1)
        self.inner = inner

    def predict(self, x: Any) -> Any:
        h = self.block(self.first(x))
        h = OUTSIDE(self._hidden(self.listed[0](h)))
        return h if self.inner is None else self.inner(h) * (1 if self.listed[0].slope < 0.5 else 3)


@pytest.mark.parametrize(
    "layer",
    [
        lambda net: net.block.inner, lambda net: net.listed[0], lambda net: net._hidden,
        lambda net: OUTSIDE, lambda net: net.inner.sequence[1],
    ],
)  # fmt: skip
def test_changes_of_layers_wherever_they_are_reached(layer: Callable[[Any], Any]) -> None:
    inner = cr.Sequential(cr.Affine.sized(3, 3), cr.LeakyReLU(0.1), seed=1)
    net = Reaching(inner)

    def change() -> None:
        layer(net).slope = 0.9

    try:
        assert changed(change, lambda: net.predict(X))
        np.testing.assert_allclose(net.predict(X), net.predict(cr.Variable(X)).data, rtol=1e-6)
    finally:
        OUTSIDE.slope = 0.1


def test_a_layer_alone_sees_changes_of_the_one_inside() -> None:
    block = Block()

    def change() -> None:
        block.inner.slope = 0.9

    assert changed(change, lambda: block.forward(X))


def test_copies_have_revisions_of_their_own() -> None:
    net = network()
    use(net)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), copy.copy(net.sequence[1])):
        number = net._revision.number
        part = twin if isinstance(twin, cr.Layer) else twin.sequence[1]
        part.ratio = 0.3
        assert net._revision.number == number


def test_followers_that_are_gone_leave_nothing() -> None:
    layer = cr.Tanh()
    for seed in range(5):
        cr.Sequential(cr.Affine.sized(4, 3), layer, seed=seed).predict(X)
    gc.collect()
    assert not layer._revision._followers


def test_revisions_round_about_end() -> None:
    a, b, c = Revision(), Revision(), Revision()
    for one, other in ((a, b), (b, c), (c, a)):
        one.follow(other)
    b.change()
    assert (a.number, b.number, c.number) == (1, 1, 1)


def test_followers_may_come_while_others_change() -> None:
    layer, failed = Revision(), []

    def follow() -> None:
        try:
            for _ in range(2000):
                Revision().follow(layer)
        except RuntimeError as error:
            failed.append(error)

    threads = [threading.Thread(target=follow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(2000):
        layer.change()
    for thread in threads:
        thread.join()
    assert not failed


def test_the_cache_keeps_what_was_used_latest() -> None:
    cache = ProgramCache[int](3)
    for key in range(3):
        cache.put(key, 1, key)
    assert cache.get(0, 1) == 0
    cache.put(3, 1, 3)
    assert [cache.get(key, 1) for key in range(4)] == [0, None, 2, 3]
    assert cache.get(0, 2) is None
    cache.put(9, 2, 9)
    assert len(cache) == 1
    assert len(copy.deepcopy(cache)) == 0
