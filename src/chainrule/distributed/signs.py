"""Signs of life: what a rank tells of itself four times a second."""

from __future__ import annotations

import os
import struct
import sys
import sysconfig
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NamedTuple

__all__ = ["ABORTS", "COMPUTES", "ENDS", "SIZE", "USERS", "WAITS", "Sign", "doing", "place_of_call"]

#: What a rank does: it waits for others, computes in chainrule's code, runs the user's, has come to its
#: end, or ends the job.
WAITS, COMPUTES, USERS, ENDS, ABORTS = b"w", b"c", b"u", b"e", b"a"
_FORM = struct.Struct("<cqqq12s200s")
#: The bytes of a sign.
SIZE = _FORM.size
#: Where Python's own modules are, and the folders of installed packages, those of a user's own and of
#: another environment, too; what is elsewhere is the user's.
HOMES = tuple(sysconfig.get_paths()[name] + os.sep for name in ("stdlib", "platstdlib"))
PACKAGES = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


class Sign(NamedTuple):
    """What a rank does, and where.

    >>> Sign.of(Sign(WAITS, 7, call="barrier").packed)
    Sign(does=b'w', calls=7, stuck=0, size=0, call='barrier', where='')
    """

    does: bytes
    #: How many calls it has made in which ranks wait for each other.
    calls: int = 0
    #: How many ranks in a row, of which it is the last, have waited too long in one call.
    stuck: int = 0
    #: The bytes that it gives to the call in which it waits.
    size: int = 0
    #: The name of that call.
    call: str = ""
    #: The user's line that it is in, or has called from.
    where: str = ""

    @property
    def which(self) -> tuple[int, str, int]:
        """Which of all calls it waits in: the same for all ranks that wait for each other."""
        return self.calls, self.call, self.size

    @property
    def packed(self) -> bytes:
        """The sign as bytes; the end of a long place says more than its beginning."""
        where = self.where.encode()[-200:]
        return _FORM.pack(self.does, *self[1:4], self.call.encode(), where)

    @classmethod
    def of(cls, told: bytes) -> Sign:
        """The sign that these bytes are."""
        does, calls, stuck, size, call, where = _FORM.unpack(told)
        texts = (text.rstrip(b"\0").decode(errors="replace") for text in (call, where))
        return cls(does, calls, stuck, size, *texts)


def doing() -> tuple[bytes, str]:
    """Whether the main thread is in the user's code or in chainrule's, and where in the user's.

    What either calls in other packages counts as its own.
    """
    for frame in _frames():
        if _is_ours(frame):
            break
        if _is_users(frame):
            return USERS, _place(frame)
    return COMPUTES, ""


def place_of_call() -> str:
    """The user's line that the main thread has come from, if there is one."""
    return next((_place(f) for f in _frames() if _is_users(f) and not _is_ours(f)), "")


def _frames() -> Iterator[FrameType]:
    """What the main thread is in, the innermost function first."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_ours(frame: FrameType) -> bool:
    spec = frame.f_globals.get("__spec__")  # of `python -m`, whose __name__ is "__main__"
    name = frame.f_globals.get("__name__", "") if spec is None else spec.name
    return bool(name.partition(".")[0] == "chainrule")


def _is_users(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    installed = file.startswith((*HOMES, "<")) or any(name in file for name in PACKAGES)
    return frame.f_globals.get("__name__") == "__main__" or not installed


def _place(frame: FrameType) -> str:
    code = frame.f_code
    return f"{os.path.basename(code.co_filename)}:{frame.f_lineno} ({code.co_name})"
