"""Which rows `chainrule explain` explains, and what it says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from chainrule.cli.data_options import DataOptions
from chainrule.cli.model_and_data import notes_on, open_both
from chainrule.errors import DataError, SettingError
from chainrule.explaining import Contributions, explain_rows
from chainrule.explaining.cells import cell_text
from chainrule.explaining.encoded import answers_of
from chainrule.lang.messages import Text, _, _n, sentences

if TYPE_CHECKING:
    from chainrule.datasets import Preprocessor, Table
    from chainrule.explaining.why import Method
    from chainrule.files import Model

__all__ = ["Explained", "explained"]

Indices = npt.NDArray[np.intp]

METHODS: dict[str, Text] = {
    "integrated": _("by integrated gradients: what the columns add makes up the whole"),
    "gradient": _("by gradient times input, which need not make up the whole"),
}


@dataclass(frozen=True)
class Explained:
    """Rows with what each column adds to their answers."""

    preparation: Preprocessor
    #: These rows alone, and their indices in the data.
    rows: Table
    indices: Indices
    contributions: Contributions
    #: The answers as the model gives them (n,).
    answers: npt.NDArray[Any]
    notes: tuple[str, ...]

    def answer(self, i: int) -> object:
        """The predicted label, or the predicted number in seven digits."""
        answer = self.answers[i].item()
        return f"{answer:.7g}" if isinstance(answer, float) else answer

    def explained_label(self, i: int) -> object:
        """The class that is explained."""
        ids, classes = self.contributions.explained, self.preparation.classes
        assert ids is not None
        assert classes is not None
        return classes[int(ids[i])]

    def cell(self, i: int, name: str) -> str:
        """A cell of a row, as text."""
        return cell_text(self.rows, name, i, self.preparation)

    def heading(self, i: int) -> Text:
        """The row, what was said of it, and what it is, where that is known."""
        target, where = self.preparation.target, self.rows.line_of(i)
        truth = cell_text(self.rows, target, i, self.preparation) if target in self.rows else "–"
        share = self.contributions.probabilities
        if share is None:
            said = f"{self.answer(i)}".replace("-", "−")
            if truth == "–":
                return _("{where}: {target} {said}", where=where, target=target, said=said)
            return _(
                "{where}: {target} {said}, and it is {truth}",
                where=where, target=target, said=said, truth=truth,
            )  # fmt: skip
        said, part = self.answers[i].item(), float(share[i].max())
        if truth in ("–", str(said)):
            return _("{where}: {part:.1%} {label}", where=where, part=part, label=said)
        return _(
            "{where}: {part:.1%} {label}, and it is {truth}",
            where=where, part=part, label=said, truth=truth,
        )  # fmt: skip

    def what(self, i: int) -> Text:
        """The name of what is explained."""
        if self.contributions.explained is None:
            return _("{target} for this row", target=self.preparation.target)
        return _("log-odds of {label}", label=self.explained_label(i))

    def method_line(self) -> Text:
        """By what method, and how well the parts make up the whole."""
        method = METHODS[self.contributions.method]
        if self.contributions.method != "integrated":
            return method
        left = self.left_over()
        return _("{method}, but for {left:.2%} of their sizes at most", method=method, left=left)

    def left_over(self) -> float:
        """The largest part of the sizes of what is added that is left over."""
        sizes = np.abs(self.contributions.added).sum(axis=1)
        return float(np.max(np.abs(self.contributions.gap) / np.maximum(sizes, 1e-300)))

    def as_json(self, rows: bool = True) -> dict[str, object]:
        """Everything, for another program."""
        why = self.contributions
        told: dict[str, object] = {
            "method": why.method,
            "baseline": why.baseline,
            "left_over": self.left_over(),
        }
        if rows:
            told["rows"] = [self._row(i) for i in range(len(self.indices))]
        return {**told, "notes": list(self.notes)}

    def _row(self, i: int) -> dict[str, object]:
        why = self.contributions
        row: dict[str, object] = {
            "row": int(self.indices[i]),
            "prediction": self.answers[i].item(),
        }
        if why.explained is not None:
            row["explained"] = self.explained_label(i)
        row |= {"value": float(why.value[i]), "start": float(why.start[i])}
        row["added"] = {why.columns[j]: float(why.added[i, j]) for j in why.order(i)}
        return {**row, "left_over": float(why.gap[i])}


def explained(
    model: str,
    data: str,
    read_as: DataOptions,
    row: Sequence[int],
    line: Sequence[int],
    worst: int | None,
    label: str | None,
    method: str,
    *,
    every: bool,
) -> Explained:
    """Open both, choose the rows, and explain them; `every`: all of them where none is chosen."""
    loaded, preparation, table = open_both(model, data, read_as, target=worst is not None)
    if not len(table):
        raise DataError(_("{source} has no rows.", source=table.source))
    chosen = _chosen(loaded, preparation, table, row, line, worst, every)
    rows = table.rows(chosen)
    mean = loaded.baselines is not None and loaded.baselines.mean is not None
    why = explain_rows(
        loaded,
        rows if mean else table,
        None if mean else chosen,
        label=_label(preparation, label),
        method=cast("Method", method),
    )
    notes = list(notes_on(rows, preparation))
    if not mean:
        notes.append(
            _(
                "{model} does not keep the mean of its training rows, so the way begins at the mean of this"
                " table.",
                model=model,
            )
        )
    answers = loaded.predict(rows)
    kept = why.explained is None and ~np.isclose(answers, why.value, rtol=1e-4)
    if np.any(kept):
        notes.append(
            _n(
                "{n:,} answer was brought into the range of the training rows; explained is what it was"
                " before.",
                "{n:,} answers were brought into the range of the training rows; explained is what they"
                " were before.",
                int(np.sum(kept)),
            )
        )
    return Explained(preparation, rows, chosen, why, answers, tuple(notes))


def _chosen(
    model: Model,
    preparation: Preprocessor,
    table: Table,
    row: Sequence[int],
    line: Sequence[int],
    worst: int | None,
    every: bool,
) -> Indices:
    """The indices of the rows that were asked for."""
    if worst is not None and (row or line):
        raise SettingError(_("--worst chooses the rows; leave --row and --line out."))
    if worst is not None:
        return _worst(model, preparation, table, worst)
    indices = [*row, *(_on_line(table, number) for number in line)]
    for index in row:
        if index >= len(table):
            raise SettingError(
                _(
                    "--row {row}: {source} has {count}, 0 to {last}.",
                    row=index,
                    source=table.source,
                    count=_n("{n:,} row", "{n:,} rows", len(table)),
                    last=len(table) - 1,
                )
            )
    if indices:
        return np.array(list(dict.fromkeys(indices)), np.intp)
    return np.arange(len(table) if every else 1, dtype=np.intp)


def _on_line(table: Table, line: int) -> int:
    """The index of the row on a line of the file."""
    lines = table.lines
    if lines is None:
        raise SettingError(
            _("--line: {source} has no lines. Say --row N, counted from 0.", source=table.source)
        )
    found = np.flatnonzero(lines == line)
    if not found.size:
        raise SettingError(
            _(
                "--line {line}: {source} has no row there; its rows begin on lines {first} to {last}.",
                line=line,
                source=table.source,
                first=lines[0],
                last=lines[-1],
            )
        )
    return int(found[0])


def _worst(model: Model, preparation: Preprocessor, table: Table, count: int) -> Indices:
    """The rows whose true class is least probable, or whose errors are largest."""
    from chainrule.datasets import rows_with_target

    known = np.flatnonzero(rows_with_target(table, preparation.target, preparation.task)[0])
    if preparation.classes is not None:
        known = known[preparation.class_ids(table.rows(known)) >= 0]
    if not len(known):
        raise DataError(
            _("{source}: no row is of a class that the model knows.", source=table.source)
        )
    rows = table.rows(known)
    answers, t = answers_of(model, preparation.transform(rows)), preparation.targets(rows)
    if preparation.classes is not None:
        errors = -answers[np.arange(len(t)), t]
    else:
        errors = np.abs(answers - preparation.inverse_transform(t)[:, 0])
    return known[np.argsort(-errors, kind="stable")[:count]]


def _label(preparation: Preprocessor, given: str | None) -> object:
    """The class of --class, which is a whole number where the labels are."""
    if given is None:
        return None
    classes = preparation.classes
    if classes is None:
        raise SettingError(
            _(
                "--class: the model predicts a number ({target}), which has no classes. Leave it out.",
                target=preparation.target,
            )
        )
    by_text: dict[str, object] = {str(label): label for label in classes}
    if given not in by_text:
        from chainrule.errors import nearest, shown

        raise SettingError(
            sentences(
                _(
                    "--class: {nearest}. Got {got}.",
                    nearest=nearest(given, list(by_text)[:40]),
                    got=shown(given),
                )
            )
        )
    return by_text[given]
