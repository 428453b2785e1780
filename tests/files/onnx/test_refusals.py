"""ONNX files that are refused, each for its reason, before anything in them is used."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, helper, numpy_helper
from tests.files.onnx.test_import import B, W, written

import chainrule as cr
from chainrule.errors import DataError, FormatError

GEMM = helper.make_node("Gemm", ["x", "W", "b"], ["y"], name="first")
ARRAYS = {"W": W, "b": B}


def refused(path: Path, *words: str) -> str:
    """The reason, which holds the words and the place, in one line that gives advice."""
    start = time.process_time()
    with pytest.raises(FormatError) as caught:
        cr.load_onnx(path)
    assert time.process_time() - start < 1
    text = str(caught.value)
    assert all(word in text for word in (*words, path.name)), text
    assert "\n" not in text
    return text


def changed(folder: Path, change: Callable[[Any], object]) -> Path:
    """The file of a network, after a change of its message."""
    path = written(folder, [GEMM], ARRAYS)
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def test_what_is_no_onnx_file(tmp_path: Path) -> None:
    path = tmp_path / "file.onnx"
    with pytest.raises(DataError, match="no such model file"):
        cr.load_onnx(path)
    with pytest.raises(DataError, match="is a folder"):
        cr.load_onnx(tmp_path)
    net = cr.Sequential(cr.Affine.sized(2, 1))
    cr.save_model(tmp_path / "net", net)
    whole = written(tmp_path, [GEMM], ARRAYS).read_bytes()
    for data, words in (
        (b"", "is empty (0 bytes)"),
        (b"x,y\n1,2\n", "plain text"),
        (b"\x80\x04K\x01.", "a Python pickle"),
        (b"PK\x05\x06" + bytes(18), "a zip file"),
        ((tmp_path / "net").read_bytes(), "load_model"),
        (np.random.default_rng(0).bytes(500), "is no ONNX file"),
        (whole[: len(whole) // 2], "cut short"),
        (whole[:-1], "cut short"),
        (b"\x08\x08\x12\x00", "no network in the file"),
        (onnx.ModelProto(ir_version=8).SerializeToString(), "no network in the file"),
    ):
        path.write_bytes(data)
        refused(path, words)


def test_arrays_in_other_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(W.tobytes())

    def outside(name: str) -> Callable[[Any], None]:
        def change(model: Any) -> None:
            tensor = model.graph.initializer[0]
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=name)

        return change

    for name in ("secret", "../secret", "/etc/passwd", str(tmp_path / "secret")):
        refused(changed(tmp_path, outside(name)), "'W'", "lies in another file", "external_data")

    def beside(model: Any) -> None:
        model.graph.initializer[0].external_data.add(key="location", value="secret")

    refused(changed(tmp_path, beside), "lies in another file")

    def in_a_constant(model: Any) -> None:
        tensor = numpy_helper.from_array(W, "c")
        outside("secret")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="secret")
        node = helper.make_node("Constant", [], ["c"], value=tensor)
        model.graph.node.insert(0, node)

    refused(changed(tmp_path, in_a_constant), "lies in another file")


def test_shapes_that_lie(tmp_path: Path) -> None:
    def dims(*lengths: int) -> Callable[[Any], None]:
        def change(model: Any) -> None:
            del model.graph.initializer[0].dims[:]
            model.graph.initializer[0].dims.extend(lengths)

        return change

    for lengths in ((4, 4), (10**7, 10**7), (2**62, 4), (1,), (), (2**32, 2**32)):
        refused(changed(tmp_path, dims(*lengths)), "'W'", "another number of elements")
    refused(changed(tmp_path, dims(-4, -3)), "'W'", "cannot be")
    refused(changed(tmp_path, dims(*[1] * 9, 12)), "'W'", "cannot be")

    def kind(model: Any) -> None:
        model.graph.initializer[0].data_type = TensorProto.BFLOAT16

    refused(changed(tmp_path, kind), "'W'", "dtype", "float32")

    def text(model: Any) -> None:
        model.graph.initializer[0].data_type = TensorProto.STRING

    refused(changed(tmp_path, text), "'W'")

    def nan(model: Any) -> None:
        broken = np.where(W > 0.9, np.nan, W).astype(np.float32)
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(broken, "W"))

    refused(changed(tmp_path, nan), "NaN or infinity in 'W'")


def test_operators_domains_and_versions(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "W"], ["y"])
    refused(written(tmp_path, [node], {"W": W}), "the operator 'Conv'")
    nodes = [
        helper.make_node("LSTM", ["x", "W", "W"], ["s"]),
        helper.make_node("Conv", ["s", "W"], ["y"]),
    ]
    refused(written(tmp_path, nodes, {"W": W}), "the operators 'Conv' and 'LSTM'")

    def custom(model: Any) -> None:
        model.graph.node[0].domain = "com.evil"
        model.opset_import.add(domain="com.evil", version=1)

    refused(changed(tmp_path, custom), "the domain 'com.evil'")

    def function(model: Any) -> None:
        model.functions.add(name="f", domain="local").node.append(GEMM)

    refused(changed(tmp_path, function), "functions")
    for version in (1, 8, 99, 2**40):

        def opset(model: Any, version: int = version) -> None:
            model.opset_import[0].version = version

        refused(changed(tmp_path, opset), f"opset {version}", "opset_version=17")

    def none(model: Any) -> None:
        del model.opset_import[:]

    refused(changed(tmp_path, none), "does not say which operators")

    def sparse(model: Any) -> None:
        model.graph.sparse_initializer.add()

    refused(changed(tmp_path, sparse), "sparse")


def test_graphs_inside_nodes(tmp_path: Path) -> None:
    body = helper.make_graph([], "body", [], [])
    loop = helper.make_node("Identity", ["x"], ["y"], body=body)
    refused(written(tmp_path, [loop], {"W": W}), "has graphs in it")
    graph = b""
    for _ in range(40):
        graph = message(1, message(5, message(6, graph)))  # a node, its setting, the graph in that
    path = tmp_path / "file.onnx"
    path.write_bytes(b"\x08\x08" + message(7, graph))
    refused(path, "more than 32 deep")


def message(field: int, contents: bytes) -> bytes:
    """A field of a protobuf message that has a length."""
    size, length = len(contents), []
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([field << 3 | 2, *length, size]) + contents


def test_circles_and_names(tmp_path: Path) -> None:
    circle = [
        helper.make_node("Add", ["s", "b"], ["y"]),
        helper.make_node("Relu", ["y"], ["s"]),
    ]
    refused(written(tmp_path, circle, ARRAYS), "'s' is used before it is made", "circle")
    lost = helper.make_node("Gemm", ["x", "V", "b"], ["y"])
    refused(written(tmp_path, [lost], ARRAYS), "'V' is made nowhere")
    twice = [GEMM, helper.make_node("Relu", ["x"], ["y"])]
    refused(written(tmp_path, twice, ARRAYS), "'y' is made twice")

    def output(model: Any) -> None:
        model.graph.output[0].name = "z"

    refused(changed(tmp_path, output), "the output 'z' is made nowhere")

    def no_output(model: Any) -> None:
        del model.graph.output[:]

    refused(changed(tmp_path, no_output), "no output")

    def again(model: Any) -> None:
        model.graph.initializer.append(model.graph.initializer[0])

    refused(changed(tmp_path, again), "one name")


def test_too_many_parts(tmp_path: Path) -> None:
    path = tmp_path / "file.onnx"
    for many, n in ((b"\x0a\x00", 10**6), (b"\x2a\x00", 300_000)):  # nodes; arrays
        path.write_bytes(b"\x08\x08" + message(7, many * n))
        refused(path, "10,000 nodes")


def test_more_numbers_than_memory_holds(tmp_path: Path) -> None:
    """Small arrays that lay out a large one."""
    wide = np.ones((1, 30_000), np.float32)
    outer = [
        helper.make_node("MatMul", ["tall", "wide"], ["huge"]),
        helper.make_node("ReduceSum", ["huge"], ["s"]),
        helper.make_node("Gemm", ["x", "W", "b"], ["h"]),
        helper.make_node("Add", ["h", "s"], ["y"]),
    ]
    refused(written(tmp_path, outer, {**ARRAYS, "tall": wide.T, "wide": wide}), "numbers")
    add = [helper.make_node("Add", ["tall", "wide"], ["huge"]), *outer[1:]]
    refused(written(tmp_path, add, {**ARRAYS, "tall": wide.T, "wide": wide}), "numbers")
    for op, shape in (("Expand", [10**6, 10**6]), ("ConstantOfShape", [10**5, 10**5, 10**5])):
        inputs = ["b", "shape"] if op == "Expand" else ["shape"]
        nodes = [helper.make_node(op, inputs, ["huge"]), *outer[1:]]
        shape = [*shape, 3] if op == "Expand" else shape
        arrays = {**ARRAYS, "shape": np.array(shape)}
        refused(written(tmp_path, nodes, arrays), "numbers")
    double = [helper.make_node("Gemm", ["x", "W", "b"], ["v0"])]
    for i in range(40):
        double.append(helper.make_node("Concat", [f"v{i}", f"v{i}"], [f"v{i + 1}"], axis=1))
    double.append(helper.make_node("ReduceSum", ["v40", "axes"], ["y"], keepdims=1))
    arrays = {**ARRAYS, "axes": np.array([1])}
    refused(written(tmp_path, double, arrays, out=("N", 1)))


def test_what_is_no_network_of_rows(tmp_path: Path) -> None:
    relu = helper.make_node("Relu", ["x"], ["y"])
    refused(written(tmp_path, [relu], {}, out=("N", 4)), "no weights")

    def free(model: Any) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "D"

    refused(changed(tmp_path, free), "'x'", "all other axes a length")

    def fixed(model: Any) -> None:
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = 1
        shape = numpy_helper.from_array(np.array([1, 12]), "shape")
        model.graph.initializer.append(shape)
        model.graph.node[0].input[0] = "r"
        model.graph.node.insert(0, helper.make_node("Reshape", ["x", "shape4"], ["r"]))
        four = numpy_helper.from_array(np.array([1, 4]), "shape4")
        model.graph.initializer.append(four)

    refused(changed(tmp_path, fixed), "dynamic first axis")

    def two(model: Any) -> None:
        more = helper.make_tensor_value_info("x2", TensorProto.FLOAT, ["N", 3])
        model.graph.input.append(more)
        model.graph.node[0].input[2] = "x2"

    refused(changed(tmp_path, two), "one input of numbers", "'x' and 'x2'")
