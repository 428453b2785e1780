"""What goes up and down a WebSocket, and where it ends."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator

import pytest
from tests.playground.server.process import Served, header, serving, until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from chainrule.errors import FormatError
from chainrule.playground.server.command_reader import read_command


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving("--max-per-address", "32") as found:
        yield found


@pytest.fixture
def client(served: Served) -> Iterator[ClientConnection]:
    with served.client(served.enter()) as found:
        yield found


def do(client: ClientConnection, number: int, what: str, **fields: object) -> dict[str, object]:
    """Send a command; the header of its answer."""
    client.send(json.dumps({"id": number, "do": what, **fields}))
    while True:
        found = header(client.recv(timeout=60))
        if found.get("id") == number:
            return found


def closing(client: ClientConnection) -> int | None:
    """The code with which the server closes, after all that it had sent."""
    try:
        while True:
            client.recv(timeout=60)
    except ConnectionClosed as ended:
        return ended.rcvd.code if ended.rcvd else None


def closing_code(one: socket.socket) -> int | None:
    """The code in the closing frame, the last of all that comes; None if there is none."""
    heard = b""
    with contextlib.suppress(ConnectionError):
        while part := one.recv(1 << 16):
            heard += part
    found = re.search(rb"\x88[\x02-\x7d](..)[^\x88]*$", heard[-130:], re.DOTALL)
    return int.from_bytes(found[1]) if found else None


def test_who_comes_is_told_everything_in_order(client: ClientConnection) -> None:
    kinds = [header(client.recv(timeout=60))["kind"] for _ in range(3)]
    assert kinds == ["hello", "state", "frame"]


def test_an_answer_has_the_id_and_comes_after_the_state_that_it_made(
    client: ClientConnection,
) -> None:
    first = until(client, "state")["version"]
    client.send('{"id": 41, "do": "configure", "settings": {"learning_rate": 0.1}}')
    state = until(client, "state")
    assert state["version"] > first
    assert state["settings"]["learning_rate"] == 0.1
    assert until(client, "reply") == {"kind": "reply", "id": 41, "ok": True, "arrays": {}}


def test_frames_come_while_it_plays_and_only_then(client: ClientConnection) -> None:
    do(client, 1, "play")
    steps = [until(client, "frame")["step"] for _ in range(20)]
    assert steps == sorted(steps)
    assert steps[-1] > steps[0]
    client.send('{"id": 2, "do": "pause"}')
    until(client, "frame", playing=False)
    until(client, "reply", id=2)
    with pytest.raises(TimeoutError):
        client.recv(timeout=0.3)


def test_tabs_of_one_browser_share_a_session_and_other_browsers_do_not(served: Served) -> None:
    cookie = served.enter()
    with (
        served.client(cookie) as one,
        served.client(cookie) as two,
        served.client(served.enter()) as stranger,
    ):
        for each in (one, two, stranger):
            until(each, "frame")
        do(one, 1, "configure", settings={"data": "xor"})
        assert until(two, "state")["settings"]["data"] == "xor"
        do(one, 2, "step", unit="epoch", count=3)
        assert until(two, "frame", epoch=3)["settings" if False else "epoch"] == 3
        with pytest.raises(TimeoutError):
            stranger.recv(timeout=0.3)
        assert do(stranger, 3, "state")["settings"]["data"] == "circle"  # type: ignore[index]


def test_a_session_waits_for_who_comes_back_and_time_stands_still(served: Served) -> None:
    cookie = served.enter()
    with served.client(cookie) as client:
        do(client, 1, "configure", settings={"data": "spiral"})
        do(client, 2, "play")
        until(client, "frame", playing=True)
    time.sleep(0.5)
    with served.client(cookie) as client:
        assert until(client, "state")["settings"]["data"] == "spiral"
        first = until(client, "frame")["step"]
    time.sleep(1.0)
    with served.client(cookie) as client:
        # at 300,000 samples a second and more it would be 30,000 steps on
        assert until(client, "frame")["step"] - first < 15_000


BAD_COMMANDS = [
    "", "x", "{", "[]", "7", "null", '"play"', '{"do": "play"', '{"id": 1, "do": NaN}',
    '{"id": 1, "count": Infinity}', '{"id": 1, "count": -Infinity}', '{"id": 1, "count": 1e999}',
    '{"id": 1, "id": 2}', '{"id": "1"}', '{"id": 1.5}', '{"id": true}', '{"id": 1' + "0" * 30 + "}",
    '{"id": ' + "9" * 5000 + "}", '{"do": "\\ud800"}', '{"a": ' * 9 + "1" + "}" * 9,
    '{"a": ' + "[" * 60_000, '{"a": ' + "[" * 30_000 + "]" * 30_000 + "}", "\ufeff{}", "{} {}",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_COMMANDS, ids=lambda text: text[:20])
def test_commands_that_are_none(text: str) -> None:
    with pytest.raises(FormatError, match=r"command|nested|whole number"):
        read_command(text, depth=8)


def test_the_deepest_command() -> None:
    text = '{"a": ' * 8 + "1" + "}" * 8
    assert json.dumps(read_command(text, depth=8)) == text


def test_a_bad_command_gets_a_sentence_and_harms_nothing(client: ClientConnection) -> None:
    until(client, "frame")
    for text in BAD_COMMANDS[:20]:
        client.send(text)
        error = until(client, "error")
        assert error["id"] is None
        assert error["errors"]
    for fields in ({"do": "fly"}, {"do": "play", "x": 1}, {"do": ["play"]}, {}, {"do": "goto"}):
        client.send(json.dumps({"id": 5, **fields}))
        assert until(client, "error", id=5)["errors"]
    assert do(client, 6, "play")["ok"] is True


def test_the_largest_message_and_one_byte_more(served: Served) -> None:
    with served.client(served.enter()) as client:
        client.send('{"id": 1, "do": "play"}'.ljust(65_536))
        assert until(client, "reply", id=1)["ok"] is True
        client.send('{"id": 2, "do": "pause"}'.ljust(65_537))
        assert closing(client) == 1009


def test_a_message_in_parts_is_bounded_too(served: Served) -> None:
    for part, code in ((bytes(1000), 1009), (b"", 1008)):
        head = struct.pack("!BBH", 0, 0xFE, len(part)) if part else b"\x00\x80"
        with served.opened() as one:
            one.sendall(b"\x01\x80" + bytes(4) + (head + bytes(4) + part) * 300)
            assert closing_code(one) == code


def test_compression_is_not_offered_so_no_message_grows(served: Served) -> None:
    with connect(
        f"ws://{served.host}/socket",
        additional_headers={"Cookie": served.enter(), "Origin": served.origin},
        compression="deflate",
        proxy=None,
    ) as client:
        assert client.protocol.extensions == []
    bomb = zlib.compress(bytes(10_000_000))
    with served.opened() as one:
        one.sendall(b"\xc1\xfe" + struct.pack("!H", len(bomb)) + bytes(4) + bomb)
        assert closing_code(one) == 1002


def test_binary_messages_are_not_taken(client: ClientConnection) -> None:
    client.send(b"{}")
    assert closing(client) == 1003


def test_too_many_messages_a_second(client: ClientConnection) -> None:
    until(client, "frame")
    for number in range(100):
        client.send(json.dumps({"id": number, "do": "hello"}))
    assert closing(client) == 1008


def test_as_many_messages_as_are_allowed(client: ClientConnection) -> None:
    until(client, "frame")

    def talk() -> None:
        for number in range(90):
            client.send(json.dumps({"id": number, "do": "pause"}))
            time.sleep(1 / 45)

    talking = threading.Thread(target=talk)
    talking.start()
    assert until(client, "reply", id=89)["ok"] is True
    talking.join()


def test_who_asks_and_does_not_read_is_cut_off(served: Served) -> None:
    """Answers are never dropped, so there is an end to how many may wait."""
    command = b'{"id": 1, "do": "hello"}'
    with served.opened(receive_buffer=4096) as one:
        for _ in range(3):
            for _ in range(40):
                one.sendall(bytes((0x81, 0x80 | len(command))) + bytes(4) + command)
            time.sleep(1)
        assert cut_off(one)


def cut_off(one: socket.socket) -> bool:
    """Whether nothing can be sent any more."""
    try:
        for _ in range(100):
            one.sendall(b"\x89\x80" + bytes(4))
            time.sleep(0.05)
    except ConnectionError:
        return True
    return False


def test_pings_of_who_does_not_read_fill_no_memory(served: Served) -> None:
    ping = b"\x89\xfd" + bytes(4) + bytes(125)
    with served.opened(receive_buffer=4096) as one:
        before = served.memory()
        with contextlib.suppress(TimeoutError, ConnectionError):
            for _ in range(1000):
                one.sendall(ping * 200)
        assert served.memory() < before + (8 << 20)


def test_fields_of_strangers_in_the_handshake(served: Served) -> None:
    for number in (0, 7, 12, 14, 255):
        headers = [*served.headers(Origin=served.origin), ("Sec-WebSocket-Version", str(number))]
        assert served.shake(*headers) in (400, 426)
    with pytest.raises(InvalidStatus), connect(f"ws://{served.host}/socket", proxy=None):
        pass
