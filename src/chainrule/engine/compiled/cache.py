"""The kernel cache: generated source and its machine code, kept in a private folder.

Each kernel has a folder of its own, named after everything its machine code depends on:

    kernels/step_0123…/step_0123….py        the generated source
                       __pycache__/         what Numba compiled from it: .nbi, .nbc
                       sums.json            the SHA-256 of each compiled file
                       lock                 held while one process compiles, or loads

What lies here is executed, and Numba's files are trusted by Numba as they are. So the folder
must be the user's alone, and a compiled file is shown to Numba only if its sum is right.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import hashlib
import importlib
import importlib.abc
import importlib.util
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from chainrule.errors import SettingError
from chainrule.version import __version__

fcntl: types.ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

msvcrt: types.ModuleType | None
try:
    import msvcrt
except ImportError:  # anywhere else
    msvcrt = None

__all__ = ["compile", "folder", "load", "why_temporary"]

Say = Callable[[str], None]

#: How long to wait for another process that compiles the same kernel, in seconds.
PATIENCE = 60.0
#: A kernel goes after so many seconds without use, or when so many others were used since.
IDLE, KEPT = 90 * 86400.0, 500
#: No kernel goes that was used so recently: a process may be between loading and compiling it.
RECENT = 3600.0

KERNEL = re.compile(r"[a-z0-9_]{1,32}_[0-9a-f]{32}")
REMOVED = re.compile(r"\.removed-[0-9a-f]{16}")
#: Older versions of Numba take a source file with another time for another source. So every
#: source file gets the same time, and one that had to be written anew still fits its machine code.
TIME = 1_600_000_000


# --- where ---------------------------------------------------------------------------------------


class _Temporary(NamedTuple):
    """The folder of a process that cannot use the lasting one."""

    process: int
    path: Path
    reason: str


_loading = threading.RLock()
_temporary: _Temporary | None = None


def folder() -> Path:
    """The folder where kernels are kept: the user's own, mode 0700, made if it is absent.

    It is `kernels` in `$CHAINRULE_CACHE`, or else in the user's cache folder. A folder that
    another user could have written in is refused, and so is one that cannot be written in: then
    this is a temporary folder, removed when the process ends, and `why_temporary` says why.
    """
    try:
        place = _wanted()
        reason = _unfit(place)
    except (RuntimeError, ValueError) as error:  # no home folder; NUL in a name
        reason = str(error)
    return _temporary_folder(reason) if reason else place


def why_temporary() -> str | None:
    """Why this process keeps its compiled code in a temporary folder, in a line; else None."""
    with _loading:
        if _temporary is None or _temporary.process != os.getpid():
            return None
        return _temporary.reason


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
            return f"{place} is a symbolic link, which is not followed"
        if not stat.S_ISDIR(found.st_mode):
            return f"{place} is not a folder"
        if sys.platform != "win32":
            mine = os.geteuid()
            if found.st_uid != mine:
                return f"{place} belongs to another user"
            if os.stat(place.parent).st_uid not in (0, mine):
                return f"{place.parent} belongs to another user"
            if found.st_mode & 0o022:
                # Closing it now would be too late: what lies in it may be another's already.
                return f"{place} may be written in by other users; remove it, or name another"
            if found.st_mode & 0o077:  # nobody else could have written: closing it is enough
                os.chmod(place, stat.S_IMODE(found.st_mode) & 0o700)
        if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
            return f"{place} cannot be written in"
    except OSError as error:
        return f"{place} cannot be used ({error.strerror or error})"
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
                    return f"{step} is a symbolic link made by another user"
            elif found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
                return f"everyone may write in {step}"
    return ""


def _temporary_folder(reason: str) -> Path:
    """A folder for this process alone: a forked child, which may live longer, makes its own."""
    global _temporary
    with _loading:
        kept = _temporary
        if kept is None or kept.process != os.getpid() or not kept.path.is_dir():
            path = Path(tempfile.mkdtemp(prefix="chainrule-"))  # mode 0700
            atexit.register(_remove_own, os.getpid(), path)
            _temporary = kept = _Temporary(os.getpid(), path, reason)
        return kept.path


def _remove_own(process: int, path: Path) -> None:
    if os.getpid() == process:
        shutil.rmtree(path, ignore_errors=True)


# --- loading -------------------------------------------------------------------------------------


_modules: dict[str, types.ModuleType] = {}


def load(source: str, name: str, salt: str) -> types.ModuleType:
    """The module of this source, kept as a file so that Numba can keep its machine code.

    Args:
        source: Python text. Its functions may be decorated with `numba.njit(cache=True)`.
        name: what to call it in file names and tracebacks; anything is allowed.
        salt: whatever else the machine code depends on, such as the text of helpers that are
            compiled into it.

    The same source, name and salt give the same module object within a process.

    Raises:
        OSError: neither the cache folder nor a temporary one can be written in.
    """
    data = source.encode()
    stem = f"{_clean(name)}_{_digest(source, name, salt)}"
    with _loading:
        path = folder() / stem / f"{stem}.py"
        module = _modules.get(str(path))
        if module is None:
            try:
                _place(path, data)
            except OSError as error:
                reason = f"{path.parent.parent} cannot be used ({error.strerror or error})"
                path = _temporary_folder(reason) / stem / f"{stem}.py"
                _place(path, data)
            module = _modules.get(str(path)) or _imported(path, source)
            _modules[str(path)] = module
            with contextlib.suppress(OSError):
                os.utime(path.parent / "sums.json")  # used today, so not to be swept away
        return module


def _clean(name: str) -> str:
    """The name in lower-case letters, digits and underscores: a file name anywhere."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:32] or "kernel"


