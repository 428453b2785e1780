"""Mutated model files and tables: our error or a result, in bounded memory and time, whatever they hold."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.strangers.odd_tables import odd_file

import chainrule as cr
from chainrule.datasets import Preprocessor, Table, parse_csv
from chainrule.datasets.rules import Reading
from chainrule.datasets.text_tables import read_text
from chainrule.errors import ChainruleError, FormatError
from chainrule.files import load_model
from chainrule.files.model import pack_model
from chainrule.storage.container import pack, unpack

Rng = np.random.Generator
SECONDS, ROOM = 1.0, 16 << 20
DIGITS = re.compile(rb'(?<=\\"sha256\\":\\")[0-9a-f]{64}')
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308, "", "x", "Affine",
    "../x", "\0", "é" * 300, "float64", "os.system", [], [[]], {}, {"kind": "Affine"}, [1, 2, 3], [0] * 70,
]  # fmt: skip


@cache
def models() -> tuple[bytes, ...]:
    """Model files of several kinds."""
    table = Table({"a": [1.0, 2, 3, 4], "b": ["x", "y", "x", ""], "t": ["p", "q", "p", "q"]})
    prepared = Preprocessor.fit(table, "t")
    width = len(prepared.features)
    plain = cr.Sequential(
        cr.Affine.sized(width, 3), cr.ReLU(), cr.Dropout(0.5), cr.Affine.sized(3, 2),
        loss=cr.SoftmaxWithLoss(), seed=0,
    )  # fmt: skip
    deep = cr.Sequential(
        cr.Embedding.sized(5, 4), cr.Flatten(), cr.LayerNorm.sized(8), cr.Affine.sized(8, 1),
        loss=cr.MeanSquaredError(), seed=0,
    )  # fmt: skip
    return (
        pack_model(plain, prepared, {"note": "a"}),
        pack_model(deep),
        pack_model(cr.TwoLayerNet(2, 4, 3)),
    )


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to all values in nested lists and dicts."""
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield from places(inner, (*path, key))


def bent(value: Any, rng: Rng) -> Any:
    """A JSON value with one of its parts replaced, removed, doubled or renamed."""
    value = json.loads(json.dumps(value))
    paths = list(places(value))[1:]
    if not paths:
        return value
    *path, last = paths[rng.integers(len(paths))]
    inner = value
    for key in path:
        inner = inner[key]
    way = rng.integers(4)
    if way == 0:
        del inner[last]
    elif way == 1 and isinstance(inner, dict):
        inner[f"{last}{rng.integers(9)}"] = inner.pop(last)
    elif way == 1 or (way == 2 and isinstance(inner, list)):
        inner.insert(last, inner[rng.integers(len(inner))])
    elif way == 2:
        inner[str(rng.integers(99))] = inner[last]
    else:
        odd = ODD[rng.integers(len(ODD))]
        number = inner[last]
        near = isinstance(number, int) and not isinstance(number, bool) and rng.random() < 0.5
        inner[last] = number + int(rng.integers(-3, 4)) if near else odd
    return value


def bent_bytes(data: bytes, rng: Rng) -> bytes:
    """The data with some bytes changed, removed, doubled or cut off."""
    changed = bytearray(data)
    for _change in range(int(rng.integers(1, 5))):
        if not changed:
            break
        a = int(rng.integers(len(changed)))
        b = a + int(rng.integers(1, 40))
        way = rng.integers(5)
        if way == 0:
            changed[a] = rng.integers(256)
        elif way == 1:
            changed[a] ^= 1 << int(rng.integers(8))
        elif way == 2:
            del changed[a:b]
        elif way == 3:
            changed[a:a] = changed[a:b] * int(rng.integers(1, 4))
        else:
            del changed[max(a, 1) :]
    return bytes(changed)


def sealed(data: bytes) -> bytes:
    """The data with the checksum that goes with it, so that what lies behind it is reached."""
    blank = DIGITS.sub(b"0" * 64, data)
    return DIGITS.sub(hashlib.sha256(blank).hexdigest().encode(), data)


def mutated_model(rng: Rng) -> bytes:
    good = models()[rng.integers(len(models()))]
    way = rng.integers(4)
    if way == 0:
        return bent_bytes(good, rng)
    if way == 1:
        return sealed(bent_bytes(good, rng))
    if way == 2:
        length = struct.unpack("<Q", good[:8])[0]
        header = json.dumps(bent(json.loads(good[8 : 8 + length]), rng)).encode()
        return sealed(struct.pack("<Q", len(header)) + header + good[8 + length :])
    contents = unpack(good, "m")
    description = contents.description
    for _change in range(int(rng.integers(1, 4))):
        description = bent(description, rng)
    tensors = dict(contents.tensors)
    if rng.random() < 0.2:
        name = list(tensors)[rng.integers(len(tensors))]
        tensors[name] = tensors[name].reshape(-1)[: rng.integers(1, tensors[name].size + 1)]
    return bytes(pack(tensors, description))


def within_bounds(act: Callable[[], object], size: int, told: int) -> bool:
    """Whether it works; else our error. Neither may take long, or much memory (watched every 20th time)."""
    watched = told % 20 == 0
    if watched:
        tracemalloc.start()
    started = time.process_time()
    try:
        act()
        works = True
    except ChainruleError:
        works = False
    assert time.process_time() - started < SECONDS, told
    if watched:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2 * size + ROOM, told
    return works


def fuzz_models(seeds: range, folder: Path) -> None:
    path = folder / "m.safetensors"
    loaded = 0
    for seed in seeds:
        data = mutated_model(np.random.default_rng(seed))
        path.write_bytes(data)
        loaded += within_bounds(lambda: load_model(path), len(data), seed)
    assert 0 < loaded < len(seeds)  # some changes are of no account, such as to the facts


def fuzz_tables(seeds: range, folder: Path) -> None:
    path = folder / "t.csv"
    good = [odd_file(np.random.default_rng(seed), rows=20).data for seed in range(100)]
    for seed in seeds:
        rng = np.random.default_rng(seed)
        data = bent_bytes(good[seed % 100], rng)

        def act(data: bytes = data, seed: int = seed) -> Table:
            if seed % 7:
                return parse_csv(data, "t.csv")
            path.write_bytes(data)
            return read_text(path, Reading(on_disk=True))

        within_bounds(act, 8 * len(data), seed)


@pytest.mark.parametrize("start", range(0, 2000, 500))
def test_mutated_model_files(start: int, tmp_path: Path) -> None:
    fuzz_models(range(start, start + 500), tmp_path)


@pytest.mark.parametrize("start", range(0, 2000, 500))
def test_mutated_tables(start: int, tmp_path: Path) -> None:
    fuzz_tables(range(start, start + 500), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("start", range(2000, 202_000, 5000))
def test_many_mutated_model_files(start: int, tmp_path: Path) -> None:
    fuzz_models(range(start, start + 5000), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("start", range(2000, 202_000, 5000))
def test_many_mutated_tables(start: int, tmp_path: Path) -> None:
    fuzz_tables(range(start, start + 5000), tmp_path)


def test_a_changed_file_never_passes_for_the_one_it_was() -> None:
    good = models()[0]
    for seed in range(300):
        data = bent_bytes(good, np.random.default_rng(seed))
        if data != good:
            with pytest.raises(FormatError):
                unpack(data, "m")
