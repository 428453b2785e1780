"""Calls: of functions of the text, of functions with a rule, and of dtypes."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from types import FunctionType

from chainrule.engine.compiler.arithmetic import cast
from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.functions import Function, function_of
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.registry import RULES, expression
from chainrule.engine.compiler.values import Dtype, Number, Value


@expression(ast.Call)
def _call(body: Body, node: ast.Call) -> Value:
    if node.keywords:
        raise Refused("arguments by name")
    if isinstance(node.func, ast.Attribute) and node.func.attr == "view":
        return _viewed(body, body.number(node.func.value), [body.value(a) for a in node.args])
    function = body.value(node.func)
    given = [body.value(a) for a in node.args]
    if isinstance(function, Dtype):
        if len(given) != 1 or not isinstance(given[0], Number):
            raise Refused(f"{', '.join(map(ast.unparse, node.args))} is not a number")
        (x,) = given
        return cast(body.w, x, function.kind.wide(x.kind.lanes))
    try:
        rule = RULES.get(function)
    except TypeError:  # a name for something else
        rule = None
    if rule is not None:
        return rule(body, *given)
    if isinstance(function, FunctionType):
        function = function_of(function)
    if isinstance(function, Function):
        return body.call(function, given)
    raise Refused(f"{ast.unparse(node.func)} is not a function of a kernel")


def _viewed(body: Body, x: Number, given: Sequence[Value]) -> Number:
    """The same bits as a number of another kind."""
    dtype = given[0] if len(given) == 1 else None
    if not isinstance(dtype, Dtype) or dtype.kind.size != x.kind.size:
        raise Refused("a view of other bits")
    if x.kind.weak or "b" in (x.kind.sort, dtype.kind.sort):
        raise Refused(f"a view of a {x.kind.name} as a {dtype.kind.name}")
    kind = dtype.kind.wide(x.kind.lanes)
    if kind.ir == x.kind.ir:
        return Number(kind, x.ir)
    return Number(kind, body.w.op(f"bitcast {x.kind.ir} {x.ir} to {kind.ir}"))
