"""Files that are not chainrule models: their kind by their first bytes, and advice."""

from __future__ import annotations

from chainrule.file_kinds import file_kind, kind_name
from chainrule.lang.messages import Text, _

__all__ = ["foreign_kind"]

#: What a file is called, and what to do with it.
Kind = tuple[Text | str, Text]

_CONVERT = _(
    "Loading one can run code that is hidden in it, so chainrule never does. Where it came from,"
    " get its arrays out and save them with numpy.savez; then train or fill a network here."
)
_WEIGHTS = _(
    "It holds another library's network. Get its arrays out there with numpy.savez, and fill a"
    " network of the same layers here."
)
_UNPACK = _("Unpack it first.")
_GIVE = _("A model is a file that `chainrule train` or save_model wrote.")
_DATA = _("It is data and no network.")
_ADVICE: dict[str, Text] = {
    **dict.fromkeys(("gzip", "zstd", "bzip2", "xz"), _UNPACK),
    **dict.fromkeys(("HDF5", "GGUF", "TensorFlow Lite"), _WEIGHTS),
    **dict.fromkeys(("Parquet", "Arrow/Feather", "SQLite"), _DATA),
    "npy": _("It is data, or one array, and no network."),
    "pickle": _CONVERT,
    "ONNX": _("chainrule.load_onnx reads it."),
    "HTML": _("Download the file itself, not the page that shows it."),
    "Git LFS": _("Get the file itself: git lfs pull."),
}


def foreign_kind(data: bytes) -> Kind | None:
    """What the file is called, and what to do with it; None if its kind is unknown.

    >>> foreign_kind(b"\\x80\\x04K\\x01.")[0]
    'a Python pickle'
    """
    kind = file_kind(data)
    if kind == "zip":
        return _zip_kind(data)
    if kind == "text":
        return (_("plain text (a table, say)"), _GIVE) if _is_text(data[:512]) else None
    name = kind_name(kind)
    if kind == "pickle" and _is_torch(data):
        name = _("a PyTorch file (an old one, which is a Python pickle)")
    return name, _ADVICE.get(kind, _GIVE)


def _is_torch(data: bytes) -> bool:
    return b"torch" in data[:4096] or b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19" in data[:64]


def _is_text(head: bytes) -> bool:
    return bool(head.strip()) and all(byte in b"\t\n\r" or byte >= 32 for byte in head)


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
