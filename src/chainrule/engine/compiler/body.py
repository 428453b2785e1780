"""One activation of a function: a rule for each kind of statement and expression."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

from chainrule.engine.compiler.arithmetic import (
    binary,
    cast,
    compare,
    inverse,
    negative,
    select,
    sum_of_lanes,
    truth,
)
from chainrule.engine.compiler.arrays import (
    Cut,
    Place,
    flat_place,
    index,
    load,
    size,
    store,
    turned,
)
from chainrule.engine.compiler.functions import Function, function_of
from chainrule.engine.compiler.kinds import INT, KINDS, Kind
from chainrule.engine.compiler.refusals import At, Refused
from chainrule.engine.compiler.registry import RULES
from chainrule.engine.compiler.values import (
    Abreast,
    Array,
    Dtype,
    Flat,
    Number,
    Rows,
    Value,
    constant,
    known_int,
    literal,
    of_python,
)
from chainrule.engine.compiler.writer import Writer

__all__ = ["Body", "Several"]

#: Sums over rows are kept as vectors in arrays of at most so many elements.
MOST_SUMS = 1024

_OPERATORS: dict[type[ast.AST], str] = {
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


@dataclass(frozen=True)
class Slot:
    """A variable that is assigned more than once: its place on the stack, and its kind."""

    place: str
    kind: Kind


@dataclass
class Lanes:
    """A loop over rows, some at a time: how many, and which of them there are.

    Sums over the rows are vectors while the loop runs: `sums` by what they are added to, `begin` the
    lines that set them to 0 before it, and `end` what then adds up their lanes.
    """

    count: int
    there: Number
    #: How many lines there are before the loop, and which variables.
    place: int
    before: set[Slot]
    sums: dict[object, str] = field(default_factory=dict)
    begin: list[str] = field(default_factory=list)
    end: list[Callable[[], None]] = field(default_factory=list)


@dataclass(frozen=True)
class Several:
    """Variables of one kind that are told apart by numbers."""

    places: list[str]
    kind: Kind


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
        if any(b.function is function for b in self._outer()):
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
            self._name(name, x)

    def _outer(self) -> Iterator[Body]:
        """The bodies that it is written into."""
        body = self.inside
        while body is not None:
            yield body
            body = body.inside

    # -- statements --------------------------------------------------------------------------------

    def run(self, nodes: Sequence[ast.stmt]) -> bool:
        """Write statements; gives whether the last one leaves the function."""
        for node in nodes:
            rule: Callable[[Any], bool | None] | None = getattr(
                self, f"_do_{type(node).__name__.lower()}", None
            )
            with At(self.function.file, node):
                if rule is None:
                    raise Refused(f"a statement of this kind ({type(node).__name__})")
                if rule(node):
                    return True
        return False

    def _do_pass(self, node: ast.Pass) -> None:
        pass

    def _do_expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.value(node.value)

    def _do_annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._assign(node.target, self.value(node.value))

    def _do_assign(self, node: ast.Assign) -> None:
        x = self.value(node.value)
        for target in node.targets:
            self._assign(target, x)

    def _do_augassign(self, node: ast.AugAssign) -> None:
        op = self._operator(node.op)
        if isinstance(node.target, ast.Subscript):
            whole = self.value(node.target.value)
            if isinstance(whole, Several):
                place = self._one_of(whole, node.target)
                old = Number(whole.kind, self.w.op(f"load {whole.kind.ir}, ptr {place}"))
                x = cast(self.w, binary(self.w, op, old, self.number(node.value)), whole.kind)
                self.w.do(f"store {whole.kind.ir} {x.ir}, ptr {place}")
                return
            at = self._element(node.target, whole)
            if isinstance(at, Array):
                raise Refused("a change of many elements at once: write the loop")
            if self.lanes is not None and at.run == at.offset.kind.lanes == 1:
                self._add_rows(op, self.number(node.value), at)
                return
            old = load(self.w, at)
            store(self.w, at, binary(self.w, op, old, self.number(node.value)))
            return
        if not isinstance(node.target, ast.Name):
            raise Refused("an assignment of this kind")
        known = self.variables.get(node.target.id)
        if self.lanes is not None and isinstance(known, Slot) and known in self.lanes.before:
            self._add_rows(op, self.number(node.value), known)
            return
        target = ast.Name(node.target.id, ast.Load())
        old, x = self.number(target), self.number(node.value)
        self._assign(node.target, binary(self.w, op, old, x))

    def _add_rows(self, op: str, x: Number, to: Place | Slot) -> None:
        """Add to a number, or to an element, what all rows of a loop over several at a time have."""
        lanes, w = self.lanes, self.w
        if lanes is None or op != "+":
            raise Refused("rows that meet in one number, but for a sum")
        one = to.array.kind if isinstance(to, Place) else to.kind
        kind = one.wide(lanes.count)
        x = cast(w, x, x.kind.wide(lanes.count))
        x = cast(w, select(w, lanes.there, x, constant(0, x.kind)), kind)
        if isinstance(to, Slot):
            at = self._sum_of_one(to.place, kind, to)
        elif w.is_before(to.offset.ir, lanes.place):
            at = self._sum_of_one((to.array.pointer, to.offset.ir), kind, to)
        else:
            at = self._sum_of_element(to, kind)
        old = Number(kind, w.op(f"load {kind.ir}, ptr {at}"))
        w.do(f"store {kind.ir} {binary(w, op, old, x).ir}, ptr {at}")

    def _sum(self, count: int, kind: Kind) -> str:
        """Vectors on the stack that are 0 before the loop."""
        assert self.lanes is not None
        whole = f"[{count} x {kind.ir}]"
        place = self.w.slot(whole)
        self.lanes.begin.append(f"  store {whole} zeroinitializer, ptr {place}")
        return place

    def _sum_of_one(self, key: object, kind: Kind, to: Place | Slot) -> str:
        """The vector for a number, or for an element that is the same for all rows."""
        lanes, w = self.lanes, self.w
        assert lanes is not None
        if key not in lanes.sums:
            at = lanes.sums[key] = self._sum(1, kind)

            def end() -> None:
                whole = sum_of_lanes(w, Number(kind, w.op(f"load {kind.ir}, ptr {at}")))
                if isinstance(to, Place):
                    store(w, to, binary(w, "+", load(w, to), whole))
                    return
                old = Number(to.kind, w.op(f"load {to.kind.ir}, ptr {to.place}"))
                w.do(f"store {to.kind.ir} {binary(w, '+', old, whole).ir}, ptr {to.place}")

            lanes.end.append(end)
        return lanes.sums[key]

    def _sum_of_element(self, to: Place, kind: Kind) -> str:
        """The vector for an element of an array."""
        assert self.lanes is not None
        a, w, sums = to.array, self.w, self.lanes.sums
        count = size(w, a).known
        if a.strides is not None or not isinstance(count, int) or count > MOST_SUMS:
            raise Refused("sums over rows in an array that is not small and in one piece")
        if a.pointer not in sums:
            place = sums[a.pointer] = self._sum(count, kind)

            def end() -> None:
                for k in range(count):
                    own = w.op(f"getelementptr inbounds {kind.ir}, ptr {place}, i64 {k}")
                    whole = sum_of_lanes(w, Number(kind, w.op(f"load {kind.ir}, ptr {own}")))
                    there = Place(a, literal(k))
                    store(w, there, binary(w, "+", load(w, there), whole))

            self.lanes.end.append(end)
        offset = cast(w, to.offset, INT)
        return w.op(f"getelementptr inbounds {kind.ir}, ptr {sums[a.pointer]}, i64 {offset.ir}")

    def _assign(self, target: ast.expr, x: Value) -> None:
        if isinstance(target, ast.Tuple):
            if not isinstance(x, tuple) or len(x) != len(target.elts):
                raise Refused("several names for another number of values")
            for part, value in zip(target.elts, x, strict=True):
                self._assign(part, value)
        elif isinstance(target, ast.Subscript):
            self._put(target, x)
        elif isinstance(target, ast.Name):
            self._name(target.id, x)
        else:
            raise Refused("an assignment of this kind")

    def _name(self, name: str, x: Value) -> None:
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
                self.slots[key] = Slot(self.w.slot(kind.ir), kind)
            old = self.variables[name] = self.slots[key]
        if x.kind.lanes < old.kind.lanes:
            x = cast(self.w, x, x.kind.wide(old.kind.lanes))
        if old.kind != x.kind:  # not even a literal: beside others it would not count as one
            raise Refused(f"{name} is a {old.kind.name} and becomes a {x.kind.name}")
        if self.lanes is not None and old in self.lanes.before:
            raise Refused("rows that meet in one number, but for a sum")
        self.w.do(f"store {old.kind.ir} {cast(self.w, x, old.kind).ir}, ptr {old.place}")

    def _put(self, target: ast.Subscript, x: Value) -> None:
        if not isinstance(x, Number):
            raise Refused("an element that is not a number: write the loop")
        whole = self.value(target.value)
        if isinstance(whole, Several):
            kind, at_place = whole.kind, self._one_of(whole, target)
            self.w.do(f"store {kind.ir} {cast(self.w, x, kind).ir}, ptr {at_place}")
            return
        at = self._element(target, whole)
        if self.lanes is not None and not (isinstance(at, Place) and at.run > 1):
            raise Refused("all rows write one element, or beyond an array")
        if isinstance(at, Place):
            store(self.w, at, x)
            return
        if at.strides is not None and at.room is None:
            raise Refused("all elements of a part that does not lie in one piece")
        x, end, all_of_it = cast(self.w, x, at.kind), size(self.w, at), Flat(at)
        self.loop(literal(0), end, literal(1), lambda i: store(self.w, flat_place(all_of_it, i), x))

    def loop(
        self, start: Number, stop: Number, step: Number, inside: Callable[[Number], object]
    ) -> None:
        """Write a loop over whole numbers."""
        w = self.w
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

        variables = dict(self.variables)
        body, end, before = w.label("loop"), w.label("done"), w.label("before")
        w.branch(goes_on(start), before, end)
        w.begin(before)
        w.jump(body)
        w.begin(body)
        i, following = w.label("%i"), w.label("%next")
        place = len(w.lines)
        w.do(f"{i} = ")  # where it comes from is known at the end
        inside(Number(INT, i))
        self._again(variables)
        w.do(f"{following} = add nsw i64 {i}, {step.ir}")
        w.lines[place] = f"  {i} = phi i64 [ {start.ir}, %{before} ], [ {following}, %{w.block} ]"
        w.branch(goes_on(Number(INT, following)), body, end)
        w.begin(end)

    def _begin_again(self, nodes: Sequence[ast.AST]) -> None:
        """Before a loop: what a turn names before it looks is nothing that goes from turn to turn."""
        parts = [part for node in nodes for part in ast.walk(node) if isinstance(part, ast.For)]
        loops = {part.target.id for part in parts if isinstance(part.target, ast.Name)}
        for name in _first_written(nodes):
            if name in loops or not isinstance(self.variables.get(name), Slot):
                self.variables.pop(name, None)

    def _again(self, before: dict[str, Any]) -> None:
        """At the end of a loop's body: every name stands for what it stood for before the loop."""
        for name, x in before.items():
            if not _same(self.variables.get(name), x):
                raise Refused(f"{name} is something else in the next turn of the loop")
        self.variables = dict(before)  # there may have been no turn at all

    def _do_for(self, node: ast.For) -> bool:
        if node.orelse or not isinstance(node.target, ast.Name):
            raise Refused("a loop of this kind")
        name = node.target.id
        if (name, True) in {use for statement in node.body for use in _uses(statement)}:
            raise Refused(f"{name} is assigned within its own loop")
        left = self._loop_over(node, name)
        self.variables.pop(name, None)  # what it is afterwards is not kept
        return left

    def _loop_over(self, node: ast.For, name: str) -> bool:
        """Write a loop; gives whether it leaves the function."""

        def inside(x: Value) -> None:
            before = dict(self.variables)
            self.variables[name] = x
            if self.run(node.body):
                self.w.begin(self.w.label("never"))
                self.variables = before

        if isinstance(node.iter, ast.Call) and self._named(node.iter.func) is range:
            args = [self._whole(a) for a in node.iter.args]
            if not 1 <= len(args) <= 3 or node.iter.keywords:
                raise Refused("a range of this kind")
            start, stop = (literal(0), args[0]) if len(args) == 1 else args[:2]
            step = args[2] if len(args) == 3 else literal(1)
            self.variables.pop(name, None)
            self._begin_again(node.body)
            self.loop(start, stop, step, inside)
            return False
        over = self.value(node.iter)
        if not isinstance(over, tuple):
            self.variables.pop(name, None)
            self._begin_again(node.body)
        if isinstance(over, Abreast):
            self._over_lanes(node, over)
        elif isinstance(over, tuple):  # written out
            for x in over:
                self.variables[name] = x  # which may be known
                if self.run(node.body):
                    return True
        elif isinstance(over, Array) and len(over.shape) == 1:
            self.loop(
                literal(0),
                over.shape[0],
                literal(1),
                lambda i: inside(load(self.w, self._place_in(over, i))),
            )
        else:
            raise Refused("a loop over this")
        return False

    def _place_in(self, array: Array, i: Number) -> Place:
        found = index(self.w, array, [i])
        assert isinstance(found, Place)
        return found

    def _over_lanes(self, node: ast.For, over: Abreast) -> None:
        """Write a loop over rows, some at a time: every number of a row becomes a vector.

        A row's own variables live within one turn. What is known before the loop can only be added
        to, over the rows.
        """
        assert isinstance(node.target, ast.Name)
        name, w, n = node.target.id, self.w, over.count
        if self.lanes is not None:
            raise Refused("a loop over several rows at a time within another")
        for own in _first_written(node.body):
            if isinstance(self.variables.get(own), Slot):
                del self.variables[own]
        kind = INT.wide(n)
        outside = [x for b in (self, *self._outer()) for x in b.variables.values()]
        slots = {x for x in outside if isinstance(x, Slot)}
        lanes = self.lanes = Lanes(n, literal(True), len(w.lines), slots)

        def inside(first: Number) -> None:
            side_by_side, narrow = (
                Number(k, f"<{', '.join(f'{k.llvm} {lane}' for lane in range(n))}>")
                for k in (kind, KINDS["int32"].wide(n))
            )
            numbers = binary(w, "+", first, side_by_side)
            left = cast(w, binary(w, "-", over.rows, first), KINDS["int32"])
            there = compare(w, "<", narrow, left)
            last = binary(w, "-", over.rows, literal(1))
            clamped = select(w, there, numbers, last)
            lanes.there = there
            self.variables[name] = Rows(kind, clamped.ir, first=first, last=last, there=there)
            if self.run(node.body):
                raise Refused("a return from a loop over several rows at a time")

        self.loop(literal(0), over.rows, literal(n), inside)
        self.lanes = None
        w.lines[lanes.place : lanes.place] = lanes.begin
        for end in lanes.end:
            end()

    def _do_while(self, node: ast.While) -> bool:
        if node.orelse:
            raise Refused("a loop of this kind")
        self._begin_again([node.test, *node.body])
        w, before = self.w, dict(self.variables)
        head, body, end = w.label("while"), w.label("do"), w.label("done")
        w.jump(head)
        w.begin(head)
        condition = self._one_way(node.test)
        if condition.known is False:
            return False
        if condition.known:
            w.jump(body)
        else:
            w.branch(condition, body, end)
        w.begin(body)
        if not self.run(node.body):
            self._again(before)
            w.jump(head)
        if condition.known:  # only a return ends it
            return True
        w.begin(end)
        self.variables = before
        return False

    def _do_if(self, node: ast.If) -> bool:
        w = self.w
        condition = self._one_way(node.test)
        if condition.known is not None:
            return self.run(node.body if condition.known else node.orelse)
        yes, no, end = w.label("yes"), w.label("no"), w.label("end")
        w.branch(condition, yes, no)
        before, ways = self.variables, []
        for label, nodes in ((yes, node.body), (no, node.orelse)):
            w.begin(label)
            self.variables = dict(before)
            if not self.run(nodes):
                w.jump(end)
                ways.append(self.variables)
        if not ways:
            return True
        first, *others = ways
        self.variables = {
            name: x
            for name, x in first.items()
            if all(name in way and _same(x, way[name]) for way in others)
        }
        w.begin(end)
        return False

    def _one_way(self, node: ast.expr) -> Number:
        """A condition by which the text goes on here or there."""
        condition = self._condition(node)
        if condition.kind.lanes > 1:
            raise Refused("rows that go different ways")
        return condition

    def _do_return(self, node: ast.Return) -> bool:
        x = self.value(node.value) if node.value is not None else None
        if x is not None and not isinstance(x, Number):
            raise Refused("several returns, or a loop, in a function that gives no number")
        w = self.w
        self._leave(x is not None)
        if self.inside is not None:
            if x is not None:
                if self.left is None:
                    self.left = Slot(w.slot(x.kind.ir), x.kind)
                at = self.left
                w.do(f"store {at.kind.ir} {self._result(x, at.kind).ir}, ptr {at.place}")
            w.jump(self.end)
            return True
        if x is None:
            w.do("ret void")
        else:
            w.result = w.result or x.kind
            w.do(f"ret {w.result.ir} {self._result(x, w.result).ir}")
        return True

    def _result(self, x: Number, kind: Kind) -> Number:
        if x.kind != kind:
            raise Refused(f"{self.function.node.name} gives a {kind.name} or a {x.kind.name}")
        return cast(self.w, x, kind)

    def _leave(self, gives: bool) -> None:
        """A function gives a number wherever it ends, or nowhere."""
        if self.gives not in (None, gives):
            raise Refused(f"{self.function.node.name} gives a number only sometimes")
        self.gives = gives

    def whole(self) -> None:
        """Write all of a function, up to its end."""
        if not self.run(self.function.node.body):
            with At(self.function.file, self.function.node.body[-1]):
                self._leave(False)
            if self.inside is None:
                self.w.do("ret void")
            else:
                self.w.jump(self.end)

    # -- expressions -------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Value:
        """What an expression stands for."""
        rule: Callable[[Any], Value] | None = getattr(
            self, f"_of_{type(node).__name__.lower()}", None
        )
        if rule is None:
            raise Refused(f"an expression of this kind ({type(node).__name__})")
        return rule(node)

    def number(self, node: ast.expr) -> Number:
        """The number that an expression stands for."""
        x = self.value(node)
        if not isinstance(x, Number):
            raise Refused(f"{ast.unparse(node)} is not a number")
        return x

    def _look(self, name: str) -> Value:
        if name in self.variables:
            x = self.variables[name]
            if isinstance(x, Slot):
                return Number(x.kind, self.w.op(f"load {x.kind.ir}, ptr {x.place}"))
            return x
        if self.function.assigned[name]:
            raise Refused(f"{name} may have no value here")
        return of_python(self.function.look_up(name))

    def _named(self, node: ast.expr) -> Any:
        """The Python object that a name stands for, if the text does not assign it."""
        if isinstance(node, ast.Name) and node.id not in self.variables:
            return self.function.look_up(node.id)
        return None

    def _of_constant(self, node: ast.Constant) -> Value:
        if isinstance(node.value, bool | int | float):
            return literal(node.value)
        return node.value

    def _of_name(self, node: ast.Name) -> Value:
        return self._look(node.id)

    def _of_tuple(self, node: ast.Tuple) -> Value:
        return tuple(self.value(part) for part in node.elts)

    def _of_unaryop(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            return inverse(self.w, self._condition(node.operand))
        x = self.number(node.operand)
        if x.kind.sort == "b" or (isinstance(node.op, ast.Invert) and x.kind.sort == "f"):
            raise Refused(f"{ast.unparse(node)} of a {x.kind.name}")
        if isinstance(node.op, ast.Invert):
            return inverse(self.w, x)
        return negative(self.w, x) if isinstance(node.op, ast.USub) else x

    def _operator(self, node: ast.AST) -> str:
        op = _OPERATORS.get(type(node))
        if op is None:
            raise Refused(f"an operator of this kind ({type(node).__name__})")
        return op

    def _of_binop(self, node: ast.BinOp) -> Value:
        op = self._operator(node.op)
        return binary(self.w, op, self.number(node.left), self.number(node.right))

    def _of_compare(self, node: ast.Compare) -> Value:
        if len(node.ops) > 1:
            raise Refused("a chain of comparisons")
        op, left = self._operator(node.ops[0]), self.number(node.left)
        return compare(self.w, op, left, self.number(node.comparators[0]))

    def _condition(self, node: ast.expr) -> Number:
        """Whether an expression counts as true."""
        if isinstance(node, ast.BoolOp):
            return self._both(node.op, node.values)
        return truth(self.w, self.number(node))

    def _of_boolop(self, node: ast.BoolOp) -> Value:
        found = self._both(node.op, node.values, as_they_are=True)
        return found

    def _both(self, op: ast.boolop, nodes: Sequence[ast.expr], as_they_are: bool = False) -> Number:
        """Whether all of these are true, or any. `as_they_are`: Python gives one of them itself."""
        first, *rest = nodes
        x = self.number(first) if as_they_are else self._condition(first)
        if x.kind.sort != "b":
            raise Refused(f"the value of {ast.unparse(first)} with and, or: it is no boolean")
        w, both = self.w, isinstance(op, ast.And)
        if not rest or (x.known is not None and bool(x.known) != both):
            return x
        if x.known is not None:
            return self._both(op, rest, as_they_are)
        if x.kind.lanes > 1 or not any(_reads(part) for part in rest):
            y = self._both(op, rest, as_they_are)
            if y.known is not None:
                return x if bool(y.known) == both else y
            return binary(w, "&" if both else "|", x, y)
        # The rest is only looked at where it decides: an element may not be there.
        place, more, end = w.slot("i1"), w.label("more"), w.label("end")
        w.do(f"store i1 {x.ir}, ptr {place}")
        w.branch(x, *((more, end) if both else (end, more)))
        w.begin(more)
        w.do(f"store i1 {self._both(op, rest, as_they_are).ir}, ptr {place}")
        w.jump(end)
        w.begin(end)
        return Number(x.kind, w.op(f"load i1, ptr {place}"))

    def _of_ifexp(self, node: ast.IfExp) -> Value:
        w = self.w
        condition = self._condition(node.test)
        if condition.known is not None:
            return self.value(node.body if condition.known else node.orelse)
        plain = not (_reads(node.body) or _reads(node.orelse))
        if plain or condition.kind.lanes > 1:
            x, y = self.number(node.body), self.number(node.orelse)
            self._alike(x, y)
            return select(w, condition, x, y)
        yes, no, end = w.label("yes"), w.label("no"), w.label("end")
        w.branch(condition, yes, no)
        w.begin(yes)
        x = self.number(node.body)
        place = Slot(w.slot(x.kind.ir), x.kind)
        w.do(f"store {x.kind.ir} {cast(w, x, x.kind).ir}, ptr {place.place}")
        w.jump(end)
        w.begin(no)
        y = self.number(node.orelse)
        self._alike(x, y)
        w.do(f"store {x.kind.ir} {cast(w, y, x.kind).ir}, ptr {place.place}")
        w.jump(end)
        w.begin(end)
        return Number(x.kind, w.op(f"load {x.kind.ir}, ptr {place.place}"))

    def _alike(self, x: Number, y: Number) -> None:
        """Python gives one of the two as it is, so both have to be of one kind."""
        if x.kind.wide(1) != y.kind.wide(1):
            raise Refused(f"either a {x.kind.name} or a {y.kind.name}")

    def _of_attribute(self, node: ast.Attribute) -> Value:
        x, name = self.value(node.value), node.attr
        if isinstance(x, Array):
            if name == "shape":
                return x.shape
            if name == "size":
                return size(self.w, x)
            if name == "itemsize":
                return literal(x.kind.size)
            if name == "T":
                return turned(self.w, x)
            if name == "flat":
                return Flat(x)
            if name == "dtype":
                return x
        if isinstance(x, Array) and name == "type":
            return Dtype(x.kind)
        if isinstance(x, ModuleType) and hasattr(x, name):
            return of_python(getattr(x, name))
        raise Refused(f"{ast.unparse(node)} is not known")

    def _of_subscript(self, node: ast.Subscript) -> Value:
        whole = self.value(node.value)
        if isinstance(whole, tuple):
            if isinstance(node.slice, ast.Slice):
                ends = [
                    None if end is None else known_int(self.number(end), "an index")
                    for end in (node.slice.lower, node.slice.upper, node.slice.step)
                ]
                return whole[slice(*ends)]
            at = known_int(self.number(node.slice), "an index")
            if not -len(whole) <= at < len(whole):
                raise Refused(f"number {at} of {len(whole)} values")
            return whole[at]
        if isinstance(whole, Several):
            place = self._one_of(whole, node)
            return Number(whole.kind, self.w.op(f"load {whole.kind.ir}, ptr {place}"))
        found = self._element(node, whole)
        return load(self.w, found) if isinstance(found, Place) else found

    def _one_of(self, whole: Several, node: ast.Subscript) -> str:
        i = known_int(self.number(node.slice), "the number of a variable")
        if not 0 <= i < len(whole.places):
            raise Refused(f"variable {i} of {len(whole.places)}")
        return whole.places[i]

    def _element(self, node: ast.Subscript, whole: Value) -> Place | Array:
        """The element or the part that is meant."""
        if isinstance(whole, Flat):
            i = self._whole(node.slice)
            if isinstance(i.known, int) and i.known < 0:
                i = binary(self.w, "+", size(self.w, whole.array), i)
            return flat_place(whole, i)
        if not isinstance(whole, Array):
            raise Refused(f"{ast.unparse(node.value)} has no elements")
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return index(self.w, whole, [self._part(part) for part in parts])

    def _part(self, node: ast.expr) -> Number | Cut:
        if isinstance(node, ast.Slice):
            if node.step is not None:
                raise Refused("a part with a step")
            low, high = (None if e is None else self._whole(e) for e in (node.lower, node.upper))
            return Cut(low, high)
        return self._whole(node)

    def _whole(self, node: ast.expr) -> Number:
        """A whole number of any kind, as Python's own: what is computed with it fits into that."""
        x = self.number(node)
        if x.kind.sort not in "iu":
            raise Refused(f"{ast.unparse(node)} is no whole number")
        return x if isinstance(x, Rows) else cast(self.w, x, INT.wide(x.kind.lanes))

    def _of_call(self, node: ast.Call) -> Value:
        if node.keywords:
            raise Refused("arguments by name")
        if isinstance(node.func, ast.Attribute) and node.func.attr == "view":
            return self._viewed(self.number(node.func.value), [self.value(a) for a in node.args])
        function = self.value(node.func)
        given = [self.value(a) for a in node.args]
        if isinstance(function, Dtype):
            if len(given) != 1 or not isinstance(given[0], Number):
                raise Refused(f"{', '.join(map(ast.unparse, node.args))} is not a number")
            (x,) = given
            return cast(self.w, x, function.kind.wide(x.kind.lanes))
        try:
            rule = RULES.get(function)
        except TypeError:  # a name for something else
            rule = None
        if rule is not None:
            return rule(self, *given)
        if isinstance(function, FunctionType):
            function = function_of(function)
        if isinstance(function, Function):
            return self.call(function, given)
        raise Refused(f"{ast.unparse(node.func)} is not a function of a kernel")

    def _viewed(self, x: Number, given: Sequence[Value]) -> Number:
        """The same bits as a number of another kind."""
        dtype = given[0] if len(given) == 1 else None
        if not isinstance(dtype, Dtype) or dtype.kind.size != x.kind.size:
            raise Refused("a view of other bits")
        if x.kind.weak or "b" in (x.kind.sort, dtype.kind.sort):
            raise Refused(f"a view of a {x.kind.name} as a {dtype.kind.name}")
        kind = dtype.kind.wide(x.kind.lanes)
        if kind.ir == x.kind.ir:
            return Number(kind, x.ir)
        return Number(kind, self.w.op(f"bitcast {x.kind.ir} {x.ir} to {kind.ir}"))

    # -- calls -------------------------------------------------------------------------------------

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
            inner.whole()
            self.w.begin(inner.end)
        finally:
            self.w.flags = before
        if inner.left is None:
            return None
        at = inner.left
        return Number(at.kind, self.w.op(f"load {at.kind.ir}, ptr {at.place}"))


def _same(x: Value, y: Value) -> bool:
    """Whether two names stand for the same, without looking into what is not the compiler's."""
    ours = (Number, Array, Slot, Several, Flat, Dtype)
    if isinstance(x, tuple) and isinstance(y, tuple):
        return len(x) == len(y) and all(map(_same, x, y))
    return x is y or (type(x) is type(y) and isinstance(x, ours) and x == y)


def _reads(node: ast.expr) -> bool:
    """Whether computing it reads memory, or calls something."""
    return any(isinstance(part, ast.Subscript | ast.Call) for part in ast.walk(node))


def _first_written(nodes: Sequence[ast.AST]) -> set[str]:
    """The variables that these statements write before they read them."""
    seen: dict[str, bool] = {}
    for statement in nodes:
        for name, written in _uses(statement):
            seen.setdefault(name, written)
    return {name for name, written in seen.items() if written}


def _uses(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """The variables in the order in which they are read and written, and whether they are written."""
    if isinstance(node, ast.Name):
        yield node.id, isinstance(node.ctx, ast.Store)
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.For):
        value = node.iter if isinstance(node, ast.For) else node.value
        if value is not None:
            yield from _uses(value)
        for part in ast.iter_child_nodes(node):
            if part is not value:
                yield from _uses(part)
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id, False
        yield from _uses(node.value)
    else:
        for part in ast.iter_child_nodes(node):
            yield from _uses(part)
