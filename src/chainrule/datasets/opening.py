"""Getting a file's bytes safely: what kind of thing it is, how large, packed or not."""

from __future__ import annotations

import os
import re
import stat

from chainrule.errors import DataError, FormatError

__all__ = ["fetch", "kind_of", "refuse_others", "room_for", "unpacked"]

Pathish = str | os.PathLike[str]

KINDS = (
    (b"\x1f\x8b", "gzip"),
    (b"\x93NUMPY", "npy"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow/Feather"),
    (b"\x89HDF", "HDF5"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word document"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
ADVICE = {
    "HTML": "Download the file itself, not the page that shows it.",
    "gzip": "Give it a name that ends in .gz, such as data.csv.gz.",
    "zip": "Unpack it first (an Excel workbook: save it as CSV).",
    "npy": "Give it a name that ends in .npy.",
    "IDX": "Give it a name that ends in .idx or -ubyte.",
    "JSON": "Convert it to CSV first.",
    "Parquet": "Convert it first: pandas.read_parquet(path).to_csv('data.csv', index=False).",
}


def fetch(path: Pathish) -> bytes:
    """All bytes of a regular file that stays the same while it is read.

    Raises:
        DataError: no such file, a folder, a device or pipe, no permission, empty, more
            than fits into memory, or changed while it was read.
    """
    where = os.fspath(path)
    try:
        before = os.stat(path)
        if stat.S_ISDIR(before.st_mode):
            raise DataError(f"{where} is a folder, not a file. Name a file inside it.")
        if not stat.S_ISREG(before.st_mode):
            raise DataError(
                f"{where} is a device or a pipe, not a regular file. "
                "Save its contents to a file first, then give that file."
            )
        if before.st_size == 0:
            raise DataError(f"{where} is empty (0 bytes). A table needs a row of names and data.")
        room_for(before.st_size, where)
        with open(path, "rb") as file:
            data = file.read()
        after = os.stat(path)
    except FileNotFoundError:
        raise DataError(f"{where}: there is no such file. Check the name and the folder.") from None
    except PermissionError:
        raise DataError(
            f"{where} may not be read: no permission. Change its permissions, or copy it."
        ) from None
    except (OSError, ValueError) as problem:
        if isinstance(problem, DataError):
            raise
        raise DataError(f"{where} cannot be read: {problem}.") from None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(
        data
    ) != before.st_size:
        raise DataError(f"{where} changed while it was read. Try again when it is complete.")
    return data


def room_for(needed: int, where: str) -> None:
    """Refuse what needs more than three quarters of this machine's memory."""
    memory = physical_memory()
    if needed > memory * 3 // 4:
        raise DataError(
            f"{where} needs about {_size(needed)} of memory; this machine has {_size(memory)}. "
            "Take fewer rows or columns, or split the file."
        )


def physical_memory() -> int:
    """This machine's memory in bytes; 8 GiB where it cannot be asked for."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 8 << 30


def unpacked(data: bytes, where: str, limit: int | None = None) -> bytes:
    """What a gzip file holds, at most `limit` bytes and one more.

    Raises:
        FormatError: damaged or cut short.
        DataError: more than memory holds, when there is no limit.
    """
    import gzip
    import io
    import zlib

    most = physical_memory() // 4 if limit is None else limit
    parts: list[bytes] = []
    left = most + 1
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while left > 0 and (part := file.read(min(left, 1 << 22))):
                parts.append(part)
                left -= len(part)
    except (EOFError, OSError, zlib.error):
        got = sum(map(len, parts))
        raise FormatError(
            f"{where}: the gzip file is damaged or cut short (it breaks off after "
            f"{got} unpacked bytes). Get it again."
        ) from None
    if left <= 0 and limit is None:
        raise DataError(
            f"{where} unpacks to more than {_size(most)}, a quarter of this machine's memory. "
            "Take fewer rows or columns, or split the file."
        )
    return b"".join(parts)


def kind_of(data: bytes) -> str:
    """What the first bytes say: "gzip", "zip", "npy", "IDX", "HTML", …, or "text"."""
    for magic, kind in KINDS:
        if data.startswith(magic):
            return kind
    if data[:2] == b"\0\0" and data[2:3] in b"\x08\x09\x0b\x0c\x0d\x0e" and len(data) > 3:
        return "IDX"
    start = data[:2048].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "HTML" if not start.startswith(b"<?xml") else "XML"
    if re.match(rb"[\[{]\s*[\"\[{\d]", start):
        return "JSON"
    return "text"


def refuse_others(data: bytes, where: str, wanted: str, allowed: tuple[str, ...]) -> None:
    """Raise a FormatError that names the kind of `data` unless it is one of `allowed`."""
    kind = kind_of(data)
    if kind in allowed:
        return
    shown_kind = "plain text" if kind == "text" else kind
    advice = ADVICE.get(kind, f"Convert it to {wanted}.")
    raise FormatError(f"{where}: this is {shown_kind}, not {wanted}. {advice}")


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"
