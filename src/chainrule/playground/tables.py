"""Rows that are cells of a table: the learner's own, read as the command reads one; and the digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.datasets import Preprocessor, digits, parse_csv, rows_with_target, stratified_split
from chainrule.datasets.encodings import likely_encoding
from chainrule.datasets.table import Table
from chainrule.lang.messages import _, _n
from chainrule.playground.caps import Caps
from chainrule.playground.data import Array, Data, Plane
from chainrule.playground.settings import Problems, Settings

__all__ = ["Cells", "digit_cells", "read_table", "table_cells"]

#: A file may have so many bytes.
MOST_BYTES = 2 << 20
#: So many inputs can be chosen from, and so many classes can be told apart.
MOST_INPUTS, MOST_CLASSES = 1_000, 100
#: A table needs so many rows with a target.
LEAST_ROWS = 4
#: A target of whole numbers with at most so many values is one of classes, as `Preprocessor` says.
FEW = 20


@dataclass(frozen=True, eq=False, kw_only=True)
class Cells(Data):
    """The cells of a table as numbers: one column for each of `names`."""

    matrix: Array
    #: The table and how it was prepared, where there is one.
    table: Table | None = None
    preparation: Preprocessor | None = None

    def inputs(self, features: Sequence[str]) -> Array:
        """The columns of the features."""
        return self.matrix[:, self._places(features)]

    @property
    def usual_loss(self) -> str:
        """Of a table with classes the one that gives their probabilities, as `chainrule train` does."""
        return "softmax" if self.table is not None and self.classes is not None else "squared"

    @property
    def unit(self) -> tuple[float, float]:
        """Of numbers to predict, which are standardised: their deviation, and their mean."""
        if self.preparation is None or self.classes is not None:
            return super().unit
        zero, one = self.preparation.inverse_transform([0.0, 1.0])
        return float(one - zero), float(zero)

    @property
    def nbytes(self) -> int:
        """About how much memory the rows take."""
        return self.matrix.nbytes + self.labels.nbytes

    def plane(self, features: Sequence[str]) -> Plane | None:
        """The plane of the two features, in their own units, if they are columns of numbers that vary."""
        if len(features) != 2 or not set(features) <= set(self._numbers):
            return None
        if not len(self.labels) or not np.ptp(self.inputs(features), axis=0).all():
            return None
        points = self.points(features)
        ends = []
        for low, high in zip(points.min(axis=0), points.max(axis=0), strict=True):
            margin = 0.06 * (high - low) or 1.0
            ends.append((float(low - margin), float(high + margin)))
        return Plane(ends[0], ends[1], (features[0], features[1]))

    def points(self, features: Sequence[str]) -> Array:
        """The two columns, in their own units."""
        scale, shift = self._units(features)
        return self.inputs(features) * scale + shift

    def grid(self, features: Sequence[str], size: int) -> Array:
        """The points of the grid, as the network is given them."""
        plane = self.plane(features)
        assert plane is not None
        scale, shift = self._units(features)
        return (plane.grid(size) - shift) / scale

    def expanded(self, features: tuple[str, ...]) -> tuple[str, ...]:
        """A column of texts stands for all its categories."""
        found: dict[str, None] = {}
        for name in features:
            # A column of numbers with words beside them stands for the words, too.
            own = [n for n in self.names if n.startswith(f"{name}=")] if name in self._texts else []
            found.update(dict.fromkeys([name, *own] if name in self.names else own or [name]))
        return tuple(found)

    def _places(self, features: Sequence[str]) -> list[int]:
        return [self.names.index(name) for name in features]

    @property
    def _numbers(self) -> list[str]:
        kinds = self.preparation.kinds if self.preparation else {}
        return [name for name in self.names if kinds.get(name) in ("number", "mixed", "date")]

    @property
    def _texts(self) -> list[str]:
        kinds = self.preparation.kinds if self.preparation else {}
        return [name for name, kind in kinds.items() if kind in ("text", "mixed")]

    def _units(self, features: Sequence[str]) -> tuple[Array, Array]:
        """What one standardised unit of these columns is, and where their zero is."""
        assert self.preparation is not None
        mean, deviation = np.transpose([self.preparation.scales[name] for name in features])
        return deviation, mean


def read_table(name: str, body: bytes) -> Table:
    """The table in a CSV file that was handed in, whatever program saved it; without a name, pasted.

    Raises:
        DataError: what is wrong with it, and where.
        Problems: it is too large.
    """
    source = name or _("the pasted table")
    if len(body) > MOST_BYTES:
        raise Problems(
            [
                _(
                    "{name} has {size:,} bytes; at most {most:,} are taken.",
                    name=source,
                    size=len(body),
                    most=MOST_BYTES,
                )
            ]
        )
    encoding = likely_encoding(body)
    table = parse_csv(body, source, encoding)
    if encoding == "utf-8":
        return table
    return table.with_notes(_("The text was read as {encoding}.", encoding=encoding))


def table_cells(settings: Settings, table: Table | None, caps: Caps) -> Cells:
    """The rows of the learner's table, prepared as `chainrule train` does it, by the training rows."""
    if table is None:
        raise Problems([_("There is no table yet: choose a file, or paste one.")])
    target = settings.target if settings.target is not None else table.names[-1]
    if target not in table:
        raise Problems([_("The table has no column {name!r} to predict.", name=target)])
    known, lost = rows_with_target(table, target)
    notes = list(table.notes)
    if lost:
        notes.append(
            _n(
                "{n} row without a value in {name!r} is left out.",
                "{n} rows without a value in {name!r} are left out.",
                lost,
                name=target,
            )
        )
    rows = np.flatnonzero(known)
    rng = np.random.default_rng([int(settings.data_seed), 1])
    most = caps.points
    if len(rows) > most:
        notes.append(_("{some:,} of {all:,} rows were drawn.", some=most, all=len(rows)))
        rows = np.sort(rng.choice(rows, most, replace=False))
    table = table.rows(rows)
    order, n = _split(table, target, settings.train_part, rng)
    table = table.rows(order)
    preparation = Preprocessor.fit(table.rows(slice(0, n)), target)
    _check_size(preparation)
    classes = preparation.classes
    labels = np.asarray(preparation.targets(table), dtype=float if classes is None else int)
    return Cells(
        labels.reshape(-1),
        n,
        preparation.features,
        None if classes is None else tuple(map(str, classes)),
        target,
        (*notes, *preparation.notes),
        matrix=preparation.transform(table).astype(float),
        table=table,
        preparation=preparation,
    )


