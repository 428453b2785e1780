"""What an ONNX file says of itself, without making a network of it."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainrule.files.onnx.checks import check_texts, parsed
from chainrule.files.onnx.writer import need_onnx
from chainrule.storage.reading import read_bytes

if TYPE_CHECKING:
    from onnx import ValueInfoProto

__all__ = ["End", "OnnxSummary", "onnx_summary"]


@dataclass(frozen=True)
class End:
    """An input or output: its name, dtype, and the lengths of its axes, "N" where they are free."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} ({', '.join(map(str, self.shape))})"


@dataclass(frozen=True)
class OnnxSummary:
    """What an ONNX file says of itself."""

    producer: str
    opset: int
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    #: How often each operator occurs, the most frequent first.
    operators: dict[str, int]
    #: The numbers in its arrays, as their shapes say.
    numbers: int


def onnx_summary(path: str | os.PathLike[str]) -> OnnxSummary:
    """Read an ONNX file without running, allocating or believing anything in it.

    Raises:
        ExtraMissingError: the package onnx is not installed.
        DataError: no such file, or one that may not be read.
        FormatError: no ONNX file, or a damaged one.
    """
    need_onnx("inspect")
    where = os.fspath(path)
    model = parsed(read_bytes(where), where)
    check_texts(model, where)
    arrays = {t.name for t in model.graph.initializer}
    counts = Counter(node.op_type for node in model.graph.node)
    return OnnxSummary(
        model.producer_name,
        max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0),
        tuple(_end(i) for i in model.graph.input if i.name not in arrays),
        tuple(map(_end, model.graph.output)),
        dict(counts.most_common()),
        sum(math.prod(t.dims) for t in model.graph.initializer),
    )


def _end(value: ValueInfoProto) -> End:
    from onnx import TensorProto

    kind = value.type.tensor_type
    known = kind.elem_type in TensorProto.DataType.values()
    dtype = TensorProto.DataType.Name(kind.elem_type).lower() if known else "?"
    shape = tuple(d.dim_param or int(d.dim_value) or "?" for d in kind.shape.dim)
    return End(value.name, dtype, shape)
