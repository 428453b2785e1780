"""What `chainrule train` will do: everything that can be refused is refused here, before training."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from chainrule import optimizers, schedules
from chainrule.atomic_write import check_place
from chainrule.cli.data_options import DataOptions
from chainrule.cli.data_source import data_name, find_target, open_source
from chainrule.cli.model_and_data import Facts, reading_notes
from chainrule.cli.places import free_name, keep_apart
from chainrule.cli.split import Split, divide
from chainrule.datasets import Preprocessor, Table
from chainrule.datasets.opening import physical_memory
from chainrule.datasets.wording import quoted
from chainrule.errors import ExtraMissingError, SettingError
from chainrule.lang.messages import Text, _, _n, _p, listed
from chainrule.layers import Affine, Dropout, Layer, MeanSquaredError, SoftmaxWithLoss
from chainrule.networks import ACTIVATIONS, Sequential
from chainrule.training import Recipe, Trainer, recipes_for
from chainrule.training.choice import engine_line
from chainrule.training.recipes import folds_for
from chainrule.version import __version__

__all__ = ["Plan", "TrainOptions", "identifier_hints", "make_plan", "optimizer_class"]

#: Names of columns that probably hold identifiers.
IDENTIFIER = re.compile(
    r"(?i:(?:.*[\W_])?(?:id|nr|no|index|key))|.*[a-z](?:Id|ID|No|Nr)|.*(?:编号|序号|行号|号码)"
)


def optimizer_class(name: str) -> type[optimizers.Optimizer]:
    """The optimizer of that name in small letters; KeyError if there is none.

    >>> optimizer_class("adamw").__name__
    'AdamW'
    """
    return {key.lower(): kind for key, kind in optimizers.OPTIMIZERS.items()}[name]


@dataclass(frozen=True)
class TrainOptions:
    """The options of one `chainrule train`."""

    data: str
    target: str | None
    without: tuple[str, ...]
    out: str | None
    force: bool
    hidden: tuple[int, ...]
    activation: str
    optimizer: str
    lr: float | None
    schedule: str
    epochs: int | None
    batch_size: int | None
    validation: float
    patience: int | None
    weight_decay: float | None
    l2: float
    dropout: float
    label_smoothing: float
    task: Literal["auto", "classification", "regression"]
    missing: str
    read_as: DataOptions
    seed: int
    engine: str
    threads: int | None
    report: str | None
    #: The command as it was typed, for the report.
    command: list[str]

    @property
    def learning_rate(self) -> float:
        """The learning rate at the start: the one given, else what suits the optimizer."""
        return self.lr or optimizer_class(self.optimizer).first_lr

    def recipe_options(self) -> list[str]:
        """The options that were given and keep the recipe from being chosen."""
        given = {
            "--epochs": self.epochs is not None,
            "--weight-decay": self.weight_decay is not None,
            "--patience": self.patience is not None,
            "--optimizer": self.optimizer != "adamw",
        }
        return [option for option, is_given in given.items() if is_given]


@dataclass(frozen=True)
class Plan:
    """What will be done, known before training: as lines to show, and the parts to do it with."""

    options: TrainOptions = field(repr=False)
    name: str
    rows: int
    columns: int
    predicts: Text
    notes: tuple[str, ...]
    network: Text
    held_out: Text
    training: tuple[Text, ...]
    recipes: tuple[Recipe, ...]
    batch_size: int
    engine: str
    out: str
    #: The name that the model would have had, if that was taken.
    renamed: str
    #: What is kept with the model; training adds to it.
    facts: Facts
    preparation: Preprocessor = field(repr=False)
    split: Split = field(repr=False)
    net: Sequential = field(repr=False)
    trainer: Trainer = field(repr=False)


def make_plan(options: TrainOptions) -> Plan:
    """Read the table, divide it, prepare its columns, and build the network and its trainer."""
    name = data_name(options.data)
    out, renamed = (options.out, "") if options.out else free_name(name, options.force)
    _check_files(options, out)
    if options.patience is not None and not options.validation:
        raise SettingError(
            _(
                "--patience watches the held-out rows, and --validation 0 holds none out. Leave one of"
                " the two out."
            )
        )

    table, target = _read_table(options)
    columns = _without_columns(options, table, target)
    split = divide(columns, target, options.task, options.validation, options.seed, options.missing)
    rows = split.table.rows(split.training)
    preparation = Preprocessor.fit(rows, target, split.task)

    net = _build_network(options, preparation)
    count = len(rows)
    batch_size = min(options.batch_size or (32 if count < 10_000 else 128), count)
    recipes = _recipes(options, count, batch_size)
    steps = math.ceil(count / batch_size) * max(recipe.epochs for recipe in recipes)
    optimizer = _make_optimizer(options)
    seeds = np.random.SeedSequence(options.seed).generate_state(2)
    trainer = Trainer(
        net, optimizer, seed=int(seeds[1]), engine=options.engine, threads=options.threads
    )
    first = rows.rows(np.arange(batch_size))
    x, t = preparation.transform(first), preparation.targets(first)

    classes = preparation.classes
    return Plan(
        options=options,
        name=name,
        rows=len(table),
        columns=len(table.names),
        predicts=_("{target} is one of {count} classes", target=target, count=len(classes))
        if classes
        else _("{target} is a number", target=target),
        notes=(
            *reading_notes(columns),
            *split.notes,
            *preparation.notes,
            *identifier_hints(rows, preparation),
        ),
        network=_network_line(options, preparation, net),
        held_out=_(
            "{rows}, {held:,} held out",
            rows=_n("{n:,} row", "{n:,} rows", count),
            held=len(split.held),
        ),
        training=_recipe_lines(recipes, count, batch_size, type(optimizer).__name__),
        recipes=recipes,
        batch_size=batch_size,
        engine=engine_line(trainer, *net._prepare(x, t), steps=steps),
        out=out,
        renamed=renamed,
        facts=_facts(options, table, split, preparation, batch_size),
        preparation=preparation,
        split=split,
        net=net,
        trainer=trainer,
    )


def _check_files(options: TrainOptions, out: str) -> None:
    """Refuse a model or a report that could not be written after training."""
    check_place(out, overwrite=options.force)
    if options.report is not None:
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            raise ExtraMissingError(
                _(
                    "--report draws with matplotlib, which is in the extra [draw]: {command}.",
                    command="pip install 'chainrule[draw]'",
                )
            ) from None
        check_place(options.report, overwrite=options.force)
        keep_apart(
            "--report",
            options.report,
            {_p("a file", "the model"): out, _p("a file", "the data"): options.data},
        )
        if not options.report.lower().endswith((".html", ".htm")):
            raise SettingError(
                _(
                    "--report {file}: a report is a page of HTML. Give a name that ends in .html.",
                    file=options.report,
                )
            )
    keep_apart("--out", out, {_("the data itself"): options.data})


def _read_table(options: TrainOptions) -> tuple[Table, str]:
    """The table, and the name of its target column."""
    without = frozenset(options.without)
    table, known_target = open_source(
        options.data, options.read_as, judged=lambda name: name not in without
    )
    options.read_as.check(table)
    return table, find_target(table, options.target, known_target)


def _without_columns(options: TrainOptions, table: Table, target: str) -> Table:
    """The table without the columns of --without."""
    if target in options.without:
        raise SettingError(
            _(
                "--without {target}: this is the column to predict. Leave out others, or name another"
                " --target.",
                target=target,
            )
        )
    if not options.without:
        return table
    note = _n(
        "{names} was left out, as asked.",
        "{names} were left out, as asked.",
        len(options.without),
        names=listed(map(quoted, options.without)),
    )
    return table.drop(*options.without).with_notes(note)


def _build_network(options: TrainOptions, preparation: Preprocessor) -> Sequential:
    """The network: inputs, hidden layers, and one output for each class, or one number."""
    outputs = len(preparation.classes) if preparation.classes else 1
    sizes = (len(preparation.features), *options.hidden, outputs)
    _check_memory(options.hidden, sum((a + 1) * b for a, b in pairwise(sizes)))
    make, init = ACTIVATIONS[options.activation]
    layers: list[Layer] = []
    for a, b in pairwise(sizes[:-1]):
        layers += [Affine.sized(a, b, init=init), make()]
        if options.dropout:
            layers.append(Dropout(options.dropout))
    layers.append(Affine.sized(sizes[-2], sizes[-1]))
    loss = (
        SoftmaxWithLoss(label_smoothing=options.label_smoothing)
        if preparation.classes
        else MeanSquaredError()
    )
    seed = int(np.random.SeedSequence(options.seed).generate_state(1)[0])
    return Sequential(*layers, loss=loss, seed=seed)


def _check_memory(hidden: Sequence[int], parameters: int) -> None:
    """Refuse a network that does not fit: weights, gradients, two moments, and a copy."""
    needed, memory = parameters * 4 * 6, physical_memory()
    if needed > memory * 3 // 4:
        raise SettingError(
            _(
                "--hidden {sizes} makes {count:,} parameters, which take about {needed:,.1f} GiB to"
                " train; this machine has {memory:.1f} GiB. Give smaller sizes.",
                sizes=",".join(map(str, hidden)),
                count=parameters,
                needed=needed / 2**30,
                memory=memory / 2**30,
            )
        )


def _recipes(options: TrainOptions, rows: int, batch_size: int) -> tuple[Recipe, ...]:
    """The recipes to choose from: a single one where an option decides a part of it."""
    usual = recipes_for(rows, batch_size)
    if not options.recipe_options():
        return usual
    decay = options.weight_decay
    if decay is None:
        own = optimizers.default_numbers(optimizer_class(options.optimizer))
        decay = usual[0].weight_decay if "weight_decay" in own else 0.0
    return (Recipe(options.epochs or usual[0].epochs, decay),)


def _make_optimizer(options: TrainOptions) -> optimizers.Optimizer:
    """The optimizer with its schedule, which the recipe makes as long as the training."""
    rate: float | schedules.Schedule = options.learning_rate
    if options.schedule == "cosine":
        rate = schedules.Cosine(rate, steps=1)
    kind: Any = optimizer_class(options.optimizer)
    optimizer: optimizers.Optimizer = kind(rate, l2=options.l2)
    return optimizer


def identifier_hints(table: Table, preparation: Preprocessor) -> tuple[Text, ...]:
    """Sentences about columns of identifiers, which probably should not be learned from.

    >>> table = Table({"id": list(range(40)), "x": [1.5, 2.5] * 20, "y": [0, 1] * 20})
    >>> identifier_hints(table, Preprocessor.fit(table, "y"))[0].partition(".")[0]
    "'id' has another whole number in every row, as identifiers have"
    """
    hints = []
    for name in preparation.columns:
        named = table.kind(name) == "int" and IDENTIFIER.fullmatch(name)
        if named and len(np.unique(table.column(name))) == len(table) > 1:
            hints.append(
                _(
                    "{name!r} has another whole number in every row, as identifiers have. If it is one,"
                    " leave the column out (--without).",
                    name=name,
                )
            )
    return tuple(hints)


def _network_line(options: TrainOptions, preparation: Preprocessor, net: Sequential) -> Text:
    """The network in a line: 64 → 128 relu → 10."""
    outputs = len(preparation.classes) if preparation.classes else 1
    before = _n("{n:,} input", "{n:,} inputs", len(preparation.features))
    after = _n("{n:,} output", "{n:,} outputs", outputs)
    count = sum(p.size for p in net.named_parameters().values())
    parameters = _n("{n:,} parameter", "{n:,} parameters", count)
    if not options.hidden:
        return _(
            "{inputs} → {outputs}; {parameters}",
            inputs=before,
            outputs=after,
            parameters=parameters,
        )
    return _(
        "{inputs} → {hidden} → {outputs}; {parameters}",
        inputs=before,
        hidden=" → ".join(f"{size} {options.activation}" for size in options.hidden),
        outputs=after,
        parameters=parameters,
    )


def _recipe_lines(
    recipes: Sequence[Recipe], rows: int, batch_size: int, optimizer: str
) -> tuple[Text, ...]:
    """The training in a line or two: 200 epochs of 14 steps, AdamW."""
    steps = _n("{n:,} step", "{n:,} steps", math.ceil(rows / batch_size))
    epochs = [recipe.epochs for recipe in recipes]
    if len(recipes) == 1:
        count = _n("{n:,} epoch", "{n:,} epochs", epochs[0])
        return (
            _("{epochs} of {steps}, {optimizer}", epochs=count, steps=steps, optimizer=optimizer),
        )
    parts = folds_for(recipes, rows, batch_size)
    left_out = (
        _("a fifth of these rows")
        if parts == 1
        else _("{parts} parts of these rows in turn", parts=parts)
    )
    return (
        _(
            "{least} to {most} epochs of {steps}, {optimizer}",
            least=min(epochs),
            most=max(epochs),
            steps=steps,
            optimizer=optimizer,
        ),
        _(
            "{count} recipes (epochs, weight decay) are tried first, leaving out {left_out}",
            count=len(recipes),
            left_out=left_out,
        ),
    )


def _facts(
    options: TrainOptions, table: Table, split: Split, preparation: Preprocessor, batch_size: int
) -> Facts:
    """What is kept with the model: how the data was read and divided, and how training is set up."""
    header = options.read_as.header
    if header is None:
        header = table.names != tuple(f"x{i}" for i in range(len(table.names)))
    return {
        "made_by": "chainrule train",
        "chainrule": __version__,
        "data": {
            "name": os.path.basename(options.data),
            "fingerprint": table.fingerprint(),
            "rows": len(table),
            "columns": len(table.names),
            **options.read_as.facts(),
            "header": header,
            "without": list(options.without),
        },
        "split": {
            "validation": options.validation,
            "seed": options.seed,
            "missing": options.missing,
            "training_rows": len(split.training),
            "held_out_rows": len(split.held),
        },
        "training": {
            "hidden": list(options.hidden),
            "activation": options.activation,
            "optimizer": options.optimizer,
            "lr": options.learning_rate,
            "schedule": options.schedule,
            "l2": options.l2,
            "batch_size": batch_size,
            "dropout": options.dropout,
            "label_smoothing": options.label_smoothing if preparation.classes else None,
            "seed": options.seed,
        },
    }
