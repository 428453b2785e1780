"""The folder for machine code: private to the user, since its contents are executed."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path

from chainrule.lang.messages import _

__all__ = ["folder"]


def folder() -> tuple[Path | None, str]:
    """The folder for kernels, mode 0700, made if absent; or None, and the reason in one line.

    It is `kernels` in `$CHAINRULE_CACHE`, or else in the user's cache folder. A folder that
    other users can write to is refused, and so is one that this user cannot write to.
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
        # By the XDG specification a relative path is ignored.
        base = (Path(shared) if os.path.isabs(shared) else Path.home() / ".cache") / "chainrule"
    return Path(os.path.abspath(base)) / "kernels"


def _unfit(place: Path) -> str:
    """Why the folder cannot be used, or "". It is made if absent, and made private if readable."""
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
                # Making it private now would be too late: another user may have put files in it.
                return _(
                    "{path} may be written in by other users; remove it, or name another",
                    path=place,
                )
            if found.st_mode & 0o077:  # others could only read: making it private is enough
                os.chmod(place, stat.S_IMODE(found.st_mode) & 0o700)
        if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
            return _("{path} cannot be written in", path=place)
    except OSError as error:
        return _("{path} cannot be used ({error})", path=place, error=error.strerror or error)
    return ""


def _within_reach(place: Path) -> str:
    """Why other users could replace the folder or a parent of it, even after this check; "" if not."""
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
