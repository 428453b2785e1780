"""What `chainrule tune` will do: the plan of the training, the ranges, and what is tried first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.atomic_write import check_place
from chainrule.cli.data_source import data_name
from chainrule.cli.places import keep_apart
from chainrule.cli.train_options import TrainOptions
from chainrule.cli.train_plan import Plan, make_plan
from chainrule.cli.tune_study import storage_file
from chainrule.cli.tune_trial import params_of
from chainrule.drawing.saving import check_path
from chainrule.errors import DataError, SettingError
from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, _p
from chainrule.training.ranges import Range, ranges_for
from chainrule.training.recipes import HANDFUL

__all__ = ["TuneOptions", "about", "first_params", "make_tuning_plan", "model_name", "ranges_of"]


@dataclass(frozen=True)
class TuneOptions:
    """The options of a search."""

    trials: int
    seconds: float | None
    storage: str | None
    study: str | None
    resume: bool
    plot: str | None


def make_tuning_plan(options: TrainOptions, own: TuneOptions) -> Plan:
    """The plan of `chainrule train` with the preset's own settings; what cannot be tuned is refused."""
    if own.plot is not None:
        check_path(own.plot, lang=chosen())
        check_place(own.plot, overwrite=options.force)
    plan = make_plan(options, rivals=False)
    file = storage_file(own.storage, model_name(options))
    apart: dict[Text, str | None] = {
        _("the data itself"): options.data,
        _p("a file", "the model"): plan.out,
    }
    if file is not None:
        keep_apart("--storage", file, apart)
    if own.plot is not None:
        keep_apart("--plot", own.plot, {**apart, _("the trials"): file})
    rows = len(plan.training_rows[1])
    if rows < HANDFUL:
        raise DataError(
            _(
                "{source}: {rows:,} rows to train on are too few to compare settings by; {least} are"
                " needed. Say `chainrule train`.",
                source=plan.split.table.source,
                rows=rows,
                least=HANDFUL,
            )
        )
    return plan


def model_name(options: TrainOptions) -> str:
    """The name of the model's file, whether it is taken or not: the study lies beside it."""
    return options.out or f"{data_name(options.data)}.safetensors"


def ranges_of(plan: Plan) -> tuple[Range, ...]:
    """The ranges of the settings that are not given."""
    given = [name for name, value in vars(plan.options).items() if value is not None]
    found = ranges_for(
        plan.facts["training"]["preset"],
        classes=bool(plan.preparation.classes),
        numbers=bool(plan.preparation.layout.numbers),
        recipes=plan.way.recipes,
        given=given,
    )
    if not found:
        raise SettingError(
            _("every setting is given, so there is nothing to tune: say `chainrule train`.")
        )
    return found


def about(plan: Plan) -> dict[str, Any]:
    """What the trials are trials of: others would have other scores."""
    options = plan.options
    given = {
        name: getattr(options, name)
        for name in ("hidden", "activation", "lr", "epochs", "batch_size", "weight_decay",
                     "dropout", "label_smoothing", "beta2", "sigma")
    }  # fmt: skip
    split = plan.facts["split"]
    return {
        "data": plan.facts["data"]["fingerprint"],
        "target": plan.preparation.target,
        "task": plan.preparation.task,
        "without": sorted(options.without),
        "validation": split["validation"],
        "missing": split["missing"],
        "seed": split["seed"],
        "preset": plan.facts["training"]["preset"],
        **{
            name: list(value) if isinstance(value, tuple) else value
            for name, value in given.items()
            if value is not None
        },
    }


def first_params(plan: Plan, ranges: Sequence[Range]) -> list[dict[str, Any]]:
    """What is tried first: the preset's own settings; with each recipe, where it has several."""
    own = plan.way.values()
    made = [
        {**own, "epochs": recipe.epochs, "weight_decay": recipe.weight_decay}
        for recipe in plan.way.recipes
    ]
    return [
        {k: v for one in ranges for k, v in params_of(one, values[one.name]).items()}
        for values in made or [own]
    ]
