"""The source text of a program's values: names, constants, numbers and views."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable

import numpy as np
import numpy.typing as npt

from chainrule.engine.memory import root_of
from chainrule.engine.names import Names
from chainrule.engine.primitives import Array, Function
from chainrule.engine.trace import Traced, view_of

__all__ = ["Texts"]


#: The templates for operations on Python numbers.
_WEAK_TEXT: dict[Function, str] = {
    np.add: "({} + {})",
    np.subtract: "({} - {})",
    np.multiply: "({} * {})",
    np.divide: "({} / {})",
    np.negative: "(-{})",
    np.power: "({} ** {})",
    np.sqrt: "({} ** 0.5)",
}


class Texts:
    """The names in one program, and the objects that they refer to when it runs."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.constants: dict[str, object] = {}
        self.constant_names: dict[int, str] = {}
        #: Known numbers, arrays of ones, working arrays and reductions, each once.
        self.small: dict[Hashable, object] = {}
        self.identifiers = Names({"saved", *taken})
        self.names: dict[Traced, str] = {}
        #: The planned arrays that values are computed into.
        self.bound: dict[Traced, Array] = {}
        #: Working arrays of single operations.
        self.scratch: list[Array] = []

    def constant(self, value: object, wanted: str) -> str:
        """The name of an object that is the same in every run."""
        name = self.constant_names.get(id(value))
        if name is None:
            name = self.constant_names[id(value)] = self.identifiers.unique(wanted)
            self.constants[name] = value
        return name

    def function(self, function: Function) -> str:
        """The name of a function that the program calls."""
        return self.constant(function, function.__name__)

    def text(self, value: object) -> str:
        """The source text of a value or an argument."""
        if not isinstance(value, Traced):
            return self.plain(value)
        if value in self.names:
            return self.names[value]
        if value.weak and value.known is not None:
            text = repr(value.known)
            return text if text[-1] not in "fn" else self.constant(value.known, "number")
        if value.weak and value.function is not None:
            operands = [self.text(a) for a in value.args]
            if value.function in _WEAK_TEXT:
                return _WEAK_TEXT[value.function].format(*operands)
            # The result of any other function must be a Python number too, without a dtype.
            return f"{self.function(value.function)}({', '.join(operands)}).item()"
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

    def plain(self, value: object) -> str:
        """The source text of an argument that is no operation, such as a shape, a slice or a flag."""
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
        """Whether a value's array is known now, and the same in every run."""
        return (
            root in self.bound or root.array is not None or (root.weak and root.known is not None)
        )

    def view(self, value: Traced) -> Array:
        """A view of a bound array, made once, while planning."""
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
            array = self.bound[view] = view_of(view, array)
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

    def key(self, key: tuple[object, ...]) -> str:
        """The source text of an index, without its brackets."""
        return ", ".join(map(self.text, key)) + ("," if len(key) == 1 else "")

    def working(self, shape: tuple[int, ...], dtype: npt.DTypeLike, wanted: str) -> str:
        """The name of a working array for one operation; its contents matter only within that."""
        key = "working", shape, np.dtype(dtype)
        if key not in self.small:
            self.scratch.append(np.empty(shape, dtype))
            self.small[key] = self.scratch[-1]
        return self.constant(self.small[key], wanted)

    def number(self, number: Array) -> str:
        """The name of a number as an array of its dtype."""
        number.flags.writeable = False
        known = self.small.setdefault((number.dtype.str, number.tobytes()), number)
        label = re.sub(r"\W", "_", repr(number.item()).replace("-", "m"))
        return self.constant(known, f"n_{label}")

    def ones(self, ones: Array) -> str:
        """The name of an array of ones, for sums as products."""
        ones.flags.writeable = False
        return self.constant(self.small.setdefault((ones.dtype.str, ones.shape), ones), "ones")
