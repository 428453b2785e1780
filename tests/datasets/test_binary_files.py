"""IDX, .npy and .npz: read right, and refused when the header lies."""

from __future__ import annotations

import gzip
import io
import math
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.datasets import numpy_files, open_data, read, read_idx, read_npy, read_npz
from chainrule.errors import ChainruleError, DataError, FormatError

TYPES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}


def idx_bytes(array: np.ndarray[Any, Any], shape: tuple[int, ...] | None = None) -> bytes:
    kind = next(kind for kind in TYPES if np.dtype(kind) == array.dtype)
    sides = array.shape if shape is None else shape
    head = struct.pack(f">BBBB{len(sides)}I", 0, 0, TYPES[kind], len(sides), *sides)
    return head + array.tobytes()


def npy_bytes(array: np.ndarray[Any, Any], pickled: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=pickled)
    return stream.getvalue()


def npy_header(text: str) -> bytes:
    body = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(body)) + body


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("packed", [False, True])
def test_idx_types(tmp_path: Path, kind: str, packed: bool) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(kind)
    file = tmp_path / ("a-ubyte.gz" if packed else "a-ubyte")
    data = idx_bytes(array)
    file.write_bytes(gzip.compress(data) if packed else data)
    table = read(file)
    assert table.names == tuple(f"p{i}" for i in range(12))
    assert table.matrix().tolist() == array.reshape(2, 12).tolist()
    assert table.kind("p0") == ("float" if "f" in kind else "int")


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"),
    ],
)
def test_idx_labels_beside(tmp_path: Path, images: str, labels: str) -> None:
    x = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    t = np.array([2, 0, 1], dtype=np.uint8)
    for name, array in ((images, x), (labels, t)):
        data = idx_bytes(array)
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    table = read_idx(tmp_path / images)
    assert table.names[-1] == "label"
    assert table["label"].tolist() == [2, 0, 1]
    assert labels in table.notes[0]
    assert read(tmp_path / labels)["label"].tolist() == [2, 0, 1]


def test_idx_labels_of_another_set(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(np.ones((3, 2, 2), np.uint8)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.ones(4, np.uint8)))
    with pytest.raises(DataError, match=r"3 images.*\(4,\)"):
        read(tmp_path / "train-images-idx3-ubyte")


GOOD_IDX = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("data", "error", "part"),
    [
        (GOOD_IDX[:-1], FormatError, "40 bytes"),
        (GOOD_IDX + b"x", FormatError, "40 bytes"),
        (GOOD_IDX[:9], FormatError, "within its header"),
        (GOOD_IDX[:2], FormatError, "not IDX"),
        (b"\0\0\x07\x01" + GOOD_IDX[4:], FormatError, "not IDX"),
        (b"\0\0\x08\x00" + GOOD_IDX[4:], FormatError, "not IDX"),
        (b"\0\0\x08\xff" + GOOD_IDX[4:], FormatError, "not IDX"),
        (b"a,b\n1,2\n", FormatError, "plain text, not IDX"),
        (idx_bytes(np.zeros(1, np.uint8), (2**32 - 1,) * 4), FormatError, "4294967295"),
        (idx_bytes(np.zeros(0, np.uint8), (0, 3)), DataError, "no numbers"),
        (idx_bytes(np.array([[np.inf]], dtype=">f4")), DataError, "infinite"),
    ],
)
def test_idx_refused(
    tmp_path: Path, data: bytes, error: type[ChainruleError], part: str, packed: bool
) -> None:
    file = tmp_path / "bad-ubyte"
    file.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(error, match=part) as caught:
        read(file)
    assert "bad-ubyte" in str(caught.value)


def test_idx_every_truncation_of_a_packed_file(tmp_path: Path) -> None:
    data = gzip.compress(GOOD_IDX)
    file = tmp_path / "cut-idx3-ubyte.gz"
    for end in range(1, len(data)):
        file.write_bytes(data[:end])
        with pytest.raises(FormatError, match="cut-idx3"):
            read(file)


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "f4", "f2", "i8", "<u2", ">i4", "?", "g", "u8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path: Path, dtype: str, order: Any) -> None:
    array = np.asarray(np.arange(6).reshape(3, 2) % 2, dtype=dtype, order=order)
    file = tmp_path / "a.npy"
    np.save(file, array)
    table = read(file)
    assert table.names == ("x0", "x1")
    assert table.matrix().tolist() == array.astype(float).tolist()


def test_npy_missing_is_nan(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[1.0, math.nan], [2.0, 3.0]]))
    assert read(tmp_path / "a.npy").missing_counts() == {"x1": 1}


GOOD_NPY = npy_bytes(np.eye(3))


