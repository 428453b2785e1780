"""Checks of gradients by numerical slopes, and of the training step by its graph."""

from __future__ import annotations

from chainrule.checking.gradients import CheckReport, CheckRow, check

__all__ = ["CheckReport", "CheckRow", "check"]
