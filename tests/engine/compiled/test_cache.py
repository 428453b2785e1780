"""The kernel cache: nothing damaged or foreign is run, nothing sound is compiled twice."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.engine.compiled import cache
from chainrule.errors import SettingError

numba = pytest.importorskip("numba")
posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes")

SOURCE = """\
from numba import njit


@njit(cache=True)
def helper(x):
    return x * 2


@njit(cache=True)
def step(x):
    for i in range(x.size):
        x[i] = helper(x[i]) + 1
"""
ALONE = """\
from numba import njit


@njit(cache=True)
def step(x):
    for i in range(x.size):
        x[i] = x[i] * 2 + 1
"""
DOUBLE, SINGLE = (numba.float64[::1],), (numba.float32[::1],)

#: What a process of its own does: loads, compiles, runs, and says what happened.
PROCESS = """
import sys, numba, numpy as np
from chainrule.engine.compiled import cache
{before}
said = []
module = cache.load({source!r}, "step", "")
{between}
anew = cache.compile(module.step, (numba.float64[::1],), said.append)
x = np.arange(3.0)
module.step(x)
print(anew, len(said), x.tolist(), cache.why_temporary(), flush=True)
"""


def process(before: str = "", between: str = "", **env: str) -> subprocess.Popen[str]:
    program = PROCESS.format(source=SOURCE, before=before, between=between)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def said_by(run: subprocess.Popen[str]) -> str:
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    assert not err
    return out.strip()


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The cache folder of this test, and a process that has loaded nothing yet."""
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # never the real one
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(cache, "_temporary", None)
    forget()
    yield tmp_path / "cache" / "kernels"
    forget()


def forget() -> None:
    """As if in a new process: the next load makes new functions, without machine code."""
    for module in cache._modules.values():
        sys.modules.pop(module.__name__, None)
    cache._modules.clear()


def loaded(source: str = SOURCE) -> types.ModuleType:
    return cache.load(source, "step", "")


def right(module: types.ModuleType, dtype: Any = np.float64) -> bool:
    x = np.arange(3, dtype=dtype)
    module.step(x)
    return bool(x.tolist() == [1, 3, 5])


def compiled_files(module: types.ModuleType) -> list[Path]:
    assert module.__file__ is not None
    return sorted((Path(module.__file__).parent / "__pycache__").glob("*"))


def kernel_of(module: types.ModuleType) -> Path:
    assert module.__file__ is not None
    return Path(module.__file__).parent


def tree(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def bless(kernel: Path) -> None:
    """Give the files as they are their sums, so that only Numba can find anything wrong."""
    room = kernel / "__pycache__"
    sums = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in room.iterdir()}
    (kernel / "sums.json").write_text(json.dumps(sums))


# --- keeping -------------------------------------------------------------------------------------


def test_compiled_once_and_then_loaded(place: Path) -> None:
    said: list[str] = []
    module = loaded()
    assert cache.compile(module.step, DOUBLE, said.append)
    assert not cache.compile(module.step, DOUBLE, said.append)
    assert said == ["Compiling `step` for this kind of network: some seconds, once."]
    assert right(module)
    kept = {p: p.read_bytes() for p in compiled_files(module)}
    assert len(kept) == 4  # an index and one kind of code for each of the two functions
    forget()
    again = loaded()
    assert again is not module
    assert not cache.compile(again.step, DOUBLE, said.append)
    assert len(said) == 1
    assert sum(again.step.stats.cache_hits.values()) == 1
    assert right(again)
    assert {p: p.read_bytes() for p in compiled_files(again)} == kept
    # Another kind of number goes beside it, and neither disturbs the other.
    assert cache.compile(again.step, SINGLE)
    for _ in range(2):
        forget()
        both = loaded()
        assert not cache.compile(both.step, DOUBLE)
        assert not cache.compile(both.step, SINGLE)
        assert right(both)
        assert right(both, np.float32)
    assert cache.why_temporary() is None
    assert kernel_of(both).parent == place


