"""The IDX format of MNIST: a header of big-endian sizes, then the numbers."""

from __future__ import annotations

import math
import os
import struct

import numpy as np

from chainrule.datasets.columns import Column, check_matrix
from chainrule.datasets.opening import (
    Pathish,
    fetch,
    refuse_others,
    room_for,
    unpacked,
)
from chainrule.datasets.remarks import with_data_notes
from chainrule.datasets.table import Table
from chainrule.errors import DataError, FormatError
from chainrule.file_kinds import file_kind
from chainrule.lang.messages import Text, _, _p

__all__ = ["read_idx"]

KINDS = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: Pathish) -> Table:
    """Read an IDX file (MNIST, Fashion-MNIST), plain or packed as .gz.

    Every entry along the first axis becomes a row of columns p0, p1, …; a 1-D file becomes
    the column "label". If the file holds images (train-images-idx3-ubyte) and their labels
    (train-labels-idx1-ubyte) are in the same folder, those are read too, as column "label".

    Raises:
        DataError: the file cannot be opened, has no rows, or has another number of labels.
        FormatError: not IDX, or of another length than its header says.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "two-idx2-ubyte")
    >>> _ = file.write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(range(6)))
    >>> read_idx(file).matrix().tolist()
    [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    """
    where = os.fspath(path)
    array = _array(path)
    if array.ndim == 1:
        block = check_matrix(array.reshape(-1, 1), where)
        return with_data_notes(Table.from_blocks(["label"], [(["label"], block)], {}, where))
    x = check_matrix(array.reshape(len(array), -1), where)
    names = [f"p{i}" for i in range(x.shape[1])]
    blocks: list[tuple[list[str], Column]] = [(names, x)]
    order = list(names)
    notes: list[Text] = []
    beside = _labels_beside(where)
    if beside is not None:
        labels = _array(beside)
        if labels.ndim != 1 or len(labels) != len(x):
            raise DataError(
                _(
                    "{where} has {count} images, but {beside} has labels of shape {shape}. Images and labels"
                    " must be of one set; get both again, or move the labels away.",
                    where=where,
                    count=len(x),
                    beside=beside,
                    shape=labels.shape,
                )
            )
        blocks.append((["label"], check_matrix(labels.reshape(-1, 1), beside)))
        order.append("label")
        notes.append(_("The labels were read from {file}.", file=beside))
    return with_data_notes(Table.from_blocks(order, blocks, {}, where, notes))


def _labels_beside(where: str) -> str | None:
    folder, name = os.path.split(where)
    for images, labels in (
        ("images-idx3", "labels-idx1"),
        ("images.idx3", "labels.idx1"),
    ):
        if images in name:
            plain = name.replace(images, labels).removesuffix(".gz")
            endings = (".gz", "") if name.endswith(".gz") else ("", ".gz")
            for ending in endings:
                candidate = os.path.join(folder, plain + ending)
                if os.path.isfile(candidate):
                    return candidate
    return None


def _array(path: Pathish) -> Column:
    """The array in an IDX file; sizes are checked before anything of that size is allocated."""
    where = os.fspath(path)
    data = fetch(path)
    packed = file_kind(data) == "gzip"
    head = unpacked(data, where, limit=1024)[:1024] if packed else data[:1024]
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in KINDS or not 1 <= head[3] <= 8:
        refuse_others(head or b" ", where, "IDX", ("IDX",))
        raise FormatError(
            _(
                "{where}: this is not IDX: it begins with {start}. IDX begins with 00 00, a type"
                " (08, 09, 0b, 0c, 0d, 0e) and 01 to 08 dimensions.",
                where=where,
                start=head[:4].hex(" ") or _p("what is in a file", "nothing"),
            )
        )
    start = 4 + 4 * head[3]
    if len(head) < start:
        raise FormatError(
            _(
                "{where}: the file ends within its header, after {count} bytes. Get it again.",
                where=where,
                count=len(head),
            )
        )
    shape = struct.unpack(f">{head[3]}I", head[4:start])
    dtype = np.dtype(KINDS[head[2]])
    needed = start + math.prod(shape) * dtype.itemsize
    if packed and needed <= len(data) * 1040 + 1024:  # deflate packs at most about 1:1032
        room_for(needed, where)
        data = unpacked(data, where, limit=needed)
    if len(data) != needed:
        if not packed:
            got = _("{count} bytes", count=len(data))
        elif len(data) < needed:
            got = _("{count} bytes packed", count=len(data))
        else:
            got = _("more than that")
        raise FormatError(
            _(
                "{where}: the header says shape {shape} of {dtype}, which is a file of {needed} bytes."
                " Got {got}. The file is damaged or cut short; get it again.",
                where=where,
                shape=shape,
                dtype=dtype.name,
                needed=needed,
                got=got,
            )
        )
    if 0 in shape:
        raise DataError(
            _("{where} holds no numbers: its shape is {shape}.", where=where, shape=shape)
        )
    return np.frombuffer(data, dtype, offset=start).reshape(shape)
