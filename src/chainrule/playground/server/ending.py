"""Ending: Ctrl-C asks the server to end, at whatever moment it comes."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

import uvicorn

__all__ = ["Ending"]

ASKS = (signal.SIGINT, signal.SIGTERM)


class Ending:
    """Inside of `with`, Ctrl-C and SIGTERM raise nothing: they end the server, now or when it runs.

    An exception would strike wherever the program is just then, and half a loop cannot be closed.
    """

    def __init__(self) -> None:
        self.asked = False
        self._server: uvicorn.Server | None = None

    def __enter__(self) -> Ending:
        self._old = {number: signal.signal(number, self._ask) for number in ASKS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for number, old in self._old.items():
            signal.signal(number, old)

    def watch(self, server: uvicorn.Server) -> None:
        """End this server when asked, or at once if that has come already."""
        self._server = server
        if self.asked:
            server.should_exit = True

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if self._server is not None:
            self._server.should_exit = True
