"""A TensorFlow Playground link as data, a network and an optimizer of this library, trained as there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from chainrule.layers import Affine, HalfSquaredError, Layer, ReLU, Sigmoid, Tanh
from chainrule.networks import Sequential
from chainrule.nodes.base import ignore_fp_errors
from chainrule.playground.caps import Caps
from chainrule.playground.compatible.data import Array, columns, points
from chainrule.playground.compatible.links import Link
from chainrule.playground.compatible.optimizer import PlaygroundSGD
from chainrule.playground.compatible.random import SeedRandom, fixed5
from chainrule.training.state import Training
from chainrule.training.stepper import BUFFER, Stepper

__all__ = ["Compatible", "epoch_batches"]

#: What follows a hidden layer; nothing, for "linear".
_LAYERS: dict[str, Callable[[], Layer]] = {"tanh": Tanh, "relu": ReLU, "sigmoid": Sigmoid}
_BIAS = 0.1


def epoch_batches(rows: int, size: int) -> tuple[list[Array], list[Array]]:
    """The batches of the first epoch, and those of every later one, as numbers of rows.

    The order is always that of the data. Rows left over at the end of an epoch wait: they join
    the first batch of the next. If the data is smaller than a batch there is no batch at all.

    >>> first, later = epoch_batches(5, 2)
    >>> [b.tolist() for b in first], [b.tolist() for b in later]
    ([[0, 1], [2, 3]], [[4, 0, 1], [2, 3]])
    """
    numbers = np.arange(rows)
    whole = rows - rows % size
    first = [numbers[start : start + size] for start in range(0, whole, size)]
    left = numbers[whole:]
    later = [np.concatenate([left, first[0]]), *first[1:]] if first else []
    return first, later


class Compatible:
    """What a link describes, ready to train: same data, first weights and losses as on the page.

    `train` and `test` are (x, t): inputs (N, features) and targets (N, 1); `points` are all the
    points (N, 3), x, y and label, those for training first. One epoch goes through the training
    rows in their order (see `epoch_batches`).

    >>> model = Compatible(Link.parse("#seed=0.40401"))
    >>> [round(loss, 6) for loss in model.losses()]
    [0.504675, 0.490872]
    >>> model.advance(100)
    >>> [round(loss, 6) for loss in model.losses()]
    [0.005287, 0.007721]
    """

    def __init__(self, link: Link, caps: Caps | None = None, *, again: int = 0) -> None:
        """Draw data and first weights; `again`: those after the page's Reset, so many times.

        Raises:
            LinkError: the link cannot be trained within the caps.
        """
        self.link = link.checked(caps)
        self._random = SeedRandom(link.seed)
        self.points = points(self._random, link.data, link.noise / 100)
        x, t = columns(self.points[:, :2], link.features), self.points[:, 2:]
        n = link.train_rows
        self.train, self.test = (x[:n], t[:n].copy()), (x[n:], t[n:].copy())
        for _ in range(again):
            self._layers()
        self.network = Sequential(*self._layers(), loss=HalfSquaredError())
        rate = link.regularization_rate
        self.optimizer = PlaygroundSGD(
            link.learning_rate,
            l1=rate if link.regularization == "L1" else 0.0,
            l2=rate if link.regularization == "L2" else 0.0,
        )
        #: How many epochs have been trained.
        self.epoch = 0
        self.training = Training(self.network, self.optimizer, np.random.default_rng(0))
        size = int(link.batch_size)
        self._batches = epoch_batches(n, size)
        self._stepper = Stepper(self.training, *self.train, None, batches=n // size)

    def _layers(self) -> list[Layer]:
        """Layers with first weights from -0.5 to 0.5, drawn unit by unit, and biases of 0.1."""
        link, layers = self.link, list[Layer]()
        follows = [_LAYERS.get(link.activation)] * len(link.hidden)
        follows.append(Tanh if link.problem == "classification" else None)
        for m, n, activation in zip(link.sizes[:-1], link.sizes[1:], follows, strict=True):
            drawn = [[self._random.random() - 0.5 for _ in range(m)] for _ in range(n)]
            if link.init_zero:  # the draws are made all the same
                layers.append(Affine(np.zeros((m, n)), np.zeros(n)))
            else:
                layers.append(Affine(np.array(drawn).T, np.full(n, _BIAS)))
            if activation is not None:
                layers.append(activation())
        return layers

    def batches(self, epoch: int) -> list[Array]:
        """The rows of every batch of an epoch, which counts from 1."""
        return self._batches[epoch > 1]

    def advance(self, epochs: int = 1) -> None:
        """Train for some epochs.

        Raises:
            NonFiniteError: a loss or gradient is not finite; the last good weights stay.
        """
        with ignore_fp_errors():
            np.setbufsize(BUFFER)  # for this block only
            for epoch in range(self.epoch + 1, self.epoch + epochs + 1):
                for i, rows in enumerate(self.batches(epoch)):
                    self._stepper.step(rows, epoch, i)
                self.epoch = epoch

    def losses(self) -> tuple[float, float]:
        """The mean loss over all training rows and over all test rows, without any penalty.

        Raises:
            NonFiniteError: one of them is not finite.
        """
        train, test = (
            self.training.evaluate_prepared(*data, {})["loss"] for data in (self.train, self.test)
        )
        return train, test

    def outputs(self, plane: npt.ArrayLike) -> list[Array]:
        """What every unit gives for points (N, 2) of the plane: one array (N, units) a column.

        The first is the input features, the last the output.

        >>> model = Compatible(Link.parse("#seed=0.40401"))
        >>> [column.shape for column in model.outputs([[0.0, 0.0], [1.0, 2.0]])]
        [(2, 2), (2, 4), (2, 2), (2, 1)]
        """
        x = columns(plane, self.link.features)
        found = [x]
        for layer, out in zip(
            self.network.layers, self.network.activations(x).values(), strict=True
        ):
            if isinstance(layer, Affine):
                found.append(out)
            else:
                found[-1] = out
        return found

    def new_seed(self) -> str:
        """The seed that the page's "Regenerate" would take now: the next number of the stream."""
        return fixed5(self._random.random())
