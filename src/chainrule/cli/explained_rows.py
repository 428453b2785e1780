"""Which rows `chainrule explain` explains, and what it says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from chainrule.cli.chosen_rows import chosen_label, chosen_rows
from chainrule.cli.data_options import DataOptions
from chainrule.cli.model_and_data import notes_on, open_both
from chainrule.errors import DataError
from chainrule.explaining import Contributions, explain_rows
from chainrule.explaining.cells import cell_text
from chainrule.lang.messages import Text, _, _n

if TYPE_CHECKING:
    from chainrule.datasets import Preprocessor, Table
    from chainrule.explaining.why import Method

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
    loaded, preparation, table = open_both(
        model, data, read_as, target=worst is not None,
        otherwise=_("What each input of an array adds, cr.integrated_gradients says."),
    )  # fmt: skip
    if not len(table):
        raise DataError(_("{source} has no rows.", source=table.source))
    chosen = chosen_rows(loaded, preparation, table, row, line, worst, every)
    rows = table.rows(chosen)
    mean = loaded.baselines is not None and loaded.baselines.mean is not None
    why = explain_rows(
        loaded,
        rows if mean else table,
        None if mean else chosen,
        label=chosen_label(preparation, label),
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
