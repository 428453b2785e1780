"""A drawn figure: a scene or a plot, to show, to save, or to inspect."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from chainrule.atomic_write import Pathish, write_whole
from chainrule.drawing.fonts import lay_out
from chainrule.drawing.saving import PLOTS, format_of, rendered
from chainrule.drawing.scene import Scene
from chainrule.drawing.svg import to_svg
from chainrule.errors import SettingError, nearest
from chainrule.lang.messages import _

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

__all__ = ["Picture"]

#: The resolution of PNGs in dots per inch: graphs at twice screen resolution.
DPI = {"graph": 192.0, "plot": 110.0}


class Picture:
    """A drawn figure: a graph, with its `scene`, or a `plot`, a matplotlib figure.

    >>> import chainrule as cr
    >>> picture = cr.figures.draw("1-18")
    >>> picture.kind, picture.svg.startswith("<svg")
    ('graph', True)
    """

    def __init__(self, name: str, content: Scene | Plot) -> None:
        self.name, self._content = name, content

    @property
    def kind(self) -> str:
        """ "graph" or "plot"."""
        return "graph" if isinstance(self._content, Scene) else "plot"

    @property
    def suits(self) -> str:
        """The default format: SVG for a graph, PNG for a plot."""
        return "svg" if self.kind == "graph" else "png"

    @property
    def scene(self) -> Scene:
        """The marks of a graph."""
        assert isinstance(self._content, Scene)
        return self._content

    @property
    def plot(self) -> Plot:
        """The matplotlib figure of a plot."""
        assert not isinstance(self._content, Scene)
        return self._content

    @cached_property
    def svg(self) -> str:
        """The picture as SVG text."""
        return self.written("svg").decode()

    def written(self, kind: str) -> bytes:
        """The picture as the contents of a file: "svg", "png" or "pdf".

        Raises:
            SettingError: another format.
            ExtraMissingError: matplotlib is missing, or a font for Chinese text.
        """
        if kind not in PLOTS:
            near = nearest(kind, PLOTS)
            raise SettingError(
                _("format={kind!r} is not known; {nearest}.", kind=kind, nearest=near)
            )
        if not isinstance(self._content, Scene):
            return _render_plot(self._content, kind)
        if kind == "svg":
            return to_svg(self._content, "light").encode()
        from chainrule.drawing.raster import to_pdf, to_png

        if kind == "pdf":
            return to_pdf(self._content, dark=False)
        return to_png(self._content, False, DPI["graph"])

    def save(self, path: Pathish) -> None:
        """Write it as .svg, .png or .pdf, by the ending of `path`; an old file is replaced."""
        write_whole(path, self.written(format_of(path, PLOTS)), overwrite=True)

    def texts(self) -> list[str]:
        """Every text in the picture."""
        if isinstance(self._content, Scene):
            return [text.text for text in self._content.texts()]
        from matplotlib.text import Text

        return [text.get_text() for text in self._content.findobj(Text) if text.get_text()]

    def _repr_html_(self) -> str:
        if self.kind == "graph":
            return f'<div style="overflow-x:auto">{self.svg}</div>'
        import base64

        data = base64.b64encode(self.written("png")).decode()
        return f'<img alt="{self.name}" src="data:image/png;base64,{data}">'

    def __repr__(self) -> str:
        return f"Picture({self.name!r})"


def _render_plot(plot: Plot, kind: str) -> bytes:
    """A matplotlib figure as the bytes of a file; the same figure gives the same bytes."""
    from matplotlib.text import Text

    for text in plot.findobj(Text):
        text.set_math_fontfamily("stix")
    if plot.get_layout_engine() is not None:
        # The layout is computed once, since every further run would shift it a little.
        lay_out(plot, needed=kind != "svg")
        plot.set_layout_engine("none")
    return rendered(plot, kind, DPI["plot"])
