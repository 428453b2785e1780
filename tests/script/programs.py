"""Running written programs as real processes, where no chainrule can be imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.script import Script

#: Runs the programs it is given one after the other, with a line between what they print.
DRIVER = """
import runpy, sys
sys.modules["chainrule"] = None  # importing it is an error
for path in sys.argv[1:]:
    runpy.run_path(path, run_name="__main__")
    print("---")
"""


def run_all(scripts: Sequence[Script], folder: Path) -> list[list[str]]:
    """The lines that each of the programs prints; all run in one process, in their folder."""
    names = []
    for i, script in enumerate(scripts):
        names.append(f"program_{i}.py")
        script.save(folder / names[-1])
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", DRIVER, *names],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    parts = done.stdout.split("---\n")
    assert parts.pop() == ""
    return [part.splitlines() for part in parts]


def trained(
    network: Any, optimizer: Any, x: Any, t: Any, *, seed: int = 0, **settings: Any
) -> list[str]:
    """What a program must print: the losses of the NumPy engine, every digit."""
    trainer = cr.Trainer(network, optimizer, seed=seed, engine="numpy")
    history = trainer.fit(x, t, progress=None, **settings)
    return [f"epoch {i}: loss {row['loss']!r}" for i, row in enumerate(history.epochs, 1)]


def spiral_network(dtype: Any = np.float64, **more: Any) -> cr.Sequential:
    """The network of the README."""
    return cr.Sequential(
        cr.Affine.sized(2, 10, dtype=dtype),
        cr.Sigmoid(),
        cr.Affine.sized(10, 3, dtype=dtype),
        loss=cr.SoftmaxWithLoss(),
        **{"seed": 0, **more},
    )


def tidy(folder: Path) -> None:
    """The programs are as a formatter leaves them, and a linter finds nothing in them."""
    rules = "E,F,W,I,UP,C4,PT,RUF100,PLE"
    for command in (
        ["check", "--isolated", "--no-cache", "--select", rules, "--line-length", "100"],
        ["format", "--check", "--isolated", "--no-cache", "--line-length", "100", "--diff"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--target-version", "py311", "."],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
