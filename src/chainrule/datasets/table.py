"""A table: named columns of equal length, immutable.

Numbers are stored in matrix blocks, so that 784 pixel columns are one array and not 784.
Texts are stored as codes into the list of distinct texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from chainrule.datasets.columns import Column, Texts, as_column, check_matrix
from chainrule.datasets.fingerprints import fingerprint_of
from chainrule.datasets.forms import Form, Kinds
from chainrule.datasets.frames import frame_columns
from chainrule.datasets.rules import Reading
from chainrule.datasets.storage import DISK, on_disk, slices, taken
from chainrule.datasets.typed import read_typed
from chainrule.datasets.wording import at_column, at_line, quoted, some
from chainrule.errors import DataError, guess, shown
from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, in_language, listed, sentences

__all__ = ["Table", "in_blocks"]

Mask = npt.NDArray[np.bool_]
A = TypeVar("A", bound=npt.NDArray[Any])
#: How many columns, and how many cells of them, are looked at together.
GROUP, GROUP_CELLS = 32, 1 << 22
A_TABLE = _("a table")


class _Columns(Mapping[str, Column]):
    def __init__(self, table: Table) -> None:
        self._table = table

    def __getitem__(self, name: str) -> Column:
        if name not in self._table.names:
            raise KeyError(name)
        return self._table.column(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.names)

    def __len__(self) -> int:
        return len(self._table.names)


class Table:
    """Named columns of equal length, immutable.

    A number column comes out as float64, where NaN is a missing cell, or as int64, which
    has none; a text column as an array of str, where "" is a missing cell.

    Args:
        columns: name to 1-D array (or list) of whole numbers, floats, bools, texts or dates, or a
            frame: of pandas, or of any library with the Arrow C interface (polars, pyarrow, DuckDB,
            …). None, NaN and NA are missing cells; dates become days since the first of January
            1970, an instant with a zone those of UTC; decimals become floats, categories the texts
            or numbers they stand for. Texts lose the blanks around them, as those of a CSV file do, and
            texts that are all dates, such as "2024-01-31", are dates; categories stay what they are. A
            frame's index is no column. The arrays are copied.
        source: where the data comes from, such as a path; for messages.
        notes: sentences about how the data was read and changed.
        kinds: as in `read_csv`, for columns of texts that are numbers or dates, or the reverse.

    Raises:
        DataError: columns of unlike length, not 1-D, infinite, or of another kind
            (complex numbers, bytes, lists, texts and numbers mixed).

    >>> table = Table({"height": [1.5, None, 1.8], "name": ["Ann", "Bo", ""]})
    >>> len(table), table.names, table.missing_counts()
    (3, ('height', 'name'), {'height': 1, 'name': 1})
    >>> table["height"].tolist()
    [1.5, nan, 1.8]
    """

    __slots__ = (
        "_blocks",
        "_forms",
        "_length",
        "_lines",
        "_names",
        "_notes",
        "_positions",
        "_source",
        "_texts",
        "_words",
    )  # fmt: skip

    _names: tuple[str, ...]
    _source: str
    _notes: tuple[str, ...]
    _length: int
    _blocks: tuple[Column, ...]
    _positions: dict[str, tuple[int, int]]
    _texts: dict[str, Texts]
    _words: dict[str, Texts]
    _forms: dict[str, Form]
    _lines: npt.NDArray[np.int64] | None

    def __init__(
        self,
        columns: object,
        source: str = A_TABLE,
        notes: Iterable[str] = (),
        *,
        kinds: Kinds | None = None,
    ) -> None:
        by_name = frame_columns(columns, source)
        if by_name is None:
            raise DataError(
                _(
                    "{source}: columns by name are needed: a dict, or a frame of pandas, polars or Arrow."
                    " Got {got}."
                    " For a matrix: Table.from_matrix(x).",
                    source=source,
                    got=shown(columns),
                )
            )
        read = read_typed(by_name, Reading(kinds=dict(kinds or {})), source)
        sizes = {
            name: len(column.codes if isinstance(column, Texts) else column)
            for name, column in read.columns.items()
        }
        if len(set(sizes.values())) > 1:
            raise DataError(
                _(
                    "{source}: the columns of a table must be equally long. Got {sizes}.",
                    source=source,
                    sizes=listed(
                        _name_and_size(name, size) for name, size in list(sizes.items())[:5]
                    ),
                )
            )
        self._set(list(by_name), read.blocks, read.texts, source, (*notes, *read.notes))
        object.__setattr__(self, "_words", read.words)
        object.__setattr__(self, "_forms", read.forms)

    @classmethod
    def from_matrix(
        cls,
        x: npt.ArrayLike,
        names: Sequence[str] | None = None,
        more: Mapping[str, object] | None = None,
        source: str = A_TABLE,
        notes: Iterable[str] = (),
    ) -> Table:
        """A table of one matrix block: column i of `x` (n, d) is named x{i}, or `names[i]`.

        `x` is copied in its own dtype, so wide matrices of small integers stay small;
        `more` adds columns (n,) after it.

        >>> Table.from_matrix([[1, 2], [3, 4]], more={"t": [0, 1]}).names
        ('x0', 'x1', 't')
        """
        block = check_matrix(np.array(x), source)
        if names is None:
            names = [f"x{i}" for i in range(block.shape[1])]
        return cls.from_blocks(
            [*names, *(more or {})], [(list(names), block)], {}, source, notes, more
        )

    @classmethod
    def from_blocks(
        cls,
        order: Sequence[str],
        blocks: Iterable[tuple[list[str], Column]],
        texts: Mapping[str, Texts],
        source: str,
        notes: Iterable[str] = (),
        more: Mapping[str, object] | None = None,
        lines: npt.NDArray[np.int64] | None = None,
        words: Mapping[str, Texts] | None = None,
        forms: Mapping[str, Form] | None = None,
    ) -> Table:
        """A table that takes over checked blocks (n, k) without a copy; for the readers.

        `lines` (n,) are the line numbers of the rows in their file, `words` the words in place of
        numbers in number columns, and `forms` how the columns were written.
        """
        all_blocks, all_texts = list(blocks), dict(texts)
        for name, value in (frame_columns(more or {}, source) or {}).items():
            column = as_column(value, source, name)
            if isinstance(column, Texts):
                all_texts[name] = column
            else:
                all_blocks.append(([name], column.reshape(-1, 1)))
        table = object.__new__(cls)
        table._set(list(order), all_blocks, all_texts, source, notes)
        object.__setattr__(table, "_lines", lines)
        object.__setattr__(table, "_words", dict(words or {}))
        object.__setattr__(table, "_forms", dict(forms or {}))
        return table

    def _set(
        self,
        order: list[str],
        blocks: list[tuple[list[str], Column]],
        texts: dict[str, Texts],
        source: str,
        notes: Iterable[str],
    ) -> None:
        lengths = [len(pair[1]) for pair in blocks] + [len(t.codes) for t in texts.values()]
        if not lengths or not order:
            raise DataError(
                _("{source}: a table needs at least one column. Got none.", source=source)
            )
        for name in order:
            if not isinstance(name, str) or not name:
                raise DataError(
                    _(
                        "{source}: a column's name must be a text that is not empty. Got {got}.",
                        source=source,
                        got=shown(name),
                    )
                )
        twice = sorted(
            {name for name in order if order.count(name) > 1} if _has_duplicates(order) else ()
        )
        if twice:
            raise DataError(
                _(
                    "{source}: two columns have the same name. Got {name} twice. Give every column a name of"
                    " its own.",
                    source=source,
                    name=quoted(twice[0], 80),
                )
            )
        if len(set(lengths)) > 1:
            raise DataError(
                _(
                    "{source}: the columns of a table must be equally long. Got lengths {lengths}.",
                    source=source,
                    lengths=sorted(set(lengths)),
                )
            )
        where: dict[str, tuple[int, int]] = {}
        for b, (names, block) in enumerate(blocks):
            block.flags.writeable = False
            where.update({name: (b, i) for i, name in enumerate(names)})
        for text in texts.values():
            text.codes.flags.writeable = False
        write = object.__setattr__
        write(self, "_names", tuple(order))
        write(self, "_source", source if isinstance(source, Text) else str(source))
        write(self, "_notes", tuple(notes))
        write(self, "_length", lengths[0])
        write(self, "_blocks", tuple(pair[1] for pair in blocks))
        write(self, "_positions", where)
        write(self, "_texts", texts)
        write(self, "_lines", None)
        write(self, "_words", {})
        write(self, "_forms", {})

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a table cannot be changed."""
        problem = _(
            "a Table cannot be changed, so {name!r} cannot be set; make a new Table", name=name
        )
        raise AttributeError(in_language(problem, chosen()))

    def __delattr__(self, name: str) -> None:
        """Refuse: a table cannot be changed."""
        problem = _("a Table cannot be changed; make a new Table")
        raise AttributeError(in_language(problem, chosen()))

    def __reduce__(self) -> tuple[object, ...]:
        """How a table is pickled and copied."""
        blocks: list[tuple[list[str], Column]] = [([], block) for block in self._blocks]
        for name in sorted(self._positions, key=self._positions.__getitem__):
            blocks[self._positions[name][0]][0].append(name)
        columns = [
            (names, self._blocks[b][:, [self._positions[name][1] for name in names]])
            for b, (names, _) in enumerate(blocks)
            if names
        ]
        return Table.from_blocks, (
            list(self._names), columns, self._texts, self._source, self._notes, None, self._lines,
            self._words, self._forms,
        )  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return self._names

    @property
    def source(self) -> str:
        """Where the data came from, for messages."""
        return self._source

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about how the data was read and changed."""
        return self._notes

    @property
    def lines(self) -> npt.NDArray[np.int64] | None:
        """The line in its file on which each row begins (n,); None for a table without a text file."""
        return self._lines

    @property
    def on_disk(self) -> bool:
        """Whether the columns lie in temporary files, since the table is larger than memory."""
        texts = (text.codes for text in self._texts.values())
        return any(on_disk(array) for array in (*self._blocks, *texts))

    def in_blocks(self) -> Iterator[Table]:
        """The rows in tables of 65,536 each, in memory; the last one is smaller.

        >>> [len(part) for part in Table({"a": range(70_000)}).in_blocks()]
        [65536, 4464]
        """
        return map(self.rows, slices(self._length))

    @property
    def columns_at_once(self) -> int:
        """How many columns may be in memory together while all are looked at one by one."""
        return max(1, min(GROUP, GROUP_CELLS // max(1, self._length)))

    @property
    def columns(self) -> Mapping[str, Column]:
        """A read-only mapping of name to column; each access makes the column anew."""
        return _Columns(self)

    def __len__(self) -> int:
        """The number of rows."""
        return self._length

    def __getitem__(self, name: str) -> Column:
        """The same as `column(name)`."""
        return self.column(name)

    def __contains__(self, name: object) -> bool:
        """Whether there is a column of this name."""
        return name in self._positions or name in self._texts

    def __repr__(self) -> str:
        """Source, rows and the first names, on one line."""
        names = ", ".join(self._names[:6]) + (", …" if len(self._names) > 6 else "")
        return f"Table({self._source}: {self._length} rows x {len(self._names)} columns: {names})"

    def location_of(self, row: int, name: str) -> Text:
        """The location of a cell, for messages: `pets.csv:17, column 'age'`, or the row's number.

        >>> Table({"a": [1, 2]}, "a list").location_of(1, "a")
        "a list, row 1, column 'a'"
        """
        at: Text
        if self._lines is None:
            at = _("{source}, row {row}", source=self._source, row=row)
        else:
            at = at_line(self._source, self._lines[row])
        return at_column(at, quoted(name))

    def line_of(self, row: int) -> Text:
        """The row's line in its file, for messages: `line 17`, or `row 3` without a file."""
        if self._lines is None:
            return _("row {row}", row=row)
        return _("line {line}", line=self._lines[row])

    def require(self, *names: str) -> None:
        """Raise a DataError if any of `names` is not a column; it lists all of them."""
        absent = [name for name in names if name not in self]
        if not absent:
            return
        source, absent_names = self._source, some(absent, 5, quoted)
        hint = guess(absent[0], self._names)
        raise DataError(
            sentences(
                _("{source}: no column {names}.", source=source, names=absent_names)
                if len(absent) == 1
                else _("{source}: no columns {names}.", source=source, names=absent_names),
                hint and _("For {name}, {hint}", name=quoted(absent[0]), hint=hint),
                _("Columns: {names}.", names=some(self._names)),
            )
        )

    def kind(self, name: str) -> str:
        """`"int"`, `"float"` or `"text"`."""
        self.require(name)
        if name in self._texts:
            return "text"
        return "float" if self._blocks[self._positions[name][0]].dtype.kind == "f" else "int"

    def column(self, name: str) -> Column:
        """Column `name` (n,), read-only: float64 (NaN missing), int64, or str ("" missing).

        >>> Table({"a": [1, 2]}).column("a").dtype
        dtype('int64')
        """
        self.require(name)
        if name in self._texts:
            values: Column = self._texts[name].decoded()
        else:
            b, i = self._positions[name]
            block = self._blocks[b]
            wide = np.float64 if block.dtype.kind == "f" else np.int64
            values = block[:, i].astype(wide)
        values.flags.writeable = False
        return values

    def texts(self, name: str) -> Texts:
        """Text column `name` as codes and categories."""
        self.require(name)
        if name not in self._texts:
            where = at_column(self._source, quoted(name))
            raise DataError(_("{where} holds numbers, not texts.", where=where))
        return self._texts[name]

    def words(self, name: str) -> Texts | None:
        """The words in place of numbers in a number column, as a text column; None if there are none.

        At a word, the number column has NaN, and `missing` is False.

        >>> from chainrule.datasets import parse_csv
        >>> table = parse_csv(b"n\\n1\\nfew\\n3\\n7\\n", "few.csv")
        >>> table["n"].tolist(), table.words("n").decoded().tolist()
        ([1.0, nan, 3.0, 7.0], ['', 'few', '', ''])
        """
        self.require(name)
        return self._words.get(name)

    def form(self, name: str) -> Form | None:
        """How the column's cells were written in their file; None if it was not read from text."""
        self.require(name)
        return self._forms.get(name)

    def matrix(
        self, names: Sequence[str] | None = None, start: int = 0, stop: int | None = None
    ) -> npt.NDArray[np.float64]:
        """Number columns as a fresh float64 matrix (rows, len(names)), NaN where missing.

        All number columns by default; `start` and `stop` select a range of rows, so that a
        wide table can be read in chunks without a full copy.

        >>> Table({"a": [1, 2], "b": ["x", "y"], "c": [0.5, None]}).matrix().tolist()
        [[1.0, 0.5], [2.0, nan]]
        """
        if names is None:
            names = [name for name in self._names if name in self._positions]
        self.require(*names)
        for name in names:
            if name in self._texts:
                where = at_column(self._source, quoted(name))
                raise DataError(_("{where} holds texts, not numbers.", where=where))
        rows = range(self._length)[start:stop]
        out = np.empty((len(rows), len(names)))
        by_block: dict[int, tuple[list[int], list[int]]] = {}
        for position, name in enumerate(names):
            b, i = self._positions[name]
            positions, columns = by_block.setdefault(b, ([], []))
            positions.append(position)
            columns.append(i)
        for b, (positions, columns) in by_block.items():
            part = self._blocks[b][rows.start : rows.stop]
            out[:, _slice_if_consecutive(positions)] = part[:, _slice_if_consecutive(columns)]
        return out

    def missing(self, name: str) -> Mask:
        """A mask (n,) that is True where column `name` has no value."""
        self.require(name)
        if name in self._texts:
            return np.asarray(self._texts[name].codes < 0)
        b, i = self._positions[name]
        column = self._blocks[b][:, i]
        if column.dtype.kind != "f":
            return np.zeros(len(column), bool)
        gaps = np.isnan(column)
        return gaps & (self._words[name].codes < 0) if name in self._words else gaps

    def missing_counts(self) -> dict[str, int]:
        """The number of missing cells of every column that has any."""
        in_block = [
            np.isnan(block).sum(axis=0) if block.dtype.kind == "f" else None
            for block in self._blocks
        ]
        counts = {}
        for name in self._names:
            if name in self._texts:
                count = int((self._texts[name].codes < 0).sum())
            else:
                b, i = self._positions[name]
                gaps = in_block[b]
                count = 0 if gaps is None else int(gaps[i])
                if name in self._words:
                    count -= int((self._words[name].codes >= 0).sum())
            if count:
                counts[name] = count
        return counts

    def constants(self) -> tuple[str, ...]:
        """The columns with a single distinct value, missing cells not counted."""
        same = []
        for block in self._blocks:
            if not len(block):
                same.append(np.zeros(block.shape[1], bool))
            elif block.dtype.kind == "f":
                same.append(np.asarray(np.fmin.reduce(block) == np.fmax.reduce(block)))
            else:
                same.append(np.asarray(block.min(axis=0) == block.max(axis=0)))
        names = []
        for name in self._names:
            if name in self._texts:
                codes = self._texts[name].codes
                known = codes[codes >= 0]
                if known.size and bool((known == known[0]).all()):
                    names.append(name)
            elif (
                same[self._positions[name][0]][self._positions[name][1]] and name not in self._words
            ):
                names.append(name)
        return tuple(names)

    def rows(self, indices: npt.ArrayLike | slice) -> Table:
        """A table of some rows: indices, a mask (n,) of bools, or a slice.

        Raises:
            DataError: an index outside the table, a mask of another length, or neither.

        >>> Table({"a": [1, 2, 3]}).rows([2, 0])["a"].tolist()
        [3, 1]
        """
        take = _row_selection(indices, self._length, self._source)
        table: Table = object.__new__(type(self))
        write = object.__setattr__
        blocks = tuple(taken(block, take) for block in self._blocks)
        texts, words = (
            {n: Texts(taken(t.codes, take), t.categories) for n, t in columns.items()}
            for columns in (self._texts, self._words)
        )
        for array in (*blocks, *(t.codes for t in (*texts.values(), *words.values()))):
            array.flags.writeable = False
        for name in ("_names", "_source", "_notes", "_positions", "_forms"):
            write(table, name, getattr(self, name))
        write(table, "_words", words)
        write(table, "_blocks", blocks)
        write(table, "_texts", texts)
        write(table, "_lines", None if self._lines is None else taken(self._lines, take))
        write(table, "_length", len(range(self._length)[take] if isinstance(take, slice) else take))
        return table

    def drop(self, *names: str) -> Table:
        """A table without these columns; nothing is copied.

        Raises:
            DataError: a name is not a column, or no column is left.

        >>> Table({"a": [1], "b": [2]}).drop("a").names
        ('b',)
        """
        self.require(*names)
        return self._with(tuple(name for name in self._names if name not in names), self._notes)

    def renamed(self, names: Mapping[str, str]) -> Table:
        """The same table with columns of other names; nothing is copied.

        >>> Table({"a": [1], "b": [2]}).renamed({"a": "c"}).names
        ('c', 'b')
        """
        self.require(*names)
        table = self._with(self._names, self._notes)
        write = object.__setattr__
        write(table, "_names", tuple(names.get(name, name) for name in self._names))
        for part in ("_positions", "_texts", "_words", "_forms"):
            columns = getattr(self, part)
            write(table, part, {names.get(name, name): value for name, value in columns.items()})
        if _has_duplicates(list(table.names)):
            raise DataError(
                _("{source}: two columns would have the same name.", source=self._source)
            )
        return table

    def with_notes(self, *notes: str) -> Table:
        """The same table with these sentences added to its notes."""
        return self._with(self._names, self._notes + notes)

    def _with(self, names: tuple[str, ...], notes: tuple[str, ...]) -> Table:
        if not names:
            raise DataError(
                _("{source}: a table needs at least one column; none is left.", source=self._source)
            )
        table: Table = object.__new__(type(self))
        write = object.__setattr__
        remaining = set(names)
        write(table, "_names", names)
        write(table, "_notes", notes)
        write(table, "_source", self._source)
        write(table, "_length", self._length)
        write(table, "_lines", self._lines)
        write(table, "_blocks", self._blocks)
        write(
            table,
            "_positions",
            {n: position for n, position in self._positions.items() if n in remaining},
        )
        for part in ("_texts", "_words", "_forms"):
            write(table, part, {n: v for n, v in getattr(self, part).items() if n in remaining})
        return table

    def fingerprint(self) -> str:
        """sha256 (64 hex digits) over names, kinds and contents.

        It is the same in every process and for every storage of the same contents (uint8 pixels,
        or the same numbers read from a CSV file); source and notes do not count.

        >>> Table({"a": [1, 2]}).fingerprint()[:8]
        '0a243105'
        """
        return fingerprint_of(self)


