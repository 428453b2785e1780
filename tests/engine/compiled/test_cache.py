"""The kernel cache: nothing damaged or foreign is used, nothing sound is made twice."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from chainrule.engine.compiled import cache
from chainrule.engine.compiled.cache import Code
from chainrule.engine.compiled.locks import locked

posix = pytest.mark.skipif(os.name != "posix", reason="owners, modes and links")

SOURCE = "def step(x):\n    return x\n"
CODE = Code("the_function", b"\x7fELF\n\0 code \n\n" + bytes(range(256)))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of this test, and a process that has obtained nothing yet."""
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_obtained", {})
    return tmp_path / "cache" / "kernels"


def forget() -> None:
    """As if in a new process."""
    cache._obtained.clear()


class Used:
    """What using machine code gives."""

    def __init__(self, code: Code) -> None:
        self.code = code


class Work:
    """Makes and uses machine code, and remembers what was done."""

    def __init__(self, code: Code = CODE) -> None:
        self.code = code
        self.made: list[Path] = []
        self.said: list[str] = []

    def make(self, path: Path) -> Code:
        self.made.append(path)
        return self.code

    def obtain(
        self,
        source: str = SOURCE,
        name: str = "step",
        ingredients: Sequence[str] = (),
        make: Callable[[Path], Code] | None = None,
        use: Callable[[Code], Any] = Used,
    ) -> Any:
        return cache.obtain(source, name, ingredients, make or self.make, use, self.said.append)


def kernel_in(place: Path) -> Path:
    """The folder of the only kernel."""
    (kernel,) = place.iterdir()
    return kernel


def tree(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def kept() -> bool:
    """Whether a new process would find the code, and the very code that was made."""
    forget()
    work = Work()
    right: bool = work.obtain().code == CODE
    forget()
    return right and not work.made and not work.said


# --- keeping -------------------------------------------------------------------------------------


def test_made_once_and_then_read(place: Path) -> None:
    work = Work()
    first = work.obtain()
    assert first.code == CODE
    assert work.said == ["Compiling for this kind of network: some seconds, once."]
    kernel = kernel_in(place)
    assert tree(kernel) == ["code", "lock", f"{kernel.name}.py"]
    assert work.made == [kernel / f"{kernel.name}.py"]
    assert work.made[0].read_text() == SOURCE
    assert work.obtain() is first  # within a process the same object
    forget()
    again = work.obtain()
    assert again is not first
    assert again.code == CODE
    assert len(work.made) == len(work.said) == 1


def test_it_may_be_silent() -> None:
    assert cache.obtain(SOURCE, "step", [], lambda path: CODE, Used).code == CODE


def test_the_source_is_there_before_it_is_compiled() -> None:
    found = []

    def make(path: Path) -> Code:
        found.append(path.read_text())
        return CODE

    Work().obtain(make=make)
    assert found == [SOURCE]


@pytest.mark.parametrize("data", [b"", b"\n", b"\n\n\n", cache.FIRST, b"\0" * 100_000])
@pytest.mark.parametrize("symbol", ["f", "_ZN4_3cE", "größe"])
def test_any_code_comes_back_as_it_was(symbol: str, data: bytes) -> None:
    code = Code(symbol, data)
    work = Work(code)
    for _ in range(2):
        assert work.obtain().code == code
        forget()
    assert len(work.made) == 1


def test_a_source_that_is_no_text_at_all(place: Path) -> None:
    work = Work()
    work.obtain("# \ud800\0")
    forget()
    assert work.obtain("# \ud800\0").code == CODE
    assert len(work.made) == 1


def test_what_is_right_is_not_written_again(place: Path) -> None:
    Work().obtain()
    files = [kernel_in(place) / name for name in tree(kernel_in(place))]

    def now() -> list[tuple[int, bytes]]:
        return [(file.stat().st_ino, file.read_bytes()) for file in files]

    before = now()
    assert kept()
    assert now() == before
    assert tree(kernel_in(place)) == [file.name for file in files]


@posix
def test_nobody_else_may_read_it(place: Path) -> None:
    before = os.umask(0)
    try:
        Work().obtain()
    finally:
        os.umask(before)
    kernel = kernel_in(place)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (place, kernel)] == [0o700] * 2
    assert [stat.S_IMODE(p.stat().st_mode) for p in kernel.iterdir()] == [0o600] * 3


