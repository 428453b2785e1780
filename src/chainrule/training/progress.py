"""Progress: a bar on a terminal or in a notebook; elsewhere a plain line for every epoch."""

from __future__ import annotations

import math
import shutil
import statistics
import sys
import time
from functools import reduce
from typing import Any, ClassVar

from chainrule.errors import SettingError, shown
from chainrule.lang.messages import Message, Text, _, _n, _p, in_language
from chainrule.text_width import cells_wide, wrapped

__all__ = ["Progress", "ProgressOfMany", "ProgressOfParts", "ProgressOfTrials"]


#: What a bar shows, and what a terminal shows that is too narrow for a bar beside the first figure.
WIDE = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
NARROW = "{desc} {percentage:3.0f}%{postfix}"
#: Seconds between the lines for many networks.
LINE_SECONDS = 5.0
#: The labels of a history's columns in progress lines; other columns keep their own names.
NAMES = {
    "loss": _("loss"),
    "accuracy": _("accuracy"),
    "val_loss": _("held-out loss"),
    "val_accuracy": _("held-out accuracy"),
}
#: The shorter labels beside a bar.
BRIEF = NAMES | {"accuracy": _p("accuracy", "acc"), "val_accuracy": _p("accuracy", "held-out")}


def _figures(epoch: dict[str, float], names: dict[str, Message]) -> dict[str, Text]:
    """The figures of an epoch to show, each with its label, by the name of the column."""
    texts: dict[str, Text] = {}
    for name, value in epoch.items():
        if name in ("lr", "seconds", "penalty"):
            continue
        number = f"{value:.1%}" if name.endswith("accuracy") else f"{value:.4f}"
        if math.isnan(value):
            number = "-"  # R² of targets that are all the same
        label: str = name
        if name in names:
            label = names[name]
        elif name.startswith("val_"):
            label = _("held-out {name}", name=name.removeprefix("val_"))
        texts[name] = _("{name} {number}", name=label, number=number)
    return texts


def _both(told: Text, more: Text) -> Text:
    return _("{told}, {more}", told=told, more=more)


def _brief(epoch: dict[str, float], room: int | None, lang: str = "en") -> str:
    """The figures of an epoch beside a bar: the most important first, as many as fit in `room` cells.

    >>> epoch = {"loss": 0.5, "val_loss": 0.75, "val_accuracy": 0.9}
    >>> _brief(epoch, None), _brief(epoch, 30), _brief(epoch, 5)
    ('held-out 90.0%, loss 0.5000, held-out loss 0.7500', 'held-out 90.0%, loss 0.5000', \
'held-out 90.0%')
    """

    def weight(name: str) -> tuple[bool, bool, bool]:
        held = name.startswith("val_")
        return not (held and name != "val_loss"), name != "loss", not held

    figures = _figures(epoch, BRIEF)
    first, *others = sorted(figures, key=weight)
    text = figures[first]
    for name in others:
        longer = _both(text, figures[name])
        if room is not None and cells_wide(longer.said(lang)) > room:
            break
        text = longer
    return text.said(lang)


class Progress:
    """Shows the progress of a fit in the language `lang`.

    `mode`: "auto", "bar", "lines" (one per epoch), "notes" (only the lines of `say`), or None.
    """

    #: How the bar is made: see tqdm.
    OPTIONS: ClassVar[dict[str, Any]] = {}

    def __init__(self, mode: str | bool | None, epochs: int, steps: int, lang: str = "en") -> None:
        if mode is True:
            mode = "auto"
        if mode not in ("auto", "bar", "lines", "notes", None, False):
            raise SettingError(
                _(
                    'progress={mode} must be "auto", "bar", "lines" or None.',
                    mode=shown(mode),
                )
            )
        if mode == "auto":
            mode = "bar" if sys.stderr.isatty() or "ipykernel" in sys.modules else "lines"
        self.epochs, self.steps, self.lang = epochs, steps, lang
        self.lines, self.notes = mode == "lines", mode == "notes"
        self.bar: Any = None
        if mode == "bar":
            from tqdm.auto import tqdm

            self.bar = tqdm(
                total=epochs * steps, bar_format=WIDE, dynamic_ncols=True, **self.OPTIONS
            )
        self._done = 0
        self._shown = time.monotonic()

    @property
    def shows(self) -> bool:
        """Whether anything is shown."""
        return self.bar is not None or self.lines or self.notes

    def say(self, line: str) -> None:
        """Show a line of text, above a bar if there is one; nothing if nothing is shown."""
        text = in_language(line, self.lang)
        if sys.stderr.isatty():
            text = "\n".join(wrapped(text, shutil.get_terminal_size().columns))
        if self.bar is not None:
            self.bar.write(text, file=sys.stderr)
        elif self.lines or self.notes:
            print(text, file=sys.stderr, flush=True)

    def begin(self) -> None:
        """Restart the clock of the bar: the time before was compiling."""
        if self.bar is not None:
            self.bar.reset()

    def step(self, epoch: int, loss: float, steps: int = 1) -> None:
        """Advance the bar after some steps; it is redrawn ten times a second."""
        self._done += steps
        now = time.monotonic()
        if now - self._shown > 0.1:
            self._shown = now
            self._name(epoch)
            if not self.bar.postfix:
                self._put_beside({"loss": loss})
            self._move()

    def _name(self, epoch: int) -> None:
        name = _("epoch {epoch}/{epochs}", epoch=epoch, epochs=self.epochs)
        self.bar.set_description_str(name.said(self.lang), refresh=False)

    def _move(self) -> None:
        self.bar.update(self._done)
        self._done = 0

    def epoch(self, number: int, figures: dict[str, float]) -> None:
        """Show the figures of an epoch that has ended."""
        if self.bar is not None:
            self._name(number)
            self._put_beside(figures)
        elif self.lines:
            line = _(
                "epoch {epoch}/{epochs}: {figures}",
                epoch=number,
                epochs=self.epochs,
                figures=reduce(_both, _figures(figures, NAMES).values()),
            )
            print(line.said(self.lang), file=sys.stderr, flush=True)

    def _put_beside(self, figures: dict[str, float]) -> None:
        """Put the figures beside the bar, or in its place where there is no room for both."""
        wide, narrow = self._rooms()
        text = _brief(figures, wide, self.lang)
        fits = wide is None or cells_wide(text) <= wide or cells_wide(text) > narrow
        self.bar.bar_format = WIDE if fits else NARROW
        text = text if fits else _brief(figures, narrow, self.lang)
        self.bar.set_postfix_str(text, refresh=False)

    def _rooms(self) -> tuple[int | None, int]:
        """How many cells are left beside a bar of ten, and without it; None for no limit (a notebook)."""
        now = self.bar.format_dict
        if not isinstance(now["ncols"], int):
            return None, 0
        whole = now["elapsed"] * self.bar.total / max(now["n"], 1)
        times = len("00:00<00:00") if whole < 3600 else len("00:00:00<00:00:00")
        narrow = now["ncols"] - cells_wide(f"{self.bar.desc} 100%, ")
        return narrow - len("|| ") - times - 10, narrow

    def close(self) -> None:
        """Bring the bar to its last state, and close it."""
        if self.bar is not None:
            self._move()
            self.bar.refresh()
            self.bar.close()


