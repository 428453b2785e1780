"""Checks by other means than the chain rule: of gradients, and of the step that a training runs."""

from __future__ import annotations

from chainrule.checking.gradients import CheckReport, CheckRow, check

__all__ = ["CheckReport", "CheckRow", "check"]
