"""Optimizers: they update parameters by their gradients.

Each has the chapter's `update(params, grads)`, which changes lists of arrays in place.
"""

from chainrule.optimizers import rules
from chainrule.optimizers.base import OPTIMIZERS, Optimizer, default_numbers
from chainrule.optimizers.gradients import clip_grads, global_norm
from chainrule.optimizers.rules import *  # noqa: F403

__all__ = ["OPTIMIZERS", "Optimizer", "clip_grads", "default_numbers", "global_norm"]
__all__ += rules.__all__
