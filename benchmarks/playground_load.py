"""How many the playground serves, and how fast: a real server and real clients, on loopback.

    python benchmarks/playground_load.py            # all scenarios, about 3 minutes
    python benchmarks/playground_load.py speed      # one of them

Every scenario has targets; the exit status says whether all were met. Nothing leaves this machine.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

MIB = 1 << 20


@dataclass
class Server:
    """`chainrule play` in a process of its own, and one learner's way in."""

    process: asyncio.subprocess.Process
    port: int
    #: The path of the link that lets learners in.
    link: str
    cookie: str = ""
    #: The code of a class.
    code: str = ""

    @property
    def memory(self) -> int:
        """Bytes that the process holds in memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def files(self) -> int:
        """Open files and sockets of the process."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    @property
    def processor_time(self) -> float:
        """Seconds of processor time that the process has used."""
        fields = (
            Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        )
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie, "Origin": f"http://127.0.0.1:{self.port}"}

    async def learner(self) -> Server:
        """The same server, with a new learner's cookie."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        host = f"Host: 127.0.0.1:{self.port}"
        writer.write(f"GET {self.link} HTTP/1.1\r\n{host}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.close()
        cookie = re.search(r"(?mi)^set-cookie: ([^;]+);", head)
        assert cookie, head
        return replace(self, cookie=cookie[1])

    def client(self) -> connect:
        return connect(
            f"ws://127.0.0.1:{self.port}/socket",
            additional_headers=self.headers,
            compression=None,
            max_size=None,
            proxy=None,
        )

    def handshake(self) -> bytes:
        lines = [
            "GET /socket HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Upgrade: websocket",
            "Connection: Upgrade", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Version: 13", *(f"{name}: {value}" for name, value in self.headers.items()),
        ]  # fmt: skip
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


@asynccontextmanager
async def serving(*options: str) -> AsyncIterator[Server]:
    """A server with these options of the command."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chainrule", "play", "--no-browser", "--port", "0", *options,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        found = re.search(r"127\.0\.0\.1:(\d+)(/\?token=\S+)", line)
        assert found, line
        code = re.search(r"[A-Z2-9]{8}(?=\n)", (await process.stdout.readline()).decode())
        server = Server(process, int(found[1]), found[2], code=code[0] if code else "")
        yield await server.learner()
    finally:
        process.send_signal(signal.SIGINT)
        await process.wait()


def header(message: bytes) -> dict[str, Any]:
    """The header of a message."""
    size = int.from_bytes(message[:4], "little")
    found: dict[str, Any] = json.loads(message[4 : 4 + size])
    return found


def is_frame(message: bytes | str) -> bool:
    assert isinstance(message, bytes)
    return message[4:40].startswith(b'{"kind": "frame"')


@dataclass
class Seen:
    """When a client got its frames, and the latest of them."""

    times: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    last: bytes = b""

    def rate(self) -> float:
        return (
            (len(self.times) - 1) / (self.times[-1] - self.times[0]) if len(self.times) > 1 else 0
        )

    def longest_gap(self) -> float:
        return max((b - a for a, b in itertools.pairwise(self.times)), default=0.0)


async def watch(client: ClientConnection, seconds: float) -> Seen:
    """Read for so long."""
    seen = Seen()
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        try:
            message = await asyncio.wait_for(client.recv(decode=False), left)
        except (TimeoutError, ConnectionClosed):
            break
        if is_frame(message):
            seen.times.append(time.perf_counter())
            seen.sizes.append(len(message))
            seen.last = message
    return seen


async def play(client: ClientConnection) -> None:
    await client.send('{"id": 2, "do": "speed", "epochs": null}')  # as fast as it goes
    await client.send('{"id": 1, "do": "play"}')


def verdict(name: str, told: str, good: bool) -> bool:
    print(f"{'met ' if good else 'MISSED'}  {name}: {told}", flush=True)
    return good


