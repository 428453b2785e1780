"""The parts of a protobuf message, counted before they are made: two bytes of a file can take a hundred."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.errors import FormatError
from chainrule.lang.messages import Text, _, sentences

__all__ = ["MAX_NODES", "count_parts", "damaged"]

MAX_NODES = 10_000
#: The most nodes, arrays, inputs, settings and the like, one in another counted, too.
MAX_PARTS = 200_000
MAX_DEPTH = 32
_AGAIN = _("The file is damaged, or not a network; get it again, or export it again.")


def damaged(what: Text) -> FormatError:
    """The error for a damaged file."""
    return FormatError(sentences(what, _AGAIN))


#: The parts that messages of ONNX hold, by the number of their field; "node" and the like are messages.
_PARTS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "leaf", 14: "leaf", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph", 3: "leaf", 4: "leaf"},
    "function": {7: "node", 9: "leaf", 11: "attribute", 12: "leaf"},
    "graph": {
        1: "node", 5: "leaf", 11: "leaf", 12: "leaf", 13: "leaf", 14: "leaf", 15: "leaf", 16: "leaf",
    },
    "node": {1: "leaf", 2: "leaf", 5: "attribute", 9: "leaf"},
    "attribute": {5: "leaf", 6: "graph", 9: "leaf", 10: "leaf", 11: "graph", 22: "leaf"},
}  # fmt: skip


def count_parts(data: bytes, where: str) -> None:
    """Count the parts without making them, since one of two bytes takes a hundred once it is made."""
    left, nodes = MAX_PARTS, MAX_NODES
    ahead = [("model", 0, len(data), 0)]
    while ahead:
        kind, start, end, depth = ahead.pop()
        if depth > MAX_DEPTH:
            raise FormatError(
                _(
                    "{where}: graphs lie in graphs more than {most} deep.",
                    where=where,
                    most=MAX_DEPTH,
                )
            )
        for field, low, high in _fields(data, start, end, where):
            inner = _PARTS[kind].get(field)
            if inner is None:
                continue
            left -= 1
            nodes -= inner == "node"
            if nodes < 0 or left < 0:
                raise FormatError(
                    _(
                        "{where} has more than {nodes:,} nodes, or {parts:,} parts in all, which no network"
                        " of the kind that chainrule reads has.",
                        where=where,
                        nodes=MAX_NODES,
                        parts=MAX_PARTS,
                    )
                )
            if inner != "leaf":
                ahead.append((inner, low, high, depth + 1))


def _fields(data: bytes, place: int, end: int, where: str) -> Iterator[tuple[int, int, int]]:
    """The fields of a message that have a length: number, and where the contents begin and end."""
    cut = damaged(_("{where} is no ONNX file, or cut short.", where=where))
    while place < end:
        tag, place = _varint(data, place, end, cut)
        field, wire = tag >> 3, tag & 7
        if wire == 2:
            length, place = _varint(data, place, end, cut)
            if place + length > end:
                raise cut
            yield field, place, place + length
            place += length
        elif wire == 0:
            _value, place = _varint(data, place, end, cut)
        elif wire in (1, 5):
            place += 8 if wire == 1 else 4
        else:
            raise cut
    if place > end:
        raise cut


def _varint(data: bytes, place: int, end: int, cut: FormatError) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= end:
            break
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise cut
