"""Page file: a recorded run as one HTML file that needs no server, no network and no chainrule."""

from __future__ import annotations

import base64
import gzip
import hashlib
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable

from chainrule.errors import FormatError, SettingError
from chainrule.lang.messages import _
from chainrule.playground.messages import Message
from chainrule.playground.recording import Recording
from chainrule.settings import language

__all__ = ["embedded", "page_file"]

THEMES = ("light", "dark")
#: A picture of nothing, so that no browser asks for a favicon.
HEAD = """\
<!doctype html>
<html lang="{tag}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<p id="loading" class="loading">{loading}</p>
<noscript><p class="loading">{noscript}</p></noscript>
"""
TAGS = {"en": "en", "zh": "zh-CN"}


def page_file(
    recording: Recording, *, begin: int | None = None, lang: str = "en", theme: str | None = None
) -> bytes:
    """A recording as an HTML file; by default it begins at the last step, in the reader's theme."""
    chosen = language(lang)
    if theme is not None and theme not in THEMES:
        raise SettingError(_('theme must be "light" or "dark". Got {value!r}.', value=theme))
    script, style = built()
    script = script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    policy = (
        f"default-src 'none'; script-src '{hashed(script)}'; style-src '{hashed(style)}';"
        " img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
    )
    said = {
        "title": _("A recorded training: {data}", data=recording.name),
        "loading": _("Loading…"),
        "noscript": _("This page needs JavaScript, from this file alone."),
    }
    head = HEAD.format(
        tag=TAGS[chosen],
        policy=escape(policy),
        style=style,
        **{name: escape(text.said(chosen)) for name, text in said.items()},
    )
    first = recording.frames.fields["steps"][-1] if begin is None else begin
    shown = f' data-theme="{theme}"' if theme else ""
    parts = [
        head,
        _block(
            "recording", recording.frames, f' data-step="{int(first)}" data-lang="{chosen}"{shown}'
        ),
        *(
            _block(f"opened-{step}-{tongue}", message)
            for (step, tongue), message in recording.opened.items()
        ),
        f'<script type="module">{script}</script>\n</body>\n</html>\n',
    ]
    return "".join(parts).encode()


def _block(name: str, message: Message, attributes: str = "") -> str:
    """A message as text that can hold no tag: Base64 of its compressed bytes."""
    # mtime: the same recording, the same file.
    data = base64.b64encode(gzip.compress(message.to_bytes(), mtime=0)).decode()
    return f'<script type="text/plain" id="{name}"{attributes}>{data}</script>\n'


def embedded(page: bytes, title: str, *, height: int = 620) -> str:
    """A recorded page as an `<iframe>`, to be put into another page; `title` says what it shows.

    >>> embedded(b"<p>1 < 2</p>", "a run")[:75]
    '<iframe title="a run" sandbox="allow-scripts" loading="lazy" width="100%" h'
    """
    inner = escape(page.decode())
    return (
        f'<iframe title="{escape(title)}" sandbox="allow-scripts" loading="lazy" width="100%"'
        f' height="{int(height)}" srcdoc="{inner}"></iframe>'
    )


def hashed(text: str) -> str:
    """How a Content-Security-Policy names a script or a style that it lets through."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def built() -> tuple[str, str]:
    """The page's script and its style, as they are built into the package.

    Raises:
        FormatError: the page is not there.
    """
    assets = files("chainrule.playground").joinpath("static", "assets")
    found: dict[str, list[Traversable]] = {"js": [], "css": []}
    for entry in assets.iterdir() if assets.is_dir() else ():
        found.get(entry.name.rpartition(".")[2], []).append(entry)
    if len(found["js"]) != 1 or len(found["css"]) != 1:
        raise FormatError(
            _(
                "The page of the playground is not there: this chainrule was installed without it, or"
                " where npm's packages were out of reach. Install it again, with CHAINRULE_SKIP_PAGE not"
                " set: pip install --force-reinstall -v '.[play]' shows what goes wrong."
            )
        )
    return found["js"][0].read_text("utf-8").strip(), found["css"][0].read_text("utf-8").strip()
