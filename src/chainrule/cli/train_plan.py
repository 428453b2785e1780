"""What `chainrule train` will do: everything that can be refused is refused here, before training."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

import numpy as np

from chainrule.atomic_write import check_place
from chainrule.cli.data_source import data_name, find_target, open_source
from chainrule.cli.model_and_data import Facts, reading_notes
from chainrule.cli.places import free_name, keep_apart
from chainrule.cli.report_place import check_in_memory, check_report
from chainrule.cli.split import Split, divide
from chainrule.cli.train_options import TrainOptions
from chainrule.cli.train_plain import PlainWay
from chainrule.cli.train_preset import SmallTableWay, TableWay
from chainrule.cli.train_ways import Rows, Way
from chainrule.datasets import Preprocessor, Table
from chainrule.datasets.storage import taken
from chainrule.datasets.wording import quoted
from chainrule.errors import SettingError
from chainrule.lang.messages import Text, _, _n, _p, listed
from chainrule.training.choice import engine_line
from chainrule.training.presets import BEST_EPOCH_BY, PLAIN
from chainrule.training.trials import Trials
from chainrule.version import __version__

__all__ = ["WAYS", "Plan", "identifier_hints", "make_plan"]

#: The presets by name.
WAYS: dict[str, type[Way]] = {PLAIN: PlainWay, "table": TableWay, "table-small": SmallTableWay}

#: Names of columns that probably hold identifiers.
IDENTIFIER = re.compile(
    r"(?i:(?:.*[\W_])?(?:id|nr|no|index|key))|.*[a-z](?:Id|ID|No|Nr)|.*(?:编号|序号|行号|号码)"
)


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
    engine: Text
    out: str
    #: The name that the model would have had, if that was taken.
    renamed: str
    #: What is kept with the model; training adds to it.
    facts: Facts
    preparation: Preprocessor = field(repr=False)
    split: Split = field(repr=False)
    way: Way = field(repr=False)
    #: The rows, ready for the network: to train on, and to score by, if any are held out.
    training_rows: Rows = field(repr=False)
    held_rows: Rows | None = field(repr=False)
    #: The trials that the settings come from, if they were tuned.
    trials: Trials | None = field(default=None, repr=False)
    #: The plan with another preset, if both are to be tried and the better one is kept.
    rival: Plan | None = field(default=None, repr=False)


def make_plan(options: TrainOptions, rivals: bool = True) -> Plan:
    """Read the table, divide it, prepare its columns, and build the network and its trainer.

    `rivals`: whether the plan may have a rival with another preset.
    """
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
    presets, why = options.presets_for(rows, rivals)
    divided = _Divided(options, name, out, renamed, table, columns, target, split, rows, why)
    plan: Plan | None = None
    for preset in reversed(presets):
        plan = divided.plan(preset, rival=plan)
    assert plan is not None
    return plan


@dataclass(frozen=True)
class _Divided:
    """A table whose rows are divided: what the plans of all presets have in common."""

    options: TrainOptions
    name: str
    out: str
    renamed: str
    table: Table
    #: The table without the columns that are left out.
    columns: Table
    target: str
    split: Split
    #: The rows to train on.
    rows: Table
    #: Why the preset is taken, if it was not asked for.
    why: Text | None

    def plan(self, preset: str, rival: Plan | None) -> Plan:
        """Prepare the columns, and build the network and its trainer."""
        options, split, rows = self.options, self.split, self.rows
        kind = WAYS[preset]
        preparation = Preprocessor.fit(rows, self.target, split.task, encoding=kind.encoding)
        x, t = preparation.transform(split.table), preparation.targets(split.table)
        training_rows, held_rows = (
            (taken(x, part), taken(t, part)) for part in (split.training, split.held)
        )
        way = kind(options, preparation, training_rows[0])
        first = way.networks[0]._prepare(*(a[: way.batch_size] for a in training_rows))
        return Plan(
            options=options,
            name=self.name,
            rows=len(self.table),
            columns=len(self.table.names),
            predicts=self._predicts(preparation),
            notes=(
                *reading_notes(self.columns),
                *split.notes,
                *([] if self.why is None else [self.why]),
                *preparation.notes,
                *identifier_hints(rows, preparation),
            ),
            network=way.network_line(),
            held_out=_(
                "{rows}, {held:,} held out",
                rows=_n("{n:,} row", "{n:,} rows", len(rows)),
                held=len(split.held),
            ),
            training=(*way.training_lines(), *_ensemble_line(options)),
            engine=engine_line(
                way.trainer, *first, *(n * len(way.networks) for n in (way.steps, way.least_steps))
            ),
            out=self.out,
            renamed=self.renamed,
            facts=_facts(options, self.table, split, way),
            preparation=preparation,
            split=split,
            way=way,
            training_rows=training_rows,
            held_rows=held_rows if len(split.held) else None,
            rival=rival,
        )

    def _predicts(self, preparation: Preprocessor) -> Text:
        classes = preparation.classes
        if classes:
            return _("{target} is one of {count} classes", target=self.target, count=len(classes))
        return _("{target} is a number", target=self.target)


def _check_files(options: TrainOptions, out: str) -> None:
    """Refuse a model or a report that could not be written after training."""
    check_place(out, overwrite=options.force)
    if options.report is not None:
        check_report(
            options.report,
            options.force,
            {_p("a file", "the model"): out, _p("a file", "the data"): options.data},
        )
    keep_apart("--out", out, {_("the data itself"): options.data})


def _read_table(options: TrainOptions) -> tuple[Table, str]:
    """The table, and the name of its target column."""
    without = frozenset(options.without)
    table, known_target = open_source(
        options.data, options.read_as, judged=lambda name: name not in without
    )
    options.read_as.check(table)
    if options.report is not None:
        check_in_memory(options.report, table)
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


def _ensemble_line(options: TrainOptions) -> tuple[Text, ...]:
    if options.ensemble == 1:
        return ()
    if options.drawn:
        return (
            _(
                "{count} such networks of different seeds and drawn settings, all at once; those whose mean"
                " is best on {part:.0%} of these rows, which are not trained on, answer",
                count=options.ensemble,
                part=BEST_EPOCH_BY,
            ),
        )
    return (
        _(
            "{count} such networks of different seeds, all at once; their mean answers",
            count=options.ensemble,
        ),
    )


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


def _facts(options: TrainOptions, table: Table, split: Split, way: Way) -> Facts:
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
        "training": way.facts(),
    }
