"""The playground in a notebook: the same page and the same session, over a widget's messages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from chainrule.errors import ExtraMissingError, SettingError
from chainrule.lang.messages import _, sentences
from chainrule.networks import Network
from chainrule.playground.caps import Caps
from chainrule.playground.messages import Message
from chainrule.playground.session import Session

__all__ = ["Playground"]

#: The page as a module, as it is built into the package.
WIDGET = Path(__file__).parent / "static" / "widget"
#: Seconds of training between two looks at the notebook's other affairs, and between two frames.
SLICE, FRAME = 0.01, 1 / 30


class Playground:
    """A network to watch, stop and open, in a notebook cell (extra `[widget]`).

    `link` is what the page's address has behind `#`, or a link of the TensorFlow Playground;
    `settings` are those of `chainrule.playground.Settings`. The network that is shown is the
    library's own: `playground.network` is a `cr.Sequential`, at the step that is shown.

    While a cell runs, the training waits.

    >>> playground = Playground(data="spiral", hidden=[8, 8], optimizer="Adam")
    >>> playground.step(3, "epoch")
    >>> playground.network.predict([[0.5, 1.0]]).shape
    (1, 1)
    """

    def __init__(
        self, link: str | None = None, *, caps: Caps | None = None, **settings: Any
    ) -> None:
        self.session = Session(caps)
        self._task: asyncio.Task[None] | None = None
        self._blas: Any = None
        if link is not None:
            self.do("link", text=link)
        if settings:
            self.do("configure", settings=settings)

    def do(self, what: str, **fields: Any) -> Message:
        """Do a command of the page, such as `do("play")`; its answer.

        Raises:
            SettingError: what is wrong with the command.
        """
        answer = self.session.do({"do": what, **fields})
        if answer.kind == "error":
            raise SettingError(sentences(*answer.fields["errors"]))
        self._show(self.session.state(), self.session.frame())
        return answer

    def step(self, count: int = 1, unit: str = "batch") -> None:
        """Train for some batches, or epochs."""
        self.do("step", count=count, unit=unit)

    @property
    def network(self) -> Network:
        """The network, as it is at the step that is shown."""
        return self.session.run.machine.network

    # -- the widget ---------------------------------------------------------------------------------

    @cached_property
    def widget(self) -> Any:
        """The widget, to be placed among others; in marimo, `mo.ui.anywidget(playground.widget)`.

        Raises:
            ExtraMissingError: anywidget is not installed, or chainrule without its page.
        """
        try:
            import anywidget
            import threadpoolctl
        except ImportError:
            raise ExtraMissingError(
                _(
                    "The playground in a notebook needs anywidget and threadpoolctl:"
                    " pip install 'chainrule[widget]'."
                )
            ) from None
        if not (WIDGET / "widget.js").exists():
            raise ExtraMissingError(
                _(
                    "This chainrule was installed without its page (CHAINRULE_SKIP_PAGE). Install it again"
                    " without that: pip install --force-reinstall 'chainrule[widget]'."
                )
            )
        self._blas = threadpoolctl.ThreadpoolController()
        kind = type(
            "PlaygroundWidget",
            (anywidget.AnyWidget,),
            {"_esm": WIDGET / "widget.js", "_css": WIDGET / "widget.css"},
        )
        widget = kind()
        widget.on_msg(self._asked)
        return widget

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.widget._repr_mimebundle_(**options)

    def _display_(self) -> Any:
        """What marimo shows."""
        return self.widget

    def _asked(self, widget: Any, command: Any, buffers: Sequence[Any]) -> None:
        """Answer a command of the page."""
        session = self.session
        if not isinstance(command, Mapping):
            return
        before = session.version
        if command.get("do") == "hello":
            self._show(session.hello(), session.state(), session.frame())
        elif command.get("do") == "upload":
            body = bytes(buffers[0]) if buffers else b""
            answer = session.upload(str(command.get("name", "")), body)
            self._show(
                Message(answer.kind, {**answer.fields, "id": command.get("id")}, answer.arrays)
            )
        else:
            self._show(session.do(command))
        if session.version != before:
            self._show(session.state(), session.frame())
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._train())

    async def _train(self) -> None:
        """Train while there is something to do, and show it, a slice at a time."""
        shown, going = 0.0, True
        while going:
            # These products are small: on several threads they would wait for one another.
            with self._blas.limit(limits=1, user_api="blas"):
                going = self.session.advance(SLICE)
                now = time.perf_counter()
                if not going or now - shown > FRAME:
                    shown = now
                    messages = [] if going else [self.session.state()]
                    self._show(*messages, self.session.frame())
            await asyncio.sleep(self.session.wait() if going else 0)

    def _show(self, *messages: Message) -> None:
        if "widget" in self.__dict__:  # which is made when it is first shown
            for message in messages:
                self.widget.send({}, [message.to_bytes()])
