"""`chainrule predict`: a label or a number for every row."""

from __future__ import annotations

import csv
import io

import click

from chainrule.cli.options import Command, data_argument, data_options, engine_option, json_option
from chainrule.cli.places import Place, keep_apart
from chainrule.cli.said import Said
from chainrule.cli.terminal import csv_out, json_out, number_of, printable, remark, say

__all__ = ["predict"]


@click.command(
    cls=Command,
    short_help="Predict a label or a number for every row.",
    epilog="""\b
Examples:
  chainrule predict iris.safetensors new.csv
  chainrule predict iris.safetensors new.csv --proba --out answers.csv
""",
)
@click.argument("model", metavar="MODEL")
@data_argument
@click.option("--proba", is_flag=True, help="Give the probability of every class, too.")
@click.option(
    "--out",
    type=Place("Without --out the answers go to standard output."),
    metavar="FILE",
    help="Write the CSV to a file.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@data_options
@engine_option
@json_option
def predict(
    model: str,
    data: str,
    proba: bool,
    out: str | None,
    force: bool,
    said: Said,
    engine: str,
    as_json: bool,
) -> None:
    """Predict with MODEL for every row of DATA, as CSV: labels, or numbers in regression.

    DATA has the columns the model was trained on; a target column is not needed.
    """
    from chainrule.atomic_write import check_place, write_whole
    from chainrule.cli.reading import notes_on, open_both
    from chainrule.errors import SettingError

    if out is not None:
        check_place(out, overwrite=force)
        keep_apart("--out", out, {"the model": model, "the data": data})
    found, preparation, table = open_both(model, data, said, target=False)
    found.network.engine = engine
    if proba and not found.classifies:
        raise SettingError(
            f"--proba: {model} predicts a number ({preparation.target}), and numbers have no"
            " probabilities. Leave --proba out."
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
        count = number_of(len(answers), "prediction")
        verb = "is" if len(answers) == 1 else "are"
        say(printable(f"{count} of {preparation.target} {verb} in {out}."))


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
