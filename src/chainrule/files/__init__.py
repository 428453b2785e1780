"""Keeping a network: the model file, written whole or not at all, read without trust."""

from __future__ import annotations

from chainrule.files.model import Model, load_model, save_model

__all__ = ["Model", "load_model", "save_model"]