def test_every_ingredient_makes_a_new_kernel(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, str, list[str]]] = [
        ("a = 1", "step", ["ab", "c"]), ("a = 1\n", "step", ["ab", "c"]),
        ("a = 1", "Step", ["ab", "c"]), ("a = 1", "step ", ["ab", "c"]),
        ("a = 1", "step/", ["ab", "c"]), ("a = 1", "step", ["a", "bc"]),
        ("a = 1", "step", ["c", "ab"]), ("a = 1", "step", ["abc"]),
        ("a = 1", "step", ["ab", "c", ""]), ("a = 1", "step", []),
        ("a = 1step", "", ["ab", "c"]), ("a = 1", "stepab", ["c"]),
    ]  # fmt: skip
    work = Work()
    for each in given:
        work.obtain(*each)
    for module, name in ((sys, "version"), (sys, "platform"), (platform, "machine")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, "another" if module is sys else lambda: "another")
            work.obtain(*given[0])
    count = len(given) + 3
    assert len(work.made) == count
    # Not told apart by their letter case alone, which some file systems do not see.
    assert len({name.lower() for name in os.listdir(place)}) == count
    for each in given:
        work.obtain(*each)
    assert len(work.made) == count


@pytest.mark.parametrize(
    "name",
    ["../../up", "/etc/passwd", "..", ".", "", "a\0b", "con", "ß\ud800", "x" * 5000, "a\nb", "-rf",
     "C:\\x", "~"],
)  # fmt: skip
def test_no_name_leads_out_of_the_folder(place: Path, name: str) -> None:
    Work().obtain(name=name)
    kernel = kernel_in(place)
    assert cache.KERNEL.fullmatch(kernel.name)
    files = {kernel / file for file in ("code", "lock", f"{kernel.name}.py")}
    assert set(place.parents[1].rglob("*")) == {place.parent, place, kernel, *files}


def test_threads_make_it_once() -> None:
    work, found = Work(), []

    def make(path: Path) -> Code:
        time.sleep(0.05)
        return work.make(path)

    threads = [
        threading.Thread(target=lambda: found.append(work.obtain(make=make))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(each is found[0] for each in found)
    assert len(work.made) == len(work.said) == 1


# --- exceptions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("who", ["make", "use", "say"])
def test_an_exception_passes_on_and_costs_nothing_else(
    place: Path, error: type[BaseException], who: str
) -> None:
    def fail(given: Any) -> Any:
        raise error("mine")

    work = Work()
    other = work.obtain("other")
    make, use, say = work.make, Used, work.said.append
    given: dict[str, Any] = {"make": make, "use": use, "say": say, who: fail}
    for _ in range(2):
        with pytest.raises(error, match="mine"):
            cache.obtain(SOURCE, "step", [], **given)
    assert [kernel for kernel in place.iterdir() if (kernel / "code").exists()] == [
        work.made[0].parent
    ]
    for kernel in place.iterdir():
        with locked(kernel, 0.0, print) as free:
            assert free
    assert work.obtain("other") is other
    assert work.obtain().code == CODE
    assert kept()


# --- damage --------------------------------------------------------------------------------------


def made_anew(place: Path) -> bool:
    """Whether the code is made once more, rightly, and then kept."""
    forget()
    work = Work()
    right: bool = work.obtain().code == CODE
    return right and len(work.made) == 1 and kept()


def test_half_written_to_any_byte(place: Path) -> None:
    work = Work()
    work.obtain()
    file = kernel_in(place) / "code"
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        forget()
        assert work.obtain().code == CODE
        assert len(work.made) == length + 2
        assert file.read_bytes() == whole


def test_a_bit_of_any_byte_the_other_way_round(place: Path) -> None:
    work = Work()
    work.obtain()
    file = kernel_in(place) / "code"
    whole = file.read_bytes()
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        forget()
        assert work.obtain().code == CODE
        assert len(work.made) == at + 2
        assert file.read_bytes() == whole


def summed(first: bytes, rest: bytes) -> bytes:
    return first + hashlib.sha256(rest).digest() + rest


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage" * 1000,
        b"\0" * 100,
        cache.FIRST,
        cache.FIRST * 100,
        summed(b"", b"f\ncode"),
        summed(b"chainrule machine code, 0\n", b"f\ncode"),  # as another version might write
        summed(cache.FIRST.rstrip(), b"f\ncode"),
        summed(cache.FIRST, b"f\ncode") + b"more",
    ],
)
def test_anything_else_in_its_place_is_not_believed(place: Path, data: bytes) -> None:
    Work().obtain()
    (kernel_in(place) / "code").write_bytes(data)
    assert made_anew(place)


