"""The functions that a kernel may call and that are not text: what writes a call of each."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.values import Array, Number, Value

__all__ = ["RULES", "checked", "rule"]

#: For a Python function, what writes a call of it, given the body that calls it and the arguments.
RULES: dict[Any, Callable[..., Value]] = {}


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
