"""The graph: Variables, recording, the backward pass, numerical gradients and their check."""

from __future__ import annotations

from chainrule.graph import functions as functions  # Variables look their functions up there
from chainrule.graph.check import CheckReport, check
from chainrule.graph.derivatives import grad, numerical_gradient
from chainrule.graph.detail import DetailedGraph
from chainrule.graph.explain import Explanation
from chainrule.graph.graph import Graph
from chainrule.graph.proof import Proof
from chainrule.graph.variable import Parameter, Variable

__all__ = [
    "CheckReport",
    "DetailedGraph",
    "Explanation",
    "Graph",
    "Parameter",
    "Proof",
    "Variable",
    "check",
    "grad",
    "numerical_gradient",
]
