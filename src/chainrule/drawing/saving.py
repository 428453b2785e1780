"""Pictures as files: the format by the ending of the name, asked for before anything is drawn."""

from __future__ import annotations

import io
import os
from typing import Any

from chainrule.errors import SettingError
from chainrule.files.writing import Pathish, check_place

__all__ = ["GRAPHS", "PLOTS", "check_path", "format_of", "rendered"]

#: What a graph, and what a plot, is written as.
GRAPHS = ("svg", "png", "pdf", "dot")
PLOTS = ("svg", "png", "pdf")


def format_of(path: Pathish, formats: tuple[str, ...] = GRAPHS) -> str:
    """The one of `formats` that the ending of `path` says, in small letters or capitals.

    Raises:
        SettingError: another ending, or none.

    >>> format_of("graph.SVG")
    'svg'
    """
    where = os.fspath(path)
    kind = os.path.splitext(where)[1].lower().removeprefix(".")
    if kind not in formats:
        raise SettingError(
            f"{where}: a picture is written as one of {', '.join(f'.{s}' for s in formats)}, which the"
            f" ending of the name says; got {f'.{kind}' if kind else 'no ending'}."
        )
    return kind


def check_path(path: Pathish | None, formats: tuple[str, ...] = PLOTS) -> None:
    """Raise a SettingError unless a picture can be written there: worth asking before long work."""
    if path is not None:
        format_of(path, formats)
        check_place(path, overwrite=True)


def rendered(figure: Any, kind: str, dpi: float | str = "figure") -> bytes:
    """A matplotlib figure as the contents of a file; the same figure gives the same bytes."""
    from matplotlib import rc_context

    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}
    buffer = io.BytesIO()
    # Outlines (type 3), since many CJK fonts cannot be embedded as TrueType (type 42).
    with rc_context({"svg.hashsalt": "chainrule", "pdf.fonttype": 3}):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=undated[kind])
    return buffer.getvalue()
