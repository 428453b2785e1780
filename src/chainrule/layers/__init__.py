"""Layers: named expressions with parameters; and the losses.

The public classes in the files of this room are `chainrule.layers.<name>` and `chainrule.<name>`.
"""

from __future__ import annotations

from chainrule.graph.functions import one_hot
from chainrule.graph.mode import inference_mode, is_training, training_mode
from chainrule.layers import (
    activations,
    affine,
    categories,
    class_losses,
    dropout,
    embedding,
    flatten,
    function,
    losses,
    normalization,
    ntk,
    parametric,
    periodic,
    scale,
)
from chainrule.layers.activations import *  # noqa: F403
from chainrule.layers.affine import *  # noqa: F403
from chainrule.layers.base import Layer
from chainrule.layers.categories import *  # noqa: F403
from chainrule.layers.class_losses import *  # noqa: F403
from chainrule.layers.dropout import *  # noqa: F403
from chainrule.layers.embedding import *  # noqa: F403
from chainrule.layers.flatten import *  # noqa: F403
from chainrule.layers.function import *  # noqa: F403
from chainrule.layers.losses import *  # noqa: F403
from chainrule.layers.normalization import *  # noqa: F403
from chainrule.layers.ntk import *  # noqa: F403
from chainrule.layers.parametric import *  # noqa: F403
from chainrule.layers.periodic import *  # noqa: F403
from chainrule.layers.scale import *  # noqa: F403

__all__ = ["Layer", "inference_mode", "is_training", "one_hot", "training_mode"]
__all__ += activations.__all__
__all__ += affine.__all__
__all__ += categories.__all__
__all__ += class_losses.__all__
__all__ += dropout.__all__
__all__ += embedding.__all__
__all__ += flatten.__all__
__all__ += function.__all__
__all__ += losses.__all__
__all__ += normalization.__all__
__all__ += ntk.__all__
__all__ += parametric.__all__
__all__ += periodic.__all__
__all__ += scale.__all__
