"""What a text reads and writes, seen before it is translated."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

__all__ = ["first_written", "reads_memory", "uses"]


def uses(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """The variables in the order in which they are read and written, and whether they are written."""
    if isinstance(node, ast.Name):
        yield node.id, isinstance(node.ctx, ast.Store)
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.For):
        value = node.iter if isinstance(node, ast.For) else node.value
        if value is not None:
            yield from uses(value)
        for part in ast.iter_child_nodes(node):
            if part is not value:
                yield from uses(part)
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id, False
        yield from uses(node.value)
    else:
        for part in ast.iter_child_nodes(node):
            yield from uses(part)


def first_written(nodes: Sequence[ast.AST]) -> set[str]:
    """The variables that these statements write before they read them."""
    seen: dict[str, bool] = {}
    for statement in nodes:
        for name, written in uses(statement):
            seen.setdefault(name, written)
    return {name for name, written in seen.items() if written}


def reads_memory(node: ast.expr) -> bool:
    """Whether computing it reads memory, or calls something that may."""
    return any(isinstance(part, ast.Subscript | ast.Call) for part in ast.walk(node))