class ProgressOfMany(Progress):
    """Shows the progress of several fits at once: one bar, or a line every few seconds."""

    def __init__(self, mode: str | bool | None, networks: int, epochs: int, lang: str) -> None:
        super().__init__(mode, networks * epochs, 1, lang)
        self.networks, self.ended = networks, 0
        #: The last losses of those that have ended, and had an epoch.
        self._losses: list[float] = []

    def advance(self, epochs: int, spared: int = 0) -> None:
        """A network has made some epochs more, and is spared others."""
        if self.bar is None:
            return
        self._done += epochs + spared
        if time.monotonic() - self._shown > 0.1:
            self._shown = time.monotonic()
            self.bar.set_description_str(self._told().said(self.lang), refresh=False)
            self._move()

    def end(self, loss: float) -> None:
        """A network has ended, with this loss; NaN if that was before its first epoch had."""
        self.ended += 1
        self._losses += [] if math.isnan(loss) else [loss]
        late = time.monotonic() - self._shown > LINE_SECONDS
        if self.lines and (late or self.ended == self.networks):
            self._shown = time.monotonic()
            print(self._told().said(self.lang), file=sys.stderr, flush=True)

    def _told(self) -> Text:
        counted = _n(
            "{ended:,} of {n:,} network trained",
            "{ended:,} of {n:,} networks trained",
            self.networks,
            ended=self.ended,
        )
        if not self._losses:
            return counted
        return _both(counted, _("mean loss {loss:.4f}", loss=statistics.fmean(self._losses)))

    def close(self) -> None:
        """Bring the bar to its last state, and close it; a line says it if not all have ended."""
        if self.bar is not None:
            self.bar.set_description_str(self._told().said(self.lang), refresh=False)
        elif self.lines and self.ended < self.networks:
            print(self._told().said(self.lang), file=sys.stderr, flush=True)
        super().close()


class ProgressOfTrials(Progress):
    """Shows the progress of trials of settings: a bar over all of them, or a line for each."""

    def __init__(self, mode: str | bool | None, trials: int, lang: str) -> None:
        super().__init__(mode, trials, 1, lang)

    def within(self, ended: float) -> None:
        """So many trials have ended, and a part of the present one."""
        if self.bar is not None and time.monotonic() - self._shown > 0.1:
            self._shown = time.monotonic()
            self.bar.n = min(ended, self.bar.total)
            self.bar.refresh()

    def end(self, ended: int, line: Text, best: Text) -> None:
        """A trial has ended: a line on it, and what is the best so far."""
        if self.bar is not None:
            name = _("trial {ended}/{trials}", ended=ended, trials=self.epochs)
            self.bar.set_description_str(name.said(self.lang), refresh=False)
            self.bar.set_postfix_str(best.said(self.lang), refresh=False)
            self.bar.n = min(ended, self.bar.total)
            self.bar.refresh()
        elif self.lines:
            told = _("{ended}/{trials}: {line}", ended=ended, trials=self.epochs, line=line)
            print(told.said(self.lang), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()


class ProgressOfParts(Progress):
    """Shows the progress of a computation in parts: a bar, if it takes long, or a line now and then."""

    OPTIONS: ClassVar[dict[str, Any]] = {"delay": 1.0, "leave": False}

    def __init__(self, mode: str | bool | None, what: Text, parts: int, lang: str) -> None:
        super().__init__(mode, parts, 1, lang)
        self.what = what
        if self.bar is not None:
            self.bar.set_description_str(what.said(lang), refresh=False)

    def advance(self) -> None:
        """A part more is done."""
        self._done += 1
        if self.bar is not None:
            self._move()
        elif self.lines and time.monotonic() - self._shown > LINE_SECONDS:
            self._shown = time.monotonic()
            told = _(
                "{what}: {done:,} of {parts:,}", what=self.what, done=self._done, parts=self.epochs
            )
            print(told.said(self.lang), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
