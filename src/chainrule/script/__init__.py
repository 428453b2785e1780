"""Writing a network as a NumPy program: its step is recorded and printed as Python source."""

from __future__ import annotations

from chainrule.script.predicting import prediction_script
from chainrule.script.script import Script
from chainrule.script.training import training_script

__all__ = ["Script", "prediction_script", "training_script"]
