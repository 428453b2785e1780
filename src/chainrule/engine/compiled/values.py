"""The compiled engine's representation of a step: operations, lengths and numbers for any batch size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from chainrule.engine.operation import Operation
from chainrule.engine.origins import Origin
from chainrule.engine.primitives import Function
from chainrule.lang.messages import Text, _

__all__ = [
    "ROWS",
    "Cut",
    "Dim",
    "NotAbreast",
    "NotCompilable",
    "Number",
    "Rows",
    "Value",
    "Width",
    "lengths",
    "no_form",
]


class NotCompilable(Exception):  # noqa: N818 - it is an answer, not an error
    """Why the compiled engine leaves a step to the NumPy engine.

    It is raised on purpose, where a rule is missing: any other exception is a bug in the engine.
    """

    def __init__(self, reason: Text) -> None:
        super().__init__(reason)
        self.reason = reason


class NotAbreast(Exception):  # noqa: N818 - it is an answer, not an error
    """Rows cannot be computed side by side, or not in blocks: they are computed in another way."""


class NotInTurn(Exception):  # noqa: N818 - it is an answer, not an error
    """Parts of a batch cannot be computed one after the other: they need each other in the midst."""


def no_form(function: Any) -> NotCompilable:
    """The exception for a function that has no text in kernels."""
    name = getattr(function, "__name__", _("an operation"))
    return NotCompilable(_("{function} has no compiled form", function=name))


@dataclass(frozen=True)
class Rows:
    """A length that depends on the batch: times · n + plus, for a batch of n rows."""

    times: int = 1
    plus: int = 0

    def at(self, n: int) -> int:
        """The length for n rows."""
        return self.times * n + self.plus


#: The batch axis itself.
ROWS = Rows()


class Width(int):
    """A length that does not depend on the batch, read at run time.

    Two widths are equal if the operations require it, not by chance: so the same text serves every
    network of the same form. `number` is the index of the length in the number table.
    """

    number: Number

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __hash__(self) -> int:
        return id(self)


#: A length: 1, a width, or one that depends on the batch.
Dim: TypeAlias = int | Rows


def lengths(shape: Iterable[Dim], n: int) -> tuple[int, ...]:
    """The lengths of axes, for n rows."""
    return tuple(d.at(n) if isinstance(d, Rows) else d for d in shape)


class Value(Operation["Value"]):
    """One operation for a batch of any size, or a leaf (`function` is None) with its `payload`.

    The payload is the traced leaf: data, a parameter, a buffer or a constant array. `origins` are the
    nodes of the recorded graph that it comes from, where they were asked for.
    """

    __slots__ = ("origins", "payload")

    shape: tuple[Dim, ...]
    dtype: np.dtype[Any]

    def __init__(
        self,
        function: Function | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        shape: tuple[Dim, ...],
        dtype: np.dtype[Any],
        *,
        name: str = "",
        payload: Any = None,
        origins: frozenset[Origin] = frozenset(),
    ) -> None:
        super().__init__(function, args, kwargs, shape, dtype, name)
        self.payload, self.origins = payload, origins

    @property
    def has_rows(self) -> bool:
        """Whether any axis depends on the batch."""
        return any(isinstance(d, Rows) for d in self.shape)

    def given(self, args: tuple[Any, ...]) -> Value:
        """The same operation on other operands; itself, if they are its own."""
        if args == self.args:
            return self
        return Value(
            self.function,
            args,
            self.kwargs,
            self.shape,
            self.dtype,
            name=self.name,
            payload=self.payload,
            origins=self.origins,
        )


@dataclass(frozen=True)
class Number:
    """A number of the step: written out (`literal`), or read from the table at `index` at run time.

    `dtype` is None for a Python number, which takes the dtype of the other operand.
    """

    literal: float | int | bool | None
    index: int = -1
    dtype: np.dtype[Any] | None = None
    #: Whether it was written as a real number, 2.0 and not 2.
    real: bool = False
    #: What to call it in a text, if it has a name.
    name: str = field(default="", compare=False)


@dataclass(frozen=True)
class Cut:
    """A slice of an axis: every step-th index from `start` on. `whole`: all of it."""

    start: int | Rows | Number = 0
    step: int = 1
    whole: bool = True
