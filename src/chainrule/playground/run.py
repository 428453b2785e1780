"""Run: one training, every step of which can be gone back to."""

from __future__ import annotations

import math
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from chainrule.errors import NonFiniteError
from chainrule.nodes.base import ignore_fp_errors
from chainrule.playground.data import Array, Data
from chainrule.playground.machine import BUILT_IN, Machine, State
from chainrule.playground.settings import Settings, Values
from chainrule.training.state import parameter_arrays
from chainrule.training.stepper import BUFFER

__all__ = ["Edit", "Event", "Run"]

Scores = tuple[float, float, float, float]

#: How many states are kept in one run, and how many bytes of them.
MOST_STATES, MOST_BYTES = 256, 8 << 20
#: How many epochs of the curve are kept.
MOST_EPOCHS = 4096


@dataclass(frozen=True)
class Edit:
    """A number of a parameter, set by hand."""

    parameter: int
    place: tuple[int, ...]
    value: float


#: Settings by name, or a number of a parameter.
Change: TypeAlias = Values | Edit


@dataclass(frozen=True)
class Event:
    """What was changed after `step` steps."""

    step: int
    what: Change


@dataclass(frozen=True)
class _Kept:
    """A state kept at a step, before what was changed there."""

    step: int
    state: State
    scores: Scores


class Curve:
    """Losses and scores at the ends of epochs.

    Step, epoch, train and test loss, train and test score, and the mean loss of the batches.
    """

    def __init__(self) -> None:
        self.rows = np.empty((64, 7))
        self.n = 0
        #: Every so many epochs are kept; the last one besides.
        self.every = 1

    def add(self, step: int, epoch: int, scores: Scores, epoch_loss: float) -> None:
        """One more row, unless it is known already."""
        if self.n and step <= self.rows[self.n - 1, 0]:
            return
        if self.n > 1 and self.rows[self.n - 1, 1] % self.every:
            self.n -= 1  # it was there for being the last
        if self.n == len(self.rows):
            if self.n >= MOST_EPOCHS:
                self.every *= 2
                kept = self.rows[: self.n][self.rows[: self.n, 1] % self.every == 0]
                self.n = len(kept)
                self.rows[: self.n] = kept
            else:
                self.rows = np.concatenate([self.rows, np.empty_like(self.rows)])
        self.rows[self.n] = (step, epoch, *scores, epoch_loss)
        self.n += 1

    def until(self, step: int) -> Curve:
        """A copy of the rows up to a step."""
        other = Curve()
        other.every = self.every
        other.n = int(np.searchsorted(self.rows[: self.n, 0], step, side="right"))
        other.rows = self.rows.copy()
        return other

    def losses(self, step: int) -> list[float]:
        """The losses on the training rows up to a step."""
        n = int(np.searchsorted(self.rows[: self.n, 0], step, side="right"))
        found: list[float] = self.rows[:n, 2].tolist()
        return found

    def sample(self, most: int) -> Array:
        """At most so many rows, the first and the last among them."""
        if self.n <= most:
            return self.rows[: self.n].copy()
        found: Array = self.rows[np.linspace(0, self.n - 1, most).round().astype(int)]
        return found


