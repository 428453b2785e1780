"""Metrics know what they are given: ids, scores, probabilities, one-hot rows, texts; or refuse it.

What is right is counted here pair by pair, as scikit-learn's accuracy_score, confusion_matrix and
r2_score define it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, SettingError


def share(found: Any, true: Any) -> float:
    """The part of the pairs that are alike."""
    pairs = list(zip(np.ravel(found).tolist(), np.ravel(true).tolist(), strict=True))
    return sum(bool(a == b) for a, b in pairs) / len(pairs)


@pytest.mark.source("strangers 6")
def test_the_classes_that_a_network_names_are_labels() -> None:
    x, t = cr.datasets.spiral()
    net = cr.TwoLayerNet(2, 10, 3)
    cr.Trainer(net, cr.SGD(lr=1.0), engine="numpy").fit(x, t, 30, 30, progress=None)
    ids = net.classify(x)
    assert cr.accuracy(ids, t) == share(ids, t) == cr.accuracy(net.predict(x), t)
    assert cr.accuracy(net.predict_proba(x), np.eye(3)[t]) == share(ids, t)
    assert cr.accuracy([0, 1, 2, 2], [0, 2, 1, 1]) == 0.25
    counts = cr.confusion_matrix(net.predict(x), t)
    assert np.array_equal(counts, cr.confusion_matrix(ids, t, 3))
    assert np.trace(counts) / counts.sum() == share(ids, t)


FORMS: dict[str, Callable[[Any, int], Any]] = {
    "ids": lambda ids, n: ids,
    "a list": lambda ids, n: ids.tolist(),
    "a column": lambda ids, n: ids[:, None],
    "small ids": lambda ids, n: ids.astype(np.uint8),
    "the other byte order": lambda ids, n: ids.astype(">i4"),
    "objects": lambda ids, n: ids.astype(object),
    "one-hot": lambda ids, n: np.eye(n)[ids],
    "one-hot integers": lambda ids, n: np.eye(n, dtype=int)[ids],
    "texts": lambda ids, n: np.array([f"class {i}" for i in ids]),
    "text objects": lambda ids, n: np.array([f"class {i}" for i in ids], object),
}


@pytest.mark.source("strangers 6", "scikit-learn accuracy_score")
@pytest.mark.parametrize("seed", range(20))
def test_every_form_of_labels_counts_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, rows = int(rng.integers(2, 6)), int(rng.integers(1, 30))
    found, true = rng.integers(0, n, (2, rows))
    want = share(found, true)
    counts = np.zeros((n, n), int)
    for a, b in zip(true, found, strict=True):
        counts[a, b] += 1
    for one, make in FORMS.items():
        for other, make_other in FORMS.items():
            if ("text" in one) != ("text" in other):
                with pytest.raises(ChainruleError, match="texts"):
                    cr.accuracy(make(found, n), make_other(true, n))
                continue
            assert cr.accuracy(make(found, n), make_other(true, n)) == want, (one, other)
            if "text" not in one:
                got = cr.confusion_matrix(make(found, n), make_other(true, n), n)
                assert np.array_equal(got, counts), (one, other)
    scores = rng.standard_normal((rows, n))
    for t in (true, true.astype(float), np.eye(n)[true]):
        assert cr.accuracy(scores, t) == share(scores.argmax(1), true)


@pytest.mark.source("strangers 6")
def test_yes_or_no() -> None:
    s, t = np.array([-1.5, 0.2, 3.0]), np.array([0, 0, 1])
    for form in (s, s[:, None]):
        assert cr.accuracy(form, t) == cr.binary_accuracy(form, t) == 2 / 3
    assert cr.accuracy(s, [-1, -1, 1]) == 2 / 3
    assert cr.accuracy([[0.2, 0.9], [0.1, 0.3]], [[-1, 1], [1, -1]]) == 0.5
    p = 1 / (1 + np.exp(-s))
    assert cr.binary_accuracy(p, t, threshold=0.5) == 2 / 3
    assert cr.binary_accuracy([0, 1, 1], [0, 1, 0]) == 2 / 3
    # A training knows what its outputs are, however small the scores.
    net = cr.Sequential(cr.Affine.sized(1, 1, init="zeros"), loss=cr.SigmoidWithLoss())
    trainer = cr.Trainer(net, cr.SGD(0.001), engine="numpy")
    x = np.array([[0.1], [0.2], [0.3]])
    for metrics in (None, ["accuracy"], [cr.accuracy], [cr.binary_accuracy]):
        found = trainer.evaluate(x, np.array([0, 1, 1]), metrics)
        assert found[[*found][-1]] == 1 / 3


AMBIGUOUS: list[tuple[Callable[[], Any], str]] = [
    (lambda: cr.accuracy([0.2, 0.9], [0, 1]), "probabilities, or scores.*threshold=0.5"),
    (lambda: cr.accuracy([[0.2], [0.9]], [0, 1]), "probabilities, or scores"),
    (lambda: cr.accuracy([3.0, 2.0], [0, 1]), "could be ids, or scores"),
    (lambda: cr.accuracy([-1.5, 2.5], [0, 2]), "yes-or-no question.*hold 2"),
    (lambda: cr.accuracy([[1, 1], [0, 1]], [[1, 0], [0, 1]]), "binary_accuracy"),
    (lambda: cr.accuracy([[0.2, 1.5], [0.1, 1]], [[1, 1], [0, 1]]), "binary_accuracy"),
    (lambda: cr.accuracy([], []), "at least one row"),
    (lambda: cr.accuracy([[np.nan, 1.0]], [0]), r"predictions\[0, 0\] is nan"),
    (lambda: cr.accuracy([[0.2, 1.0]], [2]), "class 2, and the predictions have 2 scores"),
    (lambda: cr.accuracy([[0.2, 1.0]], [0.5]), "targets are ids; got 0.5"),
    (lambda: cr.accuracy([0, 1, 1], [0, 1]), "every prediction needs one target"),
    (lambda: cr.confusion_matrix([0, 3], [0, 1], 2), "predictions hold 3"),
    (lambda: cr.confusion_matrix([0, -1], [0, 1], 2), "predictions hold -1"),
    (lambda: cr.binary_accuracy([0.2, 0.9], [0, 1]), "threshold=0.5 or threshold=0"),
    (lambda: cr.binary_accuracy([2.0, 0.9], [0, 3]), "from 0 to 1; got values from 0 to 3"),
    (lambda: cr.r2([1, 2], ["a", "b"]), "holds text"),
    (lambda: cr.r2([np.nan, 1], [1, 2]), r"outputs\[0\] is nan"),
    (lambda: cr.rmse([1, 2], [1, 2, 3]), "every prediction needs one target"),
    (lambda: cr.mae([], []), "at least one row"),
]


@pytest.mark.source("strangers 6", "strangers 25")
@pytest.mark.parametrize("number", range(len(AMBIGUOUS)))
def test_what_could_be_read_in_two_ways_is_refused(number: int) -> None:
    act, sentence = AMBIGUOUS[number]
    with pytest.raises(ChainruleError, match=sentence):
        act()


@pytest.mark.source("strangers 25", "scikit-learn r2_score")
@pytest.mark.parametrize("seed", range(20))
def test_errors_of_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(2, 30)), int(rng.integers(1, 4)))
    y, t = rng.standard_normal((2, *shape))
    means = [math.fsum(column) / shape[0] for column in t.T]
    rest = math.fsum(float(d) ** 2 for d in (y - t).ravel())
    total = math.fsum(float(v - means[j]) ** 2 for row in t for j, v in enumerate(row))
    assert cr.r2(y, t) == pytest.approx(1 - rest / total, rel=1e-12)
    assert cr.rmse(y, t) == pytest.approx(math.sqrt(rest / y.size), rel=1e-12)
    assert cr.mae(y, t) == pytest.approx(math.fsum(map(abs, (y - t).ravel())) / y.size, rel=1e-12)
    assert cr.r2(y[:, :1], t[:, 0]) == cr.r2(y[:, 0], t[:, :1])
    assert math.isnan(cr.r2([0.3, 0.2, 0.1], [0.1, 0.1, 0.1]))


def f1(y: Any, t: Any) -> Any:
    return np.ones(2)


def loss(y: Any, t: Any) -> float:
    return 1.0


@pytest.mark.source("strangers 25")
def test_metrics_of_ones_own() -> None:
    x, t = cr.datasets.spiral()
    trainer = cr.Trainer(cr.TwoLayerNet(2, 3, 3), engine="numpy")
    for metrics, sentence in (
        ([f1], "f1 gave .* one number"),
        ([loss], 'cannot be called "loss"'),
        ([lambda y, t: 1.0, lambda y, t: 2.0], 'two metrics are called "<lambda>"'),
        ([cr.errors.DataError], "is the class DataError"),
        ([3], "metric 3 is not known"),
        (["acuracy"], 'did you mean "accuracy"'),
    ):
        with pytest.raises(SettingError, match=sentence):
            trainer.evaluate(x, t, metrics)  # type: ignore[arg-type]
    history = trainer.fit(x, t, 2, 30, progress=None)
    with pytest.raises(SettingError, match="no column 'losss'; did you mean \"loss\""):
        history["losss"]
    with pytest.raises(SettingError, match=r"'val_loss', since no rows were held out"):
        history["val_loss"]
    assert len(history["loss"]) == 2


@pytest.mark.source("neighbours of strangers A6")
def test_outputs_that_are_variables_are_scored_by_their_numbers() -> None:
    scores, t = np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 4.0]]), [0, 1, 0]
    assert cr.accuracy(cr.Variable(scores), t) == cr.accuracy(scores, t) == pytest.approx(2 / 3)
    assert np.array_equal(
        cr.confusion_matrix(cr.Variable(scores), t), cr.confusion_matrix(scores, t)
    )
    y = np.array([1.0, 2.5, 3.0])
    assert cr.rmse(cr.Variable(y), y + 1) == cr.rmse(y, y + 1)
