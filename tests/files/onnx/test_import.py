"""ONNX files of PyTorch, Keras, scikit-learn and our own, read into networks that train on."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper
from tests.differential.networks import data, draw_plan, make
from tests.files.onnx.test_export import moved_a_little
from tests.layers import table as layer_rows
from tests.nodes.shares import chunks

import chainrule as cr
from chainrule.errors import FormatError, RecordingError, SettingError
from chainrule.files.onnx.export import pack_onnx
from chainrule.files.onnx.network import OnnxNetwork

WRITTEN = Path(__file__).parent / "written"
FILES = sorted(path.name for path in WRITTEN.glob("*.onnx"))

#: The layers that each file is made of; None for a network of operators.
LAYERS: dict[str, str | None] = {
    "keras-activations.onnx": "Affine Sigmoid Affine ELU Affine SELU Affine SiLU Affine softplus Affine"
    " LeakyReLU Affine Mish Affine",
    "keras-embedding.onnx": None,  # with ids counted from the end, as NumPy has them
    "keras-mlp.onnx": "Affine ReLU Affine Tanh LayerNorm Affine",  # the batch norm is folded in
    "keras-skip.onnx": None,
    "sklearn-binary.onnx": "Affine Tanh Affine",
    "sklearn-classifier.onnx": "Affine ReLU Affine",
    "sklearn-no-zipmap.onnx": "Affine ReLU Affine",
    "sklearn-pipeline.onnx": None,  # with its scaler
    "sklearn-regressor.onnx": "Affine Sigmoid Affine Sigmoid Affine",
    "torch-activations-script.onnx": None,  # with a Hardtanh
    "torch-embedding-dynamo.onnx": "Embedding Flatten Affine",
    "torch-embedding-script.onnx": "Embedding Flatten Affine",
    "torch-mlp-dynamo.onnx": "Affine ReLU Affine LayerNorm exact_gelu Affine",
    "torch-mlp-script.onnx": "Affine BatchNorm ReLU Affine LayerNorm exact_gelu Affine",
    "torch-mlp-script13.onnx": "Affine BatchNorm ReLU Affine LayerNorm exact_gelu Affine",
    "torch-pictures-script.onnx": "Flatten Affine ReLU Affine",
    "torch-skip-dynamo.onnx": None,
    "torch-skip-script.onnx": None,
}


def example(name: str) -> tuple[Any, Any]:
    """The rows that a file was tried with, and what they gave there."""
    stem = name.removesuffix(".onnx")
    for more in ("-script13", "-script", "-dynamo"):
        stem = stem.removesuffix(more)
    with np.load(WRITTEN / f"{stem}.npz") as kept:
        return kept["x"], kept["y"]


def answers(net: cr.Network, y: Any) -> Any:
    """What the file gives out: the probabilities of a classifier, else the outputs."""
    return net.predict_proba if net.loss.target != "values" else net.predict


@pytest.mark.parametrize("name", FILES)
def test_what_other_tools_wrote(name: str) -> None:
    net = cr.load_onnx(WRITTEN / name)
    x, y = example(name)
    got = answers(net, y)(x)
    if y.ndim == 2 and y.shape[1] == 2 and got.shape[1] == 1:  # the probability of yes
        got = np.concatenate([1 - got, got], 1)
    np.testing.assert_allclose(got.reshape(y.shape), y, rtol=0, atol=3e-7 * max(1, np.abs(y).max()))
    kinds = " ".join(layer.label for layer in net.layers)
    assert (kinds if isinstance(net, cr.Sequential) else None) == LAYERS[name]


@pytest.mark.parametrize("name", FILES)
def test_they_train_on(name: str) -> None:
    net = cr.load_onnx(WRITTEN / name)
    x, _ = example(name)
    x = np.concatenate([x] * 8)
    rng = np.random.default_rng(0)
    if x.dtype.kind == "f":
        x = x + 0.3 * rng.standard_normal(x.shape).astype(x.dtype)
    y = net.predict(x)
    t: Any = rng.standard_normal(y.shape).astype(np.float32)
    if net.loss.target == "classes":
        t = rng.integers(0, y.shape[1], len(x))
    if net.loss.target == "binary":
        t = rng.integers(0, 2, y.shape)
    before = [p.copy() for p in net.params]
    history = cr.Trainer(net, cr.Adam(0.01)).fit(x, t, epochs=8, batch_size=8, progress=None)
    assert history["loss"][-1] < history["loss"][0]
    changed = [not np.array_equal(p, q) for p, q in zip(net.params, before, strict=True)]
    assert all(changed), name
    verdict = net.graph(x[:3].astype(np.float64) if x.dtype.kind == "f" else x[:3], t[:3]).check()
    assert verdict.ok, verdict.summary
    twin = pickle.loads(pickle.dumps(copy.deepcopy(net)))
    assert np.array_equal(twin.predict(x), net.predict(x))


@pytest.mark.parametrize("row", layer_rows.LAYERS, ids=lambda row: row.name)
def test_our_own_layers_come_back(row: layer_rows.Row, tmp_path: Path) -> None:
    for dtype in (np.float32, np.float64):
        layer = row.make(dtype)
        shape = row.shapes[-1 if row.takes_ids else 0]
        x, _ = row.inputs(np.random.default_rng(0), shape, dtype)
        width = layer._widths(None)[0] or shape[-1]
        leads = row.takes_ids or row.goes_first
        first = () if leads else (cr.Affine.sized(4, width, dtype=dtype),)
        if not leads:
            x = np.random.default_rng(0).standard_normal((6, 4)).astype(dtype)
        out = np.shape(layer.forward(x))[-1] if leads else layer._widths(width)[1] or width
        last = cr.Affine.sized(out, 2, dtype=dtype)
        net = cr.Sequential(*first, layer, last, loss=cr.SoftmaxWithLoss())
        cr.save_onnx(net, tmp_path / "net.onnx", x, overwrite=True)
        back = cr.load_onnx(tmp_path / "net.onnx")
        np.testing.assert_allclose(back.predict(x), net.predict(x), rtol=0, atol=1e-6)
        assert isinstance(back.loss, cr.SoftmaxWithLoss)
        if row.name == "Function of one's own":
            assert isinstance(back, OnnxNetwork)
            continue
        assert isinstance(back, cr.Sequential)
        kinds = [type(part).__name__ for part in net.sequence]
        # What only training does, or nothing at all, is in no file.
        kinds = [k for k in kinds if k not in ("Dropout", "Flatten")]
        kinds = ["SiLU" if k == "Function" else k for k in kinds]
        assert [type(part).__name__ for part in back.sequence] == kinds
        settings = {k: getattr(layer, k) for k in layer.hyperparameters if k != "momentum"}
        if row.name != "Dropout" and "Dropout" not in row.name:
            again = back.sequence[len(first)]
            assert settings == {k: getattr(again, k) for k in settings}


@pytest.mark.parametrize("chunk", chunks(1, of=40))
def test_random_networks_come_back(chunk: int, tmp_path: Path) -> None:
    for seed in range(chunk * 30, chunk * 30 + 30):
        plan = draw_plan(seed, tame=bool(seed % 2), by_hand=False)
        net = make(dataclasses.replace(plan, dtype="float32", both=False))
        x = net._as_input(data(net.plan, 9)[0])
        want = net.predict(x)
        if not np.isfinite(want).all():
            continue
        try:
            file = pack_onnx(net, x)
        except RecordingError:  # other operations for another number of rows
            continue
        (tmp_path / "net.onnx").write_bytes(file)
        back = cr.load_onnx(tmp_path / "net.onnx", loss=net.loss)
        more = 100 * np.abs(net.predict(moved_a_little(x)) - want).max()
        atol = 1e-6 * max(1, np.abs(want).max()) + more
        np.testing.assert_allclose(back.predict(x), want, rtol=0, atol=atol)


#: Layers of D numbers a row and how they are made, some with another number of outputs H.
ROUND: dict[str, Any] = {
    "Affine": lambda d, h: cr.Affine.sized(d, h),
    "NTKAffine": lambda d, h: cr.NTKAffine.sized(d, h),
    "MatMul": lambda d, h: cr.MatMul.sized(d, h),
    **{
        kind.__name__: lambda d, h, kind=kind: kind.sized(d)
        for kind in (cr.Scale, cr.ParametricSELU, cr.ParametricMish, cr.BatchNorm, cr.LayerNorm)
    },
    **{
        kind.__name__: lambda d, h, kind=kind: kind()
        for kind in (cr.SELU, cr.Mish, cr.ReLU, cr.ELU, cr.SiLU, cr.GELU, cr.Tanh, cr.Sigmoid)
    },
}


def drawn_stack(rng: np.random.Generator) -> tuple[cr.Sequential, int, int]:
    """Layers of tables in any order and of any sizes; how many numbers and categories a row has."""
    numbers, columns = int(rng.integers(1, 5)), int(rng.integers(0, 3))
    width, layers = numbers + columns, list[Any]()
    if columns:
        outputs = int(rng.integers(1, 6))
        layers.append(cr.CategoryEmbedding.sized(7, outputs, columns=columns))
        width += columns * (outputs - 1)
    if rng.random() < 0.6:
        embedded, outputs = int(rng.integers(1, numbers + 1)), int(rng.integers(2, 5))
        waves = int(rng.integers(1, 6))
        layers.append(cr.PeriodicEmbedding.sized(embedded, waves=waves, outputs=outputs))
        width += embedded * (outputs - 1)
    for name in rng.choice([*ROUND], int(rng.integers(1, 7))):
        made = ROUND[name](width, int(rng.integers(2, 7)))
        layers.append(made)
        width = made._widths(width)[1] or width
    layers.append(ROUND[str(rng.choice(["Affine", "NTKAffine"]))](width, 3))
    seed = int(rng.integers(2**31))
    return cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=seed), numbers, columns


def made_of(net: cr.Network) -> str:
    """The layers of a network; with one input, NTKAffine divides by 1 and is Affine."""
    return repr(net).replace("NTKAffine(W: 1×", "Affine(W: 1×")


@pytest.mark.parametrize("chunk", chunks(1, of=40))
def test_stacks_of_any_layers_come_back_train_on_and_leave_again(
    chunk: int, tmp_path: Path
) -> None:
    for seed in range(chunk * 20, chunk * 20 + 20):
        rng = np.random.default_rng(seed)
        net, numbers, columns = drawn_stack(rng)
        ids = rng.integers(0, 7, (12, columns)) + rng.random((12, columns)) * 0.9
        x = np.hstack([rng.standard_normal((12, numbers)), ids]).astype(np.float32)
        t = rng.integers(0, 3, 12)
        for array in net.params:  # a factor of 1 or a bias of 0 would hide what is mixed up
            array += 0.1 * rng.standard_normal(array.shape).astype(np.float32)
        cr.save_onnx(net, tmp_path / "net.onnx", x, overwrite=True)
        back = cr.load_onnx(tmp_path / "net.onnx")
        assert made_of(back) == made_of(net), seed
        assert all(np.array_equal(p, q) for p, q in zip(back.params, net.params, strict=True))
        np.testing.assert_array_equal(back.predict(x), net.predict(x))
        cr.Trainer(back, cr.SGD(0.01), engine="numpy").fit(x, t, 1, 6, progress=None)
        cr.save_onnx(back, tmp_path / "again.onnx", x, overwrite=True)
        again = cr.load_onnx(tmp_path / "again.onnx")
        assert made_of(again) == made_of(net), seed
        np.testing.assert_array_equal(again.predict(x), back.predict(x))


def test_the_networks_of_tables_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    size = rng.standard_normal(200)
    letter = {"letter": rng.choice(list("abcdefghijklmnop"), 200)}
    inputs: list[dict[str, Any]] = [{**letter, "size": size, "more": rng.random(200)}, letter]
    inputs.append({"size": size})
    for columns in inputs:
        for target in (np.where(size > 0, "yes", "no"), size**2):
            table = cr.datasets.Table({**columns, "t": target})
            for preset in cr.PRESETS.values():
                prepared = cr.datasets.Preprocessor.fit(table, "t", encoding=preset.encoding)
                x, task = prepared.transform(table), prepared.task
                net = dataclasses.replace(preset, hidden=(8, 8)).network(
                    x, outputs=2 if prepared.classes else 1, layout=prepared.layout, task=task,
                    epochs=1,
                )  # fmt: skip
                cr.save_onnx(cr.Model(net, prepared), tmp_path / "table.onnx", overwrite=True)
                back = cr.load_onnx(tmp_path / "table.onnx")
                assert isinstance(back, cr.Sequential)
                # What only training does is in no file.
                layers = [p for p in net.layers if not isinstance(p, cr.Dropout)]
                assert made_of(back) == made_of(cr.Sequential(*layers, loss=back.loss))
                assert np.array_equal(back.predict(x), net.predict(x))


def test_round_trip_to_a_model_file_and_a_script(tmp_path: Path) -> None:
    x, t = cr.datasets.spiral()
    x = x.astype(np.float32)
    net = cr.Sequential(
        cr.Affine.sized(2, 10), cr.BatchNorm.sized(10), cr.Tanh(), cr.LayerNorm.sized(10),
        cr.Affine.sized(10, 8), cr.Mish(), cr.Affine.sized(8, 3), loss=cr.SoftmaxWithLoss(), seed=0,
    )  # fmt: skip
    cr.Trainer(net, cr.Adam(0.01), engine="numpy").fit(x, t, epochs=3, progress=None)
    cr.save_onnx(net, tmp_path / "net.onnx")
    back = cr.load_onnx(tmp_path / "net.onnx")
    assert repr(back) == repr(net)
    assert np.array_equal(back.predict(x), net.predict(x))
    cr.save_model(tmp_path / "net.safetensors", back)
    kept = cr.load_model(tmp_path / "net.safetensors").network
    assert np.array_equal(kept.predict(x), net.predict(x))
    cr.save_onnx(back, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "net.onnx").read_bytes()
    losses = [
        cr.Trainer(n, cr.SGD(0.1), engine="numpy").fit(x, t, epochs=2, progress=None)["loss"]
        for n in (net, back)
    ]
    assert losses[0] == losses[1]
    mine, theirs = (n.script(cr.SGD(0.1), x, t, epochs=1).text for n in (net, back))
    assert mine == theirs


def test_what_pytorch_wrote_can_be_kept(tmp_path: Path) -> None:
    for name in ("torch-mlp-script.onnx", "torch-mlp-dynamo.onnx", "sklearn-classifier.onnx"):
        net = cr.load_onnx(WRITTEN / name)
        x, _ = example(name)
        cr.save_model(tmp_path / "net", net, overwrite=True)
        assert np.array_equal(cr.load_model(tmp_path / "net").network.predict(x), net.predict(x))
        cr.save_onnx(net, tmp_path / "net.onnx", overwrite=True)
        again = cr.load_onnx(tmp_path / "net.onnx")
        assert repr(again) == repr(net)
        np.testing.assert_allclose(again.predict(x), net.predict(x), rtol=1e-6)


def test_a_tied_weight_stays_tied(tmp_path: Path) -> None:
    W = np.arange(20, dtype=np.float32).reshape(5, 4) / 20
    net = cr.Sequential(cr.MatMul(W), cr.Tanh(), cr.MatMul(W.T), loss=cr.MeanSquaredError())
    cr.save_onnx(net, tmp_path / "net.onnx")
    back = cr.load_onnx(tmp_path / "net.onnx")
    assert isinstance(back, cr.Sequential)
    assert [p.shape for p in back.params] == [(5, 4)]


def test_a_table_model_gives_its_network(tmp_path: Path) -> None:
    table = cr.datasets.load("penguins")
    prepared = cr.datasets.Preprocessor.fit(table, "species")
    net = cr.Sequential(
        cr.Affine.sized(len(prepared.features), 6), cr.ReLU(), cr.Affine.sized(6, 3),
        loss=cr.SoftmaxWithLoss(),
    )  # fmt: skip
    cr.save_onnx(cr.Model(net, prepared), tmp_path / "table.onnx")
    back = cr.load_onnx(tmp_path / "table.onnx")
    assert repr(back) == repr(net)
    rows = prepared.transform(table)
    assert np.array_equal(back.predict(rows), net.predict(rows))


# -- losses and outputs ---------------------------------------------------------------------------------


def written(
    folder: Path, nodes: list[Any], arrays: dict[str, Any], *, out: tuple[Any, ...] = ("N", 3)
) -> Path:
    """A file of nodes from x (N, 4) to y."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, list(out))],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "file.onnx"
    path.write_bytes(model.SerializeToString())
    return path


W = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
B = np.array([0.1, 0.2, -0.3], np.float32)
X = np.random.default_rng(3).standard_normal((5, 4)).astype(np.float32)


def test_the_end_becomes_a_part_of_the_loss(tmp_path: Path) -> None:
    gemm = helper.make_node("Gemm", ["x", "W", "b"], ["s"])
    for op, loss, layer in (
        ("Softmax", cr.SoftmaxWithLoss, "Softmax"),
        ("Sigmoid", cr.SigmoidWithLoss, "Sigmoid"),
        ("Tanh", cr.MeanSquaredError, None),
    ):
        path = written(tmp_path, [gemm, helper.make_node(op, ["s"], ["y"])], {"W": W, "b": B})
        net = cr.load_onnx(path)
        assert type(net.loss) is loss
        if layer is None:
            continue
        assert [part.label for part in net.layers] == ["Affine"]
        kept = cr.load_onnx(path, loss=cr.MeanSquaredError())
        assert [part.label for part in kept.layers] == ["Affine", layer]
        np.testing.assert_allclose(net.predict_proba(X), kept.predict(X), atol=1e-7)
        given = cr.load_onnx(path, loss=loss())
        assert [part.label for part in given.layers] == ["Affine"]


def test_an_output_is_chosen_by_its_name(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gemm", ["x", "W", "b"], ["y"]),
        helper.make_node("Relu", ["y"], ["z"]),
    ]
    path = written(tmp_path, nodes, {"W": W, "b": B})
    import onnx

    model = onnx.load(path)
    more = helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 3])
    model.graph.output.append(more)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(FormatError, match="outputs 'y' and 'z'"):
        cr.load_onnx(path)
    assert len(cr.load_onnx(path, output="z").layers) == 2
    with pytest.raises(SettingError, match="output='q'"):
        cr.load_onnx(path, output="q")
