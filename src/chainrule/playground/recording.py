"""Recording: the messages of a run at some of its steps, kept to be shown without chainrule."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from chainrule.lang.languages import LANGUAGES
from chainrule.playground.controls import everything
from chainrule.playground.data import Array
from chainrule.playground.messages import Fields, Message
from chainrule.playground.run import Run
from chainrule.playground.run_history import RunHistory

__all__ = ["Recorder", "Recording", "Scratch", "kept_steps", "open_steps"]

#: At most so many steps are kept, the first ones all, and so many of them can be opened.
MOST_STEPS, FIRST, MOST_OPEN = 160, 25, 4
#: So many bytes of frames at most, compressed; of a large network fewer steps are kept.
MOST_BYTES = 1_500_000
#: So many numbers of an open step can be asked why.
MOST_ASKED = 80
#: Maps are rounded to so many levels between the least and the largest of their numbers.
LEVELS = 254
#: The level of what is no number.
NAN = 255
#: What is rounded; all other numbers keep their bits.
MAPS = ("map", "units")
#: What works in a recording; all else is locked, or hidden where it would only be in the way.
WORKING = (
    "showTestData",
    "discretize",
    "playButton",
    "stepButton",
    "resetButton",
    "timeLine",
    "inside",
)
HIDDEN = (
    "export", "links", "ownTable", "newData", "runs", "initialWeights", "problem", "numHiddenLayers", "units",
)  # fmt: skip


def kept_steps(
    end: int, batches: int, changes: Sequence[int] = (), most: int = MOST_STEPS
) -> list[int]:
    """Which steps of a run are kept: the first ones, ends of epochs, changes, the last.

    >>> kept_steps(30, 10, most=8)
    [0, 1, 2, 3, 10, 20, 30]
    """
    first = min(end, FIRST, most // 2 - 1)
    epochs = range(0, end + 1, max(batches, 1))
    room = max(2, most - first - 1)
    picked = np.linspace(0, len(epochs) - 1, min(room, len(epochs))).round().astype(int)
    wanted = {*range(first + 1), *(epochs[i] for i in picked), *changes, end}
    return sorted(step for step in wanted if 0 <= step <= end)


def open_steps(kept: Sequence[int], most: int = MOST_OPEN) -> list[int]:
    """Which of the kept steps can be opened: the first two, and some up to the last.

    >>> open_steps([0, 1, 2, 3, 10, 20, 30, 40], most=4)
    [0, 1, 3, 40]
    """
    rest = [step for step in kept if step > 1]
    count = min(len(rest), most - 2)
    # Equal distances in the logarithm: most happens at the beginning.
    places = np.geomspace(1, max(len(rest), 1), count + 1)[1:].round().astype(int) - 1
    return sorted({*kept[:2], *(rest[i] for i in places)})


class Scratch(Protocol):
    """What a recorder does with a session of its own."""

    history: RunHistory
    moved: int

    @property
    def run(self) -> Run:
        """The run that is shown."""

    def advance_run(self, steps: int, seconds: float | None) -> None:
        """Take steps for at most so long."""

    def hello(self) -> Message:
        """The choices that the page offers."""

    def state(self) -> Message:
        """All that the page shows, but for what changes with every step."""

    def frame(self) -> Message:
        """What changes with every step."""

    def do(self, message: Mapping[str, Any]) -> Message:
        """Do what a command says."""


@dataclass
class Recording:
    """A run as it was recorded: the message of all frames, and those of the steps that can be opened."""

    #: What the run is called in a title: its data set.
    name: str
    #: "recording": hello, state and frames.
    frames: Message
    #: By step and language, "opened": what looking inside answers, and the questions about it.
    opened: dict[tuple[int, str], Message] = field(default_factory=dict)


class Recorder:
    """Makes a recording of a run, a piece at a time; the run itself is left alone.

    A copy of the run goes through the same steps once, to the same bits, in `session`, which is a
    new one. `most` is how many steps are kept at most, `opened` which of them can be opened, by
    default a few.

    >>> from chainrule.playground.session import Session
    >>> session = Session()
    >>> _ = session.do({"do": "step", "count": 60})
    >>> recording = Recorder(session.run, Session()).finish()
    >>> recording.frames.fields["steps"][-2:], sorted({step for step, _ in recording.opened})
    ([50, 60], [0, 1, 6, 60])
    """

    def __init__(
        self,
        run: Run,
        session: Scratch,
        *,
        most: int = MOST_STEPS,
        opened: Sequence[int] | None = None,
    ) -> None:
        self.end, self._failure = run.end, run.failure if run.step == run.end else None
        self.session = session
        #: Of what it is the recording, and that when it is done.
        self.of = (run, run.end, len(run.events))
        self.recording: Recording | None = None
        self.session.history = RunHistory(run.again())
        changes = [event.step for event in run.events]
        wanted = kept_steps(self.end, run.machine.batches, changes, most)
        self.insides = (
            open_steps(wanted) if opened is None else sorted({*opened} & {*range(self.end + 1)})
        )
        self.steps = sorted({*wanted, *self.insides})
        self._frames: list[Message] = []
        self._changes: list[Fields] = []
        self._opened: dict[tuple[int, str], Message] = {}
        self._pieces = self._work()
        self._seconds = 0.1

    @property
    def progress(self) -> float:
        """How much of it is done, from 0 to 1."""
        done = len(self._frames) + 10 * len(self._opened)
        total = len(self.steps) + 10 * len(LANGUAGES) * len(self.insides)
        return done / (total + 1) if self.recording is None else 1.0

    def advance(self, seconds: float) -> bool:
        """Work for about so long, at least one piece; whether there is more to do."""
        self._seconds = seconds
        return next(self._pieces, None) is not None

    def finish(self) -> Recording:
        """Do all that is left; the recording."""
        while self.advance(1.0):
            pass
        assert self.recording is not None
        return self.recording

    # -- the pieces -------------------------------------------------------------------------------

    def _work(self) -> Iterator[bool]:
        """Go to each step that is kept, and take what is shown there."""
        session = self.session
        for step in self.steps:
            while session.run.step < step:
                session.advance_run(step - session.run.step, self._seconds)
                yield True
            if step == self.end:
                session.run.failure = self._failure
            self._frame()
            yield True
            if step in self.insides:
                for lang in LANGUAGES:
                    yield from self._open(lang)
        self.recording = self._packed()

    def _frame(self) -> None:
        session = self.session
        session.moved = len(self._frames) + 1
        frame = session.frame()
        fields = {**frame.fields, "end": self.end, "playing": False}
        arrays = {name: array for name, array in frame.arrays.items() if name != "curve"}
        self._frames.append(Message("frame", fields, arrays))
        settings = session.run.settings.as_dict()
        if not self._changes or self._changes[-1]["settings"] != settings:
            self._changes.append({"frame": len(self._frames) - 1, "settings": settings})

    def _open(self, lang: str) -> Iterator[bool]:
        """Look inside, both ways, and ask why of what people ask most."""
        session, at = self.session, self.session.run.step
        parts: dict[str, bytes] = {}
        for name, detail in (
            ("detail", True),
            ("plain", False),
        ):  # the questions are about the latter
            answer = session.do({"do": "inside", "detail": detail, "lang": lang})
            parts[name] = answer.to_bytes()
            yield True
        if answer.kind == "inside":
            parts["check"] = session.do({"do": "check"}).to_bytes()
            yield True
            answers: list[Fields] = []
            for question in questions(answer):
                told = session.do({"do": "explain", **question})
                answers.append(
                    {**question, "answer": told.fields if told.kind == "explained" else None}
                )
                if len(answers) % 10 == 0:
                    yield True
            parts["asked"] = Message("asked", {"asked": answers}).to_bytes()
        arrays = {name: np.frombuffer(data, np.uint8) for name, data in parts.items()}
        self._opened[at, lang] = Message("opened", {"step": at}, arrays)
        yield True

    def _packed(self) -> Recording:
        """All frames as one message, of fewer steps if it were too large."""
        session = self.session
        state = session.state()
        hello = session.hello()
        frames = self._frames
        while True:
            arrays = {f"hello/{name}": array for name, array in hello.arrays.items()}
            arrays |= {f"state/{name}": array for name, array in state.arrays.items()}
            arrays["curve"] = session.run.curve.sample(400)
            arrays |= packed([frame.arrays for frame in frames])
            fields = {
                "steps": [frame.fields["step"] for frame in frames],
                "insides": self.insides,
                "hello": dict(hello.fields),
                "state": {
                    **state.fields,
                    "controls": everything(but=WORKING, hidden=HIDDEN),
                    "position": {**state.fields["position"], "step": self.end},
                },
                "changes": self._changes,
                "frames": [dict(frame.fields) for frame in frames],
            }
            whole = Message("recording", fields, arrays)
            if (
                len(frames) <= 2 + len(self.insides)
                or len(gzip.compress(whole.to_bytes(), 1)) < MOST_BYTES
            ):
                break
            kept = {*self.insides, frames[-1].fields["step"], *(c["frame"] for c in self._changes)}
            frames = [f for k, f in enumerate(frames) if k % 2 == 0 or f.fields["step"] in kept]
        return Recording(str(session.run.settings.data), whole, self._opened)


def questions(inside: Message) -> list[Fields]:
    """What may be asked of an open step: parameters, their gradients and updates, and the first row."""
    found: list[Fields] = []
    arrows: dict[str, Fields] = inside.fields["arrows"]
    moved = [s["inputs"][1]["arrow"] for s in inside.fields["steps"] if s["phase"] == "update"]
    for gradient in (True, False):
        for name, arrow in arrows.items():
            shape = arrow["shape"]
            if gradient and arrow["gradient"] is None:
                continue
            rows = shape if arrow["parameter"] else [min(shape[0], 1), *shape[1:]] if shape else []
            for place in np.ndindex(*rows):
                question = {"arrow": name, "gradient": gradient, "element": list(place)}
                found.append(question)
                if gradient and name in moved:
                    found.append(
                        {"arrow": name, "gradient": False, "element": list(place), "update": "p"}
                    )
    # Parameters first: they are what the step is for.
    found.sort(key=lambda q: not arrows[q["arrow"]]["parameter"])
    return found[:MOST_ASKED]


# -- the arrays of all frames ----------------------------------------------------------------------


def packed(frames: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """The arrays of all frames, by name: those of the same name one after another.

    A map (…, S, S) of every frame becomes whole numbers from 0 to 254 between its least and its
    largest number, which `range/` has; each is the difference from the frame before, modulo 256.
    Others are as they are. `in/` says which frames have the array.
    """
    found: dict[str, Array] = {}
    for name in sorted({name for frame in frames for name in frame}):
        having = [k for k, frame in enumerate(frames) if name in frame]
        arrays = [frames[k][name] for k in having]
        if name in MAPS and len({array.shape for array in arrays}) == 1:
            levels, ranges = zip(*(rounded(array) for array in arrays), strict=True)
            stack = np.stack(levels)
            found[f"frame/{name}"] = np.diff(stack, axis=0, prepend=np.zeros_like(stack[:1]))
            found[f"range/{name}"] = np.stack(ranges)
        else:
            found[f"frame/{name}"] = np.concatenate([array.ravel() for array in arrays])
            found[f"range/{name}"] = shapes(arrays)
        found[f"in/{name}"] = np.array(having, np.int32)
    return found


def shapes(arrays: Sequence[Array]) -> Array:
    """The shapes of some arrays of the same number of axes, row by row."""
    return np.array([array.shape for array in arrays], np.int32)


def rounded(maps: Array) -> tuple[Array, Array]:
    """Maps (K, S, S) in levels, and the least and the largest number of each (K, 2).

    >>> rounded(np.array([[[0.0, 1.0], [np.nan, 0.5]]]))[0].tolist()
    [[[0, 254], [255, 127]]]
    """
    bounds, levels = [], np.empty(maps.shape, np.uint8)
    for k, one in enumerate(np.asarray(maps, float)):
        finite = one[np.isfinite(one)]
        least, most = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
        scaled = (np.clip(one, least, most) - least) / ((most - least) or 1.0) * LEVELS
        levels[k] = np.where(np.isnan(one), NAN, np.rint(np.nan_to_num(scaled))).astype(np.uint8)
        bounds.append((least, most))
    return levels, np.array(bounds, np.float64)
