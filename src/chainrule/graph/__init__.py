"""The graph: Variables, recording, the backward pass, numerical gradients and their check."""

from __future__ import annotations

from chainrule.graph.derivatives import grad, numerical_gradient
from chainrule.graph.graph import Graph
from chainrule.graph.variable import Parameter, Variable

__all__ = ["Graph", "Parameter", "Variable", "grad", "numerical_gradient"]
