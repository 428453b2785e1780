"""chainrule: learning neural networks, with the working shown.

Every value, every gradient and every update can be looked at and checked. See `Variable` for
the computational graph, `Sequential` and `Trainer` for training, `datasets` for data.
"""

from __future__ import annotations

from chainrule import datasets, errors, layers, nodes, optimizers, schedules, training
from chainrule.graph import *  # noqa: F403
from chainrule.graph.functions import *  # noqa: F403
from chainrule.layers import *  # noqa: F403
from chainrule.networks import Network, Sequential, TwoLayerNet
from chainrule.optimizers import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
    clip_grads,
)
from chainrule.training import *  # noqa: F403
from chainrule.version import __version__
