"""From a traced value to the NumPy expression that computes it, bit-identical to the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.engine.names import Names
from chainrule.engine.primitives import VIEWS, Function, cast, filled, item, pick, take_rows
from chainrule.engine.trace import Traced
from chainrule.errors import RecordingError
from chainrule.graph.variable import Array
from chainrule.lang.messages import Text as Words
from chainrule.lang.messages import _
from chainrule.nodes.base import CALLED
from chainrule.nodes.indexing import chosen
from chainrule.nodes.random import cells, mixed
from chainrule.script.contiguity import Layout
from chainrule.script.function_source import literal
from chainrule.script.sizes import ATOM, PRODUCT, SIGN, SUM, Sizes, Text

__all__ = ["Expressions", "is_trivial"]

#: Operators with their precedence.
BINARY: dict[Function | None, tuple[str, int]] = {
    np.add: ("+", SUM),
    np.subtract: ("-", SUM),
    np.multiply: ("*", PRODUCT),
    np.divide: ("/", PRODUCT),
    np.left_shift: ("<<", 11),
    np.right_shift: (">>", 11),
    np.bitwise_and: ("&", 10),
    np.bitwise_xor: ("^", 9),
    np.bitwise_or: ("|", 8),
}
COMPARISONS = {
    np.equal: "==",
    np.not_equal: "!=",
    np.less: "<",
    np.less_equal: "<=",
    np.greater: ">",
    np.greater_equal: ">=",
}
_COMPARED = 7
UNARY: dict[Function | None, str] = {np.negative: "-", np.invert: "~"}
#: Functions called by their names in numpy.linalg.
_LINEAR_ALGEBRA = {f for f in CALLED if hasattr(np.linalg, f.__name__)}
_REDUCTIONS = (np.sum, np.prod, np.max, np.min)


def is_trivial(v: Traced) -> bool:
    """Whether it is a leaf, a number or a view, which costs nothing to write wherever it is read."""
    if v.function is None or v.weak or v.is_view:
        return True
    return v.function is filled


class Expressions:
    """Writes the text of values, and collects what the text needs: helpers, row indices, constants."""

    def __init__(self, names: Names, sizes: Sizes | None = None) -> None:
        self.names, self.sizes = names, sizes
        #: The names of values, arguments and computed ones.
        self.named: dict[Traced, str] = {}
        #: Constant arrays by name.
        self.constants: dict[str, Array] = {}
        #: chainrule's functions that the text calls, with their names.
        self.functions: dict[Function, str] = {}
        #: Numbers that have a name in the program, such as the seed of a mask.
        self.numbers: dict[int, str] = {}
        #: Values assigned at the start, such as rows = np.arange(n): text and comment, by name.
        self.prelude: dict[str, tuple[str, Words]] = {}
        self._layout = Layout()

    def text(self, v: object, least: int = 0) -> str:
        """The text of a value, in parentheses if its precedence is below `least`."""
        text, level = self._text_and_level(v)
        return text if level >= least else f"({text})"

    def _text_and_level(self, v: object) -> Text:
        if not isinstance(v, Traced):
            return literal(v), ATOM
        if v in self.named:
            return self.named[v], ATOM
        if v.weak and v.known is not None:
            return self._number(v)
        if v.function is None:
            return self._constant(v), ATOM
        return self.operation(v)

    def _number(self, v: Traced) -> Text:
        if self.sizes is not None:
            return self.sizes.number(v)
        text = literal(v.known)
        return text, SIGN if text.startswith("-") else ATOM

    def _constant(self, v: Traced) -> str:
        array = v.known
        if array is None:
            raise RecordingError(
                _("{value} in the network cannot be written out.", value=v.name or _("a value"))
            )
        if array.ndim == 0:
            number = array.item()
            if number in self.numbers and array.dtype == np.uint64:
                return self.numbers[number]
            large = array.dtype == np.uint64 and number >= 2**32
            text = f"0x{number:X}" if large else literal(number)
            return f"np.{array.dtype.name}({text})"
        if array.ndim == 1 and np.array_equal(array, np.arange(len(array), dtype=array.dtype)):
            kind = "" if array.dtype == np.int64 else f", dtype=np.{array.dtype.name}"
            return f"np.arange({len(array)}{kind})"
        name = self.named[v] = self.names.unique("constant")
        self.constants[name] = array
        return name

    # -- operations -------------------------------------------------------------------------------

    def operation(self, v: Traced) -> Text:
        """The text that computes v from its operands."""
        text, level = self._operation(v)
        if not self._layout.is_plain(v):  # the engine's arrays are all C-contiguous
            return f"np.ascontiguousarray({text})", ATOM
        return text, level

    def _operation(self, v: Traced) -> Text:
        f = v.function
        args: Sequence[Any] = v.args
        if v.weak:
            return self._scalar_operation(v)
        if f in VIEWS or f in (pick, take_rows):
            return self._view(v)
        if f is np.reciprocal:
            return f"1 / {self.text(args[0], PRODUCT + 1)}", PRODUCT
        if isinstance(f, np.ufunc) or f is np.where:
            args = _without_broadcasts(v) if f is not np.matmul else args
        if f in BINARY:
            return self._binary(f, args)
        if f in COMPARISONS:
            left, right = (self.text(a, _COMPARED + 1) for a in args)
            return f"{left} {COMPARISONS[f]} {right}", _COMPARED
        if f in UNARY:
            return f"{UNARY[f]}{self.text(args[0], SIGN)}", SIGN
        if f in _REDUCTIONS:
            return self._reduction(v), ATOM
        if f is np.matmul and v.ndim == 2:
            return f"np.dot({self.text(args[0])}, {self.text(args[1])})", ATOM
        if f is cast:
            return f"{self.text(args[0], ATOM)}.astype(np.{v.dtype.name})", ATOM
        if f is filled:
            return self._filled(v), ATOM
        if f in (np.concatenate, np.stack):
            parts = ", ".join(map(self.text, args[0]))
            return f"np.{f.__name__}([{parts}], axis={v.kwargs['axis']})", ATOM
        if f is chosen:
            return self._chosen(v), ATOM
        if f is mixed:
            return f"{self._helper_name(mixed)}({self.text(args[0])})", ATOM
        if f is cells:
            return f"{self._helper_name(cells)}({self._shape(v, lambda a: a.shape)})", ATOM
        if isinstance(f, np.ufunc) or f is np.where:
            return f"np.{f.__name__}({', '.join(map(self.text, args))})", ATOM
        if f in _LINEAR_ALGEBRA:
            return f"np.linalg.{f.__name__}({', '.join(map(self.text, args))})", ATOM
        if f is item:
            return f"{self.text(args[0], ATOM)}[{args[1]}]", ATOM
        name = getattr(f, "__name__", f)
        raise RecordingError(_("{function} cannot be written out in a program.", function=name))

    def _binary(self, f: Function | None, args: Sequence[object]) -> Text:
        """a + b; or a - b if the text of b has a minus in front, which gives the same bits."""
        sign, level = BINARY[f]
        left, right = self.text(args[0], level), self.text(args[1], level + 1)
        if sign == "+" and right.startswith("-"):
            sign, right = "-", right[1:]
        return f"{left} {sign} {right}", level

    def _helper_name(self, function: Function) -> str:
        return self.functions.setdefault(function, function.__name__)

    def _scalar_operation(self, v: Traced) -> Text:
        """An operation on Python numbers, such as 1 - beta1."""
        f, args = v.function, v.args
        if f in BINARY:
            return self._binary(f, args)
        if f is np.negative:
            return f"-{self.text(args[0], SIGN)}", SIGN
        if f in (np.sqrt, np.power):
            power = "0.5" if f is np.sqrt else self.text(args[1], ATOM)
            return f"{self.text(args[0], ATOM)}**{power}", SIGN + 1
        inside = ", ".join(map(self.text, args))
        return f"np.{getattr(f, '__name__', 'nothing')}({inside}).item()", ATOM

    def _shape(
        self, v: Traced, ask: Callable[[Traced], tuple[int, ...]], alone: bool = False
    ) -> str:
        if self.sizes is not None:
            return self.sizes.shape(v, ask, alone)
        shape = ask(v)
        return str(shape[0]) if alone and len(shape) == 1 else literal(shape)

    # -- views --------------------------------------------------------------------------------------

    def _view(self, v: Traced) -> Text:
        f, x = v.function, v.args[0]
        if f is np.transpose:
            source = self.text(x, ATOM)
            if v.args[1] == tuple(range(v.ndim))[::-1]:
                return f"{source}.T", ATOM
            return f"{source}.transpose{literal(v.args[1])}", ATOM
        if f is np.broadcast_to:
            shape = self._shape(v, lambda a: a.shape)
            if x.weak:
                return self._full(v, shape), ATOM
            return f"np.broadcast_to({self.text(x)}, {shape})", ATOM
        if f is take_rows:
            return f"{self.text(x, ATOM)}[{self.text(v.args[1])}]", ATOM
        if f is pick:
            return f"{self.text(x, ATOM)}[{self._key(v)}]", ATOM
        added = _added_axes(x.shape, v.shape)
        if added:
            return f"{self.text(x, ATOM)}[{added}]", ATOM
        shape = self._shape(v, lambda a: a.shape, alone=True)
        plain = shape if shape[0] == "(" and v.shape else f"({shape})"
        return f"{self.text(x, ATOM)}.reshape{plain}", ATOM

    def _full(self, v: Traced, shape: str) -> str:
        """An array filled with one number."""
        number, kind = self.text(v.args[0]), ""
        if v.dtype != np.float64:
            kind = f", np.{v.dtype.name}"
        elif isinstance(v.args[0].known, int):
            number += ".0" if number.lstrip("-").isdigit() else ""
        shape = shape[1:-2] if v.ndim == 1 else shape
        if v.args[0].known == 0:
            return f"np.zeros({shape}{kind})"
        return f"np.full({shape}, {number}{kind})"

    def _filled(self, v: Traced) -> str:
        x = v.args[0]
        if x.function is np.broadcast_to and x.args[0].weak:
            return self._full(x, self._shape(x, lambda a: a.shape))
        if x.function is np.broadcast_to:
            return f"np.ascontiguousarray({self.text(x)})"
        return f"{self.text(x, ATOM)}.copy()"

    def zeros(self, v: Traced) -> str:
        """An array of zeros like v."""
        shape = self._shape(v, lambda a: a.shape, alone=True)
        return f"np.zeros({shape})" if v.dtype == np.float64 else f"np.zeros({shape}, np.{v.dtype})"

    def index_text(self, v: Traced) -> str:
        """The index of add_at, as an argument of np.add.at."""
        if all(isinstance(k, Traced) for k in v.args[1]):
            inside = ", ".join(map(self.text, v.args[1]))
            return inside if len(v.args[1]) == 1 else f"({inside})"
        return f"np.s_[{self._key(v)}]"

    def _key(self, v: Traced) -> str:
        """The text between the brackets of x[...]."""
        parts = []
        for i, k in enumerate(v.args[1]):
            if k is None:
                parts.append("None")
            elif isinstance(k, slice):
                parts.append(self._slice(v, i))
            elif k is Ellipsis:
                parts.append("...")
            elif isinstance(k, int | np.integer):
                parts.append(self._length(v, _entry(i)))
            else:
                parts.append(self.text(k))
        return ", ".join(parts) + ("," if len(parts) == 1 and parts[0][0] == "(" else "")

    def _slice(self, v: Traced, i: int) -> str:
        ends = []
        for end in ("start", "stop", "step"):
            if getattr(v.args[1][i], end) is None:
                ends.append("")
            else:
                ends.append(self._length(v, _entry(i, end)))
        start, stop, step = ends
        plain = all(part.lstrip("-").isalnum() or not part for part in ends)
        colon = ":" if plain else " : " if start else ": "
        return f"{start}{colon}{stop}" + (f":{step}" if step else "")

    def _length(self, v: Traced, ask: Callable[[Traced], int]) -> str:
        return self.sizes.length(v, ask)[0] if self.sizes is not None else str(ask(v))

    # -- sums and gathers ---------------------------------------------------------------------------

    def _reduction(self, v: Traced) -> str:
        x, axes, keepdims = v.args[0], v.kwargs["axis"], v.kwargs["keepdims"]
        # The engine sums rows or columns by a product with ones, which gives other bits than sum.
        if v.function is np.sum and x.ndim == 2 and x.dtype in (np.float32, np.float64):
            if axes == (0,):
                shape = self._shape(x, lambda a: (1, a.shape[0]) if keepdims else a.shape[:1], True)
                return f"np.dot({self._ones(shape, x.dtype)}, {self.text(x)})"
            if axes == (1,):
                shape = self._shape(x, lambda a: (a.shape[1], 1) if keepdims else a.shape[1:], True)
                return f"np.dot({self.text(x)}, {self._ones(shape, x.dtype)})"
        more = ""
        if axes != tuple(range(x.ndim)):
            more = f", axis={axes[0] if len(axes) == 1 else axes}"
        if keepdims:
            more += ", keepdims=True"
        return f"np.{v.function.__name__}({self.text(x)}{more})"  # type: ignore[union-attr]

    def _ones(self, shape: str, dtype: np.dtype[Any]) -> str:
        kind = "" if dtype == np.float64 else f", np.{dtype.name}"
        text = f"np.ones({shape}{kind})"
        if shape != "n":
            return text
        return self._prelude_name("ones", text, _("np.dot(ones, d) is the sum of d over the batch"))

    def rows(self, v: Traced) -> str:
        """The name of the row indices of v, for picking one element of each row."""
        text = f"np.arange({self._length(v, lambda a: a.shape[0])})"
        return self._prelude_name("rows", text, _("s[rows, t]: in every row the one that t names"))

    def _prelude_name(self, base: str, text: str, note: Words) -> str:
        """The name of a value that is assigned once at the start of the function."""
        for name, entry in self.prelude.items():
            if entry[0] == text:
                return name
        name = self.names.unique(base)
        self.prelude[name] = text, note
        return name

    def _chosen(self, v: Traced) -> str:
        x, t = v.args
        if x.ndim == 2:
            return f"{self.text(x, ATOM)}[{self.rows(x)}, {self.text(t)}]"
        ids = f"np.expand_dims({self.text(t)}, -1)"
        return f"np.take_along_axis({self.text(x)}, {ids}, -1)[..., 0]"


def _entry(i: int, end: str | None = None) -> Callable[[Traced], int]:
    """A function that reads entry i of a view's key, or an end of the slice there."""
    return lambda a: int(a.args[1][i] if end is None else getattr(a.args[1][i], end))


