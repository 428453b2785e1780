"""NumPy's own files, .npy and .npz, read without pickle and without trusting a header."""

from __future__ import annotations

import io
import math
import os
import warnings
from typing import Any

import numpy as np

from chainrule.datasets.columns import Column as Array
from chainrule.datasets.columns import check_matrix
from chainrule.datasets.opening import Pathish, fetch, refuse_others, room_for
from chainrule.datasets.remarks import with_data_notes
from chainrule.datasets.table import Table
from chainrule.datasets.wording import quoted, some
from chainrule.errors import DataError, FormatError
from chainrule.lang.messages import Text, _, _n, _p, listed

__all__ = ["read_npy", "read_npz"]

#: The function that reads a header, by the version of the format.
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npy(path: Pathish) -> Table:
    """Read a .npy file that holds one matrix (rows, columns); the columns become x0, x1, ….

    Raises:
        DataError: the file cannot be opened, or its array is no matrix of numbers.
        FormatError: not a .npy file, or of another length than its header says.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "two.npy")
    >>> np.save(file, np.eye(2))
    >>> read_npy(file).names
    ('x0', 'x1')
    """
    where = os.fspath(path)
    data = fetch(path)
    refuse_others(data, where, "NPY", ("npy",))
    array = _parsed(data, where)
    return with_data_notes(_table(array, None, where))


def read_npz(path: Pathish) -> Table:
    """Read a .npz file with a matrix `x` (rows, columns) and, if there are any, targets `t`.

    Under other names, the only 2-D array is x, and the only array of shape (rows,) or (rows, 1)
    is the targets. The columns become x0, x1, …; the targets' column keeps its name.

    Raises:
        DataError: the file cannot be opened, or its arrays are not such a pair.
        FormatError: not a .npz file, damaged, or an array of another length than its header says.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "two.npz")
    >>> np.savez(file, x=np.eye(2), t=np.array([0, 1]))
    >>> read_npz(file).names
    ('x0', 'x1', 't')
    """
    where = os.fspath(path)
    data = fetch(path)
    refuse_others(data, where, "NPZ", ("zip",))
    arrays = _members(data, where)
    chosen = _matrix(arrays, where)
    x = arrays.pop(chosen)
    target = _target(arrays, len(x), where)
    beside = None if target is None else (target, arrays.pop(target).reshape(-1))
    notes = []
    if arrays:
        notes.append(
            _n(
                "{n} array is not used: {arrays}.",
                "{n} arrays are not used: {arrays}.",
                len(arrays),
                arrays=_shapes(arrays),
            )
        )
    return with_data_notes(_table(x, beside, where).with_notes(*notes))


def _matrix(arrays: dict[str, Array], where: str) -> str:
    """The name of the matrix: x, or the only 2-D array (of more than one column)."""
    if "x" in arrays and arrays["x"].ndim == 2:
        return "x"
    matrices = [name for name, array in arrays.items() if array.ndim == 2]
    wide = [name for name in matrices if arrays[name].shape[1] > 1]
    candidates = wide or matrices
    if len(candidates) != 1:
        raise DataError(
            _(
                "{where}: an array x (rows, columns) and an array t (rows,) are needed, or one 2-D and one"
                " 1-D array under other names. Got {arrays}. Save it with"
                " numpy.savez(path, x=x.reshape(len(x), -1), t=t).",
                where=where,
                arrays=_shapes(arrays) or _("no arrays"),
            )
        )
    return candidates[0]


def _target(arrays: dict[str, Array], rows: int, where: str) -> str | None:
    """The name of the targets: t, or y, or the only array with one number a row."""
    usual = [name for name in ("t", "y") if name in arrays]
    fitting = [name for name, array in arrays.items() if array.shape in ((rows,), (rows, 1))]
    fitting = [usual[0]] if usual and (usual[0] in fitting or not fitting) else fitting
    if len(fitting) > 1:
        raise DataError(
            _(
                "{where}: several arrays could be the targets: {names}. Keep one of them, or call it t.",
                where=where,
                names=listed(fitting[:8]),
            )
        )
    if usual and usual == fitting[:1] and arrays[usual[0]].shape not in ((rows,), (rows, 1)):
        name = usual[0]
        raise DataError(
            _(
                "{where}: x has {rows} rows, so {name} must have shape ({rows},). Got {shape}. One-hot"
                " targets become ids by {name}.argmax(axis=1).",
                where=where,
                rows=rows,
                name=name,
                shape=arrays[name].shape,
            )
        )
    return fitting[0] if fitting else None


