"""A job: the processes that run a command, ranks or one alone, from their start to their end."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from types import FrameType
from typing import IO, Any

from chainrule.cli.job_end import HANDED_ON, LOST, End, lost
from chainrule.distributed.mpiexec import path_of_mpiexec, surroundings
from chainrule.errors import printable
from chainrule.lang.messages import Text, _

__all__ = ["Job"]

#: Seconds that the other processes get to end by themselves after the first has, and mpiexec after all.
GRACE, LAST = 4.0, 20.0


@dataclass
class _Member:
    """A process of the job, as far as it has told of itself."""

    line: socket.socket
    #: What it writes on standard error, if that is not shown.
    errors: IO[bytes] | None = None
    rank: int | None = None
    pid: int = 0
    heard: bytes = b""
    #: Its exit status, if it came to its end, and whether it is there no more.
    done: int | None = None
    gone: bool = False


@dataclass
class Job:
    """One attempt at a command, by so many ranks under mpiexec, or by one process.

    Every process has a line to this one, by which it says which rank it is and how it ended, and gets the
    streams to write on: rank 0 those of the command. Signals to the command go to rank 0, by which all
    ranks stop after the same step. A process whose line is cut ends: none outlives the command.
    """

    words: list[str]
    ranks: int
    members: list[_Member] = field(default_factory=list)
    #: The signals that came, and what a rank said to be wrong with the job.
    received: list[signal.Signals] = field(default_factory=list)
    cause: str | None = None
    #: The first process that did not end well; when the rest is to be over; whether it is all over now.
    first: _Member | None = None
    until: float | None = None
    at_once: bool = False
    #: Whether this has ended the processes.
    cleared: bool = False
    process: subprocess.Popen[bytes] | None = None

    def run(self) -> End:
        """Start the processes, and wait for their end."""
        folder = tempfile.mkdtemp(prefix="chainrule-", dir=_short_folder())
        place = os.path.join(folder, "line")
        where = f"{socket.gethostname()}:{place}"
        words = [sys.executable, "-m", "chainrule.cli.as_rank", where, *self.words]
        if self.ranks > 1:
            words = [path_of_mpiexec(), "-n", str(self.ranks), *words]
        with (
            socket.socket(socket.AF_UNIX) as door,
            tempfile.TemporaryFile() as noise,
            selectors.DefaultSelector() as ears,
        ):
            door.bind(place)
            door.listen(self.ranks)
            ears.register(door, selectors.EVENT_READ)
            old = self._take_signals()
            try:
                self.process = subprocess.Popen(  # noqa: S603 - the words of this command
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=noise,
                    stderr=noise,
                    env=surroundings(self.ranks),
                    start_new_session=True,  # what a terminal signals does not reach it
                )
                while not self._over():
                    self._listen(ears, door, folder)
                self._clear()
                while self._listen(ears, door, folder):  # last words
                    pass
                noise.seek(0)
                return self._end(noise.read().decode(errors="replace"))
            finally:
                self._clear()
                for number, handler in old.items():
                    signal.signal(number, handler)
                shutil.rmtree(folder, ignore_errors=True)

    # -- signals --------------------------------------------------------------------------------------

    def _take_signals(self) -> dict[int, Any]:
        """Take the signals that nobody else takes: those of `nohup`, say, stay as they are."""
        handlers = {getattr(signal, name): self._hand_on for name in HANDED_ON}
        handlers[signal.SIGTSTP] = self._pause
        free = (signal.SIG_DFL, signal.default_int_handler)
        return {
            number: signal.signal(number, handler)
            for number, handler in handlers.items()
            if signal.getsignal(number) in free
        }

    def _hand_on(self, number: int, frame: FrameType | None) -> None:
        """Give a signal to rank 0; if there is none yet, or Ctrl-C came twice, all is over."""
        received = signal.Signals(number)
        twice = received is signal.SIGINT and received in self.received
        self.received.append(received)
        leader = next((m for m in self.members if m.rank == 0 and not m.gone), None)
        if leader is None or twice:
            self.at_once = True
        elif leader.done is None:
            _signal(leader, received)

    def _pause(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z stops all processes, and this one; `fg` lets them go on."""
        self._signal_all(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        for member in self.members:
            if not member.gone:
                _signal(member, number)

    # -- the lines ------------------------------------------------------------------------------------

    def _over(self) -> bool:
        late = self.until is not None and time.monotonic() > self.until
        return self.at_once or late or self._process.poll() is not None

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process

    def _listen(self, ears: selectors.BaseSelector, door: socket.socket, folder: str) -> bool:
        """Take what comes within a moment: new processes, and what they say; whether anything came."""
        ready = ears.select(0.1)
        for key, _mask in ready:
            if key.fileobj is door:
                line, _where = door.accept()
                self.members.append(_Member(line))
                ears.register(line, selectors.EVENT_READ, self.members[-1])
                continue
            member = key.data
            try:
                heard = member.line.recv(4096)
            except OSError:
                heard = b""
            if not heard:
                ears.unregister(member.line)
                member.line.close()
                member.gone = True
                if member.done is None:
                    self._note(member)
            *lines, member.heard = (member.heard + heard).split(b"\n")
            for said in lines:
                self._hear(member, json.loads(said))
        if len(self.members) == self.ranks:  # nobody else is to come
            shutil.rmtree(folder, ignore_errors=True)
        return bool(ready)

    def _hear(self, member: _Member, told: dict[str, Any]) -> None:
        if "rank" in told:
            member.rank, member.pid = told["rank"], told["pid"]
            streams = [1, 2]
            if member.rank:
                member.errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the job
                streams = [member.errors.fileno()] * 2
            try:
                socket.send_fds(member.line, [b"+"], streams)
            except OSError:  # there is no stream, or nobody who takes it
                with contextlib.suppress(OSError):
                    member.line.shutdown(socket.SHUT_RDWR)
        elif "cause" in told:
            self.cause = self.cause or told["cause"]
        else:
            member.done = told["done"]
            if member.done != 0:
                self._note(member)
            elif len(self.members) == self.ranks and all(m.done == 0 for m in self.members):
                self.until = time.monotonic() + LAST

    def _note(self, member: _Member) -> None:
        """A process has not ended well: the first of them says what is wrong with the job."""
        if self.first is None:
            self.first, self.until = member, time.monotonic() + GRACE

    def _clear(self) -> None:
        """End what is left of the processes."""
        if self.process is not None and self.process.poll() is None:
            self.cleared = True
            self._signal_all(signal.SIGKILL)
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self._signal_all(signal.SIGKILL)

    # -- the end --------------------------------------------------------------------------------------

    def _end(self, noise: str) -> End:
        """How it ended."""
        leader = next((m for m in self.members if m.rank == 0), None)
        code = None if leader is None else leader.done
        other = self.first is not None and self.first is not leader and self.first.done is None
        if code is not None and not self.at_once and (code == 0 or self.received or not other):
            return End(code)  # rank 0 has said what there is to say
        if self.received:
            number = self.received[0]
            if number is not signal.SIGINT:
                return End(-number)
            if len(self.received) > 1:
                return End(130, _("interrupted twice, and ended at once."))
            return End(130, _("interrupted; nothing was written."))
        if self.first is not None and self.first.done is not None:
            return End(self.first.done, self._words_of(self.first))
        # What mpiexec says of its own end is nothing if this has ended it.
        status = 0 if self.cleared else self._process.returncode
        rank = None if self.first is None else self.first.rank
        end = lost(status, noise, rank, self.ranks, begun=bool(self.members))
        return end if self.cause is None else End(LOST, self.cause, again=True)

    def _words_of(self, member: _Member) -> Text | None:
        """What a rank wrote last, where rank 0 has not ended for the same reason."""
        assert member.errors is not None
        member.errors.seek(0)
        lines = member.errors.read().decode(errors="replace").split("\n")
        told = " ".join(line.strip() for line in lines[-12:] if line.strip())
        return _("rank {rank}: {why}", rank=member.rank, why=printable(told))


def _signal(member: _Member, number: signal.Signals) -> None:
    if member.pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(member.pid, number)


def _short_folder() -> str:
    """Where temporary folders are; the path of a line may have some 100 bytes."""
    folder = tempfile.gettempdir()
    return folder if len(os.fsencode(folder)) < 60 else "/tmp"  # noqa: S108 - made with mkdtemp
