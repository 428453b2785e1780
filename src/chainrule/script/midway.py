"""A training that goes on from the middle, and its losses at the end: what else a program says then."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from chainrule.graph.variable import Array
from chainrule.lang.messages import _
from chainrule.script.page import Function, Page, lay_out, widths_of
from chainrule.script.recorded import record_evaluation
from chainrule.script.wording import comment, docstring, listed, printed

if TYPE_CHECKING:
    from chainrule.graph.variable import Parameter

__all__ = ["Evaluation", "Start"]


@dataclass(frozen=True)
class Start:
    """Where a training goes on: what its steps so far left beside parameters and buffers.

    `epochs` are complete, and of the next one `batches` were taken, whose losses add up to `total`
    over their rows; `generator` is the state of the generator before that epoch's order was drawn.
    `slots` are the optimizer's, by name and parameter, after so many `updates`.
    """

    epochs: int = 0
    batches: int = 0
    total: float = 0.0
    generator: Mapping[str, Any] = field(default_factory=dict)
    updates: int = 0
    slots: Mapping[str, Mapping[Parameter, Array]] = field(default_factory=dict)

    def states(
        self, page: Page, names: Mapping[str, str], params: Sequence[Parameter]
    ) -> list[str]:
        """The lines that assign the lists of slots, whose arrays are saved with the program."""
        lines: list[str] = []
        for slot, name in names.items():
            kept = []
            for p in params:
                saved = page.names.unique(f"{slot}_{page.parameters[p]}")
                page.arrays[saved] = self.slots[slot][p]
                kept.append(f'kept["{saved}"]')
            lines += listed(name, kept)
        return lines

    def generator_lines(self, lang: str) -> list[str]:
        """The lines that put the generator where it was."""
        note = _("The generator as it was when this epoch began.")
        state = json.dumps(self.generator, indent=4).splitlines()
        # As formatters write it: with a comma behind the last entry, too.
        text = [line if line[-1] in "{," else f"{line}," for line in state[:-1]]
        return [*comment(note, lang), f"rng.bit_generator.state = {text[0]}", *text[1:], "}"]

    def span(self, steps: int | None, epochs: int, size: int, rows: int) -> Span:
        """The loops over epochs and batches: to the end of so many epochs, or for so many steps."""
        first, last, whole = self.epochs + 1, epochs, ""
        begin, end, total = "0", "len(x)", "0.0"
        if steps is not None:
            due = self.batches + steps
            last = self.epochs + math.ceil(due / math.ceil(rows / size))
            if left := due % math.ceil(rows / size):
                end = f"{left * size} if epoch == {last} else len(x)"
                whole = f"if epoch < {last}:"
        if self.batches:
            begin = f"{self.batches * size} if epoch == {first} else 0"
            total = f"{self.total!r} if epoch == {first} else 0.0"
        return Span(f"range({first}, {last + 1})", f"range({begin}, {end}, {size})", total, whole)


class Span(NamedTuple):
    """How a program loops: over epochs, over the starts of batches, from which sum of losses."""

    epochs: str
    starts: str
    total: str
    #: The condition under which an epoch's loss is printed, if there is one.
    printed: str


class Evaluation:
    """The lines that print the loss of the trained network, on the training rows and on others."""

    def __init__(self, page: Page, data: Mapping[str, Array], test: tuple[Any, Any]) -> None:
        self.page = page
        self.parts = {"x": (data["x"], test[0]), "t": (data["t"], test[1])}
        page.arrays |= {f"{name}_test": array for name, (_train, array) in self.parts.items()}
        used = tuple(dict.fromkeys(len(a) for a in self.parts["x"] if len(a)))
        laid_out = lay_out(
            lambda n: record_evaluation(page.network, [*data.items()], n),
            widths_of(page.network, *data.values()),
            used,
        )
        self.functions: list[Function] = [
            page.function(recording, sizes, recording.arguments) for recording, sizes in laid_out
        ]

    def blocks(self) -> list[str]:
        """The functions that compute the loss, without what is for training only."""
        doc = _("The loss of these rows, as the network predicts.")
        return [
            "\n".join(
                [
                    f"def {name}(x, t):",
                    f"    {docstring(doc, self.page.lang)}",
                    *function.lines,
                    f"    return float({function.e.text(function.recording.out)})",
                ]
            )
            for function, name in zip(self.functions, ("evaluate", "evaluate_test"), strict=False)
        ]

    def data_lines(self) -> list[str]:
        """The lines that assign the other rows."""
        return [f'{name}_test = kept["{name}_test"]' for name in self.parts]

    def lines(self) -> list[str]:
        """The last lines of the program."""
        lang, last = self.page.lang, "evaluate" if len(self.functions) == 1 else "evaluate_test"
        train = _("training rows: loss {loss}", loss="{evaluate(x, t)}")
        test = _("test rows: loss {loss}", loss=f"{{{last}(x_test, t_test)}}")
        lines = [f"print({printed(train, lang)})"]
        return [*lines, f"print({printed(test, lang)})"] if len(self.parts["x"][1]) else lines
