"""Links: a run as the text behind `#` in the page's address; those of TensorFlow Playground, too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn
from urllib.parse import quote, unquote

from chainrule.errors import shown
from chainrule.lang.messages import Spelled, _, _p
from chainrule.playground.caps import Caps
from chainrule.playground.compatible.links import Link, LinkError
from chainrule.playground.controls import WORDS, read_controls
from chainrule.playground.run import Edit, Event, Run
from chainrule.playground.settings import Problems, Settings
from chainrule.playground.translation import link_of, settings_of

__all__ = ["Linked", "read_link", "whole_link", "write_link"]

#: How a link of our own begins.
OURS = "chainrule=1"
#: The last words of a link to a run that has begun.
STEP = "&step="
#: So many steps are made again when a link is opened; a longer run begins at its first step.
MOST_STEPS = 1_000_000
#: So many changes on the way are kept in a link.
MOST_EVENTS = 50
#: What the page may show besides, which it adds to a link itself: `view=test,batch`.
VIEW = ("test", "batch", "discretize")


@dataclass(frozen=True)
class Linked:
    """What a link says: settings, then what to do with the run, and how to look at it."""

    settings: Settings
    events: tuple[Event, ...] = ()
    step: int = 0
    #: What the page is to show, as VIEW names it.
    view: Mapping[str, bool] = field(default_factory=dict)
    #: Sentences about parts of the link that are ignored.
    notes: tuple[str, ...] = ()
    #: The settings that it names; the others may follow from the data.
    named: frozenset[str] = frozenset()
    #: What of the page it hides or locks.
    controls: Mapping[str, str] = field(default_factory=dict)


# -- links of our own --------------------------------------------------------------------------


def whole_link(run: Run) -> bool:
    """Whether the link leads to where the run stands, not only to its beginning."""
    return run.step <= MOST_STEPS and len(run.events) <= MOST_EVENTS


def write_link(run: Run) -> str:
    """The link to a run as it stands, with its `#`; opening it gives the same bits.

    Of a run that took too many steps or changes it is the link to the beginning.

    >>> from chainrule.playground.sources import draw
    >>> settings = Settings(data="xor", hidden=(3,), activations=("relu",))
    >>> write_link(Run(settings, draw(settings)))
    '#chainrule=1&data=xor&hidden=3&activations=relu'
    """
    if run.start.mode == "compatible" and not run.events:
        theirs = link_of(run.start)
        if settings_of(theirs) == run.start:
            # The page of TensorFlow Playground passes over what it does not know, such as a step.
            there = f"{STEP}{run.step}" if 0 < run.step <= MOST_STEPS else ""
            return f"#{theirs}{there}"
    usual = Settings()
    given = run.start.differing(usual)
    plain = replace(run.start, features=usual.features)
    if run.data.suited(plain, {}).features == run.start.features:
        given.pop("features", None)  # those that the data have by themselves
    parts = [OURS, *(f"{name}={_written(value)}" for name, value in given.items())]
    if whole_link(run):
        events = [_event(event) for event in run.events if event.step <= run.step]
        if events:
            parts.append(f"events={quote(json.dumps(events, separators=(',', ':')), safe='')}")
        if run.step:
            parts.append(f"{STEP[1:]}{run.step}")
    return "#" + "&".join(parts)


def _written(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{quote(name, safe='')}:{number!r}" for name, number in value.items())
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return ";".join(",".join(map(str, point)) for point in value)
    if isinstance(value, list):
        return ",".join(_written(entry) for entry in value)
    return quote(value if isinstance(value, str) else json.dumps(value), safe="")


def _event(event: Event) -> list[object]:
    if isinstance(event.what, Edit):
        edit = event.what
        return [event.step, [edit.parameter, list(edit.place), edit.value]]
    return [event.step, dict(event.what)]


def read_link(text: str, caps: Caps) -> Linked:
    """What a link says: one of ours, or of TensorFlow Playground; an address, `#…`, or what follows.

    Raises:
        Problems: what cannot be trained, a sentence for each thing.
    """
    after = text.strip().partition("#")[2] or text.strip()
    if after == OURS or after.startswith(f"{OURS}&"):
        return _read_ours(after, caps)
    if after.startswith("chainrule="):
        raise Problems(
            [_("The link is of another version of chainrule, and cannot be opened here.")]
        )
    text, controls = _without_locks(text)
    begin, _sign, last = text.strip().rpartition(STEP)
    if not (begin and last.isascii() and last.isdigit()):
        begin, last = text, "0"
    if not Link.is_one(begin):
        raise Problems(
            [
                _(
                    "This is no link of the playground: {value}. One begins with #chainrule=1, or says what"
                    " TensorFlow Playground says, such as #dataset=xor.",
                    value=shown(text.strip()),
                )
            ]
        )
    link = Link.parse(begin)
    try:
        link.checked(caps)
    except LinkError as error:
        raise Problems(error.problems) from None
    view = {"test": link.show_test_data, "batch": False, "discretize": link.discretize}
    notes = tuple(Link.passed_over(begin))
    return Linked(settings_of(link), step=_step(last), view=view, notes=notes, controls=controls)


def _without_locks(text: str) -> tuple[str, Mapping[str, str]]:
    """A link without what its page does not know, `…_lock`; and what it hides and locks."""
    parts = text.split("&")
    pairs = [
        (name.rpartition("#")[2], value) for name, _, value in (p.partition("=") for p in parts)
    ]
    kept = [p for p, (name, _) in zip(parts, pairs, strict=True) if not name.endswith("_lock")]
    return "&".join(kept), read_controls(pairs)


def _read_ours(text: str, caps: Caps) -> Linked:
    pairs = dict(part.partition("=")[::2] for part in text.split("&")[1:])
    controls = read_controls(pairs.items())
    pairs = {name: value for name, value in pairs.items() if name[-5:] not in WORDS}
    step = _step(pairs.pop("step", "0"))
    events = _json(unquote(pairs.pop("events", "[]")), "events")
    shows = pairs.pop("view", "").split(",")
    changes = {name: _value(name, unquote(value)) for name, value in pairs.items()}
    settings = Settings().changed(changes, caps)
    view = {name: name in shows for name in VIEW}
    events = _read_events(events, step)
    return Linked(settings, events, step, view, named=frozenset(changes), controls=controls)


def _step(text: str) -> int:
    step = _json(text, "step")
    if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step <= MOST_STEPS:
        called = Spelled("step", page=_p("setting", "Step"))
        raise Problems(
            [
                _(
                    "{name} must be a whole number from {least} to {most}. Got {value}.",
                    name=called,
                    least=0,
                    most=MOST_STEPS,
                    value=shown(step),
                )
            ]
        )
    return step


def _read_events(events: object, step: int) -> tuple[Event, ...]:
    """What was changed on the way; whether it can be done shows when it is."""
    found: list[Event] = []
    for event in events if isinstance(events, list) and len(events) <= MOST_EVENTS else [None]:
        at, what = event if isinstance(event, list) and len(event) == 2 else (None, None)
        last = found[-1].step if found else 0
        if isinstance(at, bool) or not isinstance(at, int) or not last <= at <= step:
            raise Problems([_("The events of the link are not a list of [step, change].")])
        if isinstance(what, list) and len(what) == 3 and isinstance(what[1], list):
            found.append(Event(at, Edit(what[0], tuple(what[1]), what[2])))
        elif isinstance(what, dict):
            found.append(Event(at, what))
        else:
            raise Problems([_("An event of the link is neither settings nor an edit.")])
    return tuple(found)


def _json(text: str, name: str) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise Problems(
            [_("{name} of the link cannot be read. Got {value}.", name=name, value=shown(text))]
        ) from None


def _value(name: str, text: str) -> Any:
    """The value of a field, of the kind that its default is of; `changed` checks the rest."""
    default = getattr(Settings(), name, None)
    if isinstance(default, Mapping):
        pairs = (part.partition(":") for part in text.split(",") if part)
        return {key: _json(value, name) for key, _sign, value in pairs}
    if name == "points":
        points = (part.split(",") for part in text.split(";") if part)
        return [[_json(number, name) for number in point] for point in points]
    if isinstance(default, tuple):
        entries = [entry for entry in text.split(",") if entry]
        return [_json(entry, name) for entry in entries] if name == "hidden" else entries
    if isinstance(default, str) or name in ("target", "data_seed"):
        return _seed(text) if name == "data_seed" else text
    return _json(text, name)


def _seed(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else text
