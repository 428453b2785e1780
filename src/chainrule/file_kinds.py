"""What a file is, by its first bytes."""

from __future__ import annotations

import re

from chainrule.lang.messages import Text, _

__all__ = ["address_advice", "file_kind", "kind_name"]

#: How files of each kind begin. Where that could be the beginning of a text, it goes on until it
#: cannot: a table may well have a first column PAR1.
BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (rb"\x1f\x8b", "gzip"),
    (rb"BZh[1-9](1AY&SY|\x17\x72\x45\x38\x50\x90)", "bzip2"),
    (rb"\xfd7zXZ", "xz"),
    (rb"\x28\xb5\x2f\xfd", "zstd"),
    (rb"PK(\x03\x04|\x05\x06)", "zip"),
    (rb"\x93NUMPY", "npy"),
    (rb"\0\0[\x08\x09\x0b-\x0e].", "IDX"),
    (rb"PAR1(?![ -~\s])", "Parquet"),
    (rb"ARROW1\0\0", "Arrow/Feather"),
    (rb"\x89HDF\r\n\x1a\n", "HDF5"),
    (rb"SQLite format 3\0", "SQLite"),
    (rb"\xd0\xcf\x11\xe0", "Office"),
    (rb"\x89PNG", "PNG"),
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"GIF8[79]a", "GIF"),
    (rb"%PDF-", "PDF"),
    (rb"\x7fELF", "program"),
    (rb"GGUF[\x01-\x0f]\0", "GGUF"),
    (rb"..\0\0TFL3", "TensorFlow Lite"),
    (rb"\x80[\x02-\x05]", "pickle"),
    # Field 1, the version, is small; then field 2, 7 or 8.
    (rb"\x08[\x01-\x14][\x12\x3a\x42].{6}", "ONNX"),
    (rb"version https://git-lfs", "Git LFS"),
)
_KINDS = tuple((re.compile(beginning, re.DOTALL), kind) for beginning, kind in BEGINNINGS)

#: What a kind is called where its key is not its name.
NAMES: dict[str, Text] = {
    "text": _("plain text"),
    "zip": _("a zip file"),
    "npy": _("a NumPy array (.npy)"),
    "HTML": _("a web page (HTML)"),
    "SQLite": _("an SQLite database"),
    "Office": _("an old Excel or Word document"),
    "PNG": _("a PNG image"),
    "JPEG": _("a JPEG image"),
    "GIF": _("a GIF image"),
    "PDF": _("a PDF document"),
    "program": _("a program"),
    "pickle": _("a Python pickle"),
    "Git LFS": _("a Git LFS pointer"),
}


def file_kind(data: bytes) -> str:
    """The kind of a file: "gzip", "zip", "npy", "HTML", … of `BEGINNINGS`; "text" if none of these.

    >>> file_kind(b"x,y\\n1,2\\n"), file_kind(b"%PDF-1.7")
    ('text', 'PDF')
    """
    for beginning, kind in _KINDS:
        if beginning.match(data):
            return kind
    start = data[:2048].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<head")):
        return "HTML"
    if start.startswith(b"<?xml"):
        return "XML"
    if re.match(rb"[\[{]\s*[\"\[{\d]", start):
        return "JSON"
    return "text"


def address_advice(name: str) -> Text | None:
    """What to do about an address on the network in place of a file's name; None for other names.

    >>> print(address_advice("https://example.org/iris.csv"))
    files are read, and no addresses of a network. Get the file first, with a browser or with curl -LO
    >>> address_advice("data/iris.csv") is None
    True
    """
    if re.match(r"(?i)[a-z][a-z0-9+.-]+://|data:[^/]*,|data:[a-z]+/", name) is None:
        return None
    return _(
        "files are read, and no addresses of a network. Get the file first, with a browser or with curl -LO"
    )


def kind_name(kind: str) -> Text | str:
    """What the kind is called.

    >>> kind_name("PDF"), kind_name("gzip")
    ('a PDF document', 'gzip')
    """
    return NAMES.get(kind, kind)
