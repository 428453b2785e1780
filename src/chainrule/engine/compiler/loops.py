"""Loops: over whole numbers, arrays, tuples and rows, and as long as a condition holds."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.engine.compiler.arithmetic import binary, cast, compare, select
from chainrule.engine.compiler.arrays import Place, index, load
from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.branches import one_way
from chainrule.engine.compiler.kinds import INT, KINDS
from chainrule.engine.compiler.lanes import Lanes
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.registry import statement
from chainrule.engine.compiler.uses import first_written, uses
from chainrule.engine.compiler.values import Abreast, Array, Number, Rows, Value, literal
from chainrule.engine.compiler.variables import Slot, same

__all__ = ["loop"]


def loop(
    body: Body, start: Number, stop: Number, step: Number, inside: Callable[[Number], object]
) -> None:
    """Write a loop over whole numbers."""
    w = body.w
    if step.known == 0:
        raise Refused("a range with a step of 0")
    start, stop, step = (cast(w, x, INT) for x in (start, stop, step))

    def goes_on(i: Number) -> Number:
        if step.known is not None:
            return compare(w, "<" if step.known > 0 else ">", i, stop)
        ways = [
            binary(w, "&", compare(w, op, literal(0), step), compare(w, op, i, stop))
            for op in ("<", ">")
        ]
        return binary(w, "|", *ways)

    variables = dict(body.variables)
    turn, end, before = w.label("loop"), w.label("done"), w.label("before")
    w.branch(goes_on(start), before, end)
    w.begin(before)
    w.jump(turn)
    w.begin(turn)
    i, following = w.label("%i"), w.label("%next")
    place = len(w.lines)
    w.do(f"{i} = ")  # where it comes from is known at the end
    inside(Number(INT, i))
    _again(body, variables)
    w.do(f"{following} = add nsw i64 {i}, {step.ir}")
    w.lines[place] = f"  {i} = phi i64 [ {start.ir}, %{before} ], [ {following}, %{w.block} ]"
    w.branch(goes_on(Number(INT, following)), turn, end)
    w.begin(end)


def _again(body: Body, before: dict[str, Any]) -> None:
    """At the end of a turn: every name stands for what it stood for before the loop."""
    for name, x in before.items():
        if not same(body.variables.get(name), x):
            raise Refused(f"{name} is something else in the next turn of the loop")
    body.variables = dict(before)  # there may have been no turn at all


def _begin(body: Body, nodes: Sequence[ast.AST]) -> None:
    """Before a loop: what a turn names before it looks is nothing that goes from turn to turn."""
    parts = [part for node in nodes for part in ast.walk(node) if isinstance(part, ast.For)]
    loops = {part.target.id for part in parts if isinstance(part.target, ast.Name)}
    for name in first_written(nodes):
        if name in loops or not isinstance(body.variables.get(name), Slot):
            body.variables.pop(name, None)


# -- for ---------------------------------------------------------------------------------------------


@statement(ast.For)
def _for(body: Body, node: ast.For) -> bool:
    if node.orelse or not isinstance(node.target, ast.Name):
        raise Refused("a loop of this kind")
    name = node.target.id
    if (name, True) in {use for part in node.body for use in uses(part)}:
        raise Refused(f"{name} is assigned within its own loop")
    left = _over(body, node, name)
    body.variables.pop(name, None)  # what it is afterwards is not kept
    return left


def _over(body: Body, node: ast.For, name: str) -> bool:
    """Write a loop with a variable of that name; gives whether it leaves the function."""

    def inside(x: Value) -> None:
        before = dict(body.variables)
        body.variables[name] = x
        if body.run(node.body):
            body.w.begin(body.w.label("never"))
            body.variables = before

    if isinstance(node.iter, ast.Call) and _is_range(body, node.iter.func):
        start, stop, step = _range(body, node.iter)
        body.variables.pop(name, None)
        _begin(body, node.body)
        loop(body, start, stop, step, inside)
        return False
    over = body.value(node.iter)
    if isinstance(over, tuple):  # written out
        for x in over:
            body.variables[name] = x  # which may be known
            if body.run(node.body):
                return True
        return False
    body.variables.pop(name, None)
    _begin(body, node.body)
    if isinstance(over, Abreast):
        _over_rows(body, node, name, over)
    elif isinstance(over, Array) and len(over.shape) == 1:
        numbers, w = over, body.w

        def with_number(i: Number) -> None:
            at = index(w, numbers, [i])
            assert isinstance(at, Place)
            inside(load(w, at))

        loop(body, literal(0), over.shape[0], literal(1), with_number)
    else:
        raise Refused("a loop over this")
    return False


def _is_range(body: Body, node: ast.expr) -> bool:
    """Whether an expression is Python's `range`, which the text does not name anew."""
    if not isinstance(node, ast.Name) or node.id in body.variables:
        return False
    return body.function.look_up(node.id) is range


def _range(body: Body, node: ast.Call) -> tuple[Number, Number, Number]:
    """The start, the stop and the step of a range."""
    given = [body.whole_number(a) for a in node.args]
    if not 1 <= len(given) <= 3 or node.keywords:
        raise Refused("a range of this kind")
    start, stop = (literal(0), given[0]) if len(given) == 1 else given[:2]
    return start, stop, given[2] if len(given) == 3 else literal(1)


def _over_rows(body: Body, node: ast.For, name: str, over: Abreast) -> None:
    """Write a loop over rows, some at a time: every number of a row becomes a vector.

    A row's own variables live within one turn. What is known before the loop can only be added
    to, over the rows.
    """
    w, n = body.w, over.count
    if body.lanes is not None:
        raise Refused("a loop over several rows at a time within another")
    for own in first_written(node.body):
        if isinstance(body.variables.get(own), Slot):
            del body.variables[own]
    kind, narrow = INT.wide(n), KINDS["int32"].wide(n)
    known = [x for b in (body, *body.outer()) for x in b.variables.values()]
    slots = {x for x in known if isinstance(x, Slot)}
    lanes = body.lanes = Lanes(w, n, literal(True), len(w.lines), slots)

    def inside(first: Number) -> None:
        side_by_side, as_narrow = (
            Number(k, f"<{', '.join(f'{k.llvm} {lane}' for lane in range(n))}>")
            for k in (kind, narrow)
        )
        numbers = binary(w, "+", first, side_by_side)
        left = cast(w, binary(w, "-", over.rows, first), KINDS["int32"])
        there = compare(w, "<", as_narrow, left)
        last = binary(w, "-", over.rows, literal(1))
        clamped = select(w, there, numbers, last)
        lanes.there = there
        body.variables[name] = Rows(kind, clamped.ir, first=first, last=last, there=there)
        if body.run(node.body):
            raise Refused("a return from a loop over several rows at a time")

    loop(body, literal(0), over.rows, literal(n), inside)
    body.lanes = None
    lanes.close()


# -- while -------------------------------------------------------------------------------------------


@statement(ast.While)
def _while(body: Body, node: ast.While) -> bool:
    if node.orelse:
        raise Refused("a loop of this kind")
    _begin(body, [node.test, *node.body])
    w, before = body.w, dict(body.variables)
    head, turn, end = w.label("while"), w.label("do"), w.label("done")
    w.jump(head)
    w.begin(head)
    test = one_way(body, node.test)
    if test.known is False:
        return False
    if test.known:
        w.jump(turn)
    else:
        w.branch(test, turn, end)
    w.begin(turn)
    if not body.run(node.body):
        _again(body, before)
        w.jump(head)
    if test.known:  # only a return ends it
        return True
    w.begin(end)
    body.variables = before
    return False
