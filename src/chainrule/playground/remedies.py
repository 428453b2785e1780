"""Remedies for a training in trouble: where the trouble began, and what is tried and found to help."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.errors import NonFiniteError, nearest, shown
from chainrule.lang.messages import _
from chainrule.nodes.base import ignore_fp_errors
from chainrule.playground.caps import Caps
from chainrule.playground.messages import Fields, Message
from chainrule.playground.run import Edit, Run
from chainrule.playground.settings import LIVE, Problems, Settings, Values, whole
from chainrule.playground.trouble import Trouble
from chainrule.playground.views import LEARNING_RATES, View
from chainrule.playground.workspace import Workspace

__all__ = ["diagnose", "remedy"]

#: A remedy is tried for so many epochs, or this long in seconds; all of them together for so long.
TRIED_EPOCHS, TRIED_FOR, TOGETHER = 12, 0.12, 1.5
#: So many remedies are offered for a trouble.
OFFERED = 3
#: Troubles of the whole training, not of some units.
STOPPING = ("not_finite", "diverging")
#: What a remedy may change.
MEDICINES = ("learning_rate", "init", "activations", "weight_seed")
#: The learning rate that most data of the page are learnt with.
GENTLE = 0.03


@dataclass(frozen=True)
class Remedy:
    """Go back to a step, None for a new run from the first weights, and change these settings."""

    step: int | None
    settings: Mapping[str, object]


def diagnose(workspace: Workspace) -> Message:
    """What is wrong with the shown run: since which step, and what helps, the best first."""
    run = workspace.run
    with ignore_fp_errors():
        trials = Trials(run, workspace.caps)
        found = [_told(run, trouble, trials) for trouble in found_in(run)]
    return Message("diagnosis", {"run": run.number, "step": run.step, "troubles": found})


def remedy(workspace: Workspace, step: object = None, settings: object = None) -> Fields:
    """Do what was offered: back to a step and on with other settings, in another run, which plays."""
    if not isinstance(settings, Mapping):
        raise Problems([_("remedy needs settings, an object. Got {value}.", value=shown(settings))])
    if unknown := [name for name in settings if name not in MEDICINES]:
        raise Problems(
            [
                _(
                    "A remedy does not change {name}; {nearest}.",
                    name=shown(unknown[0]),
                    nearest=nearest(unknown[0], MEDICINES),
                )
            ]
        )
    if step is not None and not set(settings) <= set(LIVE):
        raise Problems([_("In the middle of a run only the learning rate is changed.")])
    run = workspace.run
    if step is None:
        new = run.start.changed(settings, workspace.caps)
        workspace.begin(new, run.data)
    else:
        target = whole(0, run.end)(step, "step")
        new = run.settings_at(target + 1).changed(settings, workspace.caps)
        run.go_to(target)
        workspace.history.run_to_change().change(new)
    workspace.playing = True
    workspace.pace.begin(workspace.run.machine.batches)
    workspace.changed()
    return {"before": run.number, "run": workspace.run.number}


# -- what is wrong ---------------------------------------------------------------------------------


def found_in(run: Run) -> list[Trouble]:
    """What is wrong with a run where it stands; that it cannot go on, if it cannot."""
    return [Trouble("not_finite")] if run.failure is not None else View(run).troubles(run)


def _same(one: Trouble, other: Trouble) -> bool:
    """Whether all of one trouble is in the other."""
    place = (one.kind, one.column) == (other.kind, other.column)
    return place and set(one.units) <= set(other.units)


def _best(run: Run) -> int:
    """The step of the least loss so far, at the end of an epoch."""
    curve = run.curve.until(run.step).sample(1 << 12)
    losses = np.where(np.isfinite(curve[:, 2]), curve[:, 2], np.inf)
    return int(curve[losses.argmin(), 0])


def _told(run: Run, trouble: Trouble, trials: Trials) -> Fields:
    began, well = _beginning(run, trouble)
    tried: list[tuple[bool, int, float, Remedy]] = []
    for candidate in _candidates(run, trouble, well):
        if sum(not left for _, left, *_ in tried) == OFFERED:
            break
        left, loss = trials.outcome(candidate)
        gone = all((one.kind, one.column) != (trouble.kind, trouble.column) for one in left)
        if gone and math.isfinite(loss):
            # Of a training that stopped the past is good: it is gone on from, where that helps.
            anew = trouble.kind in STOPPING and candidate.step is None
            tried.append((anew, len(left), loss, candidate))
    best = sorted(tried, key=lambda one: one[:3])[:OFFERED]
    offered = [{"step": one.step, "settings": dict(one.settings)} for *_, one in best]
    return vars(trouble) | {"began": began, "remedies": offered}


def _beginning(run: Run, trouble: Trouble) -> tuple[int, int]:
    """The step since which there is trouble, and the latest one at which there was none."""
    if trouble.kind in STOPPING:
        best, later = _best(run), run.curve.until(run.step).sample(1 << 12)[:, 0]
        return int(later[later > best][0]) if (later > best).any() else run.step, best
    # The first of the steps in trouble without a break, to within the steps that are looked at.
    before, after = 0, run.step  # at the first step nothing has been learnt yet
    here = run.at(run.step)
    view = View(here)
    while after - before > 1:
        middle = (before + after) // 2
        here.go_to(middle)
        view = view if view.machine is here.machine else View(here)
        if any(_same(trouble, found) for found in view.troubles(here)):
            after = middle
        else:
            before = middle
    return after, before


# -- what helps ------------------------------------------------------------------------------------


def _candidates(run: Run, trouble: Trouble, well: int) -> Iterator[Remedy]:
    """What may help, the mildest first."""
    settings = run.settings
    slower = [rate for rate in LEARNING_RATES[::-1] if rate <= settings.learning_rate / 3]
    rates = [*slower[:3], *(rate for rate in slower[3:] if rate == GENTLE)]
    others: list[Remedy] = []
    if settings.mode != "compatible" and trouble.kind not in STOPPING:
        others = [Remedy(None, change) for change in _other_networks(settings, trouble)]
    if trouble.kind == "vanishing":
        yield from others
    for step in dict.fromkeys([_best(run), well]):
        if any(isinstance(e.what, Edit) and step < e.step <= run.step for e in run.events):
            yield Remedy(step, {})  # without what was set by hand
        yield from (Remedy(step, {"learning_rate": rate}) for rate in rates)
        if trouble.kind != "vanishing":
            yield from others
            others = []
    if run.events:
        yield from (Remedy(None, {"learning_rate": rate}) for rate in rates)
    yield Remedy(None, {"weight_seed": settings.weight_seed + 1})


def _other_networks(settings: Settings, trouble: Trouble) -> Iterator[Values]:
    kinds = {
        "dead": ("leaky_relu", "he"),
        "saturated": ("relu", "xavier"),
        "vanishing": ("relu", "xavier"),
    }
    activation, init = kinds.get(trouble.kind, ("tanh", "xavier"))
    activations = [activation] * len(settings.hidden)
    if settings.init != init:
        yield {"init": init}
    if tuple(activations) != settings.activations:
        yield {"activations": activations}
        yield {"activations": activations, "init": "he" if activation != "tanh" else "xavier"}


class Trials:
    """Tries remedies, each once, as long as there is time."""

    def __init__(self, run: Run, caps: Caps) -> None:
        self.run, self.caps = run, caps
        self._until = time.perf_counter() + TOGETHER
        self._known: dict[str, tuple[Sequence[Trouble], float]] = {}

    def outcome(self, candidate: Remedy) -> tuple[Sequence[Trouble], float]:
        """What is wrong after some epochs, and the loss; infinite if it went up, or is not known."""
        name = repr(candidate)
        if name not in self._known:
            if time.perf_counter() > self._until:
                return [], math.inf
            self._known[name] = self._tried(candidate)
        return self._known[name]

    def _tried(self, candidate: Remedy) -> tuple[Sequence[Trouble], float]:
        run, caps = self.run, self.caps
        if candidate.step is None:
            tried = Run(run.start.changed(candidate.settings, caps), run.data)
        else:
            tried = run.at(candidate.step).branch(run.number)
            tried.change(tried.settings.changed(candidate.settings, caps))
        before = tried.machine.scores()[0]
        try:
            tried.advance(TRIED_EPOCHS * tried.machine.batches, TRIED_FOR)
        except NonFiniteError:
            return [Trouble("not_finite")], math.inf
        after = tried.machine.scores()[0]
        return found_in(tried), after if after < before else math.inf
