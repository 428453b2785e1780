"""Nodes: what an operation computes, forwards and backwards. Nothing but arithmetic.

The public classes in the files of this room are `chainrule.nodes.<name>`.
"""

from __future__ import annotations

from chainrule.nodes import (
    activations,
    arithmetic,
    choice,
    elementary,
    indexing,
    linear_algebra,
    losses,
    products,
    reductions,
    rounding,
    shaping,
    trigonometry,
)
from chainrule.nodes.activations import *  # noqa: F403
from chainrule.nodes.arithmetic import *  # noqa: F403
from chainrule.nodes.base import Node
from chainrule.nodes.choice import *  # noqa: F403
from chainrule.nodes.elementary import *  # noqa: F403
from chainrule.nodes.indexing import *  # noqa: F403
from chainrule.nodes.linear_algebra import *  # noqa: F403
from chainrule.nodes.losses import *  # noqa: F403
from chainrule.nodes.products import *  # noqa: F403
from chainrule.nodes.reductions import *  # noqa: F403
from chainrule.nodes.rounding import *  # noqa: F403
from chainrule.nodes.shaping import *  # noqa: F403
from chainrule.nodes.trigonometry import *  # noqa: F403

__all__ = ["Node"]
__all__ += activations.__all__
__all__ += arithmetic.__all__
__all__ += choice.__all__
__all__ += elementary.__all__
__all__ += indexing.__all__
__all__ += linear_algebra.__all__
__all__ += losses.__all__
__all__ += products.__all__
__all__ += reductions.__all__
__all__ += rounding.__all__
__all__ += shaping.__all__
__all__ += trigonometry.__all__
