"""Damaged and dishonest ONNX files: our own error and nothing else, soon, and without much memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from onnx import helper
from tests.nodes.shares import chunks

import chainrule as cr
from chainrule.errors import DataError, FormatError, SettingError
from chainrule.files.onnx.export import pack_onnx
from chainrule.files.onnx.meanings import MEANINGS

WRITTEN = Path(__file__).parent / "written"
Rng = np.random.Generator

#: Lengths and numbers that a liar might write.
NUMBERS = (0, 1, -1, 2, 3, 7, 2**31 - 1, 2**31, 2**40, 2**62, -(2**63), 10**6, 65536)
OPERATORS = sorted(name for domain, name in MEANINGS if not domain)


def files() -> list[bytes]:
    """Files of other tools, and our own: a network, and a model of a table."""
    found = [path.read_bytes() for path in sorted(WRITTEN.glob("*.onnx"))]
    net = cr.Sequential(
        cr.Affine.sized(4, 5), cr.BatchNorm.sized(5), cr.Mish(), cr.Affine.sized(5, 3),
        loss=cr.SoftmaxWithLoss(),
    )  # fmt: skip
    table = cr.datasets.load("penguins")
    prepared = cr.datasets.Preprocessor.fit(table, "species")
    first = cr.Affine.sized(len(prepared.features), 3)
    model = cr.Model(cr.Sequential(first, loss=cr.SoftmaxWithLoss()), prepared)
    return [*found, pack_onnx(net), pack_onnx(model)]


# -- of bytes -------------------------------------------------------------------------------------------


def bits(data: bytes, rng: Rng) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        changed[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def noise(data: bytes, rng: Rng) -> bytes:
    start, n = int(rng.integers(len(data))), int(rng.integers(1, 30))
    return data[:start] + rng.bytes(n) + data[start + n :]


def cut(data: bytes, rng: Rng) -> bytes:
    return data[: int(rng.integers(len(data)))]


def moved(data: bytes, rng: Rng) -> bytes:
    a, b = sorted(rng.integers(0, len(data), 2).tolist())
    to = int(rng.integers(len(data)))
    return data[:to] + data[a:b] + data[to:]


# -- of what the bytes mean -------------------------------------------------------------------------------


def one(things: Any, rng: Rng) -> Any:
    return things[int(rng.integers(len(things)))]


def _structure(change: Callable[[Any, Rng], object]) -> Callable[[bytes, Rng], bytes]:
    def mutate(data: bytes, rng: Rng) -> bytes:
        model = onnx.load_from_string(data)
        for _ in range(int(rng.integers(1, 3))):
            change(model, rng)
        changed: bytes = model.SerializeToString()
        return changed

    return mutate


def _lie_about_a_shape(model: Any, rng: Rng) -> None:
    tensor = one(model.graph.initializer, rng)
    if tensor.dims and rng.random() < 0.7:
        tensor.dims[int(rng.integers(len(tensor.dims)))] = one(NUMBERS, rng)
    else:
        tensor.data_type = int(rng.integers(0, 24))


def _other_numbers(model: Any, rng: Rng) -> None:
    """Other numbers in an array of whole ones, or in a setting."""
    whole = [t for t in model.graph.initializer if t.data_type == 7]
    whole += [a.t for n in model.graph.node for a in n.attribute if a.t.data_type == 7]
    settings = [a for n in model.graph.node for a in n.attribute if a.type in (1, 2, 7)]
    if whole and rng.random() < 0.5:
        array = onnx.numpy_helper.to_array(one(whole, rng)).copy()
        target = one(whole, rng)
        array.ravel()[: 1 if array.size else 0] = one(NUMBERS[:-2], rng)
        target.CopyFrom(onnx.numpy_helper.from_array(array, target.name))
    elif settings:
        setting = one(settings, rng)
        if setting.type == 2:
            setting.i = one(NUMBERS, rng)
        elif setting.type == 1:
            setting.f = one((0.0, -1.0, np.inf, np.nan, 3e38, 1e-45), rng)
        else:
            setting.ints.append(one(NUMBERS, rng))


def _other_operator(model: Any, rng: Rng) -> None:
    one(model.graph.node, rng).op_type = one(OPERATORS, rng)


def _other_way(model: Any, rng: Rng) -> None:
    """An input of a node comes from elsewhere."""
    node = one(model.graph.node, rng)
    names = [n for other in model.graph.node for n in other.output]
    names += [t.name for t in model.graph.initializer]
    names += [i.name for i in model.graph.input]
    if node.input:
        node.input[int(rng.integers(len(node.input)))] = one(names, rng)
    if rng.random() < 0.2:
        node.input.append(one(names, rng))


def _other_order(model: Any, rng: Rng) -> None:
    nodes = list(model.graph.node)
    rng.shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _other_input(model: Any, rng: Rng) -> None:
    kind = one(model.graph.input, rng).type.tensor_type
    if kind.shape.dim and rng.random() < 0.7:
        one(kind.shape.dim, rng).dim_value = one(NUMBERS, rng)
    else:
        kind.elem_type = int(rng.integers(0, 24))


def _one_more(model: Any, rng: Rng) -> None:
    """One more operator at the end, of values that are there."""
    names = [n for node in model.graph.node for n in node.output]
    names += [t.name for t in model.graph.initializer]
    inputs = [one(names, rng) for _ in range(int(rng.integers(1, 4)))]
    made = helper.make_node(one(OPERATORS, rng), inputs, ["more"])
    model.graph.node.append(made)
    model.graph.output[0].name = "more"


MUTATIONS = [
    bits, noise, cut, moved,
    *map(_structure, (
        _lie_about_a_shape, _other_numbers, _other_operator, _other_way, _other_order, _other_input,
        _one_more,
    )),
]  # fmt: skip


def reason(path: Path) -> str:
    """Why a file is refused; "" if it is not. Any other error than ours goes through."""
    try:
        with np.errstate(all="ignore"):
            cr.load_onnx(path)
    except (FormatError, DataError, SettingError) as error:
        return f"{error} {error.said('zh')}"
    return ""


@pytest.mark.parametrize("chunk", chunks(4, of=400))
def test_mutated_files(chunk: int, tmp_path: Path) -> None:
    """500 in a chunk: 2,000 by default, 200,000 at length."""
    rng = np.random.default_rng(chunk)
    originals, path = files(), tmp_path / "file.onnx"
    path.write_bytes(originals[0])
    cr.load_onnx(path)  # what is imported and made once does not count
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    for _ in range(500):
        data = one(MUTATIONS, rng)(one(originals, rng), rng)
        path.write_bytes(data)
        start = time.process_time()
        text = reason(path)
        if text:
            refused += 1
            assert "\n" not in text
            assert len(text) < 1500
        took = time.process_time() - start
        assert took < 1, (took, data[:200])
    assert refused > 200
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most
    assert grown < 400_000, f"{grown} kB more"