def _digest(source: str, name: str, salt: str) -> str:
    """A name for everything the machine code depends on, besides what Numba looks at itself."""
    numba, numpy = importlib.import_module("numba"), importlib.import_module("numpy")
    options = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK", "DEBUGINFO_DEFAULT")
    target = importlib.import_module("llvmlite.binding")
    parts = [source, name, salt, __version__, numba.__version__, numpy.__version__]
    parts += [sys.version, sys.platform, target.get_host_cpu_name()]
    parts += [str(getattr(numba.config, option, None)) for option in options]
    digest = hashlib.sha256()
    for part in parts:
        text = part.encode("utf-8", "surrogatepass")
        digest.update(len(text).to_bytes(8, "little") + text)  # with lengths: "ab", "c" ≠ "a", "bc"
    return digest.hexdigest()[:32]


def _place(path: Path, data: bytes) -> None:
    """See that the file holds this; one that does already is not touched."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if _holds(path, data):
        return
    if os.path.lexists(path):
        # A damaged source: what was compiled beside it will not be believed without its sums.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path.parent / "sums.json")
    try:
        _put(path, data, TIME)
    except OSError:
        if not _holds(path, data):  # Windows, when another process has just written it
            raise


def _holds(path: Path, data: bytes) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode) and path.read_bytes() == data
    except OSError:
        return False


def _put(path: Path, data: bytes, when: float | None = None) -> None:
    """Write a file whole or not at all; not forced to the disk, as a torn one would be noticed."""
    temporary = path.parent / f".{os.urandom(8).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(temporary, flags, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(data)
        if when is not None:
            os.utime(temporary, (when, when))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


class _Loader(importlib.abc.ExecutionLoader):
    """Runs the text that was asked for, whatever the file has become, and keeps no bytecode."""

    def __init__(self, path: Path, source: str) -> None:
        self.path, self.source = path, source

    def get_filename(self, fullname: str) -> str:
        return str(self.path)

    def get_source(self, fullname: str) -> str:
        return self.source

    def is_package(self, fullname: str) -> bool:
        return False


def _imported(path: Path, source: str) -> types.ModuleType:
    # The name stands in Numba's files, so it is the same in every process.
    name = f"_chainrule_{path.stem}"
    loader = _Loader(path, source)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: Numba looks it up
    try:
        with _files_beside():
            loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


@contextlib.contextmanager
def _files_beside() -> Iterator[None]:
    """Functions decorated meanwhile keep their machine code beside their source.

    NUMBA_CACHE_DIR would have it elsewhere, perhaps where others may write.
    """
    config: Any = importlib.import_module("numba").config
    keys = ("CACHE_DIR", "CACHE_LOCATOR_CLASSES")
    before = {key: getattr(config, key) for key in keys if hasattr(config, key)}
    try:
        for key in before:
            setattr(config, key, "")
        yield
    finally:
        for key, value in before.items():
            setattr(config, key, value)


# --- compiling -----------------------------------------------------------------------------------


_compiling = threading.RLock()


def compile(function: Any, signature: tuple[Any, ...], announce: Say | None = None) -> bool:
    """See that a function of a loaded module has machine code for these argument types.

    Args:
        function: one decorated with `numba.njit`, from a module that `load` gave.
        signature: the Numba types of its arguments.
        announce: called with a line of text before anything that takes long, and when the
            machine code could not be kept. Whatever it raises is passed on.

    Returns:
        Whether it was compiled now, rather than loaded or there already.

    Damaged files are compiled anew. Files that cannot be written are done without.

    Raises:
        SettingError: the function is not from a module that `load` gave.
        numba.core.errors.NumbaError: the function cannot be compiled.
    """
    if not hasattr(function, "signatures"):  # NUMBA_DISABLE_JIT: a plain function
        return False
    signature = tuple(signature)
    path = Path(function.py_func.__code__.co_filename)
    module = _modules.get(str(path))
    if module is None:
        raise SettingError(f"{function.__name__} is not from a module of the kernel cache.")
    say = announce or _silent
    with _compiling:
        if signature in function.signatures:
            return False
        kernel = path.parent
        with _locked(kernel, PATIENCE, say) as held:
            if held and _beside(function, kernel) and _sound(kernel):
                try:
                    return _compiled(function, signature, kernel, say)
                except Exception as error:
                    there = signature in function.signatures  # then it was the saving that failed
                    if not there and not isinstance(error, OSError):
                        raise
                    _discard(kernel)
                    say(f"The compiled code could not be kept: {error}")
                    if there:
                        return True
        with _off_the_disk(module), _announced(function, say):
            function.compile(signature)
        return True


def _silent(line: str) -> None:
    pass


def _beside(function: Any, kernel: Path) -> bool:
    kept = function.stats.cache_path  # None: without cache=True
    return kept is None or os.path.abspath(kept) == str(kernel / "__pycache__")


def _compiled(function: Any, signature: tuple[Any, ...], kernel: Path, say: Say) -> bool:
    """Load what was compiled, or compile, and then write down what is in the kernel's folder."""
    misses = function.stats.cache_misses  # Numba counts one when it turns to compiling
    before = misses[signature]
    for last in (False, True):
        try:
            with _announced(function, say):
                function.compile(signature)
            # Two processes that could not lock may have left one's code in the other's index.
            if signature in function.signatures:
                break
        except Exception:
            if last or misses[signature] > before:
                raise
        _discard(kernel)  # the sums are right, and yet it cannot be loaded: once more, without
    if misses[signature] == before:
        return False
    _put(kernel / "sums.json", json.dumps(_sums(kernel), indent=1).encode())
    with contextlib.suppress(OSError):
        _sweep(kernel.parent)
    return True