@pytest.mark.parametrize(
    ("data", "error", "part"),
    [
        (GOOD_NPY[:-1], FormatError, "cut short"),
        (GOOD_NPY + b"x", FormatError, "cut short"),
        (GOOD_NPY[:20], FormatError, "header cannot be read"),
        (GOOD_NPY[:6] + b"\x09\x00" + GOOD_NPY[8:], FormatError, "header cannot be read"),
        (npy_bytes(np.array([[None]]), pickled=True), FormatError, "never loaded"),
        (npy_bytes(np.zeros((1, 2), dtype=[("a", "f8")])), DataError, "dtype"),
        (npy_bytes(np.eye(2) * 1j), DataError, "complex128"),
        (npy_bytes(np.zeros((1, 1), "M8[D]")), DataError, "datetime64"),
        (npy_bytes(np.array([["a"]])), DataError, "dtype"),
        (npy_bytes(np.zeros(3)), DataError, r"\(3,\).*[Rr]eshape"),
        (npy_bytes(np.zeros((2, 2, 2))), DataError, r"\(2, 2, 2\).*[Rr]eshape"),
        (npy_bytes(np.zeros((0, 3))), DataError, "no numbers"),
        (npy_bytes(np.array([[1.0, np.inf]])), DataError, "row 0, column 1 is infinite"),
        (npy_bytes(np.array([[1e4000]], "g")), DataError, "infinite"),
        (
            npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 8), }"),
            FormatError,
            "1099511627776",
        ),
        (
            npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 8), }"),
            FormatError,
            "cannot be",
        ),
        (npy_header("{'descr': '<f8', 'shape': __import__('os')}"), FormatError, "header"),
        (npy_header("[" * 3000), FormatError, "header"),
        (b"a,b\n1,2\n", FormatError, "plain text, not NPY"),
        (b"<html>", FormatError, "HTML"),
    ],
)
def test_npy_refused(tmp_path: Path, data: bytes, error: type[ChainruleError], part: str) -> None:
    file = tmp_path / "bad.npy"
    file.write_bytes(data)
    with pytest.raises(error, match=part) as caught:
        read(file)
    assert "bad.npy" in str(caught.value)


def test_npz(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    x, t = np.arange(6.0).reshape(3, 2), np.array([0, 1, 0])
    for name, arrays in (
        ("t", {"x": x, "t": t}),
        ("y", {"x": x, "y": t}),
        ("y", {"X": x, "y": t[:, None]}),
        ("answer", {"data": x, "answer": t}),
        ("t", {"x": x, "t": t, "more": x}),
        ("t", {"x": x, "t": t, "groups": t}),
        ("groups", {"x": x, "groups": t, "one": np.array(3.0)}),
    ):
        for save in (np.savez, np.savez_compressed):
            save(file, **arrays)  # type: ignore[arg-type]
            table = read(file)
            assert table.names == ("x0", "x1", name)
            assert table[name].tolist() == [0, 1, 0]
            assert open_data(file)[1] == name
            unused = [n for n in arrays if n not in ("x", "X", "data", name)]
            told = [note for note in table.notes if "not used" in note]
            assert len(told) == len(unused)
            assert all(f"{n} (" in note for n, note in zip(unused, told, strict=True))
    np.savez(file, x=np.ones((3, 1)), t=t)
    assert read(file).names == ("x0", "t")
    np.savez(file, x=x, t=np.array(["a", "b", "a"]))
    assert read_npz(file)["t"].tolist() == ["a", "b", "a"]
    np.savez(file, x=x)
    assert read(file).names == ("x0", "x1")
    assert open_data(file)[1] is None


@pytest.mark.parametrize(
    ("arrays", "part"),
    [
        ({"x": np.zeros((3, 2)), "t": np.zeros(2)}, r"3 rows.*\(2,\)"),
        ({"x": np.zeros((3, 2)), "t": np.eye(3)}, "argmax"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(4)}, r"3 rows.*y must.*\(4,\)"),
        ({"x": np.zeros((3, 2)), "a": np.zeros(3), "b": np.zeros(3)}, "several .*a, b"),
        ({"a": np.zeros((3, 2)), "b": np.eye(3)}, "one 2-D"),
        ({"x": np.zeros((3, 2, 2)), "t": np.zeros(3)}, "reshape"),
        ({"x": np.zeros(3)}, "one 2-D"),
        ({"x": np.zeros((3, 2)), "t": np.array([1, 2, 3], "M8[D]")}, "datetime64"),
    ],
)
def test_npz_refused_arrays(tmp_path: Path, arrays: dict[str, Any], part: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=part):
        read(tmp_path / "a.npz")


def test_npz_damaged(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    np.savez_compressed(file, x=np.arange(20.0).reshape(10, 2), t=np.arange(10))
    data = file.read_bytes()
    for end in range(1, len(data), 7):
        file.write_bytes(data[:end])
        with pytest.raises((FormatError, DataError), match=r"a\.npz"):
            read(file)
    middle = bytearray(data)
    middle[60] ^= 0xFF
    file.write_bytes(middle)
    with pytest.raises(FormatError, match=r"a\.npz"):
        read(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(FormatError, match="no NumPy arrays"):
        read(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", npy_bytes(np.array([[None]]), pickled=True))
    with pytest.raises(FormatError, match="never loaded"):
        read(file)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        header = npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1048576, 8), }")
        archive.writestr("x.npy", header + bytes(1000))
    with pytest.raises(FormatError, match="1048576"):
        read(file)


def test_npz_larger_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.npz"
    np.savez_compressed(file, x=np.zeros((1000, 1000)))

    def no_room(needed: int, where: str) -> None:
        raise DataError(f"{where} needs {needed}")

    monkeypatch.setattr(numpy_files, "room_for", no_room)
    with pytest.raises(DataError, match="needs 8000128"):
        read(file)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 130), st.integers(0, 255))
def test_changed_bytes_give_a_table_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes, place: int, byte: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name, good in (("z.npy", GOOD_NPY), ("z-ubyte", GOOD_IDX)):
        data = bytearray(good)
        data[place % len(data)] = byte
        file = folder / name
        for content in (bytes(data), good[: place % 30 + 4] + tail):
            file.write_bytes(content)
            message = name
            try:
                read_npy(file) if name == "z.npy" else read_idx(file)
            except (DataError, FormatError) as error:
                message = str(error)
            assert name in message
