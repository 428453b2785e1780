"""TensorFlow Playground links: read, checked, trained to the same losses, and written again."""

from __future__ import annotations

from chainrule.playground.compatible.links import Link, LinkError
from chainrule.playground.compatible.training import Compatible

__all__ = ["Compatible", "Link", "LinkError"]