def test_a_symbol_that_is_no_text(place: Path) -> None:
    Work().obtain()
    (kernel_in(place) / "code").write_bytes(summed(cache.FIRST, b"\xff\ncode"))
    assert made_anew(place)


def test_a_file_that_is_gone(place: Path) -> None:
    Work().obtain()
    (kernel_in(place) / "code").unlink()
    assert made_anew(place)


def test_a_whole_kernel_that_is_gone(place: Path) -> None:
    Work().obtain()
    shutil.rmtree(kernel_in(place))
    assert made_anew(place)
    shutil.rmtree(place)
    assert made_anew(place)


def test_code_with_its_sum_that_cannot_be_used_is_made_anew(place: Path) -> None:
    """Such as object code that wants a symbol which this system does not have."""
    Work(Code("old", b"")).obtain()
    file = kernel_in(place) / "code"

    def use(code: Code) -> Used:
        if code.symbol == "old":
            raise RuntimeError("Symbols not found")
        return Used(code)

    forget()
    work = Work()
    assert work.obtain(use=use).code == CODE
    assert len(work.made) == 1
    assert b"old" not in file.read_bytes()
    assert kept()


@pytest.mark.parametrize("damage", ["", "another = 1\n", None])
def test_the_source_beside_it_is_only_for_people(place: Path, damage: str | None) -> None:
    work = Work()
    work.obtain()
    if damage is None:
        work.made[0].unlink()
    else:
        work.made[0].write_text(damage)
    assert kept()
    (kernel_in(place) / "code").unlink()
    assert made_anew(place)
    assert work.made[0].read_text() == SOURCE  # whoever compiles shows what


@posix
@pytest.mark.parametrize("which", ["code", "source"])
def test_a_link_is_neither_followed_nor_written_through(
    place: Path, tmp_path: Path, which: str
) -> None:
    work = Work()
    work.obtain()
    code = kernel_in(place) / "code"
    file = code if which == "code" else work.made[0]
    precious = tmp_path / "precious"
    file.rename(precious)
    file.symlink_to(precious)
    before = precious.read_bytes()
    if which == "source":
        code.unlink()
    assert made_anew(place)
    assert not file.is_symlink()
    assert precious.read_bytes() == before


@posix
def test_a_link_to_nowhere_makes_no_file_there(place: Path, tmp_path: Path) -> None:
    Work().obtain()
    file = kernel_in(place) / "code"
    file.unlink()
    file.symlink_to(tmp_path / "nowhere")
    assert made_anew(place)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
def test_a_pipe_in_its_place_is_not_waited_for(place: Path) -> None:
    Work().obtain()
    file = kernel_in(place) / "code"
    file.unlink()
    os.mkfifo(file)
    assert made_anew(place)


def test_a_folder_in_its_place_is_done_without(place: Path) -> None:
    Work().obtain()
    file = kernel_in(place) / "code"
    file.unlink()
    file.mkdir()
    for _ in range(2):
        forget()
        work = Work()
        assert work.obtain().code == CODE
        assert len(work.made) == 1
        assert [line.split()[0] for line in work.said] == ["Compiling", "The"]
        assert tree(kernel_in(place)) == ["code", "lock", work.made[0].name]


