"""Writing whole or not at all: kill -9, a full disk, a failing rename never leave a torn file."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.atomic_write import write_whole
from chainrule.errors import FormatError, SettingError

OLD, NEW = b"old " * 1000, b"new " * 5000


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_written_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "m"
    write_whole(file, OLD)
    assert file.read_bytes() == OLD
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~mask
    with pytest.raises(SettingError, match="exists already"):
        write_whole(file, NEW)
    assert file.read_bytes() == OLD
    file.chmod(0o640)
    write_whole(file, NEW, overwrite=True)
    assert file.read_bytes() == NEW
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert names(tmp_path) == ["m"]


def test_in_the_working_folder_and_under_long_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_whole("m", OLD)
    write_whole("x" * 255, OLD)
    write_whole(os.fsdecode(b"\xff\xfe"), OLD)
    assert len(names(tmp_path)) == 3
    with pytest.raises(OSError, match=r"[Tt]oo long"):
        write_whole("x" * 256, OLD)
    assert len(names(tmp_path)) == 3


def test_places_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(OLD)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    before = names(tmp_path)
    for place, words in [
        (tmp_path, "is a folder"),
        (tmp_path / "link", "symbolic link"),
        (tmp_path / "dangling", "symbolic link"),
        (tmp_path / "pipe", "a device or a pipe"),
        (tmp_path / "absent" / "m", "no folder"),
        (Path(str(tmp_path / "real") + "/m"), "no folder"),
        ("", "a name"),
        ("a\0b", "NUL"),
    ]:
        with pytest.raises(SettingError, match=words):
            write_whole(place, NEW, overwrite=True)  # type: ignore[arg-type]
    assert names(tmp_path) == before
    assert (tmp_path / "real").read_bytes() == OLD


FAULTS = [
    ("open", errno.EACCES),
    ("write", errno.ENOSPC),
    ("write", errno.EIO),
    ("fsync", errno.EIO),
    ("fsync", errno.ENOSPC),
    ("chmod", errno.EPERM),
    ("replace", errno.EACCES),
    ("replace", errno.ENOSPC),
]


@pytest.mark.parametrize(("call", "number"), FAULTS)
def test_a_failing_call_leaves_the_old_file(
    call: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "m"
    write_whole(file, OLD)

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OSError(number, os.strerror(number), str(file))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match=os.strerror(number)):
        write_whole(file, NEW, overwrite=True)
    monkeypatch.undo()
    assert file.read_bytes() == OLD
    assert names(tmp_path) == ["m"]


@pytest.mark.parametrize("after", [0, 3, 4096])
def test_a_disk_that_fills_up_midway(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, real, left = tmp_path / "m", os.write, after
    write_whole(file, OLD)

    def write(handle: int, data: Any) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = real(handle, data[:left])
        left -= done
        return done

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space left") as caught:
        write_whole(file, NEW, overwrite=True)
    assert "what was there before is unchanged" in str(caught.value.__notes__)
    assert file.read_bytes() == OLD
    assert names(tmp_path) == ["m"]


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:777]))
    write_whole(tmp_path / "m", NEW)
    assert (tmp_path / "m").read_bytes() == NEW


def test_a_disk_that_gives_back_other_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    write_whole(tmp_path / "m", OLD)
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, bytes(len(data))))
    with pytest.raises(FormatError, match="other bytes"):
        write_whole(tmp_path / "m", NEW, overwrite=True)
    assert (tmp_path / "m").read_bytes() == OLD
    assert names(tmp_path) == ["m"]


def test_without_links_a_rename_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(*args: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", unable)
    write_whole(tmp_path / "m", NEW)
    assert names(tmp_path) == ["m"]


def test_a_file_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fsync(handle: int) -> None:
        (tmp_path / "m").write_bytes(OLD)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(SettingError, match="exists already"):
        write_whole(tmp_path / "m", NEW)
    assert (tmp_path / "m").read_bytes() == OLD
    assert names(tmp_path) == ["m"]


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "m", NEW)
    assert names(tmp_path) == []


def test_stale_temporary_files_are_removed_and_those_in_use_kept(tmp_path: Path) -> None:
    import fcntl

    stale, used = (tmp_path / f".chainrule-{letter * 16}.tmp" for letter in "ab")
    fresh, other = tmp_path / f".chainrule-{'c' * 16}.tmp", tmp_path / ".chainrule-mine.tmp"
    for file in (stale, used, fresh, other):
        file.write_bytes(b"half")
    for file in (stale, used, other):
        os.utime(file, (time.time() - 60,) * 2)
    with open(used, "rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        write_whole(tmp_path / "m", NEW)
    assert names(tmp_path) == sorted([used.name, fresh.name, other.name, "m"])


SUPERVISOR = """
import os, signal, sys, time
import numpy as np
import chainrule as cr

path = sys.argv[1]
save = cr.files.save_model
net = cr.Sequential(cr.MatMul(np.zeros((200, 300))), loss=cr.MeanSquaredError())
save(path, net)
torn = 0
for i in range(40):
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        n = 0
        while True:
            n += 1
            net.params[0][...] = n
            save(path, net, overwrite=True)
            os.write(go, b"x")
    os.read(ready, 1)
    time.sleep(0.0005 * i)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ready), os.close(go)
    W = cr.files.load_model(path).network.params[0]
    torn += not (W == W[0, 0]).all()
print(torn)
"""


def test_kill_9_never_leaves_a_torn_file(tmp_path: Path) -> None:
    file = tmp_path / "m"
    done = subprocess.run(
        [sys.executable, "-c", SUPERVISOR, str(file)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert (done.stdout, done.stderr) == ("0\n", "")
    for left in tmp_path.glob(".chainrule-*.tmp"):
        os.utime(left, (time.time() - 60,) * 2)
    write_whole(file, NEW, overwrite=True)
    assert names(tmp_path) == ["m"]


def test_a_network_in_place_of_the_path_is_named() -> None:
    """save_onnx(network, path), save_model(path, network): met by a stranger."""
    net = cr.Sequential(cr.Affine.sized(2, 3), loss=cr.SoftmaxWithLoss())
    with pytest.raises(SettingError, match="first argument of save_model"):
        cr.save_model(net, "net.safetensors")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="second of save_onnx"):
        cr.save_onnx("net.onnx", net)  # type: ignore[arg-type]
