"""The grammar of links: what the page reads, passes over, and writes."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.playground.caps import Caps
from chainrule.playground.compatible import Compatible, Link, LinkError
from chainrule.playground.compatible.javascript import number, number_text

#: The link of the chapter, which has every setting there is but two: the page's first state.
CHAPTER = (
    "activation=tanh&batchSize=10&dataset=circle&regDataset=reg-plane&learningRate=0.03"
    "&regularizationRate=0&noise=0&networkShape=4,2&seed=0.40401&showTestData=false"
    "&discretize=false&percTrainData=50&x=true&y=true&xTimesY=false&xSquared=false"
    "&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false&collectStats=false"
    "&problem=classification&initZero=false&hideText=false"
)


def test_the_chapters_link_is_the_first_state_and_is_written_the_same() -> None:
    assert Link.parse("#" + CHAPTER) == Link(seed="0.40401")
    assert str(Link(seed="0.40401")) == CHAPTER


def test_all_that_is_not_usual_is_written_in_the_pages_order() -> None:
    text = (
        "activation=relu&regularization=L1&batchSize=30&dataset=spiral&regDataset=reg-gauss"
        "&learningRate=1e-7&regularizationRate=0.003&noise=35&networkShape=8,7.5,NaN&seed=tea"
        "&showTestData=true&discretize=true&percTrainData=80&x=false&y=false&xTimesY=true"
        "&xSquared=true&ySquared=true&cosX=true&sinX=true&cosY=true&sinY=true&collectStats=true"
        "&tutorial=one&problem=regression&initZero=true&hideText=true&playButton_hide=true"
        "&noise_hide=false"
    )
    shuffled = "&".join(sorted(text.split("&"), key=lambda part: part[::-1]))
    assert str(Link.parse(text)) == text
    again = str(Link.parse(shuffled))  # the order of what is hidden is that of the link
    assert sorted(again.split("&")) == sorted(text.split("&"))
    assert again.split("&")[:-2] == text.split("&")[:-2]
    link = Link.parse(text)
    assert link.features == ("xSquared", "ySquared", "xTimesY", "sinX", "sinY")
    assert link.data == "reg-gauss"


@pytest.mark.parametrize(
    "text",
    [
        "https://playground.tensorflow.org/#noise=5&seed=1",
        "http://127.0.0.1:8000/page?lang=en#noise=5&seed=1",
        "#noise=5&seed=1",
        "noise=5&seed=1",
        "?noise=5&seed=1",
        "  #noise=5&seed=1\n",
    ],
)
def test_the_link_is_found_in_an_address(text: str) -> None:
    assert Link.parse(text) == Link(noise=5, seed="1")


def test_an_address_without_a_hash_says_nothing() -> None:
    link = Link.parse("https://playground.tensorflow.org/?noise=5&seed=1")
    assert link == dataclasses.replace(Link(), seed=link.seed)


#: What a link says -> what its field holds; from the page's rules and JavaScript's.
READ: list[tuple[str, str, Any]] = [
    ("", "noise", 0.0),
    ("noise=", "noise", 0.0),
    ("noise", "noise", 0.0),
    ("noise=  ", "noise", 0.0),
    ("noise=5=6", "noise", 5.0),
    ("noise=5&noise=6", "noise", 6.0),
    ("noise=5&noise=", "noise", 0.0),
    ("Noise=5", "noise", 0.0),
    (" noise=5&x=true", "noise", 5.0),
    ("x=true& noise=5", "noise", 0.0),
    ("noise=51", "noise", 51.0),
    ("noise=80", "noise", 80.0),
    ("noise=80.1", "noise", 50.0),
    ("noise=Infinity", "noise", 50.0),
    ("noise=-3", "noise", 0.0),
    ("noise=five", "noise", math.nan),
    ("noise=%205", "noise", math.nan),
    ("batchSize=0x1F", "batch_size", 31.0),
    ("batchSize=0b101", "batch_size", 5.0),
    ("batchSize=1_0", "batch_size", math.nan),
    ("batchSize=-0x1F", "batch_size", math.nan),
    ("learningRate=.5", "learning_rate", 0.5),
    ("learningRate=5.", "learning_rate", 5.0),
    ("learningRate=+1e-2", "learning_rate", 0.01),
    ("learningRate=-Infinity", "learning_rate", -math.inf),
    ("learningRate=inf", "learning_rate", math.nan),
    ("learningRate=infinity", "learning_rate", math.nan),
    ("learningRate=nan", "learning_rate", math.nan),
    ("learningRate=0,03", "learning_rate", math.nan),
    ("learningRate=1e999", "learning_rate", math.inf),
    ("percTrainData=\u00a070\ufeff", "train_percent", 70.0),
    ("percTrainData=\u06f7\u06f0", "train_percent", math.nan),
    ("networkShape=", "hidden", ()),
    ("networkShape=  ", "hidden", ()),
    ("networkShape", "hidden", (4.0, 2.0)),
    ("networkShape=8", "hidden", (8.0,)),
    ("networkShape=3, 2,0x2", "hidden", (3.0, 2.0, 2.0)),
    ("networkShape=3,,2", "hidden", (3.0, 0.0, 2.0)),
    ("networkShape=3,2,", "hidden", (3.0, 2.0, 0.0)),
    ("activation=relu", "activation", "relu"),
    ("activation=ReLU", "activation", "tanh"),
    ("activation= relu", "activation", "tanh"),
    ("regularization=L2", "regularization", "L2"),
    ("regularization=L2&regularization=none", "regularization", "none"),
    ("regularization=l2", "regularization", "none"),
    ("dataset=reg-plane", "dataset", "circle"),
    ("regDataset=reg-gauss", "regression_dataset", "reg-gauss"),
    ("problem=regression", "problem", "regression"),
    ("x=false", "x", False),
    ("x=False", "x", True),
    ("x=0", "x", True),
    ("x= false", "x", True),
    ("sinX=no", "sin_x", True),
    ("sinX=", "sin_x", False),
    ("seed=0.40", "seed", "0.40"),
    ("seed= 1", "seed", " 1"),
    ("tutorial=", "tutorial", None),
    ("tutorial=a%20b", "tutorial", "a%20b"),
    ("playButton_hide=true&x_hide=True&y_hide=", "hides", (("playButton", True), ("x", False), ("y", False))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "value"), READ, ids=[text for text, *_ in READ])
def test_what_is_read(text: str, name: str, value: Any) -> None:
    found = getattr(Link.parse(text), name)
    if isinstance(value, float) and math.isnan(value):
        assert math.isnan(found)
    else:
        assert found == value
        assert type(found) is type(value)


def test_regularization_and_tutorial_are_written_only_where_there_is_one() -> None:
    assert "regularization=" not in str(Link.parse("regularization=none&tutorial="))
    assert "tutorial" not in str(Link())
    assert "&regularizationRate=0.1&" in str(Link.parse("regularizationRate=0.1"))


def test_what_the_page_does_not_know_is_dropped() -> None:
    assert str(Link.parse(f"{CHAPTER}&one=1&two&&=3")) == CHAPTER


def test_hidden_features_are_no_inputs() -> None:
    link = Link.parse("x=true&y=true&x_hide=true&y_hide=false&sinX=true&noise_hide=true")
    assert link.features == ("y", "sinX")
    assert str(link).endswith("&x_hide=true&y_hide=false&noise_hide=true")


def test_a_link_without_a_seed_gets_one_of_five_decimals() -> None:
    seeds = {Link.parse("noise=5").seed for _ in range(20)}
    assert len(seeds) > 1
    assert all(re.fullmatch(r"[01]\.\d{5}", seed) for seed in seeds)


def test_what_is_passed_over_is_told() -> None:
    text = "#lerningRate=1&activation=rlu&dataset=&x_hide=true&color=red&regularization=none"
    assert Link.passed_over(text) == [
        'The link says "lerningRate", which is no setting; did you mean "learningRate"?',
        "activation='rlu' is not known; did you mean \"relu\"? Allowed: relu, tanh, sigmoid, linear.",
        'The link says "color", which is no setting.',
    ]
    assert Link.passed_over("#" + CHAPTER) == []


#: Values that JavaScript writes in its own way.
WRITTEN = {
    "10": 10.0, "0.03": 0.03, "1e-7": 1e-7, "0.000001": 1e-6, "1.5e-9": 1.5e-9, "1e+21": 1e21,
    "100000000000000000000": 1e20, "1.2345e+25": 1.2345e25, "0": -0.0, "-2.5": -2.5,
    "123456789012345680000": 123456789012345680000.0, "5e-324": 5e-324,
    "1.7976931348623157e+308": 1.7976931348623157e308, "Infinity": math.inf,
    "-Infinity": -math.inf, "NaN": math.nan,
}  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN)
def test_numbers_are_written_as_javascript_writes_them(text: str) -> None:
    assert number_text(WRITTEN[text]) == text


@given(st.floats())
def test_a_number_written_is_the_number_read(value: float) -> None:
    read = number(number_text(value))
    assert read == value or (math.isnan(read) and math.isnan(value))


@given(st.integers(0, 2**1100))
@settings(max_examples=50)
def test_whole_numbers_in_any_base(whole: int) -> None:
    expected = float(whole) if whole < 2**1024 - 2**970 else math.inf
    for text in (f"0x{whole:x}", f"0B{whole:b}", f"0o{whole:o}"):
        assert number(text) == expected


KEYS = [*(part.partition("=")[0] for part in CHAPTER.split("&")), "tutorial", "regularization"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*KEYS, "noise_hide", "x_hide", "other"]) | st.text(max_size=5),
            st.sampled_from(["true", "false", "L1", "relu", "xor", "3,2", "NaN", "0x10", "-1"])
            | st.text(max_size=8),
        ),
        max_size=30,
    )
)
def test_any_text_is_read_and_what_is_written_reads_the_same(pairs: list[tuple[str, str]]) -> None:
    link = Link.parse("#" + "&".join(f"{name}={value}" for name, value in pairs))
    again = Link.parse("#" + str(link))
    # NaN equals nothing, not even itself, so the texts are compared.
    assert str(again) == str(link)
    assert again.features == link.features
    assert link.problems(Caps()) == again.problems(Caps())


@given(st.text(max_size=200))
def test_no_text_at_all_is_too_bad_to_read(text: str) -> None:
    str(Link.parse(text))
    Link.passed_over(text)


# -- caps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("batchSize=0", ("batchSize=0", "whole number", "5,000")),
        ("batchSize=2.5", ("batchSize=2.5",)),
        ("batchSize=x", ("batchSize=NaN",)),
        ("batchSize=Infinity", ("batchSize=Infinity",)),
        ("batchSize=5001", ("batchSize=5001",)),
        ("learningRate=-1", ("learningRate=-1", "0 to 100")),
        ("learningRate=NaN", ("learningRate=NaN",)),
        ("learningRate=101", ("learningRate=101",)),
        ("regularizationRate=-0.1", ("regularizationRate=-0.1",)),
        ("noise=abc", ("noise=NaN", "0 to 80")),
        ("percTrainData=0", ("percTrainData=0", "to test with")),
        ("percTrainData=100", ("percTrainData=100",)),
        ("percTrainData=-5", ("percTrainData=-5",)),
        ("percTrainData=0.1", ("percTrainData=0.1",)),
        ("percTrainData=NaN", ("percTrainData=NaN",)),
        ("networkShape=1000,1000", ("networkShape=1000,1000", "1000 units", "1 to 64")),
        ("networkShape=" + ",".join(["1"] * 100), ("100 hidden layers", "at most 6", "…")),
        ("networkShape=4,0", ("0 units",)),
        ("networkShape=4.5", ("4.5 units",)),
        ("networkShape=-1", ("-1 units",)),
        ("networkShape=NaN", ("NaN units",)),
        ("x=false&y=false", ("No input is on", "xTimesY")),
        ("x_hide=true&y_hide=true", ("No input is on",)),
    ],
)
def test_one_sentence_for_what_cannot_be_trained(text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(LinkError) as caught:
        Link.parse(text).checked()
    (sentence,) = caught.value.problems
    assert sentence == str(caught.value)
    assert all(word in sentence for word in words)
    assert sentence.endswith(".")
    assert len(sentence) < 200


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = "batchSize=0&learningRate=x&noise=x&percTrainData=200&networkShape=65,1,1,1,1,1,1&x=false&y=false"
    problems = Link.parse(text).problems(Caps())
    assert len(problems) == 7
    assert "".join(problems).count("networkShape") == 2


def test_caps_can_be_other() -> None:
    link = Link.parse("networkShape=8,8&seed=1")
    assert link.checked() is link
    for caps, word in (
        (Caps(layers=1), "at most 1"),
        (Caps(units=7), "from 1 to 7"),
        (Caps(parameters=104), "105 weights and biases"),
        (Caps(points=499), "500 points"),
        (Caps(batch_size=9), "from 1 to 9"),
        (Caps(learning_rate=0.01), "from 0 to 0.01"),
    ):
        with pytest.raises(LinkError, match=word):
            link.checked(caps)
    assert link.checked(Caps(parameters=105)) is link
    assert sum(p.size for p in Compatible(link).network.params) == 105


def test_a_link_made_by_hand_is_checked_too() -> None:
    with pytest.raises(LinkError, match=r"activation='rlu'.*relu"):
        Link(activation="rlu").checked()
    with pytest.raises(LinkError, match="dataset='spirals'"):
        Compatible(Link(dataset="spirals"))
