"""Files that are not chainrule models: their kind by their first bytes, and advice."""

from __future__ import annotations

from chainrule.lang.messages import Text, _, sentences

__all__ = ["foreign_kind"]

#: The kind of a file, and what to do with it.
Kind = tuple[str, Text]

_CONVERT = _(
    "Loading one can run code that is hidden in it, so chainrule never does. Where it came from,"
    " get its arrays out and save them with numpy.savez; then train or fill a network here."
)
_WEIGHTS = _(
    "It holds another library's network. Get its arrays out there with numpy.savez, and fill a"
    " network of the same layers here."
)
_UNPACK = _("Unpack it first.")
_GIVE = _("Give a file that `chainrule train` or save_model wrote.")
_MAGIC: tuple[tuple[bytes, str, Text], ...] = (
    (b"\x89HDF\r\n\x1a\n", _("HDF5 (a Keras .h5 file, say)"), _WEIGHTS),
    (b"\x93NUMPY", _("a NumPy array (.npy)"), _("It is data, or one array, and no network.")),
    (b"\x1f\x8b", "gzip", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "zstd", _UNPACK),
    (b"BZh", "bzip2", _UNPACK),
    (b"\xfd7zXZ", "xz", _UNPACK),
    (b"GGUF", _("GGUF (a language model)"), _WEIGHTS),
    (b"PAR1", "Parquet", _("It is data and no network.")),
    (b"%PDF", _("a PDF document"), _GIVE),
    (b"\x89PNG", _("a PNG image"), _GIVE),
    (b"\x7fELF", _("a program"), _GIVE),
)


def foreign_kind(data: bytes) -> Kind | None:
    """The kind of the file and what to do with it; None if the kind is unknown.

    >>> foreign_kind(b"\\x80\\x04K\\x01.")[0]
    'a Python pickle'
    """
    for magic, kind, advice in _MAGIC:
        if data.startswith(magic):
            return kind, advice
    if data[4:8] == b"TFL3":
        return "TensorFlow Lite", _WEIGHTS
    if data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05" and data[1:2]:
        if b"torch" in data[:4096] or b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19" in data[:64]:
            return _("a PyTorch file (an old one, which is a Python pickle)"), _CONVERT
        return _("a Python pickle"), _CONVERT
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip_kind(data)
    if _is_onnx(data):
        return "ONNX", sentences(_("Reading ONNX is not part of chainrule yet."), _WEIGHTS)
    return _text_kind(data)


def _zip_kind(data: bytes) -> Kind:
    import io
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            names = file.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return _("a damaged zip file"), _GIVE
    if any(name.endswith(("data.pkl", "constants.pkl")) for name in names):
        return _("a PyTorch file (.pt, .pth), which holds a Python pickle"), _CONVERT
    if "model.weights.h5" in names or "config.json" in names:
        return _("a Keras file (.keras)"), _CONVERT
    if any(name.endswith(".npy") for name in names):
        return _("a NumPy archive (.npz)"), _("It holds arrays and no network.")
    if any(name.endswith(".pkl") for name in names):
        return _("a zip file with a Python pickle in it"), _CONVERT
    return _("a zip file"), _UNPACK


def _is_onnx(data: bytes) -> bool:
    """Whether it begins as ONNX does: field 1 (the IR version, small), then field 2, 7 or 8."""
    return (
        len(data) > 8 and data[0] == 0x08 and 1 <= data[1] <= 20 and data[2] in (0x12, 0x3A, 0x42)
    )


def _text_kind(data: bytes) -> Kind | None:
    head = data[:512].removeprefix(b"\xef\xbb\xbf")
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return _("a web page"), _("Download the file itself, not the page that shows it.")
    if start.startswith(b"version https://git-lfs"):
        return _("a Git LFS pointer"), _("Get the file itself: git lfs pull.")
    if start and all(byte in b"\t\n\r" or byte >= 32 for byte in head):
        advice = _("A model is a file that `chainrule train` or save_model wrote.")
        if start[:1] in b"[{":
            return "JSON", advice
        return _("plain text (a table, say)"), advice
    return None
