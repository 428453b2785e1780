"""The work behind `chainrule train`: read, divide, prepare, build, train, keep."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from chainrule import optimizers, schedules
from chainrule.atomic_write import check_place
from chainrule.cli.choosing import choose, chosen, drawn_up, tried
from chainrule.cli.hints import hints
from chainrule.cli.interrupt import CtrlC
from chainrule.cli.judging import held_out, judge
from chainrule.cli.language import current
from chainrule.cli.places import free_name, keep_apart
from chainrule.cli.plan import Plan, Trained
from chainrule.cli.reading import news
from chainrule.cli.reporting import check_report, write_report
from chainrule.cli.said import Said
from chainrule.cli.source import find_target, open_source, stem
from chainrule.cli.split import divide
from chainrule.datasets import Preprocessor, Table
from chainrule.datasets.opening import physical_memory
from chainrule.datasets.wording import quoted
from chainrule.errors import NonFiniteError, SettingError
from chainrule.files import save_model
from chainrule.lang.messages import Text, _, _n, listed
from chainrule.layers import Affine, Dropout, MeanSquaredError, SoftmaxWithLoss
from chainrule.networks import ACTIVATIONS, Sequential
from chainrule.training import (
    Baselines,
    Callback,
    EarlyStopping,
    Recipe,
    Trainer,
    recipes_for,
)
from chainrule.training.choice import engine_line
from chainrule.version import __version__

__all__ = ["Job"]

OPTIMIZERS: dict[str, type[optimizers.Optimizer]] = {
    "adamw": optimizers.AdamW,
    "adam": optimizers.Adam,
    "sgd": optimizers.SGD,
    "momentum": optimizers.Momentum,
    "nesterov": optimizers.Nesterov,
    "rmsprop": optimizers.RMSprop,
    "adagrad": optimizers.AdaGrad,
}


def _has_names(table: Table) -> bool:
    """Whether the columns have names of their own."""
    return table.names != tuple(f"x{i}" for i in range(len(table.names)))


@dataclass(frozen=True)
class Job:
    """The options of one `chainrule train`."""

    data: str
    target: str | None
    without: tuple[str, ...]
    out: str | None
    force: bool
    hidden: tuple[int, ...]
    activation: str
    optimizer: str
    lr: float
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
    said: Said
    seed: int
    engine: str
    threads: int | None
    report: str | None
    command: list[str]

    def plan(self) -> Plan:
        """Everything that can be refused is refused here, before any training."""
        out, renamed = (self.out, "") if self.out else free_name(stem(self.data), self.force)
        check_place(out, overwrite=self.force)
        if self.report is not None:
            check_report(self.report, out, self.data, self.force)
        keep_apart("--out", out, {_("the data itself"): self.data})
        if self.patience is not None and not self.validation:
            raise SettingError(
                _(
                    "--patience watches the held-out rows, and --validation 0 holds none out. Leave one of"
                    " the two out."
                )
            )
        without = frozenset(self.without)
        table, known = open_source(self.data, self.said, judged=lambda name: name not in without)
        self.said.check(table)
        target = find_target(table, self.target, known)
        learned_from = self.learned_from(table, target)
        divided = divide(learned_from, target, self.task, self.validation, self.seed, self.missing)
        learned = divided.table.rows(divided.training)
        preparation = Preprocessor.fit(learned, target, divided.task)
        net = self.build(preparation)
        count = len(divided.training)
        batch = min(self.batch_size or (32 if count < 10_000 else 128), count)
        recipes = self.recipes(count, batch)
        steps = math.ceil(count / batch) * max(recipe.epochs for recipe in recipes)
        optimizer = self.make_optimizer()
        seeds = np.random.SeedSequence(self.seed).generate_state(2)
        trainer = Trainer(
            net, optimizer, seed=int(seeds[1]), engine=self.engine, threads=self.threads
        )
        first = learned.rows(np.arange(batch))
        x, t = preparation.transform(first), preparation.targets(first)
        facts = {
            "made_by": "chainrule train",
            "chainrule": __version__,
            "data": {
                "name": os.path.basename(self.data),
                "fingerprint": table.fingerprint(),
                "rows": len(table),
                "columns": len(table.names),
                **self.said.facts(),
                "header": _has_names(table) if self.said.header is None else self.said.header,
                "without": list(self.without),
            },
            "split": {
                "validation": self.validation,
                "seed": self.seed,
                "missing": self.missing,
                "training_rows": count,
                "held_out_rows": len(divided.held),
            },
            "training": {
                "hidden": list(self.hidden),
                "activation": self.activation,
                "optimizer": self.optimizer,
                "lr": self.lr,
                "schedule": self.schedule,
                "l2": self.l2,
                "batch_size": batch,
                "dropout": self.dropout,
                "label_smoothing": self.label_smoothing if preparation.classes else None,
                "seed": self.seed,
            },
        }
        classes = preparation.classes
        return Plan(
            name=stem(self.data),
            rows=len(table),
            columns=len(table.names),
            predicts=_("{target} is one of {count} classes", target=target, count=len(classes))
            if classes
            else _("{target} is a number", target=target),
            notes=(
                *news(learned_from),
                *divided.notes,
                *preparation.notes,
                *hints(learned, preparation),
            ),
            network=self.drawn(preparation, net),
            held_out=_(
                "{rows}, {held:,} held out",
                rows=_n("{n:,} row", "{n:,} rows", count),
                held=len(divided.held),
            ),
            training=drawn_up(recipes, count, batch, type(optimizer).__name__),
            recipes=recipes,
            engine=engine_line(trainer, *net._prepare(x, t), steps=steps),
            out=out,
            renamed=renamed,
            facts=facts,
            preparation=preparation,
            divided=divided,
            net=net,
            trainer=trainer,
        )

    def learned_from(self, table: Table, target: str) -> Table:
        """The table without the columns that are left out on purpose."""
        if target in self.without:
            raise SettingError(
                _(
                    "--without {target}: this is the column to predict. Leave out others, or name another"
                    " --target.",
                    target=target,
                )
            )
        if not self.without:
            return table
        told = _n(
            "{names} was left out, as asked.",
            "{names} were left out, as asked.",
            len(self.without),
            names=listed(map(quoted, self.without)),
        )
        return table.drop(*self.without).with_notes(told)

    def build(self, preparation: Preprocessor) -> Sequential:
        """The network: inputs, hidden layers, and one output a class, or one number."""
        inputs = len(preparation.features)
        outputs = len(preparation.classes) if preparation.classes else 1
        sizes = (inputs, *self.hidden, outputs)
        self.check_room(sum((a + 1) * b for a, b in pairwise(sizes)))
        make, init = ACTIVATIONS[self.activation]
        layers: list[Any] = []
        for a, b in pairwise(sizes[:-1]):
            layers += [Affine.sized(a, b, init=init), make()]
            if self.dropout:
                layers.append(Dropout(self.dropout))
        layers.append(Affine.sized(sizes[-2], sizes[-1]))
        loss = (
            SoftmaxWithLoss(label_smoothing=self.label_smoothing)
            if preparation.classes
            else MeanSquaredError()
        )
        seed = int(np.random.SeedSequence(self.seed).generate_state(1)[0])
        return Sequential(*layers, loss=loss, seed=seed)

    def check_room(self, parameters: int) -> None:
        """Refuse a network that does not fit: weights, gradients, two moments, and a copy."""
        needed, memory = parameters * 4 * 6, physical_memory()
        if needed > memory * 3 // 4:
            raise SettingError(
                _(
                    "--hidden {sizes} makes {count:,} parameters, which take about {needed:,.1f} GiB to"
                    " train; this machine has {memory:.1f} GiB. Give smaller sizes.",
                    sizes=",".join(map(str, self.hidden)),
                    count=parameters,
                    needed=needed / 2**30,
                    memory=memory / 2**30,
                )
            )

    def recipes(self, rows: int, batch_size: int) -> tuple[Recipe, ...]:
        """What to choose from: nothing, once a part of it is given, or another optimizer."""
        usual = recipes_for(rows, batch_size)
        if not self.given():
            return usual
        decay = self.weight_decay
        if decay is None:
            decay = usual[0].weight_decay if self.optimizer == "adamw" else 0.0
        return (Recipe(self.epochs or usual[0].epochs, decay),)

    def given(self) -> list[str]:
        """The options by which somebody takes the choice of the recipe into their own hands."""
        given = {
            "--epochs": self.epochs is not None,
            "--weight-decay": self.weight_decay is not None,
            "--patience": self.patience is not None,
            "--optimizer": self.optimizer != "adamw",
        }
        return [option for option, is_given in given.items() if is_given]

    def make_optimizer(self) -> optimizers.Optimizer:
        """The optimizer with its schedule, which a recipe makes as long as the training."""
        rate: Any = self.lr
        if self.schedule == "cosine":
            rate = schedules.Cosine(rate, steps=1)
        kind: Any = OPTIMIZERS[self.optimizer]
        made: optimizers.Optimizer = kind(rate, l2=self.l2)
        return made

    def drawn(self, preparation: Preprocessor, net: Sequential) -> Text:
        """The network in a line: 64 → 128 relu → 10."""
        outputs = len(preparation.classes) if preparation.classes else 1
        before = _n("{n:,} input", "{n:,} inputs", len(preparation.features))
        after = _n("{n:,} output", "{n:,} outputs", outputs)
        count = sum(p.size for p in net.named_parameters().values())
        parameters = _n("{n:,} parameter", "{n:,} parameters", count)
        if not self.hidden:
            return _(
                "{inputs} → {outputs}; {parameters}",
                inputs=before,
                outputs=after,
                parameters=parameters,
            )
        return _(
            "{inputs} → {hidden} → {outputs}; {parameters}",
            inputs=before,
            hidden=" → ".join(f"{size} {self.activation}" for size in self.hidden),
            outputs=after,
            parameters=parameters,
        )

    def run(self, plan: Plan, progress: str | None) -> Trained:
        """Train, score the held-out rows, and keep the model."""
        with CtrlC(plan.trainer) as watch:
            return self._run(plan, progress, watch)

    def _run(self, plan: Plan, progress: str | None, watch: Callback) -> Trained:
        table, preparation = plan.divided.table, plan.preparation
        training, held = plan.divided.training, plan.divided.held
        x, t = preparation.transform(table), preparation.targets(table)
        learned, batch_size = (x[training], t[training]), plan.facts["training"]["batch_size"]
        validation = (x[held], t[held]) if len(held) else None
        stopping = None if self.patience is None else EarlyStopping(patience=self.patience)
        started = time.perf_counter()
        try:
            choice = choose(plan, learned, batch_size, progress)
            history = plan.trainer.fit(
                *learned,
                choice.recipe.epochs,
                batch_size,
                validation=validation,
                early_stopping=stopping,
                callbacks=[watch],
                progress=progress,
            )
        except NonFiniteError as error:
            raise NonFiniteError(
                _(
                    "training went out of bounds, and nothing was saved. {error} Here: give a smaller --lr"
                    " than {lr:g}.",
                    error=error.args[0],
                    lr=plan.facts["training"]["lr"],
                )
            ) from None
        seconds = time.perf_counter() - started
        facts = dict(plan.facts)
        facts["training"] = {
            **facts["training"],
            "weight_decay": choice.recipe.weight_decay,
            "epochs": len(history),
            **tried(choice),
            "stopped": history.stopped,
            "engine": plan.trainer.engine_used,
        }
        baselines = Baselines.fit(*learned, classes=len(preparation.classes or ()) or None)
        judged = None
        if validation is not None:
            judged = judge(plan.net, preparation, baselines, *validation)
            facts["held_out"] = judged.scores
        out = self.keep(plan, facts, baselines)
        verdict = judged.verdict(bool(self.hidden), self.given()) if judged else ()
        report = self.report if len(history) else None
        if report is not None:
            write_report(
                report, plan, facts, data=self.data, command=self.command, seconds=seconds,
                verdict=verdict, lang=current(), force=self.force,
            )  # fmt: skip
        return Trained(
            data=self.data,
            out=out,
            renamed=plan.renamed,
            bytes=os.path.getsize(out),
            seconds=seconds,
            epochs=len(history),
            planned=choice.recipe.epochs,
            stopped=history.stopped,
            interrupted=history.interrupted,
            scores=judged.scores if judged else {},
            figures=(*chosen(choice), *held_out(judged, self.patience is not None)),
            facts=facts,
            notes=plan.notes,
            verdict=verdict,
            report=report,
        )

    def keep(self, plan: Plan, facts: dict[str, Any], baselines: Baselines) -> str:
        """Save the model; if the default name was taken meanwhile, under the next free one."""
        out = plan.out
        while True:
            try:
                save_model(
                    out, plan.net, preparation=plan.preparation, facts=facts,
                    baselines=baselines, overwrite=self.force,
                )  # fmt: skip
            except SettingError:
                if self.out is not None or self.force or not os.path.lexists(out):
                    raise
                out, _ = free_name(stem(self.data), force=False)
            else:
                return out
