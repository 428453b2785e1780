"""The sections of a report that explain a model: which columns, how, how sure, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.datasets import Table
from chainrule.explaining import (
    Contributions,
    Importance,
    explain_rows,
    partial_dependence,
    permutation_importance,
)
from chainrule.explaining.cells import cell_text
from chainrule.explaining.importance import rows_for
from chainrule.explaining.wording import BASELINES, CAVEAT, LOST, lost_text
from chainrule.lang.messages import _, _n
from chainrule.plots.calibration import draw_calibration
from chainrule.plots.contributions import draw_contributions
from chainrule.plots.dependence import draw_partial_dependence
from chainrule.plots.features import mosaic
from chainrule.plots.figure import SIGNED, finish, label_of, new_figure
from chainrule.plots.importance import draw_importance
from chainrule.plots.judged import Classes, Evaluation, Numbers
from chainrule.plots.page import Html, beside, facts, picture, section, table, text, wide
from chainrule.training import brier_score, calibration_curve, log_loss

__all__ = ["explained_sections"]

#: How often each column is shuffled, how many columns are drawn, and how many rows are explained.
REPEATS, COLUMNS, DEPENDENCES, POINTS, ROWS = 5, 20, 6, 50, 4
#: How many images of contributions stand beside each other.
ACROSS = 6


def explained_sections(
    evaluation: Classes | Numbers,
    columns: Sequence[str] = (),
    repeats: int = REPEATS,
    progress: str | None = None,
) -> list[Html]:
    """Importance, partial dependence (of `columns`, or of the most important ones), calibration, why.

    Of images, whose columns are pixels, calibration and why alone.
    """
    sections: list[Html] = []
    if evaluation.image is None:
        names = tuple(columns)
        if len(evaluation.x) > 1:
            importance = _importance(evaluation, repeats, progress)
            sections.append(_importance_section(evaluation, importance))
            names = names or importance.columns
        names = names or evaluation.preparation.columns
        sections.append(_dependence_section(evaluation, names, progress))
    if isinstance(evaluation, Classes):
        sections.append(_calibration_section(evaluation))
    return [*sections, _why_section(evaluation)]


def _importance(evaluation: Evaluation, repeats: int, progress: str | None) -> Importance:
    judged = evaluation.judged
    most = rows_for(len(evaluation.preparation.columns), repeats)
    return permutation_importance(
        judged.model,
        evaluation.rows,
        repeats=repeats,
        most_rows=most,
        progress=progress,
        lang=evaluation.lang,
    )


def _importance_section(evaluation: Evaluation, importance: Importance) -> Html:
    lang, repeats = evaluation.lang, importance.lost[importance.metric].shape[1]
    title = _("Which columns it goes by").said(lang)
    words = _n(
        "How much worse the answers of {rows} are when the cells of a column are shuffled: the mean of"
        " {n} shuffle, each a dot.",
        "How much worse the answers of {rows} are when the cells of a column are shuffled: the mean of"
        " {n} shuffles, each a dot.",
        repeats,
        rows=_n("{n:,} row", "{n:,} rows", importance.rows),
    )
    metrics = list(importance.lost)
    body = [
        (name, *(lost_text(importance, metric, i) for metric in metrics))
        for i, name in enumerate(importance.columns[:COLUMNS])
    ]
    heads = [_("column").said(lang), *(LOST[metric].said(lang) for metric in metrics)]
    more = len(importance.columns) - COLUMNS
    rest = (
        evaluation.dim(_n("({n:,} more column)", "({n:,} more columns)", more)) if more > 0 else ""
    )
    figure = draw_importance(importance, most=COLUMNS, lang=lang)
    return section(
        title,
        f"<p>{text(words.said(lang))}</p>",
        picture(figure, "importance", title),
        table(heads, body),
        rest,
        evaluation.dim(CAVEAT),
    )


def _dependence_section(
    evaluation: Classes | Numbers, columns: Sequence[str], progress: str | None
) -> Html:
    lang, rows = evaluation.lang, evaluation.rows
    title = _("What a column does to the answer").said(lang)
    chosen = [name for name in columns if not rows.missing(name).all()][:DEPENDENCES]
    if not chosen:
        nothing = _("Every cell of these columns is missing.")
        return section(title, evaluation.dim(nothing))
    some = _some_rows(rows, rows_for(len(chosen), POINTS))
    one_answer = len(evaluation.preparation.classes or "ab") == 2
    found = [
        partial_dependence(
            evaluation.judged.model,
            some,
            name,
            points=POINTS,
            lines=one_answer,
            progress=progress,
            lang=lang,
        )
        for name in chosen
    ]
    figure = draw_partial_dependence(
        found,
        names=evaluation.preparation.classes,
        target=evaluation.preparation.target,
        lang=lang,
    )
    words = _(
        "The mean answer if all rows had this value in the column, and all other cells stayed as they are"
        " (partial dependence)."
    )
    lines = _("Thin lines are single rows.") if one_answer else None
    return section(
        title,
        f"<p>{text(words.said(lang))}{' ' + text(lines.said(lang)) if lines else ''}</p>",
        wide(picture(figure, "dependence", title)),
    )


def _some_rows(rows: Table, most: int) -> Table:
    """So many rows at most, evenly taken."""
    if len(rows) <= most:
        return rows
    return rows.rows(np.linspace(0, len(rows) - 1, most).astype(np.intp))


def _calibration_section(evaluation: Classes) -> Html:
    lang, shares, t = evaluation.lang, evaluation.shares, evaluation.t
    title = _("Whether its probabilities come true").said(lang)
    curve = calibration_curve(shares, t)
    words = _(
        "Each dot holds the rows whose answer was said with about this probability. On the line, as many"
        " are right as was said; below it the model is too sure. The whiskers are what chance can do."
    )
    pairs = [
        (_("calibration error").said(lang), f"{curve.error:.1%}"),
        (_("log loss").said(lang), f"{log_loss(shares, t):.4f}"),
        (_("Brier score").said(lang), f"{brier_score(shares, t):.4f}"),
    ]
    body = [
        (f"{said:.1%}", f"{came:.1%}", f"{rows:,}")
        for said, came, rows in zip(curve.said, curve.came_true, curve.rows, strict=True)
    ]
    columns = (_("probability that was said"), _("how often it came true"), _("rows"))
    heads = [head.said(lang) for head in columns]
    return section(
        title,
        f"<p>{text(words.said(lang))}</p>",
        beside(
            picture(draw_calibration(curve, lang=lang), "calibration", title),
            Html(f"<div>{facts(pairs)}{table(heads, body, left=0)}</div>"),
        ),
    )


def _why_section(evaluation: Classes | Numbers) -> Html:
    lang = evaluation.lang
    title = _("Why the hardest rows got these answers").said(lang)
    order = evaluation.hardest(ROWS if evaluation.image is None else 2 * ACROSS)
    why = explain_rows(evaluation.judged.model, evaluation.rows, order)
    what = (
        _("the log-odds of the class that was said, log p/(1 − p)")
        if isinstance(evaluation, Classes)
        else _("the answer, in units of {target}", target=evaluation.preparation.target)
    )
    words = _(
        "What each column adds to {what}, on the way from {baseline} to the row (integrated gradients).",
        what=what,
        baseline=BASELINES[why.baseline],
    )
    parts: list[str] = [f"<p>{text(words.said(lang))}</p>"]
    if evaluation.image is not None:
        parts += [_images(evaluation, why, order, evaluation.image)]
        bright = _("A bright pixel speaks for the answer, a dark one against it.")
        return section(title, *parts, evaluation.dim(bright))
    for i, row in enumerate(order):
        cells = [
            cell_text(evaluation.rows, name, row, evaluation.preparation) for name in why.columns
        ]
        figure = draw_contributions(why, i, cells=cells, name=_name(evaluation, row), lang=lang)
        where, answer = evaluation.line(row), evaluation.answer(row)
        heading = _("{where}: {what}", where=where, what=answer).said(lang)
        parts.append(f"<h3>{text(heading)}</h3>{picture(figure, f'why{i}', heading)}")
    left = float(np.max(np.abs(why.gap) / np.maximum(np.abs(why.added).sum(axis=1), 1e-12)))
    whole = _(
        "The parts add up to the whole, but for {left:.2%} of their sizes at most.", left=left
    )
    return section(title, *parts, evaluation.dim(whole))


def _name(evaluation: Classes | Numbers, row: int) -> str:
    """The name of the axis: what is explained of this row."""
    if isinstance(evaluation, Numbers):
        return evaluation.preparation.target
    label = label_of(evaluation.classes[evaluation.ids[row]], 24)
    return _("log-odds of {label}", label=label).said(evaluation.lang)


def _images(
    evaluation: Classes | Numbers, why: Contributions, order: Sequence[int], shape: tuple[int, ...]
) -> Html:
    """The contributions of pixels, as images beside each other."""
    across = min(ACROSS, len(order))
    figure, (ax,) = new_figure(width=1.1 * ACROSS, height=1.35 * -(-len(order) // across))
    images: list[Any] = [row.reshape(shape) for row in why.added]
    labels = [
        label_of(evaluation.classes[evaluation.ids[row]], 8)
        if isinstance(evaluation, Classes)
        else f"{evaluation.predicted[row]:.4g}"
        for row in order
    ]
    most = float(np.abs(why.added).max())
    mosaic(ax, images, labels, across, cmap=SIGNED, limits=(-most, most))
    title = _("Why the hardest rows got these answers").said(evaluation.lang)
    return picture(finish(figure), "why", title)
