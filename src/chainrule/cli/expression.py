"""An expression such as "sigmoid(x @ W + b)", read safely: only what is listed here means anything."""

from __future__ import annotations

import ast
import json
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.errors import ChainruleError, SettingError, nearest, shown
from chainrule.graph import functions
from chainrule.graph.functions.elementwise import OF_ONE
from chainrule.graph.variable import Variable
from chainrule.lang.messages import Text, _, _n, listed

__all__ = ["FUNCTIONS", "Expression", "read_value"]

Array = npt.NDArray[Any]
Shape: TypeAlias = tuple[int, ...]

#: The functions an expression may call: of one value, of several, and those that take an axis.
_ONE = (*OF_ONE, "transpose")
_TWO = ("maximum", "minimum", "matmul", "softmax_cross_entropy")
_AXIS = ("logsumexp", "max", "mean", "min", "norm", "prod", "softmax", "std", "sum", "var")
FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(functions, name) for name in (*_ONE, *_TWO, *_AXIS)
}

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
LONGEST, DEEPEST = 1000, 60
#: Widths that a matrix without a value gets, one after the other; a batch has two rows.
ROWS, WIDTHS = 2, (3, 4, 2, 5)


class Expression:
    """An expression that was read: the names in it, and its value for given values of these.

    >>> f = Expression("sum((x @ W + b) ** 2)")
    >>> f.names, f.shapes()["W"]
    (['x', 'W', 'b'], (3, 4))
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > LONGEST:
            raise SettingError(
                _(
                    "the expression has {count:,} characters; {most:,} are allowed.",
                    count=len(text),
                    most=LONGEST,
                )
            )
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise self._wrong(_no_expression(getattr(error, "offset", None))) from None
        self.names: list[str] = []
        #: Names of class ids, which are whole numbers and have no gradient.
        self.ids: set[str] = set()
        self._look(self._tree, 0)
        if not self.names:
            raise self._wrong(_("has no name in it, so there is nothing to differentiate by"))

    def _wrong(self, why: Text) -> SettingError:
        return SettingError(
            _("the expression {expression} {why}.", expression=shown(self.text, 60), why=why)
        )

    def _look(self, node: ast.AST, depth: int) -> None:
        """See that every part is known, and collect the names."""
        if depth > DEEPEST:
            raise self._wrong(_("goes more than {most} operations deep", most=DEEPEST))
        inside: list[ast.AST]
        match node:
            case ast.Name(id=name):
                if name in FUNCTIONS:
                    raise self._wrong(_("names the function {name} without calling it", name=name))
                if name not in self.names:
                    self.names.append(name)
                return
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                if not -1e300 < value < 1e300:
                    number = shown(str(value), 30)
                    raise self._wrong(
                        _("has a number in it that is too large: {number}", number=number)
                    )
                return
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                inside = [left, right]
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
                inside = [operand]
            case ast.Attribute(value=value, attr="T"):
                inside = [value]
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
                inside = self._called(name, args, keywords)
            case other:
                what = ast.unparse(other) if not isinstance(other, ast.Starred) else "*"
                raise self._wrong(
                    _(
                        "has a part that is not allowed: {part}. Names, numbers, + - * / ** @, brackets, .T"
                        " and these functions are: {functions}",
                        part=shown(what, 40),
                        functions=listed(sorted(FUNCTIONS)),
                    )
                )
        for part in inside:
            self._look(part, depth + 1)

    def _called(
        self, name: str, args: list[ast.expr], keywords: list[ast.keyword]
    ) -> list[ast.AST]:
        if name not in FUNCTIONS:
            raise self._wrong(
                _(
                    "calls {name}, which is not known; {nearest}",
                    name=shown(name, 30),
                    nearest=nearest(name, FUNCTIONS),
                )
            )
        wanted = 2 if name in _TWO else 1
        if len(args) != wanted:
            raise self._wrong(
                _n(
                    "calls {name} with {n} value; it takes {wanted}",
                    "calls {name} with {n} values; it takes {wanted}",
                    len(args),
                    name=name,
                    wanted=wanted,
                )
            )
        if name == "softmax_cross_entropy":
            if not isinstance(args[1], ast.Name):
                raise self._wrong(_("calls {name} with class ids that are no name", name=name))
            self.ids.add(args[1].id)
        for keyword in keywords:
            if keyword.arg != "axis" or name not in _AXIS or _whole(keyword.value) is None:
                raise self._wrong(
                    _("calls {name} with something else than values and axis=0, 1 or -1", name=name)
                )
        return list(args)

    # -- values ------------------------------------------------------------------------------------

    def value(self, variables: Mapping[str, Any]) -> Variable:
        """The value, recorded, for Variables or arrays by name."""
        try:
            found = self._value(self._tree, variables)
        except (OverflowError, ZeroDivisionError, IndexError, ValueError) as error:
            if isinstance(error, ChainruleError):
                raise
            too_large = isinstance(error, OverflowError)
            why = _("one of its numbers becomes too large") if too_large else str(error)
            raise self._wrong(_("cannot be computed: {why}", why=why)) from None
        if np.iscomplexobj(found.data if isinstance(found, Variable) else found):
            raise self._wrong(_("has a root of a negative number in it"))
        return found if isinstance(found, Variable) else Variable(found)

    def _value(self, node: ast.AST, given: Mapping[str, Any]) -> Any:
        match node:
            case ast.Name(id=name):
                return given[name]
            case ast.Constant(value=number):
                # Real numbers: 9 ** 9 ** 9 is then infinite, where whole ones would fill the memory.
                return float(number)  # type: ignore[arg-type]
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self._value(left, given), self._value(right, given)
                return _OPERATORS[type(op)](a, b)
            case ast.UnaryOp(op=op, operand=operand):
                return _OPERATORS[type(op)](self._value(operand, given))
            case ast.Attribute(value=value):
                return functions.transpose(_variable(self._value(value, given)))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
                values = [_variable(self._value(a, given)) for a in args]
                more = {"axis": _whole(keywords[0].value)} if keywords else {}
                if more and not -values[0].ndim <= (more["axis"] or 0) < values[0].ndim:
                    raise self._wrong(
                        _n(
                            "calls {name} with axis={axis} of a value with {n} axis",
                            "calls {name} with axis={axis} of a value with {n} axes",
                            values[0].ndim,
                            name=name,
                            axis=more["axis"],
                        )
                    )
                return FUNCTIONS[name](*values, **more)
        raise AssertionError(node)

    def variables(self, values: Mapping[str, Array], seed: int = 0) -> dict[str, Variable]:
        """A Variable for each name: with the value that is given, else with small random numbers."""
        for name in values:
            if name not in self.names:
                raise SettingError(
                    _(
                        "{name!r} is given a value and does not stand in the expression; {nearest}.",
                        name=name,
                        nearest=nearest(name, self.names),
                    )
                )
        shapes = self.shapes({name: a.shape for name, a in values.items()})
        rng = np.random.default_rng(seed)
        found = {}
        for name in self.names:
            data = values.get(name)
            if data is None and name in self.ids:
                data = rng.integers(0, 2, shapes[name] or (ROWS,))
            elif data is None:
                data = rng.integers(-20, 21, shapes[name]) / 10  # short numbers are easy to read
            if name in self.ids:
                if (data != data.astype(int)).any() or (data < 0).any():
                    raise SettingError(
                        _("{name} holds class ids, which are whole numbers from 0.", name=name)
                    )
                data = data.astype(int)
            found[name] = Variable(data, name)
        return found

    def shapes(self, given: Mapping[str, Shape] | None = None) -> dict[str, Shape]:
        """The shape of every name: as given, else guessed from how the names are used."""
        known = dict(given or {})
        self._shape(self._tree, known)
        return {name: known.get(name, ()) for name in self.names}

    def _shape(self, node: ast.AST, known: dict[str, Shape]) -> Shape | None:
        """The shape of a part, None if nothing tells; names beside a product get theirs."""
        match node:
            case ast.Name(id=name):
                return known.get(name)
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return self._product(left, right, known)
            case ast.BinOp(left=left, right=right):
                a, b = self._shape(left, known), self._shape(right, known)
                for part, other in ((left, b), (right, a)):
                    if isinstance(part, ast.Name) and part.id not in known and other:
                        known[part.id] = other[-1:]  # as a bias: one for each column
                return a if a is not None and len(a or ()) >= len(b or ()) else b
            case ast.UnaryOp(operand=operand):
                return self._shape(operand, known)
            case ast.Attribute(value=value):
                inner = self._shape(value, known)
                return None if inner is None else inner[::-1]
            case ast.Call(func=ast.Name(id="matmul"), args=[left, right]):
                return self._product(left, right, known)
            case ast.Call(func=ast.Name(id="softmax_cross_entropy"), args=[scores, ast.Name(id=t)]):
                shape = self._shape(scores, known)
                if shape is None:
                    shape = (ROWS, WIDTHS[0])
                    self._set_shape(scores, shape, known)
                known.setdefault(t, shape[:-1])
                return shape[:-1]
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
                shapes = [self._shape(a, known) for a in args]
                if keywords and shapes[0] is None:
                    guess = (ROWS, WIDTHS[0])
                    self._set_shape(args[0], guess, known)
                    shapes[0] = guess
                if name in _AXIS and name != "softmax":
                    return None if keywords else ()
                return shapes[0]
        return None

    def _product(self, left: ast.AST, right: ast.AST, known: dict[str, Shape]) -> Shape | None:
        a, b = self._shape(left, known), self._shape(right, known)
        width = next(w for w in WIDTHS[len(known) % len(WIDTHS) :] + WIDTHS)
        if a is None:
            a = (ROWS, b[0] if b else width)
            self._set_shape(left, a, known)
        if b is None:
            b = (a[-1] if a else width, next(w for w in WIDTHS if w != (a or (0,))[-1]))
            self._set_shape(right, b, known)
        return (*a[:-1], *b[1:])

    def _set_shape(self, node: ast.AST, shape: Shape, known: dict[str, Shape]) -> None:
        """Give a part whose shape is unknown this shape."""
        match node:
            case ast.Name(id=name):
                known[name] = shape
            case ast.Attribute(value=value):
                self._set_shape(value, shape[::-1], known)
            case ast.UnaryOp(operand=operand) | ast.Call(args=[operand]):
                self._set_shape(operand, shape, known)
            case ast.BinOp(left=first, right=second):
                for part in (first, second):
                    if self._shape(part, known) is None:
                        self._set_shape(part, shape, known)


def _no_expression(position: int | None) -> Text:
    """The problem of a text that is no Python expression, with the position of the first error."""
    if not position:
        return _("is no expression. Write it as in Python: sigmoid(x @ W + b)")
    return _(
        "is no expression, at character {place}. Write it as in Python: sigmoid(x @ W + b)",
        place=position,
    )


def _variable(value: Variable | Array | float) -> Variable:
    return value if isinstance(value, Variable) else Variable(value, requires_grad=False)


def _whole(node: ast.AST) -> int | None:
    """A whole number, with its sign."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    if isinstance(node, ast.Constant) and type(node.value) is int and node.value < 100:
        return sign * node.value
    return None


def read_value(text: str) -> tuple[str, Array]:
    """A name and its value, from NAME=NUMBER or NAME=[[1, 2], [3, 4]]."""
    name, sign, value = text.partition("=")
    try:
        given = json.loads(value)
        array = np.array(given, float)
        if np.array(given).dtype.kind not in "iuf":  # true, or a text
            raise TypeError
    except (ValueError, TypeError, RecursionError, OverflowError):
        array = np.array(math.nan)
    if (
        not sign
        or not name.strip().isidentifier()
        or not np.isfinite(array).all()
        or not array.size
    ):
        raise SettingError(
            _(
                "--set {given}: give a name and finite numbers, such as x=3 or W=[[1, 2], [3, 4]].",
                given=shown(text, 50),
            )
        )
    return name.strip(), array
