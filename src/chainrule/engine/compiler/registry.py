"""The language, rule by rule: what writes each kind of statement and expression, and a call of each
function that is not text."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.values import Array, Number, Value

__all__ = ["EXPRESSIONS", "RULES", "STATEMENTS", "checked", "expression", "rule", "statement"]

S = TypeVar("S", bound=ast.stmt)
E = TypeVar("E", bound=ast.expr)
#: What writes a statement in a body, and gives whether it leaves the function.
OfStatement: TypeAlias = Callable[[Any, S], bool | None]
#: What writes an expression in a body, and gives what it stands for.
OfExpression: TypeAlias = Callable[[Any, E], Value]

STATEMENTS: dict[type[ast.stmt], OfStatement[Any]] = {}
EXPRESSIONS: dict[type[ast.expr], OfExpression[Any]] = {}
#: For a Python function, what writes a call of it, given the body that calls it and the arguments.
RULES: dict[Any, Callable[..., Value]] = {}


def statement(kind: type[S]) -> Callable[[OfStatement[S]], OfStatement[S]]:
    """Say how a statement of this kind is written."""

    def register(write: OfStatement[S]) -> OfStatement[S]:
        STATEMENTS[kind] = write
        return write

    return register


def expression(kind: type[E]) -> Callable[[OfExpression[E]], OfExpression[E]]:
    """Say how an expression of this kind is written."""

    def register(write: OfExpression[E]) -> OfExpression[E]:
        EXPRESSIONS[kind] = write
        return write

    return register


def rule(function: Any) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Say how a call of the Python function is written."""

    def register(write: Callable[..., Value]) -> Callable[..., Value]:
        RULES[function] = checked(write)
        return write

    return register


_KINDS = {"Array": Array, "Number": Number, "tuple[Number, ...]": tuple, "Body": object}


def checked(write: Callable[..., Value]) -> Callable[..., Value]:
    """The rule, which refuses what are no arguments for it."""
    form = inspect.signature(write)
    wanted = {name: p.annotation for name, p in form.parameters.items()}

    @functools.wraps(write)
    def call(*given: Value) -> Value:
        try:
            taken = form.bind(*given).arguments
        except TypeError as error:
            raise Refused(str(error)) from error
        for name, x in taken.items():
            kind = _KINDS.get(wanted[name], object)
            several = form.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
            if not all(isinstance(part, kind) for part in (x if several else (x,))):
                raise Refused(f"{name} is no {wanted[name].lower()}")
        return write(*given)

    return call
