"""The report of `chainrule evaluate`: a model on rows whose answers are known, on one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.lang.messages import _, _p, in_language
from chainrule.plots.explained import explained_sections
from chainrule.plots.judged import evaluation_of
from chainrule.plots.page import Html, beside, facts, section, text, tiles, whole_page
from chainrule.plots.report import again
from chainrule.plots.runs import Judged
from chainrule.version import __version__

__all__ = ["Judgement", "evaluation_page"]


@dataclass(frozen=True)
class Judgement:
    """What a report needs of one evaluation."""

    judged: Judged
    #: The names of the model's file and of the data.
    model: str
    data: str
    #: The command, in parts that may be shown on a line each.
    command: Sequence[str]
    #: Sentences about the data and its preparation.
    notes: Sequence[str]
    #: The sha256 of the model's file, and of the data's if it is a file.
    checksums: tuple[str | None, str | None]
    fingerprint: str
    #: The columns whose dependence is drawn; by default the most important ones.
    columns: Sequence[str] = ()
    repeats: int = 5
    #: As in `permutation_importance`.
    progress: str | None = None


def evaluation_page(judgement: Judgement, lang: str = "en") -> str:
    """The report as HTML with all pictures inline, without scripts or external resources."""
    judged = judgement.judged
    evaluation = evaluation_of(judged, lang)
    target = judged.preparation.target
    title = _("{target}, judged on {data}", target=target, data=judgement.data).said(lang)
    version = _("A report of chainrule {version}.", version=__version__).said(lang)
    head = Html(f"<h1>{text(title)}</h1><p class=lead>{text(version)}</p>\n")
    return whole_page(
        title,
        lang,
        head,
        tiles(
            [
                evaluation.headline(),
                (f"{len(evaluation.t):,}", _("rows").said(lang)),
                (f"{len(judged.preparation.columns):,}", _("columns").said(lang)),
            ]
        ),
        _data(judgement, lang),
        section(evaluation.title(), *evaluation.parts()),
        section(_("The hardest rows").said(lang), *evaluation.worst()),
        *explained_sections(evaluation, judgement.columns, judgement.repeats, judgement.progress),
        _again(judgement, lang),
    )


def _data(judgement: Judgement, lang: str) -> Html:
    judged = judgement.judged
    preparation, count = judged.preparation, len(judged.indices)
    pairs = [
        (_("data").said(lang), judgement.data),
        (_("rows").said(lang), f"{len(judged.table):,}"),
        (_p("how many rows", "judged by").said(lang), f"{count:,}"),
        (_("model").said(lang), judgement.model),
        (_p("column of a table", "target").said(lang), preparation.target),
        (_p("how many", "inputs").said(lang), f"{len(preparation.features):,}"),
    ]
    notes = "".join(f"<li>{text(in_language(note, lang))}</li>" for note in judgement.notes)
    title = _p("of a table", "Remarks").said(lang)
    notes_html = Html(f"<h3>{text(title)}</h3><ul>{notes}</ul>") if notes else ""
    return section(_("Data").said(lang), beside(facts(pairs[:3]), facts(pairs[3:])), notes_html)


def _again(judgement: Judgement, lang: str) -> Html:
    model, data = judgement.checksums
    pairs: list[tuple[str, object]] = [
        (_("fingerprint of the table").said(lang), judgement.fingerprint)
    ]
    for name, checksum in ((_("sha256 of the model"), model), (_("sha256 of the file"), data)):
        if checksum is not None:
            pairs.append((name.said(lang), checksum))
    return again(judgement.command, pairs, lang)
