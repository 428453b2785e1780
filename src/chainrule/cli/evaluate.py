"""`chainrule evaluate`: scores a model on a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chainrule.cli.command_line import command_line
from chainrule.cli.help_pages import Command, option
from chainrule.cli.options import (
    Number,
    Top,
    data_argument,
    data_options,
    engine_option,
    json_option,
)
from chainrule.cli.places import Place
from chainrule.cli.terminal import (
    json_out,
    paint,
    paragraph,
    printable,
    remark,
    rows,
    say,
    spoken,
    table,
    too_wide,
)
from chainrule.errors import SettingError
from chainrule.lang.messages import _, _n, _p

if TYPE_CHECKING:
    from chainrule.cli.data_options import DataOptions
    from chainrule.cli.scoring import Score
    from chainrule.datasets import Preprocessor

__all__ = ["evaluate"]

MANY_CLASSES = 20


@click.command(
    cls=Command,
    help=(
        _("Score MODEL on DATA: accuracy and confusion matrix, or R², RMSE and MAE."),
        _(
            "On the data the model was trained on, the rows held out from training are scored apart."
        ),
    ),
    short_help=_("Score a model on rows whose answers are known."),
    examples=(
        "chainrule evaluate digits.safetensors digits",
        "chainrule evaluate iris.safetensors more.csv --json",
        "chainrule evaluate iris.safetensors iris --importance --calibration",
        "chainrule evaluate iris.safetensors iris --report judged.html",
    ),
)
@click.argument("model", metavar="MODEL")
@data_argument
@option(
    "--importance",
    is_flag=True,
    help=_("Say which columns the model goes by: how much worse it is with each one shuffled."),
)
@option(
    "--repeats",
    type=Number(whole=True, least=1, most=1000, example="5"),
    default=5,
    show_default=True,
    metavar="N",
    help=_("How often each column is shuffled."),
)
@option(
    "--top",
    type=Top(),
    default=20,
    show_default=True,
    metavar="N|all",
    help=_("How many columns are shown."),
)
@option(
    "--seed",
    type=Number(whole=True, least=0, most=2**63 - 1, example="0"),
    default=0,
    show_default=True,
    metavar="N",
    help=_("Same seed, same shuffles."),
)
@option(
    "--calibration",
    is_flag=True,
    help=_("Say whether its probabilities come true, with log loss and Brier score."),
)
@option(
    "--report",
    type=Place(),
    metavar="FILE",
    help=_(
        "Tell of it all on one HTML page, with pictures: which columns count, what each does to the answer,"
        " whether probabilities come true, and why the hardest rows got their answers."
    ),
)
@option(
    "--dependence",
    "columns",
    multiple=True,
    metavar="COLUMN",
    help=_(
        "A column whose effect on the answer the report draws, in place of the most important ones; may"
        " be given again."
    ),
)
@option("--force", is_flag=True, help=_("Overwrite an existing file."))
@data_options
@engine_option
@json_option
@click.pass_context
def evaluate(
    context: click.Context,
    /,
    model: str,
    data: str,
    importance: bool,
    repeats: int,
    top: int | None,
    seed: int,
    calibration: bool,
    report: str | None,
    columns: tuple[str, ...],
    force: bool,
    read_as: DataOptions,
    engine: str,
    as_json: bool,
) -> None:
    """Score a model on a table."""
    from chainrule.cli.explained import (
        calibration_of,
        importance_json,
        importance_of,
        show_calibration,
        show_importance,
    )
    from chainrule.cli.model_and_data import open_both
    from chainrule.cli.report_place import check_report
    from chainrule.cli.scoring import score_all

    if report is not None:
        check_report(
            report, force, {_p("a file", "the model"): model, _p("a file", "the data"): data}
        )
    loaded, preparation, rows_given = open_both(model, data, read_as)
    _check_asked(preparation, calibration, report, columns)
    loaded.network.engine = engine
    scores, notes = score_all(loaded, preparation, rows_given)
    main = scores.get("held_out") or scores.get("all") or scores["training"]
    verdicts = [score.verdict for score in scores.values() if score.verdict]
    progress = None if as_json else "auto"
    found = importance_of(loaded, main, repeats, seed, progress) if importance else None
    curve = calibration_of(loaded, main) if calibration else None
    if report is not None:
        from chainrule.cli.evaluation_report import write_report

        write_report(
            report, force, command_line(context), loaded, model, data, rows_given, scores, notes,
            columns, repeats, progress,
        )  # fmt: skip
    if as_json:
        result: dict[str, object] = {"model": model, "data": data, "target": preparation.target}
        result |= {"task": preparation.task, "same_data": "held_out" in scores}
        result |= {name: score.as_json() for name, score in scores.items()}
        result |= {"importance": importance_json(found)} if found is not None else {}
        result |= {"calibration": curve.as_json()} if curve is not None else {}
        result |= {"report": report} if report is not None else {}
        json_out({**result, "notes": [*notes, *verdicts]})
        return
    for sentence in notes:
        remark(sentence)
    bold = [paint(printable(name), "bold") for name in (model, data)]
    say(_("{model} on {data}", model=bold[0], data=bold[1]))
    say()
    rows([pair for name, score in scores.items() for pair in _figures(score, name)])
    for sentence in verdicts:
        say()
        remark(sentence)
    if main.classes is not None:
        _show_classes(main)
    if found is not None:
        show_importance(found, top)
    if curve is not None:
        show_calibration(curve)
    if report is not None:
        say()
        rows([(_("report"), report)])


def _check_asked(
    preparation: Preprocessor, calibration: bool, report: str | None, columns: tuple[str, ...]
) -> None:
    """Refuse what the model, or this command line, has no use for."""
    from chainrule.explaining.encoded import chosen_columns

    if calibration and preparation.classes is None:
        raise SettingError(
            _(
                "--calibration: the model predicts a number ({target}), and numbers have no probabilities."
                " Leave it out.",
                target=preparation.target,
            )
        )
    if columns and report is None:
        raise SettingError(_("--dependence is drawn in the report; say --report FILE, too."))
    chosen_columns(preparation, columns)


def _named(score: str, which: str) -> str:
    """The name of a score, with which rows it is of."""
    if which == "held_out":
        return _("held out: {score}", score=score)
    return _("trained on: {score}", score=score) if which == "training" else score


def _figures(score: Score, which: str) -> list[tuple[str, str]]:
    count = _n("{n:,} row", "{n:,} rows", score.rows)
    if score.classes is not None:
        right = _(
            "{part:.1%}  ({right:,} of {rows})",
            part=score.values["accuracy"],
            right=score.right,
            rows=count,
        )
        return [(_named(_("accuracy"), which), right), *score.compared]
    from chainrule.training.metrics import in_units

    values = score.values
    rmse, mae = (
        _("{value} in units of {target}", value=in_units(values[name]), target=score.target)
        for name in ("rmse", "mae")
    )
    return [
        (_named("R²", which), _("{score}  ({rows})", score=_r2(values["r2"]), rows=count)),
        (_named("RMSE", which), rmse),
        (_named("MAE", which), mae),
        *score.compared,
    ]


def _r2(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _show_classes(score: Score) -> None:
    say()
    names = [spoken(name) for name in score.classes or ()]
    body = [
        (
            name,
            f"{c.rows:,}",
            "-" if c.recall is None else f"{c.recall:.1%}",
            "-" if c.precision is None else f"{c.precision:.1%}",
        )
        for name, c in zip(names[: 5 * MANY_CLASSES], score.per_class, strict=False)
    ]
    head: tuple[str, ...] = (
        score.target,
        _("rows"),
        _p("recall, as the head of a column", "found"),
        _p("precision, as the head of a column", "right when said"),
    )
    table(head, body)
    if len(names) > MANY_CLASSES:
        say()
        say(_("({count} classes: the confusion matrix is in --json)", count=len(names)))
        return
    say()
    caption = _("which were taken for which (rows: what they are; columns: what was said)")
    paragraph(caption, "dim")
    counts = [[f"{n:,}" if n else "·" for n in line] for line in score.confusion]
    head = ("", *names)
    lines = [(name, *line) for name, line in zip(names, counts, strict=True)]
    if too_wide(head, lines):  # short heads: the numbers of the rows
        head = ("", *(str(i) for i in range(1, len(names) + 1)))
        lines = [(f"{i} {line[0]}", *line[1:]) for i, line in enumerate(lines, 1)]
    table(head, lines)
