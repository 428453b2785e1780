"""Calls of functions that stay functions: one for each kind of arguments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from chainrule.engine.compiler.body import Body
from chainrule.engine.compiler.functions import Function
from chainrule.engine.compiler.kinds import Kind
from chainrule.engine.compiler.refusals import Refused
from chainrule.engine.compiler.values import Array, Dtype, Number, Value
from chainrule.engine.compiler.writer import Writer

__all__ = ["call_outside"]


def call_outside(
    w: Writer, function: Function, given: Sequence[Value], *, apart: bool = True
) -> Value:
    """Call a function of its own, which is written at its first call.

    `apart`: arrays that are parts of different ones share no memory.
    """
    bases = Counter(a.base for a in _arrays(given))
    taking = _Taking({base for base, n in bases.items() if n > 1 or not apart})
    taken = [taking.of(x) for x in given]
    key = (id(function), w.module, tuple(taking.key))
    if key not in w.module.made:
        if function in w.module.begun:
            raise Refused(f"{function.node.name} calls itself")
        w.module.begun.append(function)
        w.module.made[key] = _written(w, function, taken, taking.parameters)
        w.module.begun.remove(function)
    name, result = w.module.made[key]
    text = f"call fastcc {result.ir if result else 'void'} @{name}({', '.join(taking.given)})"
    if result is None:
        return w.do(text)
    return Number(result, w.op(text))


def _arrays(given: Sequence[Value]) -> Iterator[Array]:
    for x in given:
        if isinstance(x, tuple):
            yield from _arrays(x)
        elif isinstance(x, Array):
            yield x


def _written(
    w: Writer, function: Function, taken: Sequence[Value], parameters: Sequence[str]
) -> tuple[str, Kind | None]:
    own = Writer(w.module, function.flags)
    name = w.module.name(function.node.name)
    Body(own, function, taken, None).complete()
    result = own.result.ir if own.result else "void"
    apart = " noinline" if function.apart else ""
    apart += f' "min-legal-vector-width"="{8 * w.module.vector_bytes}"'
    head = f"define internal fastcc {result} @{name}({', '.join(parameters)}) nounwind{apart}"
    w.module.functions.append(f"{head} {{\n{own.body()}\n}}")
    return name, own.result


class _Taking:
    """The arguments on their way into a function: what is known stays known."""

    def __init__(self, twice: set[str]) -> None:
        self._twice = twice
        self.bases: dict[str, str] = {}
        self.parameters: list[str] = []
        self.given: list[str] = []
        self.key: list[Any] = []

    def of(self, x: Value) -> Value:
        """The argument as the function sees it."""
        if isinstance(x, tuple):
            self.key.append("(")
            found = tuple(self.of(part) for part in x)
            self.key.append(")")
            return found
        if isinstance(x, Array):
            private = x.private and x.base not in self._twice
            attributes = f"{'noalias ' if private else ''}align {x.kind.size}"
            pointer = self._passed(f"ptr {attributes}", f"ptr {x.pointer}")
            # Parts of one array stay that inside: what is called from there is told, too.
            base = self.bases.setdefault(x.base, pointer)
            self.key += [x.kind, private, x.private, base, len(x.shape)]
            self.key += [x.strides is None, x.room is None]
            shape = tuple(self.of(d) for d in x.shape)
            strides = None if x.strides is None else tuple(self.of(s) for s in x.strides)
            room = None if x.room is None else self.of(x.room)
            return Array(pointer, x.kind, shape, strides, base, x.private, room)
        if isinstance(x, Number):
            self.key.append((x.kind, x.known is not None and x.ir))
            if x.known is not None:
                return x
            return Number(x.kind, self._passed(x.kind.ir, f"{x.kind.ir} {x.ir}"))
        if isinstance(x, Dtype | Function) or callable(x):
            self.key.append(x)
            return x
        raise Refused(f"{type(x).__name__} as an argument")

    def _passed(self, parameter: str, given: str) -> str:
        name = f"%p{len(self.parameters)}"
        self.parameters.append(f"{parameter} {name}")
        self.given.append(given)
        return name
