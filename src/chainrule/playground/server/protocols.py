"""What uvicorn's protocols leave open: limits on connections that say nothing, or never read."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from chainrule.playground.server.limits import Limits

__all__ = ["protocols"]

#: Connections beside the WebSockets: the page's files, uploads, and those not yet let in.
OTHERS = 64
#: Parts of one WebSocket message; empty ones would cost memory for ever.
PARTS = 256


def protocols(
    limits: Limits,
) -> tuple[type[asyncio.Protocol], type[asyncio.Protocol]]:
    """The protocols of HTTP and of WebSockets under these limits."""

    class Http(H11Protocol):
        """A connection must send a request's header in time, and finds room or is closed."""

        deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > limits.clients + OTHERS:
                transport.abort()
            self.deadline = self.loop.call_later(limits.handshake, transport.abort)

        def handle_events(self) -> None:
            before = self.scope
            super().handle_events()
            if self.scope is not before and self.deadline is not None:
                self.deadline.cancel()
                self.deadline = None

        def on_response_complete(self) -> None:
            if self.deadline is None and not self.transport.is_closing():
                self.deadline = self.loop.call_later(limits.handshake, self.transport.abort)
            super().on_response_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            if self.deadline is not None:
                self.deadline.cancel()
            super().connection_lost(exc)

    class WebSocket(WebSocketsSansIOProtocol):
        """A connection that the application can cut, and whose pings wait for nothing."""

        def handle_connect(self, event: Request) -> None:
            super().handle_connect(event)
            if self.response.status_code == 101:
                # A client that never reads takes no closing frame either.
                state: dict[str, Any] = self.scope["state"]
                state["abort"] = self.transport.abort

        async def send(self, message: ASGISendEvent) -> None:
            await self.writable.wait()
            if self.close_sent:  # for a broken rule or a ping without answer: as good as gone
                raise ClientDisconnected
            await super().send(message)

        def handle_cont(self, event: Frame) -> None:
            if len(self.frames) >= PARTS:
                self.conn.fail(CloseCode.POLICY_VIOLATION, "too many parts")
                self.handle_parser_exception()
            else:
                super().handle_cont(event)

        def handle_ping(self) -> None:
            if self.writable.is_set():
                super().handle_ping()
            else:  # no answer for who does not read the earlier ones
                self.conn.data_to_send()

    return Http, WebSocket