@contextlib.contextmanager
def _announced(function: Any, say: Say) -> Iterator[None]:
    """Says so when Numba has found nothing on the disk and turns to compiling the function."""
    try:
        events: Any = importlib.import_module("numba.core.event")
        base: Any = events.Listener
        install: Any = events.install_listener
    except (ImportError, AttributeError):  # no such events in this Numba: silently, then
        yield
        return

    def on_start(_: Any, event: Any) -> None:
        if event.data.get("dispatcher") is function:
            say(f"Compiling `{function.__name__}` for this kind of network: some seconds, once.")

    def on_end(_: Any, event: Any) -> None:
        pass

    listener: Any = type("Announcer", (base,), {"on_start": on_start, "on_end": on_end})
    with install("numba:compile", listener()):
        yield


@contextlib.contextmanager
def _off_the_disk(module: types.ModuleType) -> Iterator[None]:
    """Numba neither reads nor writes files of the module's functions meanwhile."""
    functions = [f for f in vars(module).values() if hasattr(f, "signatures")]
    caches: list[Any] = [getattr(f, "_cache", None) for f in functions]
    caches = [cache for cache in caches if hasattr(cache, "disable")]
    for cache in caches:
        cache.disable()
    try:
        yield
    finally:
        for cache in caches:
            cache.enable()