# --- what cannot be kept -------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [False, True])
def test_a_folder_removed_meanwhile_is_done_without(place: Path, whole: bool) -> None:
    work = Work()

    def make(path: Path) -> Code:
        shutil.rmtree(place if whole else path.parent)
        return work.make(path)

    if os.name != "posix":
        pytest.skip("no folder goes that has an open file in it")
    assert work.obtain(make=make).code == CODE
    assert [line.split()[0] for line in work.said] == ["Compiling", "The"]
    assert "could not be kept" in work.said[1]
    assert place.exists() is not whole  # made again only by who looks at everything above it
    assert len(work.made) == 1
    assert made_anew(place)


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
@pytest.mark.parametrize("size", [0, 10, 100])  # nothing fits; half the source; half the code
def test_a_full_disk_is_done_without(place: Path, size: int) -> None:
    work = Work()
    with no_file_longer_than(size):
        assert work.obtain().code == CODE
    assert len(work.made) == 1  # once, and the network trains
    assert [line.split()[0] for line in work.said] == ["Compiling", "The"]
    assert "could not be kept" in work.said[1]
    assert os.strerror(errno.EFBIG) in work.said[1]
    kernel = kernel_in(place)
    whole = [work.made[0].name] if size == 100 else []
    assert tree(kernel) == sorted(["lock", *whole])  # nothing half written
    assert made_anew(place)


@posix
def test_a_full_disk_leaves_what_was_there(place: Path) -> None:
    work = Work()
    work.obtain()
    file = kernel_in(place) / "code"
    file.write_bytes(b"damaged")
    forget()
    with no_file_longer_than(0):
        assert work.obtain().code == CODE
    assert file.read_bytes() == b"damaged"
    assert work.made[0].read_text() == SOURCE
    assert made_anew(place)


def test_without_a_folder_it_is_made_in_every_process(place: Path) -> None:
    place.parent.write_text("a file")
    work = Work()
    first = work.obtain()
    assert work.obtain() is first
    forget()
    assert work.obtain().code == CODE
    assert len(work.made) == 2
    assert place.parent.read_text() == "a file"
    (line,) = set(work.said)
    assert line.startswith("Compiling for this kind of network: some seconds, in every process, as")
    assert str(place) in line
    assert not any(path.exists() for path in work.made)


def test_a_file_in_the_place_of_a_kernel_is_spoken_of(place: Path) -> None:
    work = Work()
    work.obtain()
    kernel = kernel_in(place)
    shutil.rmtree(kernel)
    kernel.write_text("a file")
    forget()
    work.said.clear()
    assert work.obtain().code == CODE
    assert "could not be kept" in work.said[-1] or "in every process" in work.said[-1]


# --- several processes ---------------------------------------------------------------------------


def process(here: Path) -> subprocess.Popen[str]:
    """One that waits for the word, obtains the code, and says whether it made it."""
    program = f"""
import os, time
from pathlib import Path
from chainrule.engine.compiled import cache

def make(path):
    made.append(path)
    time.sleep(0.3)
    return cache.Code("f", b"code")

here, made, said = Path({str(here)!r}), [], []
(here / f"ready{{os.getpid()}}").touch()
while not (here / "go").exists():
    time.sleep(0.01)
found = cache.obtain("a = 1", "step", [], make, lambda code: code.data, said.append)
print(len(made), len(said), found.decode(), flush=True)
"""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def said_by(run: subprocess.Popen[str]) -> str:
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    assert not err
    return out.strip()


def test_processes_at_once_make_it_once(place: Path, tmp_path: Path) -> None:
    runs = [process(tmp_path) for _ in range(3)]
    while len(list(tmp_path.glob("ready*"))) < 3:
        assert all(run.poll() is None for run in runs)
        time.sleep(0.02)
    (tmp_path / "go").touch()
    assert sorted(said_by(run) for run in runs) == ["0 0 code", "0 0 code", "1 1 code"]
    kernel = kernel_in(place)
    assert tree(kernel) == ["code", "lock", f"{kernel.name}.py"]
    before = (kernel / "code").read_bytes()
    assert said_by(process(tmp_path)) == "0 0 code"  # and so does one that comes later
    assert (kernel / "code").read_bytes() == before


def test_waiting_for_another_process_and_then_reading(place: Path) -> None:
    other, work = Work(), Work()
    other.obtain()
    file = kernel_in(place) / "code"
    data = file.read_bytes()
    file.unlink()  # as if the other were not done yet
    forget()
    found = []
    with locked(kernel_in(place), 1.0, print) as held:
        assert held
        late = threading.Thread(target=lambda: found.append(work.obtain()))
        late.start()
        time.sleep(0.7)
        assert late.is_alive()
        assert work.said == ["Waiting for another process that compiles the same code"]
        file.write_bytes(data)
    late.join(20)
    assert found[0].code == CODE
    assert not work.made
    assert len(work.said) == 1


