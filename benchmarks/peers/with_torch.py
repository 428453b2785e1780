"""PyTorch: modules, a fused optimizer and its default threads; eager or compiled."""

from __future__ import annotations

from typing import Any

import torch
from benchmarks.workloads import ADAM_EPS, Array, Orders, Setting, Workload
from torch import nn
from torch.nn import functional

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "tanh": nn.Tanh}


class Eager:
    probabilities = False
    compiled = False

    def prepare(self, workload: Workload, setting: Setting) -> None:
        self.w = workload
        self.x, self.t = torch.from_numpy(setting.x), torch.from_numpy(setting.t)
        self.orders = Orders(workload)
        layers: list[Any] = []
        self.first: list[Any] = []
        for W, b in setting.weights:
            layers += [nn.Linear(*W.shape), ACTIVATIONS[workload.activation]()]
            self.first += [torch.from_numpy(W.T.copy()), torch.from_numpy(b)]
        self.net = nn.Sequential(*layers[:-1])
        parameters = self.net.parameters()
        if workload.optimizer == "sgd":
            self.optimizer = torch.optim.SGD(parameters, lr=workload.lr)  # `fused` is slower
        else:
            self.optimizer = torch.optim.Adam(parameters, lr=workload.lr, eps=ADAM_EPS, fused=True)
        self.loss_of: Any = self.loss
        self.outputs: Any = self.net
        if self.compiled:  # compiling the optimizer too is no faster
            self.loss_of = torch.compile(self.loss, dynamic=False)
            self.outputs = torch.compile(self.net, dynamic=False)
        self.restart()

    def loss(self, rows: Any) -> Any:
        x, t = self.x, self.t
        if not self.w.whole:
            x, t = x.index_select(0, rows), t.index_select(0, rows)
        y = self.net(x)
        loss = functional.cross_entropy if self.w.task == "classes" else functional.mse_loss
        return loss(y, t)

    def restart(self) -> None:
        self.orders.restart()
        with torch.no_grad():
            for p, first in zip(self.net.parameters(), self.first, strict=True):
                p.copy_(first)
            for state in self.optimizer.state.values():
                for slot in state.values():
                    slot.zero_()

    def epochs(self, k: int) -> list[float]:
        losses = []
        for _ in range(k):
            batches, total = torch.from_numpy(self.orders.draw()).split(self.w.batch), 0.0
            for rows in batches:
                self.optimizer.zero_grad(set_to_none=True)
                loss = self.loss_of(rows)
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            losses.append(total / len(batches))
        return losses

    def predict(self, x: Array) -> Array:
        with torch.inference_mode():
            y: Array = self.outputs(torch.from_numpy(x)).numpy()
        return y


class Compiled(Eager):
    compiled = True
