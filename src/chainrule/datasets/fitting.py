"""What a `Preprocessor` learns from the columns of the training rows: a rule for each column of x."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from chainrule.datasets.dates import DATE_PARTS, date_part, day_of
from chainrule.datasets.parts import (
    NUMBER,
    CodeColumn,
    FlagColumn,
    NumberColumn,
    Part,
    TextColumn,
    WordColumn,
)
from chainrule.datasets.table import Table
from chainrule.datasets.targets import moments
from chainrule.datasets.wording import advice, in_list, quoted, some, typed
from chainrule.lang.messages import Spelled, Text, _, _n, listed, sentences

__all__ = ["ENCODINGS", "Encoding", "filled_notes", "fit_columns"]

MANY_TEXTS = 50
TOO_MANY_TEXTS = 1000
#: Categories up to this many are one-hot in a robust encoding with embeddings.
FEW_CATEGORIES = 9
#: Gaps in more columns than this are told in one sentence.
FEW_GAPS = 5
#: Of categories with more letters in all fewer are told.
FEW_LETTERS = 160
#: Where the smooth clipping of robust scaling ends: |x| < 3.
CLIP = 3.0

#: What may be a number written in another way, 3.4±0.2, 1/2, 5 h 11 min, but no address (1 AVENUE) nor
#: code (101-81-4070).
NEARLY_NUMBER = re.compile(r"(?!.*\d-\d)\W*\d[\d\W]*([^\W\d_]{1,3}\W*(\d[\d\W]*[^\W\d_]{0,3})?)?")

Vector = npt.NDArray[np.float64]
#: Columns of text by their categories, and whether they are one input: the name and gaps of each.
_Alike = dict[tuple[tuple[str, ...], bool], list[tuple[str, int]]]


@dataclass(frozen=True)
class Encoding:
    """How columns become inputs.

    `robust`: by median and quartiles, smoothly clipped, one-hot columns too, instead of by mean and
    standard deviation. `embedded`: texts of more than nine categories become row numbers of a
    CategoryEmbedding.
    """

    robust: bool = False
    embedded: bool = False


#: The encodings by name.
ENCODINGS = {
    "standard": Encoding(),
    "robust": Encoding(robust=True),
    "embedded": Encoding(robust=True, embedded=True),
}
EncodingName = Literal["standard", "robust", "embedded"]


def fit_columns(
    table: Table,
    target: str | None,
    notes: list[Text],
    encoding: Encoding = ENCODINGS["standard"],
    weights: Vector | None = None,
) -> list[Part]:
    """The rules for every column but the target.

    They stand in the table's order; in a robust encoding, numbers come first and row numbers of
    embeddings last. `weights` count in means and standard deviations.
    """
    names = [name for name in table.names if name != target]
    numbers = _Numbers(table, [n for n in names if table.kind(n) != "text"], encoding, weights)
    parts: list[Part] = []
    alike: _Alike = {}
    for name in names:
        if table.kind(name) == "text":
            parts += _fit_text(table, name, notes, encoding, alike)
            continue
        number, beside = numbers.rules(name), _fit_words(table, name, notes)
        if not number and beside is None:
            numbers.empty.append(name)
        parts += [*number, *([] if beside is None else [beside])]
    notes += [_alike_note(*kind, columns) for kind, columns in alike.items()]
    numbers.tell(notes)
    if encoding.robust:
        parts.sort(key=_place)
        parts = _numbered(parts)
    return parts


def _place(part: Part) -> int:
    if isinstance(part, NumberColumn):
        return 0
    return 2 if isinstance(part, CodeColumn) and part.rows else 1


def _numbered(parts: list[Part]) -> list[Part]:
    """The parts, with the row numbers of one embedding for all columns together."""
    numbered: list[Part] = []
    first = 0
    for part in parts:
        if isinstance(part, CodeColumn) and part.rows:
            values = tuple(value + first for value in part.values)
            part, first = replace(part, values=values, other=float(first)), first + part.rows
        numbered.append(part)
    return numbered


class _Numbers:
    """The rules for the number columns of a table, and what is to be told about them."""

    def __init__(
        self, table: Table, names: list[str], encoding: Encoding, weights: Vector | None
    ) -> None:
        self.table, self.encoding, self.weights = table, encoding, weights
        self.columns: dict[str, Vector] = {}
        self.empty: list[str] = []
        self.constant: list[str] = []
        self.filled: list[tuple[str, int, float]] = []
        self.flagged: list[str] = []
        self.scaled: list[str] = []
        self.dates: dict[str, list[str]] = {}
        self.gaps = table.missing_counts()
        self._patterns: set[bytes] = set()
        self._learned: dict[str, list[Part]] = {}
        for start in range(0, len(names), table.columns_at_once):
            group = names[start : start + table.columns_at_once]
            cells = np.ascontiguousarray(table.matrix(group).T)
            for name, values in zip(group, cells, strict=True):
                self._learned[name] = self._fit(name, values)

    def rules(self, name: str) -> list[Part]:
        """The rules for a column; none if it has no value at all."""
        return self._learned[name]

    def _fit(self, name: str, values: Vector) -> list[Part]:
        gaps = np.isnan(values)
        known = values[~gaps] if gaps.any() else values
        if not known.size:
            return []
        form = self.table.form(name) or NUMBER
        weights = None if self.weights is None else self.weights[~gaps]
        number = self._number(name, known, weights)
        parts: list[Part] = [replace(number, form=form)]
        self.scaled.append(name)
        if number.scale == 0.0:
            self.constant.append(name)
        if form.kind == "date":
            times = known.min() >= 0 and known.max() < 1  # of day, which are their hour already
            for part in () if times else DATE_PARTS:
                pieces = date_part(known, part)
                if pieces.min() < pieces.max():
                    parts.append(replace(self._number(name, pieces, weights), form=form, of=part))
                    self.dates.setdefault(name, []).append(part)
        if self.gaps.get(name):
            self.filled.append((name, self.gaps[name], number.median))
            pattern = np.packbits(gaps).tobytes()
            if pattern not in self._patterns:  # another column's flag tells the same
                self._patterns.add(pattern)
                self.flagged.append(name)
                parts.append(FlagColumn(name))
        return parts

    def _number(self, name: str, known: Vector, weights: Vector | None) -> NumberColumn:
        median = _median(known)
        if self.encoding.robust:
            return NumberColumn(name, median, _spread(known), median, clip=CLIP)
        return NumberColumn(name, *moments(known, weights), median)

    def tell(self, notes: list[Text]) -> None:
        """Add what was decided to the notes."""
        if self.scaled:
            notes.append(_scaled_note(self.scaled, self.encoding))
        for name, parts in list(self.dates.items())[:10]:
            notes.append(
                _(
                    "{column} is a date, given as a number of days and as {parts}.",
                    column=quoted(name),
                    parts=listed(_part_name(part) for part in parts),
                )
            )
        notes.extend(filled_notes(self.filled))
        if self.flagged:
            notes.append(
                _n(
                    "{n} input of 0 and 1 tells where a number is missing ({names}).",
                    "{n} inputs of 0 and 1 tell where a number is missing ({names}).",
                    len(self.flagged),
                    names=some(self.flagged, 4),
                )
            )
        if self.constant:
            notes.append(
                _n(
                    "{n} column holds one value only in the training rows and became 0: {names}.",
                    "{n} columns hold one value only in the training rows and became 0: {names}.",
                    len(self.constant),
                    names=some(self.constant, 5),
                )
            )
        if self.empty:
            notes.append(
                _n(
                    "{n} column has no value in the training rows and was left out: {names}.",
                    "{n} columns have no value in the training rows and were left out: {names}.",
                    len(self.empty),
                    names=some(self.empty, 5),
                )
            )


def _part_name(part: str) -> Text:
    return {
        "year": _("year"),
        "month": _("month"),
        "day": _("day of the month"),
        "weekday": _("weekday"),
        "hour": _("hour"),
    }[part]


def _scaled_note(names: Sequence[str], encoding: Encoding) -> Text:
    if encoding.robust:
        return _n(
            "{n} number column was scaled: minus the training median, divided by the distance of the"
            " quartiles, smoothly clipped at ±3 ({names}).",
            "{n} number columns were scaled: minus the training median, divided by the distance of the"
            " quartiles, smoothly clipped at ±3 ({names}).",
            len(names),
            names=some(names, 4),
        )
    return _n(
        "{n} number column was standardised: minus the training mean, divided by the training"
        " standard deviation ({names}).",
        "{n} number columns were standardised: minus the training mean, divided by the training"
        " standard deviation ({names}).",
        len(names),
        names=some(names, 4),
    )


def _spread(values: Vector) -> float:
    """The distance of the quartiles; half the range if that is 0; exactly 0 for a constant."""
    with np.errstate(over="ignore"):
        low, high = np.quantile(values, [0.25, 0.75]).tolist()
        if high > low:
            return min(float(high - low), sys.float_info.max)
    return float(values.max() / 2 - values.min() / 2)


def _median(values: Vector) -> float:
    half = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, half)[half])
    both = np.partition(values, [half - 1, half])
    return float(both[half - 1]) / 2 + float(both[half]) / 2


def filled_notes(gaps: Sequence[tuple[str, int, float]]) -> list[Text]:
    """The sentences that missing cells were filled with the median; one for more than five columns.

    gaps: the name of each column, how many cells are missing in it, and its median.
    """
    if len(gaps) <= FEW_GAPS:
        return [
            _n(
                "{n} missing cell in {column} was filled with the training median {median:.6g}.",
                "{n} missing cells in {column} were filled with the training median {median:.6g}.",
                count,
                column=quoted(name),
                median=median,
            )
            for name, count, median in gaps
        ]
    return [
        _(
            "{count} missing cells in {columns} columns were filled with their training medians ({medians}).",
            count=sum(count for _name, count, _median in gaps),
            columns=len(gaps),
            medians=some(gaps, 6, _name_and_median),
        )
    ]


def _name_and_median(gap: tuple[str, int, float]) -> Text:
    return _("{name} {median:.6g}", name=gap[0], median=gap[2])


def _alike_note(
    categories: Sequence[str], binary: bool, columns: Sequence[tuple[str, int]]
) -> Text:
    """The sentence about the columns of the same categories."""
    most = 12 if sum(map(len, categories[:12])) <= FEW_LETTERS else 4
    names = some(
        categories, most, lambda category: in_list(category) if category else _("(missing)")
    )
    which = some(columns, text_of=lambda column: quoted(column[0]))
    missing = sum(count for _name, count in columns)
    several, count = len(columns) > 1, len(categories)
    if binary:
        inputs = _("one input each, -1 or 1") if several else _("one input, -1 or 1")
    else:
        inputs = (
            _("{count} columns each", count=count) if several else _("{count} columns", count=count)
        )
    if not missing:
        return _("{columns} became {inputs} ({names}).", columns=which, inputs=inputs, names=names)
    return _n(
        "{columns} became {inputs} ({names}), {n} cell missing.",
        "{columns} became {inputs} ({names}), {n} cells missing.",
        missing,
        columns=which,
        inputs=inputs,
        names=names,
    )


def _fit_text(
    table: Table, name: str, notes: list[Text], encoding: Encoding, alike: _Alike
) -> list[Part]:
    text = table.texts(name)
    counts = np.bincount(text.codes[text.codes >= 0], minlength=len(text.categories))
    present = sorted(c for c, n in zip(text.categories, counts.tolist(), strict=True) if n)
    missing = int((text.codes < 0).sum())
    distinct, rows, column = len(present), len(table), quoted(name)
    too_many = distinct > TOO_MANY_TEXTS and not encoding.embedded
    if too_many or (distinct > MANY_TEXTS and distinct * 2 > rows - missing):
        notes.append(_left_out_note(name, present, rows - missing))
        return []
    if not present:
        notes.append(_("{column} was left out: it holds no text at all.", column=column))
        return []
    if distinct + (missing > 0) < 2:
        notes.append(
            _(
                "{column} was left out: it holds one text only, {text}.",
                column=column,
                text=quoted(present[0], 80),
            )
        )
        return []
    categories = tuple(present) + (("",) if missing else ())
    if encoding.embedded and len(categories) > FEW_CATEGORIES:
        notes.append(
            _n(
                "{column} has {n} category, each with weights of its own (an embedding).",
                "{column} has {n} categories, each with weights of its own (an embedding).",
                len(categories),
                column=column,
            )
        )
        places = tuple(float(i) for i in range(1, len(categories) + 1))
        return [CodeColumn(name, categories, places, 0.0, rows=len(categories) + 1)]
    binary = encoding.robust and len(categories) == 2
    alike.setdefault((categories, binary), []).append((name, missing))
    if not encoding.robust:
        return [TextColumn(name, categories)]
    codes = text.codes
    if binary:
        places_of = {category: i for i, category in enumerate(text.categories)}
        second = codes == places_of.get(categories[1], -1)
        first, last, middle = _scaled_codes(np.where(second, 1.0, -1.0), (-1.0, 1.0, 0.0))
        return [CodeColumn(name, categories, (first, last), middle)]
    return [_one_hot(text.codes, text.categories, name, category) for category in categories]


def _one_hot(
    codes: npt.NDArray[np.int32], known: Sequence[str], name: str, category: str
) -> CodeColumn:
    """The column of a category in a one-hot code, scaled as numbers are."""
    place = known.index(category) if category else -1
    off, on = _scaled_codes((codes == place).astype(float), (0.0, 1.0))
    return CodeColumn(name, (category,), (on,), off)


def _scaled_codes(column: Vector, codes: Sequence[float]) -> list[float]:
    """Codes as robust scaling of their column makes them."""
    center, scale = _median(column), _spread(column)
    scaled = [(code - center) / scale if scale else 0.0 for code in codes]
    return [z / float(np.hypot(1.0, z / CLIP)) for z in scaled]


def _left_out_note(name: str, present: Sequence[str], rows: int) -> Text:
    distinct = len(present)
    note: Text = _(
        "{column} was left out: {count} distinct texts in {rows} rows.",
        column=quoted(name),
        count=distinct,
        rows=rows,
    )
    dates = [category for category in present if day_of(category, False) is not None]
    if len(dates) == distinct:  # of which the table's own notes speak
        return note
    if 2 * len(dates) > distinct:
        other = next(category for category in present if category not in dates)
        option = Spelled(f"kinds={{{name!r}: 'date'}}", command=f"--date {typed(name)}")
        hint: Text = _(
            "(Most are dates, such as {text}. As dates, with {other} and the like missing: {option}.)",
            text=quoted(dates[0], 40),
            other=quoted(other, 40),
            option=option,
        )
        return sentences(note, advice(hint))
    digits = [category for category in present if NEARLY_NUMBER.fullmatch(category)]
    if 2 * len(digits) > distinct:
        hint = _(
            "(If they are numbers, such as {text}, write them as 12.5.)",
            text=quoted(digits[0], 40),
        )
        note = sentences(note, hint)
    return note


def _fit_words(table: Table, name: str, notes: list[Text]) -> WordColumn | None:
    """The rule for the words beside the numbers of a column; None if there are no words."""
    words = table.words(name)
    if words is None:
        return None
    counts = np.bincount(words.codes[words.codes >= 0], minlength=len(words.categories)).tolist()
    present = sorted(c for c, n in zip(words.categories, counts, strict=True) if n)
    if not present:
        return None
    if len(present) > MANY_TEXTS and len(present) * 2 > len(table):
        notes.append(
            _(
                "The words among the numbers of {column} were left out, and count as missing: {count}"
                " distinct texts in {rows} rows.",
                column=quoted(name),
                count=len(present),
                rows=len(table),
            )
        )
        return None
    notes.append(
        _n(
            "The words among the numbers of {column} became {n} more column ({names}); where they stand, the"
            " number is the training median.",
            "The words among the numbers of {column} became {n} more columns ({names}); where they stand, the"
            " number is the training median.",
            len(present),
            column=quoted(name),
            names=some(present),
        )
    )
    return WordColumn(name, tuple(present))
