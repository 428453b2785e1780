"""A real page in a real browser: the command's own process, Debian's Chromium, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.playground.server.process import Served

from chainrule.playground.messages import Message

PAGE = Path(__file__).parents[3] / "page"
#: Without the built page, or a browser, there is nothing to test.
BUILT = Path(__file__).parents[3] / "src" / "chainrule" / "playground" / "static" / "index.html"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
WORDS: dict[str, dict[str, str]] = {
    lang: json.loads((PAGE / "src" / "text" / f"{lang}.json").read_text("utf-8"))
    for lang in ("en", "zh")
}


def chromium() -> str:
    """Where Chromium is; without it, or without the page, the test is left out."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    if not BUILT.exists():
        pytest.skip("the page is not built here (CHAINRULE_SKIP_PAGE): pip install -e .")
    return found


class Seen:
    """A tab with the playground, and what went wrong in it."""

    def __init__(self, context: Any, origin: str) -> None:
        self.page = context.new_page()
        self.origin = origin
        self.faults: list[str] = []
        self.messages: dict[str, Message] = {}
        #: What the page has sent.
        self.commands: list[str | bytes] = []
        self.page.on("console", self.told)
        self.page.on("pageerror", lambda error: self.fault(str(error)))
        self.page.on("websocket", self.connected)
        context.route(lambda url: not url.startswith((origin, "blob:", "data:")), self.stranger)

    def connected(self, socket: Any) -> None:
        if not socket.url.startswith(self.origin.replace("http", "ws", 1)):
            self.fault(f"asked another host: {socket.url}")
        socket.on("framereceived", self.hear)
        socket.on("framesent", lambda payload: self.commands.append(payload))
        socket.on("close", lambda _: self.fault("the server closed the connection"))

    def fault(self, text: str) -> None:
        self.faults.append(text)

    def told(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.fault(message.text)

    def stranger(self, route: Any) -> None:
        self.fault(f"asked another host: {route.request.url}")
        route.abort()

    def hear(self, payload: Any) -> None:
        message = Message.from_bytes(payload)
        self.messages[message.kind] = message

    # -- the page's parts, by what they are called ------------------------------------------------

    def button(self, key: str, lang: str = "en", **values: Any) -> Any:
        return self.page.get_by_role("button", name=WORDS[lang][key].format(**values), exact=True)

    def move(self, key: str) -> None:
        """Press one of the buttons beside the time line, which are called −50 and so on as well."""
        self.page.get_by_role("button", name=WORDS["en"][key]).click()
        self.settled()

    def choose(self, key: str, option: str) -> None:
        """Choose in one of the menus of the bar above."""
        self.page.get_by_role("combobox", name=WORDS["en"][key], exact=True).select_option(option)

    def data_set(self, key: str) -> None:
        radio = self.page.get_by_role("radio", name=WORDS["en"][f"data.{key}"], exact=True)
        self.page.locator("label", has=radio).click()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(40)

    def hold(self, key: str, times: int, shift: bool = False) -> None:
        """Hold a key down on the fastest of keyboards: so many presses before the page can answer."""
        self.page.evaluate(
            "([key, times, shiftKey]) => { for (let k = 0; k < times; k++) document.body.dispatchEvent("
            "new KeyboardEvent('keydown', {key, shiftKey, repeat: k > 0, bubbles: true})) }",
            [key, times, shift],
        )

    def score(self, row: str, column: int = 0) -> float:
        """A number of the table of scores, with all its digits."""
        cells = self.page.get_by_role("row", name=re.compile(f"^{WORDS['en'][f'scores.{row}']}"))
        return float(cells.locator("td").nth(column).get_attribute("title"))

    def until(self, true: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait until it is true; `what` says what was waited for in vain."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"still not so: {what}"
            self.page.wait_for_timeout(50)

    @property
    def step(self) -> int:
        """The step that the time line shows."""
        slider = self.page.get_by_role("slider", name=WORDS["en"]["time.title"])
        return int(float(slider.get_attribute("aria-valuenow") or slider.input_value()))

    def until_step(self, wanted: int, seconds: float = 60) -> None:
        """Wait until the page shows a step."""
        self.until(lambda: self.step == wanted, f"the page shows step {wanted}", seconds)
        self.settled()

    def until_text(self, selector: str, text: str) -> None:
        """Wait until a part of the page reads so."""
        part = self.page.locator(selector)
        self.until(lambda: part.inner_text() == text, f"{selector} reads {text!r}")

    def settled(self) -> None:
        """Wait until the page shows what the session has answered, however busy the machine is."""
        busy = self.page.locator(".playground[aria-busy=true]")
        for _ in range(3):  # a part may wait a moment before it asks
            self.page.wait_for_timeout(60)
            self.until(lambda: not busy.count(), "every command has been answered")

    def take_home(self, what: str) -> tuple[str, bytes]:
        """Export; the file's name and content."""
        self.button("export").click()
        with self.page.expect_download() as download:
            # In the list that has opened, by the words in bold.
            self.page.locator("[popover] li, ul li").filter(
                has=self.page.locator(
                    "strong", has_text=re.compile(f"^{re.escape(WORDS['en'][f'export.{what}'])}$")
                )
            ).get_by_role("button").click()
        file = download.value
        return file.suggested_filename, Path(file.path()).read_bytes()


#: Who has been here before has chosen to play as fast as it goes.
FASTEST = "localStorage.setItem('chainrule.speed', 'null')"


@contextmanager
def opened(
    browser: Any, served: Served, path: str = "", *, newcomer: bool = False, **options: Any
) -> Iterator[Seen]:
    """A tab of a new learner, which must end without a fault; training goes as fast as it can."""
    size = {"width": 1440, "height": 900}
    context = browser.new_context(**{"viewport": size, "locale": "en-GB", **options})
    context.set_default_timeout(60_000)
    if not newcomer:
        context.add_init_script(FASTEST)
    tab = Seen(context, served.origin)
    tab.page.goto(f"{served.origin}/?token={served.token}{path}")
    tab.page.wait_for_selector("canvas")
    tab.settled()
    yield tab
    faults = list(tab.faults)  # closing the tab ends its connection
    context.close()
    assert faults == []


@contextmanager
def browser_here() -> Iterator[Any]:
    """Chromium, once for a module; without it, or what drives it, the test is left out."""
    where = chromium()
    sync_api = pytest.importorskip("playwright.sync_api")
    node = Path(sync_api.__file__).parents[1] / "driver" / "node"
    tried = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(
            f"Playwright's Node does not start here ({tried.stderr.strip()}): apt-get install libatomic1"
        )
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=where, args=FLAGS)
        try:
            yield found
        finally:
            found.close()
