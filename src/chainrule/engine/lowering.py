"""Lowering: tracing a recorded Graph down to primitives, forward and backward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chainrule.engine.memory import debugging, root_of
from chainrule.engine.primitives import Function, checked, filled
from chainrule.engine.trace import Trace, Traced
from chainrule.graph.chain_rule import chain_rule
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Variable
from chainrule.nodes.base import ignore_fp_errors

__all__ = ["Lowered", "fresh"]


class Lowered:
    """A graph with a Traced value for every arrow; `gradients` adds the backward pass.

    `checks` are functions that raise for values of an arrow that cannot be used.
    """

    def __init__(
        self,
        graph: Graph,
        trace: Trace,
        leaves: Mapping[Variable, Traced],
        checks: Iterable[tuple[Variable, Function]] = (),
    ) -> None:
        self.graph, self.trace = graph, trace
        self._checks: dict[Variable, list[Function]] = {}
        for variable, check in checks:
            self._checks.setdefault(variable, []).append(check)
        self.values: dict[Variable, Traced] = {}
        for variable, leaf in leaves.items():
            self.values[variable] = self._checked(variable, leaf)
        with ignore_fp_errors():
            for node in graph.nodes:
                inputs = tuple(self.value(v) for v in node.inputs)
                out = node.pure_forward(*inputs)
                outs = out if isinstance(out, tuple) else (out,)
                for v, traced in zip(node.outputs, outs, strict=True):
                    self._assert_dtype(traced, v)
                    self.values[v] = self._checked(v, traced)

    def _checked(self, variable: Variable, value: Traced) -> Traced:
        for check in self._checks.get(variable, ()):
            value = checked(value, check)
        return value

    def value(self, variable: Variable) -> Traced:
        """The traced value of an arrow; a constant, if it is neither a leaf nor computed."""
        value = self.values.get(variable)
        if value is None:
            if variable.scalar is not None:
                number = self.trace.constant(variable.scalar, variable.dtype)
                value = self.trace.repeated(number, variable.shape) if variable.shape else number
            else:
                value = self.trace.bind_constant(variable.data)
            self.values[variable] = value
        return value

    def gradients(self, arrows: Sequence[Variable], seed: Traced | None = None) -> list[Traced]:
        """The traced gradients of the first output for some arrows (0 where none flows)."""
        if seed is None:
            seed = self.trace.constant(1.0, self.graph.outputs[0].dtype)
        gradients = chain_rule(self.graph, seed, self.value, arrows)
        return [self._array(gradients.get(v), v) for v in arrows]

    def _array(self, gradient: Traced | None, v: Variable) -> Traced:
        if gradient is None:
            return self.trace.repeated(self.trace.constant(0.0, v.dtype), v.shape)
        if gradient.weak:
            return self.trace.repeated(gradient, v.shape)
        self._assert_dtype(gradient, v)
        return gradient if gradient.dtype.type is v.dtype.type else gradient.astype(v.dtype)

    def _assert_dtype(self, traced: Traced, v: Variable) -> None:
        """Assert the graph's dtype; a Python number in the code of a node is weak, and has none."""
        if debugging():  # `type`, since the byte order may differ
            assert traced.weak or traced.dtype.type is v.dtype.type, f"{traced!r} for {v.dtype}"


def fresh(value: Traced) -> Traced:
    """The value, or a copy if it is a leaf or a view: a result must have memory of its own."""
    root = root_of(value)
    return value.trace.call(filled, value) if root.function is None or value is not root else value
