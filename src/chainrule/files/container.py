"""The container of a model file: a safetensors file, read strictly before anything is made of it.

8 bytes: the length of the header, little-endian. The header: one JSON object, from every
tensor's name to its dtype, shape and place; and under `__metadata__` the one key "chainrule",
whose value is a JSON text about the network. Then the tensors, end to end.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import FormatError, SettingError, shown
from chainrule.files.foreign import foreign_kind

__all__ = ["Contents", "TensorInfo", "pack", "strict_json", "unpack"]

Array = npt.NDArray[Any]

KEY = "chainrule"
MAX_HEADER = 16 << 20
MAX_TENSORS = 10_000
MAX_RANK = 8
#: The kinds of numbers a network of ours is made of; uint64 is Dropout's clock.
DTYPES = {"F16": "float16", "F32": "float32", "F64": "float64", "U64": "uint64"}
_BLANK = "0" * 64
_AGAIN = "The file is damaged or was not written by chainrule; get it again, or train again."


@dataclass(frozen=True)
class TensorInfo:
    """What the header says of one tensor: its NumPy dtype, its shape, its place in the data."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Contents:
    """A container whose structure and checksum are in order."""

    description: dict[str, Any]
    infos: dict[str, TensorInfo]
    data: bytes

    def tensors(self) -> dict[str, Array]:
        """The arrays, each its own memory."""
        from safetensors.numpy import load

        return dict(load(self.data))


def pack(tensors: Mapping[str, Array], description: Mapping[str, Any]) -> bytes:
    """The file's bytes: the same for the same arrays and description.

    The description gains "sha256" as its first entry: the digest of the whole file with these
    64 digits written as 0, so that a change anywhere is found.
    """
    from safetensors.numpy import save

    for name, array in tensors.items():
        if array.dtype.name not in DTYPES.values():
            raise SettingError(
                f"{name} is of dtype {array.dtype}, and a model file holds float16, float32 and"
                " float64. Convert the network's arrays first: W.astype(numpy.float32)."
            )
        if array.ndim > MAX_RANK:
            raise SettingError(f"{name} has {array.ndim} axes, and a model file holds at most 8.")
    if len(tensors) > MAX_TENSORS:
        raise SettingError(
            f"The network has {len(tensors)} arrays, and a model file holds at most {MAX_TENSORS}."
        )
    text = json.dumps(
        {"sha256": _BLANK, **description}, allow_nan=False, ensure_ascii=True, separators=(",", ":")
    )
    # safetensors takes a pointer and a count of bytes: any array that is not contiguous would be
    # written wrong without a word.
    plain = {
        name: np.array(array, dtype=array.dtype.newbyteorder("="), order="C", copy=True)
        for name, array in tensors.items()
    }
    data = bytes(save(plain, {KEY: text}))  # one metadata key: several would vary in order
    if struct.unpack("<Q", data[:8])[0] > MAX_HEADER:
        raise SettingError(
            "The facts and names to be kept with the model are larger than 16 MiB. Keep fewer."
        )
    return data.replace(_BLANK.encode(), _digest(data, _BLANK).encode(), 1)


def unpack(data: bytes, where: str) -> Contents:
    """The container's contents, or a FormatError that says what is wrong.

    Nothing is made of the header's numbers before all of them have been checked against the
    size of the file.
    """
    infos, text = _header(data, where)
    try:
        description = strict_json(text)
    except ValueError as error:
        raise FormatError(
            f"{where}: the description of the model is no JSON ({error}). {_AGAIN}"
        ) from None
    if not isinstance(description, dict):
        raise FormatError(f"{where}: the description of the model must be an object. {_AGAIN}")
    digest = description.get("sha256")
    if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
        raise FormatError(f"{where}: the checksum is missing. {_AGAIN}")
    if _digest(data, digest) != digest:
        raise FormatError(
            f"{where}: the checksum (sha256) is wrong, so a part of the file has changed since it"
            " was written. Get it again, or train again."
        )
    del description["sha256"]
    return Contents(description, infos, data)


def _digest(data: bytes, digits: str) -> str:
    """sha256 of the file with its own digits written as 0."""
    start = data.find(digits.encode())
    whole = hashlib.sha256(data[:start])
    whole.update(_BLANK.encode())
    whole.update(memoryview(data)[start + 64 :])
    return whole.hexdigest()


