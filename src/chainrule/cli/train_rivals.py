"""`chainrule train` with two presets: rows left out decide between them, and one is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.cli.interrupt import CtrlC
from chainrule.cli.terminal import paragraph
from chainrule.cli.train_drawn import left_out
from chainrule.cli.train_plan import Plan
from chainrule.cli.train_preset import TableWay
from chainrule.cli.train_ways import Outcome, Rows, Way
from chainrule.lang.messages import Text, _
from chainrule.networks.parts import in_parts
from chainrule.training.metrics import in_units, row_losses
from chainrule.training.rivals import clearly_better

__all__ = ["train_better"]

Floats = npt.NDArray[np.float64]
#: What trains: a way, by what it is told of itself.
Train = Callable[[Way, Callable[[], Outcome]], Outcome]


def train_better(
    plan: Plan, progress: str | None, ctrl_c: CtrlC, train: Train
) -> tuple[Plan, Outcome]:
    """Train with the presets of a plan and of its rival; gives the better one, as a plan alone.

    The plain network is trained on the rows that are not left out, which takes little time, and then
    the one of the preset `table`, whose epoch the same rows choose. If that is clearly better on them it
    is kept; else the plain network is trained again, on all rows.
    """
    assert plan.rival is not None
    plain, table = replace(plan, rival=None), plan.rival

    def turn(way: Way, run: Callable[[], Outcome]) -> Outcome:
        ctrl_c.trainer = way.trainer
        return train(way, run)

    own, others = left_out(plain.training_rows, plan.options.seed)
    trial = type(plain.way)(plain.options, plain.preparation, own[0])
    trial.kept, trial.kept_as = plain.way.kept, "plain-trial"
    outcome = turn(trial, lambda: trial.train(own, None, None, ctrl_c))
    if ctrl_c.pressed_anywhere():
        return replace(plain, way=trial), outcome
    plain_losses = _losses(trial, others, plain)
    if progress:
        paragraph(
            _("plain: {score} on {rows:,} rows left out; now table", **_told(plain_losses, plain))
        )

    way = table.way
    assert isinstance(way, TableWay)
    own, others = left_out(table.training_rows, plan.options.seed)
    tried = turn(way, lambda: way.train_by(own, others, progress, ctrl_c))
    table_losses = _losses(way, others, table)
    better = clearly_better(table_losses, plain_losses)
    lines = ((_("preset"), _verdict(better, plain_losses, table_losses, plain)),)
    facts: dict[str, Any] = {
        "tried_presets": {
            "rows": len(plain_losses),
            "plain": float(plain_losses.mean()),
            "table": float(table_losses.mean()),
        }
    }
    if better:
        return table, replace(tried, lines=(*lines, *tried.lines), facts={**tried.facts, **facts})
    if not ctrl_c.pressed_anywhere():
        if progress:
            paragraph(_("table: {score}; now plain, on all rows", **_told(table_losses, plain)))
        trial = plain.way
        outcome = turn(
            trial, lambda: trial.train(plain.training_rows, plain.held_rows, progress, ctrl_c)
        )
    found = replace(outcome, lines=(*lines, *outcome.lines), facts={**outcome.facts, **facts})
    return replace(plain, way=trial), found


def _losses(way: Way, rows: Rows, plan: Plan) -> Floats:
    """The loss of each row left out, in units of the target."""
    x, t = rows
    preparation = plan.preparation
    y = preparation.limited(in_parts(way.network.predict, x))
    return row_losses(y, t, bool(preparation.classes)) * preparation.scale**2


def _told(losses: Floats, plan: Plan) -> dict[str, Any]:
    return {"score": _score(losses, plan), "rows": len(losses)}


def _score(losses: Floats, plan: Plan) -> Text:
    """The accuracy, or the RMSE in the target's units, as text."""
    if plan.preparation.classes:
        return _("{part:.1%} right", part=1 - float(losses.mean()))
    return _("RMSE {rmse}", rmse=in_units(float(np.sqrt(losses.mean()))))


def _verdict(better: bool, plain: Floats, table: Floats, plan: Plan) -> Text:
    scores = {"plain": _score(plain, plan), "table": _score(table, plan), "rows": len(plain)}
    if better:
        return _("table: {table} on {rows:,} training rows left out, plain {plain}", **scores)
    return _(
        "plain: {plain} on {rows:,} training rows left out, table {table}: not clearly better",
        **scores,
    )
