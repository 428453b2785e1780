"""A process of a job: one that `launch` has started runs the command as one rank, or as the only one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

from chainrule.cli import main as run_command
from chainrule.distributed import Communicator, MPICommunicator, SerialCommunicator
from chainrule.distributed.mpiexec import own_rank
from chainrule.lang.languages import chosen
from chainrule.lang.messages import in_language

__all__ = ["communicator", "first", "join", "main", "member"]

#: Seconds that a process which has lost its command may take to keep its training.
GRACE = 10.0


class _Process:
    """What this process is: its ranks, and the line to the command that started it."""

    communicator: Communicator = SerialCommunicator()
    line: socket.socket | None = None


def communicator() -> Communicator:
    """The ranks that this process is one of."""
    return _Process.communicator


def first() -> bool:
    """Whether this is rank 0, which speaks and writes."""
    return communicator().rank == 0


def member() -> bool:
    """Whether a command has started this process, and waits for it."""
    return _Process.line is not None


def join(timeout: float) -> None:
    """Become one of the ranks that mpiexec has started."""
    ranks = MPICommunicator(timeout)
    if member():
        ranks._guard.tell = lambda why: _say(cause=in_language(why, chosen(), "command"))
    elif ranks.rank:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _Process.communicator = ranks


def main() -> None:
    """Run the command, with the place of the line to who started it as the first argument."""
    place = sys.argv.pop(1)
    line = _Process.line = socket.socket(socket.AF_UNIX)
    line.connect(place)
    _say(rank=own_rank(), pid=os.getpid())
    _told, streams, _flags, _where = socket.recv_fds(line, 1, 2)
    for number, stream in zip((1, 2), streams, strict=True):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())  # type: ignore[union-attr]
    threading.Thread(target=_end_with_command, args=(line,), daemon=True).start()
    code: Any = 70
    try:
        run_command()
    except SystemExit as ended:
        code = ended.code or 0
        raise
    finally:
        _say(done=code)


def _say(**told: object) -> None:
    """Tell it to the command; if that has ended, nobody hears it."""
    with contextlib.suppress(OSError):
        assert _Process.line is not None
        _Process.line.sendall(json.dumps(told).encode() + b"\n")


def _end_with_command(line: socket.socket) -> None:
    """End when the command that started this has ended, however it did: as SIGTERM ends it.

    The training is kept, if it has checkpoints.
    """
    with contextlib.suppress(OSError):
        while line.recv(1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    from chainrule.cli.rank import (
        main as start,
    )  # this module by its name, which the command imports

    start()
