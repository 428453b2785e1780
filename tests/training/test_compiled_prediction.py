"""Compiled prediction: NumPy's outputs, for any number of rows and any kind of array."""

from __future__ import annotations

import copy
import pickle
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.training.engines import blobs, plain, rich, spiral, wide

import chainrule as cr
from chainrule.errors import ChainruleError, DataError, ShapeError

pytest.importorskip("llvmlite")
predict = pytest.importorskip("chainrule.engine.compiled.predict")

Array = npt.NDArray[Any]


def pair(make: Any) -> tuple[Any, Any]:
    """Two networks alike, one of which predicts with compiled code."""
    compiled, plain_one = make(), make()
    compiled.engine = "compiled"
    return compiled, plain_one


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows went through compiled code, call by call."""
    rows: list[int] = []
    call = predict.CompiledPredict.__call__

    def counted(self: Any, x: Array) -> Array:
        rows.append(len(x))
        out: Array = call(self, x)
        return out

    monkeypatch.setattr(predict.CompiledPredict, "__call__", counted)
    return rows


@pytest.mark.parametrize("make", [plain, wide], ids=["plain", "wide"])
def test_any_number_of_rows(make: Any, taken: list[int]) -> None:
    compiled, reference = pair(make)
    x = spiral()[0] if make is plain else blobs(1, 784)[0]
    x = np.resize(x, (10_000 if make is plain else 600, x.shape[1])).astype(np.float32)
    x += np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    for n in (1, 2, 3, 127, 128, 129, 255, 256, 257, len(x)):
        found, expected = compiled.predict(x[:n]), reference.predict(x[:n])
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
        np.testing.assert_array_equal(compiled.classify(x[:n]), reference.classify(x[:n]))
        proba = compiled.predict_proba(x[:n])
        np.testing.assert_allclose(proba, reference.predict_proba(x[:n]), rtol=2e-5, atol=2e-6)
    assert taken == [n for n in (1, 2, 3, 127, 128, 129, 255, 256, 257, len(x)) for _ in range(3)]


def test_no_rows_and_wrong_rows_are_as_with_numpy() -> None:
    for net in pair(plain):
        assert net.predict(np.empty((0, 2), np.float32)).shape == (0, 3)
        net.predict(np.zeros((4, 2), np.float32))
        for wrong in (np.zeros((4, 3), np.float32), np.zeros(()), np.array(["a"]), [[1, 2], [3]]):
            with pytest.raises(ChainruleError):
                net.predict(wrong)
        with pytest.raises(ShapeError):
            net.predict(np.zeros((4, 3), np.float32))


def test_layers_behave_as_in_use(taken: list[int]) -> None:
    """No dropout, and the running statistics."""
    compiled, reference = pair(rich)
    x, t = spiral()
    for net in (compiled, reference):
        cr.Trainer(net, cr.SGD(0.1), engine="numpy").fit(x, t, 2, 32, progress=None)
    np.testing.assert_allclose(compiled.predict(x), reference.predict(x), rtol=2e-5, atol=2e-6)
    assert taken == [300]


def test_any_array(tmp_path: Path, taken: list[int]) -> None:
    compiled, reference = pair(wide)
    x = blobs(300, 784)[0]
    expected = compiled.predict(x)
    np.save(tmp_path / "x.npy", x)
    locked = x.copy()
    locked.flags.writeable = False
    moved = np.frombuffer(b"." + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
    for other in (
        np.repeat(x, 2, axis=0)[::2],
        np.repeat(x, 2, axis=1)[:, ::2],
        np.asfortranarray(x),
        x[::-1][::-1],
        locked,
        moved,
        np.load(tmp_path / "x.npy", mmap_mode="r"),
        x.astype(np.float64),
        x.astype(">f4"),
        x.tolist(),
    ):
        np.testing.assert_allclose(compiled.predict(other), expected, rtol=1e-5, atol=1e-5)
    assert len(taken) == 11
    whole = np.round(x).astype(np.int64)
    np.testing.assert_allclose(
        compiled.predict(whole), reference.predict(whole), rtol=2e-5, atol=2e-5
    )


def test_the_same_rows_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Again, with other threads, with another network alike, and however the rows begin."""
    x = blobs(1000, 784)[0]
    found = set()
    for threads in "1", "2", "3", "1":
        monkeypatch.setenv("CHAINRULE_NUM_THREADS", threads)
        net = pair(wide)[0]
        found |= {net.predict(x).tobytes() for _ in range(3)}
    assert len(found) == 1
    more = np.concatenate([x, x[:50]])
    whole = len(x) - len(x) % predict.BLOCK
    assert net.predict(more)[:whole].tobytes() == net.predict(x)[:whole].tobytes()


def test_what_changes_afterwards_takes_effect(tmp_path: Path) -> None:
    compiled, reference = pair(plain)
    x, t = spiral()

    def same() -> None:
        for rows in (x, x[:1]):
            found = compiled.predict(rows)
            np.testing.assert_allclose(found, reference.predict(rows), rtol=2e-5, atol=2e-6)

    same()
    for net in (compiled, reference):
        cr.Trainer(net, cr.SGD(0.5), engine="numpy").fit(x, t, 2, progress=None)
    same()
    for net in (compiled, reference):
        net.layers[0].W[...] *= 2
        net.layers[0].trainable = False
    same()
    for net in (compiled, reference):
        net.layers[2].b = np.ones(3)
    same()
    other = plain(seed=3)
    for name, parameter in other.named_parameters().items():
        for net in (compiled, reference):
            net.named_parameters()[name].data[...] = parameter.data
    same()


