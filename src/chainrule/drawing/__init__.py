"""Drawing: the same graph, and the same training run, to look at."""

from __future__ import annotations

from chainrule.drawing.drawing import Drawing, DrawOptions

__all__ = ["DrawOptions", "Drawing"]
