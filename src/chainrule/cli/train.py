"""`chainrule train`: from a table to a trained network in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from chainrule.cli.options import (
    Command,
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
    number_of,
    paint,
    paragraph,
    printable,
    remark,
    rows,
    say,
    size_of,
    typed,
    width,
)
from chainrule.text_width import cells_wide

if TYPE_CHECKING:
    from chainrule.cli.plan import Plan, Trained

__all__ = ["train"]

ACTIVATIONS = ("relu", "leaky_relu", "elu", "selu", "silu", "mish", "gelu", "tanh", "sigmoid")
#: The optimizers by name, each with a first learning rate that suits it.
RATES = {
    "adamw": 0.01,
    "adam": 0.01,
    "sgd": 0.1,
    "momentum": 0.02,
    "nesterov": 0.02,
    "rmsprop": 0.003,
    "adagrad": 0.05,
}
INTERRUPTED = 130


class Epochs(Number):
    """How often to go through the rows; what a link describes can be left untrained, too."""

    def __init__(self) -> None:
        super().__init__(whole=True, least=1, most=10**6, example="100")

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """The number, or an error that says what is allowed."""
        if ctx.get_parameter_source("playground") == ParameterSource.COMMANDLINE:
            return Number(whole=True, least=0, most=10**6).convert(value, param, ctx)
        return super().convert(value, param, ctx)


@click.command(
    cls=Command,
    short_help="Train a network on a table and keep it in a file.",
    epilog="""\b
Examples:
  chainrule train digits
  chainrule train iris.csv --target species --out iris.safetensors
  chainrule train houses.csv --target price --hidden 64,32 --epochs 200
  chainrule train digits --report digits.html
  chainrule train --playground '#dataset=xor&networkShape=4,2&seed=0.40401' --epochs 100
