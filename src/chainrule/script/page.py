"""The parts of every program: imports, loaded arrays, parameters, functions."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from chainrule.engine.compiled.symbolic import unlike
from chainrule.engine.names import Names
from chainrule.engine.naming import parameter_names
from chainrule.engine.origins import Origin
from chainrule.engine.primitives import Function as PyFunction
from chainrule.engine.protocols import RecordableNetwork
from chainrule.engine.trace import Traced
from chainrule.errors import ChainruleError, RecordingError
from chainrule.graph.variable import Array
from chainrule.lang.messages import _
from chainrule.layers.base import Layer
from chainrule.nodes import random
from chainrule.script.body import Body
from chainrule.script.data import MAKERS
from chainrule.script.expressions import Expressions
from chainrule.script.function_source import function_text, literal
from chainrule.script.recorded import ScriptRecording
from chainrule.script.sizes import Sizes, alike
from chainrule.script.weights import Weights
from chainrule.script.wording import WIDTH

__all__ = ["Function", "Page", "lay_out", "widths_of"]


#: Names that programs use themselves.
TAKEN = {
    *dir(builtins), "np", "math", "csv", "sys", "Path", "kept", "file", "x", "t", "w", "n", "y",
    "params", "grads", "gradient", "predict", "prepare", "datetime", "day", "date_part", "number", "read",
    "rng", "epoch", "order", "start",
    "rows", "step", "loss", "total", "count", "weight", "norm", "run", "path", "answer", "error", "ones",
    "last_gradient", "taken", "mixed", "cells", "allow_pickle", "weight_decay", "max_grad",
    "evaluate", "evaluate_test", "x_test", "t_test",
    "clip_norm", "mask_seed", "bound", "MISSING", "COLUMNS", "CLASSES", "READERS", *MAKERS,
}  # fmt: skip
#: Those used only in the loop, which functions may use for something else.
LOCAL = {
    "rows", "ones", "loss", "order", "start", "step", "epoch", "total", "grads", "norm", "count",
    "weight", "run", "path", "answer", "y", "rng",
}  # fmt: skip
_QUIET = re.compile(r"np\.(exp|log|log1p|sqrt|power)\(|uint64| / ")


class Page:
    """A program being written: its names, its parameters, and the arrays in its .npz file."""

    def __init__(self, network: RecordableNetwork, lang: str) -> None:
        self.network, self.lang = network, lang
        self.names = Names(TAKEN)
        #: Names that local names of functions must avoid; they may reuse those of the loop.
        self.inner = Names(TAKEN - LOCAL)
        names = parameter_names(network)
        self.parameters = {p: self.names.unique(name) for p, name in names.items()}
        self.buffers: dict[tuple[Layer, str], str] = {
            (layer, key): self.names.unique(key)
            for layer in network.layers
            for key in layer.buffers
        }
        self.inner.taken |= {*self.parameters.values(), *self.buffers.values()}
        self.weights = Weights(network, self.parameters, self.buffers, "rng")
        self.arrays: dict[str, Array] = dict(self.weights.arrays)

    def function(
        self, recording: ScriptRecording, sizes: Sizes, arguments: Sequence[Traced]
    ) -> Function:
        """The body of a function that computes a recording."""
        e = Expressions(Names(self.inner.taken), sizes)
        e.numbers = dict(self.weights.numbers)
        named = {leaf: leaf.name for leaf in arguments}
        for p, name in self.parameters.items():
            leaf = recording.parameters.get(p)
            if leaf is not None:
                named[leaf] = name
        named |= {leaf: self.buffers[key] for key, leaf in recording.buffers.items()}
        function = Function(Body(recording, e, self.lang), named, self.buffers)
        self.inner.taken |= set(function.constants)
        return function

    def parameter_lines(self, functions: Iterable[Function]) -> list[str]:
        """The lines that assign parameters, buffers, and the constants of functions."""
        lines = [f'{name} = kept["{name}"]' for name in self.weights.arrays]
        lines += self.weights.lines
        for name, array in (pair for f in functions for pair in f.constants.items()):
            kind = f", dtype=np.{array.dtype.name}" if array.dtype != np.float64 else ""
            line = f"{name} = np.array({literal(array.tolist())}{kind})" if array.size < 50 else ""
            if not line or len(line) > WIDTH:
                self.arrays[name] = array
                line = f'{name} = kept["{name}"]'
            lines.append(line)
        return lines

    def text(self, doc: Sequence[str], blocks: Sequence[str]) -> str:
        """The whole program; two blank lines surround blocks that begin with def."""
        body = "\n".join(blocks)
        imports = [
            f"import {name}"
            for name in ("csv", "datetime", "math", "re", "sys")
            if re.search(rf"\b{name}\.", body)
        ]
        if self.arrays:
            imports.append("from pathlib import Path")
        head = [f'"""{doc[0]}', *doc[1:], '"""', ""]
        head += [*imports, ""] if imports else []
        head += ["import numpy as np"]
        if self.arrays:
            note = _("the arrays that are not made here").said(self.lang)
            head += [
                "",
                'with np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False) as file:',
                f"    kept = dict(file)  # {note}",
            ]
        if _QUIET.search(re.sub(r"(^|  ) *# .*", "", body, flags=re.M)):
            why = _("exp may overflow to infinity, and 1 / ∞ is 0").said(self.lang)
            head += ["", f'np.seterr(all="ignore")  # {why}']
        text = "\n".join(head)
        after_function = False
        for block in blocks:
            is_function = block.startswith("def ")
            text += "\n\n\n" if is_function or after_function else "\n\n"
            text += block.strip("\n")
            after_function = is_function
        return text + "\n"


class Function:
    """The lines of a function's body, and what they need outside: constants and helpers.

    `after` are the lines that write buffers, at the end of the body.
    """

    def __init__(
        self, body: Body, named: dict[Traced, str], buffers: dict[tuple[Layer, str], str]
    ) -> None:
        self.e, self.recording = body.e, body.recording
        lines = body.lines(named)
        first_lines = [
            f"    {name} = {text}  # {note.said(body.lang)}"
            for name, (text, note) in self.e.prelude.items()
        ]
        written = [*lines, *first_lines, self.e.text(self.recording.out)]
        if any(re.search(r"\bn\b", line.split("#")[0]) for line in written):
            first_lines.insert(0, "    n = len(x)")
        self.lines = first_lines + lines
        #: Of each of these lines, and of what is returned, the nodes whose operations it computes.
        self.origins = [frozenset[Origin]()] * len(first_lines) + body.origins
        self.returned = frozenset[Origin]().union(*map(body.origins_in, self._inline(body)))
        self.after = self._buffer_lines()
        self.constants = dict(self.e.constants)
        self.helpers = [_helper(f, name, body.lang) for f, name in self.e.functions.items()]

    def _inline(self, body: Body) -> list[Traced]:
        """The results that have no line of their own."""
        return [v for v in self.recording.targets if v not in self.e.named]

    def _buffer_lines(self) -> list[str]:
        """The lines that store the step's new values in buffers, after all reads of the old ones."""
        leaves = {leaf for leaf, _ in self.recording.writes}
        texts = [(leaf, value, self.e.text(value)) for leaf, value in self.recording.writes]
        lines, assignments = [], []
        for leaf, value, text in texts:
            name = self.e.named[leaf]
            others = {self.e.named[other] for other in leaves if other is not leaf}
            if value not in self.e.named and others & set(re.findall(r"\w+", text)):
                fresh = self.e.names.unique(f"new_{name}")
                lines.append(f"    {fresh} = {text}")
                text = fresh
            assignments.append(f"    {name}[...] = {text}")
        return lines + assignments


