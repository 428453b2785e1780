"""Expressions that compute nothing: constants, names, tuples, and what belongs to an array."""

from __future__ import annotations

import ast
from types import ModuleType

from chainrule.engine.compiler.arrays import size, turned
from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.registry import expression
from chainrule.engine.compiler.values import Array, Dtype, Flat, Value, literal, of_python


@expression(ast.Constant)
def _constant(body: Body, node: ast.Constant) -> Value:
    if isinstance(node.value, bool | int | float):
        return literal(node.value)
    return node.value


@expression(ast.Name)
def _name(body: Body, node: ast.Name) -> Value:
    return body.look(node.id)


@expression(ast.Tuple)
def _tuple(body: Body, node: ast.Tuple) -> Value:
    return tuple(body.value(part) for part in node.elts)


@expression(ast.Attribute)
def _attribute(body: Body, node: ast.Attribute) -> Value:
    x, name = body.value(node.value), node.attr
    if isinstance(x, Array):
        if name == "shape":
            return x.shape
        if name == "size":
            return size(body.w, x)
        if name == "itemsize":
            return literal(x.kind.size)
        if name == "T":
            return turned(body.w, x)
        if name == "flat":
            return Flat(x)
        if name == "dtype":
            return x
        if name == "type":  # of its dtype
            return Dtype(x.kind)
    if isinstance(x, ModuleType) and hasattr(x, name):
        return of_python(getattr(x, name))
    raise Refused(f"{ast.unparse(node)} is not known")