def test_a_new_process_loads_what_another_compiled(place: Path) -> None:
    assert said_by(process()) == "True 1 [1.0, 3.0, 5.0] None"
    files = tree(place)
    assert said_by(process()) == "False 0 [1.0, 3.0, 5.0] None"
    assert tree(place) == files
    module = loaded()  # and so does this one
    assert not cache.compile(module.step, DOUBLE)


def test_one_module_for_one_source() -> None:
    made: list[types.ModuleType] = []
    threads = [threading.Thread(target=lambda: made.append(loaded())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert all(module is made[0] for module in made)
    assert loaded(SOURCE + "\n") is not made[0]


def test_threads_compile_together() -> None:
    module = loaded(ALONE)
    anew: list[bool] = []
    threads = [
        threading.Thread(target=lambda: anew.append(cache.compile(module.step, DOUBLE)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(anew) == [False, False, False, True]
    assert right(module)


def test_a_file_that_is_right_is_not_touched() -> None:
    file = Path(str(loaded().__file__))
    before = file.stat()
    forget()
    loaded()
    after = file.stat()
    assert (before.st_ino, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_ino,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )


def test_every_ingredient_makes_a_new_file(monkeypatch: pytest.MonkeyPatch) -> None:
    given = [
        ("a = 1", "step", "salt"), ("a = 1\n", "step", "salt"), ("a = 1", "step", "salt2"),
        ("a = 1", "step", "/salt"), ("a = 1", "Step", "salt"), ("a = 1", "step ", "salt"),
        ("a = 1", "step/", "salt"),
    ]  # fmt: skip
    files = {cache.load(*each).__file__ for each in given}
    assert len(files) == len(given)
    # Not by their letter case alone, which some file systems do not see.
    assert len({str(file).lower() for file in files}) == len(given)
    monkeypatch.setattr(cache, "__version__", "0.0.0")
    files.add(cache.load(*given[0]).__file__)
    monkeypatch.setattr(numba, "__version__", "0.0.0")
    files.add(cache.load(*given[0]).__file__)
    monkeypatch.setattr(numba.config, "OPT", 0)
    files.add(cache.load(*given[0]).__file__)
    assert len(files) == len(given) + 3


@pytest.mark.parametrize(
    "name",
    ["../../up", "/etc/passwd", "..", ".", "", "a\0b", "con", "ß\ud800", "x" * 5000, "a\nb", "-rf", "C:\\x"],
)  # fmt: skip
def test_no_name_leads_out_of_the_folder(place: Path, name: str) -> None:
    file = Path(str(cache.load("a = 1", name, "").__file__))
    assert file.parent.parent == place
    assert cache.KERNEL.fullmatch(file.stem)
    assert file.parent.name == file.stem
    assert tree(place) == [f"{file.stem}/{file.stem}.py"]


def test_the_source_is_at_hand_in_tracebacks() -> None:
    module = cache.load("def fail():\n    raise ValueError('on purpose')\n", "step", "")
    with pytest.raises(ValueError, match="on purpose") as caught:
        module.fail()
    assert "raise ValueError('on purpose')" in str(caught.getrepr())


def test_a_source_that_fails_leaves_no_module() -> None:
    before = set(sys.modules)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            cache.load("1 / 0", "step", "")
    assert not [name for name in set(sys.modules) - before if name.startswith("_chainrule")]


def test_only_functions_of_the_cache() -> None:
    with pytest.raises(SettingError, match="kernel cache"):
        cache.compile(numba.njit(lambda x: x), (numba.int64,))
    assert not cache.compile(loaded().step.py_func, DOUBLE)  # as under NUMBA_DISABLE_JIT


def test_a_function_that_cannot_be_compiled_says_so_and_costs_nothing_else() -> None:
    module = loaded()
    cache.compile(module.step, DOUBLE)
    with pytest.raises(numba.core.errors.TypingError):
        cache.compile(module.step, (numba.types.unicode_type,))
    forget()
    assert not cache.compile(loaded().step, DOUBLE)


def test_without_numbas_events_it_works_unannounced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba.core.event", None)  # importing it fails
    said: list[str] = []
    assert cache.compile(loaded().step, DOUBLE, said.append)
    assert said == []


# --- damage --------------------------------------------------------------------------------------


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def garbage(data: bytes) -> bytes:
    return np.random.default_rng(0).bytes(len(data))


def nothing(data: bytes) -> bytes:
    return b""


def one_bit(data: bytes) -> bytes:
    at = len(data) * 2 // 3
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("source", "pattern", "damage"),
    [
        *((ALONE, "*.nbi", damage) for damage in (half, garbage, nothing, one_bit, None)),
        *((ALONE, "*.nbc", damage) for damage in (half, garbage, nothing, one_bit, None)),
        (SOURCE, "*helper-*.nbi", one_bit),
        (SOURCE, "*helper-*.nbc", one_bit),
    ],
)
def test_damaged_machine_code_is_compiled_anew(
    source: str, pattern: str, damage: Callable[[bytes], bytes] | None
) -> None:
    module = loaded(source)
    cache.compile(module.step, DOUBLE)
    (file,) = (kernel_of(module) / "__pycache__").glob(pattern)
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage(file.read_bytes()))
    forget()
    module = loaded(source)
    assert cache.compile(module.step, DOUBLE)
    assert right(module)
    forget()
    assert not cache.compile(loaded(source).step, DOUBLE)


@pytest.mark.parametrize("text", [None, "", "{", "[]", "null", "{}", "[" * 100_000, "\ud800"])
def test_machine_code_without_its_sum_is_not_believed(text: str | None) -> None:
    module = loaded(ALONE)
    cache.compile(module.step, DOUBLE)
    sums = kernel_of(module) / "sums.json"
    if text is None:
        sums.unlink()
    else:
        sums.write_bytes(text.encode("utf-8", "surrogatepass"))
    forget()
    module = loaded(ALONE)
    assert cache.compile(module.step, DOUBLE)
    assert right(module)
    forget()
    assert not cache.compile(loaded(ALONE).step, DOUBLE)


@pytest.mark.parametrize("pattern", ["*step-*.nbi", "*step-*.nbc"])
def test_what_numba_cannot_read_is_compiled_anew_even_with_its_sum(pattern: str) -> None:
    module = loaded(ALONE)
    cache.compile(module.step, DOUBLE)
    file = next((kernel_of(module) / "__pycache__").glob(pattern))
    file.write_bytes(half(file.read_bytes()))
    bless(kernel_of(module))
    forget()
    module = loaded(ALONE)
    assert cache.compile(module.step, DOUBLE)
    assert right(module)
    forget()
    assert not cache.compile(loaded(ALONE).step, DOUBLE)


def test_code_for_other_types_under_this_ones_name_is_noticed() -> None:
    module = loaded(ALONE)
    cache.compile(module.step, DOUBLE)
    cache.compile(module.step, SINGLE)
    one, two = sorted((kernel_of(module) / "__pycache__").glob("*step-*.nbc"))
    a, b = one.read_bytes(), two.read_bytes()
    one.write_bytes(b)
    two.write_bytes(a)
    bless(kernel_of(module))  # as two processes without locks could leave it
    forget()
    module = loaded(ALONE)
    assert cache.compile(module.step, DOUBLE)
    assert DOUBLE in module.step.signatures
    assert right(module)
    assert right(module, np.float32)


@pytest.mark.parametrize("damage", [half, garbage, nothing, one_bit])
def test_a_damaged_source_is_written_anew(damage: Callable[[bytes], bytes]) -> None:
    module = loaded()
    cache.compile(module.step, DOUBLE)
    file = Path(str(module.__file__))
    before = file.stat()
    file.write_bytes(damage(SOURCE.encode()))
    forget()
    module = loaded()
    assert file.read_text() == SOURCE
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert cache.compile(module.step, DOUBLE)
    assert right(module)
    forget()
    assert not cache.compile(loaded().step, DOUBLE)


@posix
@pytest.mark.parametrize("text", ["mine", SOURCE])
def test_a_link_in_place_of_the_source_is_not_written_through(tmp_path: Path, text: str) -> None:
    file = Path(str(loaded().__file__))
    precious = tmp_path / "precious"
    precious.write_text(text)
    file.unlink()
    file.symlink_to(precious)
    forget()
    loaded()
    assert precious.read_text() == text
    assert not file.is_symlink()
    assert file.read_text() == SOURCE


def test_a_folder_removed_meanwhile_is_done_without(place: Path) -> None:
    module = loaded(ALONE)
    shutil.rmtree(kernel_of(module))
    assert cache.compile(module.step, DOUBLE)
    assert right(module)
    shutil.rmtree(place)
    assert cache.compile(module.step, SINGLE)
    assert right(module, np.float32)
    assert not place.exists()  # made again only by who looks at everything above it
    for anew in (True, False):
        forget()
        assert cache.compile(loaded(ALONE).step, DOUBLE) is anew


@contextlib.contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """The disk is full, as far as this process can tell."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@posix
def test_a_disk_too_full_for_the_last_file_costs_no_second_compiling() -> None:
    module = loaded(ALONE)
    said: list[str] = []
    with no_file_longer_than(4096):
        assert cache.compile(module.step, DOUBLE, said.append)
    assert [line.split()[0] for line in said] == ["Compiling", "The"]
    assert right(module)
    assert compiled_files(module) == []


@posix
@pytest.mark.parametrize("size", [0, 100, 4096])  # nothing fits; half an index; not the code
def test_a_full_disk_is_done_without(size: int, place: Path) -> None:
    module = loaded()
    said: list[str] = []
    with no_file_longer_than(size):
        assert cache.compile(module.step, DOUBLE, said.append)
    assert right(module)
    assert [line.split()[0] for line in said] == ["Compiling", "The", "Compiling"]
    assert "could not be kept" in said[1]
    assert os.strerror(errno.EFBIG) in said[1]
    assert tree(place) == [
        f"{kernel_of(module).name}/{f}" for f in ("lock", f"{kernel_of(module).name}.py")
    ]
    forget()
    module = loaded()
    assert cache.compile(module.step, DOUBLE)
    forget()
    assert not cache.compile(loaded().step, DOUBLE)


@posix
def test_a_disk_too_full_for_the_source_is_left_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = cache._put

    def full(path: Path, data: bytes, when: float | None = None) -> None:
        if tmp_path in path.parents:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        put(path, data, when)

    monkeypatch.setattr(cache, "_put", full)
    module = loaded()
    assert tmp_path not in kernel_of(module).parents
    assert "No space left" in str(cache.why_temporary())
    assert cache.compile(module.step, DOUBLE)
    assert right(module)
    assert loaded() is module


def test_damage_that_cannot_be_removed_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    module = loaded()
    cache.compile(module.step, DOUBLE)
    for file in compiled_files(module):
        file.write_bytes(half(file.read_bytes()))
    kept = {p: p.read_bytes() for p in compiled_files(module)}
    monkeypatch.setattr(cache, "_discard", lambda kernel: False)
    forget()
    module = loaded()
    assert cache.compile(module.step, DOUBLE)
    assert right(module)
    assert {p: p.read_bytes() for p in compiled_files(module)} == kept


# --- several processes ---------------------------------------------------------------------------


def test_processes_at_once_compile_once(place: Path, tmp_path: Path) -> None:
    wait = f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)"
    ready = f"open({str(tmp_path)!r} + '/ready' + str(os.getpid()), 'w').close()"
    runs = [process(before=f"import os\n{ready}\n{wait}") for _ in range(3)]
    while len(list(tmp_path.glob("ready*"))) < 3:
        assert all(run.poll() is None for run in runs)
        time.sleep(0.02)
    (tmp_path / "go").touch()
    said = [said_by(run).split(" ", 2) for run in runs]
    assert sorted(each[0] for each in said) == ["False", "False", "True"]
    assert {each[2] for each in said} == {"[1.0, 3.0, 5.0] None"}
    (kernel,) = place.iterdir()
    assert {p.name for p in kernel.iterdir()} == {
        "lock",
        "sums.json",
        f"{kernel.name}.py",
        "__pycache__",
    }
    suffixes = sorted(p.suffix for p in (kernel / "__pycache__").iterdir())
    assert suffixes == [".nbc", ".nbc", ".nbi", ".nbi"]
    assert not cache.compile(loaded().step, DOUBLE)


def test_waiting_for_another_process_and_then_loading() -> None:
    module = loaded()
    cache.compile(module.step, DOUBLE)
    forget()
    module = loaded()
    said: list[str] = []
    with cache._locked(kernel_of(module), 1.0, said.append) as held:
        assert held
        late = threading.Thread(target=cache.compile, args=(module.step, DOUBLE, said.append))
        late.start()
        time.sleep(0.8)
        assert late.is_alive()
        assert not module.step.signatures
    late.join(20)
    assert said == ["Waiting for another process that compiles the same code"]
    assert sum(module.step.stats.cache_hits.values()) == 1
    assert right(module)


def test_waiting_too_long_is_going_on_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "PATIENCE", 0.1)
    module = loaded(ALONE)
    with cache._locked(kernel_of(module), 1.0, print) as held:
        assert held
        assert cache.compile(module.step, DOUBLE)
        assert compiled_files(module) == []  # the files are the other's
    assert right(module)
    assert cache.compile(module.step, SINGLE)  # kept again
    assert compiled_files(module) != []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_waits_for_no_thread_of_its_parent(tmp_path: Path) -> None:
    program = f"""
import os, sys, threading, time
from pathlib import Path
from chainrule.engine.compiled import cache
kernel = Path({str(tmp_path / "k")!r})
def hold():
    with cache._compiling, cache._loading, cache._locked(kernel, 1.0, print):
        taken.set()
        time.sleep(3600)
taken = threading.Event()
threading.Thread(target=hold, daemon=True).start()
taken.wait()
child = os.fork()
if child == 0:
    with cache._compiling, cache._loading:
        pass
    with cache._locked(kernel, 0.0, print) as held:
        os._exit(7 if not held else 8)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
os._exit(0)
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=30
    )
    assert run.stdout.strip() == "7", run.stderr  # the parent's file lock still holds


def test_a_lock_on_a_removed_folder_is_no_lock(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    with cache._locked(kernel, 0.0, print) as first:
        kernel.rename(tmp_path / "removed")
        with cache._locked(kernel, 0.0, print) as second:
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
        with cache._locked(kernel, 1.0, print) as held, cache._locked(kernel, 0.0, print) as again:
            assert held
            assert not again


# --- the folder ----------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refused(place: Path, why: str) -> None:
    """Another folder is taken, and the reason says why."""
    other = cache.folder()
    assert place not in (other, *other.parents)
    assert why in str(cache.why_temporary())
    assert cache.folder() == other  # the same for the whole process
    if os.name == "posix":
        assert mode(other) == 0o700
        assert other.stat().st_uid == os.geteuid()


@posix
def test_the_folder_is_the_users_alone(place: Path) -> None:
    before = os.umask(0)
    try:
        module = loaded()
        cache.compile(module.step, DOUBLE)
    finally:
        os.umask(before)
    assert cache.folder() == place
    assert [mode(p) for p in (place.parent, place, kernel_of(module))] == [0o700] * 3
    assert mode(Path(str(module.__file__))) == 0o600


@posix
@pytest.mark.parametrize("open_to", [0o755, 0o750, 0o711])
def test_a_folder_that_others_could_read_is_closed(place: Path, open_to: int) -> None:
    place.mkdir(parents=True)
    place.chmod(open_to)
    assert cache.folder() == place
    assert mode(place) == 0o700
    assert cache.why_temporary() is None


@posix
@pytest.mark.parametrize("open_to", [0o777, 0o770, 0o707, 0o1777])
def test_a_folder_that_others_could_write_in_is_refused(place: Path, open_to: int) -> None:
    place.mkdir(parents=True)
    place.chmod(open_to)
    refused(place, "may be written in by other users")
    assert mode(place) == open_to  # closing it now would hide what happened


@posix
def test_a_folder_of_another_users_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.folder() == place
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    _ = cache.folder()
    assert "belongs to another user" in str(cache.why_temporary())


@posix
def test_a_folder_inside_another_users_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.mkdir(parents=True, mode=0o700)
    true = os.stat

    def foreign(path: Any, **kwargs: Any) -> Any:
        found = true(path, **kwargs)
        if Path(path) == place.parent:
            return types.SimpleNamespace(st_uid=found.st_uid + 1, st_mode=found.st_mode)
        return found

    monkeypatch.setattr(os, "stat", foreign)
    refused(place, f"{place.parent} belongs to another user")


@posix
@pytest.mark.parametrize("target", ["folder", "nowhere"])
def test_a_link_is_not_followed(place: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "folder").mkdir(mode=0o700)
    place.parent.mkdir()
    place.symlink_to(tmp_path / target)
    refused(place, "symbolic link")
    assert not (tmp_path / "nowhere").exists()


@posix
def test_the_users_own_link_higher_up_is_followed(place: Path, tmp_path: Path) -> None:
    (tmp_path / "big disk").mkdir()
    place.parent.symlink_to(tmp_path / "big disk")
    assert cache.folder() == place
    assert mode(tmp_path / "big disk" / "kernels") == 0o700


@posix
def test_a_folder_where_all_may_write_holds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o777)
    monkeypatch.setenv("CHAINRULE_CACHE", str(public / "mine"))
    refused(public, f"everyone may write in {public}")
    assert list(public.iterdir()) == []
    (tmp_path / "link").symlink_to(public)
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "link" / "mine"))
    refused(public, f"everyone may write in {public}")
    public.chmod(0o1777)  # as /tmp is: others cannot move what is ours
    assert cache.folder() == tmp_path / "link" / "mine" / "kernels"


