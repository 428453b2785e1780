"""The project itself: import time, what is imported, what must not stand in the code."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule

ROOT = Path(chainrule.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_unsafe_is_called(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            # What the engines run is text that they have written.
            allowed = {"exec"} if path.name in ("program.py", "entry.py") else set()
            assert node.func.id not in {"eval", "exec", "__import__"} - allowed, ast.unparse(node)
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] + [getattr(node, "module", "") or ""]
            # Five files start other programs: the browser, to take a picture of our own page, ranks whose
            # sums are timed, SLURM's scontrol, mpiexec, or this Python, with the command itself, and a
            # reader's answer to an exercise.
            starts = path.name in (
                "screenshot.py", "requeue.py", "measured.py", "job.py", "running.py"
            )  # fmt: skip
            started = {"subprocess"} - ({"subprocess"} if starts else set())
            assert not ({"pickle", "marshal", "shelve"} | started) & set(names)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            text = ast.unparse(node)
            if text.startswith("np.random."):
                kept = {"BitGenerator", "Generator", "default_rng", "RandomState", "SeedSequence"}
                kept |= {"get_state"}  # to look whether somebody else has drawn
                assert node.attr in kept, f"{path.name}: {text} uses the global generator"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert isinstance(node.value, ast.Constant)
            assert node.value.value is False


def test_the_library_imports_only_numpy() -> None:
    program = (
        "import sys, chainrule as cr; cr.Trainer, cr.Affine.sized(2, 2).W, cr.datasets.spiral();"
        "print(sorted({m.split('.')[0] for m in sys.modules}"
        " & {'safetensors', 'click', 'tqdm', 'matplotlib', 'scipy', 'llvmlite'}))"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_every_module_is_imported_without_warnings() -> None:
    names = [
        ".".join(("chainrule", *p.relative_to(ROOT).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        for p in FILES
    ]
    names = [name for name in names if not name.endswith("__main__")]
    program = f"import importlib; [importlib.import_module(n) for n in {names!r}]"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_dir_has_the_public_names_only() -> None:
    names = {name for name in dir(chainrule) if not name.startswith("__")}
    assert names == {name for name in vars(chainrule)["__all__"] if not name.startswith("__")}
    assert not {"TYPE_CHECKING", "annotations"} & names


def test_no_generator_is_shared_between_tests() -> None:
    """A generator of a whole file gives each test numbers that depend on which ran before it."""
    shared = [
        f"{path.name}:{node.lineno}"
        for path in sorted(Path(__file__).parent.parent.rglob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(call := node.value, ast.Call)
        and ast.unparse(call.func).endswith(("default_rng", "Generator", "RandomState"))
    ]
    assert shared == []
