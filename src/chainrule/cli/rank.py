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
from typing import TextIO

from chainrule.distributed import Communicator, MPICommunicator, SerialCommunicator
from chainrule.distributed.mpiexec import own_rank
from chainrule.lang.languages import chosen
from chainrule.lang.messages import in_language

__all__ = ["communicator", "enter", "first", "join", "member", "say"]

#: Seconds that a process which has lost its command may take to keep its training.
GRACE = 10.0


class _Process:
    """What this process is: its ranks, and the line to the command that started it."""

    communicator: Communicator = SerialCommunicator()
    started = False
    #: None on another machine than the command's.
    line: socket.socket | None = None


def communicator() -> Communicator:
    """The ranks that this process is one of."""
    return _Process.communicator


def first() -> bool:
    """Whether this is rank 0, which speaks and writes."""
    return communicator().rank == 0


def member() -> bool:
    """Whether a command has started this process, and waits for it."""
    return _Process.started


def join(timeout: float) -> None:
    """Become one of the ranks that mpiexec has started."""
    ranks = MPICommunicator(timeout)
    if _Process.line is not None:
        ranks._guard.tell = lambda why: say(cause=in_language(why, chosen(), "command"))
    elif ranks.rank:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _Process.communicator = ranks


def enter(where: str) -> None:
    """Be a process of the job whose command waits at this place, HOST:PATH."""
    _Process.started = True
    host, _colon, place = where.partition(":")
    if host == socket.gethostname():
        _connect(place)


def _connect(place: str) -> None:
    """Say to the command which process this is, and take from it the streams to write on."""
    line = _Process.line = socket.socket(socket.AF_UNIX)
    try:
        line.connect(place)
        say(rank=own_rank(), pid=os.getpid())
        _told, streams, _flags, _where = socket.recv_fds(line, 1, 2)
    except OSError:  # the command has ended meanwhile
        sys.exit(1)
    for number, stream in zip((1, 2), streams, strict=True):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    threading.Thread(target=_end_with_command, args=(line,), daemon=True).start()


def _stream(number: int) -> TextIO:
    """As Python makes it at its start of what is there then."""
    lines = number == 2 or os.isatty(number)
    before = sys.stdout if number == 1 else sys.stderr
    encoding, errors = before.encoding, before.errors
    return open(number, "w", 1 if lines else -1, encoding, errors, closefd=False)


def say(**told: object) -> None:
    """Tell it to the command; if that has ended, nobody hears it."""
    if _Process.line is None:
        return
    with contextlib.suppress(OSError):
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
