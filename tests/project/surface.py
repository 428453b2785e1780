"""The public surface: every public name, with what its classes show and what its functions take.

`python -m tests.project.surface` writes `surface.txt` anew, after a change that is meant.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chainrule as cr

__all__ = ["GOLDEN", "lines"]

GOLDEN = Path(__file__).with_name("surface.txt")
#: Rooms that are public by their own names.
ROOMS = (
    "datasets",
    "errors",
    "files",
    "figures",
    "layers",
    "nodes",
    "optimizers",
    "schedules",
    "training",
)


def lines() -> Iterator[str]:
    """One line a name, in order."""
    for name in sorted(n for n in dir(cr) if not n.startswith("_")):
        yield from _told(f"cr.{name}", getattr(cr, name))
    for room in ROOMS:
        module = getattr(cr, room)
        for name in sorted(module.__all__):
            if not hasattr(cr, name):
                yield from _told(f"cr.{room}.{name}", getattr(module, name))


def _told(name: str, thing: Any) -> Iterator[str]:
    if inspect.isclass(thing):
        bases = ", ".join(
            b.__name__ for b in thing.__mro__[1:-1] if b.__module__.startswith("chainrule")
        )
        yield f"class {name}({bases}){_signature(thing)}"
        for member in sorted(n for n in dir(thing) if not n.startswith("_")):
            if not any(
                member in vars(b) for b in thing.__mro__ if b.__module__.startswith("chainrule")
            ):
                continue  # what Python's own classes have
            if thing.__mro__[1:] and _inherited(thing, member):
                continue
            held = inspect.getattr_static(thing, member)
            if isinstance(held, staticmethod | classmethod):
                held = held.__func__
            called = inspect.isfunction(held)
            yield f"    {member}{_signature(held) if called else ''}"
    elif callable(thing):
        yield f"{name}{_signature(thing)}"
    else:
        yield f"{name}: {type(thing).__name__}"


def _inherited(kind: type, member: str) -> bool:
    """Whether a public class above says it already."""
    above = [b for b in kind.__mro__[1:] if b.__module__.startswith("chainrule")]
    return member not in vars(kind) and any(member in vars(b) for b in above)


def _signature(thing: Any) -> str:
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return "(…)"
    told, star = [], False
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not star:
            star = True
            told.append("*")
        star = star or p.kind is p.VAR_POSITIONAL
        sign = "*" if p.kind is p.VAR_POSITIONAL else "**" if p.kind is p.VAR_KEYWORD else ""
        plain = p.default is None or isinstance(p.default, bool | int | float | str)
        default = "" if p.default is p.empty else f"={p.default!r}" if plain else "=…"
        told.append(f"{sign}{p.name}{default}")
    return f"({', '.join(told)})"


if __name__ == "__main__":
    GOLDEN.write_text("\n".join(lines()) + "\n", "utf-8")
