"""Bad input to a layer or loss gets one clear sentence: what, what was given, what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import (
    DataError,
    DTypeError,
    NonFiniteError,
    RecordingError,
    SettingError,
    ShapeError,
)

W, b = np.ones((2, 3)), np.zeros(3)
ONES = np.ones((4, 2))
SCORES = np.zeros((2, 3))


def after_forward(layer: Any, x: Any, dout: Any) -> Any:
    layer.forward(x)
    return layer.backward(dout)


BAD: list[tuple[Callable[[], Any], type[Exception], tuple[str, ...]]] = [
    # parameters
    (lambda: cr.Affine([[1, 2]], [1, 2]), DTypeError, ("Affine", "W", "int64", "astype(float)")),
    (lambda: cr.MatMul(W.astype(complex)), DTypeError, ("MatMul", "complex128", "floating")),
    (lambda: cr.MatMul(np.float16(W)), DTypeError, ("float16", "float32")),
    (lambda: cr.MatMul(["a"]), DTypeError, ("MatMul", "W", "<U1")),
    (lambda: cr.MatMul(np.ones(3)), ShapeError, ("MatMul", "two axes", "(3,)")),
    (lambda: cr.Embedding(np.ones((2, 3, 4))), ShapeError, ("Embedding", "two axes", "(2, 3, 4)")),
    (lambda: cr.MatMul(np.ones((0, 3))), ShapeError, ("W", "empty", "(0, 3)")),
    (lambda: cr.Affine(W, np.zeros(2)), ShapeError, ("(2, 3)", "3 outputs", "(3,)", "(2,)")),
    (lambda: cr.Affine(W, np.float32(b)), DTypeError, ("one dtype", "W float64", "b float32")),
    (lambda: cr.LayerNorm(np.ones(3), np.ones(2)), ShapeError, ("gamma", "beta", "(3,)", "(2,)")),
    (lambda: cr.BatchNorm(W, W), ShapeError, ("BatchNorm", "(features,)", "(2, 3)")),
    (lambda: cr.Affine.sized(0, 3), SettingError, ("inputs=0", "whole number from 1")),
    (lambda: cr.Affine.sized(2.5, 3), SettingError, ("inputs=2.5", "whole number")),  # type: ignore[arg-type]
    (lambda: cr.MatMul.sized(2, -1), SettingError, ("outputs=-1", "whole number")),
    (lambda: cr.MatMul.sized(2, True), SettingError, ("outputs=True", "whole number")),
    (lambda: cr.Embedding.sized(2, None), SettingError, ("outputs=None",)),  # type: ignore[arg-type]
    (lambda: cr.LayerNorm.sized("a"), SettingError, ("features='a'",)),  # type: ignore[arg-type]
    (lambda: cr.Affine.sized(2, 3, dtype=int), DTypeError, ("W", "floating-point", "int64")),
    (lambda: cr.Affine.sized(2, 3, init="xvier"), SettingError, ('did you mean "xavier"', "he")),
    (lambda: cr.Affine.sized(2, 3, init=3), SettingError, ("init=3", "xavier")),  # type: ignore[arg-type]
    (
        lambda: cr.Affine.sized(2, 3, init=lambda rng, shape: np.ones(5), seed=0).W,
        ShapeError,
        ("init", "(5,)", "(2, 3)"),
    ),
    (lambda: cr.Affine.sized(2, 3, seed=-1).W, SettingError, ("seed=-1", "Generator")),
    (lambda: cr.Affine.sized(2, 3, seed="a").W, SettingError, ("seed='a'",)),  # type: ignore[arg-type]
    (lambda: cr.Dropout(0.5, seed=1.5).forward(b), SettingError, ("seed=1.5",)),  # type: ignore[arg-type]
    # inputs
    (lambda: cr.Affine(W, b).forward(np.ones((4, 3))), ShapeError, ("2 inputs", "2×3", "(4, 3)")),
    (lambda: cr.Affine(W, b).forward(1.0), ShapeError, ("2 inputs", "()")),
    (lambda: cr.MatMul(W).forward(None), DTypeError, ("MatMul", "numbers", "None")),
    (lambda: cr.MatMul(W).forward([["a", "b"]]), DTypeError, ("MatMul", "numbers", "<U1")),
    (lambda: cr.MatMul(W).forward(ONES * 1j), DTypeError, ("MatMul", "complex128")),
    (lambda: cr.Tanh().forward(np.array(["2020"], "M8")), DTypeError, ("Tanh", "datetime64")),
    (lambda: cr.Tanh().forward([[1, 2], [3]]), ShapeError, ("row 0 has 2", "row 1 has 1")),
    (
        lambda: cr.Tanh().forward(np.ma.masked_array([1.0, 2.0], mask=[True, False])),
        DTypeError,
        ("masked", "filled"),
    ),
    (lambda: cr.Softmax().forward(1.0), ShapeError, ("Softmax", "at least one score", "()")),
    (lambda: cr.Softmax().forward(np.ones((2, 0))), ShapeError, ("at least one score", "(2, 0)")),
    (lambda: cr.LayerNorm.sized(3).forward(ONES), ShapeError, ("3 features", "(4, 2)")),
    (lambda: cr.BatchNorm.sized(2).forward(ONES[0]), ShapeError, ("BatchNorm", "two", "(2,)")),
    (
        lambda: cr.BatchNorm.sized(2).forward(ONES[:1]),
        ShapeError,
        ("at least 2 rows", "got 1", "larger batch"),
    ),
    (lambda: cr.Embedding(W).forward([0.0]), DTypeError, ("whole-number ids", "float64", "astype")),
    (lambda: cr.Embedding(W).forward([True]), DTypeError, ("whole-number ids", "bool")),
    (lambda: cr.Embedding(W).forward([0, 2]), ShapeError, ("ids 0 to 1", "from 0 to 2")),
    (lambda: cr.Embedding(W).forward([-1]), ShapeError, ("ids 0 to 1", "-1")),
    (lambda: cr.Embedding(W).forward(None), DTypeError, ("Embedding", "None")),
    # backward
    (lambda: cr.Tanh().backward(b), RecordingError, ("Tanh.backward()", "forward() first")),
    (lambda: cr.SoftmaxWithLoss().backward(), RecordingError, ("forward() first",)),
    (lambda: after_forward(cr.MatMul(W), ONES, ONES), ShapeError, ("(4, 2)", "(4, 3)")),
    (lambda: after_forward(cr.MatMul(W), ONES, 1.0), ShapeError, ("()", "(4, 3)")),
    (lambda: after_forward(cr.MatMul(W), ONES, "a"), DTypeError, ("MatMul", "numbers")),
    # scores and targets
    (lambda: cr.SoftmaxWithLoss().forward(SCORES), ShapeError, ("outputs and targets",)),
    (lambda: cr.SoftmaxWithLoss().forward(SCORES[0], [0]), ShapeError, ("(rows, classes)", "(3,)")),
    (
        lambda: cr.SoftmaxWithLoss().forward(np.ones((2, 3, 4)), [0, 1]),
        ShapeError,
        ("(2, 3) (class ids)", "(2, 3, 4)", "got (2,)"),
    ),
    (
        lambda: cr.SoftmaxWithLoss().forward(SCORES[:, :0], [0, 0]),
        ShapeError,
        ("one class", "(2, 0)"),
    ),
    (
        lambda: cr.SoftmaxWithLoss().forward(SCORES[:0], []),
        ShapeError,
        ("at least one row", "(0, 3)"),
    ),
    (lambda: cr.MeanSquaredError().forward(W[:0], W[:0]), ShapeError, ("one row", "(0, 3)")),
    (lambda: cr.MeanSquaredError().forward(W[:, :0], W[:, :0]), ShapeError, ("output", "(2, 0)")),
    (lambda: cr.MeanSquaredError().forward(1.0, 1.0), ShapeError, ("one row", "()")),
    (
        lambda: cr.SoftmaxWithLoss().forward(SCORES, [0, 1, 2]),
        ShapeError,
        ("(2,)", "(2, 3)", "(3,)"),
    ),
    (lambda: cr.SoftmaxWithLoss().forward(SCORES, 1), ShapeError, ("(2,)", "()")),
    (
        lambda: cr.SoftmaxWithLoss().forward(SCORES, [0, 3]),
        DataError,
        ("0 to 2", "t[1] is 3", "widen"),
    ),
    (lambda: cr.SoftmaxWithLoss().forward(SCORES, [-1, 0]), DataError, ("0 to 2", "t[0] is -1")),
    (
        lambda: cr.SoftmaxWithLoss().forward(SCORES, [0.5, 1]),
        DataError,
        ("whole numbers", "t[0] is 0.5", "MeanSquaredError"),
    ),
    (lambda: cr.SoftmaxWithLoss().forward(SCORES, [0, np.nan]), DataError, ("t[1] is nan",)),
    (lambda: cr.SoftmaxWithLoss().forward(SCORES, [0, np.inf]), DataError, ("t[1] is inf",)),
    (lambda: cr.SoftmaxWithLoss().forward(SCORES, ["a", "b"]), DTypeError, ("'a'", "np.unique(t")),
    (lambda: cr.SoftmaxWithLoss().forward(SCORES, [None, 1]), DTypeError, ("numbers", "None")),
    (
        lambda: cr.SoftmaxWithLoss().forward(SCORES, [[1, 0, 0], [1, 1, 0]]),
        DataError,
        ("single 1", "row 1", "[1, 1, 0]", "SigmoidWithLoss"),
    ),
    (
        lambda: cr.SoftmaxWithLoss().forward(SCORES, [[0.5, 0.6, 0], [1, 0, 0]]),
        DataError,
        ("add up to 1", "row 0", "0.6", "adds up to 1.1"),
    ),
    (
        lambda: cr.SoftmaxWithLoss().forward(SCORES, np.zeros((2, 3))),
        DataError,
        ("row 0", "single 1"),
    ),
    (
        lambda: cr.CrossEntropyError().forward(SCORES, [0, 3]),
        DataError,
        ("CrossEntropyError", "0 to 2"),
    ),
    (lambda: cr.MeanSquaredError().forward(SCORES, [1, 2]), ShapeError, ("(2, 3)", "(2,)")),
    (lambda: cr.Huber().forward(np.ones((2, 1)), [[1.0, 2.0]]), ShapeError, ("(2, 1)", "(1, 2)")),
    (
        lambda: cr.SigmoidWithLoss().forward(b, [0, 2, 1]),
        DataError,
        ("0 to 1", "from 0 to 2", "Softmax"),
    ),
    (lambda: cr.SigmoidWithLoss().forward(b, [0, np.nan, 1]), DataError, ("0 to 1", "nan")),
    (lambda: cr.SigmoidWithLoss().forward(SCORES, [0, 1]), ShapeError, ("(2, 3)", "(2,)")),
    # weights
    *(
        (lambda w=w: cr.SoftmaxWithLoss().forward(SCORES, [0, 1], w), DataError, ("2 numbers", got))
        for w, got in (
            ([1.0], "shape (1,)"),
            ([[1.0, 1.0]], "shape (1, 2)"),
            ([-1.0, 1.0], "-1.0 to 1.0"),
            ([np.nan, 1.0], "nan"),
            ([np.inf, 1.0], "inf"),
            ([0, 0], "not all 0"),
        )
    ),
    (lambda: cr.Huber().forward(b, b, "ab"), DTypeError, ("Huber", "numbers", "ab")),
    *(
        (lambda w=w: cr.SoftmaxWithLoss(class_weights=w), SettingError, ("class_weights", got))
        for w, got in (([-1.0, 1.0], "-1.0"), ([[1.0]], "[[1.0]]"), ([np.nan], "nan"))
    ),
    (lambda: cr.CrossEntropyError(class_weights="ab"), DTypeError, ("numbers", "ab")),
    (
        lambda: cr.SoftmaxWithLoss(class_weights=[1.0, 2.0]).forward(SCORES, [0, 1]),
        SettingError,
        ("class_weights", "2 entries", "3 classes"),
    ),
    # what is not finite
    (
        lambda: cr.SoftmaxWithLoss().forward(np.array([[0, 1], [np.nan, 0]]), [0, 0]),
        NonFiniteError,
        ("row 1", "NaN"),
    ),
    (
        lambda: cr.SoftmaxWithLoss().forward(np.full((2, 2), -np.inf), [0, 0]),
        NonFiniteError,
        ("row 0", "infinity"),
    ),
    (
        lambda: cr.MeanSquaredError().forward(np.full((2, 2), 1e200), np.zeros((2, 2))),
        NonFiniteError,
        ("inf", "1e+200", "too large"),
    ),
    (
        lambda: cr.CrossEntropyError().forward(np.array([[1.0, 0.0]]), [1]),
        NonFiniteError,
        ("inf", "impossible"),
    ),
]


@pytest.mark.parametrize(("call", "error", "parts"), BAD)
def test_bad_input(call: Callable[[], Any], error: type[Exception], parts: tuple[str, ...]) -> None:
    with pytest.raises(error) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)
    assert len(str(caught.value)) < 400


NOT_NUMBERS = ["a", None, True, np.nan, np.inf, -np.inf, [0.5]]
MADE: list[tuple[str, Callable[[Any], Any], list[Any]]] = [
    ("LeakyReLU: slope", lambda v: cr.LeakyReLU(v), []),
    ("Huber: delta", lambda v: cr.Huber(v), [0, -1]),
    ("LayerNorm: eps", lambda v: cr.LayerNorm.sized(3, eps=v), [0, -1]),
    ("BatchNorm: eps", lambda v: cr.BatchNorm.sized(3, eps=v), [0, -1]),
    ("BatchNorm: momentum", lambda v: cr.BatchNorm.sized(3, momentum=v), [1, -0.1, 1.5]),
    ("Dropout: ratio", lambda v: cr.Dropout(v), [1, -0.1, 1.5]),
    (
        "SoftmaxWithLoss: label_smoothing",
        lambda v: cr.SoftmaxWithLoss(label_smoothing=v),
        [1, -0.1],
    ),
]


@pytest.mark.parametrize(("name", "make", "also"), MADE, ids=[name for name, _, _ in MADE])
def test_bad_settings_are_refused_when_made_and_when_set(name: str, make: Any, also: Any) -> None:
    good = make(np.float32(0.25))
    setting = name.split()[-1]
    assert getattr(good, setting) == 0.25
    assert type(getattr(good, setting)) is float
    for bad in [*NOT_NUMBERS, *also]:
        for act in (lambda bad=bad: make(bad), lambda bad=bad: setattr(good, setting, bad)):
            with pytest.raises(SettingError) as caught:
                act()
            assert f"{name}={bad!r} must be a" in str(caught.value)
    assert getattr(good, setting) == 0.25
