"""`compare_runs`: two runs, checkpoints or model files, compared to the bit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.comparing.results import TrainingComparison
from chainrule.comparing.sides import Side, sides
from chainrule.comparing.training import compare_trainings
from chainrule.errors import SettingError
from chainrule.lang.messages import Text, _, listed
from chainrule.settings import below_one

__all__ = ["RunComparison", "compare_runs"]


@dataclass(frozen=True)
class RunComparison:
    """What came of `compare_runs`."""

    #: The paths of the two.
    a: str
    b: str
    tolerance: float
    #: What came of each training that both have; most have one.
    trainings: tuple[TrainingComparison, ...]
    #: The names of trainings that are in one of two folders only.
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether they are equal to the bit; with a tolerance: within it."""
        return not self.only_a and not self.only_b and all(t.equal for t in self.trainings)


def compare_runs(
    a: str | os.PathLike[str], b: str | os.PathLike[str], *, tolerance: float = 0.0
) -> RunComparison:
    """Compare two trainings to the bit: the first step, array and row where they part, and by how much.

    Each is a model file (`save_model`, `chainrule train`), a checkpoint, or a folder with checkpoints
    (`Trainer.fit(checkpoint=...)`, `chainrule train --checkpoint`). Of folders the losses of all steps are
    compared, and the states after equal steps, up to the first that differs: parameters, buffers,
    the optimizer's slots, and the numbers that later steps go by. Of a model file and a
    checkpoint those of the network are. Times do not count. Settings and versions that differ are
    told, but make no difference by themselves.

    tolerance: numbers a, b are taken for equal if |a - b| <= tolerance max(|a|, |b|); dtypes then
    need not be the same. With 0, bits are compared.

    Raises:
        DataError: no such file, or a folder without checkpoints.
        FormatError: neither a model file of chainrule's nor a checkpoint; or damaged.
        SettingError: folders that have no training in common, or a tolerance outside [0, 1).

    >>> import chainrule as cr, tempfile
    >>> x, t = cr.datasets.spiral()
    >>> folders = [tempfile.mkdtemp() for _ in range(2)]
    >>> for folder, seed in zip(folders, (0, 1)):
    ...     net = cr.TwoLayerNet(2, 10, 3)
    ...     trainer = cr.Trainer(net, cr.SGD(lr=1.0), seed=seed, engine="numpy")
    ...     _history = trainer.fit(x, t, 2, 30, checkpoint=folder, progress=None)
    >>> found = cr.compare_runs(*folders)
    >>> found.equal, found.trainings[0].first_step, found.trainings[0].verdict
    (False, 1, 'They part at step 1.')
    >>> cr.compare_runs(folders[0], folders[0]).equal
    True
    """
    tolerance = below_one(tolerance, "tolerance")
    path_a, path_b = os.fspath(a), os.fspath(b)
    of_a, of_b = sides(path_a), sides(path_b)
    if len(of_a) == len(of_b) == 1:  # whatever they are called
        (name, one), (other,) = next(iter(of_a.items())), of_b.values()
        return RunComparison(
            path_a, path_b, tolerance, (compare_trainings(name, one, other, tolerance),)
        )
    both = [name for name in of_a if name in of_b]
    if not both:
        raise SettingError(
            _(
                "{a} has {trainings_a}, {b} has {trainings_b}. Name the folder or the file of one training"
                " in each.",
                a=path_a,
                b=path_b,
                trainings_a=_told(of_a),
                trainings_b=_told(of_b),
            )
        )
    return RunComparison(
        path_a,
        path_b,
        tolerance,
        tuple(compare_trainings(name, of_a[name], of_b[name], tolerance) for name in both),
        tuple(name for name in of_a if name not in of_b),
        tuple(name for name in of_b if name not in of_a),
    )


def _told(trainings: Mapping[str, Side]) -> Text:
    names = [name for name in trainings if name]
    if not names:
        return _("one training")
    return _("the trainings {names}", names=listed(names))
