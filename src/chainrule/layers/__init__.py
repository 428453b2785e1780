"""Layers: named expressions with parameters; and the losses."""

from __future__ import annotations

from chainrule.graph.functions import one_hot
from chainrule.graph.mode import inference_mode, is_training, training_mode
from chainrule.layers.activations import (
    ELU,
    GELU,
    SELU,
    LeakyReLU,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from chainrule.layers.affine import Affine, MatMul
from chainrule.layers.base import Layer
from chainrule.layers.class_losses import CrossEntropyError, SigmoidWithLoss, SoftmaxWithLoss
from chainrule.layers.dropout import Dropout
from chainrule.layers.embedding import Embedding
from chainrule.layers.flatten import Flatten
from chainrule.layers.function import Function
from chainrule.layers.losses import (
    HalfSquaredError,
    Huber,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
)
from chainrule.layers.normalization import BatchNorm, LayerNorm

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "Affine",
    "BatchNorm",
    "CrossEntropyError",
    "Dropout",
    "Embedding",
    "Flatten",
    "Function",
    "HalfSquaredError",
    "Huber",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Loss",
    "MatMul",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Mish",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "SigmoidWithLoss",
    "Softmax",
    "SoftmaxWithLoss",
    "Tanh",
    "inference_mode",
    "is_training",
    "one_hot",
    "training_mode",
]