def _header(data: bytes, where: str) -> tuple[dict[str, TensorInfo], str]:
    if not data:
        raise FormatError(f"{where} is empty (0 bytes), so it is no model. Get it again.")
    # Ours begins with the length of the header, of which the upper half is 0, and the header.
    other = None if data[4:9] == b"\0\0\0\0{" else foreign_kind(data)
    if other is not None:
        raise FormatError(f"{where}: this is {other[0]}, not a chainrule model. {other[1]}")
    if len(data) < 10:
        raise FormatError(f"{where} has {len(data)} bytes, too few for a model. {_AGAIN}")
    length = struct.unpack("<Q", data[:8])[0]
    if not 2 <= length <= MAX_HEADER or data[8:9] != b"{":
        raise FormatError(
            f"{where}: this is not a chainrule model (its first bytes are {data[:8].hex(' ')})."
            " A model is a file that `chainrule train` or save_model wrote."
        )
    if 8 + length > len(data):
        raise FormatError(
            f"{where} is cut short: its header is {length} bytes long, and {len(data) - 8} are"
            " there. Get it again, or train again."
        )
    try:
        header = strict_json(data[8 : 8 + length].decode("utf-8"))
    except ValueError as error:
        raise FormatError(f"{where}: the header is no JSON ({error}). {_AGAIN}") from None
    if not isinstance(header, dict):
        raise FormatError(f"{where}: the header must be an object. {_AGAIN}")
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or KEY not in metadata:
        raise FormatError(
            f"{where}: this is a safetensors file, but not one of chainrule's: it says nothing of"
            " the layers. Read its arrays with safetensors.numpy.load_file, and fill a network."
        )
    if set(metadata) != {KEY} or not isinstance(metadata[KEY], str):
        raise FormatError(f"{where}: __metadata__ must hold one text, {KEY!r}. {_AGAIN}")
    return _infos(header, len(data) - 8 - length, where), metadata[KEY]


def _infos(header: dict[str, Any], size: int, where: str) -> dict[str, TensorInfo]:
    if len(header) > MAX_TENSORS:
        raise FormatError(f"{where} has {len(header)} tensors; at most {MAX_TENSORS} are read.")
    infos = {}
    for name, entry in header.items():
        infos[name] = _info(name, entry, where)
    position = 0
    for name, info in sorted(infos.items(), key=lambda item: (item[1].start, item[1].end)):
        if info.start != position:
            raise FormatError(
                f"{where}: tensor {shown(name)} begins at byte {info.start} of the data, where byte"
                f" {position} was due: tensors must lie end to end. {_AGAIN}"
            )
        position = info.end
    if position != size:
        what = "is cut short" if size < position else "has bytes after its end"
        raise FormatError(
            f"{where} {what}: its tensors take {position} bytes, and {size} are there."
            " Get it again, or train again."
        )
    return infos


def _info(name: str, entry: Any, where: str) -> TensorInfo:
    place = f"{where}: tensor {shown(name)}"
    if not name or any(ord(letter) < 32 for letter in name) or re.search(r"\.\.|[/\\]", name):
        raise FormatError(f"{place} has a name that is not allowed. {_AGAIN}")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise FormatError(f"{place} must have dtype, shape and data_offsets only. {_AGAIN}")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in DTYPES:
        raise FormatError(
            f"{place} is of dtype {shown(code)}; a model has {', '.join(DTYPES)}. {_AGAIN}"
        )
    if not _whole_numbers(shape) or len(shape) > MAX_RANK:
        raise FormatError(f"{place} has the shape {shown(shape)}, which cannot be. {_AGAIN}")
    if not _whole_numbers(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise FormatError(f"{place} has the place {shown(offsets)}, which cannot be. {_AGAIN}")
    dtype = DTYPES[code]
    needed = math.prod(shape) * np.dtype(dtype).itemsize
    if offsets[1] - offsets[0] != needed:
        raise FormatError(
            f"{place} of shape {tuple(shape)} and {dtype} takes {needed} bytes, and the header gives"
            f" it {offsets[1] - offsets[0]}. {_AGAIN}"
        )
    return TensorInfo(dtype, tuple(shape), offsets[0], offsets[1])


def _whole_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**53 for n in value)


def strict_json(text: str) -> Any:
    """The JSON value of a text; ValueError for repeated keys, NaN, infinity, and deep nesting."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shown(twice)} occurs twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
