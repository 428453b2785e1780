"""Where the server listens, and the addresses under which it is found there."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from chainrule.errors import SettingError, shown
from chainrule.lang.messages import _

__all__ = ["is_loopback", "listen", "own_address"]

#: How many ports are tried, from the one that was asked for.
PORTS = 20
BACKLOG = 128
#: What waits in the system to be read by a client who is slow: old frames, so not much.
SEND_BUFFER = 1 << 18
#: Of a network that nobody has (RFC 5737): nothing is sent there, only the way is looked up.
ELSEWHERE = ("192.0.2.1", 9)


def listen(host: str, port: int) -> socket.socket:
    """A socket listening at the port, or at the next that is free.

    Raises:
        SettingError: if so many ports in a row are taken, or the host is not this machine.
    """
    try:
        family, *_rest, place = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise SettingError(_("There is no address of the host {host}.", host=shown(host))) from None
    last = min(port + PORTS, 1 << 16) if port else 1
    for candidate in range(port, last):
        # With the protocol named, asyncio sends at once what is written (TCP_NODELAY).
        found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":
                # Ports of a server that has just ended; a port in use stays refused.
                found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            found.bind((place[0], candidate))
            found.listen(BACKLOG)
            return found
        except OSError as error:
            found.close()
            if error.errno == errno.EADDRNOTAVAIL:
                raise SettingError(
                    _("The host {host} is no address of this machine.", host=shown(host))
                ) from None
            if error.errno != errno.EADDRINUSE:
                raise
    raise SettingError(
        _(
            "The ports {first} to {last} are all taken; choose another with --port.",
            first=port,
            last=last - 1,
        )
    )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine for itself, so that nobody else can connect.

    >>> is_loopback("localhost"), is_loopback("127.0.0.1"), is_loopback("::"), is_loopback("a.b")
    (True, True, False, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def own_address() -> str:
    """The address by which other machines know this one, or its name where it has none."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(ELSEWHERE)
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()
