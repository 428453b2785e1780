"""The chapter's figures; every number in them is computed when they are drawn.

>>> from chainrule import figures
>>> figures.draw("1-19")
Picture('1-19-multiply')
"""

from __future__ import annotations

from chainrule.figures.drawing import draw, find, save
from chainrule.figures.picture import Picture
from chainrule.figures.table import FIGURES, Figure

__all__ = ["FIGURES", "Figure", "Picture", "draw", "find", "save"]
