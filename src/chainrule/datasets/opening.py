"""Reading a file's bytes safely: checks of its kind, its size, and its compression."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from chainrule.errors import DataError, FormatError
from chainrule.file_kinds import address_advice, file_kind, kind_name
from chainrule.lang.messages import Spelled, Text, _, _n
from chainrule.memory import memory_limit

__all__ = [
    "cannot_be_read",
    "changed",
    "damaged_gzip",
    "fetch",
    "refuse_address",
    "refuse_others",
    "regular_file",
    "room_for",
    "unpacked",
]

Pathish = str | os.PathLike[str]

#: What to do with a file of a kind that is no table.
ADVICE = {
    "HTML": _("Download the file itself, not the page that shows it."),
    "gzip": _("Give it a name that ends in .gz, such as data.csv.gz."),
    "zip": Spelled(
        _("Unpack it first (an Excel workbook: give it a name that ends in .xlsx)."),
        page=_("Unpack it first (an Excel workbook: save it as CSV)."),
    ),
    "npy": _("Give it a name that ends in .npy."),
    "IDX": _("Give it a name that ends in .idx or -ubyte."),
    "text": _("Give it a name that ends in .csv."),
    "JSON": _("Convert it to CSV first."),
    "Git LFS": _("Get the file itself: git lfs pull."),
    "Parquet": Spelled(
        _("Give it a name that ends in .parquet."), page=_("If it is a table, save it as CSV.")
    ),
    "SQLite": Spelled(
        _("Give it a name that ends in .sqlite."), page=_("If it is a table, save it as CSV.")
    ),
    "Office": Spelled(
        _("Give it a name that ends in .xls."), page=_("If it is a table, save it as CSV.")
    ),
}


def fetch(path: Pathish) -> bytes:
    """All bytes of a regular file.

    Raises:
        DataError: no such file, a folder, a device or pipe, no permission, an empty file, more
            than fits into memory, or a file that changed while it was read.
    """
    before = regular_file(path)
    room_for(before.st_size, os.fspath(path))
    with _readable(path):
        with open(path, "rb") as file:
            data = file.read()
        after = os.stat(path)
    if changed(before, after) or len(data) != before.st_size:
        raise _has_changed(path)
    return data


def regular_file(path: Pathish, before: os.stat_result | None = None) -> os.stat_result:
    """What the system says of a regular file that is not empty, and still as `before`.

    Raises:
        DataError: as `fetch`.
    """
    where = os.fspath(path)
    with _readable(path):
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise DataError(
                _("{where} is a folder, not a file. Name a file inside it.", where=where)
            )
        if not stat.S_ISREG(status.st_mode):
            raise DataError(
                _(
                    "{where} is a device or a pipe, not a regular file. Save its contents to a file first,"
                    " then give that file.",
                    where=where,
                )
            )
        if status.st_size == 0:
            raise DataError(
                _("{where} is empty (0 bytes). A table needs a row of names and data.", where=where)
            )
    if before is not None and changed(before, status):
        raise _has_changed(path)
    return status


def changed(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether a file was written to in between."""
    return (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)


def _has_changed(path: Pathish) -> DataError:
    where = os.fspath(path)
    return DataError(
        _("{where} changed while it was read. Try again when it is complete.", where=where)
    )


def refuse_address(where: str) -> None:
    """Raise a DataError if this is an address on the network. It is not repeated: it may hold secrets."""
    advice = address_advice(where)
    if advice is not None:
        raise DataError(_("this is an address: {advice}.", advice=advice))


@contextmanager
def _readable(path: Pathish) -> Iterator[None]:
    """Within it, an error of the system about this file becomes a DataError."""
    where = os.fspath(path)
    try:
        yield
    except FileNotFoundError:
        refuse_address(where)
        raise DataError(
            _("{where}: there is no such file. Check the name and the folder.", where=where)
        ) from None
    except PermissionError:
        raise DataError(
            _(
                "{where} may not be read: no permission. Change its permissions, or copy it.",
                where=where,
            )
        ) from None
    except (OSError, ValueError) as problem:
        if isinstance(problem, DataError):
            raise
        raise cannot_be_read(path, problem) from None


def cannot_be_read(path: Pathish, problem: object) -> DataError:
    """The error for a file that the system, or a package, cannot read."""
    where = os.fspath(path)
    return DataError(_("{where} cannot be read: {problem}.", where=where, problem=problem))


def room_for(needed: int, where: str) -> None:
    """Raise a DataError if `needed` bytes are more than three quarters of the memory there is."""
    memory = memory_limit()
    if needed > memory * 3 // 4:
        raise DataError(
            _(
                "{where} needs about {needed} of memory; {memory} may be used. Take fewer rows or"
                " columns, or split the file.",
                where=where,
                needed=_size(needed),
                memory=_size(memory),
            )
        )


def unpacked(data: bytes, where: str, limit: int | None = None) -> bytes:
    """The decompressed contents of a gzip file, at most `limit` + 1 bytes.

    Raises:
        FormatError: damaged or cut short.
        DataError: without a limit, more than a quarter of this machine's memory.
    """
    import gzip
    import io
    import zlib

    most = memory_limit() // 4 if limit is None else limit
    parts: list[bytes] = []
    left = most + 1
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while left > 0 and (part := file.read(min(left, 1 << 22))):
                parts.append(part)
                left -= len(part)
    except (EOFError, OSError, zlib.error):
        raise damaged_gzip(where, sum(map(len, parts))) from None
    if left <= 0 and limit is None:
        raise DataError(
            _(
                "{where} unpacks to more than {most}, a quarter of this machine's memory. Take fewer rows or"
                " columns, or split the file.",
                where=where,
                most=_size(most),
            )
        )
    return b"".join(parts)


def damaged_gzip(where: str, count: int) -> FormatError:
    """The error for a gzip file that breaks off after so many unpacked bytes."""
    return FormatError(
        _n(
            "{where}: the gzip file is damaged or cut short (it breaks off after {n} unpacked byte)."
            " Get it again.",
            "{where}: the gzip file is damaged or cut short (it breaks off after {n} unpacked bytes)."
            " Get it again.",
            count,
            where=where,
        )
    )


def refuse_others(data: bytes, where: str, wanted: str, allowed: tuple[str, ...]) -> None:
    """Raise a FormatError that names the kind of `data` unless it is one of `allowed`."""
    kind = file_kind(data)
    if kind in allowed:
        return
    raise FormatError(
        _(
            "{where}: this is {kind}, not {wanted}. {advice}",
            where=where,
            kind=kind_name(kind),
            wanted=wanted,
            advice=ADVICE.get(kind) or _("Convert it to {wanted}.", wanted=wanted),
        )
    )


def _size(count: float) -> Text | str:
    if count < 1024:
        return _("{count:.3g} bytes", count=count)
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.3g} {unit}"
    return f"{count / 1024:.3g} TiB"
