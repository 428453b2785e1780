"""`chainrule evaluate --report`: the page, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from chainrule.atomic_write import write_whole
from chainrule.cli.data_source import STDIN, checksum
from chainrule.cli.explained import known_indices
from chainrule.cli.language import current
from chainrule.cli.report_place import check_in_memory
from chainrule.lang.messages import _

if TYPE_CHECKING:
    from chainrule.cli.scoring import Score
    from chainrule.datasets import Table
    from chainrule.files import Model

__all__ = ["write_report"]


def write_report(
    path: str,
    force: bool,
    command: Sequence[str],
    model: Model,
    model_file: str,
    data: str,
    table: Table,
    scores: Mapping[str, Score],
    notes: Sequence[str],
    columns: Sequence[str],
    repeats: int,
    progress: str | None,
) -> None:
    """Write the page of the rows held out, or of all rows of other data."""
    from chainrule.plots.evaluation_report import Judgement, evaluation_page
    from chainrule.plots.runs import Judged

    check_in_memory(path, table)
    preparation = model.preparation
    assert preparation is not None
    which = next(name for name in ("held_out", "all", "training") if name in scores)
    score = scores[which]
    indices = known_indices(score, preparation)
    compared = score.values.get("constant"), score.values.get("linear")
    judged = Judged(
        model,
        preparation,
        score.table,
        indices,
        which,  # type: ignore[arg-type]
        compared if any(value is not None for value in compared) else None,
        [score.verdict] if score.verdict else [],
    )
    judgement = Judgement(
        judged,
        model_file,
        _("standard input") if data == STDIN else data,
        command,
        notes,
        (checksum(model_file), checksum(data)),
        table.fingerprint(),
        columns,
        repeats,
        progress,
    )
    write_whole(path, evaluation_page(judgement, current()).encode(), overwrite=force)
