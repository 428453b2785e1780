"""A real server in a process of its own, spoken to with plain sockets, so that nothing is hidden."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

__all__ = ["Answer", "Served", "header", "serving", "until"]


@dataclass(frozen=True)
class Answer:
    """An answer of HTTP: status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Served:
    """The process, its port, and the token in the link that it printed."""

    process: subprocess.Popen[str]
    port: int
    token: str
    said: str
    cookies: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    @property
    def cookie(self) -> str:
        """The cookie of a learner, always the same one."""
        if not self.cookies:
            self.cookies.append(self.enter())
        return self.cookies[0]

    def memory(self) -> int:
        """Bytes that the process holds in memory."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def enter(self) -> str:
        """The cookie of a new learner."""
        answer = self.get(f"/?token={self.token}", cookie=None)
        assert answer.status == 303, answer
        return answer.headers["set-cookie"].partition(";")[0]

    def raw(self, data: bytes, seconds: float = 5.0) -> bytes:
        """What comes back for these bytes, until the other side closes or says no more."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as one:
            heard = b""
            try:
                one.sendall(data)
                while part := one.recv(1 << 16):
                    heard += part
            except (TimeoutError, ConnectionError):
                pass
            return heard

    def request(
        self, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b""
    ) -> Answer:
        """A request with exactly these headers."""
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        head = ("\r\n".join(lines) + "\r\nConnection: close\r\n\r\n").encode("latin-1")
        heard, _, found = self.raw(head + body).partition(b"\r\n\r\n")
        first, *rest = heard.decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in rest]
        return Answer(int(first.split()[1]), {n.lower(): v for n, v in pairs}, found)

    def get(self, path: str, cookie: str | None = "", **headers: str) -> Answer:
        """A GET as the page makes it, other headers added."""
        return self.request("GET", path, self.headers(cookie, **headers))

    def headers(self, cookie: str | None = "", **more: str) -> list[tuple[str, str]]:
        chosen = self.cookie if cookie == "" else cookie
        known = [("Host", self.host)] + ([("Cookie", chosen)] if chosen else [])
        return known + [(name.replace("_", "-"), value) for name, value in more.items()]

    def handshake(self, *headers: tuple[str, str]) -> bytes:
        """The bytes that open a WebSocket, with these headers beside the protocol's own."""
        own = [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ]  # fmt: skip
        lines = ["GET /socket HTTP/1.1", *(f"{name}: {value}" for name, value in [*own, *headers])]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    @contextmanager
    def opened(self, receive_buffer: int = 0) -> Iterator[socket.socket]:
        """A WebSocket of our page as a plain socket, from after the handshake on."""
        with socket.socket() as one:
            one.settimeout(60)
            if receive_buffer:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            one.connect(("127.0.0.1", self.port))
            one.sendall(self.handshake(*self.headers(Origin=self.origin)))
            heard = b""
            while not heard.endswith(b"\r\n\r\n"):
                heard += one.recv(1)
            assert heard.startswith(b"HTTP/1.1 101 ")
            yield one

    def shake(self, *headers: tuple[str, str]) -> int:
        """The status with which a handshake with these headers is answered."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as one:
            one.sendall(self.handshake(*headers))
            return int(one.recv(1 << 12).split()[1])

    def client(self, cookie: str | None = None) -> ClientConnection:
        """A WebSocket as the page opens it."""
        return connect(
            f"ws://{self.host}/socket",
            additional_headers={"Cookie": cookie or self.cookie, "Origin": self.origin},
            compression=None,
            max_size=None,
            proxy=None,
        )


NOT_BUILT = "the page is not built: pip install -e . does it"


def page_is_built() -> bool:
    return files("chainrule.playground").joinpath("static", "index.html").is_file()


@contextmanager
def serving(*options: str, port: int = 0) -> Iterator[Served]:
    """A server with these options; it is ended as people end it, with Ctrl-C."""
    if not page_is_built():
        pytest.skip(NOT_BUILT)
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "chainrule", "play", "--no-browser",
         "--port", str(port), *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        link = re.search(r"http://[^\s/]+:(\d+)/\?token=([\w-]+)", said)
        assert link, said
        served = Served(process, int(link[1]), link[2], said)
        yield served
    finally:
        process.send_signal(signal.SIGINT)
        try:
            served.said += process.communicate(timeout=60)[0]
        finally:
            process.kill()
            process.stdout.close()


def header(message: bytes | str) -> dict[str, Any]:
    """The header of a message."""
    assert isinstance(message, bytes)
    size = int.from_bytes(message[:4], "little")
    found: dict[str, Any] = json.loads(message[4 : 4 + size])
    return found


def until(client: ClientConnection, kind: str, seconds: float = 60.0, **wanted: Any) -> Any:
    """The header of the next message of a kind, with these fields."""
    end = time.monotonic() + seconds
    while True:
        found = header(client.recv(timeout=max(end - time.monotonic(), 0.01)))
        if found["kind"] == kind and all(found.get(name) == v for name, v in wanted.items()):
            return found
