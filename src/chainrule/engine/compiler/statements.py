"""Statements that hold no others: assignments, returns, and those that do nothing."""

from __future__ import annotations

import ast

from chainrule.engine.compiler.arithmetic import binary, cast
from chainrule.engine.compiler.arrays import Place, flat_place, load, size, store
from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.loops import loop
from chainrule.engine.compiler.operators import name_of
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.registry import statement
from chainrule.engine.compiler.subscripts import element, one_of
from chainrule.engine.compiler.values import Array, Flat, Number, Value, literal
from chainrule.engine.compiler.variables import Several, Slot, read, write


@statement(ast.Pass)
def _pass(body: Body, node: ast.Pass) -> None:
    pass


@statement(ast.Expr)
def _expr(body: Body, node: ast.Expr) -> None:
    if not isinstance(node.value, ast.Constant):  # a docstring
        body.value(node.value)


@statement(ast.Return)
def _return(body: Body, node: ast.Return) -> bool:
    x = body.value(node.value) if node.value is not None else None
    if x is not None and not isinstance(x, Number):
        raise Refused("several returns, or a loop, in a function that gives no number")
    body.leave(x)
    return True


# -- assignments -------------------------------------------------------------------------------------


@statement(ast.Assign)
def _assign(body: Body, node: ast.Assign) -> None:
    x = body.value(node.value)
    for target in node.targets:
        _give(body, target, x)


@statement(ast.AnnAssign)
def _ann_assign(body: Body, node: ast.AnnAssign) -> None:
    if node.value is not None:
        _give(body, node.target, body.value(node.value))


def _give(body: Body, target: ast.expr, x: Value) -> None:
    """Give a value to what stands left of =."""
    if isinstance(target, ast.Tuple):
        if not isinstance(x, tuple) or len(x) != len(target.elts):
            raise Refused("several names for another number of values")
        for part, value in zip(target.elts, x, strict=True):
            _give(body, part, value)
    elif isinstance(target, ast.Subscript):
        _put(body, target, x)
    elif isinstance(target, ast.Name):
        body.assign(target.id, x)
    else:
        raise Refused("an assignment of this kind")


def _put(body: Body, target: ast.Subscript, x: Value) -> None:
    """Give a number to an element, or to all elements of a part."""
    if not isinstance(x, Number):
        raise Refused("an element that is not a number: write the loop")
    w, whole = body.w, body.value(target.value)
    if isinstance(whole, Several):
        write(w, one_of(body, whole, target), x)
        return
    at = element(body, target, whole)
    if body.lanes is not None and not (isinstance(at, Place) and at.run > 1):
        raise Refused("all rows write one element, or beyond an array")
    if isinstance(at, Place):
        store(w, at, x)
        return
    if at.strides is not None and at.room is None:
        raise Refused("all elements of a part that does not lie in one piece")
    x, end, all_of_it = cast(w, x, at.kind), size(w, at), Flat(at)
    loop(body, literal(0), end, literal(1), lambda i: store(w, flat_place(all_of_it, i), x))


@statement(ast.AugAssign)
def _aug_assign(body: Body, node: ast.AugAssign) -> None:
    op, target = name_of(node.op), node.target
    if isinstance(target, ast.Subscript):
        _change(body, op, target, node.value)
        return
    if not isinstance(target, ast.Name):
        raise Refused("an assignment of this kind")
    known = body.variables.get(target.id)
    if body.lanes is not None and isinstance(known, Slot) and known in body.lanes.before:
        body.lanes.add(op, body.number(node.value), known)
        return
    old = body.number(ast.Name(target.id, ast.Load()))
    body.assign(target.id, binary(body.w, op, old, body.number(node.value)))


def _change(body: Body, op: str, target: ast.Subscript, value: ast.expr) -> None:
    """Change an element."""
    w, whole = body.w, body.value(target.value)
    if isinstance(whole, Several):
        own = one_of(body, whole, target)
        write(w, own, binary(w, op, read(w, own), body.number(value)))
        return
    at = element(body, target, whole)
    if isinstance(at, Array):
        raise Refused("a change of many elements at once: write the loop")
    if body.lanes is not None and at.run == at.offset.kind.lanes == 1:
        body.lanes.add(op, body.number(value), at)
        return
    old = load(w, at)
    store(w, at, binary(w, op, old, body.number(value)))
