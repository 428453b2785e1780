"""Lowering: a recorded Graph, traced down to primitives, forwards and backwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainrule.engine.memory import debugging
from chainrule.engine.primitives import filled
from chainrule.engine.trace import Trace, Traced
from chainrule.graph.chain_rule import chain_rule
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Variable
from chainrule.nodes.base import ignore_fp_errors

__all__ = ["Lowered", "fresh"]


class Lowered:
    """A graph whose every arrow has a Traced value; `gradients` adds those of the way back."""

    def __init__(self, graph: Graph, trace: Trace, leaves: Mapping[Variable, Traced]) -> None:
        self.graph, self.trace = graph, trace
        self.values: dict[Variable, Traced] = dict(leaves)
        with ignore_fp_errors():
            for node in graph.nodes:
                inputs = tuple(self.value(v) for v in node.inputs)
                out = node.pure_forward(*inputs)
                outs = out if isinstance(out, tuple) else (out,)
                for v, traced in zip(node.outputs, outs, strict=True):
                    self._assert_dtype(traced, v)
                    self.values[v] = traced

    def value(self, variable: Variable) -> Traced:
        """The traced value on an arrow; what is neither given nor computed is a constant."""
        found = self.values.get(variable)
        if found is None:
            if variable.scalar is not None:
                number = self.trace.constant(variable.scalar, variable.dtype)
                found = self.trace.repeated(number, variable.shape) if variable.shape else number
            else:
                found = self.trace.held(variable.data)
            self.values[variable] = found
        return found

    def gradients(self, wanted: Sequence[Variable], seed: Traced | None = None) -> list[Traced]:
        """The traced gradients of the first output for the wanted arrows (0 where none flows)."""
        if seed is None:
            seed = self.trace.constant(1.0, self.graph.outputs[0].dtype)
        found = chain_rule(self.graph, seed, self.value, wanted)
        return [self._array(found.get(v), v) for v in wanted]

    def _array(self, gradient: Traced | None, v: Variable) -> Traced:
        if gradient is None:
            return self.trace.repeated(self.trace.constant(0.0, v.dtype), v.shape)
        if gradient.weak:
            return self.trace.repeated(gradient, v.shape)
        self._assert_dtype(gradient, v)
        return gradient if gradient.dtype.type is v.dtype.type else gradient.astype(v.dtype)

    def _assert_dtype(self, traced: Traced, v: Variable) -> None:
        """An engine computes in the dtypes of the graph: a number in the text of a node has none."""
        if debugging():  # (Another order of bytes is no other dtype.)
            assert traced.weak or traced.dtype.type is v.dtype.type, f"{traced!r} for {v.dtype}"


def fresh(value: Traced) -> Traced:
    """The value as an array of its own, if it would otherwise be somebody else's memory."""
    root = value
    while root.is_view:
        root = root.args[0]
    if root.function is None or value is not root:
        made: Traced = value.trace.call(filled, value)
        return made
    return value
