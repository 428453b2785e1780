"""The graph: Variables, recording, the backward pass, numerical gradients.

`chainrule` has the names in `__all__` too; the others are of what methods give.
"""

from __future__ import annotations

from chainrule.graph import functions as functions  # Variables look their functions up there
from chainrule.graph.derivatives import (
    grad,
    hessian,
    jacobian,
    numerical_gradient,
    value_and_grad,
)
from chainrule.graph.detail import DetailedGraph
from chainrule.graph.detail import Overflow as Overflow
from chainrule.graph.explain import Explanation
from chainrule.graph.graph import Graph
from chainrule.graph.graph_check import ArrowVerdict as ArrowVerdict
from chainrule.graph.graph_check import GraphCheck
from chainrule.graph.sources import SourceLine as SourceLine
from chainrule.graph.steps import Flow as Flow
from chainrule.graph.steps import Step as Step
from chainrule.graph.sum_text import Term as Term
from chainrule.graph.variable import Parameter, Variable

__all__ = [
    "DetailedGraph",
    "Explanation",
    "Graph",
    "GraphCheck",
    "Parameter",
    "Variable",
    "grad",
    "hessian",
    "jacobian",
    "numerical_gradient",
    "value_and_grad",
]
