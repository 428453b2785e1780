"""The kernel cache: generated source and its machine code, kept in a private folder.

Each kernel has a folder of its own, named after everything its machine code depends on:

    kernels/step_0123…/step_0123….py        the generated source, for people
                       code                 a line that identifies the format, the SHA-256 of the
                                            rest, a symbol, and the object file with that symbol
                       lock                 locked while one process compiles

Files are written atomically, and code is executed only if its checksum is right.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from chainrule.engine.compiled.folder import folder
from chainrule.engine.compiled.locks import Say, locked
from chainrule.engine.cost import duration
from chainrule.lang.messages import Text, _

__all__ = ["Code", "obtain"]

#: How long to wait for another process that compiles the same kernel, in seconds.
PATIENCE = 60.0
#: A kernel is removed after so many seconds without use, or when so many others were used since.
IDLE, KEPT = 90 * 86400.0, 500
#: No kernel used within so many seconds is removed: a process may be about to use it.
RECENT = 3600.0

KERNEL = re.compile(r"[a-z0-9_]{1,32}_[0-9a-f]{32}")
REMOVED = re.compile(r"\.removed-[0-9a-f]{16}")
FIRST = b"chainrule machine code, 1\n"

T = TypeVar("T")


class Code(NamedTuple):
    """Machine code: an object file, and the symbol of the function in it."""

    symbol: str
    data: bytes


_obtaining = threading.RLock()
_obtained: dict[str, Any] = {}


def obtain(
    source: str,
    name: str,
    ingredients: Sequence[str],
    make: Callable[[Path], Code],
    use: Callable[[Code], T],
    say: Say | None = None,
    seconds: Callable[[], float] | None = None,
) -> T:
    """The result of `use` for a source's machine code, from the cache or compiled now.

    Args:
        source: Python text.
        name: a name for the files; any text is allowed.
        ingredients: everything else that the machine code depends on: compiler, processor, options.
        make: compiles the source; its argument is the path of the source file.
        use: loads machine code and returns the function; raises if the code is unusable.
        say: called with a line of text before anything that takes long, and when the machine
            code cannot be stored. Its exceptions are passed on.
        seconds: gives about how long compiling takes; called only if that is shown.

    The same source, name and ingredients give the same object within a process. Damaged code is
    compiled anew; code that cannot be written is used without being stored.

    Raises:
        Exception: an exception of `make`, or of `use` for the code just compiled.
    """
    say = say or _silent
    stem = f"{_clean(name)}_{_digest([source, name, *ingredients])}"
    with _obtaining:
        if stem not in _obtained:
            _obtained[stem] = _kept_or_made(stem, source, make, use, say, seconds)
        found: T = _obtained[stem]
        return found


def _kept_or_made(
    stem: str,
    source: str,
    make: Callable[[Path], Code],
    use: Callable[[Code], T],
    say: Say,
    seconds: Callable[[], float] | None,
) -> T:
    kernels, reason = folder()
    if kernels is None:
        say(_announced(reason, seconds))
        return use(make(Path(f"{stem}.py")))
    kernel = kernels / stem
    found = _used(kernel, use)
    if found is not None:
        return found[0]
    with locked(kernel, PATIENCE, say) as held:
        if held:  # another process may have compiled it meanwhile
            found = _used(kernel, use)
            if found is not None:
                return found[0]
        say(_announced("" if held else _("{path} cannot be locked", path=kernel), seconds))
        path = kernel / f"{stem}.py"
        if held:
            with contextlib.suppress(OSError):
                _put(path, source.encode("utf-8", "surrogatepass"))
        code = make(path)
        function = use(code)
        if held:
            try:
                _put(kernel / "code", _packed(code))
            except OSError as error:
                say(_("The compiled code could not be kept: {error}", error=error))
            else:
                with contextlib.suppress(OSError):
                    _sweep(kernels)
        return function


def _announced(reason: str, seconds: Callable[[], float] | None) -> Text:
    """The message before compiling, with the reason if the code will not be stored."""
    long = duration(seconds()) if seconds is not None else _("some seconds")
    if not reason:
        return _("Compiling for this kind of network: {time}, once.", time=long)
    return _(
        "Compiling for this kind of network: {time}, in every process, as {reason}.",
        time=long,
        reason=reason,
    )


def _silent(line: str) -> None:
    pass


def _clean(name: str) -> str:
    """The name in lower-case letters, digits and underscores: a file name anywhere."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:32] or "kernel"


def _digest(parts: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for part in (*parts, sys.version, sys.platform, platform.machine()):
        text = part.encode("utf-8", "surrogatepass")
        digest.update(len(text).to_bytes(8, "little") + text)  # with lengths: "ab", "c" ≠ "a", "bc"
    return digest.hexdigest()[:32]


# -- files ----------------------------------------------------------------------------------------


def _used(kernel: Path, use: Callable[[Code], T]) -> tuple[T] | None:
    """The result of `use` for the stored code, in a tuple; None if it is absent or damaged."""
    path = kernel / "code"
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        data = path.read_bytes()
    except OSError:
        return None
    code = _unpacked(data)
    if code is None:
        return None
    try:
        function = use(code)
    except Exception:  # such as a symbol that this system does not have
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # marks the kernel as used, so that it is not swept
    return (function,)


def _packed(code: Code) -> bytes:
    rest = code.symbol.encode() + b"\n" + code.data
    return FIRST + hashlib.sha256(rest).digest() + rest


def _unpacked(data: bytes) -> Code | None:
    """The code in a file's bytes; None if the checksum is wrong."""
    start = len(FIRST) + hashlib.sha256().digest_size
    rest = data[start:]
    if data[:start] != FIRST + hashlib.sha256(rest).digest():
        return None
    symbol, _, found = rest.partition(b"\n")
    try:
        return Code(symbol.decode(), found)
    except UnicodeDecodeError:
        return None


def _put(path: Path, data: bytes) -> None:
    """Write a file atomically; it is not forced to the disk, as the checksum detects a torn one."""
    temporary = path.parent / f".{os.urandom(8).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(temporary, flags, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _sweep(kernels: Path) -> None:
    """Remove the kernels that have not been used for long."""
    now = time.time()
    used: list[tuple[float, str]] = []
    for name in os.listdir(kernels):
        if REMOVED.fullmatch(name):
            shutil.rmtree(kernels / name, ignore_errors=True)
        elif KERNEL.fullmatch(name):
            with contextlib.suppress(OSError):
                used.append((_last_use(kernels / name), name))
    for place, (when, name) in enumerate(sorted(used, reverse=True)):
        if now - when > (IDLE if place < KEPT else RECENT):
            with locked(kernels / name, 0.0, _silent) as free:
                pass  # Windows moves no folder with an open file in it
            gone = kernels / f".removed-{os.urandom(8).hex()}"
            with contextlib.suppress(OSError):
                if free:
                    os.rename(kernels / name, gone)  # so that no process sees half a kernel
                    shutil.rmtree(gone, ignore_errors=True)


def _last_use(kernel: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return os.stat(kernel / "code").st_mtime
    return os.stat(kernel).st_mtime


def _after_fork() -> None:
    """Replace the locks in a forked child: other threads of the parent may have held them."""
    global _obtaining
    _obtaining = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