def _helper(function: PyFunction, name: str, lang: str) -> str:
    """The source of a helper function that a step calls."""
    words = {
        key: f"np.uint64(0x{int(value):X})"
        for key, value in vars(random).items()
        if isinstance(value, np.uint64)
    }
    arguments = {random.mixed: "z", random.cells: "shape"}[function]
    return function_text(function, name, arguments, words, lang)


# -- sizes --------------------------------------------------------------------------------------


def lay_out(
    record: Callable[[int], ScriptRecording], widths: Iterable[int], used: tuple[int, ...]
) -> list[tuple[ScriptRecording, Sizes]]:
    """One recording for batches of all sizes, with `Sizes`, which knows what depends on the size.

    `record` makes the recording of a batch of n rows, `widths` are lengths that do not depend on
    the batch, and `used` the sizes that will occur. If the network's operations differ between
    sizes, each used size gets its own recording.
    """
    exact = {n: record(n) for n in used}
    for m1, m2 in unlike(set(widths)):
        try:
            base, other = record(m1), record(m2)
        except ChainruleError:
            if not used:
                raise
            break  # the formula itself requires a certain size
        twins_by_size = {m2: alike(base, other)} | {
            n: alike(base, recording) for n, recording in exact.items()
        }
        others = {n: twins for n, twins in twins_by_size.items() if twins is not None}
        if len(others) == len(twins_by_size):
            others.pop(m1, None)
            return [(base, Sizes(base, others, used))]
    if not exact:
        raise RecordingError(
            _(
                "the network takes other operations for one number of rows than for another, so no program"
                " can predict as it does."
            )
        )
    return [(recording, Sizes(recording, {}, (n,))) for n, recording in exact.items()]


def widths_of(network: RecordableNetwork, *arrays: Array | None) -> set[int]:
    """The lengths that do not depend on the batch: those of parameters and of rows."""
    widths = {n for p in network.named_parameters().values() for n in p.shape}
    return widths | {n for a in arrays if a is not None for n in a.shape[1:]}
