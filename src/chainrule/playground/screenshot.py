"""A picture of the page itself, in its default state, taken by Chromium where there is one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

__all__ = ["chromium", "screenshot"]

#: What the browser is called, on one system and another.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTH, HEIGHT = 1440, 900
#: Seconds until there is no hope any more; a picture takes two, on a busy machine twenty.
PATIENCE = 90
#: Milliseconds to wait for the page: a busy machine may show an empty one at first.
WAITS = (4_000, 15_000, 60_000)
#: The link in what the command prints, in whatever language.
LINK = re.compile(r"http://\S+")
#: An empty page is a picture of fewer bytes.
BLANK = 60_000


def chromium() -> str | None:
    """Where Chromium is, if all is there that a picture of the page needs."""
    built = files("chainrule.playground").joinpath("static", "index.html").is_file()
    if not built or any(find_spec(name) is None for name in ("starlette", "uvicorn", "websockets")):
        return None
    return next(filter(None, map(shutil.which, NAMES)), None)


def screenshot(browser: str, lang: str = "en") -> bytes | None:
    """The page as PNG, 1440 by 900; None if the browser gave no picture.

    The page is served by `chainrule play` in a process of its own, to this machine only.
    """
    command = [sys.executable, "-m", "chainrule", "play", "--no-browser", "--port=0"]
    with (
        tempfile.TemporaryDirectory() as room,
        subprocess.Popen(  # noqa: S603 - our own command
            [*command, f"--lang={lang}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as server,
    ):
        try:
            assert server.stdout is not None
            link = LINK.findall(server.stdout.readline())
            for wait in WAITS:
                picture = _taken(browser, link, Path(room), wait)
                if len(picture) > BLANK:
                    return picture
            return None
        except subprocess.TimeoutExpired:
            return None
        finally:
            server.terminate()


def _taken(browser: str, link: list[str], room: Path, wait: int) -> bytes:
    """What the browser shows after so many milliseconds of its own time; empty if nothing."""
    picture = room / f"{wait}.png"
    flags = [
        "--headless", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
        f"--user-data-dir={room}/profile-{wait}", f"--window-size={WIDTH},{HEIGHT}",
        f"--virtual-time-budget={wait}", f"--screenshot={picture}",
    ]  # fmt: skip
    # As root it does not start in its sandbox, nor where Debian's chromium-sandbox is not installed. It
    # opens nothing but our own page, so then it goes without.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    for way in (["--no-sandbox"],) if root else ([], ["--no-sandbox"]):
        told = subprocess.run(  # noqa: S603 - the browser that is installed, our own page
            [browser, *flags, *way, *link], capture_output=True, timeout=PATIENCE, check=False
        )
        if picture.exists():
            return picture.read_bytes()
        if b"sandbox" not in told.stderr:
            break
    return b""
