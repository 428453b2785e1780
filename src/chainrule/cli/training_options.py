"""The options of a training, which `train` and `tune` share: what to learn from, settings, split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from chainrule.cli.help_pages import option
from chainrule.cli.options import Hidden, Number, OneOf
from chainrule.cli.places import Place
from chainrule.lang.messages import Text, _

__all__ = [
    "PRESETS",
    "max_restarts_option",
    "quiet_option",
    "rank_timeout_option",
    "ranks_option",
    "report_option",
    "seed_option",
    "setting_options",
    "target_options",
    "threads_option",
    "validation_option",
    "what_options",
]

F = TypeVar("F", bound=Callable[..., object])

# The names in networks.ACTIVATIONS, optimizers.OPTIMIZERS and cli.train_plan.WAYS, which a test compares
# with these: the help starts without NumPy.
PRESETS = ("table", "table-small", "plain")
ACTIVATIONS = ("relu", "leaky_relu", "elu", "selu", "silu", "mish", "gelu", "tanh", "sigmoid")
OPTIMIZERS = ("adamw", "adam", "sgd", "momentum", "nesterov", "rmsprop", "adagrad")


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


def _together(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Several options as one decorator, in their order."""

    def add(function: F) -> F:
        for one in reversed(options):
            function = one(function)
        return function

    return add


#: What to learn from, and where the model goes.
what_options = _together(
    option("--target", metavar="COLUMN", help=_("The column to predict.")),
    option(
        "--without",
        multiple=True,
        metavar="COLUMN",
        help=_("A column not to learn from; may be given again."),
    ),
    option(
        "--out",
        type=Place(),
        metavar="FILE",
        help=_("Where the model goes; DATA.safetensors by default."),
    ),
    option("--force", is_flag=True, help=_("Overwrite an existing file.")),
    option(
        "--preset",
        type=OneOf(("auto", *PRESETS)),
        default="auto",
        help=_(
            "How the network is built and trained: table, with settings tuned on many tables; table-small,"
            " its short form; or plain. By default plain with fewer than 2,000 rows to train on, and for"
            " pixels; with more, plain and table are both tried on rows left out, and the better one is kept."
        ),
    ),
)

#: The settings of a network and its training: type, metavar and help of each option.
_SETTINGS: dict[str, tuple[click.ParamType[Any], str | None, Text]] = {
    "--hidden": (
        Hidden(),
        "SIZES",
        _("Sizes of the hidden layers: 64,32, or none. By default 256,256,256; 128 in plain."),
    ),
    "--activation": (
        OneOf(ACTIVATIONS),
        None,
        _("What stands between the layers in plain; by default relu."),
    ),
    "--optimizer": (
        OneOf(OPTIMIZERS),
        None,
        _("How the weights move in plain; by default adamw."),
    ),
    "--lr": (
        Number(above=0, most=1000, example="0.01"),
        "RATE",
        _("The highest learning rate; by default the preset's, or what suits the optimizer."),
    ),
    "--schedule": (
        OneOf(("cosine", "constant")),
        None,
        _("How the learning rate goes on in plain; by default cosine."),
    ),
    "--epochs": (
        Epochs(),
        "N",
        _(
            "Times through the rows. By default 256; in plain, chosen with the weight decay, on training"
            " rows left out."
        ),
    ),
    "--batch-size": (
        Number(whole=True, least=1, most=10**9, example="32"),
        "N",
        _("Rows a step. By default 256; in plain, 32, or 128 from 10,000 rows on."),
    ),
    "--weight-decay": (
        Number(least=0, most=1000, example="0.1"),
        "RATE",
        _(
            "Shrink the weights at each update. By default 0.02; in plain, chosen with the epochs, for"
            " adamw; else 0."
        ),
    ),
    "--l2": (
        Number(least=0, most=1000, example="0.001"),
        "RATE",
        _("Add RATE times the weight to its gradient, in plain."),
    ),
    "--dropout": (
        Number(least=0, below=1, example="0.2"),
        "PART",
        _("The part of each hidden layer to leave out at each step. By default 0.15; in plain, 0."),
    ),
    "--label-smoothing": (
        Number(least=0, below=1, example="0.1"),
        "PART",
        _("How much of each class's target goes to all classes. By default 0.1."),
    ),
    "--beta2": (
        Number(least=0, below=1, example="0.99"),
        "RATE",
        _("How long the squares of the gradients are remembered, in the table presets."),
    ),
    "--sigma": (
        Number(above=0, most=1000, example="0.5"),
        "SIZE",
        _("How fast the waves are that numbers become, in table; by default 0.1."),
    ),
}


def setting_options(*names: str, tuned: bool = False) -> Callable[[F], F]:
    """Some of the settings, in this order; `tuned`: they are tuned where they are not given."""
    made = []
    for name in names:
        kind, metavar, told = _SETTINGS[name]
        if tuned:
            told = _("Keep this, and do not tune it.")
        made.append(option(name, type=kind, metavar=metavar, help=told))
    return _together(*made)


#: How many rows are held out.
validation_option = option(
    "--validation",
    type=Number(least=0, below=1, example="0.2"),
    default=0.2,
    show_default=True,
    metavar="PART",
    help=_("The part of the rows to hold out; 0 for none."),
)

#: What the target is, and what is done about missing cells.
target_options = _together(
    option(
        "--task",
        type=OneOf(("auto", "classification", "regression")),
        default="auto",
        help=_("Classes or numbers; by default the target tells."),
    ),
    option(
        "--missing",
        type=OneOf(("fill", "drop", "error")),
        default="fill",
        show_default=True,
        help=_("Rows with empty cells: fill the cells, drop the rows, or stop."),
    ),
)

seed_option = option(
    "--seed",
    type=Number(whole=True, least=0, most=2**63 - 1, example="0"),
    default=0,
    show_default=True,
    metavar="N",
    help=_("Same seed, same model, bit for bit."),
)

threads_option = option(
    "--threads",
    type=Number(whole=True, least=1, most=64, example="2"),
    metavar="N",
    help=_("Threads of the compiled engine; by default one a core, where that pays."),
)

report_option = option(
    "--report",
    type=Place(),
    metavar="FILE",
    help=_("Tell of it all on one HTML page, with pictures."),
)

ranks_option = option(
    "--ranks",
    type=Number(whole=True, least=1, most=10**5, example="4"),
    metavar="N",
    help=_(
        "Train on N processes, which divide every batch; mpiexec starts them. It needs the extra mpi."
    ),
)

max_restarts_option = option(
    "--max-restarts",
    type=Number(whole=True, least=0, most=10**6, example="3"),
    metavar="N",
    help=_(
        "If a process is killed, crashes or hangs, go on from the latest checkpoint, at most N times."
    ),
)

rank_timeout_option = option(
    "--rank-timeout",
    type=Number(above=0, most=10**6, example="300"),
    metavar="SECONDS",
    help=_(
        "How long the others wait for a rank without a sign of life, until it counts as hung; by default"
        " 300."
    ),
)

quiet_option = option("--quiet", is_flag=True, help=_("Say nothing but errors."))
