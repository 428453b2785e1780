"""tinygrad on the CPU, with its jitted step; it compiles with clang (or what CC names)."""

from __future__ import annotations

import os
import shutil
from typing import Any

from benchmarks.peers import UnavailableError
from benchmarks.workloads import ADAM_EPS, Array, Orders, Setting, Workload

if shutil.which(os.environ.get("CC", "clang")) is None:
    raise UnavailableError("tinygrad needs clang")
os.environ.setdefault("DEV", "CPU")

from tinygrad import Context, Tensor, TinyJit
from tinygrad.nn.optim import SGD, Adam


class TinyGrad:
    probabilities = False

    def prepare(self, workload: Workload, setting: Setting) -> None:
        self.w, self.first = workload, setting.weights
        self.x, self.t = Tensor(setting.x).realize(), Tensor(setting.t).realize()
        self.orders = Orders(workload)
        self.predictors: dict[int, Any] = {}
        self.restart()

    def restart(self) -> None:
        self.orders.restart()
        # A step's jit belongs to the parameters it was made with, so their contents are replaced.
        if not hasattr(self, "params"):
            self.params = [Tensor(p).realize() for layer in self.first for p in layer]
            if self.w.optimizer == "sgd":
                self.optimizer = SGD(self.params, lr=self.w.lr)
            else:
                self.optimizer = Adam(self.params, lr=self.w.lr, eps=ADAM_EPS)
            self.slots = _state(self.optimizer)
            self.zeros = [slot.numpy() for slot in self.slots]
            self.step = TinyJit(self.one_step)
        first = [p for layer in self.first for p in layer]
        for tensor, array in zip(self.params + self.slots, first + self.zeros, strict=True):
            tensor.assign(Tensor(array)).realize()

    def forward(self, x: Any) -> Any:
        for i in range(0, len(self.params), 2):
            x = x @ self.params[i] + self.params[i + 1]
            if i < len(self.params) - 2:
                x = getattr(x, self.w.activation)()
        return x

    def given(self, rows: Any) -> tuple[Any, ...]:
        return () if self.w.whole else (Tensor(rows).realize(),)

    def one_step(self, *rows: Any) -> Any:
        with Context(TRAINING=1):
            x, t = (self.x[rows[0]], self.t[rows[0]]) if rows else (self.x, self.t)
            y = self.forward(x)
            classes = self.w.task == "classes"
            loss = y.sparse_categorical_crossentropy(t) if classes else ((y - t) ** 2).mean()
            self.optimizer.zero_grad()
            loss.backward()
            return loss.realize(*self.optimizer.schedule_step())

    def epochs(self, k: int) -> list[float]:
        losses = []
        for _ in range(k):
            total = 0.0
            for rows in self.orders.batches():
                total += self.step(*self.given(rows)).item()
            losses.append(total / self.w.steps)
        return losses

    def predict(self, x: Array) -> Array:
        if len(x) not in self.predictors:
            self.predictors[len(x)] = TinyJit(lambda x: self.forward(x).realize())
        y: Array = self.predictors[len(x)](Tensor(x).realize()).numpy()
        return y


def _state(optimizer: Any) -> list[Any]:
    """What Adam keeps between steps."""
    if not hasattr(optimizer, "m"):
        return []
    kept = [optimizer.b1_t, optimizer.b2_t, *optimizer.m, *optimizer.v]
    return [slot.realize() for slot in kept]
