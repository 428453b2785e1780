"""`chainrule train`: from a table to a trained network in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from chainrule.cli.command_line import command_line
from chainrule.cli.help_pages import Command, option
from chainrule.cli.options import (
    Hidden,
    Number,
    OneOf,
    data_options,
    engine_option,
    json_option,
)
from chainrule.cli.places import Place
from chainrule.cli.terminal import (
    complain,
    json_out,
    paint,
    paragraph,
    printable,
    remark,
    rows,
    say,
    size_of,
    spoken,
    typed,
    width,
)
from chainrule.lang.messages import Text, _, _n, _p, sentences
from chainrule.text_width import cells_wide, padded

if TYPE_CHECKING:
    from chainrule.cli.train_plan import Plan
    from chainrule.cli.train_run import Trained

__all__ = ["train"]

# The names in networks.ACTIVATIONS, optimizers.OPTIMIZERS and cli.train_plan.WAYS, which a test compares
# with these: the help starts without NumPy.
PRESETS = ("table", "table-small", "plain")
ACTIVATIONS = ("relu", "leaky_relu", "elu", "selu", "silu", "mish", "gelu", "tanh", "sigmoid")
OPTIMIZERS = ("adamw", "adam", "sgd", "momentum", "nesterov", "rmsprop", "adagrad")
INTERRUPTED = 130


class Epochs(Number):
    """The number of epochs: 1 or more; 0 is allowed with --playground, which then trains nothing."""

    def __init__(self) -> None:
        super().__init__(whole=True, least=1, most=10**6, example="100")

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number, or an error that says what is allowed."""
        if (
            ctx is not None
            and ctx.get_parameter_source("playground") == ParameterSource.COMMANDLINE
        ):
            return Number(whole=True, least=0, most=10**6).convert(value, param, ctx)
        return super().convert(value, param, ctx)


