"""The page's types, read from its TypeScript: as much of the language as `contract.ts` needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["Contract"]

_TOKEN = re.compile(r'"[^"]*"|\w+|[{}\[\]<>|;:,?=]')
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_DECLARED = re.compile(r"export (interface|type) (\w+)(?: extends (\w+))?(?: =)?")
#: What Python has for TypeScript's own types; True is no number.
_PLAIN: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}

#: A type: its kind, and what it is made of.
Type: TypeAlias = tuple[str, Any]


@dataclass
class Contract:
    """The types of some files. `problems` compares a value with one of them, both ways.

    >>> contract = Contract('export interface A { one: number; two?: string[] }')
    >>> list(contract.problems({"one": 1, "two": ["a"]}, "A"))
    []
    >>> list(contract.problems({"two": [1], "three": 3}, "A"))
    ['A.one is not there', 'A.three is not in the contract', 'A.two[0] is 1, not string']
    """

    text: str
    types: dict[str, Type] = field(default_factory=dict)
    #: Fields that need not be there, by the path of their type; and those that were, in some value.
    optional: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        text = _COMMENT.sub("", self.text)
        for found in _DECLARED.finditer(text):
            self.types[found[2]] = _Reader(text[found.end() :]).type()

    @classmethod
    def of(cls, *paths: Path) -> Contract:
        """The types that these files export."""
        return cls("\n".join(path.read_text("utf-8") for path in paths))

    def problems(self, value: Any, name: str) -> Iterator[str]:
        """In what a value is not of the type of this name."""
        yield from self._compared(value, self.types[name], name, name)

    def _compared(self, value: Any, wanted: Type, at: str, owner: str) -> Iterator[str]:
        """`at` is where the value stands, `owner` the type that it is a part of."""
        kind, parts = wanted
        if kind == "name" and parts in self.types:
            yield from self._compared(value, self.types[parts], at, parts)
        elif kind == "union":
            found = [list(self._compared(value, part, at, owner)) for part in parts]
            if all(found):
                yield from min(found, key=len)
        elif kind == "array" and isinstance(value, list):
            for k, each in enumerate(value):
                yield from self._compared(each, parts, f"{at}[{k}]", owner)
        elif kind == "tuple" and isinstance(value, list) and len(value) == len(parts):
            for k, (each, part) in enumerate(zip(value, parts, strict=True)):
                yield from self._compared(each, part, f"{at}[{k}]", owner)
        elif kind == "record" and isinstance(value, dict):
            names, each = parts
            for key, held in value.items():
                yield from self._compared(key, names, f"{at}, {key}", owner)
                yield from self._compared(held, each, f"{at}.{key}", owner)
        elif kind in ("object", "partial") and isinstance(value, dict):
            yield from self._fields(value, wanted, at, owner)
        elif not _is_plain(value, wanted):
            yield f"{at} is {value!r:.60}, not {_written(wanted)}"

    def _fields(self, value: dict[str, Any], wanted: Type, at: str, owner: str) -> Iterator[str]:
        partial = wanted[0] == "partial"
        fields = self.types[wanted[1]][1] if partial else wanted[1]
        for name, (may_miss, _) in fields.items():
            if may_miss and not partial:
                self.optional.add(f"{owner}.{name}")
            if name not in value and not (may_miss or partial):
                yield f"{at}.{name} is not there"
        for name in value.keys() - fields.keys():
            yield f"{at}.{name} is not in the contract"
        for name in value.keys() & fields.keys():
            if not partial:
                self.seen.add(f"{owner}.{name}")
            yield from self._compared(value[name], fields[name][1], f"{at}.{name}", owner)


class _Reader:
    """Reads one type from the beginning of a text."""

    def __init__(self, text: str) -> None:
        self.tokens = [found[0] for found in _TOKEN.finditer(text)]
        self.at = 0

    def take(self, token: str) -> bool:
        """Whether this comes next; then it is passed."""
        found = self.tokens[self.at : self.at + 1] == [token]
        self.at += found
        return found

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def type(self) -> Type:
        """A type, or several with | between them."""
        self.take("|")
        found = [self.one()]
        while self.take("|"):
            found.append(self.one())
        return found[0] if len(found) == 1 else ("union", found)

    def one(self) -> Type:
        token = self.next()
        if token == "{":
            found: Type = ("object", self.fields())
        elif token == "[":
            parts = [self.type()]
            while self.take(","):
                parts.append(self.type())
            assert self.take("]")
            found = ("tuple", parts)
        elif token.startswith('"'):
            found = ("literal", token[1:-1])
        elif token in ("Record", "Partial"):
            assert self.take("<")
            of = [self.type()]
            while self.take(","):
                of.append(self.type())
            assert self.take(">")
            found = ("record", of) if token == "Record" else ("partial", of[0][1])
        else:
            found = ("name", token)
        while self.take("["):
            assert self.take("]")
            found = ("array", found)
        return found

    def fields(self) -> dict[str, tuple[bool, Type]]:
        """Fields up to the closing brace: whether they may miss, and their types."""
        found = {}
        while not self.take("}"):
            name = self.next()
            may_miss = self.take("?")
            assert self.take(":"), name
            found[name] = (may_miss, self.type())
            self.take(";")
        return found


def _is_plain(value: Any, wanted: Type) -> bool:
    """Whether a value is of a type that is made of no others."""
    kind, name = wanted
    if kind == "literal":
        return bool(value == name)
    alike = isinstance(value, bool) == (name == "boolean")
    return kind == "name" and isinstance(value, _PLAIN.get(name, ())) and alike


def _written(wanted: Type) -> str:
    kind, parts = wanted
    if kind == "union":
        return " | ".join(map(_written, parts))
    return f'"{parts}"' if kind == "literal" else parts if kind == "name" else kind
