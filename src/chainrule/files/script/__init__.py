"""A network as a program: one file of NumPy that trains as chainrule does, or predicts."""

from __future__ import annotations

from chainrule.files.script.program import training_script
from chainrule.files.script.script import Script

__all__ = ["Script", "training_script"]
