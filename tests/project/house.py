"""The rooms of the house from the ground up, and who imports whom."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Each room may import from those on lower floors. A room is a folder, or a file beside the folders.
FLOORS = [
    ["lang", "version"],
    ["errors"],
    ["settings", "aligned", "text_width", "atomic_write", "file_kinds", "memory"],
    ["nodes", "datasets"],
    ["graph"],
    ["engine", "drawing"],
    ["layers"],
    ["schedules"],
    ["optimizers"],
    ["script"],
    ["networks"],
    ["checking", "storage", "distributed"],
    ["training"],
    ["basics"],
    ["files"],
    ["explaining", "comparing", "planning"],
    ["plots"],
    ["figures", "playground", "estimators", "lessons"],
    ["api"],
    ["cli"],
    ["__init__", "__main__"],
]
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}

#: The few arrows that go up: (file, room that it reaches), and why.
UP = {
    ("graph.graph", "drawing"): "graph.draw() hands on to the room that draws",
    ("graph.variable", "drawing"): "the type of what Variable.draw() gives",
    ("training.history", "plots"): "history.plot() hands on to the room that plots",
    ("training.histograms", "plots"): "histograms.plot() hands on to the room that plots",
}


@dataclass(frozen=True)
class Arrow:
    """An import: of module `to` in module `at`, line `line`."""

    at: str
    to: str
    line: int

    def __str__(self) -> str:
        return f"{self.at}, line {self.line}, imports {self.to}"


def modules(root: Path) -> dict[str, Path]:
    """Every module below `root` by its dotted name; a package is called after its folder."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)
        found[name] = path
    return found


def room(module: str) -> str:
    """The room of a module."""
    return module.partition(".")[0]


def arrows(root: Path) -> list[Arrow]:
    """Every import of one module in another: at the top, in functions, and for types alone."""
    known = modules(root)
    found = []
    for at, path in known.items():
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for to in _imported(node, root.name, at, path):
                    found.append(Arrow(at, _nearest(to, known), node.lineno))
    return found


def _imported(
    node: ast.Import | ast.ImportFrom, package: str, at: str, path: Path
) -> Iterator[str]:
    """The modules, without the package's name, that a statement may import."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.partition(".")[0] == package:
                yield alias.name.partition(".")[2]
    else:
        module = node.module or ""
        if node.level:  # from . import x
            inside = at.split(".") if path.name == "__init__.py" else at.split(".")[:-1]
            kept = inside[: len(inside) - node.level + 1]
            module = ".".join([package, *kept, *([module] if module else [])])
        if module.partition(".")[0] == package:
            for alias in node.names:
                yield ".".join(p for p in (module.partition(".")[2], alias.name) if p)


def _nearest(name: str, known: dict[str, Path]) -> str:
    """The module that a dotted name is, or that it is a part of."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name or "__init__"


def circles(found: list[Arrow]) -> list[list[str]]:
    """Modules that import each other round about, by Tarjan's algorithm."""
    reach: dict[str, set[str]] = {}
    for arrow in found:
        reach.setdefault(arrow.at, set()).add(arrow.to)
        reach.setdefault(arrow.to, set())
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    waiting: list[str] = []
    result: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = low[module] = len(number)
        waiting.append(module)
        for other in reach[module]:
            if other not in number:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in waiting:
                low[module] = min(low[module], number[other])
        if low[module] == number[module]:
            i = waiting.index(module)
            circle, waiting[i:] = waiting[i:], []
            if len(circle) > 1:
                result.append(sorted(circle))

    for module in list(reach):
        if module not in number:
            visit(module)
    return result
