"""Saving networks: the model file is written atomically, and checked fully when it is read."""

from __future__ import annotations

from chainrule.files.model import Model, load_model, save_model

__all__ = ["Model", "load_model", "save_model"]
