"""Conversions, operators, comparisons and choices between numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from chainrule.engine.compiler.kinds import BOOL, FLOAT, INT, KINDS, Kind, Refused, meet
from chainrule.engine.compiler.values import Number, constant, literal, text_of
from chainrule.engine.compiler.writer import Writer

__all__ = [
    "binary",
    "cast",
    "compare",
    "inverse",
    "largest",
    "negative",
    "select",
    "sum_of_lanes",
    "truth",
]


def cast(w: Writer, x: Number, kind: Kind) -> Number:
    """The number in another kind."""
    if x.kind == kind:
        return x
    if x.known is not None:
        return literal(int(x.known)) if kind == INT else Number(kind, text_of(x.known, kind))
    if kind.lanes > x.kind.lanes == 1:
        return _repeated(w, cast(w, x, kind.wide(1)), kind)
    if kind.lanes != x.kind.lanes:
        raise Refused("a vector stands where one number should")
    have, want = x.kind, kind
    if want.sort == "b":
        return compare(w, "!=", x, literal(0))
    if have.sort == "f" and want.sort == "f":
        if have.size == want.size:
            return Number(kind, x.ir)
        name = "fpext" if have.size < want.size else "fptrunc"
    elif have.sort == "f":
        name = "fptoui" if want.sort == "u" else "fptosi"
    elif want.sort == "f":
        name = "uitofp" if have.sort in "bu" else "sitofp"
    elif have.llvm == want.llvm:
        return Number(kind, x.ir)
    elif have.sort != "b" and have.size > want.size:
        name = "trunc"
    else:
        name = "zext" if have.sort in "bu" else "sext"
    return Number(kind, w.op(f"{name} {have.ir} {x.ir} to {want.ir}"))


def _repeated(w: Writer, x: Number, kind: Kind) -> Number:
    """A vector with the number in every lane."""
    if not x.ir.startswith("%"):
        return Number(kind, f"splat ({x.kind.ir} {x.ir})")
    one = w.op(f"insertelement {kind.ir} poison, {x.kind.ir} {x.ir}, i64 0")
    mask = f"<{kind.lanes} x i32> zeroinitializer"
    return Number(kind, w.op(f"shufflevector {kind.ir} {one}, {kind.ir} poison, {mask}"))


_PYTHON: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "<<": operator.lshift,
    ">>": operator.rshift,
    "|": operator.or_,
    "&": operator.and_,
    "^": operator.xor,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_REAL = {"+": "fadd", "-": "fsub", "*": "fmul", "/": "fdiv"}
_WHOLE = {"+": "add", "-": "sub", "*": "mul", "<<": "shl", "|": "or", "&": "and", "^": "xor"}


def binary(w: Writer, op: str, a: Number, b: Number) -> Number:
    """a op b."""
    if a.known is not None and b.known is not None:
        return literal(_PYTHON[op](a.known, b.known))
    plain = _without_effect(op, a, b)
    if plain is not None:
        return plain
    kind = meet(a.kind, b.kind)
    if op == "/" and kind.sort != "f":
        kind = (FLOAT if kind.weak else KINDS["float64"]).wide(kind.lanes)
    if op == "**":
        return _power(w, a, b, kind)
    a, b = cast(w, a, kind), cast(w, b, kind)
    if kind.sort == "f":
        if op not in _REAL:
            raise Refused(f"{op} between numbers with a fraction")
        return Number(kind, w.op(f"{_REAL[op]} {w.flags}{kind.ir} {a.ir}, {b.ir}"))
    if op in ("//", "%"):
        return _divided(w, op, a, b, kind)
    if op == ">>":
        name = "ashr" if kind.sort == "i" else "lshr"
    elif op in _WHOLE and not (kind.sort == "b" and op in ("+", "-", "*", "<<")):
        name = _WHOLE[op]
    else:
        raise Refused(f"{op} between {kind.name} numbers")
    if kind == INT and op in ("+", "-", "*"):
        name += " nsw"  # a length or an index, which never wraps around
    return Number(kind, w.op(f"{name} {kind.ir} {a.ir}, {b.ir}"))


def _without_effect(op: str, a: Number, b: Number) -> Number | None:
    """A sum with 0 or a product with 1, of whole numbers, is the other one; a product with 0 is 0."""
    for x, y in ((a, b), (b, a)):
        if x.known is None or isinstance(x.known, float) or y.kind != INT:
            continue
        if (op == "+" and x.known == 0) or (op == "*" and x.known == 1):
            return y
        if op == "-" and x is b and x.known == 0:
            return y
        if op == "*" and x.known == 0:
            return literal(0)
    return None


def _divided(w: Writer, op: str, a: Number, b: Number, kind: Kind) -> Number:
    """The quotient rounded down, or the remainder with the sign of b, of whole numbers."""
    if kind.sort == "u":
        name = "udiv" if op == "//" else "urem"
        return Number(kind, w.op(f"{name} {kind.ir} {a.ir}, {b.ir}"))
    quotient = Number(kind, w.op(f"sdiv {kind.ir} {a.ir}, {b.ir}"))
    rest = Number(kind, w.op(f"srem {kind.ir} {a.ir}, {b.ir}"))
    zero = constant(0, kind)
    signs = Number(kind, w.op(f"xor {kind.ir} {rest.ir}, {b.ir}"))
    off = binary(w, "&", compare(w, "!=", rest, zero), compare(w, "<", signs, zero))
    if op == "//":
        return select(w, off, binary(w, "-", quotient, constant(1, kind)), quotient)
    return select(w, off, binary(w, "+", rest, b), rest)


def _power(w: Writer, a: Number, b: Number, kind: Kind) -> Number:
    if b.known == 2:
        return binary(w, "*", a, a)
    if kind.sort != "f":
        raise Refused("a power of whole numbers")
    suffix = f"v{kind.lanes}" if kind.lanes > 1 else ""
    name = f"llvm.pow.{suffix}f{8 * kind.size}"
    return w.intrinsic(name, kind, cast(w, a, kind), cast(w, b, kind))


_ORDER = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}


def compare(w: Writer, op: str, a: Number, b: Number) -> Number:
    """Whether a op b; false where one is NaN, but for !=."""
    if a.known is not None and b.known is not None:
        return literal(bool(_PYTHON[op](a.known, b.known)))
    kind = meet(a.kind, b.kind)
    a, b = cast(w, a, kind), cast(w, b, kind)
    name = _ORDER[op]
    if kind.sort == "f":
        text = f"fcmp {'une' if op == '!=' else f'o{name}'}"
    else:
        sign = "" if op in ("==", "!=") else "s" if kind.sort == "i" else "u"
        text = f"icmp {sign}{name}"
    return Number(BOOL.wide(kind.lanes), w.op(f"{text} {kind.ir} {a.ir}, {b.ir}"))


def truth(w: Writer, x: Number) -> Number:
    """Whether it is not 0."""
    if x.known is not None:
        return literal(bool(x.known))
    return x if x.kind.sort == "b" else compare(w, "!=", x, literal(0))


def inverse(w: Writer, x: Number) -> Number:
    """~x: every bit the other way round; for a boolean, not x."""
    if x.known is not None:
        return literal(not x.known if isinstance(x.known, bool) else ~int(x.known))
    ones = text_of(1 if x.kind.sort == "b" else -1, x.kind)
    return Number(x.kind, w.op(f"xor {x.kind.ir} {x.ir}, {ones}"))


def negative(w: Writer, x: Number) -> Number:
    """−x."""
    if x.known is not None:
        return literal(-x.known)
    if x.kind.sort == "f":
        return Number(x.kind, w.op(f"fneg {w.flags}{x.kind.ir} {x.ir}"))
    return Number(x.kind, w.op(f"sub {x.kind.ir} {text_of(0, x.kind)}, {x.ir}"))


def select(w: Writer, condition: Number, a: Number, b: Number) -> Number:
    """a where the condition holds, else b."""
    if condition.known is not None:
        return a if condition.known else b
    kind = meet(a.kind, b.kind)
    kind = kind.wide(max(kind.lanes, condition.kind.lanes))
    a, b = cast(w, a, kind), cast(w, b, kind)
    free = "nsz " if kind.sort == "f" and "nsz" in w.flags else ""
    both = f"{kind.ir} {a.ir}, {kind.ir} {b.ir}"
    return Number(kind, w.op(f"select {free}{condition.kind.ir} {condition.ir}, {both}"))


def sum_of_lanes(w: Writer, x: Number) -> Number:
    """The sum of a vector's lanes."""
    one = x.kind.wide(1)
    if x.kind.sort != "f":
        raise Refused("the sum of a vector of whole numbers")
    name = f"llvm.vector.reduce.fadd.v{x.kind.lanes}f{8 * one.size}"
    w.module.declare(f"{one.ir} @{name}({one.ir}, {x.kind.ir})")
    text = f"call reassoc nsz {one.ir} @{name}({one.ir} {text_of(-0.0, one)}, {x.kind.ir} {x.ir})"
    return Number(one, w.op(text))


def largest(w: Writer, smallest: bool, a: Number, b: Number) -> Number:
    """Python's max or min of two whole numbers."""
    if a.known is not None and b.known is not None:
        return literal(min(a.known, b.known) if smallest else max(a.known, b.known))
    kind = meet(a.kind, b.kind)
    if kind.sort == "f":
        raise Refused("min and max of numbers with a fraction: write minimum, maximum")
    name = f"llvm.{'s' if kind.sort == 'i' else 'u'}{'min' if smallest else 'max'}.{kind.llvm}"
    return w.intrinsic(name, kind, cast(w, a, kind), cast(w, b, kind))
