"""Writing LLVM IR as text: a module, and one function of it at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.engine.compiler.kinds import Kind
from chainrule.engine.compiler.values import Number
from chainrule.engine.names import Names

__all__ = ["CAREFUL", "CONSTANTS", "FREE", "Module", "Writer"]

#: Sums may be reordered (the machine code then fixes the order, so bits repeat), but NaN and
#: infinity keep their meaning: training checks for them.
FREE = "contract reassoc nsz arcp afn "
#: Only a·b + c may become one instruction.
CAREFUL = "contract "

#: LLVM may copy a function into those that call it, unless they do so more often than this.
MOST_COPIES = 16

#: What marks loads from constant arrays, as others are marked that never meet them: so a loop with both
#: may become one of vectors.
CONSTANTS = "!0"
_SCOPES = "!0 = !{!1}\n!1 = distinct !{!1, !2}\n!2 = distinct !{!2}"

_CALLED = re.compile(r"call fastcc [^\n@]*@([\w.]+)\(")


class Module:
    """Declarations and functions, and which function was made for which arguments."""

    def __init__(
        self, outside: Callable[[Writer, Any, Sequence[Any]], Any], vector_bytes: int
    ) -> None:
        self.vector_bytes = vector_bytes
        #: What calls a function that is not written into its callers: see `outlining`.
        self.outside = outside
        self.declared: dict[str, None] = {}
        #: Names of constant arrays, by what they hold.
        self.constants: dict[str, str] = {}
        self.functions: list[str] = []
        #: Functions that are called: name, and the kind of the result.
        self.made: dict[tuple[Any, ...], tuple[str, Kind | None]] = {}
        self._names = Names()
        #: Functions that are being written.
        self.begun: list[Any] = []

    def declare(self, line: str) -> None:
        """Declare a function of LLVM or of C, once."""
        self.declared.setdefault(f"declare {line}")

    def constant(self, text: str) -> str:
        """The name of a constant with this type and value, the same for all that ask for it."""
        return self.constants.setdefault(text, f"@our.constant{len(self.constants)}")

    def name(self, wanted: str) -> str:
        """A name for a function that no other has, nor one of C."""
        return f"our.{self._names.unique(wanted)}"

    def text(self) -> str:
        """The module as LLVM reads it."""
        calls = Counter(_CALLED.findall("\n".join(self.functions)))
        functions = [self._told(text, calls) for text in self.functions]
        constants = (
            f"{name} = private unnamed_addr constant {text}"
            for text, name in self.constants.items()
        )
        return "\n".join([*self.declared, *constants, *functions, _SCOPES]) + "\n"

    def _told(self, text: str, calls: Counter[str]) -> str:
        """A function's text, by which LLVM copies it into its callers only if they are few."""
        head, rest = text.split("\n", 1)
        often = calls[head.partition("@")[2].partition("(")[0]] > MOST_COPIES
        if often and " noinline" not in head:
            head = head.replace(" nounwind", " nounwind noinline", 1)
        return f"{head}\n{rest}"


class Writer:
    """The lines of one function."""

    def __init__(self, module: Module, flags: str = FREE) -> None:
        self.module, self.flags = module, flags
        self.lines: list[str] = []
        self.slots: list[str] = []
        self.block = "entry"
        self.result: Kind | None = None
        self._count = 0

    def op(self, text: str) -> str:
        """An instruction with a result; gives its register."""
        self._count += 1
        name = f"%t{self._count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """An instruction without a result."""
        self.lines.append(f"  {text}")

    def is_before(self, value: str, line: int) -> bool:
        """Whether a value is a constant, an argument, or computed before that line."""
        made = value.startswith(("%t", "%i", "%next"))
        start = f"  {value} = "
        return not made or any(text.startswith(start) for text in self.lines[:line])

    def slot(self, llvm: str) -> str:
        """A place on the stack for a value of this type; LLVM makes it a register where it can."""
        self._count += 1
        name = f"%s{self._count}"
        self.slots.append(f"  {name} = alloca {llvm}")
        return name

    def label(self, hint: str) -> str:
        """A name for a block."""
        self._count += 1
        return f"{hint}{self._count}"

    def begin(self, label: str) -> None:
        """Begin a block."""
        self.lines.append(f"{label}:")
        self.block = label

    def jump(self, label: str) -> None:
        """Go on in another block."""
        self.do(f"br label %{label}")

    def branch(self, condition: Number, yes: str, no: str) -> None:
        """Go on in one of two blocks."""
        self.do(f"br i1 {condition.ir}, label %{yes}, label %{no}")

    def intrinsic(self, name: str, kind: Kind, *args: Number, flags: bool = True) -> Number:
        """Call a function of LLVM or C whose arguments and result are of one kind."""
        self.module.declare(f"{kind.ir} @{name}({', '.join([kind.ir] * len(args))})")
        given = ", ".join(f"{kind.ir} {a.ir}" for a in args)
        free = self.flags if flags and kind.sort == "f" else ""
        return Number(kind, self.op(f"call {free}{kind.ir} @{name}({given})"))

    def body(self) -> str:
        """All lines, the places on the stack first."""
        return "entry:\n" + "\n".join([*self.slots, *self.lines])
