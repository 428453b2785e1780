"""The network written by hand in plain NumPy: functions and arrays, no library."""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.workloads import ADAM_EPS, Array, Orders, Setting, Workload

BETA1, BETA2 = 0.9, 0.999


class ByHand:
    probabilities = False

    def prepare(self, workload: Workload, setting: Setting) -> None:
        self.w, self.setting, self.orders = workload, setting, Orders(workload)
        self.restart()

    def restart(self) -> None:
        self.params = [p.copy() for layer in self.setting.weights for p in layer]
        self.m = [np.zeros_like(p) for p in self.params]
        self.v = [np.zeros_like(p) for p in self.params]
        self.t = 0
        self.orders.restart()

    def epochs(self, k: int) -> list[float]:
        update = self.sgd if self.w.optimizer == "sgd" else self.adam
        x, t, batch, losses = self.setting.x, self.setting.t, self.w.batch, []
        for _ in range(k):
            order, total = self.orders.draw(), 0.0
            for start in range(0, len(order), batch):
                rows = order[start : start + batch]
                batch_of = (x, t) if self.w.whole else (x[rows], t[rows])
                loss, grads = self.gradient(*batch_of)
                update(grads)
                total += loss
            losses.append(total / self.w.steps)
        return losses

    def gradient(self, x: Array, t: Array) -> tuple[float, list[Array]]:
        inputs, last = [x], len(self.params) // 2 - 1
        for i in range(last + 1):
            z = inputs[-1] @ self.params[2 * i]
            z += self.params[2 * i + 1]
            inputs.append(self.activate(z) if i < last else z)
        loss, d = self.loss(inputs.pop(), t)
        grads: list[Array] = []
        for i in reversed(range(last + 1)):
            h = inputs[i]
            grads[:0] = [h.T @ d, d.sum(axis=0)]
            if i:
                d = d @ self.params[2 * i].T
                d *= self.slope(h)
        return loss, grads

    def loss(self, y: Array, t: Array) -> tuple[float, Array]:
        n = len(t)
        if self.w.task == "values":
            d = y - t
            return float(np.vdot(d, d)) / d.size, d * np.float32(2 / d.size)
        rows = np.arange(n)
        y = y - y.max(axis=1, keepdims=True)
        e = np.exp(y)
        s = e.sum(axis=1, keepdims=True)
        loss = float(np.mean(np.log(s[:, 0]) - y[rows, t]))
        e /= s
        e[rows, t] -= 1
        e /= np.float32(n)
        return loss, e

    def activate(self, z: Array) -> Array:
        if self.w.activation == "sigmoid":
            return np.asarray(1 / (1 + np.exp(-z)))
        if self.w.activation == "relu":
            return np.maximum(z, 0, out=z)
        return np.tanh(z, out=z)

    def slope(self, h: Array) -> Array:
        """The activation's derivative, from what it gave."""
        if self.w.activation == "sigmoid":
            return np.asarray(h * (1 - h))
        return np.asarray(h > 0 if self.w.activation == "relu" else 1 - h * h)

    def sgd(self, grads: list[Array]) -> None:
        for p, g in zip(self.params, grads, strict=True):
            g *= self.w.lr
            p -= g

    def adam(self, grads: list[Array]) -> None:
        self.t += 1
        rate: Any = self.w.lr * (1 - BETA2**self.t) ** 0.5 / (1 - BETA1**self.t)
        for p, g, m, v in zip(self.params, grads, self.m, self.v, strict=True):
            m *= BETA1
            m += (1 - BETA1) * g
            v *= BETA2
            g *= g
            g *= 1 - BETA2
            v += g
            np.sqrt(v, out=g)
            g += ADAM_EPS
            np.divide(m, g, out=g)
            g *= rate
            p -= g

    def predict(self, x: Array) -> Array:
        last = len(self.params) // 2 - 1
        for i in range(last + 1):
            x = x @ self.params[2 * i]
            x += self.params[2 * i + 1]
            if i < last:
                x = self.activate(x)
        return x
