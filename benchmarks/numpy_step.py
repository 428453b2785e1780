"""One training step, timed against the same step written by hand in plain NumPy.

    python benchmarks/numpy_step.py [--rounds 15] [--json]

Every round times all contestants in turn; the table shows medians over the rounds, of the times
and of the ratios of each to its own baseline in the same round. All compute the same stable
formulas in float32 and are checked to end with the same parameters.

* "by hand": plain NumPy functions, no classes.
* "Trainer": `Trainer.fit` on the NumPy engine, compared with "by hand".
* "chapter": classes in the chapter's style (params, grads, forward, backward) in the chapter's
  loop.
* "network loop": the same loop with `TwoLayerNet`, compared with "chapter".
* "layer loop": the same loop over our layers one by one, compared with "chapter".

The second table is memory: how much a thousand more steps leave behind, and how far a step
goes above what is held already.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr
from chainrule.networks.steps import make_step
from chainrule.nodes.base import ignore_fp_errors
from chainrule.training.stepper import BUFFER

Array = npt.NDArray[Any]
LR = 0.1

WORKLOADS = {
    "spiral 2-10-3, batch 30": (2, 10, 3, 30, 300, 50),
    "784-50-10, batch 100": (784, 50, 10, 100, 2000, 25),
}


# -- by hand ---------------------------------------------------------------------------------


def by_hand_epoch(x: Array, t: Array, params: list[Array], order: Array, batch: int) -> None:
    W1, b1, W2, b2 = params
    n = len(x)
    for start in range(0, n, batch):
        rows = order[start : start + batch]
        xb, tb = x[rows], t[rows]
        h = 1 / (1 + np.exp(-(xb @ W1 + b1)))
        s = h @ W2 + b2
        _, ds = softmax_loss(s, tb)
        dW2, db2 = h.T @ ds, ds.sum(axis=0)
        dh = (ds @ W2.T) * h * (1 - h)
        dW1, db1 = xb.T @ dh, dh.sum(axis=0)
        W1 -= LR * dW1
        b1 -= LR * db1
        W2 -= LR * dW2
        b2 -= LR * db2


def softmax_loss(s: Array, t: Array) -> tuple[Any, Array]:
    """The loss and its gradient, without cancellation, as chainrule computes them."""
    rows = np.arange(len(t))
    a = s - s.max(axis=1, keepdims=True)
    e = np.exp(a)
    a_t, e_t = a[rows, t], e[rows, t]
    e[rows, t] = 0
    others = e.sum(axis=1)
    loss = np.mean(np.log1p(others + (e_t - 1)) - a_t)
    e[rows, t] = -others
    return loss, e / ((others + e_t) * len(t))[:, None]


# -- in the chapter's style --------------------------------------------------------------------


class ChapterAffine:
    def __init__(self, W: Array, b: Array) -> None:
        self.params, self.grads = [W, b], [np.zeros_like(W), np.zeros_like(b)]
        self.x: Array = W

    def forward(self, x: Array) -> Array:
        W, b = self.params
        self.x = x
        return np.asarray(np.dot(x, W) + b)

    def backward(self, dout: Array) -> Array:
        W, _ = self.params
        dx = np.dot(dout, W.T)
        self.grads[0][...] = np.dot(self.x.T, dout)
        self.grads[1][...] = np.sum(dout, axis=0)
        return np.asarray(dx)


class ChapterSigmoid:
    def __init__(self) -> None:
        self.params: list[Array] = []
        self.grads: list[Array] = []
        self.out: Any = None

    def forward(self, x: Array) -> Array:
        self.out = 1 / (1 + np.exp(-x))
        return np.asarray(self.out)

    def backward(self, dout: Array) -> Array:
        return np.asarray(dout * (1.0 - self.out) * self.out)


class ChapterLoss:
    def __init__(self) -> None:
        self.params: list[Array] = []
        self.grads: list[Array] = []
        self.ds: Any = None

    def forward(self, x: Array, t: Array) -> Any:
        loss, self.ds = softmax_loss(x, t)
        return loss

    def backward(self, dout: float = 1.0) -> Array:
        return np.asarray(self.ds * np.float32(dout))


class ChapterSGD:
    def update(self, params: list[Array], grads: list[Array]) -> None:
        for i in range(len(params)):
            params[i] -= LR * grads[i]


class LayerNet:
    """The book's two-layer network, of the layers it is given."""

    def __init__(self, layers: list[Any], loss: Any) -> None:
        self.layers, self.loss_layer = layers, loss
        self.params = [p for layer in layers for p in layer.params]
        self.grads = [g for layer in layers for g in layer.grads]

    def forward(self, x: Array, t: Array) -> Any:
        for layer in self.layers:
            x = layer.forward(x)
        return self.loss_layer.forward(x, t)

    def backward(self) -> None:
        dout = self.loss_layer.backward()
        for layer in reversed(self.layers):
            dout = layer.backward(dout)


def loop_epoch(model: Any, optimizer: Any, x: Array, t: Array, order: Array, batch: int) -> None:
    for start in range(0, len(x), batch):
        rows = order[start : start + batch]
        model.forward(x[rows], t[rows])
        model.backward()
        optimizer.update(model.params, model.grads)


# -- the race ----------------------------------------------------------------------------------


