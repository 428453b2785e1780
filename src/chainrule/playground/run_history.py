"""The history of runs: all that are kept, which of them is shown, branching and dropping."""

from __future__ import annotations

from chainrule.errors import nearest, shown
from chainrule.lang.messages import _
from chainrule.playground.data import Data
from chainrule.playground.run import Run
from chainrule.playground.settings import Problems, Settings

__all__ = ["RunHistory"]

#: How many runs are kept, and how many bytes of their data and of their states.
MOST_RUNS, MOST_DATA, MOST_STATES = 20, 64 << 20, 8 << 20
#: How many changes a run may have.
MOST_CHANGES = 2_000


class RunHistory:
    """Runs by number, oldest first; one of them is shown, and only that one keeps its machine."""

    def __init__(self, first: Run) -> None:
        self.runs = {first.number: first}
        self.shown = first
        self._next_number = first.number + 1

    def begin(self, settings: Settings, data: Data) -> None:
        """Show a new run at its first weights; it replaces the shown one if that has not begun."""
        old, run = self.shown, Run(settings, data, self._next_number)
        if not old.end and not old.events:
            del self.runs[old.number]
            run.number = old.number
        self.show(run)

    def show(self, run: Run) -> None:
        """Show a run, new or known; drop the oldest ones and states that are too many."""
        if run.number not in self.runs:
            self._next_number = max(self._next_number, run.number + 1)
            self.runs[run.number] = run
        self.shown = run
        others = [other for other in self.runs.values() if other is not run]
        for other in others:
            other.rest()
        while others and (len(others) >= MOST_RUNS or self._data_bytes() > MOST_DATA):
            del self.runs[others.pop(0).number]
        while sum(other.nbytes for other in others) > MOST_STATES:
            max(others, key=lambda other: other.nbytes).thin()

    def _data_bytes(self) -> int:
        """The memory that the data of all runs take; data shared by several runs count once."""
        return sum({id(run.data): run.data.nbytes for run in self.runs.values()}.values())

    def run_to_change(self) -> Run:
        """The shown run, which stands at its end; where it has gone back, a new branch from there."""
        run = self.shown
        if len(run.events) >= MOST_CHANGES:
            raise Problems(
                [
                    _(
                        "This run has been changed {count:,} times, and its past would take too long to"
                        " go back to. Begin a new one with reset.",
                        count=len(run.events),
                    )
                ]
            )
        if run.step < run.end:
            run = run.branch(self._next_number)
            self.show(run)
        return run

    def put_in_place_of(self, other: Run) -> None:
        """Give the shown run, which is new, the number and the position of another one."""
        del self.runs[self.shown.number]
        self._next_number = self.shown.number
        self.shown.number = other.number
        self.runs[other.number] = self.shown

    def find(self, number: object) -> Run:
        """The run with this number."""
        if isinstance(number, bool) or not isinstance(number, int) or number not in self.runs:
            raise Problems(
                [
                    _(
                        "There is no run {name}; {nearest}.",
                        name=shown(number),
                        nearest=nearest(number, map(str, self.runs)),
                    )
                ]
            )
        return self.runs[number]

    def drop(self, number: object) -> None:
        """Forget a run that is not shown."""
        run = self.find(number)
        if run is self.shown:
            raise Problems(
                [_("The run that is shown cannot be dropped. Select another one first.")]
            )
        del self.runs[run.number]
