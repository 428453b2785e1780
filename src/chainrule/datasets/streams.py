"""A text file that is read line by line, since it is too large for memory."""

from __future__ import annotations

import codecs
import io
import itertools
import os
import zlib
from collections.abc import Iterator
from functools import partial
from typing import IO, Any, cast

from chainrule.datasets.encodings import as_utf8, not_this_encoding, refuse_nul
from chainrule.datasets.opening import Pathish, cannot_be_read, changed, damaged_gzip, regular_file
from chainrule.datasets.rules import Reading
from chainrule.errors import FormatError
from chainrule.lang.messages import _

__all__ = ["TextStream"]

#: The bytes whose rows show the layout.
HEAD = 1 << 22
CHUNK = 1 << 20
#: The most letters of a line.
LONGEST = 1 << 24


class TextStream:
    """The lines of a text file, decoded while they are read.

    `head`, its first 4 MiB as UTF-8, ends where a row ends; `lines` begins anew at every call.
    """

    def __init__(self, path: Pathish, reading: Reading) -> None:
        self.path, self.source = path, os.fspath(path)
        self.packed = self.source.lower().endswith(".gz")
        self.status = regular_file(path)
        data = self._first_bytes()
        self.encoding = encoding = reading.encoding_of(data)
        self.name = codecs.lookup(encoding).name if _known(encoding) else encoding
        if self.name == "utf-8":
            self.name = "utf-8-sig"
        self.head = self._head(data)

    def _open(self) -> IO[bytes]:
        if not self.packed:
            return open(self.path, "rb")
        import gzip

        return cast(IO[bytes], gzip.open(self.path, "rb"))

    def _first_bytes(self) -> bytes:
        with self._open() as file:
            try:
                return file.read(HEAD)
            except (EOFError, OSError, zlib.error):
                raise damaged_gzip(self.source, file.tell()) from None

    def _head(self, data: bytes) -> bytes:
        if self.name.startswith(("utf-16", "utf-32")) and len(data) == HEAD:
            text = codecs.getincrementaldecoder(self.name)("replace").decode(data)
            return _whole_rows(text.removeprefix("\ufeff").encode("utf-8", "surrogatepass"))
        if len(data) == HEAD:
            data = data[: data.rfind(b"\n") + 1] or data
        return _whole_rows(as_utf8(data, self.source, self.encoding))

    def lines(self, skip: int = 0) -> Iterator[str]:
        """The lines with their ends, without the first `skip`.

        Raises:
            DataError: the file has changed since it was first opened.
            FormatError: bytes that are no text in this encoding, or a damaged packed file.
        """
        with self._open() as file:
            wide = self.name.startswith(("utf-16", "utf-32"))
            raw: Any = file if wide else _WithoutNul(file, self.source)
            text = io.TextIOWrapper(io.BufferedReader(raw, CHUNK), self.name, "strict", newline="")
            try:
                for line in itertools.islice(iter(partial(text.readline, LONGEST), ""), skip, None):
                    if len(line) == LONGEST:
                        raise _too_long(self.source)
                    yield line
            except UnicodeDecodeError:
                self._raise_undecodable()
            except (EOFError, OSError, zlib.error) as problem:
                if not self.packed:
                    raise cannot_be_read(self.path, problem) from None
                raise damaged_gzip(self.source, file.tell()) from None
        if changed(self.status, os.stat(self.path)):
            regular_file(self.path, self.status)

    def _raise_undecodable(self) -> None:
        """Raise for the first bytes that the encoding does not have, with their line."""
        decoder = codecs.getincrementaldecoder(self.name)()
        before = lines = 0
        with self._open() as file:
            while True:
                data = file.read(CHUNK)
                left = decoder.getstate()[0]
                try:
                    decoder.decode(data, final=not data)
                except UnicodeDecodeError as problem:
                    near = left + data
                    at = problem.start
                    line = lines + near.count(b"\n", 0, at) + 1
                    raise not_this_encoding(
                        self.source, self.encoding, near, at, before - len(left) + at, line
                    ) from None
                if not data:
                    return
                before += len(data)
                lines += (left + data).count(b"\n") - decoder.getstate()[0].count(b"\n")


class _WithoutNul(io.RawIOBase):
    """The bytes of a file, which must not hold a NUL byte."""

    def __init__(self, file: IO[bytes], source: str) -> None:
        self.file, self.source = file, source
        self.before = self.newlines = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.file.read(len(buffer))
        refuse_nul(data, self.source, self.before, self.newlines)
        self.before += len(data)
        self.newlines += data.count(b"\n")
        buffer[: len(data)] = data
        return len(data)


def _too_long(source: str) -> FormatError:
    return FormatError(
        _(
            "{source}: a line is longer than {limit:,} characters, so this is no table of rows. Give every"
            " row a line of its own.",
            source=source,
            limit=LONGEST,
        )
    )


def _known(encoding: str) -> bool:
    try:
        codecs.lookup(encoding)
    except (LookupError, TypeError, ValueError):
        return False
    return True


def _whole_rows(data: bytes) -> bytes:
    """The data up to a line end that is outside quotes."""
    if len(data) < HEAD // 2:
        return data
    cut = len(data)
    for _line in range(1000):
        cut = data.rfind(b"\n", 0, cut - 1) + 1
        if cut < 2 or data.count(b'"', 0, cut) % 2 == 0:
            break
    return data[:cut] if cut > 1 else data
