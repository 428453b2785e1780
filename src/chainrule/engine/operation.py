"""Operation: a primitive with its arguments, and the shape and dtype of its result."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from chainrule.engine.primitives import Function

__all__ = ["Operation"]

Kind = TypeVar("Kind", bound="Operation[Any]")


class Operation(Generic[Kind]):
    """A primitive applied to operands of its own kind; `function` is None for a leaf.

    Operations do not change once they are made. The sizes in `shape` are integers in a `Traced`, and
    may depend on the batch size in a compiled `Value`.
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
        """The operations among the arguments, in order, without numbers and settings."""
        if self._operands is None:
            self._operands = []
            _collect((self.args, tuple(self.kwargs.values())), self._operands)
        return self._operands

    def __repr__(self) -> str:
        label = self.name or getattr(self.function, "__name__", "leaf")
        return f"<{label} {self.shape} {self.dtype}>"


def _collect(argument: object, operations: list[Any]) -> None:
    if isinstance(argument, Operation):
        operations.append(argument)
    elif isinstance(argument, tuple | list):
        for part in argument:
            _collect(part, operations)
