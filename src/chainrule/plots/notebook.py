"""A matplotlib figure that a notebook shows by itself."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

__all__ = ["NotebookFigure"]


class NotebookFigure(Figure):
    """A matplotlib Figure that is displayed when it is the last value of a notebook's cell."""

    def _repr_png_(self) -> bytes:
        """The picture as PNG."""
        out = io.BytesIO()
        self.savefig(out, format="png")
        return out.getvalue()
