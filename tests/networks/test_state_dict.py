"""Weights in the layouts of PyTorch and Keras: in, out, and what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataError, NonFiniteError, SettingError, ShapeError

WRITTEN = Path(__file__).parents[1] / "files" / "onnx" / "written"


def arrays(*shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for shape in shapes]


def net(**settings: Any) -> cr.Sequential:
    return cr.Sequential(
        cr.Affine.sized(4, 5), cr.BatchNorm.sized(5, **settings), cr.ReLU(), cr.Dropout(0.1),
        cr.MatMul.sized(5, 6), cr.LayerNorm.sized(6, **settings), cr.Tanh(), cr.Affine.sized(6, 3),
        loss=cr.SoftmaxWithLoss(),
    )  # fmt: skip


def pytorch() -> dict[str, Any]:
    """As `model.state_dict()` has it."""
    W1, b1, g1, s1, m, v, W2, g2, s2, W3, b3 = arrays(
        (5, 4), (5,), (5,), (5,), (5,), (5,), (6, 5), (6,), (6,), (3, 6), (3,)
    )
    return {
        "0.weight": W1, "0.bias": b1, "1.weight": g1, "1.bias": s1, "1.running_mean": m,
        "1.running_var": v**2 + 0.1, "1.num_batches_tracked": np.array(7), "4.weight": W2,
        "5.weight": g2, "5.bias": s2, "7.weight": W3, "7.bias": b3,
    }  # fmt: skip


def by_hand(x: Any, state: dict[str, Any], eps: float = 1e-5) -> Any:
    h = x @ state["0.weight"].T + state["0.bias"]
    h = (h - state["1.running_mean"]) / np.sqrt(state["1.running_var"] + eps)
    h = np.maximum(h * state["1.weight"] + state["1.bias"], 0) @ state["4.weight"].T
    h = (h - h.mean(1, keepdims=True)) / np.sqrt(h.var(1, keepdims=True) + eps)
    h = np.tanh(h * state["5.weight"] + state["5.bias"])
    return h @ state["7.weight"].T + state["7.bias"]


X = np.random.default_rng(1).standard_normal((6, 4))


def test_from_pytorch_and_back() -> None:
    network, state = net(), pytorch()
    addresses = [p.ctypes.data for p in network.params]
    network.load_state_dict(state)
    assert [p.ctypes.data for p in network.params] == addresses
    np.testing.assert_allclose(network.predict(X), by_hand(X, state), rtol=1e-4, atol=1e-5)
    back = network.state_dict()
    del state["1.num_batches_tracked"]
    assert list(back) == list(state)
    for name, array in back.items():
        assert array.flags.c_contiguous
        assert array.flags.owndata
        np.testing.assert_array_equal(array, state[name].astype(np.float32))


def test_from_keras_and_back() -> None:
    source, network = net(eps=1e-3), net(eps=1e-3)
    source.load_state_dict(pytorch())
    state = source.state_dict("keras")
    assert list(state) == [
        "0/kernel", "0/bias", "1/gamma", "1/beta", "1/moving_mean", "1/moving_variance",
        "4/kernel", "5/gamma", "5/beta", "7/kernel", "7/bias",
    ]  # fmt: skip
    assert state["0/kernel"].shape == (4, 5)
    network.load_state_dict(list(state.values()))  # as model.get_weights() gives them
    assert np.array_equal(network.predict(X), source.predict(X))
    named = {f"model/dense_{k}:0": v for k, v in state.items()}
    other = net(eps=1e-3)
    other.load_state_dict(named)
    assert np.array_equal(other.predict(X), source.predict(X))


@pytest.mark.parametrize("name", ["torch-mlp-script.onnx", "torch-embedding-script.onnx"])
def test_what_pytorch_itself_wrote(name: str) -> None:
    """The file has the arrays by the names of its state dict."""
    onnx: Any = pytest.importorskip("onnx")
    model = onnx.load(WRITTEN / name)
    state = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    with np.load(WRITTEN / f"{name.removesuffix('-script.onnx')}.npz") as kept:
        x, y = kept["x"], kept["y"]
    if "mlp" in name:
        network = cr.Sequential(
            cr.Affine.sized(4, 6), cr.BatchNorm.sized(6), cr.ReLU(), cr.Affine.sized(6, 5),
            cr.LayerNorm.sized(5), lambda h: 0.5 * h * (1 + cr.erf(h / np.sqrt(2.0))),
            cr.Affine.sized(5, 3), cr.Softmax(),
        )  # fmt: skip
    else:
        network = cr.Sequential(cr.Embedding.sized(6, 3), cr.Flatten(), cr.Affine.sized(6, 2))
    network.load_state_dict(state)
    np.testing.assert_allclose(network.predict(x), y, atol=1e-6)
    back = network.state_dict()
    for mine, theirs in zip(back.values(), state.values(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


class Tensor:
    """As torch's tensors are read by NumPy: those with a gradient refuse."""

    def __init__(self, data: Any, grad: bool = False) -> None:
        self.data, self.grad = np.asarray(data, np.float32), grad

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if self.grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return self.data if dtype is None else self.data.astype(dtype)


