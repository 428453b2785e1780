"""The README's Python blocks run as tests, in a folder of their own."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

_here = str(Path.cwd())
_room: list[TemporaryDirectory[str]] = []


def _enter(namespace: dict[str, Any]) -> None:
    _room.append(TemporaryDirectory())
    os.chdir(_room[-1].name)


def _leave(namespace: dict[str, Any]) -> None:
    os.chdir(_here)
    _room.pop().cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()], patterns=["README.md"], setup=_enter, teardown=_leave
).pytest()
