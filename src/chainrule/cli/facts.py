"""The facts that a model file keeps, as people read them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from chainrule.cli.terminal import spoken
from chainrule.lang.messages import Text, _, _p, listed

__all__ = ["fact_name", "fact_rows", "fact_text"]

#: The facts that `chainrule train` keeps, by name.
_FACTS = {
    "made_by": _("made by"),
    "data": _("data"),
    "name": _("name"),
    "fingerprint": _("fingerprint"),
    "rows": _("rows"),
    "columns": _("columns"),
    "header": _("header"),
    "encoding": _("encoding"),
    "kinds": _("kinds"),
    "decimal": _("decimal"),
    "missing_words": _("missing words"),
    "day_first": _("day first"),
    "without": _("without"),
    "split": _p("of a table into training and held-out rows", "split"),
    "validation": _("validation"),
    "seed": _("seed"),
    "missing": _p("what to do with missing cells", "missing"),
    "training_rows": _("training rows"),
    "held_out_rows": _("held out rows"),
    "training": _("training"),
    "hidden": _("hidden"),
    "activation": _p("a function", "activation"),
    "optimizer": _("optimizer"),
    "lr": _("lr"),
    "schedule": _("schedule"),
    "l2": _("l2"),
    "batch_size": _("batch size"),
    "dropout": _("dropout"),
    "label_smoothing": _("label smoothing"),
    "weight_decay": _("weight decay"),
    "epochs": _("epochs"),
    "tried": _("tried"),
    "loss": _("loss"),
    "folds": _("folds"),
    "beta2": _("beta2"),
    "sigma": _("sigma"),
    "ensemble": _("ensemble"),
    "best_epoch_by": _("best epoch by"),
    "members": _("members"),
    "weight": _p("of a member of an ensemble", "weight"),
    "tuning": _("tuning"),
    "study": _("study"),
    "trials": _p("trainings with other settings", "trials"),
    "pruned": _p("trials of settings", "pruned"),
    "trial": _p("training with other settings", "trial"),
    "score": _("score"),
    "rmse": _("RMSE"),
    "task": _("task"),
    "target": _p("column of a table", "target"),
    "preset": _("preset"),
    "stopped": _("stopped"),
    "engine": _("engine"),
    "held_out": _("held out"),
    "accuracy": _("accuracy"),
    "constant": _p("a model that always answers the same", "constant"),
    "linear": _p("a model", "linear"),
}


def fact_name(key: str) -> str:
    """What a fact is called where people read of it."""
    return _FACTS.get(key, key.replace("_", " "))


def fact_rows(facts: Mapping[str, object]) -> list[tuple[str, str]]:
    """The facts, a line for each; those that hold facts are written out."""
    return [
        (
            fact_name(key),
            listed(_pairs(value), "clauses") if isinstance(value, dict) else fact_text(value),
        )
        for key, value in facts.items()
    ]


def _pairs(facts: Mapping[str, object]) -> list[Text]:
    return [
        _("{name} {value}", name=fact_name(key), value=fact_text(value))
        for key, value in facts.items()
        if value is not None
    ]


def fact_text(value: object) -> str:
    """A fact as text."""
    if value is None:
        return _("none")
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value):
        return f"{value[:12]}…"  # a fingerprint; --json has all of it
    if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        return " | ".join(spoken(listed(_pairs(part))) for part in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
