"""The preparation of a table, folded into the graph: raw columns in, the network's inputs out.

`PARTS` has one rule for each kind of part that a `Preprocessor` has: a function that writes the part's
columns of the network's inputs, (N, k) float32. A new kind of part needs a rule here, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from chainrule.datasets.fitting import NumberColumn, Part, TextColumn, WordColumn
from chainrule.datasets.preprocessing import Preprocessor
from chainrule.errors import RecordingError
from chainrule.files.onnx.writer import BATCH, ML, Writer
from chainrule.lang.messages import _

__all__ = ["PARTS", "Columns", "write_preparation"]


class Columns:
    """The raw columns of the table, one input (N, 1) each: float64 for numbers, texts for the others.

    NaN, and the empty text, is a missing cell. Where words stand among the numbers of a column, its cells
    are texts.
    """

    def __init__(self, writer: Writer, parts: Iterable[Part]) -> None:
        self.writer = writer
        self.put, self.constant = writer.put, writer.constant
        #: The words that stand for no number, of the columns whose cells are texts.
        self._words = {
            part.name: part.categories for part in parts if not isinstance(part, NumberColumn)
        }
        self._inputs: dict[str, str] = {}

    def input(self, name: str) -> str:
        """The input of a column."""
        if name not in self._inputs:
            kind = np.dtype(object if name in self._words else np.float64)
            self._inputs[name] = self.writer.input(name, kind, (BATCH, 1))
        return self._inputs[name]

    def numbers(self, name: str) -> str:
        """A column of numbers, float64; NaN where a cell is missing, or a word."""
        cells = self.input(name)
        if name not in self._words:
            return cells
        words = list(dict.fromkeys((*self._words[name], "")))
        known = self.put("Less", self.constant(-1, np.int64), self.ids(name, words))
        texts = self.put("Where", known, self.constant(np.array("NaN", object)), cells)
        return self.put("Cast", texts, to=_DOUBLE)

    def ids(self, name: str, categories: Iterable[str]) -> str:
        """The place of each text in a list of them, int64; -1 if it is not there."""
        keys = list(categories)
        return self.put(
            "LabelEncoder", self.input(name), domain=ML,
            keys_strings=keys, values_int64s=list(range(len(keys))), default_int64=-1,
        )  # fmt: skip

    def one_hot(self, name: str, categories: tuple[str, ...]) -> str:
        """1 in the column of each text, else 0: (N, k) float32."""
        places = self.constant(np.arange(len(categories))[None, :])
        same = self.put("Equal", self.ids(name, categories), places)
        return self.put("Cast", same, to=_FLOAT)


#: Codes of ONNX's dtypes.
_FLOAT, _DOUBLE = 1, 11


def _number(columns: Columns, part: NumberColumn) -> str:
    """(cell - mean) / std, and 0 where std is 0; a missing cell counts as the median."""
    put, constant = columns.put, columns.constant
    cells = columns.numbers(part.name)
    filled = put("Where", put("IsNaN", cells), constant(part.median, np.float64), cells)
    if part.std == 0.0:
        return put("Cast", put("Not", put("Equal", filled, filled)), to=_FLOAT)
    centred = put("Sub", filled, constant(part.mean, np.float64))
    return put("Cast", put("Div", centred, constant(part.std, np.float64)), to=_FLOAT)


def _texts(columns: Columns, part: TextColumn | WordColumn) -> str:
    return columns.one_hot(part.name, part.categories)


#: The rule of each kind of part.
PARTS: dict[type[Any], Callable[[Columns, Any], str]] = {
    NumberColumn: _number,
    TextColumn: _texts,
    WordColumn: _texts,
}


def write_preparation(writer: Writer, preparation: Preprocessor) -> str:
    """The inputs of the network, (N, features) float32, from the columns of the table."""
    columns = Columns(writer, preparation.parts)
    for name in preparation.columns:
        columns.input(name)
    blocks = []
    for part in preparation.parts:
        rule = PARTS.get(type(part))
        if rule is None:
            raise RecordingError(
                _(
                    "column {name}: its preparation ({kind}) cannot be written in ONNX.",
                    name=part.name,
                    kind=type(part).__name__,
                )
            )
        writer.part = part.name
        blocks.append(rule(columns, part))
    return writer.put("Concat", *blocks, axis=1, name="prepared")
