"""The folder of the machine code: the user's own, or none and the reason in a line."""

from __future__ import annotations

import os
import stat
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from chainrule.engine.compiled import cache
from chainrule.engine.compiled.cache import Code
from chainrule.engine.compiled.folder import folder

posix = pytest.mark.skipif(os.name != "posix", reason="owners, modes and links")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the folder of this test is to be."""
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # never the real one
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(cache, "_obtained", {})
    return tmp_path / "cache" / "kernels"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refused(place: Path, why: str) -> None:
    """There is no folder, the reason says why, and code is made without one."""
    found, reason = folder()
    assert found is None
    assert str(place) in reason
    assert why in reason
    assert "\n" not in reason
    said: list[str] = []
    code = Code("f", b"code")
    assert cache.obtain("a = 1", "step", [], lambda path: code, lambda c: c, said.append) == code
    assert said == [
        f"Compiling for this kind of network: some seconds, in every process, as {reason}."
    ]


@posix
@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
def test_it_is_the_users_alone(place: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        assert folder() == (place, "")
    finally:
        os.umask(before)
    assert [mode(p) for p in (place.parent, place)] == [0o700] * 2
    assert place.stat().st_uid == os.geteuid()
    assert folder() == (place, "")  # and so the next time
    assert list(place.iterdir()) == []


@posix
@pytest.mark.parametrize("open_to", [0o755, 0o750, 0o711, 0o704])
def test_one_that_others_could_read_is_closed(place: Path, open_to: int) -> None:
    place.mkdir(parents=True)
    place.chmod(open_to)
    assert folder() == (place, "")
    assert mode(place) == 0o700


@posix
@pytest.mark.parametrize("open_to", [0o777, 0o770, 0o707, 0o720, 0o702, 0o1777])
def test_one_that_others_could_write_in_is_refused(place: Path, open_to: int) -> None:
    place.mkdir(parents=True)
    place.chmod(open_to)
    refused(place, "may be written in by other users")
    assert mode(place) == open_to  # closing it now would hide what happened
    assert list(place.iterdir()) == []


@posix
def test_one_of_another_users_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder() == (place, "")
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    refused(place, "belongs to another user")
    assert list(place.iterdir()) == []


@posix
def test_one_inside_another_users_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.mkdir(parents=True, mode=0o700)
    true = os.stat

    def foreign(path: Any, **kwargs: Any) -> Any:
        found = true(path, **kwargs)
        if Path(path) == place.parent:
            return types.SimpleNamespace(st_uid=found.st_uid + 1, st_mode=found.st_mode)
        return found

    monkeypatch.setattr(os, "stat", foreign)
    refused(place.parent, f"{place.parent} belongs to another user")


@posix
@pytest.mark.parametrize("target", ["folder", "nowhere"])
def test_a_link_is_not_followed(place: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "folder").mkdir(mode=0o700)
    place.parent.mkdir()
    place.symlink_to(tmp_path / target)
    refused(place, "is a symbolic link, which is not followed")
    assert not (tmp_path / "nowhere").exists()
    assert list((tmp_path / "folder").iterdir()) == []


@posix
def test_the_users_own_link_higher_up_is_followed(place: Path, tmp_path: Path) -> None:
    (tmp_path / "big disk").mkdir()
    place.parent.symlink_to(tmp_path / "big disk")
    assert folder() == (place, "")
    assert mode(tmp_path / "big disk" / "kernels") == 0o700


@posix
def test_another_users_link_higher_up_is_not(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs").mkdir()
    place.parent.symlink_to(tmp_path / "theirs")
    true = os.lstat

    def foreign(path: Any, **kwargs: Any) -> Any:
        found = true(path, **kwargs)
        if Path(path) == place.parent:
            own = os.geteuid()
            return types.SimpleNamespace(st_uid=own + 1, st_mode=found.st_mode)
        return found

    monkeypatch.setattr(os, "lstat", foreign)
    refused(place.parent, f"{place.parent} is a symbolic link made by another user")
    assert list((tmp_path / "theirs").iterdir()) == []


@posix
def test_where_all_may_write_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o777)
    monkeypatch.setenv("CHAINRULE_CACHE", str(public / "mine"))
    refused(public, f"everyone may write in {public}")
    assert list(public.iterdir()) == []
    cache._obtained.clear()
    (tmp_path / "link").symlink_to(public)
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "link" / "mine"))
    refused(public, f"everyone may write in {public}")
    assert list(public.iterdir()) == []
    public.chmod(0o1777)  # as /tmp is: others cannot move what is ours
    assert folder() == (tmp_path / "link" / "mine" / "kernels", "")


def test_a_file_in_the_way(place: Path) -> None:
    place.parent.write_text("a file")
    refused(place, "cannot be used")
    assert place.parent.read_text() == "a file"


def test_a_file_in_its_place(place: Path) -> None:
    place.parent.mkdir()
    place.write_text("a file")
    refused(place, "is not a folder")
    assert place.read_text() == "a file"


def test_one_that_cannot_be_written_in(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.mkdir(parents=True)
    place.chmod(0o500)
    if os.access(place, os.W_OK):  # root may
        monkeypatch.setattr(os, "access", lambda path, how: Path(path) != place)
    refused(place, "cannot be written in")
    place.chmod(0o700)


def test_a_disk_where_no_folder_can_be_made(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Any, mode: int = 0o777) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(os, "mkdir", full)
    refused(place, "cannot be used (Read-only file system)")


def test_one_that_another_process_makes_at_the_same_time(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = os.mkdir

    def slower(path: Any, mode: int = 0o777) -> None:
        true(path, mode)
        true(path, mode)  # it is there already

    monkeypatch.setattr(os, "mkdir", slower)
    assert folder() == (place, "")
    assert place.is_dir()


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("CHAINRULE_CACHE", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lost)
    assert folder() == (None, "Could not determine home directory.")


def test_no_such_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE", "~no-such-user-at-all/cache")
    found, reason = folder()
    assert found is None
    assert "home" in reason


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the XDG folders")
def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_home = tmp_path / "home" / ".cache" / "chainrule" / "kernels"
    for name, value, expected in (
        ("CHAINRULE_CACHE", "", at_home),
        ("XDG_CACHE_HOME", "", at_home),
        ("XDG_CACHE_HOME", "relative", at_home),
        ("XDG_CACHE_HOME", str(tmp_path / "xdg"), tmp_path / "xdg" / "chainrule" / "kernels"),
        ("CHAINRULE_CACHE", "~/mine", tmp_path / "home" / "mine" / "kernels"),
        ("CHAINRULE_CACHE", "here", tmp_path / "here" / "kernels"),
        ("CHAINRULE_CACHE", "here/../there", tmp_path / "there" / "kernels"),
    ):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv(name, value)
        assert folder() == (expected, "")
        assert expected.is_dir()


def test_it_is_looked_at_again_every_time(place: Path, tmp_path: Path) -> None:
    assert folder() == (place, "")
    place.rmdir()
    place.write_text("a file")
    assert folder() == (None, f"{place} is not a folder")
    place.unlink()
    assert folder() == (place, "")
