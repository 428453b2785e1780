"""The built page, read and compressed in memory once: no request reaches the file system."""

from __future__ import annotations

import gzip
import hashlib
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

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


class Asset:
    """A file of the page: its bytes, compressed too, and their media type.

    The name of an asset tells its content, so a browser keeps it for good; of others it asks whether
    they have changed.

    >>> asset = Asset(b"a" * 1_000, "text/plain")
    >>> len(asset.compressed) < 40, asset.etag[:5]
    (True, '"41ed')
    """

    def __init__(self, content: bytes, media: str, *, lasting: bool = False) -> None:
        self.content, self.media, self.lasting = content, media, lasting

    @cached_property
    def compressed(self) -> bytes:
        """The content as gzip."""
        return gzip.compress(self.content, 9, mtime=0)

    @cached_property
    def etag(self) -> str:
        """What names the content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    def answer(self, request: Request) -> Response:
        """The file, as small as the browser takes it; or only that it has not changed."""
        headers = {
            "ETag": self.etag,
            "Cache-Control": "private, max-age=31536000, immutable" if self.lasting else "no-cache",
            "Vary": "Accept-Encoding",
        }
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        content = self.content
        accepted = {
            part.partition(";")[0].strip()
            for part in request.headers.get("accept-encoding", "").split(",")
        }
        if "gzip" in accepted and len(self.compressed) < len(content):
            content, headers["Content-Encoding"] = self.compressed, "gzip"
        return Response(content, headers=headers, media_type=self.media)


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
            asset = Asset(entry.read_bytes(), media, lasting=path.startswith("/assets/"))
            page[path + entry.name] = asset
