"""Decoding a text file: its bytes as UTF-8, its likely encoding, and the first invalid byte."""

from __future__ import annotations

import codecs
import re

from chainrule.datasets.opening import refuse_others
from chainrule.datasets.wording import at_line, quoted
from chainrule.errors import FormatError, SettingError
from chainrule.lang.messages import Spelled, Text, _, listed

__all__ = ["as_utf8", "likely_encoding", "not_this_encoding", "refuse_nul"]


def as_utf8(data: bytes, source: str, encoding: str) -> bytes:
    """The bytes as UTF-8 without a byte-order mark.

    Raises:
        FormatError: the bytes are not text in this encoding; the message has the position.
        SettingError: there is no such encoding.
    """
    try:
        name = codecs.lookup(encoding).name
        b"aaaa".decode(encoding, "replace")  # refuses base64 and the like
    except (LookupError, TypeError, ValueError):
        raise SettingError(
            _(
                "encoding: there is no text encoding {name}. Common ones: utf-8, latin-1, cp1252, utf-16,"
                " gb18030, shift_jis.",
                name=quoted(encoding, 80),
            )
        ) from None
    if not name.startswith(("utf-16", "utf-32")):
        wide = _wide(data)
        refuse_others(data, source, "CSV", ("text",))
        if wide:
            raise FormatError(
                _(
                    "{source}: the text is stored as {wide}, not {encoding}. Read it with {option}, or save"
                    " it as UTF-8.",
                    source=source,
                    wide=wide,
                    encoding=encoding,
                    option=_option(likely_encoding(data)),
                )
            )
        refuse_nul(data, source)  # before the bytes are decoded
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as problem:
        start = problem.start
        line = data.count(b"\n", 0, start) + 1
        raise not_this_encoding(source, encoding, data, start, start, line) from None
    if name != "utf-8":
        data = text.removeprefix("\ufeff").encode("utf-8", "surrogatepass")
    data = data.removeprefix(b"\xef\xbb\xbf")
    refuse_nul(data, source)
    return data


def not_this_encoding(
    source: str, encoding: str, data: bytes, start: int, offset: int, line: int
) -> FormatError:
    """The error for data[start], a byte that is no text in this encoding.

    `offset` and `line` are its place in the file, of which `data` is a part.
    """
    name, plain = codecs.lookup(encoding).name, _("Save it as UTF-8.")
    return FormatError(
        _(
            "{where}: the text is not {encoding}: byte 0x{byte} at offset {offset} does not belong to"
            " it. {advice}",
            where=at_line(source, line),
            encoding=encoding,
            byte=data[start : start + 1].hex(),
            offset=offset,
            advice=Spelled(_likely(data, name), page=plain),
        )
    )


def likely_encoding(data: bytes) -> str:
    """The likely encoding of text, by its byte-order mark and letters; a guess unless it is UTF-8.

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
    """ "UTF-16" or "UTF-32" if the bytes look like it, else ""."""
    if data[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return "UTF-32"
    few = data[:4000]
    many = len(few) > 3 and few.count(b"\0") > len(few) // 3
    return "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") or many else ""


def refuse_nul(data: bytes, source: str, before: int = 0, newlines: int = 0) -> None:
    """Raise a FormatError for a NUL byte; `before` bytes and `newlines` precede `data` in the file."""
    nul = data.find(b"\0")
    if nul >= 0:
        raise FormatError(
            _(
                "{where}: there is a NUL byte (offset {offset}; {count} in all), which no text has. The file"
                " is damaged or not a text table; save it again.",
                where=at_line(source, newlines + data.count(b"\n", 0, nul) + 1),
                offset=before + nul,
                count=data.count(bytes(1)),
            )
        )


def _option(name: str, *further: str) -> Spelled:
    """The option that sets an encoding, and perhaps further encodings to try."""
    if not further:
        return Spelled(f"encoding='{name}' (--encoding {name})", command=f"--encoding {name}")
    others = listed(further)
    return Spelled(
        _(
            "encoding='{name}' (--encoding {name}; others: {others})",
            name=name,
            others=others,
        ),
        command=_("--encoding {name} (others: {others})", name=name, others=others),
    )


def _likely(data: bytes, tried: str) -> Text:
    """The advice which encoding to try instead of the one that was tried."""
    if tried != "utf-8" and likely_encoding(data) == "utf-8":
        return _("It is UTF-8: read it so, which is what happens where no encoding is given.")
    if tried.startswith("utf-16"):
        return _("Read it with {option}.", option=_option(likely_encoding(data)))
    if _like_chinese(data):
        return _(
            "It looks like Chinese of a Windows program: read it with {option}, or save it as UTF-8.",
            option=_option("gb18030", "big5", "shift_jis", "cp1252"),
        )
    return _(
        "If a Windows program saved it, read it with {option}, or save it as UTF-8.",
        option=_option("cp1252", "latin-1", "gb18030", "shift_jis"),
    )


def _like_chinese(data: bytes) -> bool:
    """Whether the bytes look like gb18030: pairs of high bytes, most first bytes below 0xd8.

    In Western encodings most letters are single bytes.
    """
    runs = re.findall(rb"[\x80-\xff]+", data[: 1 << 20])
    even = sum(len(run) % 2 == 0 for run in runs)
    first = b"".join(run[::2] for run in runs)
    common = sum(byte < 0xD8 for byte in first)
    return len(runs) > 1 and even > 0.8 * len(runs) and common > 0.5 * len(first)
