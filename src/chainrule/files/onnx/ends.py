"""The nodes of an ONNX file, and which of its values the network takes and gives."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chainrule.errors import FormatError, SettingError, nearest, shown
from chainrule.files.onnx.checks import array_of
from chainrule.graph.variable import Array
from chainrule.lang.messages import _, listed

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TypeProto

__all__ = ["MAX_NUMBERS", "Nodes"]

#: The most numbers that the values of some rows may have, so that no file asks for more than memory holds.
MAX_NUMBERS = 1 << 24
#: Codes of the dtypes of real numbers, and of whole ones.
_REAL, _WHOLE = (1, 10, 11), (2, 3, 6, 7)


class Nodes:
    """The nodes and arrays of a file whose structure has been checked."""

    def __init__(self, model: ModelProto, where: str) -> None:
        self.model, self.graph, self.where = model, model.graph, where
        self._tensors = {t.name: t for t in self.graph.initializer}
        self._made: dict[str, Array] = {}
        #: The inputs that are not arrays of the file.
        self.inputs = {i.name: i.type for i in self.graph.input if i.name not in self._tensors}
        self._maker = {name: node for node in self.graph.node for name in node.output if name}
        self._place = {name: i for i, node in enumerate(self.graph.node) for name in node.output}

    @property
    def version(self) -> int:
        """The opset."""
        versions = (o.version for o in self.model.opset_import if o.domain in ("", "ai.onnx"))
        return max(versions, default=1)

    @property
    def _ours(self) -> bool:
        """Whether the file says that `save_onnx` wrote it."""
        return bool(self.model.producer_name == "chainrule")

    @property
    def dtype(self) -> npt.DTypeLike:
        """The dtype of the network: float64 if all of its arrays are."""
        kinds = {t.data_type for t in self._tensors.values()} & {1, 10, 11}
        return np.float64 if kinds == {11} else np.float32

    @functools.cached_property
    def types(self) -> dict[str, TypeProto]:
        """The types of the values, as far as they follow from those of the inputs."""
        import onnx

        inferred = onnx.shape_inference.infer_shapes(self.model).graph
        return {v.name: v.type for v in (*inferred.input, *inferred.value_info, *inferred.output)}

    def is_array(self, name: str) -> bool:
        """Whether a value is an array of the file."""
        return name in self._tensors

    def array(self, name: str) -> Array:
        """An array of the file, the same one each time, since layers may share it."""
        if name not in self._made:
            array = self._made[name] = array_of(self._tensors[name], self.where)
            if array.dtype.kind == "f" and array.ndim and not np.isfinite(array).all():
                raise FormatError(
                    _(
                        "{where}: NaN or infinity in {names}; such a network predicts nothing. Train again"
                        " with a lower learning rate.",
                        where=self.where,
                        names=shown(name),
                    )
                )
        return self._made[name]

    def rank(self, name: str) -> int | None:
        """The number of axes of a value; None if it is not known."""
        kind = self.types.get(name)
        if kind is None or not kind.tensor_type.HasField("shape"):
            return None
        return len(kind.tensor_type.shape.dim)

    def between(self, x: str, y: str) -> list[NodeProto]:
        """The nodes by which y is computed from x, in their order."""
        wanted: dict[int, NodeProto] = {}
        ahead = [y]
        while ahead:
            name = ahead.pop()
            node = self._maker.get(name)
            if node is not None and name != x and self._place[name] not in wanted:
                wanted[self._place[name]] = node
                ahead += node.input
        return [wanted[i] for i in sorted(wanted)]

    # -- the output -----------------------------------------------------------------------------------

    def output(self, wanted: str | None) -> str:
        """The value that the network gives: of the output of this name, or of the only one of numbers."""
        outputs = {o.name: o.type for o in self.graph.output}
        if wanted is not None:
            if wanted not in outputs:
                hint = nearest(wanted, outputs)
                raise SettingError(_("output={name}: {nearest}.", name=shown(wanted), nearest=hint))
            return self._before_tail(wanted)
        real = [
            name
            for name, kind in outputs.items()
            if kind.tensor_type.elem_type in _REAL or self._op(name) == "ZipMap"
        ]
        if len(real) != 1:
            raise FormatError(
                _(
                    "{where} has the outputs {names}, of which {count} are real numbers. Say which one the"
                    " network gives: load_onnx(path, output=...).",
                    where=self.where,
                    names=listed(map(shown, outputs), "and"),
                    count=len(real),
                )
            )
        return self._before_tail(real[0])

    def _before_tail(self, name: str) -> str:
        """The value before what only gives it out.

        That is Identity, ZipMap, 1 - p beside p for two classes, and the unit of the value of our files.
        """
        if self._ours:
            name = self._before_unit(name)
        while True:
            node = self._maker.get(name)
            if node is not None and node.op_type in ("Identity", "ZipMap"):
                name = node.input[0]
                continue
            if node is not None and node.op_type == "Concat" and len(node.input) == 2:
                no = self._maker.get(node.input[0])
                if no is not None and no.op_type == "Sub" and no.input[1] == node.input[1]:
                    name = node.input[1]
                    continue
            return name

    def _before_unit(self, value: str) -> str:
        """The scores of a regression, of which `save_onnx` makes the value in the target's own unit."""
        name = value
        for kind in ("Identity", "Min", "Max", "Add", "Mul", "Cast", "Gather"):
            if self._op(name) == kind:
                name = self._maker[name].input[0]
            elif kind not in ("Min", "Max"):  # which only a robust encoding has
                return value
        return name

    def _op(self, name: str) -> str:
        node = self._maker.get(name)
        return "" if node is None else node.op_type

    # -- the input --------------------------------------------------------------------------------------

    def entry(self, y: str) -> str:
        """The value that the network takes: the input, or what a preparation makes of several.

        Of several inputs it is the first value that all ways to y lead through.
        """
        if self._ours and self._op("prepared") == "Concat":
            return "prepared"
        ahead, last = {y} & (self._maker.keys() | self.inputs.keys()), ""
        while ahead:
            if len(ahead) == 1:
                (last,) = ahead
            name = max(ahead, key=lambda n: self._place.get(n, -1))
            if name in self.inputs:
                break
            ahead.remove(name)
            ahead |= {n for n in self._maker[name].input if n in self._maker or n in self.inputs}
        kind = self.inputs.get(last)
        if last in ("", y) or (
            kind is not None and kind.tensor_type.elem_type not in _REAL + _WHOLE
        ):
            raise FormatError(
                _(
                    "{where}: the output is not computed from one input of numbers, and a network here takes"
                    " one array of rows. The inputs are: {names}.",
                    where=self.where,
                    names=listed(map(shown, self.inputs), "and"),
                )
            )
        return last

    def rows(self, x: str) -> Array:
        """Some rows of the shape and dtype of the input."""
        kind = self.types.get(x)
        if kind is None or not kind.tensor_type.HasField("shape"):
            raise FormatError(
                _(
                    "{where}: the shape of the input {name} is not known. Export the network with a shape.",
                    where=self.where,
                    name=shown(x),
                )
            )
        dims = kind.tensor_type.shape.dim
        tail = [int(d.dim_value) for d in dims[1:]]
        if not dims or any(n < 1 for n in tail) or math.prod(tail) > MAX_NUMBERS // 64:
            shape = [d.dim_param or str(d.dim_value) for d in dims]
            raise FormatError(
                _(
                    "{where}: the input {name} has the shape ({shape}); it needs an axis of rows, and all"
                    " other axes a length. Export the network with these fixed.",
                    where=self.where,
                    name=shown(x),
                    shape=listed(shape),
                )
            )
        n = next(p for p in (5, 7, 11, 13, 17, 19, 23, 29, 31) if p not in tail)
        if kind.tensor_type.elem_type in _WHOLE:
            return np.zeros((n, *tail), np.int64)
        rows = np.random.default_rng(0).random(
            (n, *tail)
        )  # from 0 to 1, so that ids among them are 0
        return rows.astype(self.dtype)
