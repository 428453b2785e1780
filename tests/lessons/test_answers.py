"""Every exercise: ten wrong answers get the sentence that they must get, five right ones pass."""

from __future__ import annotations

import pytest
from tests.lessons.answered import Given, answered, given, without_numbers

from chainrule.lessons import EXERCISES

NAMES = [exercise.name for exercise in EXERCISES.values()]


@pytest.mark.parametrize("name", NAMES)
def test_ten_wrong_and_five_right_answers(name: str) -> None:
    answers = given(name)
    wrong = [answer for answer in answers if not answer.right]
    right = [answer for answer in answers if answer.right]
    assert len(wrong) >= 10
    assert len(right) >= 5
    assert len({answer.code for answer in answers}) == len(answers)
    # Not all of them the same sentence: the checker tells mistakes apart.
    assert len({answer.sentence for answer in wrong}) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_each_answer_gets_its_sentence(name: str) -> None:
    wrong = [f"{answer}\n  {got}" for answer in given(name) if (got := _unlike(answer))]
    assert wrong == []


def _unlike(answer: Given) -> str:
    """What an answer got, if that is not what it must get."""
    got = answered(answer)
    if answer.right:
        return "" if got else got.sentence
    told = without_numbers(got.sentence)
    return "" if not got and told == answer.sentence else told


@pytest.mark.parametrize("name", NAMES)
def test_what_a_reader_begins_with_is_not_done(name: str) -> None:
    exercise = next(e for e in EXERCISES.values() if e.name == name)
    got = answered(Given(name, False, "the beginning", "", exercise.starter))
    assert got.fault is not None
    assert got.fault.kind in ("unwritten", "nothing", "still")


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_answer_is_drawn_in_both_languages(name: str) -> None:
    drawn = [answered(answer) for answer in given(name) if not answer.right]
    pictures = [got for got in drawn if got.draw() is not None]
    for got in pictures[:2]:
        assert "<svg" in got._repr_html_()
        drawing = got.draw("zh")
        assert drawing is not None
        assert drawing.svg.startswith("<svg")
