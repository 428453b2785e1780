"""Conversions, operators, comparisons and choices between numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from chainrule.engine.compiler.kinds import BOOL, FLOAT, INT, KINDS, Kind, meet
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.values import Number, constant, fits, literal, text_of
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
    if x.known is not None:
        text = text_of(x.known, kind)
        return literal(int(x.known)) if kind == INT else Number(kind, text)
    if x.kind == kind:
        return x
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
        return _whole(w, x, kind)
    elif want.sort == "f":
        name = "uitofp" if have.sort in "bu" else "sitofp"
    elif have.llvm == want.llvm:
        return Number(kind, x.ir)
    elif have.sort != "b" and have.size > want.size:
        name = "trunc"
    else:
        name = "zext" if have.sort in "bu" else "sext"
    return Number(kind, w.op(f"{name} {have.ir} {x.ir} to {want.ir}"))


def _whole(w: Writer, x: Number, kind: Kind) -> Number:
    """A number without its fraction. One that the kind does not hold gives any, as in NumPy."""
    name = "int64" if kind.size == 8 or kind.name == "uint32" else "int32"
    middle = KINDS[name].wide(kind.lanes)
    # (Of a number that does not fit LLVM may think anything, at each use another: freeze.)
    signed = w.op(f"freeze {middle.ir} {w.op(f'fptosi {x.kind.ir} {x.ir} to {middle.ir}')}")
    found = cast(w, Number(middle, signed), kind)
    if kind.name != "uint64":
        return found
    large = compare(w, ">=", x, literal(2.0**63))
    above = w.op(f"freeze {kind.ir} {w.op(f'fptoui {x.kind.ir} {x.ir} to {kind.ir}')}")
    return select(w, large, Number(kind, above), found)


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
_WHOLE = {"+": "add", "-": "sub", "*": "mul", "|": "or", "&": "and", "^": "xor"}


def binary(w: Writer, op: str, a: Number, b: Number) -> Number:
    """a op b."""
    if a.known is not None and b.known is not None:
        return _by_python(op, a.known, b.known)
    plain = _without_effect(op, a, b)
    if plain is not None:
        return plain
    kind = meet(a.kind, b.kind)
    if "b" in (a.kind.sort, b.kind.sort):
        # Python counts with them, NumPy takes "or" for the sum of two: neither is meant.
        both = a.kind.sort == b.kind.sort
        if a.kind.weak or b.kind.weak or (both and op not in ("&", "|", "^")):
            raise Refused(f"{op} between {a.kind.name} and {b.kind.name} numbers")
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
    if op in ("<<", ">>"):
        return _shifted(w, op, a, b, kind)
    name = _WHOLE[op]
    if kind == INT and op in ("+", "-", "*"):
        name += " nsw"  # a length or an index, which never wraps around
    return Number(kind, w.op(f"{name} {kind.ir} {a.ir}, {b.ir}"))


def _by_python(op: str, a: Any, b: Any) -> Number:
    """a op b of numbers that the text says."""
    try:
        found = _PYTHON[op](a, b)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise Refused(str(error)) from error
    if isinstance(found, complex):
        raise Refused(f"{found} is no real number")
    if isinstance(found, int) and found.bit_length() > 1024:
        raise Refused("too large a number")
    return literal(found)


def _shifted(w: Writer, op: str, a: Number, b: Number, kind: Kind) -> Number:
    """NumPy's shifts: by more bits than there are, nothing is left but the sign."""
    name = "shl" if op == "<<" else "ashr" if kind.sort == "i" else "lshr"
    bits = Number(kind, text_of(8 * kind.size - 1, kind))
    far = Number(BOOL.wide(kind.lanes), w.op(f"icmp ugt {kind.ir} {b.ir}, {bits.ir}"))
    by = select(w, far, bits, b)
    found = Number(kind, w.op(f"{name} {kind.ir} {a.ir}, {by.ir}"))
    return found if name == "ashr" else select(w, far, constant(0, kind), found)


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
    """The quotient rounded down, or the remainder with the sign of b, of whole numbers.

    By 0 it is 0, as in NumPy: for the processor that would be the end.
    """
    zero, one = constant(0, kind), constant(1, kind)
    if b.known is None:
        none = compare(w, "==", b, zero)
        found = _quotient(w, op, a, select(w, none, one, b), kind)
        return select(w, none, zero, found)
    return _quotient(w, op, a, b, kind) if b.known else zero


