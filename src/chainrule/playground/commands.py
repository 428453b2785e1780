"""The table of commands: which function each message of the page calls, with its checks.

Every function takes the workspace and the fields of the command, which come from JSON and may be
anything. It returns the reply, or the fields of one, or None; it raises before it changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import hypot
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np

from chainrule.errors import nearest, shown
from chainrule.lang.messages import Spelled, Text, _, _p, listed
from chainrule.playground import relative, remedies, views
from chainrule.playground.compatible.links import new_seed
from chainrule.playground.configuring import configure
from chainrule.playground.exports import export
from chainrule.playground.inside import Inside, look_at_row, look_inside
from chainrule.playground.linking import read_link
from chainrule.playground.listings import listings
from chainrule.playground.messages import Fields, Message, told
from chainrule.playground.pace import Goal
from chainrule.playground.page_file import page_file
from chainrule.playground.recording import Recorder, Scratch
from chainrule.playground.run import Edit, Event
from chainrule.playground.settings import Problems, number, several, whole
from chainrule.playground.tables import read_table
from chainrule.playground.workspace import PATIENCE, Workspace
from chainrule.settings import language

__all__ = ["COMMANDS", "configure", "edit", "find_command", "take_table"]

#: For so many epochs at once one may play.
MOST_EPOCHS = 1_000_000
#: How many seconds `goto` may advance before it answers: it comes while the time line is dragged.
DRAGGING = 0.05

Reply: TypeAlias = Message | Fields | None


# -- settings and weights -------------------------------------------------------------------------


def edit(
    workspace: Workspace, parameter: object = None, place: object = None, value: object = None
) -> None:
    """Set a number of a parameter by hand."""
    i, index = _element(workspace, parameter, place)
    new = number(-1e6, 1e6)(value, Spelled("value", page=_p("setting", "The new value")))
    workspace.history.run_to_change().edit(Edit(i, index, new))
    workspace.changed()


def _element(workspace: Workspace, parameter: object, place: object) -> tuple[int, tuple[int, ...]]:
    """A number of a parameter: which parameter, and where in it."""
    parameters = workspace.run.machine.parameters
    i: int = whole(0, len(parameters) - 1)(parameter, "parameter")
    shape = parameters[i].shape
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
    index = tuple(
        whole(0, n - 1)(entry, f"place[{axis}]")
        for axis, (entry, n) in enumerate(zip(place, shape, strict=True))
    )
    return i, index


def new_weights(workspace: Workspace) -> None:
    """Begin a run with other first weights."""
    run = workspace.run
    seed = run.settings.weight_seed + 1
    workspace.begin(replace(run.settings, weight_seed=seed), run.data)


def regenerate(workspace: Workspace) -> None:
    """Begin a run with other data of the same kind."""
    old = workspace.run.settings
    seed = new_seed() if old.mode == "compatible" else int(old.data_seed) + 1
    new = replace(old, data_seed=seed)
    workspace.begin(new, workspace.draw(new))


# -- time -----------------------------------------------------------------------------------------


def play(workspace: Workspace, epochs: object = None, score: object = None) -> None:
    """Take steps until `pause`; for so many epochs, or until the score of an epoch is as good."""
    machine, step = workspace.run.machine, None
    if epochs is not None:
        count = whole(1, MOST_EPOCHS)(epochs, "epochs")
        step = workspace.run.step + count * machine.batches - machine.batch
    wanted = None if score is None else number(0, 1)(score, "score")
    workspace.goal = Goal(step, wanted)
    workspace.playing = True
    workspace.pace.begin(machine.batches)
    workspace.changed()


def speed(workspace: Workspace, epochs: object = None) -> None:
    """Play so many epochs a second; null for as fast as it goes."""
    workspace.pace.set(None if epochs is None else number(0.1, 1000)(epochs, "epochs"))
    workspace.changed()


def pause(workspace: Workspace) -> None:
    """Stay at the present step."""
    workspace.playing, workspace.target = False, None
    workspace.changed()


def step(workspace: Workspace, unit: object = "batch", count: object = 1) -> None:
    """Take steps: so many batches, or up to the ends of so many epochs."""
    steps = _count(unit, count)
    machine = workspace.run.machine
    if unit == "epoch":
        steps = steps * machine.batches - machine.batch
    workspace.advance_to(workspace.run.step + steps, PATIENCE)
    workspace.changed()


def back(workspace: Workspace, unit: object = "batch", count: object = 1) -> None:
    """Go so many batches or epochs back from the target, or without one from the present step."""
    run = workspace.run
    steps = _count(unit, count) * (run.machine.batches if unit == "epoch" else 1)
    start = run.step if workspace.target is None else workspace.target
    goto(workspace, max(0, min(start, run.end) - steps))


def _count(unit: object, count: object) -> int:
    """How many batches or epochs a command asks for."""
    if unit not in ("batch", "epoch"):
        raise Problems([_('unit must be "batch" or "epoch". Got {value}.', value=shown(unit))])
    steps: int = whole(1, 10_000)(count, "count")
    return steps


def goto(workspace: Workspace, step: object = None) -> None:
    """Go to a known step."""
    run = workspace.run
    target = whole(0, run.end)(step, "step")
    run.seek(target)
    workspace.advance_to(target, DRAGGING)
    workspace.changed()


def reset(workspace: Workspace) -> None:
    """Go back to the first step; a run that was changed on the way begins anew."""
    run = workspace.run
    workspace.playing = False
    if run.events:
        workspace.history.begin(run.settings, run.data)
        workspace.changed()
    else:
        goto(workspace, 0)


# -- runs -----------------------------------------------------------------------------------------


def select_run(workspace: Workspace, run: object = None) -> None:
    """Show another run, at its end."""
    selected = workspace.history.find(run)
    workspace.history.show(selected)
    workspace.changed()
    goto(workspace, selected.end)


def drop_run(workspace: Workspace, run: object = None) -> None:
    """Forget a run that is not shown."""
    workspace.history.drop(run)
    workspace.changed()


def link(workspace: Workspace, text: object = None) -> Reply:
    """Begin the run of a link; `replay_link` then does what the link says was done."""
    if not isinstance(text, str):
        raise Problems([_("text must be a link. Got {value}.", value=shown(text))])
    linked = read_link(text, workspace.caps)
    settings, data = linked.settings, workspace.draw(linked.settings)
    if settings.mode != "compatible":
        settings = data.suited(settings, dict.fromkeys(linked.named))
    workspace.begin(settings, data)
    workspace.link_events = (*linked.events, Event(linked.step, {}))
    workspace.shows, workspace.links = linked.view, workspace.links + 1
    workspace.controls = linked.controls
    return {"view": dict(linked.view), "notes": told(linked.notes)}


# -- the learner's own data -----------------------------------------------------------------------


def paste(workspace: Workspace, text: object = None) -> Reply:
    """Take a table that was pasted as text."""
    if not isinstance(text, str):
        raise Problems([_("text must be a table as text. Got {value}.", value=shown(text))])
    return take_table(workspace, "", text.encode(errors="replace"))


def take_table(workspace: Workspace, name: str, body: bytes) -> Fields:
    """Take the table in a file, which has no name if it was pasted; what the page is told of it."""
    table = read_table(name, body)
    if len(table.names) < 2:
        raise Problems(
            [_("A table needs two columns at least: one to predict, one to do it from.")]
        )
    workspace.table, workspace.table_is_new = table, True
    return {
        "columns": list(table.names),
        "rows": len(table),
        "notes": told(table.notes),
    }


def paint(workspace: Workspace, points: object = None, erase: object = None) -> None:
    """Add painted points, and erase those within circles (x, y, radius), in a new run."""
    before, playing = workspace.run, workspace.playing
    old = before.settings
    circles = several(several(number(-100, 100), 3, 3), 100)(erase or [], "erase")
    rest = [p for p in old.points if all(hypot(p[0] - x, p[1] - y) > r for x, y, r in circles)]
    added = points or []
    if not isinstance(added, list):
        raise Problems([_("points must be a list. Got {value}.", value=shown(points))])
    new = old.changed({"data": "painted", "points": [*rest, *added]}, workspace.caps)
    if new == old:
        return
    data = workspace.draw(new)
    workspace.begin(data.suited(new, {}), data)
    if playing and old.data == "painted":  # points come while it learns: one run, not many
        workspace.playing = True
        if workspace.runs.get(before.number) is before:  # else its number was passed on already
            workspace.history.put_in_place_of(before)


# -- what the page asks for -----------------------------------------------------------------------


def unit(workspace: Workspace, column: object = None, index: object = None) -> Message:
    """The map of one hidden unit: `column` counts from 1, `index` from 0."""
    hidden = workspace.run.settings.hidden
    k = whole(1, max(len(hidden), 1))(column, "column")
    j = whole(0, hidden[k - 1] - 1 if hidden else 0)(index, "index")
    view = workspace.view()
    if not hidden or not view.has_plane:
        raise Problems([_("There is no map of a unit here.")])
    values = view.unit_map(sum(hidden[: k - 1]) + j)
    return Message("unit", {"column": k, "index": j}, {"map": values})


def element(workspace: Workspace, parameter: object = None, place: object = None) -> Message:
    """A weight or bias: its gradient, its latest change, and what it was at the kept steps."""
    i, index = _element(workspace, parameter, place)
    machine = workspace.run.machine
    begin = [part.start for _parameter, part in machine.flat.places()][i]
    at = begin + int(np.ravel_multi_index(index, machine.parameters[i].shape))
    gradient, change = machine.gradient, machine.change
    fields = {
        "step": workspace.run.step,
        "gradient": None if gradient is None else gradient[at],
        "change": None if change is None else change[at],
    }
    return Message("element", fields, {"history": workspace.run.history_of(i, index)})


def follow(workspace: Workspace, row: object = None, wrong: object = False) -> None:
    """Follow a row through the network, those to train on first; without one, follow none.

    With `wrong` it is the first from there on that is answered wrongly, beginning anew at the end.
    """
    count = len(workspace.run.data.labels)
    if row is not None and not count:
        raise Problems([_("There are no rows to follow yet.")])
    found = None if row is None else whole(0, count - 1)(row, "row")
    if found is not None and wrong is True:
        misread = workspace.view().misread()
        if not len(misread):
            raise Problems([_("No row is answered wrongly.")])
        found = int(misread[np.searchsorted(misread, found) % len(misread)])
    workspace.follow(found)


#: What can be looked into: the step that comes next, the latest one, the row that is followed.
OPENED = ("next", "latest", "row")


def inside(
    workspace: Workspace, detail: object = False, lang: Any = "en", of: object = "next"
) -> Message:
    """Open a step, or one row: its graph, its operations and its numbers."""
    if of not in OPENED:
        raise Problems(
            [_("of must be {allowed}. Got {value}.", allowed=listed(OPENED, "or"), value=shown(of))]
        )
    if not isinstance(detail, bool):
        raise Problems([_("detail must be true or false. Got {value}.", value=shown(detail))])
    chosen = language(lang)
    workspace.inside = None  # nothing is open if this step is too large
    opened = _look(workspace, str(of), detail, chosen)
    message = opened.message()
    workspace.inside = opened
    run = workspace.run
    fields = {"run": run.number, "step": run.step + (of == "next"), "of": of, **message.fields}
    return Message(message.kind, fields, message.arrays)


def _look(workspace: Workspace, of: str, detail: bool, lang: str) -> Inside:
    run = workspace.run
    if of == "row":
        if workspace.followed is None:
            raise Problems([_("No row is followed: choose one first.")])
        return look_at_row(run.machine, workspace.followed, detail=detail, lang=lang)
    if of == "next":
        return look_inside(run.machine, detail=detail, lang=lang)
    if run.machine.rows is None:
        raise Problems([_("No step has been taken yet, so there is none to look back into.")])
    with run.visiting(run.step - 1) as machine:
        return look_inside(machine, detail=detail, lang=lang)


def _open_step(workspace: Workspace) -> Inside:
    """The step that is open."""
    if workspace.inside is None:
        raise Problems([_("There is no open step to ask about: look inside first.")])
    return workspace.inside


def explain(
    workspace: Workspace,
    arrow: object = None,
    element: object = None,
    gradient: object = False,
    row: object = None,
    update: object = None,
) -> Message:
    """Why a number of the open step is what it is; with `update`, of a parameter or slot after it."""
    opened = _open_step(workspace)
    if not isinstance(arrow, str):
        raise Problems([_("arrow must be the name of an arrow. Got {value}.", value=shown(arrow))])
    index = several(whole(0, 1 << 30), 8)(element or [], "element")
    if update is not None:
        return Message("explained", opened.explain_update(arrow, index, str(update)))
    of = None if row is None else whole(0, 1 << 30)(row, "row")
    return Message("explained", opened.explain(arrow, index, gradient=gradient is True, row=of))


def code(workspace: Workspace, lang: Any = "en") -> Message:
    """The open step as programs: which lines in NumPy, and of the compiled kernel, are which operations."""
    _open_step(workspace)
    return listings(workspace.run.machine, language(lang))


def check(workspace: Workspace) -> Message:
    """The check of every gradient of the open step."""
    return _open_step(workspace).verdicts()


def download(workspace: Workspace, what: object = None, lang: Any = "en") -> Reply:
    """The run as a file to keep: code, model, data, picture, page."""
    if what == "page":
        return _page(workspace, language(lang))
    file = export(workspace.run, str(what), language(lang))
    fields = {"name": file.name, "media": file.media}
    return Message("export", fields, {"bytes": np.frombuffer(file.data, np.uint8)})


def _page(workspace: Workspace, lang: str) -> Reply:
    """The run as a page; that is made in pieces, so first only how far it is."""
    run, recorder = workspace.run, workspace.recorder
    if recorder is None or recorder.of != (run, run.end, len(run.events)):
        scratch = cast(Scratch, type(workspace)(workspace.caps))
        recorder = workspace.recorder = Recorder(run, scratch)
        workspace.playing = False
        workspace.changed()
    if recorder.recording is None:
        return {"progress": recorder.progress}
    page = page_file(recorder.recording, lang=lang)
    workspace.recorder = None
    workspace.changed()
    fields = {"name": f"{recorder.recording.name}.html", "media": "text/html"}
    return Message("export", fields, {"bytes": np.frombuffer(page, np.uint8)})


def hello(workspace: Workspace) -> Message:
    """The choices that the page offers."""
    return views.hello(workspace.caps)


# -- the table ------------------------------------------------------------------------------------


class Command(NamedTuple):
    """What does a command, and the fields it takes."""

    call: Callable[..., Reply]
    fields: tuple[str, ...] = ()
    #: Whether it does not matter that the run is still on its way to a step.
    on_the_way: bool = False


COMMANDS: Mapping[str, Command] = {
    "configure": Command(configure, ("settings",)),
    "resize": Command(relative.resize, ("layer", "by")),
    "add_layers": Command(relative.add_layers, ("by",)),
    "activate": Command(relative.activate, ("layer", "activation")),
    "use": Command(relative.use, ("feature", "on")),
    "play": Command(play, ("epochs", "score")),
    "speed": Command(speed, ("epochs",), on_the_way=True),
    "pause": Command(pause, on_the_way=True),
    "step": Command(step, ("unit", "count")),
    "back": Command(back, ("unit", "count"), on_the_way=True),
    "goto": Command(goto, ("step",), on_the_way=True),
    "reset": Command(reset),
    "regenerate": Command(regenerate),
    "new_weights": Command(new_weights),
    "edit": Command(edit, ("parameter", "place", "value")),
    "select_run": Command(select_run, ("run",), on_the_way=True),
    "drop_run": Command(drop_run, ("run",), on_the_way=True),
    "paste": Command(paste, ("text",), on_the_way=True),
    "paint": Command(paint, ("points", "erase")),
    "diagnose": Command(remedies.diagnose),
    "remedy": Command(remedies.remedy, ("step", "settings")),
    "unit": Command(unit, ("column", "index")),
    "link": Command(link, ("text",), on_the_way=True),
    "element": Command(element, ("parameter", "place")),
    "follow": Command(follow, ("row", "wrong")),
    "inside": Command(inside, ("detail", "lang", "of")),
    "explain": Command(explain, ("arrow", "element", "gradient", "row", "update")),
    "code": Command(code, ("lang",)),
    "check": Command(check),
    "export": Command(download, ("what", "lang")),
    "state": Command(views.state, on_the_way=True),
    "hello": Command(hello, on_the_way=True),
}


def find_command(name: object, given: Mapping[str, object]) -> Command:
    """The command of this name, which has all the fields that are given."""
    if not isinstance(name, str) or name not in COMMANDS:
        raise Problems(
            [
                _(
                    "There is no command {name}; {nearest}.",
                    name=shown(name),
                    nearest=nearest(name, COMMANDS),
                )
            ]
        )
    command = COMMANDS[name]
    if wrong := [_no_field(name, field, command) for field in given if field not in command.fields]:
        raise Problems(wrong)
    return command


def _no_field(name: str, field: str, command: Command) -> Text:
    """The sentence for a field that a command does not have."""
    if not command.fields:
        return _(
            "The command {command} has no field {name}; it has none.",
            command=name,
            name=shown(field),
        )
    return _(
        "The command {command} has no field {name}; {nearest}.",
        command=name,
        name=shown(field),
        nearest=nearest(field, command.fields),
    )
