"""From a table to arrays for a network, and from its outputs back to labels and units.

Means, standard deviations, medians, categories and classes are learned from the training rows
alone; the same rules then apply to all later rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.datasets.columns import short
from chainrule.datasets.dates import date_part
from chainrule.datasets.described import VERSION, check_json, part_from_json, part_to_json
from chainrule.datasets.fitting import ENCODINGS, EncodingName, fit_columns
from chainrule.datasets.forms import Form, Kind
from chainrule.datasets.giveaways import giveaway_notes
from chainrule.datasets.new_rows import check_columns, is_number, new_row_notes
from chainrule.datasets.note_json import message_from_json, message_to_json
from chainrule.datasets.parts import (
    CodeColumn,
    FlagColumn,
    Layout,
    NumberColumn,
    Part,
    TextColumn,
    WordColumn,
    category_ids,
    part_columns,
)
from chainrule.datasets.table import Table, in_blocks
from chainrule.datasets.targets import Target, Task, fit_target, labels_in
from chainrule.datasets.wording import at_column, quoted, some
from chainrule.errors import DataError, FormatError, SettingError, nearest, shown
from chainrule.lang.messages import Spelled, Text, _, _n, _p, listed, sentences

__all__ = ["Preprocessor", "rows_with_target"]

ROWS_AT_ONCE = 2048


def rows_with_target(
    table: Table, target: str, task: str = "auto"
) -> tuple[npt.NDArray[np.bool_], int]:
    """A mask (n,) of the rows whose target is known, and the number of the other rows.

    A word in place of a number is a target only if the task is classification.

    Raises:
        DataError: no such column, or no row with a target.

    >>> table = Table({"x": [1, 2, 3], "t": ["a", "", "b"]})
    >>> mask, lost = rows_with_target(table, "t")
    >>> table.rows(mask)["t"].tolist(), lost
    (['a', 'b'], 1)
    """
    table.require(target)
    known = ~table.missing(target)
    words = table.words(target)
    if words is not None and labels_in(table, target, task) is None:
        known &= words.codes < 0
    if not known.any():
        raise DataError(
            _(
                "{where}: every one of the {count} cells is missing, so there is nothing to learn from."
                " Choose another target column.",
                where=at_column(table.source, quoted(target)),
                count=len(table),
            )
        )
    return known, int(len(table) - known.sum())


class Preprocessor:
    """How the columns of a table become the inputs of a network; made by `fit`.

    Attributes: `target` and `task`; `classes`, the sorted labels (None in regression);
    `features`, a name for every column of x; `columns`, the table's columns that are used;
    `notes`, plain sentences about what was decided.

    >>> from chainrule.datasets import penguins
    >>> table = penguins()
    >>> prepared = Preprocessor.fit(table, "species")
    >>> prepared.task, prepared.classes
    ('classification', ('Adelie', 'Chinstrap', 'Gentoo'))
    >>> x, t = prepared.transform(table), prepared.targets(table)
    >>> x.shape, x.dtype, t.dtype
    ((344, 12), dtype('float32'), dtype('int64'))
    >>> prepared.labels(t[:1]).tolist()
    ['Adelie']
    """

    def __init__(
        self,
        target: str,
        rule: Target,
        parts: Sequence[Part],
        notes: Sequence[str],
        form: Form | None = None,
    ) -> None:
        self._target, self._rule = target, rule
        self._parts = tuple(parts)
        self._notes = tuple(notes)
        words = rule.classes is not None and isinstance(rule.classes[0], str)
        self._form = form or Form("text" if words else "mixed" if rule.classes else "number")

    @property
    def target(self) -> str:
        """The name of the target column."""
        return self._target

    @property
    def task(self) -> Task:
        """`"classification"` or `"regression"`."""
        return self._rule.task

    @property
    def classes(self) -> tuple[str, ...] | tuple[int, ...] | None:
        """The labels in the order of their ids; None in regression."""
        return self._rule.classes

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns from which x is made."""
        return tuple(dict.fromkeys(part.name for part in self._parts))

    @property
    def parts(self) -> tuple[Part, ...]:
        """The rules, one for each column or for the words in it, in the order of the columns of x."""
        return self._parts

    @property
    def center(self) -> float:
        """The mean that was subtracted from the target; 0 in classification."""
        return self._rule.center

    @property
    def limits(self) -> tuple[float, float] | None:
        """The range within which answers are kept after a robust encoding; else None."""
        return self._rule.limits

    @property
    def scale(self) -> float:
        """The standard deviation by which the target was divided; 1 in classification."""
        return self._rule.spread

    @property
    def scales(self) -> dict[str, tuple[float, float]]:
        """What each number column is scaled by: its mean and standard deviation, or median and spread.

        >>> Preprocessor.fit(Table({"a": [1, 3], "t": ["p", "q"]}), "t").scales
        {'a': (2.0, 1.0)}
        """
        numbers = (part for part in self._parts if isinstance(part, NumberColumn))
        return {part.name: (part.center, part.scale) for part in numbers if part.of is None}

    @property
    def layout(self) -> Layout:
        """Which columns of x are numbers, and which are row numbers of a CategoryEmbedding.

        >>> letters = list("abcdefghijkl" * 3)
        >>> table = Table({"letter": letters, "a": range(36), "t": [0, 1, 2] * 12})
        >>> Preprocessor.fit(table, "t", encoding="embedded").layout
        Layout(numbers=1, columns=1, rows=13, unknown=(0,))
        """
        kinds = [isinstance(part, NumberColumn) for part in self._parts]
        codes = [part for part in self._parts if isinstance(part, CodeColumn) and part.rows]
        return Layout(
            numbers=kinds.index(False) if False in kinds else len(kinds),
            columns=len(codes),
            rows=sum(part.rows for part in codes),
            unknown=tuple(int(part.other) for part in codes),
        )

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kinds of its columns and of the target.

        >>> Preprocessor.fit(Table({"a": [1, 2], "t": ["p", "q"]}), "t").kinds
        {'a': 'number', 't': 'text'}
        """
        kinds = {name: form.kind for name, form in self.forms.items()}
        if self.classes is not None and not isinstance(self.classes[0], str):
            kinds[self._target] = "number"
        return kinds

    @property
    def forms(self) -> dict[str, Form]:
        """How its columns and the target were written; for `read_csv(path, kinds=...)`.

        >>> Preprocessor.fit(Table({"a": [1, 2], "t": ["p", "q"]}), "t").forms["a"]
        Form(kind='number', decimal='', unit='', day_first=None)
        """
        forms: dict[str, Form] = {}
        for part in self._parts:
            if isinstance(part, NumberColumn):
                forms[part.name] = part.form
            elif isinstance(part, WordColumn):
                forms[part.name] = replace(forms.get(part.name, Form("mixed")), kind="mixed")
            elif not isinstance(part, FlagColumn):
                forms[part.name] = Form("text")
        return {**forms, self._target: self._form}

    @property
    def features(self) -> tuple[str, ...]:
        """A name for every column of x: `bill_length_mm`, `island=Biscoe`."""
        return tuple(name for part in self._parts for name in part.features)

    @property
    def notes(self) -> tuple[str, ...]:
        """The decisions made by `fit`, one sentence each."""
        return self._notes

    def __repr__(self) -> str:
        """Task, target and number of inputs, on one line."""
        inputs = len(self.features)
        return f"Preprocessor({self.task} of {self._target!r} from {inputs} inputs)"

    @classmethod
    def fit(
        cls,
        table: Table,
        target: str,
        task: Literal["auto", "classification", "regression"] = "auto",
        *,
        encoding: EncodingName = "standard",
    ) -> Preprocessor:
        """Learn the rules from the training rows, all of which must have a target.

        `task="auto"`: a text target, or whole numbers with at most 20 distinct values, is
        classification; other numbers are regression.
        `encoding="standard"`: numbers minus their mean, divided by their standard deviation; texts
        as 0 and 1 for each category. "robust": minus the median, divided by the distance of the
        quartiles, then z / √(1 + (z/3)²), so that outliers stay within ±3; columns of 0 and 1 are
        scaled likewise, and answers of a regression stay within the range of the training rows.
        "embedded": as "robust", but texts of more than nine categories become row numbers for a
        CategoryEmbedding, the last columns of x.

        In all of them a missing number becomes the median, with a column of 0 and 1 that tells where
        (one for all columns with the same gaps); a date becomes days, year, month, day, weekday and
        hour, as far as they differ.

        Raises:
            DataError: no such target, missing or constant targets, or no column to learn from.
            SettingError: another task.
        """
        if task not in ("auto", "classification", "regression"):
            raise SettingError(
                _(
                    "task: {nearest}. Got {got}.",
                    nearest=nearest(task, ["auto", "classification", "regression"]),
                    got=shown(task),
                )
            )
        if target not in table:
            columns = _p("what may be chosen", "columns")
            raise DataError(
                _(
                    "{source}: no column {name} to be the target; {nearest}. Name the column that the network"
                    " shall predict.",
                    source=table.source,
                    name=quoted(target, 80),
                    nearest=nearest(target, table.names[:40], columns),
                )
            )
        lost = rows_with_target(table, target, task)[1]
        if lost:
            raise DataError(
                _(
                    "{where}: {lost} of {count} rows have no target. Leave them out: mask, count ="
                    " rows_with_target(table, target); table = table.rows(mask).",
                    where=at_column(table.source, quoted(target)),
                    lost=lost,
                    count=len(table),
                )
            )
        notes: list[Text] = []
        if encoding not in ENCODINGS:
            raise SettingError(
                _(
                    "encoding: {nearest}. Got {got}.",
                    nearest=nearest(encoding, ENCODINGS),
                    got=shown(encoding),
                )
            )
        rule = fit_target(table, target, task, notes)
        if not ENCODINGS[encoding].robust:
            rule = replace(rule, limits=None)
        parts = fit_columns(table, target, notes, ENCODINGS[encoding])
        if not parts:
            problem = _(
                "{source}: no column is left to learn from besides the target {target}.",
                source=table.source,
                target=quoted(target),
            )
            raise DataError(sentences(problem, *notes))
        form = table.form(target)
        if rule.classes is not None and form is not None and form.kind != "text":
            form = replace(form, kind="mixed")  # a word in later rows is an unknown class
        prepared = cls(target, rule, parts, notes, form)
        ids = None if rule.classes is None else prepared.targets(table).astype(np.int64)
        notes += giveaway_notes(table, target, ids, prepared.columns)
        return cls(target, rule, parts, notes, form)

    @classmethod
    def fit_inputs(
        cls,
        table: Table,
        *,
        encoding: EncodingName = "standard",
        weights: npt.NDArray[np.float64] | None = None,
    ) -> Preprocessor:
        """The rules for all columns of a table without a target, which is prepared elsewhere.

        `weights` (n,): how much each row counts in means and standard deviations.

        Raises:
            DataError: no column to learn from.
        """
        notes: list[Text] = []
        parts = fit_columns(table, None, notes, ENCODINGS[encoding], weights)
        if not parts:
            problem = _("{source}: no column is left to learn from.", source=table.source)
            raise DataError(sentences(problem, *notes))
        return cls("", Target("regression"), parts, notes)

    def towards(self, name: str, rule: Target) -> Preprocessor:
        """The same inputs, with a target that was prepared elsewhere by this rule.

        >>> prepared = Preprocessor.fit_inputs(Table({"a": [1, 3]}))
        >>> prepared.towards("t", Target("classification", ("p", "q"))).labels([1]).tolist()
        ['q']
        """
        return type(self)(name, rule, self._parts, self._notes)

    def only(self, features: Sequence[str]) -> Preprocessor:
        """The same rules for some of its `features`, in this order; for a network that takes only these.

        Raises:
            SettingError: a feature that is none of its own, or that is asked for twice.

        >>> prepared = Preprocessor.fit(Table({"a": [1, 2], "b": [3, 5], "t": ["p", "q"]}), "t")
        >>> prepared.only(["b"]).transform(Table({"b": [4]})).tolist()
        [[0.0]]
        """
        if len(set(features)) < len(features):
            raise SettingError(
                _("only takes every feature once. Got {features}.", features=shown(list(features)))
            )
        single: dict[str, Part] = {}
        for part in self._parts:
            if isinstance(part, TextColumn):
                ones = (replace(part, categories=(category,)) for category in part.categories)
                single |= dict(zip(part.features, ones, strict=True))
            else:
                single[part.features[0]] = part
        parts: list[Part] = []
        for name in features:
            if name not in single:
                known = nearest(name, self.features)
                raise SettingError(
                    _("There is no feature {name}; {nearest}.", name=shown(name), nearest=known)
                )
            part, last = single[name], parts[-1] if parts else None
            if (
                isinstance(part, TextColumn)
                and isinstance(last, TextColumn)
                and (type(part), part.name) == (type(last), last.name)
            ):
                parts[-1] = replace(last, categories=last.categories + part.categories)
            else:
                parts.append(part)
        return type(self)(self._target, self._rule, parts, self._notes, self._form)

    def transform(self, table: Table, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
        """The table's rows as x float32 (n, len(features)); other columns are ignored.

        `dtype=np.float64` keeps all digits.

        Raises:
            DataError: a column is absent, or holds texts where the training rows have numbers,
                or a number too far from them for float32.
        """
        check_columns(table, self._parts)
        if table.on_disk:
            return in_blocks(table, partial(self.transform, dtype=dtype))
        out = np.zeros((len(table), len(self.features)), dtype)
        numbers: list[tuple[int, NumberColumn]] = []
        position = 0
        for part in self._parts:
            width = len(part.features)
            if isinstance(part, NumberColumn):
                numbers.append((position, part))
            else:
                out[:, position : position + width] = part_columns(table, part)
            position += width
        if numbers:
            self._transform_numbers(table, out, *zip(*numbers, strict=True))
        return out

    def _transform_numbers(
        self,
        table: Table,
        out: npt.NDArray[Any],
        positions: tuple[int, ...],
        numbers: tuple[NumberColumn, ...],
    ) -> None:
        names = [part.name for part in numbers]
        center = np.array([part.center for part in numbers])
        constant = np.array([part.scale == 0.0 for part in numbers])
        scale = np.array([part.scale or 1.0 for part in numbers])
        median = np.array([part.median for part in numbers])
        clipped = np.array([part.clip is not None for part in numbers])
        clip = np.array([part.clip or 1.0 for part in numbers])
        dates = [(i, part.of) for i, part in enumerate(numbers) if part.of is not None]
        consecutive = list(positions) == list(range(positions[0], positions[0] + len(positions)))
        columns = slice(positions[0], positions[0] + len(positions)) if consecutive else positions
        for start in range(0, len(table), ROWS_AT_ONCE):
            chunk = table.matrix(names, start, start + ROWS_AT_ONCE)
            for i, of in dates:
                chunk[:, i] = date_part(chunk[:, i], of)
            gaps = np.isnan(chunk)
            if gaps.any():
                np.copyto(chunk, median, where=gaps)
            with np.errstate(over="ignore", invalid="ignore"):
                chunk -= center
                chunk /= scale
                if clipped.any():
                    np.divide(chunk, np.hypot(1.0, chunk / clip), out=chunk, where=clipped)
                chunk[:, constant] = 0.0
                small = chunk.astype(out.dtype)
            if not np.isfinite(small).all():
                row, column = np.argwhere(~np.isfinite(small))[0].tolist()
                cell = table.matrix([names[column]], start + row, start + row + 1).item()
                raise DataError(
                    _(
                        "{where}: the number is too far from the training rows. Got {number:g}; there the"
                        " mean is {mean:g} and the standard deviation {std:g}. Correct the cell, or leave it"
                        " empty.",
                        where=table.location_of(start + row, names[column]),
                        number=cell,
                        mean=center[column],
                        std=scale[column],
                    )
                )
            out[start : start + len(chunk), columns] = small

    def targets(self, table: Table) -> npt.NDArray[np.int64] | npt.NDArray[np.float32]:
        """The target column as class ids int64 (n,), or standardised float32 (n, 1).

        Raises:
            DataError: the column is absent, or has cells that are missing, of an unknown class,
                or in regression not numbers.
        """
        if table.on_disk:
            return in_blocks(table, self.targets)
        if self.classes is None:
            return self._standardised(table)
        ids = self.class_ids(table)
        missing = table.missing(self._target)
        if missing.any():
            self._refuse_missing(table, int(missing.sum()))
        unknown = np.flatnonzero(ids < 0)
        if unknown.size:
            labels = listed(quoted(name, 40) for name in list(self.unknown_labels(table))[:50])
            raise DataError(
                sentences(
                    _n(
                        "{where}: {n} of {rows} is of a class that the training rows do not have.",
                        "{where}: {n} of {rows} are of a class that the training rows do not have.",
                        unknown.size,
                        where=table.location_of(int(unknown[0]), self._target),
                        rows=_n("{n} row", "{n} rows", len(table)),
                    ),
                    _("Got {labels}; known are {known}.", labels=labels, known=some(self.classes)),
                    _("Correct them, leave them out, or train again with such rows."),
                )
            )
        return ids

    def _standardised(self, table: Table) -> npt.NDArray[np.float32]:
        """The target column of a regression, standardised, float32 (n, 1)."""
        table.require(self._target)
        if table.kind(self._target) == "text":
            cells = table[self._target].tolist()
            row = next((i for i, cell in enumerate(cells) if not is_number(cell)), 0)
            raise DataError(
                _(
                    "{where}: numbers are needed, as in training. Got {text}.",
                    where=table.location_of(row, self._target),
                    text=quoted(cells[row], 80),
                )
            )
        values = table.matrix([self._target])
        missing = int(np.isnan(values).sum())
        if missing:
            self._refuse_missing(table, missing)
        with np.errstate(over="ignore"):
            y = np.asarray((values - self._rule.center) / self._rule.spread, dtype=np.float32)
        if not np.isfinite(y).all():
            row = int(np.argmin(np.isfinite(y[:, 0])))
            raise DataError(
                _(
                    "{where}: the number is too far from the training rows. Got {number:g}; there the mean is"
                    " {mean:g} and the standard deviation {std:g}. Correct the cell, or leave out the row.",
                    where=table.location_of(row, self._target),
                    number=values[row, 0],
                    mean=self._rule.center,
                    std=self._rule.spread,
                )
            )
        return y

    def _refuse_missing(self, table: Table, missing: int) -> None:
        problem = _n(
            "{where}: {n} of {rows} has no target.",
            "{where}: {n} of {rows} have no target.",
            missing,
            where=at_column(table.source, quoted(self._target)),
            rows=_n("{n} row", "{n} rows", len(table)),
        )
        plain = _("Leave them out.")
        python = _("Leave them out with rows_with_target(table, target).")
        raise DataError(sentences(problem, Spelled(python, command=plain, page=plain)))

    def class_ids(self, table: Table) -> npt.NDArray[np.int64]:
        """The target column as class ids int64 (n,); -1 for a class unknown from training.

        Raises:
            DataError: the column is absent, or this is regression.

        >>> prepared = Preprocessor.fit(Table({"a": [1, 2], "t": ["p", "q"]}), "t")
        >>> prepared.class_ids(Table({"t": ["q", "z"]})).tolist()
        [1, -1]
        """
        table.require(self._target)
        if self.classes is None:
            raise DataError(
                _(
                    "{target} is a number to predict (regression): no classes.",
                    target=quoted(self._target),
                )
            )
        if isinstance(self.classes[0], str):
            return category_ids(table, self._target, self.classes)
        if table.kind(self._target) == "text":
            return np.full(len(table), -1, dtype=np.int64)
        values = table.matrix([self._target])[:, 0]
        known = np.array(self.classes, dtype=np.float64)
        ids = np.searchsorted(known, values).clip(0, len(known) - 1).astype(np.int64)
        ids[known[ids] != values] = -1
        return ids

    def unknown_labels(self, table: Table) -> dict[str, int]:
        """The labels that do not occur in the training rows, with the number of rows of each.

        >>> prepared = Preprocessor.fit(Table({"a": [1, 2], "t": ["p", "q"]}), "t")
        >>> prepared.unknown_labels(Table({"t": ["q", "z", "z"]}))
        {'z': 2}
        """
        counts: dict[str, int] = {}
        column, words = table[self._target].tolist(), table.words(self._target)
        beside = words.decoded().tolist() if words is not None else [""] * len(table)
        for i in np.flatnonzero((self.class_ids(table) < 0) & ~table.missing(self._target)):
            cell = column[i]
            label = beside[i] or (cell if isinstance(cell, str) else short(float(cell)))
            counts[label] = counts.get(label, 0) + 1
        return counts

    def labels(self, ids: npt.ArrayLike) -> npt.NDArray[Any]:
        """Class ids (any shape) as the target's own labels: str, or int64.

        Raises:
            DataError: this is regression, or an id outside 0 … classes - 1.
        """
        if self.classes is None:
            raise DataError(
                _(
                    "{target} is a number to predict (regression), so there are no labels. Use"
                    " inverse_transform(y).",
                    target=quoted(self._target),
                )
            )
        class_ids = np.asarray(ids)
        count = len(self.classes)
        if class_ids.dtype.kind not in "iu" or (
            class_ids.size and not (class_ids.min() >= 0 and class_ids.max() < count)
        ):
            raise DataError(
                _(
                    "Class ids are whole numbers from 0 to {last}. Got {got}.",
                    last=count - 1,
                    got=shown(ids),
                )
            )
        kind = np.str_ if isinstance(self.classes[0], str) else np.int64
        labels: npt.NDArray[Any] = np.array(self.classes, dtype=kind)[class_ids]
        return labels

    def inverse_transform(self, y: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Standardised answers (any shape) as float64 in the target's own unit.

        After a robust encoding they are kept within the range of the training rows.

        Raises:
            DataError: this is classification.
        """
        if self.classes is not None:
            raise DataError(
                _(
                    "{target} has classes (classification), so there is no unit. Use labels(ids).",
                    target=quoted(self._target),
                )
            )
        answers = np.asarray(y, np.float64) * self._rule.spread + self._rule.center
        return answers if self._rule.limits is None else answers.clip(*self._rule.limits)

    def limited(self, y: npt.ArrayLike) -> npt.NDArray[Any]:
        """Standardised answers within the range of the training rows, if the encoding is robust.

        Anything else stays as it is: answers after other encodings, and scores of classes.
        """
        answers = np.asarray(y)
        if self._rule.limits is None:
            return answers
        low, high = ((n - self._rule.center) / self._rule.spread for n in self._rule.limits)
        return answers.clip(low, high)

    def warnings_for(self, table: Table) -> tuple[Text, ...]:
        """Sentences about new rows: missing cells that are filled, texts not seen in training.

        Raises:
            DataError: as `transform`.

        >>> prepared = Preprocessor.fit(Table({"a": [1, 2], "t": ["p", "q"]}), "t")
        >>> prepared.warnings_for(Table({"a": [None, 2]}))
        ("1 missing cell in 'a' was filled with the training median 1.5.",)
        """
        check_columns(table, self._parts)
        return new_row_notes(table, self._parts)

    def to_json(self) -> dict[str, Any]:
        """The rules as plain lists, numbers and texts, for `json`; `from_json` takes them back.

        >>> prepared = Preprocessor.fit(Table({"a": [1, 2], "t": ["p", "q"]}), "t")
        >>> Preprocessor.from_json(prepared.to_json()).to_json() == prepared.to_json()
        True
        """
        rule = self._rule
        return {
            "version": VERSION,
            "target": self._target,
            "task": rule.task,
            "classes": None if rule.classes is None else list(rule.classes),
            "center": rule.center,
            "spread": rule.spread,
            "limits": None if rule.limits is None else list(rule.limits),
            "columns": [part_to_json(part) for part in self._parts],
            "notes": list(map(str, self._notes)),
            "messages": list(map(message_to_json, self._notes)),
            "form": asdict(self._form),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preprocessor:
        """The preprocessor that `to_json` described.

        Raises:
            FormatError: a key is missing or unknown, or a value of a wrong type or not finite;
                the message lists all errors.
        """
        problems: list[Text] = []
        check_json(data, problems)
        if problems:
            summary: Text = listed(problems[:10], "clauses")
            if len(problems) > 10:
                summary = _(
                    "{problems} (and {count} more)", problems=summary, count=len(problems) - 10
                )
            raise FormatError(
                _(
                    "The description of the preparation is damaged: {problems}. Train and save the model"
                    " again.",
                    problems=summary,
                )
            )
        messages = data.get("messages", data["notes"])
        limits = data.get("limits")
        rule = Target(
            data["task"],
            None if data["classes"] is None else tuple(data["classes"]),
            float(data["center"]),
            float(data["spread"]),
            None if limits is None else (float(limits[0]), float(limits[1])),
        )
        return cls(
            data["target"],
            rule,
            [part_from_json(column) for column in data["columns"]],
            list(map(message_from_json, messages, data["notes"])),
            Form(**data["form"]) if data.get("form") else None,
        )
