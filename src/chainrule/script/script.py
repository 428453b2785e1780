"""A network as a program: one file of NumPy, with the arrays that it reads beside it."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from chainrule.atomic_write import check_place, write_whole
from chainrule.engine.origins import Origin
from chainrule.errors import SettingError
from chainrule.graph.variable import Array
from chainrule.lang.messages import _

__all__ = ["Script"]


@dataclass(frozen=True)
class Script:
    """A NumPy program that needs no chainrule: its `text`, and the `arrays` it reads.

    >>> import chainrule as cr, pathlib, tempfile
    >>> script = cr.TwoLayerNet(2, 10, 3).script(cr.SGD(lr=1.0), cr.datasets.spiral, epochs=2)
    >>> print(script.text.splitlines()[0])
    \"\"\"A neural network trained with NumPy alone: Affine, Sigmoid, Affine, SoftmaxWithLoss.
    >>> script.arrays  # everything is made from seeds
    {}
    >>> script.save(pathlib.Path(tempfile.mkdtemp(), "train.py"))
    """

    text: str
    arrays: Mapping[str, Array] = field(default_factory=dict)
    #: The nodes whose operations a line computes, by the line's number from 0; `graph` of the network
    #: has them in this order. The lines of the update have none.
    origins: Mapping[int, frozenset[Origin]] = field(default_factory=dict, repr=False)
    #: The numbers of the lines that update the parameters.
    update: range = field(default=range(0), repr=False)

    def __post_init__(self) -> None:
        # Copies, since further training changes the network's arrays.
        copies = {name: array.copy() for name, array in self.arrays.items()}
        object.__setattr__(self, "arrays", copies)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the program to `path`, which ends in .py, and its arrays, if any, beside it.

        The arrays are in a file of the same name that ends in .npz. Each file is written whole or
        not at all, the arrays first.

        Raises:
            SettingError: another ending, a path that cannot be written to, an existing file.
            OSError: for instance, the disk is full; no half-written file is left.
        """
        where = os.fspath(path)
        stem, ending = os.path.splitext(where)
        if ending != ".py":
            raise SettingError(
                _("{where}: a program's file name ends in .py. Give such a name.", where=where)
            )
        beside = f"{stem}.npz"
        check_place(where, overwrite)
        new = False
        if self.arrays:
            check_place(beside, overwrite)
            new = not os.path.lexists(beside)
            packed = io.BytesIO()
            np.savez(packed, **self.arrays)  # type: ignore[arg-type]
            write_whole(beside, packed.getvalue(), overwrite=overwrite)
        try:
            write_whole(where, self.text.encode(), overwrite=overwrite)
        except BaseException:
            if new:
                os.unlink(beside)
            raise

    def __str__(self) -> str:
        return self.text
