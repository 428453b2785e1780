"""A network as a program: one file of NumPy that trains as chainrule does, or predicts."""

from __future__ import annotations

from chainrule.files.script.predicting import predicting_script
from chainrule.files.script.script import Script
from chainrule.files.script.training import training_script

__all__ = ["Script", "predicting_script", "training_script"]
