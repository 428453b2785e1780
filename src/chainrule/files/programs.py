"""A network as a program: one file of NumPy, with the arrays that it reads beside it."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import SettingError
from chainrule.files.writing import check_place, write_whole

if TYPE_CHECKING:
    from chainrule.files.model import Model
    from chainrule.networks import Network

__all__ = ["Script", "predicting_script", "training_script"]


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
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # As they are now: training goes on in the arrays of a network.
        copies = {name: array.copy() for name, array in self.arrays.items()}
        object.__setattr__(self, "arrays", copies)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the program to `path`, which ends in .py, and its arrays, if any, beside it.

        The arrays are in a file of the same name that ends in .npz. Each file is written whole or
        not at all, the arrays first.

        Raises:
            SettingError: another ending, a place that cannot be written to, an existing file.
            OSError: the disk is full, say; no half-written file is left.
        """
        where = os.fspath(path)
        stem, ending = os.path.splitext(where)
        if ending != ".py":
            raise SettingError(f"{where}: a program's file name ends in .py. Give such a name.")
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


def training_script(
    network: Network,
    optimizer: Any,
    x: Any,
    t: Any = None,
    *,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
    sample_weight: npt.ArrayLike | None = None,
    max_grad: float | None = None,
    shuffle: bool = True,
) -> Script:
    """One NumPy file, without chainrule, that trains as Trainer does and prints the same losses.

    Forward, backward and update are written from the step that the NumPy engine runs: the same
    NumPy calls on the same numbers in the same order. So for a float64 network every epoch's loss
    comes out the same to the last digit, on the same machine with as many BLAS threads; in float32
    the program computes in float32 too.

    `x`, `t`: arrays; or one of chainrule's generated sets, `cr.datasets.spiral` or
    `functools.partial(cr.datasets.moons, 500, seed=3)`, in place of x. What a seed made is made
    again by the program: a generated set (also if its arrays are given), and first weights that are
    still as they were drawn. All else is in `Script.arrays`, and goes to an `.npz` beside the file.
    The network begins where it is now, and the optimizer anew; `seed` is Trainer's, the other
    settings are those of `Trainer.fit`.

    Raises:
        RecordingError: a layer or an optimizer written by hand; a step that goes with the batch
            size in a way that no text can follow.
        SettingError: a schedule that listens to the losses, or a setting outside what is allowed.
        DataError: data that the network does not take.

    >>> import chainrule as cr
    >>> script = training_script(cr.TwoLayerNet(2, 4, 3), cr.SGD(), cr.datasets.spiral, epochs=1)
    >>> "z1 = np.dot(x, W1) + b1  # Affine: y = x W + b." in script.text
    True
    """
    from chainrule.files.script.training import train

    return train(
        network,
        optimizer,
        x,
        t,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        sample_weight=sample_weight,
        max_grad=max_grad,
        shuffle=shuffle,
    )


def predicting_script(model: Model) -> Script:
    """A program that predicts what the model predicts, from a CSV file or an array.

    The weights are in the `.npz` beside it. `python FILE table.csv` prints an answer for every
    row: the label, or the value in the target's own unit. The table has the columns the model was
    trained on; gaps are filled and numbers scaled as then. `python FILE inputs.npy` takes an array
    that is ready for the network: prepared rows, or, for a model kept without a preparation, rows
    as they are (then a CSV file of plain numbers will do, too).

    Raises:
        RecordingError: a network with a part that cannot be written out.
        SettingError: a network whose inputs have no known shape.
    """
    from chainrule.files.script.predicting import predict

    return predict(model)
