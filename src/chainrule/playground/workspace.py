"""Workspace: what a learner has at hand, and how its shown run moves in time."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence

from chainrule.datasets.table import Table
from chainrule.errors import NonFiniteError
from chainrule.lang.messages import _
from chainrule.playground.caps import Caps
from chainrule.playground.data import Data
from chainrule.playground.inside import Inside
from chainrule.playground.pace import Goal, Pace
from chainrule.playground.recording import Recorder
from chainrule.playground.run import Event, Run
from chainrule.playground.run_history import RunHistory
from chainrule.playground.settings import Problems, Settings
from chainrule.playground.sources import draw
from chainrule.playground.views import View

__all__ = ["PATIENCE", "Workspace"]

#: How many seconds a command may advance before it answers; the rest follows in `advance`.
PATIENCE = 0.5
#: Seconds between looks for rows to train on, where there are none yet.
NOTHING_YET = 0.2
#: Seconds over which the rate is smoothed.
SMOOTH = 0.5


class Workspace:
    """The runs, the learner's own table, the link that is replayed and the step that is open.

    `version` counts the changes of what `state` tells, `moved` those of what `frame` shows.
    """

    def __init__(self, caps: Caps | None = None) -> None:
        self.caps = caps or Caps()
        self.version = self.moved = 1
        settings = Settings()
        self.history = RunHistory(Run(settings, draw(settings)))
        self.playing = False
        #: How fast it plays, and where it stops by itself.
        self.pace, self.goal = Pace(), Goal()
        #: Samples a second, smoothed, and when it was last measured.
        self.rate = self._rated = 0.0
        #: The step that the run is advancing to.
        self.target: int | None = None
        #: The learner's own table; and whether no run has used it yet.
        self.table: Table | None = None
        self.table_is_new = False
        #: What a link says was done and has not been replayed yet.
        self.link_events: Sequence[Event] = ()
        #: What the latest link wants to be shown, and how many links were opened.
        self.shows: Mapping[str, bool] = {}
        self.links = 0
        #: What of the page a link has hidden or locked.
        self.controls: Mapping[str, str] = {}
        #: The step that was last looked into.
        self.inside: Inside | None = None
        #: What makes a recording of the run, to be taken home.
        self.recorder: Recorder | None = None
        self._view: View | None = None
        #: The row that is followed, and the data that it is of.
        self._followed: tuple[Data, int] | None = None

    @property
    def run(self) -> Run:
        """The run that is shown."""
        return self.history.shown

    @property
    def runs(self) -> Mapping[int, Run]:
        """All runs, by number."""
        return self.history.runs

    def view(self) -> View:
        """The view of the shown run's machine."""
        if self._view is None or self._view.machine is not self.run.machine:
            self._view = View(self.run, self.caps.map)
        return self._view

    @property
    def followed(self) -> int | None:
        """The row that is followed through the network; none of other data."""
        if self._followed is None or self._followed[0] is not self.run.data:
            return None
        return self._followed[1]

    def follow(self, row: int | None) -> None:
        """Follow a row of the data, those to train on first; None follows none."""
        self._followed = None if row is None else (self.run.data, row)
        self.moved += 1

    def changed(self) -> None:
        """Count a change of the state, which changes the frame, too."""
        self.version += 1
        self.moved += 1

    def draw(self, settings: Settings) -> Data:
        """The data that the settings describe."""
        return draw(settings, self.table, self.caps)

    def begin(self, settings: Settings, data: Data) -> None:
        """Show a new run, if the settings suit the data and the network is not too large."""
        data.check(settings)
        sizes = [len(settings.features), *settings.hidden, data.outputs[settings.loss]]
        count = sum((n + 1) * m for n, m in itertools.pairwise(sizes))
        if count > self.caps.parameters:
            raise Problems(
                [
                    _(
                        "This network has {count:,} weights and biases; at most {most:,} are allowed."
                        " Take fewer or smaller layers.",
                        count=count,
                        most=self.caps.parameters,
                    )
                ]
            )
        self.history.begin(settings, data)
        self.playing, self.target, self.recorder = False, None, None
        self.changed()

    # -- time -------------------------------------------------------------------------------------

    def advance_run(self, steps: int, seconds: float | None) -> None:
        """Take steps for at most so long; playing ends where a number is not finite."""
        try:
            self.run.advance(steps, seconds)
        except NonFiniteError:
            self.playing = False  # the run says why
            self.changed()

    def advance_to(self, step: int, seconds: float) -> None:
        """Advance to a step for at most so long; if that is too short, it stays the target."""
        run = self.run
        self.playing, self.target = False, step
        self.advance_run(step - run.step, seconds)
        if run.step == step or run.failure is not None or not run.machine.batches:
            self.target = None
            self.changed()  # the link leads to another step now

    def play(self, seconds: float) -> bool:
        """Take the steps that are due, for about so long, and measure the rate; whether there were any."""
        run, before, now = self.run, self.run.step, time.perf_counter()
        due = self.pace.due(run.machine.batches)
        while due > 0 and self.playing and time.perf_counter() < now + seconds:
            step = run.step
            left = seconds - (time.perf_counter() - now)
            self.advance_run(self._towards_goal(due), left)
            due -= run.step - step
            if run.step == step:
                break
            if self._reached():
                self.playing, self.goal = False, Goal()
                self.changed()
        if run.step == before:
            return not self.playing
        passed = time.perf_counter() - self._rated
        if now - self._rated > 3:  # it has only begun
            passed = time.perf_counter() - now
            self.rate = 0.0
        samples = (self.run.step - before) * self.run.settings.batch_size
        part = min(1.0, passed / SMOOTH)
        self.rate += (samples / passed - self.rate) * (part if self.rate else 1)
        self._rated = time.perf_counter()
        return True

    def _towards_goal(self, due: int) -> int:
        """So many of the steps that are due as may be taken before the next look at the goal."""
        machine = self.run.machine
        if self.goal.step is not None:
            due = min(due, self.goal.step - self.run.step)
        return due if self.goal.score is None else min(due, machine.batches - machine.batch)

    def _reached(self) -> bool:
        """Whether the goal is reached; a score is that of the test rows, where there are any."""
        goal, run = self.goal, self.run
        if goal.step is not None and run.step >= goal.step:
            return True
        train, test = run.scores[2:]
        score = test if test == test else train
        return goal.score is not None and run.machine.batch == 0 and score >= goal.score

    def wait(self) -> float:
        """Seconds until there is something to do for `advance`, if there is anything."""
        if self.link_events or self.target is not None or not self.playing:
            return 0.0
        if not self.run.machine.batches:
            return NOTHING_YET
        return self.pace.wait(self.run.machine.batches)

    def settle(self) -> None:
        """Be at the target, or give it up: new steps can be left out, known ones cannot."""
        if self.target is not None:
            self.advance_to(self.target, PATIENCE)
        if self.target is not None and self.target <= self.run.end:
            raise Problems(
                [
                    _(
                        "The run is on its way to step {target}, and at {step} now. Ask again when it is"
                        " there.",
                        target=self.target,
                        step=self.run.step,
                    )
                ]
            )
        self.target = None
