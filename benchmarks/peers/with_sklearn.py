"""scikit-learn's MLPClassifier and MLPRegressor, given our first weights and our batches."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from benchmarks.workloads import ADAM_EPS, Array, Orders, Setting, Workload
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

ACTIVATIONS = {"sigmoid": "logistic", "relu": "relu", "tanh": "tanh"}


class GivenOrders(np.random.RandomState):
    """A generator whose shuffles bring rows 0 to n - 1 into the given orders, one after another.

    `fit` shuffles the order of the epoch before, so each shuffle is given in terms of the last.
    """

    def __init__(self, workload: Workload) -> None:
        super().__init__(0)
        orders = Orders(workload)
        before = np.arange(workload.rows)
        self.shuffles = []
        for _ in range(workload.epochs):
            order = orders.draw()
            self.shuffles.append(np.argsort(before)[order])
            before = order
        self.next = 0

    def shuffle(self, x: Any) -> None:
        x[...] = self.shuffles[self.next]
        self.next += 1


class ScikitLearn:
    probabilities = True

    def prepare(self, workload: Workload, setting: Setting) -> None:
        warnings.simplefilter("ignore", ConvergenceWarning)  # it trains for as long as it is told
        self.setting, self.classes = setting, workload.task == "classes"
        self.x = setting.x
        self.t = setting.t.ravel() if setting.t.shape[1:] == (1,) else setting.t
        self.orders = GivenOrders(workload)
        kind = MLPClassifier if self.classes else MLPRegressor
        self.model = kind(
            hidden_layer_sizes=workload.sizes[1:-1],
            activation=ACTIVATIONS[workload.activation],
            solver=workload.optimizer,
            batch_size=workload.batch,
            learning_rate_init=workload.lr,
            momentum=0.0,
            nesterovs_momentum=False,
            epsilon=ADAM_EPS,
            alpha=0.0,
            n_iter_no_change=np.inf,
            shuffle=not workload.whole,
            warm_start=True,
            max_iter=1,
            random_state=self.orders,
        )
        self.model.fit(self.x, self.t)  # makes the arrays that our weights then replace
        self.restart()

    def restart(self) -> None:
        self.model.coefs_ = [W.copy() for W, _ in self.setting.weights]
        self.model.intercepts_ = [b.copy() for _, b in self.setting.weights]
        self.model.t_, self.model.loss_curve_, self.model.best_loss_ = 0, [], np.inf
        self.orders.next = 0

    def epochs(self, k: int) -> list[float]:
        self.model.set_params(max_iter=k).fit(self.x, self.t)
        # Its squared loss is half of ours; Adam's steps do not depend on the factor.
        losses = self.model.loss_curve_[-k:]
        return [float(loss) * (1 if self.classes else 2) for loss in losses]

    def predict(self, x: Array) -> Array:
        y: Array = self.model.predict_proba(x) if self.classes else self.model.predict(x)
        return y