""",
)
@click.argument("data", metavar="DATA", required=False)
@click.option("--target", metavar="COLUMN", help="The column to predict.")
@click.option(
    "--without",
    multiple=True,
    metavar="COLUMN",
    help="A column not to learn from; may be given again.",
)
@click.option(
    "--out", type=Place(), metavar="FILE", help="Where the model goes; DATA.safetensors by default."
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.option(
    "--hidden",
    type=Hidden(),
    default="128",
    show_default=True,
    metavar="SIZES",
    help="Sizes of the hidden layers: 64,32, or none.",
)
@click.option(
    "--activation",
    type=OneOf(ACTIVATIONS),
    default="relu",
    show_default=True,
    help="What stands between the layers.",
)
@click.option(
    "--optimizer",
    type=OneOf(tuple(RATES)),
    default="adamw",
    show_default=True,
    help="How the weights move.",
)
@click.option(
    "--lr",
    type=Number(above=0, most=1000, example="0.01"),
    metavar="RATE",
    help="Learning rate at the start; by default what suits the optimizer.",
)
@click.option(
    "--schedule",
    type=OneOf(("cosine", "constant")),
    default="cosine",
    show_default=True,
    help="How the learning rate goes on.",
)
@click.option(
    "--epochs",
    type=Epochs(),
    metavar="N",
    help="Times through the rows; by default chosen with the weight decay, on training rows left out.",
)
@click.option(
    "--batch-size",
    type=Number(whole=True, least=1, most=10**9, example="32"),
    metavar="N",
    help="Rows a step; 32 by default, 128 from 10,000 rows on.",
)
@click.option(
    "--validation",
    type=Number(least=0, below=1, example="0.2"),
    default=0.2,
    show_default=True,
    metavar="PART",
    help="The part of the rows to hold out; 0 for none.",
)
@click.option(
    "--patience",
    type=Number(whole=True, least=1, most=10**6, example="10"),
    metavar="N",
    help="Stop when the held-out loss has not improved for N epochs; keep the best.",
)
@click.option(
    "--weight-decay",
    type=Number(least=0, most=1000, example="0.1"),
    metavar="RATE",
    help="Shrink the weights at each update; by default chosen with the epochs, for adamw; else 0.",
)
@click.option(
    "--l2",
    type=Number(least=0, most=1000, example="0.001"),
    default=0.0,
    metavar="RATE",
    help="Add RATE times the weight to its gradient.",
)
@click.option(
    "--dropout",
    type=Number(least=0, below=1, example="0.2"),
    default=0.0,
    metavar="PART",
    help="The part of each hidden layer to leave out at each step.",
)
@click.option(
    "--label-smoothing",
    type=Number(least=0, below=1, example="0.1"),
    default=0.1,
    show_default=True,
    metavar="PART",
    help="How much of each class's target goes to all classes.",
)
@click.option(
    "--task",
    type=OneOf(("auto", "classification", "regression")),
    default="auto",
    help="Classes or numbers; by default the target tells.",
)
@click.option(
    "--missing",
    type=OneOf(("fill", "drop", "error")),
    default="fill",
    show_default=True,
    help="Rows with empty cells: fill the cells, drop the rows, or stop.",
)
@data_options
@click.option(
    "--seed",
    type=Number(whole=True, least=0, most=2**63 - 1, example="0"),
    default=0,
    show_default=True,
    metavar="N",
    help="Same seed, same model, bit for bit.",
)
@engine_option
@click.option(
    "--threads",
    type=Number(whole=True, least=1, most=64, example="2"),
    metavar="N",
    help="Threads of the compiled engine; by default one a core, where that pays.",
)
@click.option(
    "--report", type=Place(), metavar="FILE", help="Tell of it all on one HTML page, with pictures."
)
@click.option(
    "--lang",
    type=OneOf(("en", "zh")),
    default="en",
    show_default=True,
    help="The language of the report.",
)
@click.option(
    "--playground",
    is_eager=True,  # --epochs asks for it
    metavar="LINK",
    help="Train what a TensorFlow Playground link describes, with its data and its weights, for"
    " --epochs; in place of DATA and all other options but --json and --quiet.",
)
@json_option
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def train(playground: str | None, as_json: bool, quiet: bool, **options: Any) -> None:
    """Train a network on DATA and keep it in a file.

    DATA is a CSV, NPY, NPZ or IDX file, or a set that comes with chainrule: digits, iris,
    penguins, spiral, moons, circles, xor, blobs.

    NumPy's own products run on one thread, unless OPENBLAS_NUM_THREADS (OMP_, MKL_) says otherwise.
    """
    ctx = click.get_current_context()
    if playground is not None:
        from chainrule.cli.link import refuse_others, train_link

        refuse_others(ctx)
        train_link(playground, options["epochs"], as_json=as_json, quiet=quiet)
        return
    from chainrule.cli.reporting import command_line
    from chainrule.cli.training import Job

    if options["data"] is None:
        missing = next(param for param in ctx.command.params if param.name == "data")
        raise click.MissingParameter(ctx=ctx, param=missing)
    options["lr"] = options["lr"] or RATES[options["optimizer"]]
    job = Job(**options, command=command_line(ctx))
    plan = job.plan()
    loud = not (as_json or quiet)
    if loud:
        show_plan(plan)
    trained = job.run(plan, progress="auto" if loud else None)
    if as_json:
        json_out(trained.as_json())
    elif loud:
        show_result(trained)
    if trained.interrupted:
        complain(
            f"interrupted in epoch {trained.epochs} of {trained.planned}; the model so far is in"
            f" {trained.out}.",
            "Stopped:",
        )
        ctx.exit(INTERRUPTED)


def show_plan(plan: Plan) -> None:
    """What is going to be done, before it takes time."""
    size = f"{number_of(plan.rows, 'row')}, {number_of(plan.columns, 'column')}"
    data = f"{size}; {plan.predicts}"
    name = paint(printable(plan.name), "bold")
    if cells_wide(f"{plan.name}  {data}") <= width():
        say(f"{name}  {printable(data)}")
    else:
        say(name)
        paragraph(data)
    say()
    notes = plan.notes[:30]
    if len(plan.notes) > 30:
        notes = (*notes, f"and {len(plan.notes) - 30} more remarks; see `chainrule inspect`")
    pairs = [("data" if i == 0 else "", note) for i, note in enumerate(notes)]
    pairs.append(("network", plan.network))
    first, *more = plan.training
    pairs += [("training", f"{plan.held_out}; {first}"), *(("", line) for line in more)]
    pairs.append(("engine", plan.engine))
    rows(pairs)
    say()


def show_result(trained: Trained) -> None:
    """What came out, and what to type next."""
    say()
    epochs = number_of(trained.epochs, "epoch")
    pairs = list(trained.figures)
    engine = trained.facts["training"]["engine"]
    pairs.append(("time", f"{trained.seconds:.1f} s, {epochs}, {engine} engine{trained.why}"))
    pairs.append(("model", f"{trained.out} ({size_of(trained.bytes)}){trained.renamed}"))
    if trained.report:
        pairs.append(("report", trained.report))
    rows(pairs)
    if trained.verdict:
        say()
        remark(" ".join(trained.verdict))
    say()
    model, data = typed(trained.out), typed(trained.data)
    for i, command in enumerate(("predict", "evaluate")):
        say(
            f"{paint('next' if i == 0 else '    ', 'dim')}  "
            + paint(f"chainrule {command} {printable(model)} {printable(data)}", "bold")
        )