# --- trusting files ------------------------------------------------------------------------------


def _sums(kernel: Path) -> dict[str, str]:
    """The SHA-256 of every compiled file."""
    room = kernel / "__pycache__"
    names = sorted(os.listdir(room)) if room.is_dir() else []
    return {
        name: hashlib.sha256((room / name).read_bytes()).hexdigest()
        for name in names
        if name.endswith((".nbi", ".nbc"))
    }


def _sound(kernel: Path) -> bool:
    """Whether every compiled file is as it was saved; otherwise all go, and it is as if new.

    One file alone never goes: an index without its code, or with other code, is what Numba
    would believe.
    """
    try:
        found = _sums(kernel)
        try:
            known = json.loads((kernel / "sums.json").read_bytes())
        except FileNotFoundError:
            known = {}
        if found == known:
            return True
    except (OSError, ValueError, RecursionError):
        pass
    return _discard(kernel)


def _discard(kernel: Path) -> bool:
    """Remove every compiled file, and what killed writers left; whether that was possible."""
    shutil.rmtree(kernel / "__pycache__", ignore_errors=True)
    for path in [kernel / "sums.json", *kernel.glob(".*.tmp")]:
        with contextlib.suppress(OSError):
            os.unlink(path)
    return not os.path.lexists(kernel / "__pycache__")


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
            with _locked(kernels / name, 0.0, _silent) as free:
                pass  # Windows moves no folder with an open file in it
            gone = kernels / f".removed-{os.urandom(8).hex()}"
            with contextlib.suppress(OSError):
                if free:
                    os.rename(kernels / name, gone)  # so that nobody sees half a kernel
                    shutil.rmtree(gone, ignore_errors=True)


def _last_use(kernel: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return os.stat(kernel / "sums.json").st_mtime
    return os.stat(kernel).st_mtime


# --- locking -------------------------------------------------------------------------------------


_held: set[int] = set()


@contextlib.contextmanager
def _locked(kernel: Path, patience: float, say: Say) -> Iterator[bool]:
    """Hold the kernel's lock against other processes; yields whether that was possible in time.

    Where files cannot be locked at all it counts as held: the sums still keep damage out.
    """
    handle = _acquired(kernel, patience, say)
    try:
        yield handle is not None
    finally:
        if handle is not None:
            _release(handle)


def _acquired(kernel: Path, patience: float, say: Say) -> int | None:
    path, start, told = kernel / "lock", time.monotonic(), False
    while True:
        try:
            kernel.mkdir(mode=0o700, exist_ok=True)  # it may have been swept away
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return None
        _held.add(handle)
        try:
            # The folder may have been removed, lock and all, by who held it before.
            if _lock(handle) and os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        except OSError:
            pass
        _release(handle)
        waited = time.monotonic() - start
        if waited >= patience:
            return None
        if waited > 0.5 and not told:
            told = True
            say("Waiting for another process that compiles the same code")
        time.sleep(0.02)


def _lock(handle: int) -> bool:
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif msvcrt is not None:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        taken = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
        return error.errno not in taken
    return True


def _release(handle: int) -> None:
    _held.discard(handle)
    with contextlib.suppress(OSError):
        # Said outright: a forked child may have the file open too, and would go on holding it.
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_UN)
        elif msvcrt is not None:
            msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
    with contextlib.suppress(OSError):
        os.close(handle)


def _after_fork() -> None:
    """In a forked child: what another thread held in the parent is nobody's here."""
    global _loading, _compiling
    _loading, _compiling = threading.RLock(), threading.RLock()
    for handle in _held:
        with contextlib.suppress(OSError):
            os.close(handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
