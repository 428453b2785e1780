"""One activation of a function that is being written: what its names stand for, and how it ends.

How its statements and expressions are written is said elsewhere, in one file for each concept:
`statements`, `loops`, `branches`, `expressions`, `operators`, `subscripts`, `calls`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from chainrule.engine.compiler.arithmetic import cast
from chainrule.engine.compiler.functions import Function
from chainrule.engine.compiler.kinds import INT, Kind
from chainrule.engine.compiler.lanes import Lanes
from chainrule.engine.compiler.refusals import At, Refused
from chainrule.engine.compiler.registry import EXPRESSIONS, STATEMENTS
from chainrule.engine.compiler.values import Number, Rows, Value, of_python
from chainrule.engine.compiler.variables import Slot, read, slot, write
from chainrule.engine.compiler.writer import Writer

__all__ = ["Body"]


class Body:
    """A function with its arguments, being written.

    `inside` is the body that it is written into; None for a function of its own.
    """

    def __init__(
        self, w: Writer, function: Function, given: Sequence[Value], inside: Body | None
    ) -> None:
        self.w, self.function, self.inside = w, function, inside
        if len(given) != len(function.parameters):
            raise Refused(
                f"{function.node.name} takes {len(function.parameters)} arguments, got {len(given)}"
            )
        if any(b.function is function for b in self.outer()):
            raise Refused(f"{function.node.name} calls itself")
        #: What each name stands for here, on whatever way this place is reached: a name whose value
        #: depends on the way, and is not kept in one place on the stack, is not among them.
        self.variables: dict[str, Any] = {}
        self.slots: dict[tuple[str, Kind, bool], Slot] = {}
        #: The loop over several rows at a time that is being written, if one is.
        self.lanes: Lanes | None = None if inside is None else inside.lanes
        #: Where an inlined function leaves its result, and where it then goes on.
        self.left: Slot | None = None
        self.end = ""
        #: Whether it gives a number; None until it has returned.
        self.gives: bool | None = None
        for name, x in zip(function.parameters, given, strict=True):
            self.assign(name, x)

    def outer(self) -> Iterator[Body]:
        """The bodies that it is written into."""
        body = self.inside
        while body is not None:
            yield body
            body = body.inside

    # -- the text ----------------------------------------------------------------------------------

    def run(self, nodes: Sequence[ast.stmt]) -> bool:
        """Write statements; gives whether the last one leaves the function."""
        for node in nodes:
            rule = STATEMENTS.get(type(node))
            with At(self.function.file, node):
                if rule is None:
                    raise Refused(f"a statement of this kind ({type(node).__name__})")
                if rule(self, node):
                    return True
        return False

    def value(self, node: ast.expr) -> Value:
        """What an expression stands for."""
        rule = EXPRESSIONS.get(type(node))
        if rule is None:
            raise Refused(f"an expression of this kind ({type(node).__name__})")
        return rule(self, node)

    def number(self, node: ast.expr) -> Number:
        """The number that an expression stands for."""
        x = self.value(node)
        if not isinstance(x, Number):
            raise Refused(f"{ast.unparse(node)} is not a number")
        return x

    def whole_number(self, node: ast.expr) -> Number:
        """A whole number of any kind, as Python's own: what is computed with it fits into that."""
        x = self.number(node)
        if x.kind.sort not in "iu":
            raise Refused(f"{ast.unparse(node)} is no whole number")
        return x if isinstance(x, Rows) else cast(self.w, x, INT.wide(x.kind.lanes))

    # -- names -------------------------------------------------------------------------------------

    def look(self, name: str) -> Value:
        """What a name stands for."""
        if name in self.variables:
            x = self.variables[name]
            return read(self.w, x) if isinstance(x, Slot) else x
        if self.function.assigned[name]:
            raise Refused(f"{name} may have no value here")
        return of_python(self.function.look_up(name))

    def assign(self, name: str, x: Value) -> None:
        """Let a name stand for a value."""
        if isinstance(x, Number) and self.function.assigned[name] > 1:
            self._set(name, x)
        else:
            self.variables[name] = x

    def _set(self, name: str, x: Number) -> None:
        """Assign a variable that is assigned more than once."""
        old = self.variables.get(name)
        if not isinstance(old, Slot):
            kind = x.kind
            if self.lanes is not None and kind != INT:  # each row has its own
                kind = kind.wide(self.lanes.count)
            key = name, kind, self.lanes is None
            if key not in self.slots:  # one for all ways that assign it
                self.slots[key] = slot(self.w, kind)
            old = self.variables[name] = self.slots[key]
        if x.kind.lanes < old.kind.lanes:
            x = cast(self.w, x, x.kind.wide(old.kind.lanes))
        if old.kind != x.kind:  # not even a literal: beside others it would not count as one
            raise Refused(f"{name} is a {old.kind.name} and becomes a {x.kind.name}")
        if self.lanes is not None and old in self.lanes.before:
            raise Refused("rows that meet in one number, but for a sum")
        write(self.w, old, x)

    # -- calls and results -------------------------------------------------------------------------

    def call(self, function: Function, given: Sequence[Value]) -> Value:
        """Call a function of the text: written in here, or as a function of its own."""
        if not function.inline:
            if self.lanes is not None:
                raise Refused(f"{function.node.name} in a loop over several rows at a time")
            return self.w.module.outside(self.w, function, given)
        before, self.w.flags = self.w.flags, function.flags
        inner = Body(self.w, function, given, self)
        *most, last = function.node.body
        returns = [n for n in ast.walk(function.node) if isinstance(n, ast.Return)]
        try:
            if returns == [last]:
                assert isinstance(last, ast.Return)
                inner.run(most)
                with At(function.file, last):
                    return inner.value(last.value) if last.value is not None else None
            inner.end = self.w.label("after")
            inner.complete()
            self.w.begin(inner.end)
        finally:
            self.w.flags = before
        return None if inner.left is None else read(self.w, inner.left)

    def complete(self) -> None:
        """Write all of a function, up to its end."""
        if not self.run(self.function.node.body):
            with At(self.function.file, self.function.node.body[-1]):
                self.leave(None)

    def leave(self, x: Number | None) -> None:
        """End here, with a number or with nothing: a function gives one wherever it ends, or nowhere."""
        w, gives = self.w, x is not None
        if self.gives not in (None, gives):
            raise Refused(f"{self.function.node.name} gives a number only sometimes")
        self.gives = gives
        if self.inside is not None:
            if x is not None:
                self.left = self.left or slot(w, x.kind)
                write(w, self.left, self._result(x, self.left.kind))
            w.jump(self.end)
        elif x is not None:
            w.result = w.result or x.kind
            w.do(f"ret {w.result.ir} {self._result(x, w.result).ir}")
        else:
            w.do("ret void")

    def _result(self, x: Number, kind: Kind) -> Number:
        if x.kind != kind:
            raise Refused(f"{self.function.node.name} gives a {kind.name} or a {x.kind.name}")
        return cast(self.w, x, kind)