def test_a_network_in_two_others_goes_with_its_arrays() -> None:
    """Layers that a second network takes in are its own too."""
    first = plain()
    first.engine = "compiled"
    x = spiral()[0]
    before = first.predict(x)
    second = cr.Sequential(*first.layers, loss=cr.SoftmaxWithLoss())
    second.engine = "compiled"
    assert second.predict(x).tobytes() == before.tobytes()
    second.layers[0].W[...] = 0
    assert first.predict(x).tobytes() == second.predict(x).tobytes() != before.tobytes()


def test_the_data_are_not_copied() -> None:
    net = pair(plain)[0]
    x = np.zeros((1_000_000, 2), np.float32)
    net.predict(x[:300])
    out = 3 * x.nbytes // 2
    tracemalloc.start()
    net.predict(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - out < x.nbytes / 20


def test_many_threads_predict_with_one_network() -> None:
    for make, x in ((plain, spiral()[0]), (wide, blobs(700, 784)[0])):
        net = pair(make)[0]
        parts = [x[i : i + 1 + 30 * i] for i in range(16)]
        expected = [net.predict(part) for part in parts]
        net = pair(make)[0]
        start = threading.Barrier(4)

        def work(k: int, net: Any = net, parts: Any = parts, start: Any = start) -> list[Array]:
            start.wait()
            return [net.predict(part) for _ in range(6 if k else 3) for part in parts]

        with ThreadPoolExecutor(4) as pool:
            for outs in pool.map(work, range(4)):
                for i, out in enumerate(outs):
                    assert out.tobytes() == expected[i % 16].tobytes()


def test_copies_after_compiled_predictions_and_fits() -> None:
    x, t = spiral()
    trainer = cr.Trainer(plain(), cr.SGD(0.5), engine="compiled")
    trainer.fit(x, t, 2, 32, progress=None)
    expected = trainer.predict(x)
    trainer.source(file=None)
    for twin in (copy.deepcopy(trainer), pickle.loads(pickle.dumps(trainer))):
        assert twin.model.engine == "compiled"
        assert twin.predict(x).tobytes() == expected.tobytes()
        twin.fit(x, t, 1, 32, progress=None)
        assert twin.engine_used == "compiled"
        assert twin.predict(x).tobytes() != expected.tobytes()
    assert trainer.predict(x).tobytes() == expected.tobytes()
    net = copy.deepcopy(trainer.model)
    assert net.predict(x[:1]).tobytes() == trainer.model.predict(x[:1]).tobytes()


def test_a_trainer_predicts_on_its_engine(taken: list[int]) -> None:
    x, t = spiral()
    trainer = cr.Trainer(plain(), cr.SGD(0.5), engine="compiled")
    trainer.predict(x)
    assert taken == []
    trainer.fit(x, t, 1, 32, validation=0.1, progress=None)
    assert taken == [30]
    trainer.predict(x)
    trainer.evaluate(x, t)
    assert taken == [30, 300, 300]
    trainer.model.engine = "numpy"
    trainer.predict(x)
    assert len(taken) == 3


def test_auto_compiles_for_much_work_only(
    monkeypatch: pytest.MonkeyPatch, taken: list[int]
) -> None:
    from chainrule.engine import cost

    monkeypatch.delenv("CHAINRULE_ENGINE", raising=False)
    net = plain()
    net.engine = "auto"
    x = spiral()[0]
    net.predict(x)
    assert taken == []
    few, many = (net._predict_cost(rows).saved(1) for rows in (x[:99], x))
    monkeypatch.setattr(cost, "COMPILING", ((few + many) / 2, 0.0, 0.0, 0.0, 0.0))
    cost.estimate.cache_clear()
    net.predict(x)
    net.predict(x[:99])
    assert taken == [300]
    cost.estimate.cache_clear()


def test_one_row_is_the_same_by_hand() -> None:
    net = pair(wide)[0]
    x = blobs(1, 784)[0]
    W1, b1, W2, b2, W3, b3 = net.params

    def by_hand() -> Array:
        h = np.maximum(x @ W1 + b1, 0)
        out: Array = np.maximum(h @ W2 + b2, 0) @ W3 + b3
        return out

    np.testing.assert_allclose(net.predict(x), by_hand(), rtol=1e-4, atol=1e-4)


class Pieces(cr.Network):
    """A table of rows for the numbers in the last column of x."""

    def __init__(self) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.table, self.last = cr.Embedding.sized(5, 2), cr.Affine.sized(4, 1)

    def predict(self, x: Any) -> Any:
        rows = self.table(x[:, -1].astype(np.int64))
        return self.last(cr.concatenate([x[:, :2], rows], axis=1))


@pytest.mark.parametrize("own", [False, True])
def test_row_numbers_in_a_part_of_x_are_checked_at_every_call(own: bool) -> None:
    """Kernels do not check them, so that a wrong one would read other memory."""
    layers = [cr.CategoryEmbedding.sized(5, 2, columns=1), cr.Affine.sized(4, 1)]
    net = Pieces() if own else cr.Sequential(*layers, loss=cr.MeanSquaredError())
    x = np.zeros((50, 3), np.float32)
    plain = net.predict(x)
    net.engine = "compiled"
    for _ in range(3):
        np.testing.assert_allclose(net.predict(x), plain, rtol=1e-6)
    for wrong in (5, 1e9, np.nan, -1):
        bad = x.copy()
        bad[3, 2] = wrong
        with pytest.raises((DataError, ShapeError)):
            net.predict(bad)
    np.testing.assert_allclose(net.predict(x), plain, rtol=1e-6)