def _added_axes(old: tuple[int, ...], new: tuple[int, ...]) -> str:
    """The key that inserts axes of length 1, or removes the last one; "" if none does."""
    if len(new) > len(old) > 0:
        left, parts = list(old), []
        for n in new:
            if left and n == left[0]:
                parts.append(":")
                left.pop(0)
            elif n == 1:
                parts.append("None")
            else:
                return ""
        return ", ".join(parts) if not left else ""
    if len(old) == len(new) + 1 and old[-1] == 1 and old[:-1] == new and new:
        return "..., 0" if len(new) > 1 else ":, 0"
    return ""


def _without_broadcasts(v: Traced) -> list[Traced]:
    """The operands without broadcasts and leading axes that NumPy adds by itself."""
    args = list(v.args)
    for i, operand in enumerate(v.args):
        bare = operand.args[0] if operand.function is np.broadcast_to else operand
        if bare.function is np.reshape and not bare.weak:
            source = bare.args[0]
            front = bare.ndim - source.ndim
            if front > 0 and bare.shape == (1,) * front + source.shape:
                bare = source
        others = [*args[:i], bare, *args[i + 1 :]]
        values = others[1:] if v.function is np.where else others
        same = np.broadcast_shapes(*(o.shape for o in others)) == v.shape
        if same and (not bare.weak or not all(o.weak for o in values)):
            args[i] = bare
    return args
