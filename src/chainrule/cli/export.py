"""`chainrule export`: writes a model as a program, or as ONNX."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from chainrule.cli.help_pages import Command, option
from chainrule.cli.options import Number, OneOf, data_options, json_option
from chainrule.cli.places import Place, keep_apart
from chainrule.cli.terminal import json_out, printable, remark, say
from chainrule.lang.messages import _, _n, _p, listed

if TYPE_CHECKING:
    from chainrule.cli.data_options import DataOptions
    from chainrule.datasets.targets import Task
    from chainrule.files import Model
    from chainrule.optimizers import Optimizer
    from chainrule.script import Script

__all__ = ["export"]


@click.command(
    cls=Command,
    help=(
        _("Write MODEL as a program that needs nothing but Python and NumPy, or as an ONNX file."),
        _(
            "The program (`--to script`) predicts: `python FILE table.csv` prints what `chainrule predict`"
            " answers for each row, and `python FILE inputs.npy` takes rows that are prepared already. With"
            " --data it trains instead: it goes on from the weights of MODEL over the rows of DATA, with the"
            " optimizer MODEL was trained with, begun anew, and prints the loss of every epoch. (Of the data"
            " MODEL was trained on it takes the rows that were not held out.) Weights and rows lie in a file"
            " beside it that has the same name and ends in .npz."
        ),
        _(
            "An ONNX file (`--to onnx`) is for onnxruntime and the like. Its inputs are the raw columns of a"
            " table, numbers and texts, and its outputs the label and the probabilities, or the value."
        ),
    ),
    short_help=_("Write a model as a NumPy program, or as ONNX."),
    examples=(
        "chainrule export iris.safetensors --to onnx",
        "chainrule export iris.safetensors --to script --out predict_iris.py",
        "chainrule export iris.safetensors --to script --out train_iris.py --data iris.csv",
    ),
)
@click.argument("model", metavar="MODEL")
@option(
    "--to",
    type=OneOf(("script", "onnx")),
    required=True,
    help=_("The form: a NumPy program, or ONNX."),
)
@option(
    "--out",
    type=Place(),
    metavar="FILE",
    help=_("Where it goes; by default beside MODEL, by its name and .py or .onnx."),
)
@option("--force", is_flag=True, help=_("Overwrite existing files."))
@option("--data", metavar="DATA", help=_("Rows to train on: the program then trains."))
@option(
    "--epochs",
    type=Number(whole=True, least=1, most=1_000_000, example="20"),
    metavar="N",
    help=_("How many times it goes over the rows (with --data); as the model was trained."),
)
@option(
    "--batch-size",
    type=Number(whole=True, least=1, most=10**9, example="32"),
    metavar="N",
    help=_("Rows a step (with --data); as the model was trained."),
)
@data_options
@json_option
def export(
    model: str,
    to: str,
    out: str | None,
    force: bool,
    data: str | None,
    epochs: int | None,
    batch_size: int | None,
    read_as: DataOptions,
    as_json: bool,
) -> None:
    """Write a model as a program that predicts, with rows one that trains, or as ONNX."""
    from chainrule.errors import SettingError

    out = out or os.path.splitext(model)[0] + {"script": ".py", "onnx": ".onnx"}[to]
    if to == "onnx":
        if data is not None:
            raise SettingError(
                _("--data is for a program that trains (--to script); an ONNX file predicts only.")
            )
        _write_onnx(model, out, force, as_json)
        return
    if data is None and (epochs or batch_size or read_as):
        raise SettingError(
            _(
                "--epochs, --batch-size and how rows are read (--no-header, --encoding, ...) are for a"
                " program that trains. Name the rows with --data, too."
            )
        )
    beside = f"{out.removesuffix('.py')}.npz"
    for path in (out, beside):
        keep_apart(
            "--out", path, {_p("a file", "the model"): model, _p("a file", "the data"): data}
        )
    if data is None:
        from chainrule.datasets.wording import quoted
        from chainrule.files import load_model
        from chainrule.script import prediction_script
        from chainrule.script.predicting import unread_columns

        found = load_model(model)
        script = prediction_script(found)
        if found.preparation is not None and (names := unread_columns(found.preparation)):
            remark(
                _(
                    "The program reads plain numbers: as cells of {names} were written in training, with a"
                    " unit or a decimal comma, it refuses them. chainrule predict reads them.",
                    names=listed(map(quoted, names), "and"),
                )
            )
    else:
        script = _training(model, data, epochs, batch_size, read_as)
    script.save(out, overwrite=force)
    lines = len(script.text.splitlines())
    if as_json:
        json_out(
            {
                "model": model,
                "out": out,
                "arrays": beside if script.arrays else None,
                "lines": lines,
                "data": data,
            }
        )
        return
    size = _n("{n:,} line of NumPy", "{n:,} lines of NumPy", lines)
    if script.arrays:
        size = _("{lines}, with its arrays in {file}", lines=size, file=beside)
    told = (
        _("{out} predicts: {size}.", out=out, size=size)
        if data is None
        else _("{out} trains: {size}.", out=out, size=size)
    )
    say(printable(told))


def _write_onnx(model: str, out: str, force: bool, as_json: bool) -> None:
    """Write the model as ONNX, and say what it takes and gives."""
    from chainrule.datasets.parts import NumberColumn
    from chainrule.datasets.wording import quoted, some
    from chainrule.files import load_model, save_onnx
    from chainrule.files.onnx.summary import onnx_summary
    from chainrule.script.predicting import unread_columns

    keep_apart("--out", out, {_p("a file", "the model"): model})
    loaded = load_model(model)
    preparation = loaded.preparation
    if preparation is not None and (names := unread_columns(preparation, dates=True)):
        remark(
            _(
                "An ONNX file takes plain numbers: give it the cells of {names}, which were written in"
                " training with a unit, a decimal comma or as a date, as numbers (dates as days since"
                " 1970-01-01, times of day as parts of a day).",
                names=some(names, 4, quoted),
            )
        )
    numbers = (
        {p.name for p in preparation.parts if isinstance(p, NumberColumn)} if preparation else set()
    )
    texts = [name for name in preparation.columns if name not in numbers] if preparation else []
    if texts:
        remark(
            _(
                "An ONNX file compares texts letter by letter: give it the cells of {names} without spaces"
                " around them, and an empty text for a missing one.",
                names=some(texts, 4, quoted),
            )
        )
    save_onnx(loaded, out, overwrite=force)
    found = onnx_summary(out)
    inputs, outputs = ([end.name for end in ends] for ends in (found.inputs, found.outputs))
    if as_json:
        json_out({"model": model, "out": out, "inputs": inputs, "outputs": outputs})
        return
    say(
        printable(
            _(
                "{out} predicts {outputs} from {inputs}.",
                out=out,
                outputs=listed(outputs, "and"),
                inputs=some(inputs),
            )
        )
    )


def _training(
    model: str,
    data: str,
    epochs: int | None,
    batch_size: int | None,
    read_as: DataOptions,
) -> Script:
    """The program that continues the training of the model."""
    from chainrule.cli.model_and_data import fact, open_both
    from chainrule.cli.scoring import training_rows
    from chainrule.script import training_script

    found, preparation, table = open_both(
        model, data, read_as, from_python="network.script(optimizer, x, t)"
    )
    rows = training_rows(found, preparation, table)
    x, t = preparation.transform(rows), preparation.targets(rows)
    epochs = epochs or _whole(fact(found, "training", "epochs")) or 10
    batch_size = batch_size or _whole(fact(found, "training", "batch_size")) or 32
    optimizer = _optimizer(found, preparation.task, len(x), epochs, batch_size)
    return training_script(found.network, optimizer, x, t, epochs=epochs, batch_size=batch_size)


def _whole(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None


def _optimizer(found: Model, task: Task, rows: int, epochs: int, batch_size: int) -> Optimizer:
    """A new optimizer as the facts of `chainrule train` describe it; without them, Adam."""
    from chainrule import optimizers, schedules
    from chainrule.cli.model_and_data import fact
    from chainrule.errors import ChainruleError
    from chainrule.optimizers.base import optimizer_class
    from chainrule.training import PRESETS

    def given(key: str) -> Any:
        return fact(found, "training", key)

    try:
        preset = PRESETS.get(given("preset"))
        if preset is not None:
            settings = {key: given(key) for key in ("lr", "weight_decay")}
            preset = preset.with_settings(task, batch_size=batch_size, **settings)
            return preset.optimizer(rows, task=task, epochs=epochs)
        kind: Any = optimizer_class(given("optimizer"))
        rate = given("lr")
        if given("schedule") == "cosine":
            rate = schedules.Cosine(rate, steps=epochs * -(-rows // batch_size))
        optimizer: Optimizer = kind(
            rate, l2=given("l2") or 0.0, weight_decay=given("weight_decay") or 0.0
        )
        return optimizer
    except (ChainruleError, KeyError, TypeError):
        return optimizers.Adam()
