"""`chainrule evaluate`: how right a model is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from chainrule.cli.options import Command, data_argument, data_options, engine_option, json_option
from chainrule.cli.terminal import (
    json_out,
    number_of,
    paint,
    paragraph,
    printable,
    remark,
    rows,
    say,
    table,
    too_wide,
)

if TYPE_CHECKING:
    from chainrule.cli.said import Said
    from chainrule.cli.scoring import Score

__all__ = ["evaluate"]

MANY_CLASSES = 20


@click.command(
    cls=Command,
    short_help="Score a model on rows whose answers are known.",
    epilog="""\b
Examples:
  chainrule evaluate digits.safetensors digits
  chainrule evaluate iris.safetensors more.csv --json
""",
)
@click.argument("model", metavar="MODEL")
@data_argument
@data_options
@engine_option
@json_option
def evaluate(model: str, data: str, said: Said, engine: str, as_json: bool) -> None:
    """Score MODEL on DATA: accuracy and confusion matrix, or R², RMSE and MAE.

    On the data the model was trained on, the rows held out from training are scored apart.
    """
    from chainrule.cli.reading import open_both
    from chainrule.cli.scoring import score_all

    found, preparation, rows_given = open_both(model, data, said)
    found.network.engine = engine
    scores, notes = score_all(found, preparation, rows_given)
    verdicts = [score.verdict for score in scores.values() if score.verdict]
    if as_json:
        told: dict[str, Any] = {"model": model, "data": data, "target": preparation.target}
        told |= {"task": preparation.task, "same_data": "held_out" in scores}
        told |= {name: score.as_json() for name, score in scores.items()}
        json_out({**told, "notes": [*notes, *verdicts]})
        return
    for sentence in notes:
        remark(sentence)
    say(f"{paint(printable(model), 'bold')} on {paint(printable(data), 'bold')}")
    say()
    main = scores.get("held_out") or scores.get("all") or scores["training"]
    names = {"held_out": "held out", "training": "trained on", "all": ""}
    rows([pair for name, score in scores.items() for pair in _figures(score, names[name])])
    for sentence in verdicts:
        say()
        remark(sentence)
    if main.classes is not None:
        _show_classes(main)


def _figures(score: Score, which: str) -> list[tuple[str, str]]:
    start = f"{which}: " if which else ""
    if score.classes is not None:
        part = f"{score.right:,} of {number_of(score.rows, 'row')}"
        right = f"{score.values['accuracy']:.1%}  ({part})"
        return [(f"{start}accuracy", right), *score.compared]
    from chainrule.training.metrics import in_units

    unit = f"in units of {score.target}"
    return [
        (f"{start}R²", f"{_r2(score.values['r2'])}  ({number_of(score.rows, 'row')})"),
        (f"{start}RMSE", f"{in_units(score.values['rmse'])} {unit}"),
        (f"{start}MAE", f"{in_units(score.values['mae'])} {unit}"),
        *score.compared,
    ]


def _r2(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _show_classes(score: Score) -> None:
    say()
    names = [str(name) for name in score.classes or ()]
    body = [
        (
            name,
            f"{c.rows:,}",
            "-" if c.recall is None else f"{c.recall:.1%}",
            "-" if c.precision is None else f"{c.precision:.1%}",
        )
        for name, c in zip(names[: 5 * MANY_CLASSES], score.per_class, strict=False)
    ]
    table((score.target, "rows", "found", "right when said"), body)
    if len(names) > MANY_CLASSES:
        say()
        say(f"({len(names)} classes: the confusion matrix is in --json)")
        return
    say()
    paragraph("which were taken for which (rows: what they are; columns: what was said)", "dim")
    counts = [[f"{n:,}" if n else "·" for n in line] for line in score.confusion]
    head = ("", *names)
    lines = [(name, *line) for name, line in zip(names, counts, strict=True)]
    if too_wide(head, lines):  # short heads: the numbers of the rows
        head = ("", *(str(i) for i in range(1, len(names) + 1)))
        lines = [(f"{i} {line[0]}", *line[1:]) for i, line in enumerate(lines, 1)]
    table(head, lines)
