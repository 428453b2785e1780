"""Random programs in the language of kernels, from a seed.

Every expression has a kind, so that nothing is refused for what it is, and every index is within its
array. What a name stands for may depend on the way a place is reached: then the compiler refuses,
and the drawing goes on with another program.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

__all__ = ["ARRAYS", "LENGTH", "Program", "drawn"]

#: The arrays that every program is given, all of one length, and the kinds of their numbers.
ARRAYS = {
    "xs": "float64", "ys": "float32", "zs": "int64", "us": "uint8", "ts": "bool", "vs": "uint64",
    "ss": "int32",
}  # fmt: skip
LENGTH = 6
_WHOLE = ("int64", "int32", "uint8", "uint64")
_REAL = ("float64", "float32")

#: Functions that are written into their callers, and such that are not.
HELPERS = """
def settled(a, k):
    for i in range(k):
        if a[i] == a[k]:
            return i
        a[i] = a[i + 1]
    return -1


def counted(a, low):
    n = 0
    for k in a:
        if not k <= low:
            n += 1
    return n


def swept(a, b, k):
    for i in range(len(a) - 1, -1, -k):
        b[i] = a[i]
        if i > 3:
            a[i] = b[i - 1]


"""


@dataclass
class Program:
    """A text with the function `f`, and how many numbers it notes."""

    text: str
    notes: int


@dataclass
class _Drawing:
    rng: random.Random
    #: By kind, the variables that have a value; loop variables are none to assign.
    names: dict[str, list[str]] = field(default_factory=dict)
    loops: list[str] = field(default_factory=list)
    views: dict[str, tuple[str, int]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    count: int = 0

    def pick(self, *of: str) -> str:
        return self.rng.choice(of)

    def fresh(self) -> str:
        self.count += 1
        return f"v{self.count}"

    # -- expressions ------------------------------------------------------------------------------

    def index(self) -> str:
        """A whole number from 0 to LENGTH - 1."""
        if self.rng.random() < 0.4:
            return str(self.rng.randrange(-LENGTH, LENGTH))
        return f"({self.small()}) % {LENGTH}"

    def small(self, depth: int = 1) -> str:
        """A Python whole number, which never grows large."""
        if self.loops and self.rng.random() < 0.4:
            return self.rng.choice(self.loops)
        if depth and self.rng.random() < 0.5:
            a, b = self.small(depth - 1), self.small(depth - 1)
            return self.pick(f"({a} + {b})", f"({a} - {b})", f"{a} % 7", f"min({a}, {b})", f"({a} // 3)",
                             f"max({a}, {b})", f"(-{a})", f"({a} if {self.condition(0)} else {b})",
                             f"helpers.clipped({a}, -3, {b})", f"abs({a})", f"({a} & {b})")  # fmt: skip
        return self.pick("n", "m", str(self.rng.randrange(-4, 9)), "len(xs)", "zs.size",
                         *self.names.get("small", []))  # fmt: skip

    def expression(self, kind: str, depth: int = 2) -> str:
        if kind == "small":
            return f"({self.small()}) % 11"
        if kind == "bool":
            return self.condition(depth)
        if depth == 0 or self.rng.random() < 0.25:
            return self.leaf(kind)
        a, b = self.expression(kind, depth - 1), self.expression(kind, depth - 1)
        common = [
            f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"({a} if {self.condition(depth - 1)} else {b})",
            f"abs({a})", f"square({a})", f"(-{a})", f"maximum({a}, {b})", f"minimum({a}, {b})",
            f"helpers.clipped({a}, {b}, {self.leaf(kind)})", f"helpers.nested({a}, {b}, {self.leaf(kind)})",
        ]  # fmt: skip
        if kind in _REAL:
            common += [
                f"({a} / {b})",
                f"({a} * 0.5)",
                f"(2 - {a})",
                f"floor({a})",
                f"sqrt(abs({a}))",
                f"rint({a})",
            ]
            common += [f"{kind}({self.expression(k, depth - 1)})" for k in (*_WHOLE, *_REAL)]
        else:
            shift = self.rng.randrange(0, 8)
            common += [f"({a} // {b})", f"({a} % {b})", f"({a} & {b})", f"({a} | {b})", f"({a} ^ {b})",
                       f"(~{a})", f"({a} << {kind}({shift}))", f"({a} >> {kind}({shift}))", f"({a} // 3)",
                       f"({a} + 1)", f"sign({a})", f"({a} >> ({b} & {kind}(63)))"]  # fmt: skip
            common += [f"{kind}({self.expression(k, depth - 1)})" for k in (*_WHOLE, "bool")]
            if kind in ("int64", "uint64"):
                common.append(f"{a}.view({'uint64' if kind == 'int64' else 'int64'}).view({kind})")
        return self.rng.choice(common)

    def leaf(self, kind: str) -> str:
        array = next(name for name, k in ARRAYS.items() if k == kind)
        found = [f"{array}[{self.index()}]", *self.names.get(kind, [])]
        found += [
            f"{v}[{self.rng.randrange(size)}]"
            for v, (k, size) in self.views.items()
            if k == kind and size
        ]
        if self.rng.random() < 0.2:
            number = self.rng.randrange(0, 9) + (self.rng.choice([0, 0.5]) if kind in _REAL else 0)
            return f"{'bool_' if kind == 'bool' else kind}({number})"
        return self.rng.choice(found)

    def condition(self, depth: int = 1) -> str:
        kind = self.pick(*ARRAYS.values(), "small")
        if kind == "bool":
            return self.leaf("bool")
        a, b = (
            self.small() if kind == "small" else self.expression(kind, min(depth, 1))
            for _ in range(2)
        )
        if kind in _WHOLE and self.rng.random() < 0.3:
            b = self.pick("-1", "3", "300", self.leaf(self.pick(*_WHOLE)))
        one = f"({a} {self.pick('<', '<=', '>', '>=', '==', '!=')} {b})"
        if depth and self.rng.random() < 0.4:
            other = self.condition(depth - 1)
            return self.pick(f"({one} and {other})", f"({one} or {other})", f"(not {one})",
                             f"({one} & {other})", f"({one} ^ {other})")  # fmt: skip
        return one

    # -- statements -------------------------------------------------------------------------------

    def block(self, pad: str, depth: int, size: int) -> None:
        """Statements, which name things for those in their block alone."""
        before, views = {k: list(v) for k, v in self.names.items()}, dict(self.views)
        if size == 0:
            self.lines.append(f"{pad}pass")
        for _ in range(size):
            self.statement(pad, depth)
        if (
            pad != "    " and self.rng.random() < 0.8
        ):  # else what follows may name what has no value
            self.names, self.views = before, views

    def assignable(self) -> tuple[str, str] | None:
        found = [(k, name) for k, names in self.names.items() for name in names]
        return self.rng.choice(found) if found else None

    def statement(self, pad: str, depth: int) -> None:
        some = self.assignable()
        kind = self.pick(*ARRAYS.values(), "small")
        choice = self.rng.random()
        if choice < 0.2 or some is None:
            name = self.fresh()
            self.lines.append(f"{pad}{name} = {self.expression(kind)}")
            self.names.setdefault(kind, []).append(name)
        elif choice < 0.35:
            kind, name = some
            self.lines.append(f"{pad}{name} = {self.expression(kind)}")
        elif choice < 0.42:
            kind, name = some
            if kind == "bool":
                self.lines.append(f"{pad}{name} ^= {self.condition()}")
            elif kind == "small":
                self.lines.append(f"{pad}{name} = {name} % 9 - {self.small()}")
            else:
                op = (
                    self.pick("+", "-", "*")
                    if kind in _REAL
                    else self.pick("+", "-", "*", "^", "|", "&", "//", "%")
                )
                self.lines.append(f"{pad}{name} {op}= {self.expression(kind)}")
        elif choice < 0.6:
            array, kind = self.rng.choice(list(ARRAYS.items()))
            op = self.pick("=", "=", "+=", "*=") if kind != "bool" else "="
            self.lines.append(f"{pad}{array}[{self.index()}] {op} {self.expression(kind)}")
        elif choice < 0.65:
            self.swap(pad)
        elif choice < 0.7:
            self.part(pad)
        elif choice < 0.74:
            array, kind = self.rng.choice([(a, k) for a, k in ARRAYS.items() if k != "bool"])
            name = self.fresh()
            call = self.pick(
                f"settled({array}, {self.rng.randrange(LENGTH)})",
                f"counted({array}, {self.leaf(kind)})",
            )
            self.lines.append(f"{pad}{name} = {call}")
            self.names.setdefault("small", []).append(name)
        elif choice < 0.76:
            array = self.pick(*ARRAYS)
            other = self.pick(array, *(a for a, k in ARRAYS.items() if k == ARRAYS[array]))
            self.lines.append(f"{pad}swept({array}, {other}, {self.rng.randrange(1, 4)})")
        elif depth == 0:
            self.lines.append(f"{pad}xs[{self.index()}] = {self.expression('float64')}")
        elif choice < 0.86:
            self.branch(pad, depth)
        elif choice < 0.96:
            self.loop(pad, depth)
        elif pad != "    ":
            self.lines.append(f"{pad}if {self.condition()}:")
            self.lines.append(f"{pad}    return {self.small()}")

    def swap(self, pad: str) -> None:
        kind = self.rng.choice(list(self.names))
        names = self.names[kind]
        if len(names) > 1:
            p, q = self.rng.sample(names, 2)
            self.lines.append(f"{pad}{p}, {q} = {q}, {p}")
            return
        array = self.pick(*ARRAYS)
        i, j = self.index(), self.index()
        self.lines.append(f"{pad}{array}[{i}], {array}[{j}] = {array}[{j}], {array}[{i}]")

    def part(self, pad: str) -> None:
        array, name = self.pick(*ARRAYS), self.fresh()
        low = self.rng.randrange(LENGTH + 1)
        high = self.rng.randrange(low, LENGTH + 1)
        self.lines.append(f"{pad}{name} = {array}[{low}:{high}]")
        self.views[name] = ARRAYS[array], high - low
        if self.rng.random() < 0.4:
            self.lines.append(f"{pad}{name}[:] = {self.expression(ARRAYS[array])}")

    def branch(self, pad: str, depth: int) -> None:
        self.lines.append(f"{pad}if {self.condition()}:")
        self.block(f"{pad}    ", depth - 1, self.rng.randrange(1, 4))
        if self.rng.random() < 0.6:
            self.lines.append(f"{pad}else:")
            self.block(f"{pad}    ", depth - 1, self.rng.randrange(0, 4))

    def loop(self, pad: str, depth: int) -> None:
        name, size = self.fresh(), self.rng.randrange(1, 4)
        way = self.rng.random()
        if way < 0.2:
            self.lines += [
                f"{pad}{name} = 0",
                f"{pad}while {name} < {self.rng.randrange(4)} and {self.condition()}:",
            ]
            self.loops.append(name)
            self.block(f"{pad}    ", depth - 1, size)
            self.lines.append(f"{pad}    {name} += 1")
            self.loops.pop()
            return
        if way < 0.6:
            low, high = sorted(self.rng.randrange(-3, 4) for _ in range(2))
            step = self.rng.randrange(1, 4)
            turns = self.pick(f"range({high})", f"range({low}, {high}, {step})",
                              f"range({high}, {low}, -{step})",
                              f"range({self.small()} % 4)", f"range(n, {self.small()} % 9, m)")  # fmt: skip
            self.lines.append(f"{pad}for {name} in {turns}:")
            self.loops.append(name)
            self.block(f"{pad}    ", depth - 1, size)
            self.loops.pop()
            return
        if way < 0.8:
            array, kind = self.rng.choice(list(ARRAYS.items()))
            over = array
        else:
            kind = self.pick(*ARRAYS.values())
            over = f"({self.leaf(kind)}, {self.leaf(kind)})"
        self.lines.append(f"{pad}for {name} in {over}:")
        before = {k: list(v) for k, v in self.names.items()}
        self.lines.append(f"{pad}    {name}_ = {name}")
        self.names.setdefault(kind, []).append(f"{name}_")
        self.block(f"{pad}    ", depth - 1, size)
        self.names = before


def drawn(seed: int) -> Program:
    """The program of a seed."""
    d = _Drawing(random.Random(seed))
    for kind in (*ARRAYS.values(), "small"):
        if d.rng.random() < 0.7:
            name = d.fresh()
            d.lines.append(f"    {name} = {d.expression(kind, 1)}")
            d.names.setdefault(kind, []).append(name)
    for _ in range(d.rng.randrange(4, 10)):
        d.statement("    ", 2)
    notes = [name for names in d.names.values() for name in names]
    d.lines += [f"    note(words, 0, {k}, {name})" for k, name in enumerate(notes)]
    head = f"def f(n, m, {', '.join(ARRAYS)}, words):"
    return Program("\n".join([HELPERS, head, *d.lines, f"    return {d.small()}", ""]), len(notes))
