"""The peers' processes: those that last and take turns, and those that are new at every turn."""

from __future__ import annotations

import functools
import json
import os
import queue
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

from benchmarks.environments import python
from benchmarks.peers import Entry

ROOT = Path(__file__).resolve().parents[2]
#: Where ours and other libraries keep compiled code between processes.
CACHES = (
    "CHAINRULE_CACHE", "XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR",
    "TRITON_CACHE_DIR",
)  # fmt: skip


class LeftOutError(Exception):
    """A peer cannot take part in a row, for the reason given."""


class AbsentError(LeftOutError):
    """A peer cannot take part in any row of its kind."""


@functools.cache
def installed(environment: str) -> dict[str, Any]:
    """What `peers/distributions.py` says of an environment; nothing, if that is not there."""
    place = python(environment)
    if not place.exists():
        return {"python": None, "distributions": {}}
    done = subprocess.run(
        [place, "-m", "benchmarks.peers.distributions"], cwd=ROOT, capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def versions(entry: Entry) -> dict[str, str]:
    """The versions of what is installed where a peer runs."""
    found = installed(entry.environment)["distributions"]
    return {name: distribution["version"] for name, distribution in found.items()}


def absence(entry: Entry) -> str | None:
    """Why a peer cannot run at all: what is not installed."""
    if not python(entry.environment).exists():
        return f"no environment: python benchmarks/environments.py {entry.environment}"
    missing = [name for name in entry.needs if name not in versions(entry)]
    return f"{' and '.join(missing)} not installed" if missing else None


def environment_of(entry: Entry) -> dict[str, str]:
    """The variables of a peer's process: it imports chainrule and benchmarks of this tree."""
    given = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), *([given] if given else [])])
    return {**os.environ, **entry.variables, "PYTHONPATH": path}


class Child:
    """A peer's process, and the lines of JSON that go to it and come back."""

    def __init__(self, entry: Entry, network: str, setting: Path) -> None:
        self.entry, self.network = entry, network
        self.errors = TemporaryFile()  # noqa: SIM115 - open as long as the process
        place = python(entry.environment)
        self.process = subprocess.Popen(
            [place, "-m", "benchmarks.peers.worker", entry.name, network, str(setting)],
            cwd=ROOT,
            env=environment_of(entry),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            bufsize=1,
        )
        self.replies: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        #: Since when it idles, its CPU time then, and how long and how busily it has idled.
        self.rested: tuple[float, float] | None = None
        self.idle = self.idle_cpu = 0.0

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.replies.put(line)
        self.replies.put("")

    def reply(self, timeout: float) -> dict[str, Any]:
        """Its next reply; an error if it ends, cannot take part, or takes too long."""
        try:
            line = self.replies.get(timeout=timeout)
        except queue.Empty:
            raise LeftOutError(f"took more than {timeout:.0f} s") from None
        if not line:
            self.errors.seek(0)
            raise LeftOutError(_last_words(self.errors.read().decode(errors="replace")))
        found: dict[str, Any] = json.loads(line)
        if "unavailable" in found:
            raise AbsentError(found["unavailable"])
        return found

    def ask(self, timeout: float, **command: Any) -> dict[str, Any]:
        if self.rested is not None:
            since, cpu = self.rested
            self.idle += time.perf_counter() - since
            self.idle_cpu += self.cpu() - cpu
            self.rested = None
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # the missing reply says why
            self.process.stdin.write(json.dumps(command) + "\n")
        return self.reply(timeout)

    def rest(self) -> None:
        """It has settled after its turn; from now on it should take no CPU time."""
        self.rested = time.perf_counter(), self.cpu()

    def cpu(self) -> float:
        """The seconds of CPU time it has taken, where the system tells (Linux)."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        if not stat.exists():
            return 0.0
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            if stream is not None:
                stream.close()


def fresh(entry: Entry, arguments: list[str], emptied: bool, patience: float) -> dict[str, Any]:
    """Run a new process to its end: its seconds, and the JSON that it printed last, if any."""
    with TemporaryDirectory() as room:
        caches = {name: os.path.join(room, name.lower()) for name in CACHES} if emptied else {}
        start = time.perf_counter()
        try:
            done = subprocess.run(
                [python(entry.environment), *arguments],
                cwd=room,
                env={**environment_of(entry), **caches},
                capture_output=True,
                text=True,
                timeout=patience,
            )
        except subprocess.TimeoutExpired:
            raise LeftOutError(f"took more than {patience:.0f} s") from None
        seconds = time.perf_counter() - start
    if done.returncode:
        raise LeftOutError(_last_words(done.stderr))
    found: dict[str, Any] = {}
    with suppress(ValueError, IndexError):  # a command prints what people read
        found = json.loads(done.stdout.splitlines()[-1])
    if "unavailable" in found:
        raise AbsentError(found["unavailable"])
    return {**found, "seconds": seconds}


def _last_words(text: str) -> str:
    said = text.strip().splitlines()
    return f"ended: {said[-1][:200] if said else 'without a word'}"
