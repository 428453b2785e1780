"""Formulas as MathML: every formula of every node can be set, and none carries markup of its own."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.drawing.mathml import to_mathml

ELEMENTS = {"math", "mi", "mn", "mo", "mtext", "mrow", "msup", "msub", "msqrt", "mspace"}


def said(mathml: str) -> str:
    """The characters that are read, without spaces."""
    return re.sub(r"\s", "", "".join(ET.fromstring(mathml).itertext()))


@given(st.text(max_size=60), st.sets(st.text(min_size=1, max_size=6), max_size=4))
def test_any_text_is_well_formed_and_only_of_these_elements(text: str, names: set[str]) -> None:
    text = re.sub("[^ -\ud7ff]", "", text)
    names = {re.sub("[^ -\ud7ff]", "", name) for name in names} - {""}
    found = ET.fromstring(to_mathml(text, names))
    assert {e.tag for e in found.iter()} <= ELEMENTS
    assert not any(e.attrib.keys() - {"form", "width"} for e in found.iter())
    # Fixed numbers of children: a power without its base would be an error in the browser.
    assert all(len(e) == 2 for e in found.iter() if e.tag in ("msup", "msub"))


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("∂W1 = xᵀ @ ∂z", "<msup><mi>x</mi><mo>⊤</mo></msup>"),
        (
            "y = 1 / (1 + e^-x)",
            '<msup><mi>e</mi><mrow><mo form="prefix">−</mo><mi>x</mi></mrow></msup>',
        ),
        (
            "W1[0,1] = 2",
            "<msub><mrow><mi>W1</mi></mrow><mrow><mn>0</mn><mo>,</mo><mn>1</mn></mrow></msub>",
        ),
        ("y = √(Σ x^2) over axis", "<msqrt><mrow><mi>Σ</mi>"),
        ("b1 = Σ ∂z over the copies", "<mtext>\u00a0over\u00a0the\u00a0copies\u00a0</mtext>"),
        ("a<b & c", "<mo>&lt;</mo>"),
        ("v ← momentum v", '<mi>momentum</mi><mspace width="0.2em"/><mi>v</mi>'),
        ("y = x（当 x > 0），否则 0", "<mtext>（当\u00a0</mtext><mi>x</mi>"),
        ("y = x（当 x > 0），否则 0", "<mn>0</mn><mtext>），否则\u00a0</mtext><mn>0</mn>"),
        ("x = Σ z（沿轴 1）", "<mtext>（沿轴\u00a0</mtext><mn>1</mn><mtext>）</mtext>"),
        ("z = x 且 z", "<mtext>\u00a0且\u00a0</mtext>"),
        ("p - lr ∂W1", '<mi>lr</mi><mspace width="0.2em"/><mrow><mi>∂</mi>'),
    ],
)
def test_what_is_set_as_what(text: str, inside: str) -> None:
    assert inside in to_mathml(text, {"W1", "b1", "x", "z", "lr", "momentum"})


def test_names_of_arrows_stay_whole_and_nothing_is_lost() -> None:
    x = cr.Variable([1.0, 2.0], name="x<y")
    L = cr.sum(cr.sigmoid(x * x) ** 2)
    names = set(L.graph.names.values())
    for step in L.graph.steps():
        for line in step.formula.splitlines():
            # The brackets of a power are its raised place.
            plain = re.sub(r"\*\* \((.*)\)", r"\1", line).replace("-", "−")
            assert said(to_mathml(line, names)) == re.sub(r"\s|\^|\*\*", "", plain)
