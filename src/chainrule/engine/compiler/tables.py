"""Numbers that a kernel's text looks up in a table that does not change: part of the machine code."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.compiler.arithmetic import cast
from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.kinds import INT, KINDS
from chainrule.engine.compiler.registry import rule
from chainrule.engine.compiler.values import Number
from chainrule.engine.compiler.writer import CONSTANTS

__all__ = ["looked_up"]


def looked_up(values: npt.NDArray[np.float64]) -> Callable[[Any], Any]:
    """A function for texts that gives values[i], for a whole number i from 0; i is not checked."""

    def entry(i: Any) -> Any:
        return values[i]

    kind = KINDS["float64"]
    bits = (struct.unpack("<Q", struct.pack("<d", value))[0] for value in values)
    listed = ", ".join(f"double 0x{number:016X}" for number in bits)

    @rule(entry)
    def write(body: Body, i: Number) -> Number:
        w, many = body.w, i.kind.lanes
        table = w.module.constant(f"[{len(values)} x double] [{listed}]")
        at = cast(w, i, INT.wide(many))
        place = w.op(f"getelementptr inbounds double, ptr {table}, {at.kind.ir} {at.ir}")
        if many == 1:
            return Number(kind, w.op(f"load double, ptr {place}, !alias.scope {CONSTANTS}"))
        wide = kind.wide(many)
        places, every = f"<{many} x ptr>", f"<{many} x i1>"
        name = f"llvm.masked.gather.v{many}f64.v{many}p0"
        w.module.declare(f"{wide.ir} @{name}({places}, i32, {every}, {wide.ir})")
        there = f"{every} <{', '.join(['i1 true'] * many)}>"
        call = f"call {wide.ir} @{name}({places} {place}, i32 8, {there}, {wide.ir} poison)"
        return Number(wide, w.op(call))

    return entry
