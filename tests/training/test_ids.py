"""Ids that have no row, anywhere in the data: refused in every run, not only where a step is recorded.

A negative id is a row from the end to NumPy, so one that slips through trains another row in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule.errors import DataError, ShapeError
from chainrule.nodes.base import Value

Array = npt.NDArray[Any]
ROWS, WORDS = 90, 5


class Embedded(cr.Network):
    """The second column of x is an id for an Embedding."""

    refusals: tuple[type[Exception], ...] = DataError, ShapeError

    def __init__(self, words: cr.Layer | None = None) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss(), seed=0)
        self.words = words or cr.Embedding.sized(WORDS, 2)
        self.last = cr.Affine.sized(3, 2)

    def predict(self, x: Value) -> Value:
        words = self.words(x[:, 1].astype(int))
        return self.last(cr.concatenate([x[:, :1], words], axis=1))


class Categories(Embedded):
    """The same, by a CategoryEmbedding behind a doubling of the first column."""

    def __init__(self) -> None:
        super().__init__(cr.CategoryEmbedding.sized(WORDS, 2, columns=1))

    def predict(self, x: Value) -> Value:
        return self.last(self.words(cr.concatenate([2 * x[:, :1], x[:, 1:]], axis=1)))


class OfOnesOwn(Embedded):
    """The same, by a table of one's own: NumPy's rules hold, and its error where the formula is run."""

    refusals = DataError, IndexError

    def predict(self, x: Value) -> Value:
        words = self.words.parameters["W"][x[:, 1].astype(int)]
        return self.last(cr.concatenate([x[:, :1], words], axis=1))


class OwnLoss(cr.Loss):
    """Class ids that are computed from targets of two columns."""

    def rows(self, x: Value, t: Value) -> Value:
        return cr.softmax_cross_entropy(x, (t[:, 1] - t[:, 0]).astype(int))


def data(place: int, wrong: float) -> tuple[Array, Array]:
    x = np.zeros((ROWS, 2), np.float32)
    x[:, 1] = np.arange(ROWS) % WORDS
    x[place, 1] = wrong
    return x, np.arange(ROWS) % 2


USES: dict[str, Callable[[Any, Array, Array, str], object]] = {
    "fit": lambda net, x, t, engine: cr.Trainer(net, engine=engine).fit(
        x, t, epochs=1, batch_size=16, shuffle=False, progress=None
    ),
    "fit_many": lambda net, x, t, engine: cr.fit_many(
        [net, type(net)()], cr.SGD(0.1), x, t, 1, 16, engine=engine, progress=None
    ),
    "validation": lambda net, x, t, engine: cr.Trainer(net, engine=engine).fit(
        *data(0, 0), epochs=1, validation=(x, t), progress=None
    ),
    "forward": lambda net, x, t, engine: net.forward(x, t),
    "predict": lambda net, x, t, engine: net.predict(x),
    "evaluate": lambda net, x, t, engine: cr.Trainer(net, engine=engine).evaluate(x, t),
}


@pytest.mark.filterwarnings("ignore:This training runs on the NumPy engine")
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("make", [Embedded, Categories, OfOnesOwn])
@pytest.mark.parametrize("place", [1, ROWS - 1], ids=["first", "last"])
def test_an_id_without_a_row_is_refused(
    make: type[Embedded], use: str, place: int, engine: str
) -> None:
    net = make()
    net.engine = engine
    USES[use](net, *data(0, 0), engine)  # recorded with good ids
    for wrong in (WORDS, 10**6) if make is OfOnesOwn else (-1, WORDS, 10**6):
        with pytest.raises(make.refusals):
            USES[use](net, *data(place, wrong), engine)


@pytest.mark.filterwarnings("ignore:This training runs on the NumPy engine")
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("wrong", [-1, 2])
def test_a_class_id_that_a_loss_computes_is_refused(engine: str, wrong: int) -> None:
    net = cr.Sequential(cr.Affine.sized(3, 2), loss=OwnLoss(), seed=0)
    x, t = np.zeros((ROWS, 3), np.float32), np.zeros((ROWS, 2), np.int64)
    trainer = cr.Trainer(net, engine=engine)
    trainer.fit(x, t, epochs=1, batch_size=16, shuffle=False, progress=None)
    t[-1, 1] = wrong
    with pytest.raises((DataError, ShapeError)):
        trainer.fit(x, t, epochs=1, batch_size=16, shuffle=False, progress=None)
