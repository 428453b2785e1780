"""Signals while a network trains: they end it after the step that is being made, with nothing lost."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Protocol

from chainrule.training.requeue import requeue

__all__ = ["Interrupt", "end_by", "kept_signals"]

#: Those that end a program, and SIGUSR1, by which a scheduler says that the time is nearly over.
_NAMES = ("SIGTERM", "SIGHUP", "SIGUSR1")


def kept_signals() -> tuple[signal.Signals, ...]:
    """The signals after which a training with checkpoints keeps its state."""
    return tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class _Interruptible(Protocol):
    def interrupt(self) -> None:
        """End training after the current step."""


class Interrupt:
    """Within it, Ctrl-C stops training at the end of the current step; a second one raises at once.

    With `keeps`, signals that would end the program stop training, too, and are in `received`, the
    first of them, for `end_by`. Handlers of the program's own are left in place.
    """

    def __init__(self, trainer: _Interruptible, *, keeps: bool = False) -> None:
        self.trainer = trainer
        self.signals = kept_signals() if keeps else ()
        self.received: signal.Signals | None = None
        self._old: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is not threading.main_thread():
            return self
        for number, default in (
            (signal.SIGINT, signal.default_int_handler),
            *((s, signal.SIG_DFL) for s in self.signals),
        ):
            if signal.getsignal(number) is default:
                self._old[number] = default
                signal.signal(number, self._on_signal)
        return self

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        received = signal.Signals(number)
        if received is signal.SIGINT:
            signal.signal(received, self._old.pop(received))
            self.trainer.interrupt()
        elif self.received is None:
            self.received = received
            self.trainer.interrupt()

    def __exit__(self, *error: object) -> None:
        for number, old in self._old.items():
            signal.signal(number, old)


def end_by(received: signal.Signals, *, first: bool = True) -> None:
    """End the program as the signal would have ended it; after SIGUSR1 with status 0.

    In a job of SLURM, SIGUSR1 puts the job back into the queue first; of ranks the first one does. If
    that is refused, the program ends as by the signal, so that SLURM counts the job as failed.
    """
    if received.name == "SIGUSR1" and (not first or requeue()):
        raise SystemExit(0)
    os.kill(os.getpid(), received)
