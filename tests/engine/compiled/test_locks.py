"""Locks on folders: they hold against others, and nobody waits for one who is gone."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from chainrule.engine.compiled import locks
from chainrule.engine.compiled.locks import locked

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX locks, modes and signals")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    return tmp_path / "kernel"


def free(kernel: Path) -> bool:
    with locked(kernel, 0.0, print) as held:
        return held


def test_one_holds_it_at_a_time(kernel: Path) -> None:
    for _ in range(3):
        with locked(kernel, 0.0, print) as first:
            assert first
            for _ in range(3):  # who could not have it does not let go of the first's
                assert not free(kernel)
            assert free(kernel.with_name("another"))
        assert free(kernel)
    assert [path.name for path in kernel.iterdir()] == ["lock"]
    assert not locks._held


@posix
def test_the_files_are_the_users_alone(kernel: Path) -> None:
    before = os.umask(0)
    try:
        assert free(kernel)
    finally:
        os.umask(before)
    assert stat.S_IMODE(kernel.stat().st_mode) == 0o700
    assert stat.S_IMODE((kernel / "lock").stat().st_mode) == 0o600


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_it_goes_with_an_exception(kernel: Path, error: type[BaseException]) -> None:
    with pytest.raises(error, match="mine"), locked(kernel, 0.0, print):
        raise error("mine")
    assert free(kernel)


def test_waiting_is_said_once_and_ends_when_it_is_free(kernel: Path) -> None:
    said: list[str] = []
    waited: list[tuple[bool, float]] = []

    def wait() -> None:
        start = time.monotonic()
        with locked(kernel, 60.0, said.append) as held:
            waited.append((held, time.monotonic() - start))

    with locked(kernel, 0.0, print):
        late = threading.Thread(target=wait)
        late.start()
        time.sleep(0.8)
        assert not waited
    late.join(20)
    ((held, seconds),) = waited
    assert held
    assert 0.7 < seconds < 20
    assert said == ["Waiting for another process that compiles the same code"]


def test_waiting_no_longer_than_asked(kernel: Path) -> None:
    said: list[str] = []
    with locked(kernel, 0.0, print):
        start = time.monotonic()
        with locked(kernel, 0.2, said.append) as held:
            assert not held
        assert 0.2 <= time.monotonic() - start < 10
    assert not said  # too short to speak of


def test_one_who_gives_up_waiting_holds_nothing(kernel: Path) -> None:
    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with locked(kernel, 0.0, print):
        with pytest.raises(KeyboardInterrupt), locked(kernel, 60.0, stop):
            pass
        assert len(locks._held) == 1
    assert free(kernel)


def test_where_no_lock_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    for path in (tmp_path / "file", tmp_path / "file" / "kernel", tmp_path / "absent" / "kernel"):
        assert not free(path)
    assert (tmp_path / "file").read_text() == "a file"
    assert not (tmp_path / "absent").exists()


@posix
@pytest.mark.parametrize(
    ("number", "held"),
    [(errno.ENOLCK, True), (errno.ENOTSUP, True), (errno.EACCES, False), (errno.EAGAIN, False)],
)
def test_a_file_system_without_locks(
    kernel: Path, monkeypatch: pytest.MonkeyPatch, number: int, held: bool
) -> None:
    def flock(handle: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    assert free(kernel) is held
    assert not locks._held


def test_a_lock_on_a_removed_folder_is_no_lock(tmp_path: Path, kernel: Path) -> None:
    if os.name != "posix":
        pytest.skip("no folder moves that has an open file in it")
    with locked(kernel, 0.0, print) as first:
        kernel.rename(tmp_path / "removed")
        with locked(kernel, 0.0, print) as second:
            assert first
            assert second
            assert (kernel / "lock").exists()
    opened = os.open

    def moved_meanwhile(path: Any, *rest: Any) -> int:
        handle = opened(path, *rest)
        if not (tmp_path / "gone").exists():
            kernel.rename(tmp_path / "gone")
        return handle

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", moved_meanwhile)
        with locked(kernel, 1.0, print) as held, locked(kernel, 0.0, print) as again:
            assert held
            assert not again
    assert not locks._held


# --- processes -----------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from chainrule.engine.compiled.locks import locked
with locked(Path(sys.argv[1]), 0.0, print) as held:
    print(held, flush=True)
    time.sleep(60)
"""


def run(program: str, kernel: Path) -> str:
    """What a process of its own prints."""
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(kernel)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@posix
def test_it_goes_with_a_process_that_is_killed(kernel: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(kernel)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert not free(kernel)
        other.send_signal(signal.SIGKILL)
        other.wait(20)
    assert free(kernel)


def test_a_process_that_is_started_meanwhile_does_not_hold_it(kernel: Path) -> None:
    with locked(kernel, 0.0, print):
        sleep = "import sys; sys.stdin.read()"
        other = subprocess.Popen([sys.executable, "-c", sleep], stdin=subprocess.PIPE)
    try:
        assert free(kernel)
        assert other.poll() is None
    finally:
        other.communicate(timeout=300)


#: A thread that holds a lock while its process forks: the child looks whether it is free.
FORK = """
import os, sys, threading, time
from pathlib import Path
from chainrule.engine.compiled import locks
from chainrule.engine.compiled.locks import locked
kernel = Path(sys.argv[1])
taken, done = threading.Event(), threading.Event()
def hold():
    with locked(kernel, 0.0, print):
        taken.set()
        done.wait()
holder = threading.Thread(target=hold)
holder.start()
taken.wait()
"""


@forks
def test_a_lock_of_the_parents_holds_against_its_child(kernel: Path) -> None:
    program = f"""{FORK}
child = os.fork()
if child == 0:
    mine = len(locks._held)
    with locked(kernel, 0.0, print) as held:
        os._exit(7 if not held and not mine else 8)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
with locked(kernel, 0.0, print) as held:
    print(held)  # the child's end has not let go of it
done.set()
holder.join()
with locked(kernel, 0.0, print) as held:
    print(held)
"""
    assert run(program, kernel).split() == ["7", "False", "True"]


@forks
def test_a_child_does_not_go_on_holding_what_its_parent_lets_go(kernel: Path) -> None:
    program = f"""{FORK}
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.close(write)
    os.read(read, 1)  # lives until its parent has ended
    os._exit(0)
done.set()
holder.join()
with locked(kernel, 0.0, print) as held:
    print(held, os.waitpid(child, os.WNOHANG) == (0, 0))
os.close(write)
os.waitpid(child, 0)
"""
    assert run(program, kernel) == "True True"


@forks
def test_a_child_that_forks_off_within_lets_its_own_files_alone(kernel: Path) -> None:
    program = """
import os, sys
from pathlib import Path
from chainrule.engine.compiled.locks import locked
with locked(Path(sys.argv[1]), 0.0, print):
    child = os.fork()
    files = os.pipe() if child == 0 else ()
if child == 0:
    for file in files:
        os.fstat(file)
else:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(program, kernel) == "0"
