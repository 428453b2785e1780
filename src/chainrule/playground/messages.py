"""Messages to the page: a header of JSON, then arrays as they lie in memory; texts in both languages."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.lang.languages import LANGUAGES
from chainrule.lang.messages import in_language

__all__ = ["Fields", "Message", "refused", "told"]

Array = npt.NDArray[Any]

#: A JSON object as it is sent; `page/src/contract.ts` has the types of its fields.
Fields: TypeAlias = dict[str, Any]

#: The kinds of number that are sent, little-endian.
DTYPES = {"f4": "<f4", "f8": "<f8", "i4": "<i4", "u1": "|u1"}
ALIGN = 8


@dataclass
class Message:
    """A kind, the header's other fields, and arrays by name.

    As bytes: the length of the header as uint32, the header as UTF-8, then the arrays; all
    little-endian, each part up to a multiple of 8. The header says of each array its dtype ("f4",
    "f8", "i4", "u1"), its shape, and where it begins, counted from the end of the header. JSON has
    no NaN and no infinity: such a number is null in the header; in an array it stays.

    >>> message = Message("frame", {"step": 3}, {"weights": np.array([0.5, 1.0])})
    >>> Message.from_bytes(message.to_bytes()).arrays["weights"]
    array([0.5, 1. ])
    """

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The message as it is sent."""
        places: Fields = {}
        parts: list[bytes] = []
        at = 0
        for name, array in self.arrays.items():
            dtype = f"{array.dtype.kind}{array.dtype.itemsize}"
            data = np.ascontiguousarray(array, DTYPES[dtype]).tobytes()
            places[name] = {"dtype": dtype, "shape": list(array.shape), "at": at}
            parts += [data, bytes(-len(data) % ALIGN)]
            at += len(data) + -len(data) % ALIGN
        header = {"kind": self.kind, **self.fields, "arrays": places}
        text = json.dumps(plain(header), ensure_ascii=False, allow_nan=False).encode()
        text += b" " * (-(4 + len(text)) % ALIGN)
        return b"".join([len(text).to_bytes(4, "little"), text, *parts])

    @classmethod
    def from_bytes(cls, data: bytes) -> Message:
        """The message in these bytes."""
        end = 4 + int.from_bytes(data[:4], "little")
        header = json.loads(data[4:end])
        arrays = {
            name: np.frombuffer(
                data, DTYPES[place["dtype"]], math.prod(place["shape"]), end + place["at"]
            ).reshape(place["shape"])
            for name, place in header.pop("arrays").items()
        }
        return cls(header.pop("kind"), header, arrays)


def plain(value: object) -> object:
    """A value as JSON has it: NumPy's numbers as Python's, what is not finite as None."""
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value


def told(texts: Iterable[str]) -> dict[str, list[str]]:
    """Texts for people, line by line, in both languages: the page may change from one to the other.

    >>> from chainrule.lang.messages import _
    >>> told([_("Open the page first.")])
    {'en': ['Open the page first.'], 'zh': ['请先打开页面。']}
    """
    kept = list(texts)
    return {
        lang: [line for text in kept for line in in_language(text, lang, "page").splitlines()]
        for lang in LANGUAGES
    }


def refused(errors: Iterable[str], **fields: Any) -> Message:
    """The message that says why a command was refused: `errors` for Python, `told` for the page."""
    kept = list(errors)
    return Message("error", {**fields, "errors": kept, "told": told(kept)})
