"""The container of a model file: a safetensors file, checked completely before it is used.

8 bytes: the length of the header, little-endian. The header: one JSON object that maps every
tensor's name to its dtype, shape and offsets; under `__metadata__` it has the single key
"chainrule", whose value is a JSON text about the network. Then the tensors, end to end.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from chainrule.errors import FormatError, SettingError, shown
from chainrule.graph.variable import Array
from chainrule.lang.messages import Text, _, listed, sentences
from chainrule.storage.foreign import foreign_kind

__all__ = ["Contents", "pack", "strict_json", "unpack"]


KEY = "chainrule"
MAX_HEADER = 16 << 20
MAX_TENSORS = 10_000
MAX_RANK = 8
#: The dtypes of arrays in a network; uint64 is that of Dropout's clock.
DTYPES = {"F16": "float16", "F32": "float32", "F64": "float64", "U64": "uint64"}
_BLANK = "0" * 64
_AGAIN = _("The file is damaged or was not written by chainrule; get it again, or train again.")
_FETCH = _("Get it again, or train again.")


@dataclass(frozen=True)
class Contents:
    """A container whose structure and checksum have been checked."""

    description: dict[str, Any]
    #: The arrays by name, each in its own memory.
    tensors: dict[str, Array]


def pack(tensors: Mapping[str, Array], description: Mapping[str, object]) -> bytes:
    """The file's bytes; equal arrays and descriptions give equal bytes.

    The description gets "sha256" as its first entry: the digest of the whole file with these
    64 digits written as 0, so that any change of the file is detected.
    """
    from safetensors.numpy import save

    for name, array in tensors.items():
        if array.dtype.name not in DTYPES.values():
            raise SettingError(
                _(
                    "{name} is of dtype {dtype}, and a model file holds float16, float32 and float64."
                    " Convert the network's arrays first: W.astype(numpy.float32).",
                    name=name,
                    dtype=array.dtype,
                )
            )
        if array.ndim > MAX_RANK:
            raise SettingError(
                _("{name} has {n} axes, and a model file holds at most 8.", name=name, n=array.ndim)
            )
    if len(tensors) > MAX_TENSORS:
        raise SettingError(
            _(
                "The network has {n} arrays, and a model file holds at most {most}.",
                n=len(tensors),
                most=MAX_TENSORS,
            )
        )
    text = json.dumps(
        {"sha256": _BLANK, **description}, allow_nan=False, ensure_ascii=True, separators=(",", ":")
    )
    # safetensors copies bytes from a pointer: it would silently write a non-contiguous array
    # wrong.
    plain = {
        name: np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")
        for name, array in tensors.items()
    }
    data = bytes(save(plain, {KEY: text}))  # one metadata key: several would vary in order
    if struct.unpack("<Q", data[:8])[0] > MAX_HEADER:
        raise SettingError(
            _("The facts and names to be kept with the model are larger than 16 MiB. Keep fewer.")
        )
    return data.replace(_BLANK.encode(), _digest(data, _BLANK).encode(), 1)


def unpack(data: bytes, where: str) -> Contents:
    """The container's contents, or a FormatError with the reason."""
    text = _description(data, where)
    tensors = _tensors(data, where)
    try:
        description = strict_json(text)
    except ValueError as error:
        reason = _reason(error)
        raise _damaged(
            _("{where}: the description of the model is no JSON ({why}).", where=where, why=reason)
        ) from None
    if not isinstance(description, dict):
        raise _damaged(_("{where}: the description of the model must be an object.", where=where))
    digest = description.get("sha256")
    if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
        raise _damaged(_("{where}: the checksum is missing.", where=where))
    if _digest(data, digest) != digest:
        changed = _(
            "{where}: the checksum (sha256) is wrong, so a part of the file has changed since it was"
            " written.",
            where=where,
        )
        raise FormatError(sentences(changed, _FETCH))
    del description["sha256"]
    return Contents(description, tensors)


def _damaged(what: Text) -> FormatError:
    """The error for a damaged model file."""
    return FormatError(sentences(what, _AGAIN))


def _reason(error: ValueError) -> str:
    """The text of an error; a translatable message if it is one of chainrule's."""
    message = error.args[0]
    return message if isinstance(message, Text) else str(error)


