"""onnxruntime: prediction alone, of a model written with the package onnx."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from benchmarks.workloads import Array, Setting, Workload
from onnx import TensorProto, helper, numpy_helper

OPERATORS = {"sigmoid": "Sigmoid", "relu": "Relu", "tanh": "Tanh"}
#: Versions that older runtimes also read.
OPSET, IR = 17, 10


class OnnxRuntime:
    probabilities = False

    def prepare(self, workload: Workload, setting: Setting) -> None:
        model = model_of(workload, setting).SerializeToString()
        self.session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def restart(self) -> None:
        pass

    def epochs(self, k: int) -> list[float]:
        raise NotImplementedError

    def predict(self, x: Array) -> Array:
        y: Array = self.session.run(None, {"x": x})[0]
        return y


def model_of(workload: Workload, setting: Setting) -> Any:
    """The network as an ONNX model: Gemm and an activation for each layer."""
    nodes, constants, value = [], [], "x"
    last = len(setting.weights) - 1
    for i, (W, b) in enumerate(setting.weights):
        constants += [numpy_helper.from_array(np.ascontiguousarray(W), f"W{i}")]
        constants += [numpy_helper.from_array(b, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [value, f"W{i}", f"b{i}"], [f"a{i}"]))
        value = f"a{i}"
        if i < last:
            nodes.append(helper.make_node(OPERATORS[workload.activation], [value], [f"h{i}"]))
            value = f"h{i}"
    sizes = workload.sizes
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", width])
        for name, width in (("x", sizes[0]), (value, sizes[-1]))
    )
    graph = helper.make_graph(nodes, "network", [x], [y], constants)
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR)
