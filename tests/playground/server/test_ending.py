"""Ctrl-C: whenever it comes, nothing is left half made, and nothing is said but the farewell."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import uvicorn
from tests.playground.server.process import NOT_BUILT, page_is_built

from chainrule.playground.server.serve import Server
from chainrule.playground.session import Session

pytestmark = pytest.mark.skipif(not page_is_built(), reason=NOT_BUILT)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def assert_gone(server: Server) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port)).close()


def test_asked_before_there_is_a_loop() -> None:
    before = [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)]
    server = Server(Session, port=0)
    with server.ending:
        interrupt()
        server.run()
    assert [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)] == before
    assert_gone(server)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (asyncio.events, "new_event_loop"),
        (uvicorn, "Config"),
        (uvicorn.Server, "capture_signals"),
        (uvicorn.Server, "startup"),
        (uvicorn.Server, "main_loop"),
        (uvicorn.Server, "shutdown"),
    ],
)
def test_asked_while_it_starts_and_ends(
    owner: object, name: str, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(Session, port=0)
    made = getattr(owner, name)

    def asked(*given: object, **named: object) -> object:
        os.kill(os.getpid(), number)
        return made(*given, **named)

    monkeypatch.setattr(owner, name, asked)
    with server.ending:
        if name == "shutdown":
            interrupt()
        server.run()
    assert_gone(server)


@pytest.mark.long
def test_asked_at_any_moment_after_the_link() -> None:
    for turn in range(120):  # a fifth of a second, which is longer than it takes to listen
        running = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "chainrule", "play", "--no-browser", "--port=0"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        with running:
            assert running.stdout is not None
            said = running.stdout.readline()
            time.sleep(turn * 0.002)
            running.send_signal(signal.SIGTERM if turn % 3 == 0 else signal.SIGINT)
            said += running.stdout.read()
        lines = said.splitlines()
        assert lines[-1] == "The playground has ended.", (turn, said)
        assert len(lines) == 3, (turn, said)
        assert running.returncode == 0