def test_a_file_in_the_way(place: Path) -> None:
    place.parent.write_text("a file")
    refused(place, "cannot be used")
    module = loaded()
    assert cache.compile(module.step, DOUBLE)
    assert right(module)


def test_a_file_in_the_folders_place(place: Path) -> None:
    place.parent.mkdir()
    place.write_text("a file")
    refused(place, "is not a folder")


def test_a_folder_that_cannot_be_written_in(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.mkdir(parents=True)
    place.chmod(0o500)
    if os.access(place, os.W_OK):  # root may
        monkeypatch.setattr(os, "access", lambda path, how: Path(path) != place)
    refused(place, "cannot be written in")
    place.chmod(0o700)


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("CHAINRULE_CACHE", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lost)
    assert cache.folder().is_dir()
    assert "home" in str(cache.why_temporary())


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the XDG folders")
def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE", "")
    assert cache.folder() == tmp_path / "home" / ".cache" / "chainrule" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.folder() == tmp_path / "home" / ".cache" / "chainrule" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folder() == tmp_path / "xdg" / "chainrule" / "kernels"
    monkeypatch.setenv("CHAINRULE_CACHE", "~/mine")
    assert cache.folder() == tmp_path / "home" / "mine" / "kernels"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHAINRULE_CACHE", "here")
    assert cache.folder() == tmp_path / "here" / "kernels"


def test_the_temporary_folder_goes_with_its_process(place: Path) -> None:
    place.parent.write_text("a file")
    fork = """
import os
if hasattr(os, "fork"):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        assert cache.why_temporary() is None
        assert cache.folder() != folder
        sys.exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert folder.is_dir()
"""
    run = process(
        before="folder = cache.folder(); print(folder)", between=fork, TMPDIR=str(place.parents[1])
    )
    folder, line = said_by(run).splitlines()
    assert line.startswith("True 1 [1.0, 3.0, 5.0] ")
    assert "cannot be used" in line
    assert Path(folder).name.startswith("chainrule-")
    assert not Path(folder).exists()
    assert not list(place.parents[1].glob("chainrule-*"))  # nor the child's


def test_numbas_own_settings_do_not_move_the_files(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(elsewhere))
    if hasattr(numba.config, "CACHE_LOCATOR_CLASSES"):
        monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    module = loaded()
    assert cache.compile(module.step, DOUBLE)
    assert len(compiled_files(module)) == 4
    assert not elsewhere.exists()
    assert str(elsewhere) == numba.config.CACHE_DIR
    assert said_by(process(NUMBA_CACHE_DIR=str(elsewhere))).startswith("False 0 [1.0, 3.0, 5.0]")
    assert not elsewhere.exists()


def test_files_that_lie_elsewhere_after_all_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(cache, "_files_beside", contextlib.nullcontext)
    for _ in range(2):
        module = loaded()
        assert cache.compile(module.step, DOUBLE)
        assert right(module)
        forget()
    assert tree(tmp_path / "elsewhere") == []


# --- growing old ---------------------------------------------------------------------------------


def kernel(place: Path, number: int, days: float, sums: bool = True) -> Path:
    made = place / f"step_{number:032x}"
    (made / "__pycache__").mkdir(parents=True)
    when = time.time() - days * 86400
    if sums:
        (made / "sums.json").write_text("{}")
        os.utime(made / "sums.json", (when, when))
    os.utime(made, (when, when))
    return made


def test_old_kernels_go_and_nothing_else(place: Path) -> None:
    cache.folder()
    old = [kernel(place, 1, 91), kernel(place, 2, 91, sums=False)]
    young = [kernel(place, 3, 89), kernel(place, 4, 89, sums=False), kernel(place, 5, -10)]
    busy = kernel(place, 6, 91)
    left = place / ".removed-0123456789abcdef"  # by one that was killed meanwhile
    left.mkdir()
    others = [place / "mine.txt", place / "step_1", place / f"x.{'0' * 32}"]
    for other in others:
        other.mkdir()
        os.utime(other, (0, 0))
    with cache._locked(busy, 1.0, print):
        cache.compile(loaded(ALONE).step, DOUBLE)
    assert not any(path.exists() for path in [*old, left])
    assert all(path.is_dir() for path in [*young, *others, busy])
    assert len(list(place.iterdir())) == len([*young, *others]) + 2
    cache.compile(loaded(ALONE + "\n").step, DOUBLE)
    assert not busy.exists()


def test_only_so_many_are_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "KEPT", 3)
    cache.folder()
    made = [kernel(place, days, days) for days in (1, 2, 3, 4)]
    recent = [kernel(place, 10 + n, 0) for n in range(2)]
    cache.compile(loaded(ALONE).step, DOUBLE)
    assert [path.exists() for path in made] == [False] * 4
    assert all(path.exists() for path in recent)
    made = [kernel(place, 20 + n, 0) for n in range(5)]
    cache.compile(loaded(ALONE + "\n").step, DOUBLE)
    assert all(path.exists() for path in made)  # more than are kept, but in use just now


def test_using_a_kernel_keeps_it(place: Path) -> None:
    module = loaded(ALONE)
    cache.compile(module.step, DOUBLE)
    sums = kernel_of(module) / "sums.json"
    os.utime(sums, (0, 0))
    forget()
    module = loaded(ALONE)
    cache.compile(module.step, DOUBLE)
    assert time.time() - sums.stat().st_mtime < 3600
    cache.compile(loaded(ALONE + "\n").step, DOUBLE)  # sweeps
    assert kernel_of(module).is_dir()
