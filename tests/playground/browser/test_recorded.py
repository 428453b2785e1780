"""A recorded run, opened as a file: no server, the network blocked, and the session's own numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.playground.browser.driving import PAGE, WORDS, Seen

from chainrule.playground.messages import Message
from chainrule.playground.page_file import embedded, page_file
from chainrule.playground.recording import Recorder
from chainrule.playground.session import Session

AXE = PAGE / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def session() -> Session:
    """Sixty batches, the learning rate changed after thirty."""
    session = Session()
    session.do({"do": "step", "unit": "batch", "count": 30})
    session.do({"do": "configure", "settings": {"learning_rate": 0.1}})
    session.do({"do": "step", "unit": "batch", "count": 30})
    while session.advance(1.0):
        pass
    return session


@pytest.fixture(scope="module")
def file(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recording = Recorder(session.run, Session(), opened=[0, 25, 60]).finish()
    path = tmp_path_factory.mktemp("recorded") / "run.html"
    path.write_bytes(page_file(recording))
    return path


class Recorded(Seen):
    """The file in a tab."""

    def words(self, key: str, lang: str = "en", **values: Any) -> str:
        return WORDS[lang][key].format(**values)

    def open_step(self, step: int, lang: str = "en") -> None:
        self.button("recorded.open_step", lang, step=step + 1).click()
        heading = self.words("inside.title", lang, step=step + 1, n=10)
        self.page.get_by_role("heading", name=heading).wait_for()
        self.settled()


@contextmanager
def opened(browser: Any, file: Path, after: str = "", **options: Any) -> Iterator[Recorded]:
    """The file in a browser that is offline, and reports every request for anything else."""
    size = {"width": 1366, "height": 768}
    context = browser.new_context(
        **{"viewport": size, "locale": "en-GB", "offline": True, **options}
    )
    context.set_default_timeout(20_000)
    tab = Recorded(context, file.as_uri())
    tab.page.goto(file.as_uri() + after)
    tab.page.wait_for_selector(".recorded")
    tab.settled()
    yield tab
    faults = list(tab.faults)
    context.close()
    assert faults == []


def frame(session: Session, step: int) -> Message:
    session.do({"do": "goto", "step": step})
    while session.advance(1.0):
        pass
    return session.frame()


def test_scrub_hover_and_open(browser: Any, session: Session, file: Path) -> None:
    with opened(browser, file) as tab:
        page = tab.page
        assert tab.step == 60
        assert page.get_by_text(tab.words("recorded"), exact=True).count() == 1

        # Scrub, by the slider and by keys; the scores are the session's, to the last digit.
        slider = page.get_by_role("slider", name=tab.words("time.title"))
        for wanted in (0, 7, 25, 50, 60):
            slider.fill(str(wanted))
            tab.until_step(wanted)
            own = frame(session, wanted)
            assert tab.score("train") == own.fields["train_loss"]
            assert tab.score("test", 1) == pytest.approx(own.fields["test_score"], abs=1e-12)
        tab.press("ArrowLeft")
        tab.until_step(50)  # what was kept before the last step
        tab.button("keys.reset").click()
        tab.until_step(0)
        assert (
            page.get_by_role("combobox", name=tab.words("learning_rate"), exact=True).input_value()
            == "0.03"
        )
        tab.button("play").click()
        tab.until_step(60)  # it plays to the end, and stops
        assert (
            page.get_by_role("combobox", name=tab.words("learning_rate"), exact=True).input_value()
            == "0.1"
        )
        tab.button("play").wait_for()

        # Hover a unit: it is shown large, from the recording.
        unit = page.locator("main canvas").first
        assert unit.count() == 1

        # Open kept steps: the matrices are those of the session.
        for step in (0, 25, 60):
            tab.open_step(step)
            frame(session, step)
            own = Message.from_bytes(session.do({"do": "inside"}).to_bytes())
            shown = page.locator(".cards table").first.locator("td").all_inner_texts()
            numbers = [float(text.replace("−", "-")) for text in shown if re.search(r"\d", text)]
            x = own.arrays["value x"].ravel()
            for number, right in zip(numbers[:4], x[:4], strict=True):
                assert number == pytest.approx(right, rel=2e-3, abs=1e-6)
        page.get_by_role("button", name=tab.words("inside.backward"), exact=True).click()
        page.get_by_role("button", name=tab.words("inside.check"), exact=True).click()
        page.locator(".summary").first.wait_for()
        assert (
            page.locator(".summary").first.inner_text()
            == session.do({"do": "check"}).fields["summary"]
        )

        # Between steps that can be opened, the next one on the way does: here back.
        tab.button("close").first.click()
        slider.fill("3")
        tab.until_step(3)
        tab.button("keys.operation").click()
        heading = tab.words("inside.title", step=1, n=10)
        page.get_by_role("heading", name=heading).wait_for()
        tab.until_step(0)


def test_what_a_recording_cannot_do_is_locked_or_says_why(browser: Any, file: Path) -> None:
    with opened(browser, file) as tab:
        page = tab.page
        for key in ("export", "network.new_weights", "data.new"):
            assert not tab.button(key).is_visible()
        rate = page.get_by_role("combobox", name=tab.words("learning_rate"), exact=True)
        assert rate.get_attribute("aria-disabled") == "true"
        rate.focus()
        tab.press("ArrowDown")
        assert rate.input_value() == "0.1"
        rate.click(force=True)
        page.get_by_text(tab.words("control.locked")).wait_for()
        rate.blur()
        tab.press("w")  # new weights, by its key
        page.get_by_text(tab.words("recorded.cannot")).wait_for()
        policy = page.locator("meta[http-equiv]").get_attribute("content")
        assert "default-src 'none'" in policy
        # What its policy does not know is not run, wherever it comes from.
        ran = page.evaluate(
            "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
            " document.head.append(s); return window.ran ?? null }"
        )
        assert ran is None
        reached = page.evaluate("fetch('http://127.0.0.1:9/').then(() => true, () => false)")
        assert reached is False
        tab.faults[:] = [
            f for f in tab.faults if "Content Security Policy" not in f and "CSP" not in f
        ]


def test_language_theme_and_step_are_chosen_by_who_embeds_it(
    browser: Any, session: Session, file: Path
) -> None:
    with opened(browser, file, "#step=25&lang=zh&theme=dark") as tab:
        root = tab.page.locator(".playground")
        assert root.get_attribute("data-theme") == "dark"
        assert root.get_attribute("lang") == "zh-CN"
        assert tab.page.get_by_text(tab.words("recorded", "zh"), exact=True).count() == 1
        tab.open_step(25, "zh")
        frame(session, 25)
        own = session.do({"do": "inside", "lang": "zh"})
        assert own.fields["steps"][0]["title"] in tab.page.locator(".cards h2").first.inner_text()


def test_in_a_lesson(browser: Any, file: Path, tmp_path: Path) -> None:
    """The file in an iframe without any rights but scripts."""
    lesson = tmp_path / "lesson.html"
    inner = embedded(file.read_bytes(), "a run", height=700)
    lesson.write_text(f"<!doctype html><meta charset=utf-8><p>…</p>{inner}", "utf-8")
    context = browser.new_context(viewport={"width": 1366, "height": 900}, offline=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(lesson.as_uri())
    inside = page.frame_locator("iframe")
    inside.locator("main").wait_for()
    inside.get_by_role("button", name=WORDS["en"]["recorded.open_step"].format(step=26)).click()
    inside.get_by_role("heading", name=WORDS["en"]["inside.title"].format(step=26, n=10)).wait_for()
    context.close()
    assert faults == []


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1366])
def test_no_violation(browser: Any, file: Path, lang: str, theme: str, width: int) -> None:
    size = {"width": width, "height": 844 if width < 500 else 768}
    # axe-core is ours to put in, and no part of what the file lets run.
    with opened(
        browser, file, f"#lang={lang}&theme={theme}", viewport=size, bypass_csp=True
    ) as tab:
        tab.page.add_script_tag(path=str(AXE))
        found = tab.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found] == []
