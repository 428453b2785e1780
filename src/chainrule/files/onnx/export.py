"""Saving networks and models as ONNX: the recorded, lowered graph of predict, node by node."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chainrule.atomic_write import check_place, write_whole
from chainrule.engine.protocols import RecordableNetwork
from chainrule.engine.trace import Traced
from chainrule.errors import DataError, SettingError, shown
from chainrule.files.model import Model, refuse_nonfinite
from chainrule.files.onnx.emission import Emission
from chainrule.files.onnx.formulas import ONNX_FUNCTIONS
from chainrule.files.onnx.operators import RULES
from chainrule.files.onnx.preprocessing import write_preparation
from chainrule.files.onnx.writer import BATCH, Writer, need_onnx
from chainrule.graph.variable import Array
from chainrule.lang.messages import _
from chainrule.layers import Function, Loss
from chainrule.layers.base import dotted
from chainrule.networks import Network, Sequential
from chainrule.script.page import lay_out, widths_of
from chainrule.script.predicting import rows_for
from chainrule.script.recorded import record_predict
from chainrule.script.sizes import Sizes

__all__ = ["pack_onnx", "save_onnx"]

Pathish = str | os.PathLike[str]


def save_onnx(
    network_or_model: Network | Model,
    path: Pathish,
    x: npt.ArrayLike | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Save what a network or a model predicts as one ONNX file (opset 17, IR 8), for any number of rows.

    Of a network the input is `x`, the output `y`, what `predict` gives. Of a model with a preparation the
    inputs are the raw columns of the table, one (N, 1) for each: float64 for numbers (dates as days since
    1970-01-01), texts for the others, NaN or "" for a missing cell. The outputs of a classifier are
    `label`, in the labels' own type, and `probabilities`, (N, classes); of a regression `value`, (N,), in
    the target's own unit.

    The file has one node for each primitive of the recorded graph, and the parameters by the names
    they have in the network, such as "0.W". What only training does, such as Dropout, is not in it.
    The same network gives the same bytes. Needs the extra [onnx].

    Args:
        network_or_model: what is saved; a model as `load_model` gives it.
        path: the file, which is written whole or not at all.
        x: rows as the network takes them, if its first layer does not say their shape: those
            of an Embedding, pictures.
        overwrite: whether an existing file is replaced.

    Raises:
        ExtraMissingError: the package onnx is not installed.
        RecordingError: a part of it is no operator of ONNX, or written by hand in Python.
        SettingError: rows of unknown shape, a path that cannot be written to, an existing file.
        NonFiniteError: NaN or infinity among the parameters.

    >>> import chainrule as cr, pathlib, tempfile
    >>> net = cr.TwoLayerNet(2, 10, 3)
    >>> cr.save_onnx(net, pathlib.Path(tempfile.mkdtemp(), "net.onnx"))  # doctest: +SKIP
    """
    check_place(path, overwrite)
    write_whole(path, pack_onnx(network_or_model, x), overwrite=overwrite)


def pack_onnx(network_or_model: Network | Model, x: npt.ArrayLike | None = None) -> bytes:
    """The bytes of an ONNX file; arguments and errors are those of `save_onnx`."""
    need_onnx("save_onnx")
    model = network_or_model if isinstance(network_or_model, Model) else None
    network = network_or_model if model is None else model.network
    if not isinstance(network, Network):
        raise SettingError(
            _(
                "save_onnx saves a chainrule network or model, such as the model_ of a fitted estimator; got"
                " {given}.",
                given=shown(network),
            )
        )
    network._flatten_parameters()
    arrays = {name: p.data for name, p in network.named_parameters().items()}
    refuse_nonfinite(arrays | network.named_buffers())
    writer = Writer()
    preparation = None if model is None else model.preparation
    if preparation is not None:
        rows: Array = np.zeros((2, len(preparation.features)), np.float32)
        entry = write_preparation(writer, preparation)
        if network.dtype != np.float32:
            entry = writer.put("Cast", entry, to=_code(network.dtype))
    else:
        rows = _rows(network, x)
        entry = writer.input("x", rows.dtype, (BATCH, *rows.shape[1:]))
    name, scores, sizes = _written(writer, network, network._as_input(rows), entry)
    if model is None:
        writer.output(name, "y", scores.dtype, _shape(scores, sizes))
    elif model.classifies:
        _write_classes(writer, model, name, scores)
    else:
        _write_value(writer, model, name, scores, sizes)
    layers = ", ".join(type(layer).__name__ for layer in network.layers)
    loss = {} if network.loss is None else {"loss": type(network.loss).__name__}
    return bytes(writer.model(layers, loss).SerializeToString(deterministic=True))


