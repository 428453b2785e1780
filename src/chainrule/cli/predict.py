"""`chainrule predict`: a label or a number for every row."""

from __future__ import annotations

import csv
import io

import click

from chainrule.cli.data_options import DataOptions
from chainrule.cli.help_pages import Command, option
from chainrule.cli.options import data_argument, data_options, engine_option, json_option
from chainrule.cli.places import Place, keep_apart
from chainrule.cli.terminal import csv_out, json_out, printable, remark, say
from chainrule.lang.messages import _, _n, _p

__all__ = ["predict"]


@click.command(
    cls=Command,
    help=(
        _("Predict with MODEL for every row of DATA, as CSV: labels, or numbers in regression."),
        _("DATA has the columns the model was trained on; a target column is not needed."),
    ),
    short_help=_("Predict a label or a number for every row."),
    examples=(
        "chainrule predict iris.safetensors new.csv",
        "chainrule predict iris.safetensors new.csv --proba --out answers.csv",
    ),
)
@click.argument("model", metavar="MODEL")
@data_argument
@option("--proba", is_flag=True, help=_("Give the probability of every class, too."))
@option(
    "--out",
    type=Place(_("Without --out the answers go to standard output.")),
    metavar="FILE",
    help=_("Write the CSV to a file."),
)
@option("--force", is_flag=True, help=_("Overwrite an existing file."))
@data_options
@engine_option
@json_option
def predict(
    model: str,
    data: str,
    proba: bool,
    out: str | None,
    force: bool,
    read_as: DataOptions,
    engine: str,
    as_json: bool,
) -> None:
    """Predict a label or a number for every row of a table."""
    from chainrule.atomic_write import check_place, write_whole
    from chainrule.cli.model_and_data import notes_on, open_both
    from chainrule.errors import SettingError

    if out is not None:
        check_place(out, overwrite=force)
        keep_apart("--out", out, {_p("a file", "the model"): model, _p("a file", "the data"): data})
    found, preparation, table = open_both(model, data, read_as, target=False)
    found.network.engine = engine
    if proba and not found.classifies:
        raise SettingError(
            _(
                "--proba: {model} predicts a number ({target}), and numbers have no probabilities. Leave"
                " --proba out.",
                model=model,
                target=preparation.target,
            )
        )
    remarks = notes_on(table, preparation)
    answers = found.predict(table).tolist()
    chances = found.predict_proba(table).tolist() if proba else None
    classes = list(preparation.classes) if preparation.classes else None
    if out is not None or not as_json:
        # Always UTF-8, whatever the terminal speaks: a file of answers is for other programs.
        text = _as_csv(answers, classes, chances).encode("utf-8", "surrogatepass")
        if out is not None:
            write_whole(out, text, overwrite=force)
    if as_json:
        told = {"model": model, "data": data, "rows": len(answers), "target": preparation.target}
        if out is not None:
            told["out"] = out
        told |= {"predictions": answers, "notes": list(remarks)}
        if chances is not None:
            told |= {"classes": classes, "probabilities": chances}
        json_out(told)
        return
    for sentence in remarks:
        remark(sentence)
    if out is None:
        csv_out(text)
    else:
        sentence = _n(
            "{n:,} prediction of {target} is in {out}.",
            "{n:,} predictions of {target} are in {out}.",
            len(answers),
            target=preparation.target,
            out=out,
        )
        say(printable(sentence))


def _as_csv(
    answers: list[object], classes: list[object] | None, chances: list[list[float]] | None
) -> str:
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    more = [f"p({name})" for name in classes or []] if chances is not None else []
    writer.writerow(["prediction", *more])
    for i, answer in enumerate(answers):
        cell = f"{answer:.7g}" if isinstance(answer, float) else answer
        row = [f"{p:.6f}" for p in chances[i]] if chances is not None else []
        writer.writerow([cell, *row])
    return made.getvalue()
