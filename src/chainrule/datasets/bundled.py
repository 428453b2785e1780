"""Three real data sets that come with the package; data/SOURCES.md lists their origins."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from chainrule.datasets.forms import Kinds
from chainrule.datasets.opening import Pathish, refuse_address, unpacked
from chainrule.datasets.reading import read_with
from chainrule.datasets.rules import Reading
from chainrule.datasets.table import Table
from chainrule.datasets.text_tables import parse_csv
from chainrule.datasets.wording import quoted
from chainrule.errors import DataError, nearest
from chainrule.lang.messages import _, _p

__all__ = ["digits", "iris", "load", "names", "open_data", "open_with", "penguins"]

TARGETS = {"digits": "digit", "iris": "species", "penguins": "species"}


def names() -> tuple[str, ...]:
    """The names of the bundled data sets.

    >>> names()
    ('digits', 'iris', 'penguins')
    """
    return tuple(TARGETS)


def load(name: str) -> Table:
    """A bundled data set as a table.

    Raises:
        DataError: no bundled set of this name; the message lists them.

    >>> load("iris")
    Table(bundled iris: 150 rows x 5 columns: sepal_length_cm, sepal_width_cm, petal_length_cm, \
petal_width_cm, species)
    """
    if name not in TARGETS:
        raise DataError(
            _(
                "There is no bundled data set {name}; {nearest}.",
                name=quoted(name, 80),
                nearest=nearest(name, names()),
            )
        )
    from importlib import resources

    file = resources.files("chainrule.datasets").joinpath("data", f"{name}.csv.gz")
    source = _("bundled {name}", name=name)
    return parse_csv(unpacked(file.read_bytes(), source), source)


def digits() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Handwritten digits: x float64 (1797, 64), 8x8 pixels from 0 to 16; t int64 (1797,).

    >>> x, t = digits()
    >>> x.shape, x.max().item(), t[:3].tolist()
    ((1797, 64), 16.0, [0, 1, 2])
    """
    table = load("digits")
    return table.drop("digit").matrix(), table["digit"].copy()


def iris() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Irises: x float64 (150, 4) in cm; t int64 (150,), 0 setosa, 1 versicolor, 2 virginica.

    >>> x, t = iris()
    >>> x.shape, np.bincount(t).tolist()
    ((150, 4), [50, 50, 50])
    """
    table = load("iris")
    ids = np.unique(table["species"], return_inverse=True)[1]
    return table.drop("species").matrix(), ids.astype(np.int64)


def penguins() -> Table:
    """Penguins: 344 rows, 8 columns, with text columns and missing cells, as real tables have.

    >>> penguins().missing_counts()["sex"]
    11
    """
    return load("penguins")


def open_data(name_or_path: Pathish, kinds: Kinds | None = None) -> tuple[Table, str | None]:
    """A bundled set by its name, or a file by its path; with the target column if it is known.

    A bundled name takes precedence over a file of that name; ./iris, or a `Path`, is always the
    file. Known targets: those of the bundled sets, "label" of IDX files, and in .npz files the
    array beside the matrix. `kinds` are those of a text table's columns, as in `read_csv`.

    Raises:
        DataError: neither a bundled name nor a file, or a file that cannot be used.
        FormatError: the contents are not what the file's name says, or are damaged.

    >>> table, target = open_data("penguins")
    >>> len(table), target
    (344, 'species')
    """
    return open_with(name_or_path, Reading(kinds=dict(kinds or {})))


def open_with(name_or_path: Pathish, reading: Reading) -> tuple[Table, str | None]:
    """`open_data`, with all options for a text table in one `Reading`."""
    where = os.fspath(name_or_path)
    if isinstance(name_or_path, str) and where in TARGETS:
        table = load(where)
        if os.path.exists(where):
            table = table.with_notes(
                _(
                    "This is the bundled data set {name}; the file of that name is ./{name}.",
                    name=where,
                )
            )
        return table, TARGETS[where]
    if not os.path.lexists(where):
        refuse_address(where)
        sets = _p("what may be chosen", "bundled data sets")
        raise DataError(
            _(
                "{name} is neither a file nor a bundled data set; {nearest}. Check the name, or give the"
                " path of a file.",
                name=quoted(where, 80),
                nearest=nearest(where, names(), sets),
            )
        )
    table = read_with(name_or_path, reading)
    lower = where.lower()
    if lower.endswith(".npz"):
        last = table.names[-1]
        return table, last if last != f"x{len(table.names) - 1}" else None
    from_idx = table.names[-1] == "label" and table.names[0] == "p0"
    return table, "label" if from_idx and not lower.endswith((".csv", ".csv.gz")) else None
