"""An operation of an engine: a primitive and what it is given, with the form of what comes out."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from chainrule.engine.primitives import Function

__all__ = ["Operation"]

Kind = TypeVar("Kind", bound="Operation[Any]")


class Operation(Generic[Kind]):
    """A primitive applied to operands of its own kind; `function` is None for a leaf.

    It is never changed once it is made. Sizes in `shape` are whole numbers where they are known
    (`Traced`), or go with the batch (`Value`).
    """

    __slots__ = ("_operands", "args", "dtype", "function", "kwargs", "name", "shape")

    def __init__(
        self,
        function: Function | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        shape: tuple[Any, ...],
        dtype: Any,
        name: str,
    ) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs
        self.shape, self.dtype, self.name = shape, dtype, name
        self._operands: list[Kind] | None = None

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def operands(self) -> list[Kind]:
        """The operations among the arguments, in order; numbers and settings are none."""
        if self._operands is None:
            self._operands = []
            _collect((self.args, tuple(self.kwargs.values())), self._operands)
        return self._operands

    def __repr__(self) -> str:
        made = self.name or getattr(self.function, "__name__", "leaf")
        return f"<{made} {self.shape} {self.dtype}>"


def _collect(given: Any, found: list[Any]) -> None:
    if isinstance(given, Operation):
        found.append(given)
    elif isinstance(given, tuple | list):
        for part in given:
            _collect(part, found)
