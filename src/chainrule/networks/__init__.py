"""Networks: layers in order, or any function of layers, with a loss at the end."""

from __future__ import annotations

from chainrule.networks.data_init import data_dependent_init
from chainrule.networks.ensemble import Ensemble
from chainrule.networks.flat import FlatBuffer
from chainrule.networks.network import Network
from chainrule.networks.sequential import ACTIVATIONS, Sequential, TwoLayerNet

__all__ = [
    "ACTIVATIONS",
    "Ensemble",
    "FlatBuffer",
    "Network",
    "Sequential",
    "TwoLayerNet",
    "data_dependent_init",
]
