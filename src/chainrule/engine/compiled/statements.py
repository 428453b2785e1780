"""The statements of a kernel's text: the form of each, and the names in it."""

from __future__ import annotations

import ast
import functools
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Statement", "renamed", "statements"]

#: A name in a text that stands for a variable, not for a function or an attribute.
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*\b(?!\()")
_WORDS = frozenset(keyword.kwlist)


class Statement:
    """A statement: its lines, its form without names, and the names in order."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines, text = list(lines), "\n".join(lines)
        self.names = [*dict.fromkeys(n for n in _NAME.findall(text) if n not in _WORDS)]
        self.form = renamed(text, {name: f"_{k}" for k, name in enumerate(self.names)})
        reads, writes = _flow(self.form)
        #: The variables that it takes from the statements before it, and those that it assigns.
        self.reads = {self.names[k] for k in reads}
        self.writes = {self.names[k] for k in writes}


@functools.lru_cache(maxsize=1000)
def _flow(form: str) -> tuple[frozenset[int], frozenset[int]]:
    """Which variables a statement of a form reads before it assigns them, and which it assigns."""
    reads, writes = set[int](), set[int]()
    for name, written in _uses(ast.parse(form)):
        k = int(name[1:])
        if written:
            writes.add(k)
        elif k not in writes:
            reads.add(k)
    return frozenset(reads), frozenset(writes)


def statements(lines: Sequence[str]) -> list[Statement]:
    """The statements of a text; lines that are further in belong to the one before them."""
    starts = [k for k, line in enumerate(lines) if not line.startswith(" ")]
    ends = [*starts[1:], len(lines)]
    return [Statement(lines[a:b]) for a, b in zip(starts, ends, strict=True)]


def renamed(text: str, names: Mapping[str, str]) -> str:
    """The text with other names for some variables."""
    return _NAME.sub(lambda found: names.get(found[0], found[0]), text)


def _uses(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """The variables in a text, in the order of their use, and whether each is assigned."""
    if isinstance(node, ast.Name):
        yield node.id, isinstance(node.ctx, ast.Store)
        return
    parts: list[ast.AST] = [*ast.iter_child_nodes(node)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        parts = [*node.args]
    elif isinstance(node, ast.Assign):
        parts = [node.value, *node.targets]
    elif isinstance(node, ast.AugAssign):
        parts = [node.value, node.target]
        if isinstance(node.target, ast.Name):
            yield node.target.id, False
    elif isinstance(node, ast.For):
        parts = [node.iter, node.target, *node.body]
    for part in parts:
        yield from _uses(part)