@click.command(
    cls=Command,
    help=(
        _("Train a network on DATA and keep it in a file."),
        _(
            "DATA is a CSV, Excel, Parquet, SQLite, NPY, NPZ or IDX file, or a set that comes with chainrule:"
            " digits, iris, penguins, spiral, moons, circles, xor, blobs."
        ),
        _(
            "NumPy's own products run on one thread, unless OPENBLAS_NUM_THREADS (OMP_, MKL_) says"
            " otherwise."
        ),
    ),
    short_help=_("Train a network on a table and keep it in a file."),
    examples=(
        "chainrule train digits",
        "chainrule train iris.csv --target species --out iris.safetensors",
        "chainrule train houses.csv --target price --hidden 64,32 --epochs 200",
        "chainrule train digits --report digits.html",
        "chainrule train --playground '#dataset=xor&networkShape=4,2&seed=0.40401' --epochs 100",
    ),
)
@click.argument("data", metavar="DATA", required=False)
@option("--target", metavar="COLUMN", help=_("The column to predict."))
@option(
    "--without",
    multiple=True,
    metavar="COLUMN",
    help=_("A column not to learn from; may be given again."),
)
@option(
    "--out",
    type=Place(),
    metavar="FILE",
    help=_("Where the model goes; DATA.safetensors by default."),
)
@option("--force", is_flag=True, help=_("Overwrite an existing file."))
@option(
    "--preset",
    type=OneOf(("auto", *PRESETS)),
    default="auto",
    help=_(
        "How the network is built and trained: table, with settings tuned on many tables; table-small, its"
        " short form; or plain. By default table from 10,000 rows on, else plain; plain, too, for pixels"
        " and with --activation, --optimizer, --schedule or --l2."
    ),
)
@option(
    "--ensemble",
    type=Number(whole=True, least=1, most=1000, example="8"),
    default=1,
    metavar="N",
    help=_("Train N networks of different seeds at once, and answer with their mean."),
)
@option(
    "--hidden",
    type=Hidden(),
    metavar="SIZES",
    help=_("Sizes of the hidden layers: 64,32, or none. By default 256,256,256; 128 in plain."),
)
@option(
    "--activation",
    type=OneOf(ACTIVATIONS),
    help=_("What stands between the layers in plain; by default relu."),
)
@option(
    "--optimizer",
    type=OneOf(OPTIMIZERS),
    help=_("How the weights move in plain; by default adamw."),
)
@option(
    "--lr",
    type=Number(above=0, most=1000, example="0.01"),
    metavar="RATE",
    help=_("The highest learning rate; by default the preset's, or what suits the optimizer."),
)
@option(
    "--schedule",
    type=OneOf(("cosine", "constant")),
    help=_("How the learning rate goes on in plain; by default cosine."),
)
@option(
    "--epochs",
    type=Epochs(),
    metavar="N",
    help=_(
        "Times through the rows. By default 256; in plain, chosen with the weight decay, on training"
        " rows left out."
    ),
)
@option(
    "--batch-size",
    type=Number(whole=True, least=1, most=10**9, example="32"),
    metavar="N",
    help=_("Rows a step. By default 256; in plain, 32, or 128 from 10,000 rows on."),
)
@option(
    "--validation",
    type=Number(least=0, below=1, example="0.2"),
    default=0.2,
    show_default=True,
    metavar="PART",
    help=_("The part of the rows to hold out; 0 for none."),
)
@option(
    "--patience",
    type=Number(whole=True, least=1, most=10**6, example="10"),
    metavar="N",
    help=_("Stop when the held-out loss has not improved for N epochs; keep the best."),
)
@option(
    "--weight-decay",
    type=Number(least=0, most=1000, example="0.1"),
    metavar="RATE",
    help=_(
        "Shrink the weights at each update. By default 0.02; in plain, chosen with the epochs, for adamw;"
        " else 0."
    ),
)
@option(
    "--l2",
    type=Number(least=0, most=1000, example="0.001"),
    metavar="RATE",
    help=_("Add RATE times the weight to its gradient, in plain."),
)
@option(
    "--dropout",
    type=Number(least=0, below=1, example="0.2"),
    metavar="PART",
    help=_(
        "The part of each hidden layer to leave out at each step. By default 0.15; in plain, 0."
    ),
)
@option(
    "--label-smoothing",
    type=Number(least=0, below=1, example="0.1"),
    metavar="PART",
    help=_("How much of each class's target goes to all classes. By default 0.1."),
)
@option(
    "--task",
    type=OneOf(("auto", "classification", "regression")),
    default="auto",
    help=_("Classes or numbers; by default the target tells."),
)
@option(
    "--missing",
    type=OneOf(("fill", "drop", "error")),
    default="fill",
    show_default=True,
    help=_("Rows with empty cells: fill the cells, drop the rows, or stop."),
)
@data_options
@option(
    "--seed",
    type=Number(whole=True, least=0, most=2**63 - 1, example="0"),
    default=0,
    show_default=True,
    metavar="N",
    help=_("Same seed, same model, bit for bit."),
)
@engine_option
@option(
    "--threads",
    type=Number(whole=True, least=1, most=64, example="2"),
    metavar="N",
    help=_("Threads of the compiled engine; by default one a core, where that pays."),
)
@option(
    "--report",
    type=Place(),
    metavar="FILE",
    help=_("Tell of it all on one HTML page, with pictures."),
)
@option(
    "--playground",
    is_eager=True,  # --epochs asks for it
    metavar="LINK",
    help=_(
        "Train what a TensorFlow Playground link describes, with its data and its weights, for --epochs;"
        " in place of DATA and all other options but --json, --quiet and --lang."
    ),
)
@json_option
@option("--quiet", is_flag=True, help=_("Say nothing but errors."))
def train(playground: str | None, as_json: bool, quiet: bool, **options: Any) -> None:
    """Train a network on a table and keep it in a file."""
    ctx = click.get_current_context()
    if playground is not None:
        from chainrule.cli.link import refuse_others, train_link

        refuse_others(ctx)
        train_link(playground, options["epochs"], as_json=as_json, quiet=quiet)
        return
    from chainrule.cli.train_options import TrainOptions
    from chainrule.cli.train_plan import make_plan
    from chainrule.cli.train_run import run_plan

    if options["data"] is None:
        missing = next(param for param in ctx.command.params if param.name == "data")
        raise click.MissingParameter(ctx=ctx, param=missing)
    plan = make_plan(TrainOptions(**options, command=command_line(ctx)))
    loud = not (as_json or quiet)
    if loud:
        show_plan(plan)
    trained = run_plan(plan, progress="auto" if loud else None)
    if as_json:
        json_out(trained.as_json())
    elif loud:
        show_result(trained)
    if trained.interrupted:
        complain(
            _(
                "interrupted in epoch {epoch} of {epochs}; the model so far is in {model}.",
                epoch=trained.epochs,
                epochs=trained.planned,
                model=trained.out,
            ),
            _("Stopped:"),
        )
        ctx.exit(INTERRUPTED)


