"""Lines of text: as textwrap has them for English, and with Chinese as its printers do."""

from __future__ import annotations

import re
import textwrap
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chainrule.text_width import cells_wide, wrapped

CLOSING, OPENING = "，。、；：！？）》”", "（《“"
english = st.text(st.sampled_from("ab -,.(\t\n"), max_size=60)
mixed = st.text(st.sampled_from("ab 12中文的字，。（）“”、-"), max_size=60)
widths = st.integers(1, 30)


@given(english, widths)
def test_english_is_wrapped_as_ever(text: str, width: int) -> None:
    expected = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    assert wrapped(text, width) == expected


@given(mixed, widths)
def test_nothing_is_lost_and_nothing_added(text: str, width: int) -> None:
    assert "".join(wrapped(text, width)).replace(" ", "") == text.replace(" ", "")


@given(mixed, widths)
def test_a_line_that_is_too_long_cannot_be_parted(text: str, width: int) -> None:
    for line in wrapped(text, width):
        assert cells_wide(line) <= width or wrapped(line, 1) == [line.strip(" ")]


@given(mixed, widths)
def test_signs_stay_with_what_they_belong_to(text: str, width: int) -> None:
    lines = wrapped(text, width)
    for before, line in pairwise(lines):
        at = text.replace(" ", "")
        left, right = re.escape(before[-1]), re.escape(line[0])
        if not re.search(f"{left} +{right}", text) and before[-1] + line[0] in at:
            assert line[0] not in CLOSING
            assert before[-1] not in OPENING


def test_chinese_fills_its_lines() -> None:
    assert wrapped("训练一个网络，并存入文件。", 14) == ["训练一个网络，", "并存入文件。"]
    assert wrapped("训练一个网络，并存入文件。", 12) == ["训练一个网", "络，并存入文", "件。"]
    assert wrapped("见 --learning-rate（学习率）", 10) == ["见", "--learning-rate", "（学习率）"]
    assert wrapped("é中́文", 2) == ["é", "中́", "文"]
