"""Drawing figures by their numbers, and saving a folder of figures with an index page."""

from __future__ import annotations

import os
from collections.abc import Sequence

from chainrule.atomic_write import Pathish, write_whole
from chainrule.drawing.fonts import lacks_font
from chainrule.drawing.saving import PLOTS, check_letters
from chainrule.errors import SettingError, nearest
from chainrule.figures.pages import TITLE, index_page
from chainrule.figures.picture import Picture
from chainrule.figures.table import FIGURES, Figure
from chainrule.lang.languages import LANGUAGES
from chainrule.lang.messages import _
from chainrule.settings import language

__all__ = ["draw", "find", "plot_format", "save"]

PAGE = "index.html"


def find(key: str) -> Figure:
    """The figure of a number ("1-19", "eq-1.13"), a slug ("multiply"), or a file name.

    Raises:
        SettingError: there is no such figure.

    >>> find("multiply").name, find("1-19").heading("en")
    ('1-19-multiply', 'Figure 1-19. The multiply node')
    """
    for figure in FIGURES:
        if key in (figure.number, figure.slug, figure.name) and key:
            return figure
    near = nearest(key, [figure.key for figure in FIGURES])
    raise SettingError(_("there is no figure {key!r}; {nearest}.", key=key, nearest=near))


def draw(key: str, lang: str | None = None) -> Picture:
    """Draw one figure; every number in it is computed now.

    `lang`: "en" or "zh"; None: the language of CHAINRULE_LANG, else English.

    Raises:
        SettingError: there is no such figure or language.
        ExtraMissingError: the figure is a plot, and matplotlib is missing (extra [draw]).

    >>> draw("1-18", lang="zh")
    Picture('1-18-add')
    """
    figure = find(key)
    return Picture(figure.name, figure.draw(language(lang)))


def save(
    folder: Pathish, lang: str | None = None, kind: str | None = None, only: Sequence[str] = ()
) -> list[str]:
    """Draw figures into a folder, which is created if needed, with an `index.html` that shows them.

    `kind` is "svg", "png" or "pdf"; by default graphs are SVG and plots `plot_format(lang)`. `only`
    names the figures to draw; by default all are. All are drawn before the first file is written.
    Old files of the same names are replaced. Returns the paths written. `lang` is that of `draw`.

    Raises:
        SettingError: there is no such figure, language or format, the folder is a file, or its
            index.html is another page.
        ExtraMissingError: matplotlib or a font for Chinese text is missing.
    """
    lang = language(lang)
    if kind is not None and kind not in PLOTS:
        near = nearest(kind, PLOTS)
        raise SettingError(
            _("kind={kind!r} is no format of figures; {nearest}.", kind=kind, nearest=near)
        )
    where = os.fspath(folder)
    if os.path.exists(where) and not os.path.isdir(where):
        raise SettingError(
            _("{where} is a file; give the name of a folder for the figures.", where=where)
        )
    _refuse_another_page(os.path.join(where, PAGE))
    if (
        lang == "zh" and kind is not None and not only
    ):  # of some figures, none may have such letters
        check_letters(kind)
    chosen = list(dict.fromkeys(find(key) for key in only)) or list(FIGURES)
    files: dict[str, bytes] = {}
    shown: list[tuple[Figure, str]] = []
    for figure in chosen:
        picture = Picture(figure.name, figure.draw(lang))
        suits = plot_format(lang) if picture.kind == "plot" else picture.suits
        name = f"{figure.name}.{kind or suits}"
        files[name] = picture.written(kind or suits)
        shown.append((figure, name))
    files[PAGE] = index_page(shown, files, lang).encode()
    os.makedirs(where, exist_ok=True)
    paths = [os.path.join(where, name) for name in files]
    for path, data in zip(paths, files.values(), strict=True):
        write_whole(path, data, overwrite=True)
    return paths


def plot_format(lang: str) -> str:
    """The default format of plots: PNG; SVG for Chinese text if no installed font has its letters."""
    try:
        return "svg" if lang == "zh" and lacks_font() else "png"
    except ImportError:  # no matplotlib; drawing a plot raises the error
        return "png"


def _refuse_another_page(path: str) -> None:
    """Raise a SettingError if `path` is an existing page of something else."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            start = file.read(2000)
    except OSError:  # usually there is none
        return
    if not any(f"<title>{TITLE.said(lang)}</title>" in start for lang in LANGUAGES):
        raise SettingError(
            _(
                "{path} is another page than that of the figures, and is left as it is. Name another"
                " folder for the figures.",
                path=path,
            )
        )
