"""Whether all ranks are about to do the same training."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy.typing as npt

from chainrule.distributed.communicator import told_by_all
from chainrule.errors import RanksDifferError
from chainrule.lang.messages import Text, _, listed
from chainrule.training.captured import capture
from chainrule.training.digests import digest
from chainrule.training.run_settings import NAMES, differing
from chainrule.training.state import Training

__all__ = ["refuse_other_engines", "refuse_other_trainings"]

Array = npt.NDArray[Any]

#: What is compared at the start besides the settings, and what to do if it differs.
BEGINNING = {
    "epochs": "epochs",
    "callbacks": "callbacks",
    "engine": _("the engine"),
    "shape": _("the shapes of the data"),
    "generator": _("the generator of the rows' order"),
    "parameters": _("the parameters"),
    "optimizer_state": _("the optimizer's state"),
}


def refuse_other_trainings(
    training: Training, told: dict[str, Any], arrays: Iterable[Array | None]
) -> None:
    """Raise, on every rank, unless all are about to do the same; each gives its settings and data.

    Raises:
        RanksDifferError: settings, shapes of the data, or what they begin with differ.
    """
    state = capture(training)
    mine = {name: str(value) for name, value in told.items()}
    mine["shape"] = ", ".join("-" if a is None else f"{a.dtype}{list(a.shape)}" for a in arrays)
    mine |= {
        "generator": digest(state["generator"]),
        "parameters": digest(state["parameters"], state.get("buffers"), state.get("mask_seeds")),
        "optimizer_state": digest(state["optimizer"]),
    }
    _refuse_differing(training, mine)


def refuse_other_engines(training: Training) -> None:
    """Raise, on every rank, unless all run the same engine, which one may lack a package for.

    Raises:
        RanksDifferError: they do not.
    """
    if training.communicator.size > 1:
        _refuse_differing(training, {"engine": str(training.engine_used)})


def _refuse_differing(training: Training, mine: dict[str, str]) -> None:
    everyone = [json.loads(each) for each in told_by_all(training.communicator, json.dumps(mine))]
    problems = []
    for rank, theirs in enumerate(everyone):
        for name, value in theirs.items():
            first = everyone[0].get(name)
            if value != first:
                problems.append(_difference(name, rank, value, first))
    if problems:
        raise RanksDifferError(
            _(
                "the ranks are about to do different trainings: {problems}. Give all of them the same"
                " script, data, settings and seeds, such as seed=0 for the network.",
                problems=listed(problems, "clauses"),
            )
        )


def _difference(name: str, rank: int, value: str, first: str | None) -> Text:
    label = BEGINNING.get(name) or NAMES.get(name, name)
    if name in ("generator", "parameters", "optimizer_state"):
        return _("{name} of rank {rank} are not those of rank 0", name=label, rank=rank)
    return _(
        "{name}: {value} on rank {rank}, {first} on rank 0",
        name=label,
        rank=rank,
        value=differing(value, first),
        first=differing(first, value),
    )