async def speed(seconds: float = 10.0) -> bool:
    """Frames and samples a second at one client, while the default network trains."""
    async with serving() as server, server.client() as client:
        await play(client)
        await watch(client, 2)
        first = await watch(client, 0.3)
        seen = await watch(client, seconds)
        a, b = header(first.last), header(seen.last)
        samples = (b["step"] - a["step"]) * 10 / (seen.times[-1] - first.times[-1])
        return verdict(
            "speed",
            f"{seen.rate():.1f} frames/s (target 30) of {statistics.mean(seen.sizes) / 1024:.0f} KiB,"
            f" longest gap {1000 * seen.longest_gap():.0f} ms, at {samples:,.0f} samples/s"
            " (target 200,000)",
            seen.rate() >= 30 and samples >= 200_000,
        )


#: Counts the frames that reach the page, and the pictures that the browser shows meanwhile.
COUNTING = """
window.frames_seen = 0; window.pictures = 0;
const Plain = WebSocket;
window.WebSocket = class extends Plain {
  constructor(...given) {
    super(...given);
    const opens = new TextEncoder().encode('{"kind": "frame"');
    this.addEventListener("message", ({ data }) => {
      const head = new Uint8Array(data, 4, opens.length);
      window.frames_seen += opens.every((byte, i) => byte === head[i]);
    });
  }
};
const count = () => { window.pictures += 1; requestAnimationFrame(count); };
requestAnimationFrame(count);
"""


async def page(seconds: float = 10.0) -> bool:
    """The same in a real Chromium, which draws on the same machine (Playwright; Debian's chromium)."""
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        print("left out  page: pip install playwright")
        return True
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("left out  page: no chromium here")
        return True
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        began = time.perf_counter()
        async with serving() as server:
            tab = await browser.new_page(viewport={"width": 1440, "height": 900})
            await tab.add_init_script(COUNTING)
            await tab.add_init_script("localStorage.setItem('chainrule.speed', 'null')")
            await tab.goto(f"http://127.0.0.1:{server.port}{server.link}")
            await tab.wait_for_function("window.frames_seen > 0")
            ready = time.perf_counter() - began
            await tab.keyboard.press("Space")
            await asyncio.sleep(2)
            counts = "[window.frames_seen, window.pictures, performance.now() / 1000]"
            first = await tab.evaluate(counts)
            begun = await told(tab)
            await asyncio.sleep(seconds)
            last = await tab.evaluate(counts)
            ended = await told(tab)
            await browser.close()
        took = last[2] - first[2]
        frames, pictures = (last[0] - first[0]) / took, (last[1] - first[1]) / took
        samples = (ended - begun) * 10 / took
        return verdict(
            "page in Chromium",
            f"first frame {ready:.1f} s after the command (target 2), {frames:.1f} frames/s (target 30),"
            f" {pictures:.0f} pictures/s, at {samples:,.0f} samples/s (target 200,000)",
            ready <= 2 and frames >= 30 and samples >= 200_000,
        )


async def told(tab: Any) -> int:
    """The step that the page shows."""
    return int(re.sub(r"\D", "", await tab.inner_text(".where .step")))


async def many(count: int = 200, seconds: float = 15.0, rate: float = 19) -> bool:
    """So many clients of one learner, while the network trains."""
    options = ("--max-clients", "400", "--max-per-address", "400")
    async with serving(*options) as server:
        clients = [await server.client() for _ in range(count)]
        await play(clients[0])
        await asyncio.gather(*(watch(client, 2) for client in clients))
        before, used = server.memory, server.processor_time
        seen = await asyncio.gather(*(watch(client, seconds) for client in clients))
        rates = sorted(one.rate() for one in seen)
        growth = (server.memory - before) / MIB
        load = (server.processor_time - used) / seconds
        for client in clients:
            client.transport.abort()
        return verdict(
            f"{count} clients",
            f"slowest {rates[0]:.1f}, median {rates[count // 2]:.1f} frames/s (target {rate:g}), longest gap"
            f" {1000 * max(one.longest_gap() for one in seen):.0f} ms, memory {growth:+.1f} MiB,"
            f" {load:.2f} cores",
            rates[0] >= rate,
        )


