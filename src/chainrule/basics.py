"""The public names of a training and of all below it, which most programs need and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule import datasets as datasets
from chainrule import errors as errors
from chainrule import layers as layers
from chainrule import nodes as nodes
from chainrule import optimizers as optimizers
from chainrule import schedules as schedules
from chainrule import training as training
from chainrule.distributed import Communicator as Communicator
from chainrule.distributed import MPICommunicator as MPICommunicator
from chainrule.distributed import SerialCommunicator as SerialCommunicator
from chainrule.graph import *  # noqa: F403
from chainrule.graph.functions import one_hot as one_hot
from chainrule.graph.functions.elementwise import *  # noqa: F403
from chainrule.graph.functions.joining import *  # noqa: F403
from chainrule.graph.functions.linear_algebra import *  # noqa: F403
from chainrule.graph.functions.losses import *  # noqa: F403
from chainrule.graph.functions.picking import *  # noqa: F403
from chainrule.graph.functions.products import *  # noqa: F403
from chainrule.graph.functions.reductions import *  # noqa: F403
from chainrule.graph.functions.shaping import *  # noqa: F403
from chainrule.graph.mode import inference_mode as inference_mode
from chainrule.graph.mode import is_training as is_training
from chainrule.graph.mode import training_mode as training_mode
from chainrule.layers import Layer as Layer
from chainrule.layers.activations import *  # noqa: F403
from chainrule.layers.affine import *  # noqa: F403
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
from chainrule.networks import Ensemble as Ensemble
from chainrule.networks import Network as Network
from chainrule.networks import Sequential as Sequential
from chainrule.networks import TwoLayerNet as TwoLayerNet
from chainrule.networks import data_dependent_init as data_dependent_init
from chainrule.optimizers import Optimizer as Optimizer
from chainrule.optimizers import clip_grads as clip_grads
from chainrule.optimizers.rules import *  # noqa: F403
from chainrule.training import *  # noqa: F403

if not TYPE_CHECKING:
    __all__ = sorted(
        name
        for name in globals()
        if not name.startswith("_") and name not in ("TYPE_CHECKING", "annotations")
    )
