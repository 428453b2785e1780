"""ONNX: networks written node by node from their graph, and read back into networks that train on."""

from __future__ import annotations

from chainrule.files.onnx.export import save_onnx
from chainrule.files.onnx.importing import load_onnx

__all__ = ["load_onnx", "save_onnx"]