class Run:
    """One training from its first weights on, with all that was changed on the way.

    `step` is where it stands, `end` how far it ever went. `go_to` goes to any step up to the end
    and gives the same bits as before, `seek` to a kept state before it; `change` and
    `edit` are for the end, and `branch` gives another run with what happened so far. All of a run
    follows from its settings, its events and the seeds; the kept states only make it quick to go back.

    >>> from chainrule.playground.sources import draw
    >>> run = Run(Settings(), draw(Settings()))
    >>> run.advance(100)
    >>> w = run.machine.flat.data.copy()
    >>> run.go_to(37)
    >>> run.go_to(100)
    >>> bool((run.machine.flat.data == w).all())
    True
    """

    def __init__(self, settings: Settings, data: Data, number: int = 0) -> None:
        self.number, self.start, self.data = number, settings, data
        self.parent: int | None = None
        self.forked_at: int | None = None
        self.events: list[Event] = []
        self.step = self.end = 0
        #: Why it cannot go on, if it cannot.
        self.failure: str | None = None
        self.curve = Curve()
        self._kept: list[_Kept] = []
        self._every = 1
        self._machine: Machine | None = None
        self._begin()
        self.curve.add(0, 0, self.scores, math.nan)

    # -- where it stands --------------------------------------------------------------------------

    @property
    def machine(self) -> Machine:
        """The network and all that moves it, at the present step."""
        if self._machine is None:
            step, self.step = self.step, -1
            self.go_to(step)
        assert self._machine is not None
        return self._machine

    @property
    def settings(self) -> Settings:
        """The settings at the present step."""
        return self.machine.settings

    def settings_at(self, step: int) -> Settings:
        """The settings with what was changed before a step."""
        changed: Values = {}
        for event in self.events:
            if event.step < step and not isinstance(event.what, Edit):
                changed.update(event.what)
        return replace(self.start, **changed)

    def _begin(self) -> None:
        """Build the machine anew, and stand at the first step."""
        self._machine = Machine(self.start, self.data)
        self.step = 0
        self.scores = self._machine.scores()

    # -- forward ----------------------------------------------------------------------------------

    def advance(self, steps: int, seconds: float | None = None) -> None:
        """Advance by some steps, for at most so many seconds; known steps repeat what was changed there.

        Raises:
            NonFiniteError: a step is not finite; the run stays where it was before it.
        """
        machine = self.machine
        if not machine.batches:
            return
        until = None if seconds is None else time.perf_counter() + seconds
        with ignore_fp_errors():
            np.setbufsize(BUFFER)  # for this block only
            for _ in range(steps):
                try:
                    ended = machine.step()
                except NonFiniteError as error:
                    step, self.step = self.step, -1
                    self.go_to(step)  # the gradients of the step before
                    self.failure = error.args[0]
                    raise
                self.step += 1
                new = self.step > self.end
                self.end = max(self.end, self.step)
                if ended:
                    self.scores = machine.scores()
                    self.curve.add(self.step, machine.epoch, self.scores, machine.epoch_loss)
                if new and self.step % self._every == 0:
                    self._keep()
                if self.step <= self._last_event:
                    machine = self._replay_events()
                    if not machine.batches:
                        break
                if until is not None and time.perf_counter() > until:
                    break

    @property
    def _last_event(self) -> int:
        return self.events[-1].step if self.events else -1

    def _replay_events(self) -> Machine:
        """Do again what was changed at this step; the machine after it."""
        first = bisect_left(self.events, self.step, key=_step)
        for event in self.events[first : bisect_right(self.events, self.step, key=_step)]:
            self._do(event)
        assert self._machine is not None
        return self._machine

    def _do(self, event: Event) -> None:
        assert self._machine is not None
        if isinstance(event.what, Edit):
            edit = event.what
            self._machine.edit(edit.parameter, edit.place, edit.value)
            self.scores = self._machine.scores()
        else:
            settings = replace(self._machine.settings, **event.what)
            self._machine = self._machine.changed(settings)

    # -- back -------------------------------------------------------------------------------------

    def go_to(self, step: int) -> None:
        """Stand where the run stood after so many steps, at most `end`: the same bits."""
        self.seek(step)
        self.advance(step - self.step)

    def seek(self, step: int) -> None:
        """Stand at a known state from which the step can be reached by going forward."""
        # From before the step, since its batch and gradients are to be known too.
        i = bisect_left(self._kept, step, key=_step)
        kept = self._kept[i - 1] if i else None
        nearest = 0 if kept is None else kept.step
        self.failure = None
        if nearest <= self.step <= step and self._machine is not None:
            return
        if kept is None:
            self._begin()
        else:
            settings = self.settings_at(kept.step)
            if self._machine is None or not self._machine.suits(settings):
                self._machine = Machine(settings, self.data)
            else:
                self._machine = self._machine.changed(settings)
            self._machine.restore(kept.state)
            self.step, self.scores = kept.step, kept.scores
        self._replay_events()

    @contextmanager
    def visiting(self, step: int) -> Iterator[Machine]:
        """Its machine at another known step, within the block."""
        here, failure = self.step, self.failure
        self.go_to(step)
        try:
            yield self.machine
        finally:
            self.go_to(here)
            self.failure = failure

    def history_of(self, parameter: int, place: tuple[int, ...]) -> Array:
        """A number of a parameter at the kept steps so far, and now: steps and values (n, 2)."""
        array = self.machine.parameters[parameter]
        at = [p is array for p in parameter_arrays(self.machine.network)].index(True)
        kept = self._kept[: bisect_left(self._kept, self.step, key=_step)]
        found = [(k.step, k.state.snapshot.arrays[at][place]) for k in kept]
        return np.array([*found, (self.step, array[place])], float)

    # -- changes ----------------------------------------------------------------------------------

    def change(self, settings: Settings) -> None:
        """Go on from here, the end, with other settings, of which only live ones may differ."""
        now = self.settings
        changed = {name: getattr(settings, name) for name in settings.differing(now)}
        if changed:
            self._add(changed)

    def edit(self, edit: Edit) -> None:
        """Set a number of a parameter, here at the end."""
        self._add(edit)

    def _add(self, what: Change) -> None:
        assert self.step == self.end
        self.machine  # noqa: B018 - built, before the event is among those to replay
        event = Event(self.step, what)
        self.failure = None
        self._do(event)
        if self._last_event == self.step and (both := _merged(self.events[-1].what, what)):
            self.events[-1] = Event(self.step, both)
        else:
            self.events.append(event)

    def branch(self, number: int) -> Run:
        """Another run with all that happened up to here; it takes over the machine of this one."""
        other = Run.__new__(Run)
        other.number, other.start, other.data = number, self.start, self.data
        other.parent, other.forked_at = self.number, self.step
        other.events = self.events[: bisect_right(self.events, self.step, key=_step)]
        other.step = other.end = self.step
        other.failure, other.scores = None, self.scores
        other.curve = self.curve.until(self.step)
        other._kept = self._kept[: bisect_right(self._kept, self.step, key=_step)]
        other._every = self._every
        other._machine, self._machine = self.machine, None
        self.step = self.end
        return other

    def again(self) -> Run:
        """Another run that does all of this one again, at its beginning."""
        other = Run(self.start, self.data, self.number)
        other.events = list(self.events)
        other._replay_events()
        return other

    def at(self, step: int) -> Run:
        """This run by itself, at a known step: what is done with it leaves this one where it is."""
        other = copy(self)
        other.events, other._kept = list(self.events), list(self._kept)
        other.curve = self.curve.until(self.end)
        other._machine = None
        other.step = -1
        other.go_to(step)
        return other

    # -- memory -----------------------------------------------------------------------------------

    @property
    def nbytes(self) -> int:
        """About how much memory its states take."""
        return sum(kept.state.nbytes for kept in self._kept)

    def _keep(self) -> None:
        assert self._machine is not None
        if self._kept and self._kept[-1].step >= self.step:
            return
        self._kept.append(_Kept(self.step, self._machine.state(), self.scores))
        size = self._kept[-1].state.nbytes
        if len(self._kept) > min(MOST_STATES, max(MOST_BYTES // size, 2)):
            self.thin()

    def thin(self) -> None:
        """Keep every other state only."""
        self._every *= 2
        self._kept = [kept for kept in self._kept if kept.step % self._every == 0]

    def rest(self) -> None:
        """Drop the machine; it is built again when it is needed."""
        self._machine = None


def _merged(first: Change, then: Change) -> Change | None:
    """One change in place of two at the same step, where the first leaves no trace."""
    if isinstance(first, Edit) or isinstance(then, Edit):
        if isinstance(first, Edit) and isinstance(then, Edit) and _place(first) == _place(then):
            return then
        return None
    if set(BUILT_IN) & (set(first) | set(then)):
        return None
    return {**first, **then}


def _place(edit: Edit) -> tuple[int, tuple[int, ...]]:
    return edit.parameter, edit.place


def _step(event: Event | _Kept) -> int:
    return event.step