class Race:
    def __init__(self, sizes: tuple[int, int, int, int, int, int]) -> None:
        d, h, c, self.batch, n, self.epochs = sizes
        rng = np.random.default_rng(0)
        self.x = rng.standard_normal((n, d)).astype(np.float32)
        self.t = rng.integers(0, c, n)
        self.order = np.arange(n)
        W1 = (rng.standard_normal((d, h)) / np.sqrt(d)).astype(np.float32)
        W2 = (rng.standard_normal((h, c)) / np.sqrt(h)).astype(np.float32)
        self.first = [W1, np.zeros(h, np.float32), W2, np.zeros(c, np.float32)]
        hand = self.copies()
        chapter = LayerNet(self.chapter_layers(self.copies()), ChapterLoss())
        layers = LayerNet(self.our_layers(self.copies()), cr.SoftmaxWithLoss())
        loop = self.network()
        trained = cr.Trainer(self.network(), cr.SGD(LR), engine="numpy")
        sgd = cr.SGD(LR)
        chapter_sgd = ChapterSGD()
        args = (self.x, self.t, self.order, self.batch)
        self.contestants: dict[str, tuple[Callable[[], Any], Callable[[], list[Array]], str]] = {
            "by hand": (self.repeat(by_hand_epoch, *args[:2], hand, *args[2:]), lambda: hand, ""),
            "Trainer": (
                lambda: trained.fit(
                    self.x, self.t, self.epochs, self.batch, shuffle=False, progress=None
                ),
                lambda: trained.model.params,
                "by hand",
            ),
            "chapter": (
                self.repeat(loop_epoch, chapter, chapter_sgd, *args),
                lambda: chapter.params,
                "",
            ),
            "network loop": (
                self.repeat(loop_epoch, loop, sgd, *args),
                lambda: loop.params,
                "chapter",
            ),
            "layer loop": (
                self.repeat(loop_epoch, layers, cr.SGD(LR), *args),
                lambda: layers.params,
                "chapter",
            ),
        }

    def repeat(self, epoch: Callable[..., None], *args: Any) -> Callable[[], None]:
        def run() -> None:
            for _ in range(self.epochs):
                epoch(*args)

        return run

    def copies(self) -> list[Array]:
        return [p.copy() for p in self.first]

    def chapter_layers(self, p: list[Array]) -> list[Any]:
        return [ChapterAffine(p[0], p[1]), ChapterSigmoid(), ChapterAffine(p[2], p[3])]

    def our_layers(self, p: list[Array]) -> list[Any]:
        return [cr.Affine(p[0], p[1]), cr.Sigmoid(), cr.Affine(p[2], p[3])]

    def network(self) -> cr.Sequential:
        return cr.Sequential(*self.our_layers(self.copies()), loss=cr.SoftmaxWithLoss())

    def run(self, rounds: int) -> dict[str, list[float]]:
        """The µs a step of every contestant, round by round."""
        steps = self.epochs * -(-len(self.x) // self.batch)
        times: dict[str, list[float]] = {name: [] for name in self.contestants}
        names = list(self.contestants)
        for i in range(rounds + 1):
            for name in names[i % len(names) :] + names[: i % len(names)]:
                start = time.perf_counter()
                self.contestants[name][0]()
                if i:  # the first round warms up: plans are recorded in it
                    times[name].append((time.perf_counter() - start) / steps * 1e6)
        self.check()
        return times

    def check(self) -> None:
        """All contestants ended with the same parameters, up to rounding."""
        expected = self.contestants["by hand"][1]()
        for name, (_, params, _) in self.contestants.items():
            for p, q in zip(params(), expected, strict=True):
                worst = float(np.abs(p - q).max() / np.abs(q).max())
                assert worst < 2e-2, f"{name} ends elsewhere: {worst:.1e} off"


def memory(sizes: tuple[int, int, int, int, int, int]) -> dict[str, int]:
    """Bytes left behind by 1,000 steps of the engine, and their peak above what was held before."""
    race = Race(sizes)
    network, optimizer = race.network(), cr.SGD(LR)
    step = make_step(network, race.x, race.t, None)
    rows = race.order[: race.batch]

    def steps(n: int) -> None:
        with ignore_fp_errors():
            np.setbufsize(BUFFER)
            for _ in range(n):
                step.run(rows)
                optimizer.update(*step.segments())

    tracemalloc.start()
    steps(20)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    steps(1000)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"growth": after - held, "peak": peak - held}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results: dict[str, Any] = {}
    for label, sizes in WORKLOADS.items():
        race = Race(sizes)
        times = race.run(options.rounds)
        figures = {}
        for name, (_, _, baseline) in race.contestants.items():
            pairs = zip(times[name], times[baseline] if baseline else times[name], strict=True)
            ratio = statistics.median(a / b for a, b in pairs) if baseline else None
            us = statistics.median(times[name])
            figures[name] = {"us": us, "ratio": ratio, "to": baseline}
        results[label] = {"steps": figures, "memory": memory(sizes)}
        if not options.json:
            print(f"\n{label}: µs a step, median of {options.rounds} rounds")
            for name, f in figures.items():
                against = f"  {f['ratio']:.2f} × {f['to']}" if f["to"] else ""
                print(f"  {name:<13}{f['us']:9.1f}{against}")
            used = results[label]["memory"]
            print(
                f"  1,000 steps leave {used['growth']:,} bytes behind; their peak is"
                f" {used['peak']:,} bytes above what was held before"
            )
    if options.json:
        print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
