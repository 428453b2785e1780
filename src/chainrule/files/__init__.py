"""Saving networks: the model file is written atomically, and checked fully when it is read; ONNX."""

from __future__ import annotations

from chainrule.files.model import Model, load_model, save_model
from chainrule.files.onnx import load_onnx, save_onnx

__all__ = ["Model", "load_model", "load_onnx", "save_model", "save_onnx"]
