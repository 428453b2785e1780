"""The built page, read into memory once: no request reaches the file system."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from chainrule.errors import FormatError
from chainrule.lang.messages import _

__all__ = ["Asset", "built_page"]

#: What a built page consists of.
MEDIA = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}


class Asset(NamedTuple):
    """A file of the page: its bytes and their media type."""

    content: bytes
    media: str


def built_page() -> dict[str, Asset]:
    """The files of the page by path, "/" the page itself.

    Raises:
        FormatError: if the page is not there, because chainrule was installed without it.
    """
    page: dict[str, Asset] = {}
    gather(files("chainrule.playground").joinpath("static"), "/", page)
    if "/index.html" not in page:
        raise FormatError(
            _(
                "The page of the playground is not there: this chainrule was installed without it, or"
                " where npm's packages were out of reach. Install it again, with CHAINRULE_SKIP_PAGE not"
                " set: pip install --force-reinstall -v '.[play]' shows what goes wrong."
            )
        )
    return {"/": page["/index.html"], **page}


def gather(folder: Traversable, path: str, page: dict[str, Asset]) -> None:
    """Add the files of a folder to a page."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.is_dir():
            gather(entry, f"{path}{entry.name}/", page)
        elif (media := MEDIA.get(entry.name.rpartition(".")[2])) is not None:
            page[path + entry.name] = Asset(entry.read_bytes(), media)
