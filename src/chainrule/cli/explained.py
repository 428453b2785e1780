"""What `evaluate` says of a model beside its scores: importance of columns, and calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.cli.terminal import paragraph, printable, rows, say, table, tongue, too_wide
from chainrule.errors import DataError
from chainrule.explaining.encoded import answers_of
from chainrule.explaining.wording import CAVEAT, LOST, lost_text
from chainrule.lang.messages import Text, _, _n, _p
from chainrule.text_width import beginning, cells_wide
from chainrule.training import CalibrationCurve, brier_score, calibration_curve, log_loss

if TYPE_CHECKING:
    from chainrule.cli.scoring import Score
    from chainrule.datasets import Preprocessor, Table
    from chainrule.explaining import Importance
    from chainrule.files import Model

__all__ = [
    "CELL",
    "NAME",
    "Calibration",
    "bar",
    "barred",
    "calibration_of",
    "decimals_for",
    "importance_json",
    "importance_of",
    "known_indices",
    "number",
    "short",
    "show_calibration",
    "show_importance",
]

#: The longest bar, name of a column, and cell.
CELLS, NAME, CELL = 16, 36, 24


def known_indices(score: Score, preparation: Preprocessor) -> npt.NDArray[np.signedinteger[Any]]:
    """The indices of the scored rows whose class the model knows: others have no probability."""
    if preparation.classes is None:
        return score.indices
    known = (preparation.class_ids(score.table) >= 0)[score.indices]
    if not known.any():
        raise DataError(
            _("{source}: no row is of a class that the model knows.", source=score.table.source)
        )
    return score.indices[known]


def _known_rows(score: Score, preparation: Preprocessor) -> Table:
    """The scored rows whose class the model knows; not copied if they are all."""
    indices = known_indices(score, preparation)
    return score.table if len(indices) == len(score.table) else score.table.rows(indices)


def bar(part: float, cells: int = CELLS) -> str:
    """A bar for a part of 1, in halves of a cell; nothing for 0 and less.

    >>> bar(0.5, 4), bar(0.4, 4), bar(-1.0)
    ('██', '█▌', '')
    """
    halves = round(2 * cells * min(max(part, 0.0), 1.0))
    return "█" * (halves // 2) + "▌" * (halves % 2)


def barred(head: Sequence[str], body: Sequence[tuple[str, ...]], bars: int) -> None:
    """A table with bars in column `bars`, the last one of words; where it is too wide, without."""
    if too_wide(head, body):
        head, body = (
            [*head[:bars], *head[bars + 1 :]],
            [(*line[:bars], *line[bars + 1 :]) for line in body],
        )
        bars -= 1
    table(head, body, left=bars + 1)


def short(text: object, most: int) -> str:
    """A name or a cell, cut to so many places of the terminal.

    >>> short("a long name", 6), short("name", 6)
    ('a lon…', 'name')
    """
    whole = printable(str(text))
    return whole if cells_wide(whole) <= most else f"{beginning(whole, most - 1)}…"


def decimals_for(most: float) -> int:
    """How many decimals show four digits of the largest of some numbers.

    >>> decimals_for(3.2), decimals_for(0.05), decimals_for(25_000.0)
    (3, 5, 0)
    """
    return min(max(3 - math.floor(math.log10(most)), 0), 9) if most > 0 else 0


def number(value: float, decimals: int, sign: str = "") -> str:
    """A number with so many decimals and the minus sign of print; `sign="+"` for plus, too.

    >>> number(-1.23456, 3), number(12345.6, 0, "+")
    ('−1.235', '+12,346')
    """
    return f"{round(value, decimals) + 0.0:{sign},.{decimals}f}".replace("-", "−")


def show_importance(importance: Importance, top: int | None) -> None:
    """The columns by what shuffling them costs, as a table with bars."""
    say()
    metrics = list(importance.lost)
    repeats = importance.lost[metrics[0]].shape[1]
    caption = _n(
        "how much worse the answers of {rows} are when the cells of a column are shuffled (mean ±"
        " standard deviation of {n} shuffle)",
        "how much worse the answers of {rows} are when the cells of a column are shuffled (mean ±"
        " standard deviation of {n} shuffles)",
        repeats,
        rows=_n("{n:,} row", "{n:,} rows", importance.rows),
    )
    paragraph(caption, "dim")
    most = float(importance.mean.max())
    count = len(importance.columns) if top is None else min(top, len(importance.columns))
    body = [
        (
            short(name, NAME),
            bar(float(importance.mean[i]) / most) if most > 0 else "",
            *(lost_text(importance, metric, i) for metric in metrics),
        )
        for i, name in enumerate(importance.columns[:count])
    ]
    head: tuple[Text | str, ...] = (_("column"), "", *(LOST[metric] for metric in metrics))
    barred(head, body, 1)
    more = len(importance.columns) - count
    if more:
        say(
            _n(
                "({n:,} more column; --top all shows it)",
                "({n:,} more columns; --top all shows them)",
                more,
            )
        )
    paragraph(CAVEAT, "dim")


def importance_json(importance: Importance) -> dict[str, object]:
    """The importance of all columns, for another program."""
    return {
        "rows": importance.rows,
        "scores": importance.scores,
        "columns": [
            {
                "column": name,
                **{
                    metric: {"mean": float(values[i].mean()), "std": float(values[i].std())}
                    for metric, values in importance.lost.items()
                },
            }
            for i, name in enumerate(importance.columns)
        ],
    }


def importance_of(
    model: Model, score: Score, repeats: int, seed: int, progress: str | None
) -> Importance:
    """The importance of every column on the scored rows, of a large table on some of them."""
    from chainrule.explaining import permutation_importance
    from chainrule.explaining.importance import rows_for

    preparation = model.preparation
    assert preparation is not None
    return permutation_importance(
        model,
        _known_rows(score, preparation),
        repeats=repeats,
        seed=seed,
        most_rows=rows_for(len(preparation.columns), repeats),
        progress=progress,
        lang=tongue(),
    )


@dataclass(frozen=True)
class Calibration:
    """Whether the probabilities of some rows come true, and their scores."""

    curve: CalibrationCurve
    log_loss: float
    brier_score: float

    def as_json(self) -> dict[str, object]:
        """Everything, for another program."""
        curve = self.curve
        return {
            "error": curve.error,
            "largest_error": curve.largest_error,
            "log_loss": self.log_loss,
            "brier_score": self.brier_score,
            "bins": [
                {"said": said, "came_true": came, "rows": count}
                for said, came, count in zip(
                    curve.said.tolist(),
                    curve.came_true.tolist(),
                    curve.rows.tolist(),
                    strict=True,
                )
            ],
        }


def calibration_of(model: Model, score: Score) -> Calibration:
    """The calibration on the scored rows."""
    preparation = model.preparation
    assert preparation is not None
    known = _known_rows(score, preparation)
    p, t = answers_of(model, preparation.transform(known)), preparation.targets(known)
    return Calibration(calibration_curve(p, t), log_loss(p, t), brier_score(p, t))


def show_calibration(found: Calibration) -> None:
    """How often what was said came true, bin by bin, and the scores of the probabilities."""
    say()
    caption = _("whether probabilities come true: the rows by the probability of their answer")
    paragraph(caption, "dim")
    curve = found.curve
    body = [
        (f"{said:.1%}", f"{came:.1%}", f"{count:,}")
        for said, came, count in zip(curve.said, curve.came_true, curve.rows, strict=True)
    ]
    table((_p("a probability", "said"), _p("a probability", "came true"), _("rows")), body, left=0)
    say()
    rows(
        [
            (_("calibration error"), f"{curve.error:.1%}"),
            (_("log loss"), f"{found.log_loss:.4f}"),
            (_("Brier score"), f"{found.brier_score:.4f}"),
        ]
    )
