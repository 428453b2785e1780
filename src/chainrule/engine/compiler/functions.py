"""Functions of the text: found in a text or a module, and where their names lead."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.writer import CAREFUL, FREE

__all__ = ["Function", "apart", "as_written", "function_of", "inlined", "without_subnormals"]

_CAREFUL, _INLINED, _APART, _FLUSHING = "_as_written", "_inlined", "_apart", "_without_subnormals"


def as_written(function: Any) -> Any:
    """Mark a function whose sums are not to be reordered: (k + s) − s stays what it is."""
    setattr(function, _CAREFUL, True)
    return function


def inlined(function: Any) -> Any:
    """Mark a function with a loop that is written into its callers all the same."""
    setattr(function, _INLINED, True)
    return function


def apart(function: Any) -> Any:
    """Mark a function that stays one in the machine code, which so takes less time to make."""
    setattr(function, _APART, True)
    return function


def without_subnormals(function: Any) -> Any:
    """Mark the function of a kernel in which numbers too small to be kept in full count as 0.

    They make a processor a hundred times as slow: the momentum of a unit that is dead ends among them
    after some hundred steps, and stays there.
    """
    setattr(function, _FLUSHING, True)
    return function


class Function:
    """A function: its tree, the names that it can see, and how it is translated."""

    def __init__(self, node: ast.FunctionDef, names: Mapping[str, Any], file: str) -> None:
        self.node, self.names, self.file = node, names, file
        self.flags = FREE
        given = node.args
        if given.posonlyargs or given.vararg or given.kwonlyargs or given.kwarg:
            raise Refused(f"{node.name} takes other than plain arguments")
        self.parameters = [a.arg for a in given.args]
        #: How often each variable is assigned.
        self.assigned: Counter[str] = Counter()
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                self.assigned[part.id] += 1
            elif isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
                self.assigned[part.target.id] += 2
        for name in {*self.parameters} & {*self.assigned}:
            self.assigned[name] += 1  # by the caller
        #: Whether it is written into its callers: a function without a loop is.
        self.inline = not any(isinstance(part, ast.For | ast.While) for part in ast.walk(node))
        #: Whether LLVM may not do that either.
        self.apart = False
        #: Whether numbers too small to be kept in full count as 0, in a kernel's first function.
        self.flushing = False

    def marked_as(self, function: Any) -> Function:
        """The same, as a Python function's marks say."""
        self.flags = CAREFUL if getattr(function, _CAREFUL, False) else FREE
        self.inline |= getattr(function, _INLINED, False)
        self.apart = getattr(function, _APART, False)
        self.flushing = getattr(function, _FLUSHING, False)
        return self

    def look_up(self, name: str) -> Any:
        """The Python object that the name stands for."""
        try:
            return self.names[name]
        except KeyError:
            if hasattr(builtins, name):
                return getattr(builtins, name)
            raise Refused(f"{name} is not defined") from None


@functools.cache
def function_of(function: FunctionType) -> Function:
    """The function that a Python function stands for, read from its source."""
    code = function.__code__
    try:
        tree = _tree(code.co_filename)
    except OSError:
        raise Refused(f"the source of {code.co_name} is not at hand") from None
    for part in ast.walk(tree):
        if isinstance(part, ast.FunctionDef) and part.name == code.co_name:
            first = min([part.lineno, *(d.lineno for d in part.decorator_list)])
            if first == code.co_firstlineno:
                names = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
                return Function(part, names, Path(code.co_filename).name).marked_as(function)
    raise Refused(f"the source of {code.co_name} is not at hand")


@functools.cache
def _tree(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text("utf-8"))