def _quotient(w: Writer, op: str, a: Number, b: Number, kind: Kind) -> Number:
    zero, one = constant(0, kind), constant(1, kind)
    if kind.sort == "u":
        name = "udiv" if op == "//" else "urem"
        return Number(kind, w.op(f"{name} {kind.ir} {a.ir}, {b.ir}"))
    # The lowest number by -1 is too large, which for the processor is the end, too.
    turned = compare(w, "==", b, constant(-1, kind))
    by = select(w, turned, one, b)
    quotient = Number(kind, w.op(f"sdiv {kind.ir} {a.ir}, {by.ir}"))
    rest = Number(kind, w.op(f"srem {kind.ir} {a.ir}, {by.ir}"))
    signs = Number(kind, w.op(f"xor {kind.ir} {rest.ir}, {by.ir}"))
    off = binary(w, "&", compare(w, "!=", rest, zero), compare(w, "<", signs, zero))
    if op == "//":
        down = select(w, off, binary(w, "-", quotient, one), quotient)
        return select(w, turned, negative(w, a), down)
    return select(w, off, binary(w, "+", rest, by), rest)


def _power(w: Writer, a: Number, b: Number, kind: Kind) -> Number:
    if b.known == 2:
        a = cast(w, a, kind)
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
    name = _ORDER[op]
    kind = meet(a.kind, b.kind)
    large = any(x.kind == INT and x.known is not None and not fits(x.known, INT) for x in (a, b))
    if a.kind.sort in "iu" and b.kind.sort in "iu" and (a.kind != b.kind or large):
        return _compared_whole(w, op, a, b)
    a, b = cast(w, a, kind), cast(w, b, kind)
    if kind.sort == "f":
        text = f"fcmp {'une' if op == '!=' else f'o{name}'}"
    else:
        sign = "" if op in ("==", "!=") else "s" if kind.sort == "i" else "u"
        text = f"icmp {sign}{name}"
    return Number(BOOL.wide(kind.lanes), w.op(f"{text} {kind.ir} {a.ir}, {b.ir}"))


def _compared_whole(w: Writer, op: str, a: Number, b: Number) -> Number:
    """Whether a op b of whole numbers of two kinds, by their values."""
    for x, y in ((a, b), (b, a)):
        if x.known is not None:
            if fits(x.known, y.kind):
                return compare(w, op, cast(w, a, y.kind), cast(w, b, y.kind))
            least = 0 if y.kind.sort == "u" else -1  # any number of y's kind, which x lies beyond
            pair = (x.known, least) if x is a else (least, x.known)
            return literal(bool(_PYTHON[op](*pair)))
    lanes = max(a.kind.lanes, b.kind.lanes)
    if "uint64" not in (a.kind.name, b.kind.name):
        kind = KINDS["int64"].wide(lanes)
        return compare(w, op, cast(w, a, kind), cast(w, b, kind))
    kind = KINDS["uint64"].wide(lanes)
    found = compare(w, op, cast(w, a, kind), cast(w, b, kind))
    signed, below = (a, op in ("<", "<=", "!=")) if a.kind != kind else (b, op in (">", ">=", "!="))
    if signed.kind.sort == "u":
        return found
    negative = compare(w, "<", signed, constant(0, signed.kind))
    return binary(w, "|", negative, found) if below else binary(w, "&", inverse(w, negative), found)


def truth(w: Writer, x: Number) -> Number:
    """Whether it is not 0."""
    if x.known is not None:
        return literal(bool(x.known))
    return x if x.kind.sort == "b" else compare(w, "!=", x, literal(0))


def inverse(w: Writer, x: Number) -> Number:
    """~x: every bit the other way round; of a boolean, whether it is false."""
    if x.known is not None:
        return literal(not x.known if isinstance(x.known, bool) else ~int(x.known))
    ones = "true" if x.kind.sort == "b" else "-1"
    ones = f"splat ({x.kind.wide(1).ir} {ones})" if x.kind.lanes > 1 else ones
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
    if a.kind.wide(1) != b.kind.wide(1):  # Python gives one of the two as it is
        raise Refused(f"either a {a.kind.name} or a {b.kind.name}")
    llvm = f"v{kind.lanes}{kind.llvm}" if kind.lanes > 1 else kind.llvm
    name = f"llvm.{'s' if kind.sort == 'i' else 'u'}{'min' if smallest else 'max'}.{llvm}"
    return w.intrinsic(name, kind, cast(w, a, kind), cast(w, b, kind))