def _shapes(arrays: dict[str, Array]) -> Text:
    return some([f"{name} {array.shape}" for name, array in arrays.items()], 8)


def _table(x: Array, target: tuple[str, Array] | None, where: str) -> Table:
    if x.ndim != 2:
        raise DataError(
            _(
                "{where}: a matrix (rows, columns) is needed. Got shape {shape}. Reshape it first:"
                " x.reshape(len(x), -1).",
                where=where,
                shape=x.shape,
            )
        )
    notes = []
    if x.dtype.kind == "f" and x.dtype.itemsize not in (4, 8):
        notes.append(_("The numbers were {dtype} and are kept as float64.", dtype=x.dtype.name))
        with np.errstate(over="ignore"):
            x = x.astype(np.float64)
    block = check_matrix(x, where)
    names = [f"x{i}" for i in range(block.shape[1])]
    if target is None:
        return Table.from_blocks(names, [(names, block)], {}, where, notes)
    name, t = target
    return Table.from_blocks([*names, name], [(names, block)], {}, where, notes, {name: t})


def _members(data: bytes, where: str) -> dict[str, Array]:
    import zipfile
    import zlib

    arrays: dict[str, Array] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            entries = [entry for entry in file.infolist() if entry.filename.endswith(".npy")]
            if not entries:
                raise FormatError(
                    _(
                        "{where}: this zip file holds no NumPy arrays (got {names}). Unpack it first (an"
                        " Excel workbook: save it as CSV).",
                        where=where,
                        names=listed(file.namelist()[:5]) or _p("what is in a file", "nothing"),
                    )
                )
            room_for(sum(entry.file_size for entry in entries), where)
            for entry in entries:
                name = entry.filename.removesuffix(".npy")
                location = _("{where}, array {name}", where=where, name=quoted(name))
                with file.open(entry) as member:
                    head = member.read(1 << 16)
                    _header(head, location, entry.file_size)
                    content = head + member.read(entry.file_size - len(head) + 1)
                arrays[name] = _parsed(content, location)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError):
        raise FormatError(
            _(
                "{where}: the zip file is damaged, cut short, or packed in an unusual way. Get it again, or"
                " save it again with numpy.savez.",
                where=where,
            )
        ) from None
    return arrays


def _parsed(data: bytes, where: str) -> Array:
    shape, fortran, dtype, start = _header(data, where, len(data))
    array = np.frombuffer(data, dtype, count=math.prod(shape), offset=start)
    return array.reshape(shape, order="F" if fortran else "C")


def _header(data: bytes, where: str, size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, order, dtype and start of the numbers, checked against the size of the file."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version not in HEADERS:
            raise _unreadable(where, _("version {version} instead of 1.0 or 2.0", version=version))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, fortran, dtype = HEADERS[version](stream)
    except FormatError:
        raise
    except Exception as problem:  # NumPy parses the header as Python, which fails in many ways
        raise _unreadable(where, str(problem).split("\n", maxsplit=1)[0][:100]) from None
    if dtype.hasobject:
        raise FormatError(
            _(
                "{where}: the array holds Python objects, which are never loaded, as that can run code. Save"
                " it as numbers: numpy.save(path, x.astype(float)).",
                where=where,
            )
        )
    if dtype.names is not None or dtype.subdtype is not None or dtype.kind not in "biufU":
        raise DataError(
            _(
                "{where}: the array must hold whole numbers, floats or bools. Got dtype {dtype}. Convert it"
                " to numbers first and save it again.",
                where=where,
                dtype=dtype,
            )
        )
    if any(side < 0 for side in shape):
        raise FormatError(
            _("{where}: the header says shape {shape}, which cannot be.", where=where, shape=shape)
        )
    needed = stream.tell() + math.prod(shape) * dtype.itemsize
    if needed != size:
        raise FormatError(
            _(
                "{where}: the header says shape {shape} of {dtype}, which is {needed} bytes. Got {size}"
                " bytes. The file is damaged or cut short; save it again.",
                where=where,
                shape=shape,
                dtype=dtype,
                needed=needed,
                size=size,
            )
        )
    if dtype.itemsize == 0 or 0 in shape:
        raise DataError(
            _(
                "{where} holds no numbers: its shape is {shape}, its dtype {dtype}.",
                where=where,
                shape=shape,
                dtype=dtype,
            )
        )
    return shape, fortran, dtype, stream.tell()


def _unreadable(where: str, reason: str) -> FormatError:
    return FormatError(
        _(
            "{where}: the NPY header cannot be read ({reason}). The file is damaged; save it again with"
            " numpy.save.",
            where=where,
            reason=reason,
        )
    )
