"""Parts of other packages that their makers promise nothing about: each is there, and is capped."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import chainrule

ROOT = Path(chainrule.__file__).parent
#: The modules without promises, by what their names begin with.
PRIVATE = {
    "uvicorn": ("uvicorn._", "uvicorn.protocols"),
    "websockets": ("websockets.frames", "websockets.http11"),
}


def taken() -> list[tuple[str, str]]:
    """Every name that is taken from such a module."""
    found = set()
    for path in ROOT.rglob("*.py"):
        text = path.read_text("utf-8")
        if not any(package in text for package in PRIVATE):  # reading all of them takes seconds
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module:
                starts = PRIVATE.get(node.module.partition(".")[0], ())
                if node.module.startswith(tuple(starts)):
                    found |= {(node.module, alias.name) for alias in node.names}
    return sorted(found)


@pytest.mark.parametrize(("module", "name"), taken())
def test_it_is_there(module: str, name: str) -> None:
    pytest.importorskip(module.partition(".")[0])
    assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("package", PRIVATE)
def test_the_package_is_capped_at_what_was_tried(package: str) -> None:
    project = tomllib.loads((ROOT.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [d for extra in project["optional-dependencies"].values() for d in extra]
    (line,) = {d for d in asked if re.match(rf"{package}\b", d)}
    cap = re.search(r"<([\d.]+)", line)
    assert cap is not None
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        return
    assert [int(n) for n in re.findall(r"\d+", version)[:3]] < [int(n) for n in cap[1].split(".")]


def test_what_the_server_overrides_is_as_it_was() -> None:
    """Methods of uvicorn's protocols that ours replace, with the arguments that ours take."""
    protocols = pytest.importorskip("chainrule.playground.server.protocols")
    for name, ours in vars(protocols).items():
        if not (inspect.isclass(ours) and ours.__module__ == protocols.__name__):
            continue
        theirs = ours.__mro__[1]
        for method, function in vars(ours).items():
            if not inspect.isfunction(function) or not hasattr(theirs, method):
                continue
            given = list(inspect.signature(getattr(theirs, method)).parameters)
            if method != "__init__":
                assert list(inspect.signature(function).parameters) == given, f"{name}.{method}"