def _rows(network: Network, x: npt.ArrayLike | None) -> Array:
    """Some rows of the shape that the network takes."""
    if x is None:
        rows = rows_for(network)
        if rows is None:
            raise SettingError(
                _(
                    "the shape of this network's inputs is not known from its layers. Give some rows:"
                    " save_onnx(network, path, x)."
                )
            )
        return rows
    rows = network._as_input(x)
    if rows.ndim == 0 or len(rows) == 0:
        raise DataError(
            _("x: at least one row is needed; got an array of shape {shape}.", shape=rows.shape)
        )
    return rows


def _written(
    writer: Writer, network: RecordableNetwork, rows: Array, entry: str
) -> tuple[str, Traced, Sizes]:
    """Write the outputs of a network for the rows that `entry` names: their name, value and sizes."""
    ((recording, sizes),) = lay_out(
        lambda n: record_predict(network, rows, n, ONNX_FUNCTIONS), widths_of(network, rows), ()
    )
    named = {leaf: entry for leaf in recording.arguments}
    paths = {p: path for path, p in network.named_parameters().items()}
    for p, leaf in recording.parameters.items():
        named[leaf] = writer.array(paths[p], p.data)
    layers = {id(layer): path for path, layer in network.named_layers()}
    for (layer, key), leaf in recording.buffers.items():
        named[leaf] = writer.array(dotted(layers[id(layer)], key), layer.buffers[key])
    emission = Emission(writer, recording, sizes, named, RULES, entry)
    (name,) = emission.write([recording.out])
    return name, recording.out, sizes


def _shape(v: Traced, sizes: Sizes) -> list[int | str]:
    """The shape of an output: lengths that go with the batch have names, such as N or 2*N."""
    shape: list[int | str] = []
    for i in range(v.ndim):
        text = sizes.length(v, lambda a, i=i: a.shape[i])[0]  # type: ignore[misc]
        shape.append(int(text) if text.isdigit() else text.replace("n", BATCH))
    return shape


def _write_classes(writer: Writer, model: Model, scores: str, v: Traced) -> None:
    """The outputs of a classifier: labels, and probabilities where the loss has them."""
    loss, width = model.network.loss, v.shape[1:]
    binary = isinstance(loss, Loss) and loss.target == "binary"
    if binary:
        ids = writer.put("Greater", scores, writer.constant(0, v.dtype))
        ids = writer.put("Cast", ids, to=_code(np.int64))
        if width == (1,):
            ids = writer.put("Squeeze", ids, writer.constant([1], np.int64))
    else:
        ids = writer.put("ArgMax", scores, axis=v.ndim - 1, keepdims=0)
    shape: Sequence[int | str] = width if binary and width != (1,) else width[:-1]
    classes = None if model.preparation is None else model.preparation.classes
    kind: npt.DTypeLike = np.int64
    if classes is not None:
        kind = object if isinstance(classes[0], str) else np.int64
        ids = writer.put("Gather", writer.constant(np.array(classes, kind)), ids, axis=0)
    writer.output(ids, "label", kind, (BATCH, *shape))
    if not isinstance(loss, Loss) or loss.target == "values":
        return
    link = Sequential(Function(loss.link))
    rows = np.zeros((2, *width), v.dtype)
    probabilities, p, _sizes = _written(writer, link, rows, scores)
    if binary and width == (1,):
        no = writer.put("Sub", writer.constant(1, p.dtype), probabilities)
        probabilities, width = writer.put("Concat", no, probabilities, axis=1), (2,)
    writer.output(probabilities, "probabilities", p.dtype, (BATCH, *width))


def _write_value(writer: Writer, model: Model, y: str, v: Traced, sizes: Sizes) -> None:
    """The output of a regression, in the target's own unit where that is known."""
    if model.preparation is None:
        writer.output(y, "value", v.dtype, _shape(v, sizes))
        return
    first = writer.put("Gather", y, writer.constant(0, np.int64), axis=1)
    value = writer.put("Cast", first, to=_code(np.float64))
    for op, number in (("Mul", model.preparation.scale), ("Add", model.preparation.center)):
        value = writer.put(op, value, writer.constant(number, np.float64))
    if model.preparation.limits is not None:
        low, high = (writer.constant(number, np.float64) for number in model.preparation.limits)
        value = writer.put("Min", writer.put("Max", value, low), high)
    writer.output(value, "value", np.float64, (BATCH,))


def _code(dtype: npt.DTypeLike) -> int:
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
