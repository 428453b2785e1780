"""Ctrl-C while a network trains."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from chainrule.training import Callback, Trainer
from chainrule.training.ranks import Ranks

__all__ = ["CtrlC"]


class CtrlC(Callback):
    """Ctrl-C ends the training; the model so far is kept, however often it is pressed.

    Of several trainings in turn, `trainer` is the present one, and `pressed` tells that the others
    are not to begin; `started` from the beginning says that there is something to keep already.
    """

    def __init__(self, trainer: Trainer | None = None, started: bool = False) -> None:
        self.trainer, self.started, self.pressed = trainer, started, False
        self.old: Any = None

    def __enter__(self) -> CtrlC:
        alone = threading.current_thread() is threading.main_thread()
        if alone and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self.old = signal.signal(signal.SIGINT, self._asked)
        return self

    def __exit__(self, *error: object) -> None:
        if self.old is not None:
            signal.signal(signal.SIGINT, self.old)

    @contextmanager
    def left_to_others(self) -> Iterator[None]:
        """Within it, Ctrl-C is handled as if this were not here: many networks end by themselves."""
        if self.old is None:
            yield
            return
        signal.signal(signal.SIGINT, self.old)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, self._asked)
            self.started = True

    def pressed_anywhere(self) -> bool:
        """Whether it was pressed, on any rank of the training: all of them ask, at the same place."""
        return self.pressed if self.trainer is None else Ranks(self.trainer).any(self.pressed)

    def on_start(self, trainer: Trainer) -> None:
        """From now on there is something to keep."""
        self.started = True
        if self.pressed:  # while the network was built
            trainer.interrupt()

    def _asked(self, number: int, frame: FrameType | None) -> None:
        if not self.started:
            raise KeyboardInterrupt
        self.pressed = True
        if self.trainer is not None:
            self.trainer.interrupt()
