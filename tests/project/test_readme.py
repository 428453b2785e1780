"""README's examples say the same where Python drops docstrings (`-OO`) and a profiler looks on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule

README = Path(chainrule.__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All Python blocks of the README, one after the other, in a folder of their own.

    They train for a shorter time: what is compared is what they print, and not how well they learn.
    """
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert len(blocks) > 6
    path = tmp_path_factory.mktemp("readme") / "examples.py"
    text = re.sub(r"(trainer\.fit\(.*batch_size=30)\)", r"\1, progress=None)", "\n".join(blocks))
    for long, short in (
        (r'NetworkClassifier\("table",', r"\g<0> epochs=5,"),
        (r"epochs=\d+", "epochs=5"),
        (r"range\(1000\)", "range(50)"),
        ("points=15", "points=4"),
    ):
        text, changed = re.subn(long, short, text)
        assert changed, long
    path.write_text(text, "utf-8")
    return path


def printed(path: Path, *options: str) -> str:
    """What the program prints, run with these options of Python."""
    run = subprocess.run(
        [sys.executable, *options, str(path)], cwd=path.parent, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.skipif(sys.gettrace() is not None, reason="coverage has one of Python's two hooks")
def test_the_same_without_docstrings_and_under_a_profiler(program: Path) -> None:
    pytest.importorskip("matplotlib")
    plain = printed(program)
    assert "∂" in plain
    # At once, since what either of them changed would be seen of both.
    both = printed(program, "-OO", "-m", "cProfile", "-o", str(program.parent / "profile"))
    assert both == plain
