"""docs/command.md: every command in it is run, in order, and says what stands there."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from chainrule.cli import chainrule

TEXT = (Path(__file__).parents[2] / "docs" / "command.md").read_text("utf-8")
#: Numbers that are not the same on every machine.
LOOSE = re.compile(r"\d\.\de[-+]\d\d|\d+\.\d%|\d+ of (?=\d+ rows\))")


def examples() -> list[tuple[str, str]]:
    """Each command with what it says."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, said = part.partition("\n")
            found.append((command, said))
    return found


def pattern(said: str) -> re.Pattern[str]:
    """What the output must be: words as they are, however wrapped; anything at three dots."""
    words = " ".join(LOOSE.sub("#", said).replace("^C", "").split())
    parts = [re.escape(part.strip()) for part in words.split("...")]
    return re.compile(r"\s?.*?\s?".join(parts), re.S)


class Shell:
    """Runs lines as a shell does; a plain `chainrule …` in this process, which is faster."""

    def __init__(self, home: Path) -> None:
        self.home, self.code = home, 0
        place = home / "bin"
        place.mkdir()
        for name, more in (("chainrule", "-m chainrule"), ("python3", "")):
            file = place / name
            file.write_text(f'#!/bin/sh\nexec "{sys.executable}" {more} "$@"\n')
            file.chmod(0o755)
        # A shell that runs this in the background would have Ctrl-C ignored.
        start = "import os, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        (place / "ctrl").write_text(f"{start} from chainrule.cli import main; main()")
        self.environment = {**os.environ, "PATH": f"{place}:{os.environ['PATH']}"}

    def run(self, line: str, said: str) -> str:
        if "^C" in said:
            return self.interrupted(line, said)
        if line.startswith("chainrule ") and not re.search(
            r"[|<>&;](?=[^']*(?:'[^']*'[^']*)*$)", line
        ):
            result = CliRunner().invoke(chainrule, shlex.split(line)[1:])
            self.code = result.exit_code
            return result.output
        done = subprocess.run(
            ["bash", "-c", f"(exit {self.code}); {line}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            timeout=300,
        )
        self.code = done.returncode
        return done.stdout.decode()

    def interrupted(self, line: str, said: str) -> str:
        """Ctrl-C when the line before it in the document is there."""
        awaited = said.partition("^C")[0].strip().splitlines()[-1].partition("...")[0]
        running = subprocess.Popen(
            [sys.executable, str(self.home / "bin" / "ctrl"), *shlex.split(line)[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
        )
        assert running.stdout is not None
        seen = ""
        for text in running.stdout:
            seen += text
            if text.startswith(awaited):
                running.send_signal(signal.SIGINT)
                break
        rest, _ = running.communicate(timeout=300)
        self.code = running.returncode
        return seen + rest


def test_every_command_says_what_the_document_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    shell = Shell(tmp_path)
    for line, said in examples():
        got = shell.run(line, said)
        told = " ".join(LOOSE.sub("#", got).split())
        assert pattern(said).fullmatch(told), f"$ {line}\n{got}"


def test_every_command_has_a_section() -> None:
    sections = re.findall(r"^## (.*)", TEXT, re.M)
    apart = set(sections) ^ {"For all of them", *chainrule.commands, "train --playground"}
    assert not apart, f"only one of cli/program.py and docs/command.md has {sorted(apart)}"
    assert sections == ["For all of them", *chainrule.commands, "train --playground"]
    for name, command in chainrule.commands.items():
        section = TEXT.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert f"$ chainrule {name}" in section
        known = {
            option for param in command.params for option in (*param.opts, *param.secondary_opts)
        }
        named = set(re.findall(r"`(--[a-z0-9-]+)", section))
        assert named <= known, named - known
