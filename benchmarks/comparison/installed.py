"""How much is installed for a library: its files and those of everything it requires."""

from __future__ import annotations

import functools
import re
import tomllib
from typing import Any

from benchmarks.comparison.processes import ROOT, installed
from benchmarks.environments import OURS, python

#: What is installed beside chainrule itself: an environment, and the names that are asked for.
OTHERS = {
    "scikit-learn": ("scikit-learn", ["scikit-learn"]),
    "tinygrad": ("tinygrad", ["tinygrad", "numpy"]),
    "onnxruntime (prediction alone)": ("onnxruntime", ["onnxruntime"]),
    "JAX and Optax": ("jax", ["jax", "optax"]),
    "PyTorch": ("torch", ["torch", "numpy"]),
}


@functools.cache
def sizes() -> list[dict[str, Any]]:
    """The megabytes that chainrule, with and without its extra `compiled`, and others take."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = [_name(line) for line in project["dependencies"]]
    compiled = base + [_name(line) for line in project["optional-dependencies"]["compiled"]]
    own = sum(f.stat().st_size for f in (ROOT / "src").rglob("*") if _is_source(f))
    found = [
        size("chainrule", OURS, base, own),
        size("chainrule[compiled]", OURS, compiled, own),
        *(size(title, *asked) for title, asked in OTHERS.items() if python(asked[0]).exists()),
    ]
    return [entry for entry in found if entry["bytes"]]


def _name(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    assert match is not None
    return match[0].lower()


def _is_source(file: Any) -> bool:
    return bool(file.is_file() and "__pycache__" not in file.parts and ".egg-info" not in str(file))


def size(title: str, environment: str, asked: list[str], own: int = 0) -> dict[str, Any]:
    """What the distributions that are asked for take, with all that they require."""
    there = installed(environment)["distributions"]
    missing = [name for name in asked if name not in there]
    if missing:
        return {"title": title, "bytes": 0}
    wanted, total = list(asked), own
    seen: dict[str, int] = {}
    while wanted:
        name = wanted.pop()
        if name in there and name not in seen:  # what is absent is for another platform
            seen[name] = there[name]["bytes"]
            wanted += there[name]["requires"]
    total += sum(seen.values())
    largest = [name for name in sorted(seen, key=lambda n: -seen[n])[:3] if seen[name] > 1e6]
    parts = ", ".join(f"{name} {seen[name] / 1e6:.0f}" for name in largest)
    return {"title": title, "bytes": total, "packages": len(seen), "largest": parts}
