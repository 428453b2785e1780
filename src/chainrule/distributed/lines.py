"""Lines: a rank sends its signs to the next one, over TCP, since MPI may be for one thread alone."""

from __future__ import annotations

import contextlib
import hmac
import secrets
import socket
import time
from contextlib import ExitStack
from typing import Any

import numpy as np

from chainrule.distributed.signs import SIZE, Sign

__all__ = ["Lines"]

#: Seconds that a rank tries to reach the next one by one of its names, and waits for the one before.
PATIENCE = 5.0
#: The bytes of a secret, and those of a machine's name.
SECRET, NAME = 16, 256
LOOPBACK = "127.0.0.1"


class Lines:
    """The line to the next rank, and that from the one before; all ranks make them together.

    On one machine nobody else's can reach them. Who knocks has to know the secret that rank 0 has
    drawn, and says nothing but signs.
    """

    def __init__(self, ranks: Any) -> None:
        rank, size = ranks.Get_rank(), ranks.Get_size()
        secret = np.frombuffer(secrets.token_bytes(SECRET), np.uint8).copy()
        ranks.Bcast(secret, 0)
        name = socket.gethostname().encode()[:NAME]
        names = np.zeros((size, NAME), np.uint8)
        ranks.Allgather(np.frombuffer(name.ljust(NAME, b"\0"), np.uint8), names)
        hosts = [bytes(row).rstrip(b"\0").decode() for row in names]
        #: Whether the rank before has been heard, or at least reached this one.
        self.open = False
        self._to: socket.socket | None = None
        self._from: socket.socket | None = None
        self._out, self._in = b"", b""
        ports = np.zeros(size, np.int64)
        with _door(alone=len(set(hosts)) == 1) as door:
            ranks.Allgather(np.array([door.getsockname()[1]]), ports)
            following = (rank + 1) % size
            near = [LOOPBACK] if hosts[following] == hosts[rank] else []
            self._to = _reached([*near, hosts[following]], int(ports[following]), bytes(secret))
            reached = np.zeros(size, np.int64)
            ranks.Allgather(np.array([int(self._to is not None)]), reached)
            #: The ranks that could not reach the next one.
            self.lost = np.flatnonzero(reached == 0).tolist()
            if reached[rank - 1]:
                self._from = _knocked(door, bytes(secret))
        self.open = self._from is not None

    def send(self, sign: Sign) -> None:
        """Send a sign, unless the one before is still on its way."""
        if self._to is None:
            return
        self._out = self._out or sign.packed
        try:
            self._out = self._out[self._to.send(self._out) :]
        except BlockingIOError:
            pass
        except OSError:  # there is nobody any more
            self._to.close()
            self._to = None

    def take(self) -> list[Sign]:
        """The signs that have come; `open` is then whether the rank before is still there."""
        while self.open:
            assert self._from is not None
            try:
                told = self._from.recv(64 * SIZE)
            except BlockingIOError:
                break
            except OSError:
                told = b""
            self.open = bool(told)
            self._in += told
        whole = len(self._in) // SIZE * SIZE
        signs = [Sign.of(self._in[at : at + SIZE]) for at in range(0, whole, SIZE)]
        self._in = self._in[whole:]
        return signs

    def close(self) -> None:
        """Close both lines."""
        for line in (self._to, self._from):
            if line is not None:
                line.close()
        self._to, self.open = None, False


def _door(*, alone: bool) -> socket.socket:
    """What the rank before is to knock at: from this machine, or from any."""
    if alone:
        return socket.create_server((LOOPBACK, 0))
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", 0))


def _reached(hosts: list[str], port: int, secret: bytes) -> socket.socket | None:
    """The line to a rank, by the first of its names that leads to it."""
    for host in hosts:
        with contextlib.suppress(OSError), ExitStack() as opened:
            line = opened.enter_context(socket.create_connection((host, port), PATIENCE))
            line.sendall(secret)
            line.setblocking(False)
            opened.pop_all()
            return line
    return None


def _knocked(door: socket.socket, secret: bytes) -> socket.socket | None:
    """The line from the rank before, which knows the secret."""
    until = time.monotonic() + PATIENCE
    while (left := until - time.monotonic()) > 0:
        door.settimeout(left)
        with contextlib.suppress(OSError), ExitStack() as opened:
            line = opened.enter_context(door.accept()[0])
            line.settimeout(1.0)
            if hmac.compare_digest(_first(line), secret):
                line.setblocking(False)
                opened.pop_all()
                return line
    return None


def _first(line: socket.socket) -> bytes:
    """The first bytes of a line, as many as a secret has."""
    told = b""
    while len(told) < SECRET and (more := line.recv(SECRET - len(told))):
        told += more
    return told
