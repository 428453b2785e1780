"""Progress: a bar on a terminal or in a notebook, else a plain line for every epoch."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from chainrule.errors import SettingError, shown

__all__ = ["Progress"]


def _numbers(epoch: dict[str, float]) -> str:
    """The figures of an epoch people want to see, in words."""
    parts = []
    for name, value in epoch.items():
        if name in ("lr", "seconds", "penalty"):
            continue
        text = f"{value:.1%}" if name.endswith("accuracy") else f"{value:.4f}"
        if math.isnan(value):
            text = "-"  # R² of targets that are all the same
        parts.append(f"{name.replace('val_', 'held-out ')} {text}")
    return ", ".join(parts)


def _brief(epoch: dict[str, float], room: int | None) -> str:
    """The figures of an epoch beside a bar: what counts most first, as many as there is room for.

    >>> epoch = {"loss": 0.5, "val_loss": 0.75, "val_accuracy": 0.9}
    >>> _brief(epoch, None), _brief(epoch, 30), _brief(epoch, 5)
    ('held-out 90.0%, loss 0.5000, held-out loss 0.7500', 'held-out 90.0%, loss 0.5000', \
'held-out 90.0%')
    """

    def weight(name: str) -> tuple[bool, bool, bool]:
        held = name.startswith("val_")
        return not (held and name != "val_loss"), name != "loss", not held

    told = ""
    for name in sorted(epoch, key=weight):
        figure = _numbers({name: epoch[name]}).replace(
            "accuracy ", "" if "val_" in name else "acc "
        )
        longer = f"{told}, {figure}" if told else figure
        if told and room is not None and len(longer) > room:
            break
        told = longer if figure else told
    return told


class Progress:
    """What a fit shows while it runs: "auto", "bar", "lines", "notes" (no epochs) or None."""

    def __init__(self, mode: str | bool | None, epochs: int, steps: int) -> None:
        if mode is True:
            mode = "auto"
        if mode not in ("auto", "bar", "lines", "notes", None, False):
            raise SettingError(f'progress={shown(mode)} must be "auto", "bar", "lines" or None.')
        if mode == "auto":
            mode = "bar" if sys.stderr.isatty() or "ipykernel" in sys.modules else "lines"
        self.epochs, self.steps = epochs, steps
        self.lines, self.notes = mode == "lines", mode == "notes"
        self.bar: Any = None
        if mode == "bar":
            from tqdm.auto import tqdm

            layout = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
            self.bar = tqdm(total=epochs * steps, bar_format=layout, dynamic_ncols=True)
        self._done = 0
        self._shown = time.monotonic()

    @property
    def shows(self) -> bool:
        """Whether anything is shown."""
        return self.bar is not None or self.lines or self.notes

    def say(self, line: str) -> None:
        """A line for people, beside what is shown; nothing where nothing is to be shown."""
        if self.bar is not None:
            self.bar.write(line, file=sys.stderr)
        elif self.lines or self.notes:
            print(line, file=sys.stderr, flush=True)

    def begin(self) -> None:
        """Count the time from here: what came before was compiling."""
        if self.bar is not None:
            self.bar.reset()

    def step(self, epoch: int, loss: float, steps: int = 1) -> None:
        """After some steps, where there is a bar; it moves ten times a second."""
        self._done += steps
        now = time.monotonic()
        if now - self._shown > 0.1:
            self._shown = now
            self.bar.set_description_str(f"epoch {epoch}/{self.epochs}", refresh=False)
            if not self.bar.postfix:
                self.bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
            self._move()

    def _move(self) -> None:
        self.bar.update(self._done)
        self._done = 0

    def epoch(self, number: int, figures: dict[str, float]) -> None:
        """After an epoch."""
        if self.bar is not None:
            self.bar.set_description_str(f"epoch {number}/{self.epochs}", refresh=False)
            self.bar.set_postfix_str(_brief(figures, self._room()), refresh=False)
        elif self.lines:
            print(f"epoch {number}/{self.epochs}: {_numbers(figures)}", file=sys.stderr, flush=True)

    def _room(self) -> int | None:
        """How many letters fit beside a bar of ten; None where there is no limit (a notebook)."""
        now = self.bar.format_dict
        if not isinstance(now["ncols"], int):
            return None
        whole = now["elapsed"] * self.bar.total / max(now["n"], 1)
        times = len("00:00<00:00") if whole < 3600 else len("00:00:00<00:00:00")
        return int(now["ncols"] - len(f"{self.bar.desc} 100%|| , ") - times - 10)

    def close(self) -> None:
        """The last state of the bar."""
        if self.bar is not None:
            self._move()
            self.bar.refresh()
            self.bar.close()