def show_plan(plan: Plan) -> None:
    """The plan, shown before training."""
    data = printable(
        _(
            "{rows}, {columns}; {predicts}",
            rows=_n("{n:,} row", "{n:,} rows", plan.rows),
            columns=_n("{n:,} column", "{n:,} columns", plan.columns),
            predicts=plan.predicts,
        )
    )
    name = paint(printable(plan.name), "bold")
    if cells_wide(f"{plan.name}  {data}") <= width():
        say(f"{name}  {data}")
    else:
        say(name)
        paragraph(data)
    say()
    notes = plan.notes[:30]
    if len(plan.notes) > 30:
        more = _n(
            "and {n} more remark; see `chainrule inspect`",
            "and {n} more remarks; see `chainrule inspect`",
            len(plan.notes) - 30,
        )
        notes = (*notes, more)
    pairs: list[tuple[str, str]] = [
        (_("data") if i == 0 else "", note) for i, note in enumerate(notes)
    ]
    pairs.append((_("network"), plan.network))
    first, *others = plan.training
    pairs.append((_("training"), _("{rows}; {steps}", rows=plan.held_out, steps=first)))
    pairs += [("", line) for line in others]
    pairs.append((_("engine"), plan.engine))
    rows(pairs)
    say()


def show_result(trained: Trained) -> None:
    """The result, and the commands to type next."""
    say()
    pairs: list[tuple[str, str]] = [*trained.figures]
    pairs += [(_("time"), _time(trained)), (_("model"), _model(trained))]
    if trained.report:
        pairs.append((_("report"), trained.report))
    rows(pairs)
    if trained.verdict:
        say()
        remark(sentences(*trained.verdict))
    say()
    model, data = typed(trained.out), typed(trained.data)
    start = _p("commands to type next", "next")
    for i, command in enumerate(("predict", "evaluate")):
        before = paint(start, "dim") if i == 0 else padded("", cells_wide(spoken(start)))
        line = f"chainrule {command} {printable(model)} {printable(data)}"
        say(f"{before}  {paint(line, 'bold')}")


def _time(trained: Trained) -> Text:
    """How long training took, and why it ended early, if it did."""
    compiled = trained.facts["training"]["engine"] == "compiled"
    time = _(
        "{seconds:.1f} s, {epochs}, {engine}",
        seconds=trained.seconds,
        epochs=_n("{n:,} epoch", "{n:,} epochs", trained.epochs),
        engine=_("compiled engine") if compiled else _("numpy engine"),
    )
    return _("{time}; {why}", time=time, why=trained.stopped) if trained.stopped else time


def _model(trained: Trained) -> Text:
    """The path and size of the model, and why it does not have the plain name."""
    model = _("{model} ({size})", model=trained.out, size=size_of(trained.bytes))
    if not trained.renamed:
        return model
    return _("{model}; {other} was there already, and stays", model=model, other=trained.renamed)
