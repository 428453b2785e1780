"""Layers: named expressions with parameters; and the losses."""

from __future__ import annotations

from chainrule.graph.functions import one_hot
from chainrule.layers.activations import GELU, LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from chainrule.layers.affine import Affine, MatMul
from chainrule.layers.base import Layer
from chainrule.layers.dropout import Dropout
from chainrule.layers.embedding import Embedding
from chainrule.layers.losses import (
    CrossEntropyError,
    HalfSquaredError,
    Huber,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    SigmoidWithLoss,
    SoftmaxWithLoss,
)
from chainrule.layers.mode import evaluating, is_training, training_mode
from chainrule.layers.normalization import BatchNorm, LayerNorm

__all__ = [
    "GELU",
    "Affine",
    "BatchNorm",
    "CrossEntropyError",
    "Dropout",
    "Embedding",
    "HalfSquaredError",
    "Huber",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Loss",
    "MatMul",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "ReLU",
    "Sigmoid",
    "SigmoidWithLoss",
    "Softmax",
    "SoftmaxWithLoss",
    "Tanh",
    "evaluating",
    "is_training",
    "one_hot",
    "training_mode",
]
