"""Pictures as files: the format by the ending of the name, checked before anything is drawn."""

from __future__ import annotations

import importlib.util
import io
import os
from contextlib import nullcontext
from typing import Any

from chainrule.atomic_write import Pathish, check_place
from chainrule.drawing.fonts import cjk_font, letters_as_text, set_fonts
from chainrule.errors import SettingError
from chainrule.lang.messages import _, listed

__all__ = ["GRAPHS", "PLOTS", "check_letters", "check_path", "format_of", "rendered"]

#: The formats of graphs and of plots.
GRAPHS = ("svg", "png", "pdf", "dot")
PLOTS = ("svg", "png", "pdf")


def format_of(path: Pathish, formats: tuple[str, ...] = GRAPHS) -> str:
    """The one of `formats` that is the ending of `path`, in small letters or capitals.

    Raises:
        SettingError: another ending, or none.

    >>> format_of("graph.SVG")
    'svg'
    """
    where = os.fspath(path)
    kind = os.path.splitext(where)[1].lower().removeprefix(".")
    if kind not in formats:
        given = f".{kind}" if kind else _("no ending")
        raise SettingError(
            _(
                "{file}: a picture is written as one of {endings}, which the ending of the name says; got"
                " {given}.",
                file=where,
                endings=listed(f".{s}" for s in formats),
                given=given,
            )
        )
    return kind


def check_path(path: Pathish | None, formats: tuple[str, ...] = PLOTS, *, lang: str = "en") -> None:
    """Raise unless a picture with words in this language can be written; called before long work.

    Raises:
        SettingError: another ending, or a place where no file can be written.
        ExtraMissingError: a PNG or PDF with Chinese words, and no font that has them.
    """
    if path is not None:
        kind = format_of(path, formats)
        check_place(path, overwrite=True)
        if lang == "zh":
            check_letters(kind)


def check_letters(kind: str) -> None:
    """Raise an ExtraMissingError if files of this format need a font for Chinese, and there is none."""
    if kind in ("png", "pdf") and importlib.util.find_spec("matplotlib") is not None:
        cjk_font()


def rendered(figure: Any, kind: str, dpi: float | str = "figure") -> bytes:
    """A matplotlib figure as the contents of a file; the same figure gives the same bytes.

    If no font here has the Chinese letters of an SVG, they are shown in the reader's fonts, with some
    margin, since their size is unknown.

    Raises:
        ExtraMissingError: a PNG or PDF with Chinese letters, and no font that has them.
    """
    from matplotlib import rc_context

    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}
    buffer = io.BytesIO()
    known = set_fonts(figure, needed=kind != "svg")
    room: dict[str, Any] = {} if known else {"bbox_inches": "tight", "pad_inches": 0.1}
    # Outlines (type 3), since many CJK fonts cannot be embedded as TrueType (type 42).
    with (
        rc_context({"svg.hashsalt": "chainrule", "pdf.fonttype": 3}),
        nullcontext() if known else letters_as_text(),
    ):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=undated[kind], **room)
    return buffer.getvalue()