def _check_size(preparation: Preprocessor) -> None:
    """Raise if there are more inputs or classes than can be shown."""
    problems = []
    if len(preparation.features) > MOST_INPUTS:
        problems.append(
            _(
                "The columns would become {count:,} inputs, since a column of texts becomes one for each"
                " text; at most {most:,} are taken. Leave columns of many texts out of the table.",
                count=len(preparation.features),
                most=MOST_INPUTS,
            )
        )
    if preparation.classes is not None and len(preparation.classes) > MOST_CLASSES:
        problems.append(
            _(
                "The column {name!r} has {count:,} different answers; at most {most} classes are taken."
                " Choose another column to predict.",
                name=preparation.target,
                count=len(preparation.classes),
                most=MOST_CLASSES,
            )
        )
    if problems:
        raise Problems(problems)


def _split(
    table: Table, target: str, part: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.intp], int]:
    """The rows in a new order, and how many are for training: of each class one at least."""
    if len(table) < LEAST_ROWS:
        raise Problems(
            [
                _n(
                    "The table has {n} row with a target; at least {least} are needed.",
                    "The table has {n} rows with a target; at least {least} are needed.",
                    len(table),
                    least=LEAST_ROWS,
                )
            ]
        )
    values, ids = np.unique(table[target], return_inverse=True)
    order = rng.permutation(len(table))
    place = np.empty(len(table))
    if table.kind(target) == "text" or len(values) <= FEW:
        for k in range(len(values)):
            own = order[ids[order] == k]
            place[own] = np.arange(len(own)) / len(own)
    else:
        place[order] = np.arange(len(table)) / len(table)
    train = place < part
    return np.concatenate([order[train[order]], order[~train[order]]]), int(train.sum())


def digit_cells(settings: Settings) -> Cells:
    """Handwritten digits, 8 by 8 pixels from 0 to 1."""
    x, t = digits()
    held = np.random.default_rng([int(settings.data_seed), 1])
    train, test = stratified_split(t, 1 - settings.train_part, held)
    order = np.concatenate([train, test])
    names = tuple(f"pixel {i // 8},{i % 8}" for i in range(64))
    classes = tuple(str(k) for k in range(10))
    return Cells(t[order], len(train), names, classes, image=(8, 8), matrix=x[order] / 16)
