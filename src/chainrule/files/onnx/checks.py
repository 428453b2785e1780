"""Checks of an ONNX file before anything in it is used: sizes, operators, arrays, the order of the nodes.

A file may lie: its shapes may ask for more memory than there is, its nodes may run in a circle, its
arrays may lie in other files. So the bytes are counted before they are parsed, and what they say is
checked, with Python's own integers, before an array is made.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import FormatError, shown
from chainrule.files.onnx.counting import count_parts, damaged
from chainrule.files.onnx.writer import ML
from chainrule.graph.variable import Array
from chainrule.lang.messages import Text, _, _n, listed
from chainrule.storage.foreign import foreign_kind

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

__all__ = ["DTYPES", "array_of", "check_texts", "checked_model", "parsed", "settings_of"]

MAX_RANK = 8
#: Versions of the operators: before 9 some meant something else, and later ones are not known.
OPSETS = {"": (9, 28), ML: (1, 5)}
#: Codes of the dtypes of arrays, with NumPy's name and the field that has the numbers if not raw.
DTYPES = {
    1: ("float32", "float_data"),
    2: ("uint8", "int32_data"),
    3: ("int8", "int32_data"),
    6: ("int32", "int32_data"),
    7: ("int64", "int64_data"),
    8: ("str", "string_data"),
    9: ("bool", "int32_data"),
    10: ("float16", "int32_data"),
    11: ("float64", "double_data"),
}


def parsed(data: bytes, where: str) -> ModelProto:
    """The message in the bytes, of which nothing but its size is checked.

    Raises:
        FormatError: the bytes are no ONNX model, or one of too many parts.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if not data:
        raise FormatError(
            _("{where} is empty (0 bytes), so it is no network. Get it again.", where=where)
        )
    if data[4:9] == b"\0\0\0\0{":
        raise FormatError(
            _(
                "{where}: this is a model of chainrule or another safetensors file, not ONNX. load_model"
                " reads those that chainrule wrote.",
                where=where,
            )
        )
    kind = foreign_kind(data)
    if kind is not None and kind[0] != "ONNX":
        raise FormatError(_("{where}: this is {kind}, not ONNX.", where=where, kind=kind[0]))
    count_parts(data, where)
    try:
        model = onnx.ModelProto.FromString(data)
    except (DecodeError, RecursionError, ValueError):
        raise damaged(_("{where} is no ONNX file, or cut short.", where=where)) from None
    if not model.HasField("graph") or not model.graph.node:
        raise damaged(_("{where}: there is no network in the file.", where=where))
    return model


# -- the model --------------------------------------------------------------------------------------


def checked_model(data: bytes, where: str, operators: Collection[tuple[str, str]]) -> ModelProto:
    """The model, whose structure is what it claims to be.

    Raises:
        FormatError: an operator that is not among `operators` (domain, name), functions or domains of
            one's own, arrays in other files, a circle, an array of another size than its shape.
    """
    model = parsed(data, where)
    check_texts(model, where)
    _check_versions(model, where)
    if model.functions or model.training_info:
        raise FormatError(
            _(
                "{where} has functions or a training of its own. Export the network alone, its functions"
                " inlined.",
                where=where,
            )
        )
    graph = model.graph
    if graph.sparse_initializer or graph.quantization_annotation:
        raise FormatError(
            _(
                "{where} holds sparse or quantized arrays. Export the network in plain float32.",
                where=where,
            )
        )
    _check_operators(graph, where, operators)
    for tensor in (*graph.initializer, *(t for n in graph.node for t in _arrays_in(n))):
        _check_array(tensor, where)
    _check_order(graph, where)
    _check_by_onnx(model, where)
    return model


def _check_by_onnx(model: ModelProto, where: str) -> None:
    """ONNX's own checker, with the shapes of all values."""
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # what its C++ raises has no common base
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise damaged(
            _(
                "{where}: ONNX's own checker refuses it: {why}.",
                where=where,
                why=shown(lines[0], 200),
            )
        ) from None


def _arrays_in(node: NodeProto) -> list[TensorProto]:
    """The arrays among a node's settings."""
    found: list[TensorProto] = []
    for attribute in node.attribute:
        if attribute.HasField("t"):
            found.append(attribute.t)
        found += attribute.tensors
    return found


def check_texts(model: ModelProto, where: str) -> None:
    """That all names are texts; protobuf gives out bytes for what is no UTF-8."""
    graph = model.graph
    names: list[object] = [entry.domain for entry in model.opset_import]
    names += [text for entry in model.metadata_props for text in (entry.key, entry.value)]
    names.append(model.producer_name)
    for node in graph.node:
        names += [node.op_type, node.domain, node.name, *node.input, *node.output]
        names += [attribute.name for attribute in node.attribute]
        names += [tensor.name for tensor in _arrays_in(node)]
    for entry in (*graph.initializer, *graph.input, *graph.output, *graph.value_info):
        names.append(entry.name)
    if any(not isinstance(name, str) for name in names):
        raise damaged(_("{where}: a name in it is no text.", where=where))


def _check_versions(model: ModelProto, where: str) -> None:
    if not model.opset_import:
        raise damaged(_("{where}: it does not say which operators it is made of.", where=where))
    for entry in model.opset_import:
        domain = "" if entry.domain == "ai.onnx" else entry.domain
        if domain not in OPSETS:
            if any(n.domain == entry.domain for n in model.graph.node):
                raise _custom(domain, where)
            continue  # tools name domains of which nothing is used
        low, high = OPSETS[domain]
        if not low <= entry.version <= high:
            raise FormatError(
                _(
                    "{where} is written in opset {version} of {domain}; {low} to {high} are read. Export it"
                    " again with opset_version=17.",
                    where=where,
                    version=entry.version,
                    domain=shown(entry.domain or "ai.onnx"),
                    low=low,
                    high=high,
                )
            )


