"""`read(path)`: a table from a file of any kind, by its name and its first bytes."""

from __future__ import annotations

import os

from chainrule.datasets.forms import Kinds
from chainrule.datasets.idx import read_idx
from chainrule.datasets.numpy_files import read_npy, read_npz
from chainrule.datasets.opening import ADVICE, Pathish, fetch, unpacked
from chainrule.datasets.rules import Reading
from chainrule.datasets.table import Table
from chainrule.datasets.text_tables import read_text
from chainrule.errors import FormatError
from chainrule.file_kinds import file_kind, kind_name
from chainrule.lang.messages import _

__all__ = ["TEXT_ENDINGS", "read", "read_with"]

#: Endings of text tables, removed to name a model; a text table may have any other ending too.
TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".data", ".dat", ".tab", ".psv")


def read(path: Pathish, kinds: Kinds | None = None) -> Table:
    """Read a table from a file: text (see `read_csv`), IDX, .npy, .npz; text and IDX also .gz.

    The name's ending says what the file should be; if the first bytes say something else,
    that is an error. A name without a known ending goes by the first bytes alone. `kinds` says
    which columns of a text table hold what, as in `read_csv`.

    Raises:
        DataError: the file cannot be opened or its contents cannot be used.
        FormatError: the file is not what its name says, of an unknown kind, or damaged.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "pets.csv")
    >>> _ = file.write_text("name,age\\nTom,3\\n")
    >>> read(file).names
    ('name', 'age')
    """
    return read_with(path, Reading(kinds=dict(kinds or {})))


def read_with(path: Pathish, reading: Reading) -> Table:
    """`read`, with all options for a text table in one `Reading`."""
    where = os.fspath(path)
    name = os.path.basename(where).lower()
    plain = name.removesuffix(".gz")
    if plain.endswith(TEXT_ENDINGS):
        return read_text(path, reading)
    if name.endswith(".npy"):
        return read_npy(path)
    if name.endswith(".npz"):
        return read_npz(path)
    if plain.endswith((".idx", "-ubyte", ".idx1", ".idx2", ".idx3")):
        return read_idx(path)
    data = fetch(path)
    kind = file_kind(data)
    if kind == "gzip":
        kind = file_kind(_first_unpacked(data, where))
        if kind in ("npy", "zip"):
            raise FormatError(
                _("{where}: this is a packed NumPy file. Unpack it first.", where=where)
            )
    if kind == "IDX":
        return read_idx(path)
    if kind == "npy":
        return read_npy(path)
    if kind == "zip":
        return read_npz(path)
    if kind == "text":
        return read_text(path, reading)
    raise FormatError(
        _(
            "{where}: a file of this kind cannot be read; it is {kind}. Files that can: text tables such as"
            " .csv, .tsv, .txt, .dat (each also .gz), .npy, .npz, and IDX. {advice}",
            where=where,
            kind=kind_name(kind),
            advice=ADVICE.get(kind) or _("If it is a table, save it as CSV."),
        )
    )


def _first_unpacked(data: bytes, where: str) -> bytes:
    return unpacked(data, where, limit=2048)
