"""Emission: a recorded, lowered graph becomes the nodes of an ONNX graph, one primitive at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.memory import needed
from chainrule.engine.primitives import Function
from chainrule.engine.trace import Traced
from chainrule.errors import RecordingError
from chainrule.files.onnx.writer import Writer
from chainrule.lang.messages import _
from chainrule.script.recorded import ScriptRecording
from chainrule.script.sizes import Sizes

__all__ = ["Emission", "Rule"]

#: How a number may go with the n rows of the batch: as 1/n in a mean, as n/(n - 1) in a variance.
_FORMS: tuple[tuple[Callable[[float], float], str], ...] = (
    (lambda n: 1 / n, "1/n"),
    (lambda n: n, "n"),
    (lambda n: 1 / (n - 1), "1/(n-1)"),
    (lambda n: n / (n - 1), "n/(n-1)"),
)


class Emission:
    """Writes the values of a recording: `rules` has one rule for each primitive.

    What a rule needs: the names of a value's operands, in the dtype that NumPy computes in, and lengths
    and shapes, which may go with the batch.
    """

    def __init__(
        self,
        writer: Writer,
        recording: ScriptRecording,
        sizes: Sizes,
        named: Mapping[Traced, str],
        rules: Mapping[Function, Rule],
        rows: str = "",
    ) -> None:
        self.writer, self.sizes, self.rules = writer, sizes, rules
        self.put, self.constant = writer.put, writer.constant
        self._recording = recording
        #: The names of the values that are written already.
        self._named = dict(named)
        #: The input whose first axis counts the rows.
        self._rows = rows

    def write(self, targets: list[Traced]) -> list[str]:
        """Write everything that the targets are computed from; their names."""
        wanted = needed(targets)
        for v in targets[0].trace.values if targets else ():
            if v in wanted and v not in self._named and not v.weak:
                self._named[v] = self._write(v)
        return [self.name(v) for v in targets]

    def _write(self, v: Traced) -> str:
        if v.function is None:
            if v.known is None:
                raise RecordingError(
                    _("{value} in the network cannot be written out.", value=v.name or _("a value"))
                )
            return self.constant(v.known)
        rule = self.rules.get(v.function)
        if rule is None:
            raise RecordingError(
                _(
                    "{function} is no operator of ONNX, so this network cannot be saved as ONNX."
                    " save_model and script keep it.",
                    function=getattr(v.function, "__name__", v.function),
                )
            )
        part = self._recording.parts.get(v)
        self.writer.part = "" if part is None else part.title
        return rule(self, v)

    def name(self, v: Traced, dtype: npt.DTypeLike | None = None) -> str:
        """The name of a value, cast where it is not of this dtype; a weak number becomes a constant."""
        if v.weak:
            return self._number(v, np.dtype(v.dtype if dtype is None else dtype))
        name = self._named[v]
        return name if dtype is None or np.dtype(dtype) == v.dtype else self.cast(name, dtype)

    def cast(self, name: str, dtype: npt.DTypeLike) -> str:
        """A value as another dtype."""
        from onnx import helper

        return self.put("Cast", name, to=int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype))))

    def operands(self, v: Traced) -> tuple[list[str], np.dtype[Any]]:
        """The names of a ufunc's operands in the dtype that it computes in, and that dtype."""
        ufunc = v.function
        assert isinstance(ufunc, np.ufunc)
        kinds = [type(a.known) if a.weak and a.dtype.kind != "b" else a.dtype for a in v.args]
        dtypes = ufunc.resolve_dtypes((*kinds, *(None,) * ufunc.nout))[: len(v.args)]
        dtypes = tuple(_computed_in(dtype) for dtype in dtypes)
        return [self.name(a, d) for a, d in zip(v.args, dtypes, strict=True)], dtypes[0]

    # -- what goes with the batch ---------------------------------------------------------------------

    def count(self) -> str:
        """The number of rows, as a list of one whole number."""
        return self.put("Shape", self._rows, start=0, end=1)

    def length(self, v: Traced, ask: Callable[[Traced], int]) -> int | str:
        """A length or place: a number, or the name of a list of one, where it goes with the batch."""
        lengths = {n: int(length) for n, length in self.sizes.each(v, ask).items()}
        (m1, first), *rest = lengths.items()
        if all(length == first for _, length in rest):
            return first
        ((m2, second),) = rest
        times, left = divmod(second - first, m2 - m1)
        if left:
            raise RecordingError(
                _("a length in the network does not go evenly with the number of rows.")
            )
        plus = first - times * m1
        name = self.count()
        if times != 1:
            name = self.put("Mul", name, self.constant([times]))
        return self.put("Add", name, self.constant([plus])) if plus else name

    def lengths(self, parts: list[int | str]) -> str:
        """Several lengths, as one list."""
        if all(isinstance(part, int) for part in parts):
            return self.constant(parts, np.int64)
        names = [part if isinstance(part, str) else self.constant([part]) for part in parts]
        return names[0] if len(names) == 1 else self.put("Concat", *names, axis=0)

    def shape(self, v: Traced, ask: Callable[[Traced], tuple[int, ...]] | None = None) -> str:
        """A shape, by default that of the value."""
        of = (lambda a: a.shape) if ask is None else ask
        return self.lengths([self.length(v, _nth(of, i)) for i in range(len(of(v)))])

    def _number(self, v: Traced, dtype: np.dtype[Any]) -> str:
        numbers = self.sizes.each(v, lambda a: a.known)
        (m1, first), *rest = numbers.items()
        if all(repr(number) == repr(first) for _, number in rest):
            return self.constant(first, dtype)
        ((m2, second),) = rest
        for form, what in _FORMS:
            if math.isclose(first * form(m2), second * form(m1), rel_tol=1e-12):
                return self._formula(first / form(m1), what, dtype)
        raise RecordingError(
            _("a number in the network goes with the number of rows in a way that ONNX cannot say.")
        )

    def _formula(self, factor: float, form: str, dtype: np.dtype[Any]) -> str:
        n = self.cast(self.put("Squeeze", self.count()), dtype)
        c = self.constant(factor, dtype)
        below = self.put("Sub", n, self.constant(1, dtype)) if "-1" in form else n
        above = self.put("Mul", c, n) if form.startswith("n") else c
        return above if form == "n" else self.put("Div", above, below)


Rule = Callable[[Emission, Traced], str]


def _nth(ask: Callable[[Traced], tuple[int, ...]], i: int) -> Callable[[Traced], int]:
    return lambda a: ask(a)[i]


def _computed_in(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that runtimes compute in: whole numbers of other sizes become int64."""
    small = dtype.kind in "iu" and dtype not in (np.dtype(np.int32), np.dtype(np.int64))
    return np.dtype(np.int64) if small else dtype
