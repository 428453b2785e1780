"""Networks: layers in order, or any function of layers, with a loss at the end."""

from __future__ import annotations

from chainrule.networks.flat import FlatBuffer
from chainrule.networks.network import Network
from chainrule.networks.sequential import ACTIVATIONS, Sequential, TwoLayerNet

__all__ = ["ACTIVATIONS", "FlatBuffer", "Network", "Sequential", "TwoLayerNet"]
