"""The address of the page: a link to what it shows, and what a reload makes of it."""

from __future__ import annotations

from tests.playground.browser.driving import WORDS, Seen

EN = WORDS["en"]


def reload(seen: Seen) -> None:
    seen.page.reload()
    seen.page.wait_for_selector("canvas")
    seen.settled()
    seen.faults.clear()  # the old page's connection ended


def runs(seen: Seen) -> int:
    return int(seen.page.locator("aside.output li").count())


def test_a_reload_while_it_learns_shows_the_training_that_goes_on(seen: Seen) -> None:
    seen.button("play").click()
    seen.until(lambda: seen.step > 0, "it learns")
    step = seen.step
    assert step > 0
    reload(seen)
    assert seen.step >= step
    assert runs(seen) == 1
    seen.button("pause").click()
    seen.settled()
    assert seen.page.url.endswith(f"step={seen.step}")


def test_a_link_is_opened_even_if_its_run_is_shown_further_on(seen: Seen) -> None:
    seen.hold("ArrowRight", 8, shift=True)
    seen.until_step(200)
    assert seen.page.url.endswith("&step=200")
    seen.page.evaluate("location.hash = '#chainrule=1&step=30'")
    seen.until_step(30)
    assert runs(seen) == 2
    seen.page.go_back()
    seen.until_step(200)


def test_a_link_that_leads_to_the_beginning_only_says_so(seen: Seen) -> None:
    seen.press("ArrowRight")
    seen.press("l")
    assert seen.page.get_by_text(EN["link.begins"]).count() == 0
    seen.press("Escape")
    for k in range(52):
        seen.press("ArrowRight")
        seen.choose("learning_rate", ["0.1", "0.03"][k % 2])
        seen.page.locator("body").focus()
    seen.settled()
    seen.press("l")
    seen.page.get_by_text(EN["link.begins"]).wait_for()  # until it can be seen
    seen.press("Escape")


def test_what_was_said_of_one_link_is_not_said_of_the_next(seen: Seen) -> None:
    for link, said in (("#activation=TANH&seed=0.1", True), ("#activation=relu&seed=0.1", False)):
        seen.press("l")
        seen.page.locator("#other-link").fill(link)
        seen.press("Enter")
        seen.settled()
        assert ("'TANH' is not known" in seen.page.inner_text("body")) == said
