"""Where sentences stand in the source: those that are messages, and those that are not.

`python tests/project/sentences.py src/chainrule/graph` lists what `problems` and `strays` find there.
"""

from __future__ import annotations

import ast
import re
import string
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: The functions of `chainrule.lang.messages` that make a message, and where their templates stand.
MAKERS = {"_": (0,), "_n": (0, 1), "_p": (1,)}
#: Words of what nobody but a developer reads.
INTERNAL = {"NotImplementedError", "AssertionError", "AttributeError", "RuntimeError", "KeyError"}
#: Four English words in a row: what programs, markup and lists of names hardly have.
_WORDS = re.compile(r"(?<![\w.])(?:[A-Za-z][a-z']*,? ){3}[a-z']+(?![\w(=])")

#: Lines of a program.
_CODE = re.compile(r"\bfor \w+(, \w+)* in |\bdef \w+\(|\bimport \w+ as ")


@dataclass(frozen=True)
class Place:
    """Something in a file, and what is wrong there."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def fields(template: str) -> set[str]:
    """The names in braces of a template."""
    return {
        re.split(r"[.\[]", name)[0]
        for _, name, _, _ in string.Formatter().parse(template)
        if name is not None
    }


def _maker(node: ast.AST) -> str | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
        return node.func.id
    return None


def problems(path: Path) -> Iterator[Place]:
    """Messages whose template is no literal, or whose values are not those that it names."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _hidden(path, node)
        maker = _maker(node)
        if maker is None or (path.name == "messages.py" and path.parent.name == "lang"):
            continue
        assert isinstance(node, ast.Call)
        templates = [node.args[i] for i in MAKERS[maker] if i < len(node.args)]
        given = {keyword.arg for keyword in node.keywords}
        for template in templates:
            if not (isinstance(template, ast.Constant) and isinstance(template.value, str)):
                yield Place(path, node.lineno, f"the template of {maker} is no literal")
                continue
            named = fields(template.value) - ({"n"} if maker == "_n" else set())
            if None not in given and maker != "_n" and named != given:
                yield Place(
                    path, node.lineno, f"{sorted(named)} are named, {sorted(map(str, given))} given"
                )
            if None not in given and maker == "_n" and not named <= given:
                yield Place(
                    path, node.lineno, f"{sorted(named)} are named, {sorted(map(str, given))} given"
                )


def _hidden(path: Path, function: ast.AST) -> Iterator[Place]:
    """Functions in which `_` is a variable and a maker of messages at once."""
    inner = {  # a comprehension has names of its own
        id(name)
        for n in ast.walk(function)
        if isinstance(n, ast.comprehension)
        for name in ast.walk(n.target)
    }
    own = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == "_"]
    stored = any(isinstance(n.ctx, ast.Store) and id(n) not in inner for n in own)
    if stored and any(_maker(n) == "_" for n in ast.walk(function)):
        yield Place(path, function.lineno, "_ is a variable here, so it makes no message")  # type: ignore[attr-defined]


def _says(text: str) -> bool:
    return _WORDS.search(text) is not None and _CODE.search(text) is None


def strays(path: Path) -> Iterator[Place]:
    """Strings with four English words in a row that are neither docstrings nor messages."""
    tree = ast.parse(path.read_text("utf-8"))
    passed: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            passed.add(id(body[0].value))  # a docstring
        maker = _maker(node)
        if maker is not None:
            assert isinstance(node, ast.Call)
            passed |= {id(node.args[i]) for i in MAKERS[maker] if i < len(node.args)}
            if maker == "_p":
                passed.add(id(node.args[0]))
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in INTERNAL:
                passed |= {id(arg) for arg in ast.walk(node)}
        if isinstance(node, ast.Assert) and node.msg is not None:
            passed |= {id(part) for part in ast.walk(node.msg)}
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "__doc__" for t in node.targets
        ):
            passed.add(id(node.value))
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and id(node) not in passed:
            inside |= {id(part) for part in ast.walk(node) if part is not node}
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
            if _says(text):
                yield Place(path, node.lineno, text)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in passed | inside
            and _says(node.value)
        ):
            yield Place(path, node.lineno, node.value)


if __name__ == "__main__":
    for root in map(Path, sys.argv[1:]):
        for file in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            for place in (*problems(file), *strays(file)):
                print(place)
