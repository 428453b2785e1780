"""The Arrow C interface: its structures, and the chunks of a stream.

An object with `__arrow_c_stream__` (polars, pyarrow, DuckDB, …) hands its columns over as pointers
to three plain C structures, so that they are read without any package. See
https://arrow.apache.org/docs/format/CStreamInterface.html.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError
from chainrule.lang.messages import _

__all__ = ["ArrowArray", "ArrowSchema", "Chunk", "chunks_of", "metadata_of"]

Pointer = ctypes.c_void_p


class ArrowSchema(ctypes.Structure):
    """The type of a column."""


class ArrowArray(ctypes.Structure):
    """The buffers of a chunk."""


class _Stream(ctypes.Structure):
    pass


_release = {kind: ctypes.CFUNCTYPE(None, Pointer) for kind in (ArrowSchema, ArrowArray, _Stream)}

ArrowSchema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", Pointer),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(ArrowSchema))),
    ("dictionary", ctypes.POINTER(ArrowSchema)),
    ("release", _release[ArrowSchema]),
    ("private_data", Pointer),
]
ArrowArray._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(Pointer)),
    ("children", ctypes.POINTER(ctypes.POINTER(ArrowArray))),
    ("dictionary", ctypes.POINTER(ArrowArray)),
    ("release", _release[ArrowArray]),
    ("private_data", Pointer),
]
_Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, Pointer, Pointer)),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, Pointer, Pointer)),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, Pointer)),
    ("release", _release[_Stream]),
    ("private_data", Pointer),
]


class Chunk:
    """`length` cells of an array, from its cell `start` on.

    Its arrays are views of memory that is freed when the next chunk is taken.
    """

    def __init__(self, array: ArrowArray, start: int, length: int) -> None:
        self.array, self.start, self.length = array, start, length

    def buffer(self, i: int, dtype: npt.DTypeLike, count: int) -> npt.NDArray[Any]:
        """The first `count` items of buffer i."""
        kind = np.dtype(dtype)
        address = self.array.buffers[i] if i < self.array.n_buffers else None
        if not count or not address:
            return np.zeros(count, kind)
        memory = (ctypes.c_char * (count * kind.itemsize)).from_address(address)
        return np.ndarray(count, kind, memoryview(memory))

    def cells(self, i: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """The chunk's own items of buffer i, one for each cell."""
        return self.buffer(i, dtype, self.start + self.length)[self.start :]

    def bits(self, i: int) -> npt.NDArray[np.bool_]:
        """The chunk's own bits of buffer i."""
        last = self.start + self.length
        packed = self.buffer(i, np.uint8, -(-last // 8))
        unpacked = np.unpackbits(packed, count=last, bitorder="little")
        return unpacked[self.start :].astype(bool)

    def gaps(self) -> npt.NDArray[np.bool_] | None:
        """Where cells are null; None if none is."""
        if not self.array.null_count or not self.array.n_buffers or not self.array.buffers[0]:
            return None
        gaps = ~self.bits(0)
        return gaps if gaps.any() else None


def metadata_of(schema: ArrowSchema) -> dict[bytes, bytes]:
    """The metadata of a column, by key."""
    at = schema.metadata
    if not at:
        return {}

    def number() -> int:
        nonlocal at
        value = ctypes.c_int32.from_address(at).value
        at += 4
        return value

    def text() -> bytes:
        nonlocal at
        size = number()
        at += size
        return ctypes.string_at(at - size, size)

    return {text(): text() for _pair in range(number())}


def chunks_of(data: Any, source: str) -> Iterator[tuple[ArrowSchema, list[Chunk]]]:
    """The schema and the columns of every batch of a stream; first the schema with no columns.

    A stream of plain arrays (a Series, a chunked array) has one column, its schema's own.

    Raises:
        DataError: the stream fails, for instance since the file under it is damaged.
    """
    capsule = data.__arrow_c_stream__()
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = Pointer, [ctypes.py_object, ctypes.c_char_p]
    address = pointer(capsule, b"arrow_array_stream")
    stream = _Stream.from_address(address)
    schema = ArrowSchema()

    def call(function: Callable[[int, Any], int], into: ctypes.Structure) -> None:
        if function(address, ctypes.addressof(into)):
            why = stream.get_last_error(address) or b""
            raise DataError(
                _(
                    "{source}: the frame's columns cannot be read: {problem}.",
                    source=source,
                    problem=why.decode("utf-8", "replace").split("\n")[0].rstrip("."),
                )
            )

    call(stream.get_schema, schema)
    try:
        yield schema, []
        while True:
            batch = ArrowArray()
            call(stream.get_next, batch)
            if not batch.release:
                return
            try:
                yield schema, _columns(schema, batch)
            finally:
                batch.release(ctypes.addressof(batch))
    finally:
        schema.release(ctypes.addressof(schema))
        del capsule  # frees the stream


def _columns(schema: ArrowSchema, batch: ArrowArray) -> list[Chunk]:
    if schema.format != b"+s":
        return [Chunk(batch, batch.offset, batch.length)]
    children = [batch.children[i].contents for i in range(batch.n_children)]
    return [Chunk(child, child.offset + batch.offset, batch.length) for child in children]
