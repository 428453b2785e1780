"""How a job ended: which process was lost, by what, and whether another attempt may come further."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from chainrule.errors import printable
from chainrule.lang.messages import Text, _

__all__ = ["HANDED_ON", "LOST", "End", "lost"]

#: The exit status of a command that lost a process.
LOST = 75
#: The signals that are handed on to rank 0, which keeps the training and ends it.
HANDED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
#: How mpiexec tells which rank ended first, and by which signal.
NOTICED, BY = re.compile(r"rank (\d+) with PID"), re.compile(r"on signal (\d+)")


@dataclass(frozen=True)
class End:
    """How a job ended: its exit status, or minus a signal; what ended it, if it did not end by itself."""

    code: int
    why: Text | str | None = None
    #: Whether another attempt may come further: what ended it came from outside.
    again: bool = False


def lost(status: int, noise: str, rank: int | None, ranks: int, *, begun: bool = True) -> End:
    """The end of a job of which a process was lost.

    `status` is that of mpiexec, or of the one process, 0 if unknown; `noise` what mpiexec said; `rank` the
    one whose line was cut first; `begun`: whether any rank was there.

    >>> noise = "prterun noticed that process rank 2 with PID 7 on node a exited on\\nsignal 11 (...)."
    >>> lost(139, noise, 0, 3).why, lost(-9, "", 0, 1).again, lost(143, "", 0, 2).again
    ('rank 2 of 3 was ended by SIGSEGV.', True, False)
    """
    noise = " ".join(noise.split())
    noticed, by = NOTICED.search(noise), BY.search(noise)
    number = -status if status < 0 else status - 128 if status > 128 else 0
    if noticed is not None:
        rank, number = int(noticed[1]), 0 if by is None else int(by[1])
    elif not begun and ranks > 1:
        told = printable(noise.replace("-----", "").strip("- "))[:400]
        return End(2, _("mpiexec has not started the ranks: {why}", why=told))
    who: Text | str = "mpiexec"
    if ranks == 1:
        who = _("the process of the training")
    elif rank is not None:
        who = _("rank {rank} of {size}", rank=rank, size=ranks)
    if number not in signal.valid_signals():
        return End(LOST, _("{who} ended without a word.", who=who), again=True)
    name = signal.Signals(number).name
    why = _("{who} was ended by {signal}.", who=who, signal=name)
    if name in HANDED_ON:  # somebody wanted it to end
        return End(-number, why)
    if name == "SIGKILL":
        why = _(
            "{who} was ended by {signal}, as the system does where memory runs out.",
            who=who,
            signal=name,
        )
    return End(LOST, why, again=True)
