"""Optimizers: they update parameters by their gradients.

Each has the chapter's `update(params, grads)`, which changes lists of arrays in place.
"""

from chainrule.optimizers.base import OPTIMIZERS, Optimizer
from chainrule.optimizers.gradients import clip_grads, global_norm
from chainrule.optimizers.rules import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSprop

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "clip_grads",
    "global_norm",
]
