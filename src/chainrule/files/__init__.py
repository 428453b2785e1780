"""Keeping a network: the model file, written whole or not at all, read without trust."""

from __future__ import annotations

from chainrule.files.model import Model, load_model, save_model
from chainrule.files.programs import Script, predicting_script, training_script

__all__ = ["Model", "Script", "load_model", "predicting_script", "save_model", "training_script"]
