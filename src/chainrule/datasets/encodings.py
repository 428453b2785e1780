"""A file's bytes as UTF-8: which encoding they are in, and where they break."""

from __future__ import annotations

import codecs
import re

from chainrule.datasets.opening import refuse_others
from chainrule.errors import FormatError, SettingError, shown

__all__ = ["as_utf8", "likely_encoding"]


def as_utf8(data: bytes, source: str, encoding: str) -> bytes:
    """The bytes as UTF-8 without a byte-order mark, or an error that says where they break."""
    try:
        name = codecs.lookup(encoding).name
        b"aaaa".decode(encoding, "replace")  # refuses base64 and the like
    except (LookupError, TypeError, ValueError):
        raise SettingError(
            f"encoding: there is no text encoding {shown(encoding)}. "
            "Common ones: utf-8, latin-1, cp1252, utf-16, gb18030, shift_jis."
        ) from None
    if not name.startswith(("utf-16", "utf-32")):
        wide = _wide(data)
        refuse_others(data if not wide else b"a", source, "CSV", ("text",))
        if wide:
            raise FormatError(
                f"{source}: the text is stored as {wide}, not {encoding}. "
                f"Read it with encoding='{wide.lower()}' (--encoding {wide.lower()}), "
                "or save it as UTF-8."
            )
        _refuse_nul(data, source)  # before its bytes are taken for letters
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        got = data[problem.start : problem.start + 1].hex()
        raise FormatError(
            f"{source}:{line}: the text is not {encoding}: byte 0x{got} at offset "
            f"{problem.start} does not belong to it. {_likely(data)}, or save it as UTF-8."
        ) from None
    if name != "utf-8":
        data = text.removeprefix("\ufeff").encode("utf-8", "surrogatepass")
    data = data.removeprefix(b"\xef\xbb\xbf")
    _refuse_nul(data, source)
    return data


def likely_encoding(data: bytes) -> str:
    """The encoding that text is in, by its marks and letters; a guess, unless it is UTF-8.

    >>> likely_encoding("身高,体重".encode()), likely_encoding("身高,体重".encode("gb18030"))
    ('utf-8', 'gb18030')
    """
    if wide := _wide(data):
        low = data[:2] != b"\xfe\xff" and b"\0" in data[1:4000:2]
        marked = data[:2] in (b"\xff\xfe", b"\xfe\xff") or wide == "UTF-32"
        return wide.lower() if marked else "utf-16-le" if low else "utf-16-be"
    try:
        data.decode()
    except UnicodeDecodeError:
        return "gb18030" if _like_chinese(data) else "cp1252"
    return "utf-8"


def _wide(data: bytes) -> str:
    """UTF-16 or UTF-32, if the bytes look like it."""
    if data[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return "UTF-32"
    few = data[:4000]
    many = len(few) > 3 and few.count(b"\0") > len(few) // 3
    return "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") or many else ""


def _refuse_nul(data: bytes, source: str) -> None:
    nul = data.find(b"\0")
    if nul >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise FormatError(
            f"{source}:{line}: there is a NUL byte (offset {nul}; {data.count(bytes(1))} in all), "
            "which no text has. The file is damaged or not a text table; save it again."
        )


def _likely(data: bytes) -> str:
    """Which encoding to try."""
    if _like_chinese(data):
        return (
            "It looks like Chinese of an older Windows program: read it with encoding='gb18030' "
            "(--encoding gb18030; others: big5, shift_jis, cp1252)"
        )
    return (
        "If the file comes from an older Windows program, read it with encoding='cp1252' "
        "(--encoding cp1252; others: latin-1, gb18030, shift_jis)"
    )


def _like_chinese(data: bytes) -> bool:
    """Letters of two bytes each, of which common ones begin below 0xd8; Western ones are small."""
    runs = re.findall(rb"[\x80-\xff]+", data[: 1 << 20])
    even = sum(len(run) % 2 == 0 for run in runs)
    first = b"".join(run[::2] for run in runs)
    common = sum(byte < 0xD8 for byte in first)
    return len(runs) > 1 and even > 0.8 * len(runs) and common > 0.5 * len(first)
