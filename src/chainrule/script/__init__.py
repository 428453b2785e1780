"""How a network becomes a program: recorded, laid out, written down."""

from __future__ import annotations

from chainrule.script.predicting import prediction_script
from chainrule.script.script import Script
from chainrule.script.training import training_script

__all__ = ["Script", "prediction_script", "training_script"]
