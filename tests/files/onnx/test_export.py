"""Networks saved as ONNX: every node, layer and random network gives the same numbers in other runtimes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
from tests.differential.networks import data, draw_plan, make
from tests.files.onnx.runtimes import close, from_onnxruntime, outputs
from tests.layers import table as layer_rows
from tests.nodes.shares import chunks, shares
from tests.nodes.table import TABLE, Case, draw

import chainrule as cr
from chainrule.engine.plans import StepRecording
from chainrule.errors import NonFiniteError, RecordingError, SettingError
from chainrule.files.onnx.emission import Emission
from chainrule.files.onnx.export import pack_onnx
from chainrule.files.onnx.formulas import ONNX_FUNCTIONS
from chainrule.files.onnx.operators import RULES
from chainrule.files.onnx.writer import Writer
from chainrule.graph.variable import apply
from chainrule.script.recorded import ScriptRecording
from chainrule.script.sizes import Sizes

#: Nodes of linear algebra, which LAPACK computes and no operator of ONNX does.
REFUSED = {"Cholesky", "Eigh", "Inv", "Pinv", "SlogDet", "Solve"}
#: The reference evaluator has its own erf, exact to 1e-7.
ROUGH = {"Erf": 1e-7}


def node_file(case: Case, dtype: Any) -> tuple[bytes, dict[str, Any], Any]:
    """A node as a file, with an input for each of its own; what it is given, and what it gives."""
    given = {
        f"x{i}": np.array(a.astype(dtype) if a.dtype.kind == "f" else a, order="C")
        for i, a in enumerate(case.inputs)
    }

    def formula(*inputs: Any) -> Any:
        out = apply(case.node, *inputs)
        return out[-1] if isinstance(out, tuple) else out

    rec = StepRecording(formula, list(given.items()), ONNX_FUNCTIONS)
    out, _ = rec.results(rec.lower())
    recording = ScriptRecording(1, out, list(rec.arguments.values()), [], [], {}, {})
    writer = Writer()
    named = {leaf: writer.input(n, leaf.dtype, leaf.shape) for n, leaf in rec.arguments.items()}
    emission = Emission(writer, recording, Sizes(recording, {}, ()), named, RULES)
    (name,) = emission.write([out])
    writer.output(name, "y", out.dtype, out.shape)
    return writer.model("", {}).SerializeToString(), given, rec.out.data


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", sorted(TABLE))
@shares(4, 40)
def test_every_node(name: str, cases: range, dtype: Any) -> None:
    for i in cases:
        case, _ = draw(name, i)
        if name in REFUSED:
            with pytest.raises(RecordingError, match="no operator of ONNX"):
                node_file(case, dtype)
            continue
        if name == "Erf" and not case.inputs[0].size:
            continue  # which the reference evaluator of ONNX 1.17 cannot do
        file, given, want = node_file(case, dtype)
        for (got,) in outputs(file, given, dtype):
            close(got, np.asarray(want), ROUGH.get(name, 0))


@pytest.mark.parametrize("row", layer_rows.LAYERS, ids=lambda row: row.name)
def test_every_layer_for_any_number_of_rows(row: layer_rows.Row) -> None:
    for dtype in (np.float32, np.float64):
        net = cr.Sequential(row.make(dtype))
        for shape in row.shapes:
            if len(shape) < 2 and not row.takes_ids:
                continue
            x, _ = row.inputs(np.random.default_rng(0), shape, dtype)
            x = net._as_input(x)  # without parameters it computes in float64
            file = pack_onnx(net, x)
            for rows in (x, np.concatenate([x, x, x]), x[:1]):
                want = net.predict(rows)
                for (got,) in outputs(file, {"x": rows}, rows.dtype):
                    close(got, want)


@pytest.mark.parametrize("chunk", chunks(1, of=40))
def test_random_networks(chunk: int) -> None:
    done = 0
    for seed in range(chunk * 40, chunk * 40 + 40):
        plan = draw_plan(seed, tame=bool(seed % 2), by_hand=False)
        for dtype in ("float32", "float64"):
            net = make(dataclasses.replace(plan, dtype=dtype, both=False))
            x = net._as_input(data(net.plan, 9)[0])
            want = net.predict(x)
            moved = net.predict(moved_a_little(x))
            if not np.isfinite(want).all():
                continue
            try:
                file = pack_onnx(net, x)
            except RecordingError:  # other operations for another number of rows
                continue
            more = 100 * float(np.abs(moved - want).max())
            if dtype == "float64" and "float32" in repr((plan.moves, plan.parts)):
                more += 1e-6 * float(np.abs(want).max())  # in between it is float32
            for (got,) in outputs(file, {"x": x}, net.dtype):
                close(got, want, more)
                done += 1
    assert done > 80


def moved_a_little(x: Any) -> Any:
    """The rows, each number moved by a rounding error."""
    if x.dtype.kind != "f":
        return x
    noise = np.random.default_rng(0).standard_normal(x.shape)
    return (x + np.finfo(x.dtype).eps * np.abs(x) * np.sign(noise)).astype(x.dtype)


class Skip(cr.Network):
    """With a skip connection, a mean over the rows, and a length that goes with them."""

    def __init__(self) -> None:
        super().__init__(loss=cr.MeanSquaredError(), seed=0)
        self.first = cr.Affine.sized(3, 3)

    def predict(self, x: Any) -> Any:
        h = x + cr.tanh(self.first(x))
        turned = cr.reshape(cr.transpose(h), (-1,))
        return h - cr.mean(h, 0) + cr.sum(turned * turned) / x.shape[0]


def test_what_goes_with_the_number_of_rows() -> None:
    net = Skip()
    file = pack_onnx(net)
    for n in (1, 2, 7, 100):
        x = np.random.default_rng(n).standard_normal((n, 3)).astype(np.float32)
        for (got,) in outputs(file, {"x": x}):
            close(got, net.predict(x))
    (wide,) = (i for i in onnx.load_from_string(file).graph.input)
    assert wide.type.tensor_type.shape.dim[0].dim_param == "N"


def test_ties_names_and_bytes(tmp_path: Path) -> None:
    W = np.arange(20, dtype=np.float32).reshape(5, 4) / 20
    net = cr.Sequential(cr.MatMul(W), cr.Tanh(), cr.MatMul(W.T), cr.BatchNorm.sized(5))
    cr.save_onnx(net, tmp_path / "a.onnx")
    cr.save_onnx(net, tmp_path / "b.onnx")
    file = (tmp_path / "a.onnx").read_bytes()
    assert file == (tmp_path / "b.onnx").read_bytes()
    model = onnx.load_from_string(file)
    assert (model.ir_version, [o.version for o in model.opset_import]) == (8, [17])
    names = [t.name for t in model.graph.initializer]
    buffers = [f"3.{name}" for name in ("running_mean", "running_var")]
    assert names == ["0.W", "3.gamma", "3.beta", *buffers]
    x = np.ones((2, 5), np.float32)
    close(from_onnxruntime(file, {"x": x})[0], net.predict(x))


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    ids = cr.Sequential(cr.Embedding.sized(4, 3))
    with pytest.raises(SettingError, match=r"Give some rows: save_onnx\(network, path, x\)"):
        cr.save_onnx(ids, tmp_path / "ids.onnx")
    cr.save_onnx(ids, tmp_path / "ids.onnx", np.array([[0, 3]]))
    with pytest.raises(SettingError, match="exists already"):
        cr.save_onnx(ids, tmp_path / "ids.onnx", np.array([[0, 3]]))
    broken = cr.Sequential(cr.Affine(np.full((2, 1), np.nan), np.zeros(1)))
    with pytest.raises(NonFiniteError, match=r"0.W\[0, 0\] is NaN"):
        cr.save_onnx(broken, tmp_path / "nan.onnx")
    with pytest.raises(SettingError, match="got 3"):
        cr.save_onnx(3, tmp_path / "three.onnx")  # type: ignore[arg-type]

    class ByHand:
        def __init__(self) -> None:
            self.params: list[Any] = []
            self.grads: list[Any] = []

        def forward(self, x: Any) -> Any:
            return x

        backward = forward

    hand = cr.Sequential(cr.Affine.sized(2, 2), ByHand())
    with pytest.raises(RecordingError, match="ByHand is written by hand"):
        cr.save_onnx(hand, tmp_path / "hand.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["ids.onnx"]
