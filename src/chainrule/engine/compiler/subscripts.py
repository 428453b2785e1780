"""Elements and parts that a text names by numbers: of arrays, tuples and several variables."""

from __future__ import annotations

import ast

from chainrule.engine.compiler.arithmetic import binary
from chainrule.engine.compiler.arrays import Cut, Place, flat_place, index, load, size
from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.registry import expression
from chainrule.engine.compiler.values import Array, Flat, Number, Value, known_int
from chainrule.engine.compiler.variables import Several, Slot, read

__all__ = ["element", "one_of"]


@expression(ast.Subscript)
def _subscript(body: Body, node: ast.Subscript) -> Value:
    whole = body.value(node.value)
    if isinstance(whole, tuple):
        return _of_tuple(body, whole, node.slice)
    if isinstance(whole, Several):
        return read(body.w, one_of(body, whole, node))
    found = element(body, node, whole)
    return load(body.w, found) if isinstance(found, Place) else found


def _of_tuple(body: Body, whole: tuple[Value, ...], node: ast.expr) -> Value:
    if isinstance(node, ast.Slice):
        ends = [
            None if end is None else known_int(body.number(end), "an index")
            for end in (node.lower, node.upper, node.step)
        ]
        return whole[slice(*ends)]
    at = known_int(body.number(node), "an index")
    if not -len(whole) <= at < len(whole):
        raise Refused(f"number {at} of {len(whole)} values")
    return whole[at]


def one_of(body: Body, whole: Several, node: ast.Subscript) -> Slot:
    """The variable of several that is meant."""
    i = known_int(body.number(node.slice), "the number of a variable")
    if not 0 <= i < len(whole.places):
        raise Refused(f"variable {i} of {len(whole.places)}")
    return Slot(whole.places[i], whole.kind)


def element(body: Body, node: ast.Subscript, whole: Value) -> Place | Array:
    """The element or the part of an array that is meant."""
    if isinstance(whole, Flat):
        i = body.whole_number(node.slice)
        if isinstance(i.known, int) and i.known < 0:
            i = binary(body.w, "+", size(body.w, whole.array), i)
        return flat_place(whole, i)
    if not isinstance(whole, Array):
        raise Refused(f"{ast.unparse(node.value)} has no elements")
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return index(body.w, whole, [_part(body, part) for part in parts])


def _part(body: Body, node: ast.expr) -> Number | Cut:
    if isinstance(node, ast.Slice):
        if node.step is not None:
            raise Refused("a part with a step")
        ends = (node.lower, node.upper)
        low, high = (None if end is None else body.whole_number(end) for end in ends)
        return Cut(low, high)
    return body.whole_number(node)