def in_blocks(table: Table, function: Callable[[Table], A]) -> A:
    """What a function of rows gives for a table on disk: the same, block by block, and on disk, too."""
    out, start = None, 0
    for part in table.in_blocks():
        found = function(part)
        if out is None:
            out = DISK.empty((len(table), *found.shape[1:]), found.dtype)
        out[start : start + len(found)] = found
        start += len(found)
    return function(table.rows(slice(0, 0))) if out is None else cast(A, out)


def _row_selection(
    indices: npt.ArrayLike | slice, length: int, source: str
) -> slice | npt.NDArray[np.intp]:
    """The selected rows as a slice or as indices; from indices, a mask or a slice."""
    if isinstance(indices, slice):
        return indices
    rows = np.asarray(indices)
    if rows.dtype == bool and rows.shape == (length,):
        return np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.dtype.kind not in "iu" and rows.size):
        raise DataError(
            _(
                "The rows of a table are taken by whole numbers, by a mask of {count} bools, or by a slice."
                " Got {got}.",
                count=length,
                got=shown(indices),
            )
        )
    if rows.size and not (-length <= rows.min() and rows.max() < length):
        raise DataError(
            _(
                "{source} has {count} rows, 0 to {last}. Got positions from {low} to {high}.",
                source=source,
                count=length,
                last=length - 1,
                low=rows.min(),
                high=rows.max(),
            )
        )
    return rows.astype(np.intp)


def _has_duplicates(order: list[str]) -> bool:
    return len(set(order)) < len(order)


def _name_and_size(name: str, size: int) -> Text:
    return _("{name} {size}", name=quoted(name), size=size)


def _slice_if_consecutive(columns: list[int]) -> slice | list[int]:
    """The columns as a slice if they are consecutive, since NumPy slices without a copy."""
    if columns and columns == list(range(columns[0], columns[0] + len(columns))):
        return slice(columns[0], columns[0] + len(columns))
    return columns
