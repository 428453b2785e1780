"""Writer: the nodes, arrays, inputs and outputs of an ONNX graph, as they are written one by one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import ExtraMissingError, SettingError
from chainrule.graph.variable import Array
from chainrule.lang.messages import _

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

__all__ = ["BATCH", "IR", "ML", "OPSET", "Writer", "need_onnx"]

#: The versions that are written: old enough for every runtime in use, new enough for all operators.
OPSET, IR = 17, 8
#: ONNX's own second set of operators, for texts, and its version at this opset.
ML, ML_OPSET = "ai.onnx.ml", 3
#: The name of the axis of rows.
BATCH = "N"
#: The most bytes that a protobuf message can have.
MAX_BYTES = (2 << 30) - 1


def need_onnx(what: str) -> None:
    """Raise, naming the extra, if the package onnx is not installed."""
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise ExtraMissingError(
            _('{what} needs the package onnx: pip install "chainrule[onnx]"', what=what)
        ) from None


class Writer:
    """An ONNX graph being written. Values go by their names; equal nodes are written once."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.arrays: list[TensorProto] = []
        self.inputs: list[ValueInfoProto] = []
        self.outputs: list[ValueInfoProto] = []
        #: What the nodes written now are a part of, such as a layer.
        self.part = ""
        self._taken: set[str] = set()
        self._memo: dict[Hashable, str] = {}

    def unique(self, base: str) -> str:
        """A name that nothing has yet: base, or base_2, base_3, …."""
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name

    def put(
        self, op: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any
    ) -> str:
        """The value of an operator with one output: a node, or one that is there already."""
        from onnx import helper

        key = (op, domain, inputs, repr(sorted(attributes.items())))
        if name or key not in self._memo:
            out = self.unique(name or op.lower())
            title = f"{self.part}/{op}_{len(self.nodes)}".strip("/")
            node = helper.make_node(op, inputs, [out], name=title, domain=domain, **attributes)
            self.nodes.append(node)
            self._memo[key] = out
        return self._memo[key]

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> str:
        """A constant that is no parameter: a number, a shape, a list of texts."""
        from onnx import numpy_helper

        array = np.array(value, dtype, order="C")
        content = tuple(array.ravel()) if array.dtype.kind == "O" else array.tobytes()
        key = ("constant", array.dtype.str, array.shape, content)
        if key not in self._memo:
            self._memo[key] = self.put("Constant", name="c", value=numpy_helper.from_array(array))
        return self._memo[key]

    def array(self, name: str, array: Array) -> str:
        """A named array: a parameter of the network, or a buffer."""
        from onnx import numpy_helper

        name = self.unique(name)
        native = np.array(array, array.dtype.newbyteorder("="), order="C", copy=True)
        self.arrays.append(numpy_helper.from_array(native, name))
        return name

    def input(self, name: str, dtype: npt.DTypeLike, shape: Sequence[int | str]) -> str:
        """An input of the graph; its first axis is the rows'."""
        name = self.unique(name)
        self.inputs.append(_typed(name, dtype, shape))
        return name

    def output(
        self, value: str, name: str, dtype: npt.DTypeLike, shape: Sequence[int | str]
    ) -> None:
        """Give a value out by a name."""
        self.part = ""
        self.outputs.append(_typed(self.put("Identity", value, name=name), dtype, shape))

    def model(self, description: str, metadata: dict[str, str]) -> ModelProto:
        """The finished model, which ONNX's own checker has passed.

        Raises:
            SettingError: it is larger than a protobuf message may be.
        """
        import onnx
        from onnx import helper

        from chainrule.version import __version__

        graph = helper.make_graph(
            self.nodes, "chainrule", self.inputs, self.outputs, self.arrays, description
        )
        domains = {"", *(node.domain for node in self.nodes)}
        versions = {"": OPSET, ML: ML_OPSET}
        model = helper.make_model(
            graph,
            ir_version=IR,
            opset_imports=[helper.make_opsetid(d, versions[d]) for d in sorted(domains)],
            producer_name="chainrule",
            producer_version=__version__,
        )
        helper.set_model_props(model, metadata)
        if model.ByteSize() > MAX_BYTES:
            raise SettingError(
                _(
                    "The network has {size:,} bytes, and an ONNX file holds less than 2 GiB. Keep it with"
                    " save_model.",
                    size=model.ByteSize(),
                )
            )
        onnx.checker.check_model(model, full_check=True)
        return model


def _typed(name: str, dtype: npt.DTypeLike, shape: Sequence[int | str]) -> ValueInfoProto:
    from onnx import TensorProto, helper

    kind = np.dtype(dtype)
    code = TensorProto.STRING if kind.kind in "OU" else int(helper.np_dtype_to_tensor_dtype(kind))
    return helper.make_tensor_value_info(name, code, shape)
