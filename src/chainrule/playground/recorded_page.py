"""Recorded page: a training, from its link, as one HTML file to send or to put into a lesson."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.errors import SettingError
from chainrule.lang.messages import sentences
from chainrule.playground.caps import Caps
from chainrule.playground.page_file import page_file
from chainrule.playground.recording import Recorder
from chainrule.playground.session import Session

__all__ = ["recorded_page"]


def recorded_page(
    link: str = "",
    *,
    steps: int = 1_000,
    opened: Sequence[int] | None = None,
    begin: int = 0,
    lang: str = "en",
    theme: str | None = None,
    caps: Caps | None = None,
) -> bytes:
    """A training as one HTML file, in which it can be scrubbed, and opened at some steps.

    `link` is what the playground's address has behind `#`, or a link of the TensorFlow Playground;
    the run goes on to `steps` steps at least. `opened` are the steps that can be opened, by default
    a few; `begin` is the step that is shown first. The numbers are those of the session, to the
    bit, but for the maps, which are rounded to 1/254 of their range.

    Raises:
        SettingError: the link, a step, the language or the theme is not one.
        FormatError: chainrule was installed without its page.

    >>> page = recorded_page("#chainrule=1&data=xor&hidden=2&activations=tanh", steps=5, opened=[0])
    >>> page[:15], len(page) < 1_000_000
    (b'<!doctype html>', True)
    """
    session = Session(caps)
    if link:
        answer = session.do({"do": "link", "text": link})
        if answer.kind == "error":
            raise SettingError(sentences(*answer.fields["errors"]))
    while session.link_events:
        session.advance(1.0)
    session.advance_run(steps - session.run.step, None)
    recording = Recorder(session.run, Session(caps), opened=opened).finish()
    return page_file(recording, begin=begin, lang=lang, theme=theme)
