"""How the values of a program are written: their names, constants, numbers, and views of each other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.memory import root_of
from chainrule.engine.names import Names
from chainrule.engine.trace import Traced, seen

__all__ = ["Texts"]

Array = npt.NDArray[Any]

#: How the operations of Python numbers are written.
_WEAK_TEXT: dict[Any, str] = {
    np.add: "({} + {})",
    np.subtract: "({} - {})",
    np.multiply: "({} * {})",
    np.divide: "({} / {})",
    np.negative: "(-{})",
    np.power: "({} ** {})",
    np.sqrt: "({} ** 0.5)",
}


class Texts:
    """The names of one program, and what each of them stands for when it runs."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.constants: dict[str, Any] = {}
        self.constant_names: dict[int, str] = {}
        #: Known numbers, rows of ones and reductions, each held once.
        self.small: dict[Any, Any] = {}
        self.identifiers = Names({"saved", *taken})
        self.names: dict[Traced, str] = {}
        #: The arrays that values are computed into, where they are planned.
        self.bound: dict[Traced, Array] = {}
        #: Arrays that single operations work in.
        self.scratch: list[Array] = []

    def constant(self, value: Any, wanted: str) -> str:
        """The name of something that is the same in every run, which the program is handed."""
        name = self.constant_names.get(id(value))
        if name is None:
            name = self.constant_names[id(value)] = self.identifiers.unique(wanted)
            self.constants[name] = value
        return name

    def function(self, function: Any) -> str:
        """The name of a function that the program calls."""
        return self.constant(function, function.__name__)

    def text(self, value: Any) -> str:
        """How a value is written in the source."""
        if not isinstance(value, Traced):
            return self.plain(value)
        if value in self.names:
            return self.names[value]
        if value.weak and value.known is not None:
            text = repr(value.known)
            return text if text[-1] not in "fn" else self.constant(value.known, "number")
        if value.weak and value.function is not None:
            given = [self.text(a) for a in value.args]
            if value.function in _WEAK_TEXT:
                return _WEAK_TEXT[value.function].format(*given)
            # Of any other function, too, a number that takes on the dtype of what it meets.
            return f"{self.function(value.function)}({', '.join(given)}).item()"
        if value in self.bound or value.array is not None:
            array = self.bound.get(value, value.array)
            name = self.constant(array, value.name or "v")
        elif value.is_view and self.is_bound(root_of(value)):
            array = self.view(value)
            self.bound[value] = array
            name = self.constant(array, value.name or "view")
        elif value.is_view:
            return self._view_text(value)
        else:
            name = self.identifiers.unique(value.name or "v")
        self.names[value] = name
        return name

    def plain(self, value: Any) -> str:
        """How an argument that no operation computed is written: a shape, a slice, a flag."""
        if isinstance(value, tuple):
            inside = ", ".join(map(self.text, value))
            return f"({inside},)" if len(value) == 1 else f"({inside})"
        if isinstance(value, slice):
            return f"slice({value.start!r}, {value.stop!r}, {value.step!r})"
        if value is Ellipsis or value is None or isinstance(value, bool | int | float | str):
            return repr(value)
        return self.constant(value, "k")

    # -- views --------------------------------------------------------------------------------

    def is_bound(self, root: Traced) -> bool:
        """Whether its array is known now, and the same in every run."""
        return (
            root in self.bound or root.array is not None or (root.weak and root.known is not None)
        )

    def view(self, value: Traced) -> Array:
        """The view of a bound array, made once, now; what it shows is what the array will hold."""
        chain: list[Traced] = []
        while value not in self.bound and value.array is None and not value.weak:
            chain.append(value)
            value = value.args[0]
        if value in self.bound:
            array = self.bound[value]
        elif value.array is not None:
            array = value.array
        else:
            array = np.array(value.known, dtype=value.dtype)
            array.flags.writeable = False
        for view in reversed(chain):
            array = self.bound[view] = seen(view, array)
        return array

    def _view_text(self, value: Traced) -> str:
        source = self.text(value.args[0])
        if value.function is np.transpose:
            reverse = value.args[1] == tuple(range(value.ndim))[::-1]
            return f"{source}.T" if reverse else f"{source}.transpose({value.args[1]})"
        if value.function is np.reshape:
            return f"{source}.reshape({value.args[1]})"
        if value.function is np.broadcast_to:
            return f"{self.function(np.broadcast_to)}({source}, {value.args[1]})"
        return f"{source}[{self.key(value.args[1])}]"

    def key(self, key: tuple[Any, ...]) -> str:
        """How an index stands between brackets."""
        return ", ".join(map(self.text, key)) + ("," if len(key) == 1 else "")

    def working(self, shape: tuple[int, ...], dtype: Any, wanted: str) -> str:
        """The name of an array for one operation to work in; it holds nothing between operations."""
        self.scratch.append(np.empty(shape, dtype))
        return self.constant(self.scratch[-1], wanted)

    def number(self, number: Array) -> str:
        """The name of a number that is held as an array of its dtype."""
        number.flags.writeable = False
        known = self.small.setdefault((number.dtype.str, number.tobytes()), number)
        label = re.sub(r"\W", "_", repr(number.item()).replace("-", "m"))
        return self.constant(known, f"n_{label}")

    def ones(self, ones: Array) -> str:
        """The name of a row or a column of ones, to add up with."""
        ones.flags.writeable = False
        return self.constant(self.small.setdefault((ones.dtype.str, ones.shape), ones), "ones")
