"""One way in for every file: `read(path)` looks at the name and at the first bytes."""

from __future__ import annotations

import os

from chainrule.datasets.idx import read_idx
from chainrule.datasets.numpy_files import read_npy, read_npz
from chainrule.datasets.opening import ADVICE, Pathish, fetch, kind_of, unpacked
from chainrule.datasets.table import Table
from chainrule.datasets.text_tables import Kinds, read_csv
from chainrule.errors import FormatError

__all__ = ["read"]

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".data")


def read(path: Pathish, kinds: Kinds | None = None) -> Table:
    """Read a table from a file: CSV (or tabs, semicolons), IDX, .npy, .npz; CSV and IDX also .gz.

    The name's ending says what the file should be; if the first bytes say something else,
    that is an error. A name without a known ending goes by the first bytes alone. `kinds` says
    which columns of a text table are text and which numbers, as in `read_csv`.

    Raises:
        DataError: the file cannot be opened or its contents cannot be used.
        FormatError: the file is not what its name says, of an unknown kind, or damaged.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "pets.csv")
    >>> _ = file.write_text("name,age\\nTom,3\\n")
    >>> read(file).names
    ('name', 'age')
    """
    where = os.fspath(path)
    name = os.path.basename(where).lower()
    plain = name.removesuffix(".gz")
    if plain.endswith(TEXT_ENDINGS):
        return read_csv(path, kinds=kinds)
    if name.endswith(".npy"):
        return read_npy(path)
    if name.endswith(".npz"):
        return read_npz(path)
    if plain.endswith((".idx", "-ubyte", ".idx1", ".idx2", ".idx3")):
        return read_idx(path)
    head = fetch(path)[: 1 << 16]
    kind = kind_of(head)
    if kind == "gzip":
        kind = kind_of(_first_unpacked(fetch(path), where))
        if kind in ("npy", "zip"):
            raise FormatError(f"{where}: this is a packed NumPy file. Unpack it first.")
    if kind == "IDX" or kind_of(head) == "IDX":
        return read_idx(path)
    if kind == "npy":
        return read_npy(path)
    if kind == "zip":
        return read_npz(path)
    if kind == "text" and "." not in plain.lstrip("."):
        return read_csv(path, kinds=kinds)
    raise FormatError(
        f"{where}: a file of this kind cannot be read; it is "
        f"{'plain text of an unknown kind' if kind == 'text' else kind}. "
        "Files that can: .csv, .tsv, .txt, .data (each also .gz), .npy, .npz, and IDX. "
        + ADVICE.get(kind, "If it is a text table, give it a name that ends in .csv.")
    )


def _first_unpacked(data: bytes, where: str) -> bytes:
    return unpacked(data, where, limit=2048)