async def classroom(
    count: int = 200, seconds: float = 20.0, rate: float = 2.0, settle: float = 10.0
) -> bool:
    """`play --class` in which everybody trains a network of their own, and the teacher looks at the wall."""
    async with serving("--class", "--host", "127.0.0.1") as server:
        pupils = replace(server, link=f"/?token={server.code}")
        clients = [await (await pupils.learner()).client() for _ in range(count)]
        for client in clients:
            await play(client)
        first = await asyncio.gather(*(watch(client, settle) for client in clients))
        before, used = server.memory, server.processor_time
        looking = asyncio.create_task(look(server))
        seen = await asyncio.gather(*(watch(client, seconds) for client in clients))
        looking.cancel()
        load = (server.processor_time - used) / seconds
        growth = (server.memory - before) / MIB
        rates = sorted(one.rate() for one in seen)
        learnt = sorted(
            (header(b.last)["step"] - header(a.last)["step"]) * 10 / (b.times[-1] - a.times[-1])
            for a, b in zip(first, seen, strict=True)
        )
        for client in clients:
            client.transport.abort()
        return verdict(
            f"a class of {count}, each with a network of their own",
            f"slowest {rates[0]:.1f}, median {rates[count // 2]:.1f} frames/s (target {rate:g}), longest gap"
            f" {1000 * max(one.longest_gap() for one in seen):.0f} ms, {learnt[0]:,.0f} to"
            f" {learnt[-1]:,.0f} samples/s each, memory {growth:+.1f} MiB ({server.memory / MIB:.0f} in all),"
            f" {load:.2f} cores",
            rates[0] >= rate and learnt[-1] < 2 * learnt[0] and growth < count,
        )


async def look(server: Server) -> None:
    """Ask for the wall once a second, as the teacher's page does."""
    request = (
        f"GET /class/wall HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nCookie: {server.cookie}\r\n"
    )
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"{request}Connection: close\r\n\r\n".encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await asyncio.sleep(1)


