"""The messages that show a session: the choices, the state, and the frame after each step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Protocol

import numpy as np

from chainrule.datasets import playground, spiral
from chainrule.datasets.playground import PLAYGROUND
from chainrule.drawing.theme import DARK, LIGHT
from chainrule.graph.functions import concatenate
from chainrule.lang.messages import Text
from chainrule.layers import Affine, Dropout, Layer
from chainrule.networks import Network
from chainrule.nodes.base import Value, ignore_fp_errors
from chainrule.optimizers import OPTIMIZERS, Optimizer, default_numbers
from chainrule.playground.caps import Caps
from chainrule.playground.data import Array, Data
from chainrule.playground.linking import whole_link, write_link
from chainrule.playground.messages import Fields, Message, told
from chainrule.playground.pace import SPEEDS, Goal, Pace
from chainrule.playground.recording import Recorder
from chainrule.playground.run import Edit, Run
from chainrule.playground.settings import (
    ACTIVATIONS,
    FEATURES,
    INITS,
    LIVE,
    LOSSES,
    Settings,
)
from chainrule.playground.tables import Cells
from chainrule.playground.trouble import Column, Trouble, troubles
from chainrule.settings import below_one
from chainrule.version import __version__

__all__ = ["View", "frame", "hello", "state"]

#: Points along a side: of the map of one output, of each of several, of a unit.
LARGE, MEDIUM, SMALL = 100, 50, 16
#: With more hidden units than these, a large map would take most of the time.
MANY_UNITS = 128
#: Rows of the curve that are sent, points of a thumbnail.
CURVE, THUMB = 400, 200
#: Gradients and slots are sent up to so many parameters.
MOST_GRADIENTS = 5_000
#: So many rows tell whether a unit is dead.
SOME_ROWS = 500
LEARNING_RATES = (1e-5, 1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)
RATES = (0, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)


# -- the choices --------------------------------------------------------------------------------------


def hello(caps: Caps) -> Message:
    """The choices that the page offers."""
    choices = {
        "data": [
            {"key": key, "problem": problem, "plane": plane} for key, problem, plane in _data_sets()
        ],
        "features": list(FEATURES),
        "activations": list(ACTIVATIONS),
        "inits": list(INITS),
        "losses": list(LOSSES),
        "optimizers": [_optimizer(name, kind) for name, kind in OPTIMIZERS.items()],
        "learning_rates": list(LEARNING_RATES),
        "rates": list(RATES),
        "speeds": list(SPEEDS),
    }
    fields = {
        "version": __version__,
        "caps": vars(caps),
        "choices": choices,
        "theme": {"light": LIGHT, "dark": DARK},
        "most_gradients": MOST_GRADIENTS,
    }
    return Message("hello", fields, _thumbs())


def _data_sets() -> list[tuple[str, str, bool]]:
    sets = [
        (key, "regression" if key in ("plane", "gaussian") else "classification", True)
        for key in (*PLAYGROUND, "book_spiral", "painted")
    ]
    return [*sets, ("digits", "classification", False), ("own", "classification", False)]


@cache
def _thumbs() -> dict[str, Array]:
    """Some points of every data set of the plane: x, y, label."""
    found = {}
    for key in (*PLAYGROUND, "book_spiral"):
        x, t = spiral() if key == "book_spiral" else playground(key)
        some = np.random.default_rng(0).permutation(len(x))[:THUMB]
        found[f"thumb_{key}"] = np.column_stack([x[some], t[some]]).astype(np.float32)
    return found


def _optimizer(name: str, kind: type[Optimizer]) -> Fields:
    numbers = []
    for number, default in default_numbers(kind).items():
        most = math.nextafter(1, 0) if kind.hyperparameters.get(number) is below_one else 1.0
        least = 0.0 if number not in kind.hyperparameters or most < 1 else 1e-12
        numbers.append({"name": number, "default": default, "least": least, "most": most})
    return {"key": name, "numbers": numbers, "slots": list(kind.slots)}


class Shown(Protocol):
    """What these messages read of a session."""

    @property
    def run(self) -> Run:
        """The run that is shown."""

    @property
    def runs(self) -> Mapping[int, Run]:
        """All runs, by number."""

    @property
    def version(self) -> int:
        """How often the state has changed."""

    @property
    def moved(self) -> int:
        """How often anything has."""

    @property
    def playing(self) -> bool:
        """Whether it trains."""

    @property
    def pace(self) -> Pace:
        """How fast it plays."""

    @property
    def goal(self) -> Goal:
        """Where it stops playing."""

    @property
    def rate(self) -> float:
        """Rows a second."""

    @property
    def shows(self) -> Mapping[str, bool]:
        """What a link has switched on and off on the page."""

    @property
    def links(self) -> int:
        """How many links have been opened."""

    @property
    def controls(self) -> Mapping[str, str]:
        """What of the page is hidden or locked."""

    @property
    def recorder(self) -> Recorder | None:
        """What makes a recording of the run."""

    @property
    def followed(self) -> int | None:
        """The row that is followed."""

    def view(self) -> View:
        """The maps of the shown run."""


# -- the state ---------------------------------------------------------------------------------


def state(session: Shown) -> Message:
    """All that the page shows, but for what changes with every step."""
    run = session.run
    data, settings = run.data, run.settings
    plane = data.plane(settings.features)
    fields = {
        "version": session.version,
        "settings": settings.as_dict(),
        "problem": data.problem,
        "live": list(LIVE),
        "network": _network(run),
        "data": {
            "train": data.train,
            "test": data.test,
            "names": list(data.names),
            "classes": None if data.classes is None else list(data.classes),
            "target": data.target,
            "unit": list(data.unit),
            "plane": plane and vars(plane),
            "notes": told(data.notes),
            "image": data.image,
        },
        "runs": [_run_entry(other, session.runs, run) for other in session.runs.values()],
        "position": {"run": run.number, "step": run.step, "end": run.end},
        "link": write_link(run),
        "link_whole": whole_link(run),
        "shows": {**session.shows, "link": session.links},
        "controls": dict(session.controls),
        "compatible": settings.mode == "compatible",
        "speed": session.pace.epochs,
        "goal": vars(session.goal),
    }
    arrays: dict[str, Array] = {"labels": data.labels.astype(np.float32)}
    if plane is not None:
        # Whole doubles: a column of seconds since 1970 differs in its last digits only.
        arrays["points"] = np.asarray(data.points(settings.features), float)
        maps = np.zeros((len(data.names), SMALL * SMALL), np.float32)
        known = [name for name in data.names if name in FEATURES or name in settings.features]
        maps[[data.names.index(name) for name in known]] = data.grid(known, SMALL).T
        arrays["features"] = maps.reshape(-1, SMALL, SMALL)
    for other in session.runs.values():
        arrays[f"curve_{other.number}"] = other.curve.sample(CURVE)
    return Message("state", fields, arrays)


def _network(run: Run) -> Fields:
    """The columns of units, and the parameters that lead into each."""
    settings, data, machine = run.settings, run.data, run.machine
    affine = [i for i, layer in enumerate(machine.network.sequence) if isinstance(layer, Affine)]
    columns: list[Fields] = [
        {
            "kind": "features",
            "layer": None,
            "activation": None,
            "units": list(settings.features),
        }
    ]
    for k, (width, activation) in enumerate(
        zip(settings.hidden, settings.activations, strict=True), 1
    ):
        units = [f"h{k}.{j}" for j in range(1, width + 1)]
        columns.append(
            {"kind": "hidden", "layer": affine[k - 1], "activation": activation, "units": units}
        )
    columns.append(
        {
            "kind": "output",
            "layer": affine[-1],
            "activation": output_activation(settings, data),
            "units": _outputs(settings, data),
        }
    )
    names = {
        id(parameter): (kind, affine.index(i) + 1)
        for i in affine
        for kind, parameter in machine.network.sequence[i].parameters.items()
    }
    parameters = []
    for parameter, place in machine.flat.places():
        kind, column = names[id(parameter)]
        parameters.append(
            {
                "name": f"{kind}{column}",
                "column": column,
                "shape": list(parameter.shape),
                "offset": place.start,
            }
        )
    return {"columns": columns, "parameters": parameters}


def output_activation(settings: Settings, data: Data) -> str:
    """What the outputs go through before they are shown."""
    if data.classes is None:
        return "linear"
    return "softmax" if settings.loss == "softmax" else "tanh"


def _outputs(settings: Settings, data: Data) -> list[str]:
    if data.outputs[settings.loss] == 1 or data.classes is None:
        return [data.target or "y"]
    return list(data.classes)


def _run_entry(run: Run, runs: Mapping[int, Run], present: Run) -> Fields:
    parent = runs.get(run.parent) if run.parent is not None else None
    final = run.settings_at(run.end + 1)
    before = Settings() if parent is None else parent.settings_at((run.forked_at or 0) + 1)
    differing = final.differing(before)
    events = [
        {
            "step": event.step,
            "edit": {
                "parameter": event.what.parameter,
                "place": list(event.what.place),
                "value": event.what.value,
            },
        }
        if isinstance(event.what, Edit)
        else {"step": event.step, "settings": _listed(event.what)}
        for event in run.events
    ]
    return {
        "id": run.number,
        "parent": run.parent if parent is not None else None,
        "forked_at": run.forked_at if parent is not None else None,
        "step": run.step,
        "end": run.end,
        "settings": differing,
        "events": events,
        "alike": run.data is present.data and run.start.loss == present.start.loss,
        "table": _table_name(run.data),
    }


def _table_name(data: Data) -> str | None:
    """The name of the file that a table came from; None if it was pasted, or is none."""
    source = data.table.source if isinstance(data, Cells) and data.table is not None else None
    return None if isinstance(source, Text) else source


def _listed(changes: Fields) -> Fields:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in changes.items()}


# -- the frame ---------------------------------------------------------------------------------


class Units(Network):
    """All hidden units of a network side by side, and its outputs: (N, units + outputs)."""

    def __init__(self, network: Network, sequence: Sequence[Layer]) -> None:
        super().__init__()
        self.sequence = tuple(sequence)

    def predict(self, x: Value) -> Value:
        """What every unit gives for x, column by column."""
        found: list[Value] = []
        for layer in self.sequence:
            x = layer.forward(x)
            if isinstance(layer, Affine):
                found.append(x)
            elif not isinstance(layer, Dropout):
                found[-1] = x
        return concatenate(found, axis=1)


class View:
    """Shows the network of one machine at work, over the plane or over the rows."""

    def __init__(self, run: Run, large_map: int = LARGE) -> None:
        machine = run.machine
        self.machine, self.data, self.settings = machine, run.data, run.settings
        self.network, self.loss = machine.network, machine.network.loss
        self.units = Units(self.network, self.network.sequence)
        self.outputs = self.data.outputs[self.settings.loss]
        self.hidden = sum(self.settings.hidden)
        large = self.outputs == 1 and self.hidden <= MANY_UNITS
        self.size = min(large_map, LARGE if large else MEDIUM)
        self.has_plane = self.data.plane(self.settings.features) is not None
        if self.has_plane:
            grids = (self.data.grid(self.settings.features, n) for n in (self.size, SMALL))
            self._large, self._small = grids

    def map(self) -> Array:
        """The outputs over the plane (K, S, S)."""
        found = self.shown(self.network.predict(self._large))
        return _maps(found, self.size)

    def unit_maps(self) -> Array:
        """The hidden units over the plane (U, 16, 16)."""
        return _maps(self.units.predict(self._small)[:, : self.hidden], SMALL)

    def troubles(self, run: Run) -> list[Trouble]:
        """What is wrong with the network as it learns, after its first step."""
        machine = self.machine
        if machine.rows is None or not self.hidden:
            return []
        x = machine.train[0][:SOME_ROWS]
        widths = [*self.settings.hidden, self.outputs]
        ends = np.cumsum(widths)
        names = [*self.settings.activations, output_activation(self.settings, self.data)]
        outputs = np.split(np.asarray(self.units.predict(x)), ends[:-1], axis=1)
        affine = [layer for layer in self.network.sequence if isinstance(layer, Affine)]
        columns = [
            Column(name, y, layer.grads[0])
            for name, y, layer in zip(names, outputs, affine, strict=True)
        ]
        with ignore_fp_errors():  # what is wrong may be that numbers are past all bounds
            return troubles(columns, run.curve.losses(run.step))

    def unit_map(self, k: int) -> Array:
        """The k-th hidden unit over the plane (S, S), as large as a map of one output."""
        grid = self.data.grid(self.settings.features, LARGE)
        found: Array = _maps(self.units.predict(grid)[:, k : k + 1], LARGE)[0]
        return found

    def means(self) -> Array:
        """What every unit gives for the training rows, on average: hidden ones, outputs (U + K,)."""
        y: Array = np.asarray(self.units.predict(self.machine.train[0][:SOME_ROWS]))
        parts = y[:, : self.hidden], self.shown(y[:, self.hidden :])
        found: Array = np.concatenate(parts, axis=1).mean(axis=0).astype(np.float32)
        return found

    def follow(self, row: int) -> tuple[Array, float]:
        """What a row is and every unit makes of it: inputs, hidden units, outputs; and its own loss."""
        x, t = self.machine.row(row)
        y = np.asarray(self.units.predict(x))
        parts = x, y[:, : self.hidden], self.shown(y[:, self.hidden :])
        found: Array = np.concatenate(parts, axis=1)[0]
        return found, self.machine.training.evaluate_prepared(x, t, {})["loss"]

    def answers(self) -> dict[str, Array]:
        """Without a plane: how often each class was taken for each, or the output of every row."""
        y = self._outputs()
        if self.data.classes is None:
            return {"predicted": np.concatenate(y)[:, 0].astype(np.float32)}
        n, count = len(self.data.classes), np.split(self.data.labels, [self.data.train])
        found = np.zeros((2, n, n), np.int32)
        for k, out in enumerate(y):
            np.add.at(found[k], (count[k].astype(int), _answer(out)), 1)
        return {"confusion": found}

    def misread(self) -> Array:
        """The rows that are taken for another class, those to train on first."""
        if self.data.classes is None:
            return np.zeros(0, int)
        return np.flatnonzero(_answer(np.concatenate(self._outputs())) != self.data.labels)

    def _outputs(self) -> list[Array]:
        """The outputs for all rows: those to train on, those to test on."""
        halves = self.machine.train, self.machine.test
        return [
            self.network.predict(x) if len(x) else np.zeros((0, self.outputs)) for x, _ in halves
        ]

    def shown(self, y: Array) -> Array:
        """The outputs as they are shown: after softmax, if that is in the loss."""
        out: Array = self.loss.link(y)
        return out


def _answer(y: Array) -> Array:
    """The class that outputs stand for."""
    answer: Array = (y[:, 0] > 0).astype(int) if y.shape[1] == 1 else y.argmax(axis=1)
    return answer


def _maps(columns: Array, size: int) -> Array:
    return columns.T.reshape(-1, size, size).astype(np.float32)


def frame(session: Shown) -> Message:
    """What changes with every step. Making it changes nothing."""
    run, view = session.run, session.view()
    machine = run.machine
    # Within an epoch the curve has no point yet; what is shown is of the step all the same.
    with ignore_fp_errors():
        scores = machine.scores() if machine.batch else run.scores
    train_loss, test_loss, train_score, test_score = scores
    fields = {
        "seq": session.moved,
        "run": run.number,
        "step": run.step,
        "end": run.end,
        "epoch": machine.epoch,
        "batch": machine.batch,
        "batches": machine.batches,
        "playing": session.playing,
        "rate": session.rate,
        "recording": None if session.recorder is None else session.recorder.progress,
        "loss": machine.loss,
        "train_loss": train_loss,
        "test_loss": test_loss,
        "train_score": train_score,
        "test_score": test_score,
        "trouble": _trouble(run, view),
        "followed": session.followed,
        "followed_loss": None,
        "moved_by": machine.moved_by,
    }
    arrays: dict[str, Array] = {"weights": machine.flat.data.copy()}
    with ignore_fp_errors():
        if view.has_plane:
            arrays["map"] = view.map()
            if view.hidden:
                arrays["units"] = view.unit_maps()
        else:
            arrays |= view.answers()
            if run.data.train:
                arrays["means"] = view.means()
        if session.followed is not None:
            arrays["followed"], fields["followed_loss"] = view.follow(session.followed)
    if machine.flat.data.size <= MOST_GRADIENTS:
        found = {"grads": machine.gradient, "change": machine.change}
        arrays |= {name: array for name, array in found.items() if array is not None}
        arrays["slots"] = machine.slots
    arrays["curve"] = run.curve.sample(CURVE)
    if machine.rows is not None:
        arrays["batch"] = machine.rows.astype(np.int32)
    return Message("frame", fields, arrays)


def _trouble(run: Run, view: View) -> list[Fields]:
    """What is wrong: that it cannot go on, or what `troubles` finds."""
    failed = [Trouble("not_finite")] if run.failure is not None else []
    found = [vars(trouble) | {"step": run.step} for trouble in failed or view.troubles(run)]
    if run.failure is not None:
        found[0]["sentences"] = told([run.failure])
    return found