def test_waiting_too_long_is_going_on_alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "PATIENCE", 0.1)
    work = Work()
    work.obtain()
    kernel = kernel_in(place)
    for file in (kernel / "code", work.made[0]):
        file.unlink()
    forget()
    with locked(kernel, 1.0, print) as held:
        assert held
        assert work.obtain().code == CODE
        assert tree(kernel) == ["lock"]  # the files are the other's
    assert len(work.made) == 2
    assert made_anew(place)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_waits_for_no_thread_of_its_parent() -> None:
    program = """
import os, threading, time
from chainrule.engine.compiled import cache

code = cache.Code("f", b"code")

def hold(path):
    taken.set()
    time.sleep(3600)

def obtain(source, make):
    return cache.obtain(source, "step", [], make, lambda code: code.data)

taken = threading.Event()
threading.Thread(target=obtain, args=("a = 1", hold), daemon=True).start()
taken.wait()
child = os.fork()
if child == 0:
    cache.PATIENCE = 0.1
    other = obtain("a = 2", lambda path: code)
    same = obtain("a = 1", lambda path: code)
    os._exit(7 if other == same == b"code" else 8)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
os._exit(0)
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=300
    )
    assert run.stdout.strip() == "7", run.stderr


# --- growing old ---------------------------------------------------------------------------------


def kernel(place: Path, number: int, days: float, code: bool = True) -> Path:
    """A kernel that was last used so many days ago."""
    made = place / f"step_{number:032x}"
    made.mkdir(parents=True)
    when = time.time() - days * 86400
    if code:
        (made / "code").write_text("code")
        os.utime(made / "code", (when, when))
    os.utime(made, (when, when))
    return made


def test_old_kernels_go_and_nothing_else(place: Path) -> None:
    place.mkdir(parents=True, mode=0o700)
    old = [kernel(place, 1, 91), kernel(place, 2, 91, code=False)]
    young = [kernel(place, 3, 89), kernel(place, 4, 89, code=False), kernel(place, 5, -10)]
    busy = kernel(place, 6, 91)
    left = place / ".removed-0123456789abcdef"  # by one that was killed meanwhile
    left.mkdir()
    others = [place / "mine.txt", place / "step_1", place / f"x.{'0' * 32}"]
    for other in others:
        other.mkdir()
        os.utime(other, (0, 0))
    with locked(busy, 1.0, print):
        Work().obtain()
    assert not any(path.exists() for path in [*old, left])
    assert all(path.is_dir() for path in [*young, *others, busy])
    assert len(list(place.iterdir())) == len([*young, *others]) + 2
    Work().obtain("another")
    assert not busy.exists()
    assert all(path.is_dir() for path in [*young, *others])


def test_only_so_many_are_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "KEPT", 3)
    place.mkdir(parents=True, mode=0o700)
    made = [kernel(place, days, days) for days in (1, 2, 3, 4)]
    recent = [kernel(place, 10 + n, 0) for n in range(2)]
    Work().obtain()
    assert [path.exists() for path in made] == [False] * 4
    assert all(path.exists() for path in recent)
    made = [kernel(place, 20 + n, 0) for n in range(5)]
    Work().obtain("another")
    assert all(path.exists() for path in made)  # more than are kept, but in use just now


def test_using_a_kernel_keeps_it(place: Path) -> None:
    Work().obtain()
    mine = kernel_in(place)
    unused = kernel(place, 1, 365)
    for path in (mine / "code", mine):
        os.utime(path, (0, 0))
    assert kept()  # by being used
    assert time.time() - (mine / "code").stat().st_mtime < 3600
    Work().obtain("another")  # sweeps
    assert mine.is_dir()
    assert not unused.exists()


@posix
def test_sweeping_follows_no_link(place: Path, tmp_path: Path) -> None:
    place.mkdir(parents=True, mode=0o700)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "code").write_text("mine")
    for path in (precious / "code", precious):
        os.utime(path, (0, 0))
    (place / f"step_{7:032x}").symlink_to(precious)
    (place / ".removed-0123456789abcdef").symlink_to(precious)
    for source in ("one", "two"):
        Work().obtain(source)
    assert (precious / "code").read_text() == "mine"