def test_all_that_does_not_fit_is_said_at_once() -> None:
    network = net()
    before = [p.copy() for p in network.params]
    state = pytorch()
    state["0.weight"] = state["0.weight"].T
    state["5.wieght"] = state.pop("5.weight")
    state["7.scale"] = np.ones(3)
    with pytest.raises(ShapeError) as caught:
        network.load_state_dict(state)
    text = str(caught.value)
    assert "0.weight has shape (4, 5), and layer 0 (Affine) needs (5, 4)" in text
    assert '5.weight is missing (did you mean "5.wieght"?)' in text
    assert "'5.wieght' belongs to no layer (did you mean \"5.weight\"?)" in text
    assert "'7.scale' belongs to no layer" in text
    assert all(np.array_equal(p, q) for p, q in zip(network.params, before, strict=True))
    with pytest.raises(ShapeError, match="The list has 2 arrays, and the network takes 11"):
        network.load_state_dict(arrays((4, 5), (5,)))
    few = {k: v for k, v in pytorch().items() if k[0] in "01"}
    with pytest.raises(ShapeError, match=r"4.weight is missing.*7.bias is missing"):
        network.load_state_dict(few)
    more = pytorch() | {"9.weight": np.ones((3, 3))}
    with pytest.raises(ShapeError, match=r"'9.weight' belongs to no layer"):
        network.load_state_dict(more)


def test_values_that_are_no_weights() -> None:
    network = cr.Sequential(cr.Affine.sized(2, 1))
    network.load_state_dict({"fc.weight": Tensor([[1, 2]]), "fc.bias": Tensor([3])})
    assert network.predict(np.ones((1, 2))).tolist() == [[6.0]]
    for weights, words in (
        ({"0.weight": Tensor([[1, 2]], grad=True)}, "detach"),
        ({"0.weight": "text"}, "dtype"),
        ({"0.weight": np.array([[1 + 2j, 1]])}, "complex"),
        ({}, "dict of names and arrays"),
        (None, "got None"),
        ("weights.pt", "got 'weights.pt'"),
    ):
        with pytest.raises(DataError, match=words):
            network.load_state_dict(weights)
    with pytest.raises(NonFiniteError, match=r"'0.weight' holds NaN"):
        network.load_state_dict({"0.weight": [[np.nan, 1]], "0.bias": [0]})

    class Own(cr.Layer):
        def __init__(self) -> None:
            super().__init__(a=np.ones(2))

        def formula(self, x: Any, a: Any) -> Any:
            return x * a

    with pytest.raises(SettingError, match=r"layer 0 \(Own\) has arrays that PyTorch"):
        cr.Sequential(Own()).state_dict()
    with pytest.raises(SettingError, match="layout='torch'"):
        network.state_dict("torch")


def kinds(network: cr.Network) -> str:
    return " ".join(type(layer).__name__ for layer in network.layers)


def test_a_network_made_of_the_weights_alone() -> None:
    state = dict(sorted((pytorch() | {"4.bias": np.ones(6)}).items(), key=lambda pair: pair[0][0]))
    made = cr.Sequential.from_state_dict(state, ["relu", cr.Tanh()], loss=cr.SoftmaxWithLoss())
    # The number 2 is free, behind the norm; and so is 6.
    assert kinds(made) == "Affine BatchNorm ReLU Affine LayerNorm Tanh Affine"
    W1, b1, W2, b2 = arrays((4, 5), (5,), (5, 2), (2,))
    keras = cr.Sequential.from_state_dict([W1, b1, W2, b2], "gelu")
    assert kinds(keras) == "Affine GELU Affine"
    np.testing.assert_allclose(keras.sequence[0].W, W1)
    named = {"fc1.weight": W1.T, "fc1.bias": b1, "fc2.weight": W2.T, "fc2.bias": b2}
    plain = cr.Sequential.from_state_dict(named, None)
    np.testing.assert_allclose(plain.predict(X), (X @ W1 + b1) @ W2 + b2, atol=1e-12)
    assert plain.dtype == np.float64
    # PyTorch's Sequential without anything between its layers.
    linear = {"0.weight": W1.T, "0.bias": b1, "1.weight": W2.T, "1.bias": b2}
    assert kinds(cr.Sequential.from_state_dict(linear, "relu")) == "Affine Affine"


def test_what_stays_open_is_said() -> None:
    W, b, g = arrays((5, 4), (5,), (5,))
    last = {"fc.weight": W[:, :5].T @ W, "fc.bias": b[:4]}
    norm = {
        "a.weight": W,
        "a.bias": b,
        "n.weight": g,
        "n.bias": g,
        "z.weight": W.T,
        "z.bias": b[:4],
    }
    for weights, words in (
        (norm, r"before or after the norms \(n\)"),
        ({"e.weight": W}, "a Linear layer without bias, or an Embedding"),
        ({"e/embeddings": W}, "an Embedding, and what comes behind it"),
        ({"conv.weight": np.ones((3, 1, 2, 2)), "conv.bias": b}, "no layer that is known"),
        ([W, b, g], "neither the kernel nor the bias"),
    ):
        with pytest.raises(SettingError, match=words):
            cr.Sequential.from_state_dict(weights, "relu")
    with pytest.raises(DataError, match="no weight of a Linear"):
        cr.Sequential.from_state_dict({"n.weight": g, "n.bias": g}, "relu")
    two = {"a.weight": W, "a.bias": b, **last}
    with pytest.raises(SettingError, match="a list of 1"):
        cr.Sequential.from_state_dict(two, ["relu", "relu"])
    with pytest.raises(SettingError, match='"rleu" is not known'):
        cr.Sequential.from_state_dict(two, "rleu")
