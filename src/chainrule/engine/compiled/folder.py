"""The folder where machine code is kept: the user's own, since what lies in it is executed."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path

from chainrule.lang.messages import _

__all__ = ["folder"]


def folder() -> tuple[Path | None, str]:
    """The folder where kernels are kept, mode 0700, made if absent; or none, and why, in a line.

    It is `kernels` in `$CHAINRULE_CACHE`, or else in the user's cache folder. A folder that
    another user could have written in is refused, and so is one that cannot be written in.
    """
    try:
        place = _wanted()
        reason = _unfit(place)
    except (RuntimeError, ValueError) as error:  # no home folder; NUL in a name
        return None, str(error)
    return (None, reason) if reason else (place, "")


def _wanted() -> Path:
    given = os.environ.get("CHAINRULE_CACHE")
    if given:
        base = Path(given).expanduser()
    elif sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        base = Path(local) / "chainrule" / "cache"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches" / "chainrule"
    else:
        shared = os.environ.get("XDG_CACHE_HOME", "")
        # The XDG specification wants a relative one ignored.
        base = (Path(shared) if os.path.isabs(shared) else Path.home() / ".cache") / "chainrule"
    return Path(os.path.abspath(base)) / "kernels"


def _unfit(place: Path) -> str:
    """Why the folder cannot be used, or nothing. It is made if absent, and closed to reading."""
    try:
        reason = _within_reach(place)
        if reason:
            return reason
        for step in (*reversed(place.parents), place):
            if not os.path.lexists(step):
                with contextlib.suppress(FileExistsError):  # another process was quicker
                    os.mkdir(step, 0o700)
        found = os.lstat(place)
        if stat.S_ISLNK(found.st_mode):
            return _("{path} is a symbolic link, which is not followed", path=place)
        if not stat.S_ISDIR(found.st_mode):
            return _("{path} is not a folder", path=place)
        if sys.platform != "win32":
            mine = os.geteuid()
            if found.st_uid != mine:
                return _("{path} belongs to another user", path=place)
            if os.stat(place.parent).st_uid not in (0, mine):
                return _("{path} belongs to another user", path=place.parent)
            if found.st_mode & 0o022:
                # Closing it now would be too late: what lies in it may be another's already.
                return _(
                    "{path} may be written in by other users; remove it, or name another",
                    path=place,
                )
            if found.st_mode & 0o077:  # nobody else could have written: closing it is enough
                os.chmod(place, stat.S_IMODE(found.st_mode) & 0o700)
        if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
            return _("{path} cannot be written in", path=place)
    except OSError as error:
        return _("{path} cannot be used ({error})", path=place, error=error.strerror or error)
    return ""


def _within_reach(place: Path) -> str:
    """Whether others could put a folder of theirs in the way, even after it was looked at."""
    if sys.platform == "win32":
        return ""
    for lowest in (place.parent, Path(os.path.realpath(place.parent))):
        for step in (lowest, *lowest.parents):
            try:
                found = os.lstat(step)
            except (FileNotFoundError, NotADirectoryError):
                continue
            if stat.S_ISLNK(found.st_mode):
                if found.st_uid not in (0, os.geteuid()):
                    return _("{path} is a symbolic link made by another user", path=step)
            elif found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
                return _("everyone may write in {path}", path=step)
    return ""
