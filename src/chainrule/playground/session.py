"""Session: one learner, whatever the page is connected by."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import hypot
from typing import Any, ClassVar

import numpy as np

from chainrule.datasets.table import Table
from chainrule.errors import ChainruleError, NonFiniteError, nearest, shown
from chainrule.lang.messages import Spelled, Text, _, _p
from chainrule.playground import views
from chainrule.playground.caps import Caps
from chainrule.playground.compatible.links import new_seed
from chainrule.playground.data import Data
from chainrule.playground.exports import export
from chainrule.playground.inside import Inside, look_inside
from chainrule.playground.linking import read_link
from chainrule.playground.messages import Message, refused, told
from chainrule.playground.run import Edit, Event, Run
from chainrule.playground.settings import (
    DATA_FIELDS,
    LIVE,
    Problems,
    Settings,
    number,
    sentences_of,
    several,
    whole,
)
from chainrule.playground.sources import draw
from chainrule.playground.tables import read_table
from chainrule.settings import language

__all__ = ["Session"]

#: Steps between two looks at the clock are the run's affair; this many are as good as endless.
MANY = 1 << 30
#: How many runs of the history are kept, and how many bytes of data and of states with them.
MOST_RUNS, MOST_DATA, MOST_STATES = 20, 64 << 20, 8 << 20
#: How many changes a run may have.
MOST_CHANGES = 2_000
#: For how long a way is gone at once, when the time line is dragged, and else; the rest of the way
#: is gone in `advance`.
SOON, PATIENCE = 0.05, 0.5
#: Seconds over which the rate is smoothed.
SMOOTH = 0.5


def _steps(unit: Any, count: Any) -> int:
    """How many batches or epochs a command asks for."""
    if unit not in ("batch", "epoch"):
        raise Problems([_('unit must be "batch" or "epoch". Got {value}.', value=shown(unit))])
    steps: int = whole(1, 10_000)(count, "count")
    return steps


def _no_field(command: str, name: str, fields: Sequence[str]) -> Text:
    """The sentence for a field that a command does not have."""
    if not fields:
        return _(
            "The command {command} has no field {name}; it has none.",
            command=command,
            name=shown(name),
        )
    return _(
        "The command {command} has no field {name}; {nearest}.",
        command=command,
        name=shown(name),
        nearest=nearest(name, fields),
    )


class Session:
    """One learner's settings, data and runs; commands change it, messages show it.

    One caller at a time: it is not for several threads at once. `version` counts the changes of
    what `state` tells, `moved` those of what `frame` shows.

    >>> session = Session()
    >>> session.do({"do": "step", "unit": "epoch", "count": 2}).fields["ok"]
    True
    >>> frame = session.frame()
    >>> frame.fields["epoch"], frame.arrays["map"].shape
    (2, (1, 100, 100))
    >>> session.do({"do": "configure", "settings": {"noise": 7}}).fields["errors"]
    ['noise must be a number from 0 to 0.8. Got 7.']
    """

    def __init__(self, caps: Caps | None = None) -> None:
        self.caps = caps or Caps()
        self.version = self.moved = 0
        self.playing = False
        #: Samples a second, smoothed.
        self.rate = 0.0
        self.runs: dict[int, Run] = {}
        self._numbers = 0
        #: The step that it is on its way to.
        self._target: int | None = None
        #: The learner's own table; and whether no run has it yet.
        self.table: Table | None = None
        self._new_table = False
        #: What is still to be done of what a link says.
        self._script: list[Event] = []
        #: What the latest link wants to be shown, and how many links were opened.
        self.shows: Mapping[str, bool] = {}
        self.links = 0
        self._view: views.View | None = None
        #: The step that was last looked into, for what is asked about it.
        self._inside: Inside | None = None
        self._rated = 0.0
        settings = Settings()
        self._begin(settings, draw(settings))

    # -- what is shown ----------------------------------------------------------------------------

    def hello(self) -> Message:
        """What may be chosen."""
        return views.hello(self.caps)

    def state(self) -> Message:
        """All but what time changes."""
        return views.state(self)

    def frame(self) -> Message:
        """What time changes, complete in itself."""
        return views.frame(self)

    def view(self) -> views.View:
        """The view of the present run, as long as its machine stays."""
        if self._view is None or self._view.machine is not self.run.machine:
            self._view = views.View(self.run)
        return self._view

    # -- time -------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> bool:
        """Go on for about so long, if there is anything to do; whether anything moved."""
        if self._script:
            self._follow(seconds)
        elif self._target is not None:
            self._travel(seconds)
        elif self.playing:
            self._play(seconds)
        else:
            return False
        self.moved += 1
        return True

    def _play(self, seconds: float) -> None:
        before, now = self.run.step, time.perf_counter()
        self._train(MANY, seconds)
        passed = time.perf_counter() - self._rated
        if now - self._rated > 1:  # it has only begun
            passed = time.perf_counter() - now
            self.rate = 0.0
        samples = (self.run.step - before) * self.run.settings.batch_size
        part = min(1.0, passed / SMOOTH)
        self.rate += (samples / passed - self.rate) * (part if self.rate else 1)
        self._rated = time.perf_counter()

    def _train(self, steps: int, seconds: float | None = None) -> None:
        try:
            self.run.advance(steps, seconds)
        except NonFiniteError:
            self.playing = False  # the run says why
            self._changed()

    def _go(self, step: int, seconds: float) -> None:
        """Be on the way to a step, known or new."""
        self.playing = False
        self._target = step
        self._travel(seconds)
        self._changed()

    def _travel(self, seconds: float) -> None:
        assert self._target is not None
        run = self.run
        self._train(self._target - run.step, seconds)
        if run.step == self._target or run.failure is not None or not run.machine.batches:
            self._target = None
            self._changed()  # the link leads to another step now

    def _arrive(self) -> None:
        """Be where the learner wanted to go: new steps can be left out, known ones cannot."""
        if self._target is not None:
            self._travel(PATIENCE)
        if self._target is not None and self._target <= self.run.end:
            raise Problems(
                [
                    _(
                        "The run is on its way to step {target}, and at {step} now. Ask again when it is"
                        " there.",
                        target=self._target,
                        step=self.run.step,
                    )
                ]
            )
        self._target = None

    # -- commands ---------------------------------------------------------------------------------

    def do(self, command: Mapping[str, Any]) -> Message:
        """Do what a command says, or nothing of it; the reply, or an error with sentences."""
        answer: dict[str, Any] = {"id": command.get("id")}
        try:
            action = command.get("do")
            if not isinstance(action, str) or action not in self._commands:
                raise Problems(
                    [
                        _(
                            "There is no command {name}; {nearest}.",
                            name=shown(action),
                            nearest=nearest(action, self._commands),
                        )
                    ]
                )
            method, fields = self._commands[action]
            given = {name: value for name, value in command.items() if name not in ("do", "id")}
            if wrong := [_no_field(action, name, fields) for name in given if name not in fields]:
                raise Problems(wrong)
            if action not in self._anywhere:
                self._arrive()
            if action not in ("state", "hello"):
                self._script = []
            found = method(self, **given)
        except (ChainruleError, TypeError) as error:
            return refused(sentences_of(error), **answer)
        if isinstance(found, Message):
            return Message(found.kind, {**answer, **found.fields}, found.arrays)
        return Message("reply", {**answer, "ok": True, **(found or {})})

    @property
    def run(self) -> Run:
        """The run that is shown."""
        return self.runs[self._present]

    def _begin(self, settings: Settings, data: Data) -> None:
        """A new run, from first weights on."""
        number = self._numbers
        old = self.runs.get(self._present) if self.runs else None
        run = Run(settings, data, number)
        if old is not None and not old.end and not old.events:
            del self.runs[old.number]  # nothing happened in it
            run.number = old.number
        self._show(run)

    def _show(self, run: Run) -> None:
        """Show a run, new or known; the others rest."""
        if run.number not in self.runs:
            self._numbers = max(self._numbers, run.number + 1)
            self.runs[run.number] = run
        for other in self.runs.values():
            if other is not run:
                other.rest()
        self._present, self._target = run.number, None
        others = [other for other in self.runs.values() if other is not run]
        while others and (len(others) >= MOST_RUNS or self._data_bytes() > MOST_DATA):
            del self.runs[others.pop(0).number]  # the oldest
        while sum(other.nbytes for other in others) > MOST_STATES:
            max(others, key=lambda other: other.nbytes).thin()
        self._changed()

    def _data_bytes(self) -> int:
        """How much memory the data of all runs take; those that share theirs count once."""
        return sum({id(run.data): run.data.nbytes for run in self.runs.values()}.values())

    def _changed(self) -> None:
        self.version += 1
        self.moved += 1

    def _now(self) -> Run:
        """The present run at its end: itself, or where it has gone back, a branch."""
        run = self.run
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
            run = run.branch(self._numbers)
            self._show(run)
        return run

    def _configure(self, settings: Any = None) -> None:
        if not isinstance(settings, Mapping):
            raise Problems(
                [_("configure needs settings, an object. Got {value}.", value=shown(settings))]
            )
        old = self.run.settings
        new = old.changed(settings, self.caps)
        differing = set(new.differing(old))
        other_table = self._new_table and settings.get("data") == "own"
        if not differing and not other_table:
            return
        untouched = not self.run.end and not self.run.events
        if differing and differing <= set(LIVE) and not untouched:
            self._now().change(new)
            self._changed()
            return
        data = self.run.data
        if differing & set(DATA_FIELDS) or other_table:
            data = self._drawn(new)
        new = data.suited(new, settings)
        self._begin_within_caps(new, data)
        self._new_table = self._new_table and not other_table

    def _drawn(self, settings: Settings) -> Data:
        return draw(settings, self.table, self.caps)

    def _begin_within_caps(self, settings: Settings, data: Data) -> None:
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
        self.playing = False
        self._begin(settings, data)

    def _play_command(self) -> None:
        self.playing = True
        self._changed()

    def _pause(self) -> None:
        self.playing, self._target = False, None
        self._changed()

    def _step(self, unit: Any = "batch", count: Any = 1) -> None:
        steps = _steps(unit, count)
        machine = self.run.machine
        if unit == "epoch":
            steps = steps * machine.batches - machine.batch
        self._go(self.run.step + steps, PATIENCE)

    def _back(self, unit: Any = "batch", count: Any = 1) -> None:
        """So many steps back, at most to the beginning: from where it is going, if on the way."""
        steps = _steps(unit, count) * (self.run.machine.batches if unit == "epoch" else 1)
        now = self.run.step if self._target is None else self._target
        self._goto(max(0, min(now, self.run.end) - steps))

    def _goto(self, step: Any = None) -> None:
        step = whole(0, self.run.end)(step, "step")
        self.run.seek(step)
        self._go(step, SOON)

    def _reset(self) -> None:
        self.playing = False
        if self.run.events:
            self._begin(self.run.settings, self.run.data)
        else:
            self._goto(0)

    def _regenerate(self) -> None:
        if self.run.settings.mode == "compatible":
            fresh = replace(self.run.settings, data_seed=new_seed())
            self._begin_within_caps(fresh, self._drawn(fresh))
            return
        new = replace(self.run.settings, data_seed=int(self.run.settings.data_seed) + 1)
        self._begin_within_caps(new, self._drawn(new))

    def _new_weights(self) -> None:
        new = replace(self.run.settings, weight_seed=self.run.settings.weight_seed + 1)
        self._begin_within_caps(new, self.run.data)

    def _edit(self, parameter: Any = None, place: Any = None, value: Any = None) -> None:
        parameters = self.run.machine.parameters
        index = whole(0, len(parameters) - 1)(parameter, "parameter")
        shape = parameters[index].shape
        if not isinstance(place, list) or len(place) != len(shape):
            raise Problems(
                [
                    _(
                        "place must be a list of {count} numbers. Got {value}.",
                        count=len(shape),
                        value=shown(place),
                    )
                ]
            )
        found = tuple(
            whole(0, n - 1)(i, f"place[{axis}]")
            for axis, (i, n) in enumerate(zip(place, shape, strict=True))
        )
        new = number(-1e6, 1e6)(value, Spelled("value", page=_p("setting", "The new value")))
        self._now().edit(Edit(index, found, new))
        self._changed()

    def _select_run(self, run: Any = None) -> None:
        found = self._known_run(run)
        self._show(found)
        self._goto(found.end)

    def _drop_run(self, run: Any = None) -> None:
        found = self._known_run(run)
        if found is self.run:
            raise Problems(
                [_("The run that is shown cannot be dropped. Select another one first.")]
            )
        del self.runs[found.number]
        self._changed()

    # -- own data -----------------------------------------------------------------------------------

    def upload(self, name: str, body: bytes) -> Message:
        """Take a table, pasted if it has no name; the reply tells its columns, or the error what is wrong."""
        try:
            return Message("reply", {"ok": True, **self._take_table(name, body)})
        except ChainruleError as error:
            return refused(sentences_of(error))

    def _take_table(self, name: str, body: bytes) -> dict[str, Any]:
        table = read_table(name, body)
        if len(table.names) < 2:
            raise Problems(
                [_("A table needs two columns at least: one to predict, one to do it from.")]
            )
        self.table, self._new_table = table, True
        return {
            "columns": list(table.names),
            "rows": len(table),
            "notes": told(table.notes),
        }

    def _paste(self, text: Any = None) -> dict[str, Any]:
        if not isinstance(text, str):
            raise Problems([_("text must be a table as text. Got {value}.", value=shown(text))])
        return self._take_table("", text.encode(errors="replace"))

    def _paint(self, points: Any = None, erase: Any = None) -> None:
        old = self.run.settings
        rubber = several(several(number(-100, 100), 3, 3), 100)(erase or [], "erase")
        kept = [p for p in old.points if all(hypot(p[0] - x, p[1] - y) > r for x, y, r in rubber)]
        if not isinstance(points or [], list):
            raise Problems([_("points must be a list. Got {value}.", value=shown(points))])
        new = old.changed({"data": "painted", "points": [*kept, *(points or [])]}, self.caps)
        if new == old:
            return
        data = self._drawn(new)
        playing, before = self.playing, self.run
        self._begin_within_caps(data.suited(new, {}), data)
        if playing and old.data == "painted":  # points come while it learns: one run, not many
            self.playing = True
            if self.runs.get(before.number) is before:  # a run not begun has given its number on
                self._take_place_of(before)

    def _take_place_of(self, before: Run) -> None:
        """The present run, which is new, stands where another stood, under its number."""
        run = self.runs.pop(self._present)
        self._numbers = run.number
        run.number = self._present = before.number
        self.runs[run.number] = run

    def _unit(self, column: Any = None, index: Any = None) -> Message:
        hidden = self.run.settings.hidden
        k = whole(1, max(len(hidden), 1))(column, "column")
        j = whole(0, hidden[k - 1] - 1 if hidden else 0)(index, "index")
        view = self.view()
        if not hidden or not view.has_plane:
            raise Problems([_("There is no map of a unit here.")])
        found = view.unit_map(sum(hidden[: k - 1]) + j)
        return Message("unit", {"column": k, "index": j}, {"map": found})

    def _link(self, text: Any = None) -> dict[str, Any]:
        if not isinstance(text, str):
            raise Problems([_("text must be a link. Got {value}.", value=shown(text))])
        linked = read_link(text, self.caps)
        data = self._drawn(linked.settings)
        settings = linked.settings
        if settings.mode != "compatible":
            settings = data.suited(settings, dict.fromkeys(linked.named))
        self._begin_within_caps(settings, data)
        self._script = [*linked.events, Event(linked.step, {})]
        self.shows, self.links = linked.view, self.links + 1
        return {"view": dict(linked.view), "notes": told(linked.notes)}

    def _follow(self, seconds: float) -> None:
        """Do again what a link says was done, for about so long."""
        event, *rest = self._script
        self._train(event.step - self.run.step, seconds)
        if self.run.failure is None and self.run.step < event.step:
            return
        try:
            if self.run.failure is not None:
                rest = []
            elif isinstance(event.what, Edit):
                edit = event.what
                self._edit(edit.parameter, list(edit.place), edit.value)
            elif event.what:
                self._configure(event.what)
        except ChainruleError:  # a change that this run does not allow ends what is done again
            rest = []
        self._script = rest
        self._changed()

    # -- inside the step that comes next ------------------------------------------------------------

    def _look_inside(self, detail: Any = False, lang: Any = "en") -> Message:
        if not isinstance(detail, bool):
            raise Problems([_("detail must be true or false. Got {value}.", value=shown(detail))])
        chosen = language(lang)
        self._inside = None  # nothing is open if this step is too large
        inside = look_inside(self.run.machine, detail=detail, lang=chosen)
        found = inside.message()
        self._inside = inside
        fields = {"run": self.run.number, "step": self.run.step, **found.fields}
        return Message(found.kind, fields, found.arrays)

    def _looked(self) -> Inside:
        if self._inside is None:
            raise Problems([_("There is no open step to ask about: look inside first.")])
        return self._inside

    def _explain(
        self,
        arrow: Any = None,
        element: Any = None,
        gradient: Any = False,
        row: Any = None,
        update: Any = None,
    ) -> Message:
        inside = self._looked()
        if not isinstance(arrow, str):
            raise Problems(
                [_("arrow must be the name of an arrow. Got {value}.", value=shown(arrow))]
            )
        place = several(whole(0, 1 << 30), 8)(element or [], "element")
        if update is not None:
            found = inside.explain_update(arrow, place, str(update))
        else:
            of = None if row is None else whole(0, 1 << 30)(row, "row")
            found = inside.explain(arrow, place, gradient=gradient is True, row=of)
        return Message("explained", found)

    def _check(self) -> Message:
        return self._looked().verdicts()

    def _export(self, what: Any = None, lang: Any = "en") -> Message:
        made = export(self.run, str(what), language(lang))
        fields = {"name": made.name, "media": made.media}
        return Message("export", fields, {"bytes": np.frombuffer(made.data, np.uint8)})

    def _known_run(self, run: Any) -> Run:
        if isinstance(run, bool) or not isinstance(run, int) or run not in self.runs:
            raise Problems(
                [
                    _(
                        "There is no run {name}; {nearest}.",
                        name=shown(run),
                        nearest=nearest(run, map(str, self.runs)),
                    )
                ]
            )
        return self.runs[run]

    #: Commands that do not ask where the run stands.
    _anywhere: ClassVar = frozenset(
        {"back", "goto", "pause", "select_run", "drop_run", "link", "paste", "state", "hello"}
    )
    #: Every command: what does it, and the fields it takes.
    _commands: ClassVar[dict[str, tuple[Callable[..., Any], tuple[str, ...]]]] = {
        "configure": (_configure, ("settings",)),
        "play": (_play_command, ()),
        "pause": (_pause, ()),
        "step": (_step, ("unit", "count")),
        "back": (_back, ("unit", "count")),
        "goto": (_goto, ("step",)),
        "reset": (_reset, ()),
        "regenerate": (_regenerate, ()),
        "new_weights": (_new_weights, ()),
        "edit": (_edit, ("parameter", "place", "value")),
        "select_run": (_select_run, ("run",)),
        "drop_run": (_drop_run, ("run",)),
        "paste": (_paste, ("text",)),
        "paint": (_paint, ("points", "erase")),
        "unit": (_unit, ("column", "index")),
        "link": (_link, ("text",)),
        "inside": (_look_inside, ("detail", "lang")),
        "explain": (_explain, ("arrow", "element", "gradient", "row", "update")),
        "check": (_check, ()),
        "export": (_export, ("what", "lang")),
        "state": (state, ()),
        "hello": (hello, ()),
    }
