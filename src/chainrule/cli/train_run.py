"""`chainrule train` at work: choose the recipe, train, score the held-out rows, keep the model."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from chainrule.atomic_write import write_whole
from chainrule.cli.comparison import Evaluation, evaluate_held_out, held_out_lines
from chainrule.cli.data_source import checksum, data_name
from chainrule.cli.interrupt import CtrlC
from chainrule.cli.kept_run import KeptRun
from chainrule.cli.language import current
from chainrule.cli.model_and_data import Facts
from chainrule.cli.places import free_name
from chainrule.cli.rank import first
from chainrule.cli.train_plain import recipe_options
from chainrule.cli.train_plan import Plan
from chainrule.cli.train_rivals import train_better
from chainrule.cli.train_ways import Outcome, Way
from chainrule.errors import NonFiniteError, SettingError
from chainrule.files import save_model
from chainrule.lang.messages import Text, _, sentences
from chainrule.training import Baselines

__all__ = ["Trained", "keep", "run_plan"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Trained:
    """The result of a training, and what is shown of it."""

    data: str
    out: str
    renamed: str
    bytes: int
    seconds: float
    epochs: int
    planned: int
    stopped: str | None
    interrupted: bool
    figures: tuple[tuple[Text, Text], ...]
    facts: Facts
    notes: tuple[str, ...]
    verdict: tuple[Text, ...]
    report: str | None

    def as_json(self) -> Facts:
        """Everything, for another program."""
        return {
            "model": self.out,
            **({"report": self.report} if self.report else {}),
            "seconds": round(self.seconds, 3),
            **self.facts,
            "notes": [*self.notes, *filter(None, [sentences(*self.verdict)])],
        }


def run_plan(plan: Plan, progress: str | None, kept: KeptRun | None = None) -> Trained | None:
    """Train, score the held-out rows, keep the model and write the report; of ranks the first one does.

    With `kept` the trainings are kept in a folder as they go, or go on from there.
    """
    if kept is not None:
        kept.begin(plan.out)
        for each in (plan, *([] if plan.rival is None else [plan.rival])):
            each.way.kept = kept
    with CtrlC(plan.way.trainer) as ctrl_c:
        started = time.perf_counter()
        if plan.rival is not None:
            plan, outcome = train_better(plan, progress, ctrl_c, _bounded)
        else:
            rows, held = plan.training_rows, plan.held_rows
            outcome = _bounded(plan.way, lambda: plan.way.train(rows, held, progress, ctrl_c))
        if outcome.history.interrupted and plan.trials is not None:
            raise KeyboardInterrupt  # a part of a training is not what the trials found
        return keep(plan, outcome, time.perf_counter() - started) if first() else None


def keep(plan: Plan, outcome: Outcome, seconds: float) -> Trained:
    """Score the held-out rows with what was trained, keep the model and write the report."""
    options, preparation, history = plan.options, plan.preparation, outcome.history
    rows, validation = plan.training_rows, plan.held_rows
    facts = dict(plan.facts)
    facts["training"] = {
        **facts["training"],
        "epochs": len(history),
        **outcome.facts,
        "stopped": history.stopped,
        "engine": plan.way.trainer.engine_used,
    }
    baselines = Baselines.fit(
        *rows, classes=len(preparation.classes or ()) or None, layout=preparation.layout
    )
    evaluation: Evaluation | None = None
    verdict: tuple[Text, ...] = ()
    if validation is not None:
        evaluation = evaluate_held_out(plan.way.network, preparation, baselines, *validation)
        given = recipe_options(options) if plan.trials is None else []
        verdict = evaluation.verdict(options.hidden != (), given)
        facts["held_out"] = evaluation.scores
    chose = options.patience is not None and plan.way.held_out_chooses and not options.drawn
    out = _keep_model(plan, facts, baselines)
    report = options.report if len(history) else None
    if report is not None:
        _write_report(report, plan, facts, seconds, verdict, baselines)
    return Trained(
        data=options.data,
        out=out,
        renamed=plan.renamed,
        bytes=os.path.getsize(out),
        seconds=seconds,
        epochs=len(history),
        planned=outcome.planned,
        stopped=history.stopped,
        interrupted=history.interrupted,  # a Ctrl-C since then stops nothing
        figures=(
            *outcome.lines,
            *held_out_lines(evaluation, chose),
        ),
        facts=facts,
        notes=plan.notes,
        verdict=verdict,
        report=report,
    )


def _bounded(way: Way, train: Callable[[], Outcome]) -> Outcome:
    """Train; if a number is not finite, say what may help."""
    try:
        return train()
    except NonFiniteError as error:
        raise NonFiniteError(
            _(
                "training went out of bounds, and nothing was saved. {error} Here: give a smaller --lr"
                " than {lr:g}.",
                error=error.args[0],
                lr=way.lr,
            )
        ) from None


def _keep_model(plan: Plan, facts: Facts, baselines: Baselines) -> str:
    """Save the model; if the default name was taken meanwhile, under the next free one."""
    out, options = plan.out, plan.options
    while True:
        try:
            save_model(
                out, plan.way.network, preparation=plan.preparation, facts=facts,
                baselines=baselines, overwrite=options.force,
            )  # fmt: skip
        except SettingError:
            if options.out is not None or options.force or not os.path.lexists(out):
                raise
            out, _plain = free_name(data_name(options.data), force=False)
        else:
            return out


def _write_report(
    path: str,
    plan: Plan,
    facts: Facts,
    seconds: float,
    verdict: Sequence[str],
    baselines: Baselines,
) -> None:
    """Write the page of `--report`, whole or not at all."""
    from chainrule.files import Model
    from chainrule.plots.report import report_page
    from chainrule.plots.runs import Judged, Run

    split, preparation, scores = plan.split, plan.preparation, facts.get("held_out")
    plan.way.network.engine = plan.options.engine
    judged = Judged(
        Model(plan.way.network, preparation, facts, baselines),
        preparation,
        split.table,
        split.held if scores else split.training,
        "held_out" if scores else "training",
        (scores["constant"], scores["linear"]) if scores else None,
        verdict,
    )
    run = Run(
        name=plan.name,
        command=plan.options.command,
        facts=facts,
        notes=plan.notes,
        judged=judged,
        table=split.table,
        training=split.training,
        held=split.held,
        trainer=plan.way.trainer,
        seconds=seconds,
        checksum=checksum(plan.options.data),
        trials=plan.trials,
    )
    write_whole(path, report_page(run, current()).encode(), overwrite=plan.options.force)
