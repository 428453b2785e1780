"""Serve: the sockets, the loop and the worker, from the first request to Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import webbrowser
from collections.abc import Callable

import uvicorn

from chainrule.playground.server.access import Access
from chainrule.playground.server.app import application
from chainrule.playground.server.classroom import Classroom
from chainrule.playground.server.ending import Ending
from chainrule.playground.server.guards import Hosts
from chainrule.playground.server.learners import Learners
from chainrule.playground.server.limits import Limits
from chainrule.playground.server.listening import is_loopback, listen, own_address
from chainrule.playground.server.protocols import protocols
from chainrule.playground.server.static import built_page
from chainrule.playground.server.teaching import Teaching
from chainrule.playground.server.worker import Worker
from chainrule.playground.session import Session

__all__ = ["Server"]

#: Seconds between looks for sessions that nobody comes back to.
TIDY = 60
#: Seconds after which Ctrl-C no longer waits for those who are connected.
GOODBYE = 1
WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104 - asked for by --host, and then --allow-remote


class Server:
    """The playground at a port: `link` lets people in, `run` serves until Ctrl-C.

    The port is taken at once, so that a browser may be opened before everything is ready.
    """

    def __init__(
        self,
        begin: Callable[[], Session],
        host: str = "127.0.0.1",
        port: int = 8700,
        limits: Limits | None = None,
        *,
        class_: bool = False,
    ) -> None:
        self.begin, self.limits = begin, limits or Limits()
        self.page = built_page()
        self.socket = listen(host, port)
        self.port: int = self.socket.getsockname()[1]
        self.access = Access(self.port)
        #: The code by which pupils join, if this is a class.
        self.code = self.access.open_class() if class_ else None
        self.ending = Ending()
        self.remote = not is_loopback(host)
        #: The host of links for this machine, and that for others.
        self.near = "127.0.0.1" if host in WILDCARDS else host
        self.far = own_address() if host in WILDCARDS else host
        names = {host, self.far, socket.gethostname()} - WILDCARDS if self.remote else {host}
        self.hosts = Hosts(self.port, map(bracketed, names))

    @property
    def address(self) -> str:
        """The address that others type."""
        return f"http://{bracketed(self.far)}:{self.port}/"

    def link(self, host: str, token: str, lang: str | None = None) -> str:
        """The address of the page with a token, and perhaps with a language."""
        chosen = f"&lang={lang}" if lang else ""
        return f"http://{bracketed(host)}:{self.port}/?token={token}{chosen}"

    def open_browser(self, lang: str | None = None) -> None:
        """Open the page in this machine's browser, with a link that is good for once."""
        once = self.access.once(teacher=self.code is not None)
        link = self.link(self.near, once, lang)
        threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()

    def run(self) -> None:
        """Serve until Ctrl-C or SIGTERM, which may have come since `with server.ending:`."""
        # Malformed requests are nothing to report, and faults the guards report.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        asyncio.run(self.serve())

    async def serve(self) -> None:
        """Serve, with the worker beside."""
        learners = Learners(self.limits)

        async def tidy() -> None:
            learners.tidy()

        room = Classroom(learners) if self.code is not None else None
        worker = Worker(learners, self.limits, self.begin, room)
        teaching = None
        if room is not None and self.code is not None:
            teaching = Teaching(room, worker, self.limits, (self.address, self.code))
        http, websocket = protocols(self.limits)
        config = uvicorn.Config(
            application(
                self.page, self.access, self.hosts, learners, worker, self.limits, teaching
            ),
            http=http,
            ws=websocket,
            ws_max_size=self.limits.message,
            ws_ping_interval=self.limits.ping,
            ws_ping_timeout=self.limits.ping,
            ws_per_message_deflate=False,
            h11_max_incomplete_event_size=self.limits.header,
            timeout_keep_alive=int(self.limits.handshake),
            timeout_graceful_shutdown=GOODBYE,
            timeout_notify=TIDY,
            callback_notify=tidy,
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
        )
        server = uvicorn.Server(config)
        self.ending.watch(server)
        worker.start()
        try:
            await server.serve([self.socket])
        finally:
            worker.stop()
            for connection in server.server_state.connections:  # those that take no goodbye
                connection.transport.abort()


def bracketed(host: str) -> str:
    """A host as it stands in a link: addresses of IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host
