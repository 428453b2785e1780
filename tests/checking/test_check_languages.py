"""What a check finds, in Chinese."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest
from tests.graph.test_proof import Layer

import chainrule as cr
from chainrule.errors import CheckError

X, T = np.random.default_rng(7).normal(size=(5, 3)), np.array([0, 1, 2, 1, 0])
ENGLISH = re.compile(r"[A-Za-z]{2,},? [a-z]{2,},? [a-z]{2,}")


def test_a_report_in_chinese_has_no_english_sentence() -> None:
    right = cr.check(cr.Sequential(cr.Affine.sized(3, 3), loss=cr.SoftmaxWithLoss()), X, T)
    wrong = cr.check(cr.Sequential(Layer(0, dx=2.0), loss=cr.SoftmaxWithLoss()), X, T)
    for report in (right, wrong):
        assert not ENGLISH.search(report.said("zh")), report.said("zh")
        assert report.said("en") == str(report)
    assert right.summary.said("zh") == (
        "3 个梯度与数值检验（复数步长法）一致。NumPy 引擎的这一步算出的损失和梯度都与计算图相同。"
    )
    assert "2 个梯度中有 1 个与数值检验（中心差分）不一致：∂x。" in wrong.summary.said("zh")


def test_the_error_has_the_report_in_every_language() -> None:
    layer = Layer(0, dx=2.0)
    with pytest.raises(CheckError, match="1 of 2 gradients disagree") as caught:
        cr.check(layer, X, raise_on_failure=True)
    again = pickle.loads(pickle.dumps(caught.value))
    for error in (caught.value, again):
        assert "2 个梯度中有 1 个与数值检验" in error.said("zh")
        assert not ENGLISH.search(error.said("zh"))