def _custom(domain: str, where: str) -> FormatError:
    return FormatError(
        _(
            "{where} has operators of the domain {domain}, which are code of their own and not ONNX's."
            " Export the network with ONNX's operators alone.",
            where=where,
            domain=shown(domain),
        )
    )


def _check_operators(graph: GraphProto, where: str, operators: Collection[tuple[str, str]]) -> None:
    unknown = []
    for node in graph.node:
        domain = "" if node.domain == "ai.onnx" else node.domain
        if domain not in OPSETS:
            raise _custom(domain, where)
        if (domain, node.op_type) not in operators:
            unknown.append(node.op_type)
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise FormatError(
                    _(
                        "{where}: node {node} has graphs in it (a loop or a condition), and a network here"
                        " computes the same for all rows. Export it without.",
                        where=where,
                        node=shown(node.name or node.op_type),
                    )
                )
            if attribute.HasField("sparse_tensor") or attribute.ref_attr_name:
                raise damaged(
                    _(
                        "{where}: node {node} has a setting {name} that cannot be read.",
                        where=where,
                        node=shown(node.name or node.op_type),
                        name=shown(attribute.name),
                    )
                )
    if unknown:
        kinds = sorted(set(unknown))
        raise FormatError(
            _n(
                "{where}: the operator {names} is not read here. chainrule reads networks of layers such as"
                " Gemm, Relu and BatchNormalization.",
                "{where}: the operators {names} are not read here. chainrule reads networks of layers such"
                " as Gemm, Relu and BatchNormalization.",
                len(kinds),
                where=where,
                names=listed(map(shown, kinds[:10]), "and"),
            )
        )


def _check_array(tensor: TensorProto, where: str) -> None:
    """That an array lies in the file, and is as large as its shape says."""
    name = shown(tensor.name)
    if tensor.external_data or tensor.data_location == tensor.EXTERNAL:
        raise FormatError(
            _(
                "{where}: the array {name} lies in another file, which is not read, since such a name can"
                " lead anywhere. Export the network into one file (external_data=False).",
                where=where,
                name=name,
            )
        )
    if tensor.data_type not in DTYPES or tensor.HasField("segment"):
        raise FormatError(
            _(
                "{where}: the array {name} is of a dtype (code {code}) that is not read. Export the network"
                " in float32.",
                where=where,
                name=name,
                code=tensor.data_type,
            )
        )
    dtype, field = DTYPES[tensor.data_type]
    shape = list(tensor.dims)
    if len(shape) > MAX_RANK or any(n < 0 for n in shape):
        raise damaged(
            _(
                "{where}: the array {name} has the shape {shape}, which cannot be.",
                where=where,
                name=name,
                shape=shown(shape),
            )
        )
    size = math.prod(shape)
    numbers = len(getattr(tensor, field))
    if tensor.HasField("raw_data"):
        fits = dtype != "str" and len(tensor.raw_data) == size * np.dtype(dtype).itemsize
        fits = fits and not numbers
    else:
        fits = numbers == size
    if not fits:
        raise damaged(
            _(
                "{where}: the array {name} says that its shape is {shape}, and has another number of"
                " elements.",
                where=where,
                name=name,
                shape=tuple(shape),
            )
        )


def array_of(tensor: TensorProto, where: str) -> Array:
    """The array of a tensor that has been checked; float16 becomes float32, in which networks train."""
    from onnx import numpy_helper

    try:
        array: Array = np.array(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, OverflowError, UnicodeDecodeError):
        raise damaged(
            _("{where}: the array {name} cannot be read.", where=where, name=shown(tensor.name))
        ) from None
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    return array


def _check_order(graph: GraphProto, where: str) -> None:
    """That every value is made once, and before it is used; so there is no circle."""
    given = [i.name for i in graph.input]
    arrays = [t.name for t in graph.initializer]
    known: set[str] = {"", *given, *arrays}
    if len(set(given)) < len(given) or len(set(arrays)) < len(arrays):
        raise damaged(_("{where}: two inputs or two arrays have one name.", where=where))
    made: set[str] = {out for node in graph.node for out in node.output}
    for node in graph.node:
        for name in node.input:
            if name not in known:
                what: Text
                if name in made:
                    what = _(
                        "{where}: {name} is used before it is made: the nodes run in a circle, or are not"
                        " in order.",
                        where=where,
                        name=shown(name),
                    )
                else:
                    what = _("{where}: {name} is made nowhere.", where=where, name=shown(name))
                raise damaged(what)
        for name in node.output:
            if name in known and name:
                raise damaged(_("{where}: {name} is made twice.", where=where, name=shown(name)))
            known.add(name)
    for out in graph.output:
        if out.name not in known or not out.name:
            raise damaged(
                _("{where}: the output {name} is made nowhere.", where=where, name=shown(out.name))
            )
    if not graph.output:
        raise damaged(_("{where}: the network has no output.", where=where))


def settings_of(node: NodeProto, where: str) -> dict[str, Any]:
    """A node's settings by name."""
    from onnx import helper

    found: dict[str, Any] = {}
    for attribute in node.attribute:
        try:
            value = helper.get_attribute_value(attribute)
        except (ValueError, AttributeError):
            raise damaged(
                _("{where}: the settings of {node} cannot be read.", where=where, node=node.op_type)
            ) from None
        if attribute.HasField("t"):
            value = array_of(attribute.t, where)
        elif isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        found[attribute.name] = value
    return found