def _digest(data: bytes, digits: str) -> str:
    """sha256 of the file with the digits of its checksum written as 0."""
    start = data.find(digits.encode())
    whole = hashlib.sha256(data[:start])
    whole.update(_BLANK.encode())
    whole.update(memoryview(data)[start + 64 :])
    return whole.hexdigest()


def _description(data: bytes, where: str) -> str:
    """The text about the network in the header."""
    if not data:
        raise FormatError(
            _("{where} is empty (0 bytes), so it is no model. Get it again.", where=where)
        )
    # A model file begins with the header's length, whose upper four bytes are 0, and "{".
    other = None if data[4:9] == b"\0\0\0\0{" else foreign_kind(data)
    if other is not None:
        kind, advice = other
        what = _("{where}: this is {kind}, not a chainrule model.", where=where, kind=kind)
        raise FormatError(sentences(what, advice))
    if len(data) < 10:
        raise _damaged(_("{where} has {n} bytes, too few for a model.", where=where, n=len(data)))
    length = struct.unpack("<Q", data[:8])[0]
    if not 2 <= length <= MAX_HEADER or data[8:9] != b"{":
        raise FormatError(
            _(
                "{where}: this is not a chainrule model (its first bytes are {bytes}). A model is a"
                " file that `chainrule train` or save_model wrote.",
                where=where,
                bytes=data[:8].hex(" "),
            )
        )
    if 8 + length > len(data):
        short = _(
            "{where} is cut short: its header is {length} bytes long, and {there} are there.",
            where=where,
            length=length,
            there=len(data) - 8,
        )
        raise FormatError(sentences(short, _FETCH))
    try:
        header = strict_json(data[8 : 8 + length].decode("utf-8"))
    except ValueError as error:
        raise _damaged(
            _("{where}: the header is no JSON ({why}).", where=where, why=_reason(error))
        ) from None
    if not isinstance(header, dict):
        raise _damaged(_("{where}: the header must be an object.", where=where))
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or KEY not in metadata:
        raise FormatError(
            _(
                "{where}: this is a safetensors file, but not one of chainrule's: it says nothing of"
                " the layers. Read its arrays with safetensors.numpy.load_file, and fill a network.",
                where=where,
            )
        )
    if set(metadata) != {KEY} or not isinstance(metadata[KEY], str):
        raise _damaged(
            _("{where}: __metadata__ must hold one text, {key!r}.", where=where, key=KEY)
        )
    if len(header) > MAX_TENSORS:
        raise FormatError(
            _(
                "{where} has {n} tensors; at most {most} are read.",
                where=where,
                n=len(header),
                most=MAX_TENSORS,
            )
        )
    text: str = metadata[KEY]
    return text


def _tensors(data: bytes, where: str) -> dict[str, Array]:
    """The arrays, which safetensors checks: offsets, sizes, and that they fill the file."""
    from safetensors import SafetensorError, deserialize

    try:
        found = dict(deserialize(data))  # type: ignore[no-untyped-call]
        for name, tensor in found.items():
            if tensor["dtype"] not in DTYPES or len(tensor["shape"]) > MAX_RANK:
                raise _damaged(
                    _(
                        "{where}: tensor {name} of shape {shape} is of dtype {code}; a model has {known},"
                        " and at most {most} axes.",
                        where=where,
                        name=shown(name),
                        shape=tensor["shape"],
                        code=tensor["dtype"],
                        known=listed(DTYPES),
                        most=MAX_RANK,
                    )
                )
        return {name: _array(**tensor) for name, tensor in found.items()}
    except (SafetensorError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        unfit = _(
            "{where}: the header does not fit the tensors: the file is damaged, cut short, or has bytes"
            " after its end.",
            where=where,
        )
        raise FormatError(sentences(unfit, _FETCH)) from error


def _array(dtype: str, shape: list[int], data: bytearray) -> Array:
    stored = np.frombuffer(data, np.dtype(DTYPES[dtype]).newbyteorder("<"))
    return stored.astype(DTYPES[dtype], copy=False).reshape(shape)


def strict_json(text: str) -> object:
    """The JSON value of a text; ValueError for repeated keys, NaN, infinity, and deep nesting."""
    try:
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError(_("nested too deeply")) from None


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [pair[0] for pair in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(_("the key {key} occurs twice", key=shown(twice)))
    return result


def _no_constant(name: str) -> NoReturn:
    raise ValueError(_("{name} is no number of JSON", name=name))
