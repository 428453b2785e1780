"""cr.exp, cr.sum, ...: the nodes as functions of arrays and Variables, and functions composed of these.

A function that is also NumPy's has NumPy's name and meaning; `numpy_names.py` lists those that
may be called by NumPy itself on a Variable, and with which arguments.
"""

from __future__ import annotations

from chainrule.graph.functions import (
    elementwise,
    joining,
    linear_algebra,
    losses,
    picking,
    products,
    reductions,
    shaping,
)
from chainrule.graph.functions import numpy_names as numpy_names  # tells Variables NumPy's names
from chainrule.graph.functions.elementwise import *  # noqa: F403
from chainrule.graph.functions.joining import *  # noqa: F403
from chainrule.graph.functions.linear_algebra import *  # noqa: F403
from chainrule.graph.functions.losses import *  # noqa: F403
from chainrule.graph.functions.numpy_calls import call_function, call_ufunc
from chainrule.graph.functions.picking import *  # noqa: F403
from chainrule.graph.functions.products import *  # noqa: F403
from chainrule.graph.functions.reductions import *  # noqa: F403
from chainrule.graph.functions.shaping import *  # noqa: F403
from chainrule.graph.variable import CALLED, NAMES

CALLED.update(index=picking.index, stack=joining.stack, ufunc=call_ufunc, function=call_function)

__all__ = [
    name
    for module in (
        elementwise,
        reductions,
        shaping,
        joining,
        picking,
        products,
        linear_algebra,
        losses,
    )
    for name in module.__all__
]
NAMES.update(__all__)
