"""Operators between numbers, and comparisons of them."""

from __future__ import annotations

import ast

from chainrule.engine.compiler.arithmetic import binary, compare, inverse, negative
from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.branches import condition
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.registry import expression
from chainrule.engine.compiler.values import Value

__all__ = ["name_of"]

_NAMES: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitOr: "|",
    ast.BitAnd: "&",
    ast.BitXor: "^",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


def name_of(node: ast.operator | ast.cmpop) -> str:
    """An operator as the text writes it."""
    op = _NAMES.get(type(node))
    if op is None:
        raise Refused(f"an operator of this kind ({type(node).__name__})")
    return op


@expression(ast.UnaryOp)
def _unary(body: Body, node: ast.UnaryOp) -> Value:
    if isinstance(node.op, ast.Not):
        return inverse(body.w, condition(body, node.operand))
    x = body.number(node.operand)
    if x.kind.sort == "b" or (isinstance(node.op, ast.Invert) and x.kind.sort == "f"):
        raise Refused(f"{ast.unparse(node)} of a {x.kind.name}")
    if isinstance(node.op, ast.Invert):
        return inverse(body.w, x)
    return negative(body.w, x) if isinstance(node.op, ast.USub) else x


@expression(ast.BinOp)
def _binary(body: Body, node: ast.BinOp) -> Value:
    op = name_of(node.op)
    return binary(body.w, op, body.number(node.left), body.number(node.right))


@expression(ast.Compare)
def _compare(body: Body, node: ast.Compare) -> Value:
    if len(node.ops) > 1:
        raise Refused("a chain of comparisons")
    op, left = name_of(node.ops[0]), body.number(node.left)
    return compare(body.w, op, left, body.number(node.comparators[0]))
