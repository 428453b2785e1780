"""How much is let in, how long it may take, and what becomes of who does not keep to it."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Iterator

import pytest
from tests.playground.server.process import Answer, Served, header, serving, until
from websockets.exceptions import ConnectionClosed, InvalidStatus

from chainrule.errors import SettingError
from chainrule.playground.messages import Message
from chainrule.playground.server.learners import Client, Learners
from chainrule.playground.server.limits import Limits
from chainrule.playground.server.listening import listen


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as found:
        yield found


# -- connections ----------------------------------------------------------------------------------


def test_clients_are_counted_and_too_many_are_told_to_come_later() -> None:
    with serving("--max-clients", "3") as served, contextlib.ExitStack() as open_ones:
        clients = [open_ones.enter_context(served.client()) for _ in range(3)]
        for client in clients:
            until(client, "hello")
        with pytest.raises(InvalidStatus) as refused:
            served.client()
        assert refused.value.response.status_code == 503
        assert int(refused.value.response.headers["Retry-After"]) > 0
        assert served.get("/").status == 200
        clients[0].close()
        time.sleep(0.2)
        with served.client() as another:
            until(another, "hello")
        until(clients[1], "frame")


def test_clients_of_one_address() -> None:
    with serving("--max-per-address", "1") as served, served.client():
        with pytest.raises(InvalidStatus) as refused:
            served.client(served.enter())
        assert refused.value.response.status_code == 503


def test_a_header_that_is_too_large(served: Served) -> None:
    large = served.get("/", X="x" * 8200)
    assert large.status in (400, 431)
    many = [*served.headers(), *((f"X-{i}", "") for i in range(130))]
    assert served.request("GET", "/", many).status == 431
    assert served.request("GET", "/" + "x" * 9000, served.headers()).status in (400, 431)
    endless = served.raw(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, 2)
    assert endless.startswith(b"HTTP/1.1 400") or endless == b""
    fine = [*served.headers(), *((f"X-{i}", "") for i in range(100))]
    assert served.request("GET", "/", fine).status == 200


def test_who_does_not_say_what_they_want_is_cut_off_and_shuts_nobody_out(served: Served) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in served.headers())
    beginnings = [
        b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", b"GET /socket",
        f"GET / HTTP/1.1\r\n{head}\r\nGET / HT".encode(),  # a second request, begun
        *[b"GET /socket HTTP/1.1\r\nHost: 127.0.0.1\r\n"] * 200,
    ]  # fmt: skip
    with contextlib.ExitStack() as open_ones:
        sockets = []
        began = time.monotonic()
        for beginning in beginnings:
            one = open_ones.enter_context(socket.socket())
            one.connect(("127.0.0.1", served.port))
            one.sendall(beginning)
            sockets.append(one)
        ended: dict[int, float] = {}
        while len(ended) < len(sockets) and time.monotonic() < began + 60:
            time.sleep(0.2)
            for number, one in enumerate(sockets):
                if number not in ended and is_ended(one, drip=number in (2, 4)):
                    ended[number] = time.monotonic() - began
        assert len(ended) == len(sockets)
        # so many at once found no room; of the others, each had its time
        assert all(ended[number] > 4 for number in range(5)), ended
        with served.client() as client:
            until(client, "frame")


def is_ended(one: socket.socket, drip: bool) -> bool:
    """Whether a connection has ended; else perhaps one more byte is sent, as slow ones do."""
    one.setblocking(False)
    try:
        while one.recv(1 << 16):
            pass
    except BlockingIOError:
        if drip:
            with contextlib.suppress(OSError):
                one.send(b"x")
        return False
    except ConnectionError:
        pass
    return True


# -- sessions -------------------------------------------------------------------------------------


def test_sessions_of_who_has_left_long_ago_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    learners = Learners(Limits(idle=60))
    stays, leaves = Client("a", 1), Client("a", 1)
    learners.enter("ann", stays)
    learners.leave(learners.enter("bob", leaves), leaves)
    now += 59
    learners.tidy()
    assert set(learners.known) == {"ann", "bob"}
    now += 2
    learners.tidy()
    assert set(learners.known) == {"ann"}


def test_room_is_made_by_dropping_who_has_been_away_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    learners = Learners(Limits(sessions=3))
    learners.enter("stays", Client("a", 1))
    for name in ("first", "second", "third"):
        now += 1
        client = Client("a", 1)
        learners.leave(learners.enter(name, client), client)
    assert set(learners.known) == {"stays", "second", "third"}
    assert learners.addresses == {"a": 1}


# -- uploads --------------------------------------------------------------------------------------

TABLE = b"a,b,kind\n" + b"".join(
    b"%d,%d,%s\n" % (i, i * i % 7, b"xy"[i % 2 : i % 2 + 1]) for i in range(40)
)


def upload(
    served: Served, body: bytes, path: str = "/upload?name=a.csv", length: int = -1
) -> Answer:
    size = len(body) if length < 0 else length
    headers = [*served.headers(Origin=served.origin), ("Content-Length", str(size))]
    return served.request("POST", path, headers, body)


def said(answer: Answer) -> str:
    found = Message.from_bytes(answer.body)
    assert found.kind == "error"
    return " ".join(found.fields["errors"])


def test_a_file_comes_in(served: Served) -> None:
    with served.client() as client:
        until(client, "frame")
        answer = upload(served, TABLE)
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/octet-stream"
        assert header(answer.body)["kind"] == "reply"
        assert header(answer.body)["columns"] == TABLE.split(b"\n")[0].decode().split(",")
        client.send('{"do": "configure", "settings": {"data": "own"}}')
        while until(client, "state")["settings"]["data"] != "own":
            pass


def test_files_that_are_refused(served: Served) -> None:
    with served.client() as client:
        until(client, "frame")
        for bad in (b"", b"\x00" * 100, b"\x89PNG\r\n", b"a,b\n", b"<html></html>"):
            assert said(upload(served, bad))
        assert "the pasted table" in said(upload(served, b"", "/upload"))
        assert "name" in said(upload(served, TABLE, "/upload?name=" + "x" * 300))
        # nothing of the name reaches the file system, nor comes back unescaped
        name = "..%2f..%2f%00%3Cimg%20onerror=x%3E.csv"
        upload(served, TABLE, f"/upload?name={name}")
        large = upload(served, b"", length=(2 << 20) + 1)
        assert large.status == 413
        assert "2 MiB" in said(large)
        head = "".join(f"{n}: {v}\r\n" for n, v in served.headers(Origin=served.origin))
        start = f"POST /upload?name=a HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n".encode()
        chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
        assert served.raw(start + chunk * 40).startswith(b"HTTP/1.1 413")
        assert served.get("/").status == 200


def test_files_of_who_has_not_opened_the_page(served: Served) -> None:
    headers = [*served.headers(served.enter(), Origin=served.origin), ("Content-Length", "1")]
    answer = served.request("POST", "/upload?name=a.csv", headers, b"x")
    assert answer.status == 409
    assert "page" in said(answer)


def test_memory_does_not_grow_with_uploads(served: Served) -> None:
    with served.client() as client:
        until(client, "frame")
        upload(served, b"x" * (1 << 20))
        before = served.memory()
        for _ in range(10):
            assert said(upload(served, b"\x00" * (2 << 20)))
        assert served.memory() < before + (8 << 20)


# -- beginning and end ----------------------------------------------------------------------------


def test_a_port_that_is_taken() -> None:
    with serving() as first, serving(port=first.port) as second:
        assert second.port > first.port
        assert f"Port {first.port} is taken; this is {second.port}." in second.said
        assert second.get("/").status == 200
        assert first.get("/").status == 200


def test_no_port_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr("chainrule.playground.server.listening.PORTS", 1)
        with pytest.raises(SettingError, match=f"{port} to {port} are all taken.*--port"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("deaf", [0, 3])
def test_ctrl_c_ends_it_whoever_does_not_listen(deaf: int) -> None:
    with serving() as served, served.client() as client, contextlib.ExitStack() as open_ones:
        client.send('{"id": 1, "do": "play"}')
        until(client, "frame", playing=True)
        for _ in range(deaf):
            open_ones.enter_context(served.opened(receive_buffer=4096))
        for _ in range(60):
            until(client, "frame")
        served.process.send_signal(signal.SIGINT)
        with pytest.raises(ConnectionClosed) as closed:
            until(client, "never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert served.process.wait(60) == 0
    assert "has ended" in served.said
    assert "Traceback" not in served.said
    assert "Warning" not in served.said