async def storm(rounds: int = 1_000, seed: int = 0, rate: float = 19) -> bool:
    """Learners who come and go, in every way there is, beside one who plays."""
    chance = random.Random(seed)
    async with serving("--max-per-address", "16") as server, server.client() as client:
        await play(client)
        stranger = await server.learner()

        async def come_and_go() -> None:
            try:
                async with stranger.client() as other:
                    if chance.random() < 0.5:
                        await other.recv(decode=False)
                    if chance.random() < 0.5:
                        other.transport.abort()
            except (ConnectionClosed, InvalidStatus, EOFError, OSError):
                pass

        for _ in range(50):
            await come_and_go()
        before, files = server.memory, server.files
        watching = asyncio.create_task(watch(client, 3600))
        for _ in range(rounds // 4):
            await asyncio.gather(*(come_and_go() for _ in range(4)))
        await asyncio.sleep(1)
        growth, more = (server.memory - before) / MIB, server.files - files
        await client.close()
        seen = await watching
        return verdict(
            f"{rounds:,} that come and go (seed {seed})",
            f"beside them {seen.rate():.1f} frames/s (target {rate:g}), memory {growth:+.1f} MiB (target 8),"
            f" open files {more:+d} (target 5)",
            seen.rate() >= rate and growth <= 8 and more <= 5,
        )


async def deaf(count: int = 20, good: int = 5, seconds: float = 20.0, rate: float = 19) -> bool:
    """So many that never read, beside good ones, while the network trains."""
    options = ("--max-clients", "64", "--max-per-address", "64")
    async with serving(*options) as server:
        clients = [await server.client() for _ in range(good)]
        await play(clients[0])
        await asyncio.gather(*(watch(client, 3) for client in clients))
        before = server.memory
        sockets = []
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", server.port))
            one.sendall(server.handshake())
            sockets.append(one)
        tops: list[int] = []

        async def look() -> None:
            while True:
                tops.append(server.memory)
                await asyncio.sleep(0.1)

        looking = asyncio.create_task(look())
        seen = await asyncio.gather(*(watch(client, seconds) for client in clients))
        looking.cancel()
        slowest = min(one.rate() for one in seen)
        growth = (max(tops) - before) / MIB
        cut = 0
        for one in sockets:
            one.setblocking(False)
            cut += is_cut(one)
            one.close()
        await asyncio.gather(*(client.close() for client in clients))
        return verdict(
            f"{count} that never read, {good} good ones",
            f"slowest good one {slowest:.1f} frames/s (target {rate:g}), memory at most {growth:+.1f} MiB"
            f" (target 8), {cut} of {count} cut off",
            slowest >= rate and growth <= 8 and cut == count,
        )


def is_cut(one: socket.socket) -> bool:
    """Whether the other side has cut a connection, after all that it sent before."""
    try:
        while one.recv(MIB):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True


async def garbage(
    handshakes: int = 5_000, frames: int = 5_000, seed: int = 0, rate: float = 19
) -> bool:
    """Random handshakes, then random frames after good handshakes; a learner keeps playing."""
    chance = random.Random(seed)
    async with serving("--max-per-address", "16") as server, server.client() as client:
        await play(client)
        stranger = await server.learner()
        watching = asyncio.create_task(watch(client, 3600))
        before = server.memory
        for _ in range(handshakes):
            await throw(server.port, mangled(stranger.handshake(), chance))
        sent = 0
        while sent < frames:
            count = chance.randint(1, 8)
            sent += count
            noise = b"".join(random_frame(chance) for _ in range(count))
            await throw(server.port, noise, after=stranger.handshake())
        growth = (server.memory - before) / MIB
        await client.close()
        seen = await watching
        after = await server.learner()
        async with after.client() as another:
            greeting = header(await another.recv(decode=False))["kind"]
        return verdict(
            f"{handshakes:,} random handshakes and {frames:,} random frames (seed {seed})",
            f"beside them {seen.rate():.1f} frames/s (target {rate:g}), memory {growth:+.1f} MiB, and a"
            f" new learner is greeted with {greeting}",
            seen.rate() >= rate and greeting == "hello",
        )


async def throw(port: int, data: bytes, after: bytes = b"") -> None:
    """Send bytes, perhaps after a handshake, hear a little of what comes back, and go."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        if after:
            writer.write(after)
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"HTTP/1.1 503 "):  # those before are just being shown out
                await asyncio.sleep(0.1)
                return await throw(port, data, after)
            assert head.startswith(b"HTTP/1.1 101 "), head
        writer.write(data)
        await asyncio.wait_for(reader.read(64), 0.01)
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.transport.abort()


def mangled(data: bytes, chance: random.Random) -> bytes:
    """A handshake with bytes changed, cut out, doubled, or nothing but noise."""
    if chance.random() < 0.2:
        return chance.randbytes(chance.randint(1, 2_000))
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(changed))
        match chance.randrange(4):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                del changed[at : at + chance.randint(1, 20)]
            case 2:
                changed[at:at] = changed[at : at + chance.randint(1, 400)]
            case 3:
                changed[at:at] = chance.randbytes(chance.randint(1, 20))
    return bytes(changed)


def random_frame(chance: random.Random) -> bytes:
    """A frame, more or less: any opcode, bits, mask and length; text that is nearly a command."""
    words = ["{", "}", "[", "]", '"do"', ":", '"step"', '"goto"', '"configure"', ",", "NaN", "1e999",
             "-1", '"settings"', '"\\ud800"', '"\\u0000"', '"count"', "null", "true"]  # fmt: skip
    if chance.random() < 0.3:
        return chance.randbytes(chance.randint(1, 200))
    body = (
        "".join(chance.choices(words, k=chance.randint(0, 30))).encode()
        if chance.random() < 0.7
        else chance.randbytes(chance.randint(0, 300))
    )
    first = 0x81 if chance.random() < 0.7 else chance.randrange(256)
    if len(body) < 126:
        head = struct.pack("!BB", first, 0x80 | len(body))
    else:
        head = struct.pack("!BBH", first, 0x80 | 126, len(body))
    mask = chance.randbytes(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))


SCENARIOS: dict[str, Callable[[], Awaitable[bool]]] = {
    "speed": speed,
    "page": page,
    "many": many,
    "class": classroom,
    "storm": storm,
    "deaf": deaf,
    "garbage": garbage,
}


async def main(names: list[str]) -> int:
    met = [await SCENARIOS[name]() for name in names or SCENARIOS]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
