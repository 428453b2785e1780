"""Where the columns of a table lie: in memory, or in files without a name on disk.

A table larger than memory has its columns on disk: NumPy maps the files, so that the same code
reads them, and the system drops the pages that are not in use. The files have no name, so that
nobody else can open them, and the space is free again when the last array is gone, however the
process ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import IO, Any, Protocol

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError
from chainrule.lang.messages import _

__all__ = [
    "BLOCK",
    "DISK",
    "MEMORY",
    "Growing",
    "Storage",
    "on_disk",
    "room_on_disk",
    "slices",
    "taken",
]

Array = npt.NDArray[Any]
Blocks = list[tuple[list[str], Array]]

#: Rows that are read from disk at once.
BLOCK = 1 << 16


class Growing(Protocol):
    """A column of numbers that is appended to, chunk by chunk."""

    def append(self, chunk: Array) -> None:
        """Add cells at the end."""

    def array(self) -> Array:
        """All cells (n,), as integers if every chunk is one of integers, else as float64."""


class Storage(Protocol):
    """Makes the arrays of a table."""

    #: The most distinct texts of a column that are kept apart; None for any number.
    most_texts: int | None

    def empty(self, shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """An array whose contents are undefined."""

    def growing(self) -> Growing:
        """A new column of numbers."""

    def blocks(self, columns: Iterable[tuple[str, Growing]]) -> Blocks:
        """The columns as blocks (n, k) of one dtype each, with their names."""


class _Chunks:
    """A growing column in memory; each chunk keeps its small dtype until the end."""

    def __init__(self) -> None:
        self.chunks: list[Array] = []

    def append(self, chunk: Array) -> None:
        self.chunks.append(chunk)

    def array(self) -> Array:
        return np.concatenate(self.chunks)


class _Memory:
    most_texts: int | None = None

    def empty(self, shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        return np.empty(shape, dtype)

    def growing(self) -> _Chunks:
        return _Chunks()

    def blocks(self, columns: Iterable[tuple[str, Growing]]) -> Blocks:
        """Columns of one dtype are one block, so that 784 columns of pixels are one array."""
        by_type: dict[np.dtype[Any], list[tuple[str, _Chunks]]] = {}
        for name, column in columns:
            assert isinstance(column, _Chunks)
            dtype = np.result_type(*{chunk.dtype for chunk in column.chunks})
            by_type.setdefault(dtype, []).append((name, column))
        blocks = []
        for dtype, members in by_type.items():
            rows = sum(map(len, members[0][1].chunks))
            block = np.empty((rows, len(members)), dtype)
            for k, (_name, column) in enumerate(members):
                np.concatenate(column.chunks, out=block[:, k], casting="unsafe")
                column.chunks.clear()
            blocks.append(([name for name, _column in members], block))
        return blocks


class _File:
    """A growing column on disk, 8 bytes a cell."""

    def __init__(self) -> None:
        self.file = _new_file()
        self.count = 0
        #: How many cells from the start on are integers.
        self.whole = 0

    def append(self, chunk: Array) -> None:
        if self.whole == self.count and chunk.dtype.kind in "iu":
            self.whole += len(chunk)
            data = chunk.astype(np.int64, copy=False)
        else:
            data = chunk.astype(np.float64, copy=False)
        try:
            self.file.write(data.tobytes())
        except OSError as problem:
            raise _no_space(problem) from None
        self.count += len(chunk)

    def array(self) -> Array:
        try:
            self.file.flush()
        except OSError as problem:
            raise _no_space(problem) from None
        if self.whole == self.count:
            return _mapped(self.file, np.dtype(np.int64), (self.count,))
        values = _mapped(self.file, np.dtype(np.float64), (self.count,))
        whole = values.view(np.int64)
        for part in slices(self.whole):
            values[part] = whole[part].copy()
        return values

    def __del__(self) -> None:
        self.file.close()


class _Disk:
    most_texts: int | None = 250_000

    def empty(self, shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        shape = (shape,) if isinstance(shape, int) else shape
        kind = np.dtype(dtype)
        size = max(1, int(np.prod(shape, dtype=object)) * kind.itemsize)
        room_on_disk(size)
        file = _new_file()
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        except OSError as problem:
            file.close()
            raise _no_space(problem) from None
        return _mapped(file, kind, shape)

    def growing(self) -> _File:
        return _File()

    def blocks(self, columns: Iterable[tuple[str, Growing]]) -> Blocks:
        """Each column is a block of its own, since it is read alone more often than with others."""
        return [([name], column.array().reshape(-1, 1)) for name, column in columns]


MEMORY: Storage = _Memory()
DISK: Storage = _Disk()


def on_disk(array: Array) -> bool:
    """Whether an array is a mapped file."""
    return isinstance(array, np.memmap)


def taken(array: Array, rows: slice | npt.NDArray[np.intp]) -> Array:
    """array[rows]. Rows by index of an array on disk are on disk, too; a slice of one is in memory.

    >>> taken(np.arange(5), np.array([3, 0])).tolist()
    [3, 0]
    """
    if isinstance(rows, slice):
        return np.array(array[rows]) if on_disk(array) else array[rows]
    if not on_disk(array):
        return array[rows]
    out = DISK.empty((len(rows), *array.shape[1:]), array.dtype)
    for part in slices(len(rows)):
        out[part] = array[rows[part]]
    return out


def room_on_disk(needed: int) -> None:
    """Raise a DataError if there is less space for temporary files than `needed` bytes."""
    import shutil

    folder = _folder()
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            _(
                "the data is larger than memory, and needs {needed:.3g} GiB for temporary files in {folder},"
                " where {free:.3g} GiB are free. Free some space, or set TMPDIR to a folder on a larger"
                " disk.",
                needed=needed / 2**30,
                free=free / 2**30,
                folder=folder,
            )
        )


def _folder() -> str:
    """The folder of temporary files: of TMPDIR, else /var/tmp, as /tmp is often memory."""
    if not os.environ.get("TMPDIR") and os.access("/var/tmp", os.W_OK):  # noqa: S108 - nameless
        return "/var/tmp"  # noqa: S108
    import tempfile

    return tempfile.gettempdir()


def _new_file() -> IO[bytes]:
    import tempfile

    try:
        return tempfile.TemporaryFile(dir=_folder())
    except OSError as problem:
        raise _no_space(problem) from None


def _no_space(problem: OSError) -> DataError:
    return DataError(
        _(
            "the data is larger than memory, and temporary files cannot be written in {folder}: {problem}."
            " Free some space, or set TMPDIR to a folder on a larger disk.",
            folder=_folder(),
            problem=problem.strerror or problem,
        )
    )


def _mapped(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    if 0 in shape:
        file.close()
        return np.empty(shape, dtype)
    array = np.memmap(file, dtype, "r+", shape=shape)
    file.close()  # the map stays
    return array


def slices(count: int) -> Iterator[slice]:
    """The slices of so many rows, BLOCK rows each."""
    return (slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))
