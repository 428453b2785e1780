"""The rows of a run as a CSV file, and the preparation by which `chainrule predict` reads such files."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Sequence

import numpy as np

from chainrule.datasets import Preprocessor, Table
from chainrule.datasets.parts import NumberColumn
from chainrule.datasets.targets import Target
from chainrule.playground.data import Array, Data, Points
from chainrule.playground.tables import Cells

__all__ = ["preparation_of", "write_rows"]

#: The headings of the inputs that the playground makes of a point.
_HEADINGS = {
    "x": "x1", "y": "x2", "x2": "x1^2", "y2": "x2^2", "xy": "x1*x2",
    "sinx": "sin(x1)", "siny": "sin(x2)",
}  # fmt: skip
LABEL = "label"
_EPOCH = dt.datetime(1970, 1, 1)


def write_rows(data: Data, features: Sequence[str]) -> bytes:
    """The rows with their labels, and whether they are trained on; a table as it was handed in.

    Of points of the plane there are both coordinates, and the inputs that are made of them: all
    that the network is given is a column.
    """
    headings: list[str]
    columns: list[Iterable[object]]
    if isinstance(data, Cells) and data.table is not None:
        headings = list(data.table.names)
        columns = [_written(data.table, name) for name in headings]
    else:
        known = list(dict.fromkeys([*data.names[:2], *features]))
        known = known if isinstance(data, Points) else list(data.names)
        headings = [*(_HEADINGS.get(name, name) for name in known), LABEL]
        columns = [*data.inputs(known).T.tolist(), _labels(data)]
    part = "part"
    while part in headings:
        part += "_"
    parts = ["train" if i < data.train else "test" for i in range(len(data.labels))]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*headings, part])
    writer.writerows(zip(*columns, parts, strict=True))
    return text.getvalue().encode()


def _labels(data: Data) -> list[object]:
    if data.classes is None:
        labels: list[object] = data.labels.tolist()
        return labels
    numbers = _numbers_of(data.classes)
    return [numbers[k] for k in data.labels]


def _numbers_of(classes: Sequence[str]) -> tuple[int, ...]:
    """The classes of generated and painted points, which are whole numbers, be it with the sign −."""
    return tuple(int(name.replace("−", "-")) for name in classes)


def _written(table: Table, name: str) -> list[object]:
    """The cells of a column as its file had them: with its decimal sign, its words, its dates and gaps."""
    cells: list[object] = table[name].tolist()
    form = table.form(name)
    if form is not None and form.kind == "date":
        cells = [_date(cell) if cell == cell else "" for cell in cells]  # type: ignore[arg-type]
    elif table.kind(name) == "float":
        comma = form is not None and form.decimal == ","
        texts = ("" if cell != cell else repr(cell) for cell in cells)
        cells = [text.replace(".", ",") if comma else text for text in texts]
    words = table.words(name)
    beside = words.decoded().tolist() if words is not None else cells
    return [word or cell for word, cell in zip(beside, cells, strict=True)] if words else cells


def _date(days: float) -> str:
    """A date as ISO 8601 has it, with a time of day where it has one."""
    moment = _EPOCH + dt.timedelta(days=days)
    return moment.isoformat(" ").removesuffix(" 00:00:00")


def preparation_of(data: Data, features: Sequence[str]) -> Preprocessor:
    """How a table with the columns of `write_rows` becomes what the network is given."""
    if isinstance(data, Cells) and data.preparation is not None:
        return data.preparation.only(features)
    rule = Target("regression")
    if data.classes is not None:
        rule = Target("classification", _numbers_of(data.classes))
    x = data.inputs(features)[: data.train]
    parts = [
        NumberColumn(_HEADINGS.get(name, name), 0.0, 1.0, _median(column))
        for name, column in zip(features, x.T, strict=True)
    ]
    return Preprocessor(LABEL, rule, parts, ())


def _median(column: Array) -> float:
    return float(np.median(column)) if len(column) else 0.0
