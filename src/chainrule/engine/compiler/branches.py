"""Conditions, and where they lead: if, one or the other, and, or."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from chainrule.engine.compiler.arithmetic import binary, select, truth
from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.registry import expression, statement
from chainrule.engine.compiler.uses import reads_memory
from chainrule.engine.compiler.values import Number, Value
from chainrule.engine.compiler.variables import read, same, slot, write

__all__ = ["condition", "one_way"]


def condition(body: Body, node: ast.expr) -> Number:
    """Whether an expression counts as true."""
    if isinstance(node, ast.BoolOp):
        return _both(body, node.op, node.values)
    return truth(body.w, body.number(node))


def one_way(body: Body, node: ast.expr) -> Number:
    """A condition by which the text goes on here or there."""
    found = condition(body, node)
    if found.kind.lanes > 1:
        raise Refused("rows that go different ways")
    return found


@statement(ast.If)
def _if(body: Body, node: ast.If) -> bool:
    w, test = body.w, one_way(body, node.test)
    if test.known is not None:
        return body.run(node.body if test.known else node.orelse)
    yes, no, end = w.label("yes"), w.label("no"), w.label("end")
    w.branch(test, yes, no)
    before, ways = body.variables, []
    for label, nodes in ((yes, node.body), (no, node.orelse)):
        w.begin(label)
        body.variables = dict(before)
        if not body.run(nodes):
            w.jump(end)
            ways.append(body.variables)
    if not ways:
        return True
    first, *others = ways
    body.variables = {
        name: x
        for name, x in first.items()
        if all(name in way and same(x, way[name]) for way in others)
    }
    w.begin(end)
    return False


@expression(ast.IfExp)
def _if_exp(body: Body, node: ast.IfExp) -> Value:
    w, test = body.w, condition(body, node.test)
    if test.known is not None:
        return body.value(node.body if test.known else node.orelse)
    plain = not (reads_memory(node.body) or reads_memory(node.orelse))
    if plain or test.kind.lanes > 1:
        x, y = body.number(node.body), body.number(node.orelse)
        _alike(x, y)
        return select(w, test, x, y)
    yes, no, end = w.label("yes"), w.label("no"), w.label("end")
    w.branch(test, yes, no)
    w.begin(yes)
    x = body.number(node.body)
    found = slot(w, x.kind)
    write(w, found, x)
    w.jump(end)
    w.begin(no)
    y = body.number(node.orelse)
    _alike(x, y)
    write(w, found, y)
    w.jump(end)
    w.begin(end)
    return read(w, found)


def _alike(x: Number, y: Number) -> None:
    """Python gives one of the two as it is, so both have to be of one kind."""
    if x.kind.wide(1) != y.kind.wide(1):
        raise Refused(f"either a {x.kind.name} or a {y.kind.name}")


@expression(ast.BoolOp)
def _bool_op(body: Body, node: ast.BoolOp) -> Value:
    return _both(body, node.op, node.values, as_they_are=True)


def _both(
    body: Body, op: ast.boolop, nodes: Sequence[ast.expr], as_they_are: bool = False
) -> Number:
    """Whether all of these are true, or any. `as_they_are`: Python gives one of them itself."""
    first, *rest = nodes
    x = body.number(first) if as_they_are else condition(body, first)
    if x.kind.sort != "b":
        raise Refused(f"the value of {ast.unparse(first)} with and, or: it is no boolean")
    w, both = body.w, isinstance(op, ast.And)
    if not rest or (x.known is not None and bool(x.known) != both):
        return x
    if x.known is not None:
        return _both(body, op, rest, as_they_are)
    if x.kind.lanes > 1 or not any(reads_memory(part) for part in rest):
        y = _both(body, op, rest, as_they_are)
        if y.known is not None:
            return x if bool(y.known) == both else y
        return binary(w, "&" if both else "|", x, y)
    # The rest is only looked at where it decides: an element may not be there.
    found, more, end = slot(w, x.kind), w.label("more"), w.label("end")
    write(w, found, x)
    w.branch(x, *((more, end) if both else (end, more)))
    w.begin(more)
    write(w, found, _both(body, op, rest, as_they_are))
    w.jump(end)
    w.begin(end)
    return read(w, found)
