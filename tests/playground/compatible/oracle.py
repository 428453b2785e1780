"""TensorFlow Playground once more, one number at a time in plain Python: what the library is tested by.

Written from a description of the page, apart from the library: its own random stream, its own data,
neurons and links as small objects, each sample forward and backward by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

#: The page's state where a link says nothing; numbers as numbers.
DEFAULTS: dict[str, Any] = {
    "activation": "tanh", "regularization": "none", "batchSize": 10, "dataset": "circle",
    "regDataset": "reg-plane", "learningRate": 0.03, "regularizationRate": 0, "noise": 0,
    "networkShape": [4, 2], "seed": "0.40401", "percTrainData": 50, "x": True, "y": True,
    "xTimesY": False, "xSquared": False, "ySquared": False, "sinX": False, "sinY": False,
    "problem": "classification", "initZero": False,
}  # fmt: skip


def stream(seed: str) -> Callable[[], float]:
    """seedrandom's numbers for an ASCII seed of at most 256 letters."""
    key, smear = [0] * min(len(seed), 256), 0
    for j, letter in enumerate(seed):
        smear ^= key[j] * 19
        key[j] = (smear + ord(letter)) & 255
    s = list(range(256))
    j = 0
    for i in range(256):
        j = (j + s[i] + key[i % len(key)]) & 255
        s[i], s[j] = s[j], s[i]

    def bytes_for_ever() -> Any:
        i = j = 0
        while True:
            i = (i + 1) & 255
            j = (j + s[i]) & 255
            s[i], s[j] = s[j], s[i]
            yield s[(s[i] + s[j]) & 255]

    source = bytes_for_ever()
    for _ in range(256):
        next(source)

    def draw() -> float:
        n = int.from_bytes(bytes(next(source) for _ in range(6)), "big")
        d, x = 2**48, 0
        while n < 2**52:
            n, d = (n + x) * 256, d * 256
            x = next(source)
        while n >= 2**53:
            assert n % 2 == 0
            n, d, x = n // 2, d // 2, x >> 1
        return (n + x) / d

    return draw


def dataset(key: str, v: float, r: Callable[[], float]) -> list[tuple[float, float, float]]:
    """The points in the order they are drawn; v is the noise as a fraction."""

    def u(a: float, b: float) -> float:
        return r() * (b - a) + a

    out = []
    if key == "circle":
        for k in range(500):
            rho = u(0, 2.5) if k < 250 else u(3.5, 5)
            a = u(0, 2 * math.pi)
            x, y = rho * math.sin(a), rho * math.cos(a)
            nx = u(-5, 5) * v
            ny = u(-5, 5) * v
            out.append((x, y, 1.0 if math.hypot(x + nx, y + ny) < 2.5 else -1.0))
    elif key == "xor":
        for _ in range(500):
            x = u(-5, 5)
            x += 0.3 if x > 0 else -0.3
            y = u(-5, 5)
            y += 0.3 if y > 0 else -0.3
            nx = u(-5, 5) * v
            ny = u(-5, 5) * v
            out.append((x, y, 1.0 if (x + nx) * (y + ny) >= 0 else -1.0))
    elif key == "gauss":

        def normal() -> float:
            s = 2.0
            while s > 1:
                v1 = 2 * r() - 1
                v2 = 2 * r() - 1
                s = v1 * v1 + v2 * v2
            return math.sqrt(-2 * math.log(s) / s) * v1 * math.sqrt(0.5 + 7 * v)

        for k in range(500):
            c = 2 if k < 250 else -2
            x = c + normal()
            out.append((x, c + normal(), c / 2))
    elif key == "spiral":
        for k in range(500):
            i = k % 250
            rho, t = 5 * i / 250, 1.75 * (i / 250) * 2 * math.pi + (0 if k < 250 else math.pi)
            x = rho * math.sin(t) + u(-1, 1) * v
            out.append((x, rho * math.cos(t) + u(-1, 1) * v, 1.0 if k < 250 else -1.0))
    else:
        for _ in range(1200):
            x = u(-6, 6)
            y = u(-6, 6)
            nx = u(-6, 6) * v
            ny = u(-6, 6) * v
            out.append((x, y, height(key, x + nx, y + ny)))
    return out


def height(key: str, x: float, y: float) -> float:
    if key == "reg-plane":
        return (x + y) / 10
    best = 0.0
    for cx, cy, sign in [(-4, 2.5, 1), (0, 2.5, -1), (4, 2.5, 1)]:
        for cy_, sign_ in [(cy, sign), (-cy, -sign)]:
            bump = sign_ * max(0.0, 1 - math.hypot(x - cx, y - cy_) / 2)
            if abs(bump) > abs(best):
                best = bump
    return best


INPUTS: dict[str, Callable[[float, float], float]] = {
    "x": lambda x, y: x, "y": lambda x, y: y, "xSquared": lambda x, y: x * x,
    "ySquared": lambda x, y: y * y, "xTimesY": lambda x, y: x * y,
    "sinX": lambda x, y: math.sin(x), "sinY": lambda x, y: math.sin(y),
}  # fmt: skip


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0


#: Each activation and its slope, both of the sum that goes in.
ACTIVATIONS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "tanh": (math.tanh, lambda z: 1 - math.tanh(z) ** 2),
    "relu": (lambda z: max(0.0, z), lambda z: 1.0 if z > 0 else 0.0),
    "sigmoid": (lambda z: sigmoid(z), lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "linear": (lambda z: z, lambda z: 1.0),
}


def half_square(d: float) -> float:
    return 0.5 * (d * d)  # infinite where ** 2 would raise


class Neuron:
    def __init__(self, activation: str, bias: float) -> None:
        self.f, self.slope = ACTIVATIONS[activation]
        self.bias, self.sum_db = bias, 0.0
        self.z = self.out = self.dz = 0.0


class Wire:
    def __init__(self, start: Neuron, end: Neuron, weight: float) -> None:
        self.start, self.end, self.weight = start, end, weight
        self.sum_dw, self.dead = 0.0, False


class Oracle:
    """The page with this state, its network drawn and nothing trained."""

    def __init__(self, **state: Any) -> None:
        s = self.state = {**DEFAULTS, **state}
        random = stream(s["seed"])
        key = s["dataset"] if s["problem"] == "classification" else s["regDataset"]
        points = dataset(key, s["noise"] / 100, random)
        c = len(points)
        while c > 0:
            k = math.floor(random() * c)
            c -= 1
            points[c], points[k] = points[k], points[c]
        cut = math.floor(len(points) * s["percTrainData"] / 100)
        self.train, self.test = points[:cut], points[cut:]
        self.on = [f for name, f in INPUTS.items() if s[name]]
        self.columns = [[Neuron("linear", 0.0) for _ in self.on]]
        self.wires: list[list[Wire]] = []
        sizes = [*s["networkShape"], 1]
        output = "tanh" if s["problem"] == "classification" else "linear"
        for depth, size in enumerate(sizes):
            column, wires = [], []
            for _ in range(size):
                last = depth == len(sizes) - 1
                neuron = Neuron(output if last else s["activation"], 0.0 if s["initZero"] else 0.1)
                column.append(neuron)
                for before in self.columns[-1]:
                    drawn = random() - 0.5
                    wires.append(Wire(before, neuron, 0.0 if s["initZero"] else drawn))
            self.columns.append(column)
            self.wires.append(wires)
        self.seen = 0

    def forward(self, x: float, y: float) -> float:
        for neuron, f in zip(self.columns[0], self.on, strict=True):
            neuron.out = f(x, y)
        for column, wires in zip(self.columns[1:], self.wires, strict=True):
            for neuron in column:
                neuron.z = neuron.bias
            for wire in wires:
                wire.end.z += wire.weight * wire.start.out
            for neuron in column:
                neuron.out = neuron.f(neuron.z)
        return self.columns[-1][0].out

    def backward(self, label: float) -> None:
        output = self.columns[-1][0]
        output.dz = (output.out - label) * output.slope(output.z)
        for depth in reversed(range(len(self.wires))):
            for neuron in self.columns[depth + 1]:
                neuron.sum_db += neuron.dz
            slopes = {id(neuron): 0.0 for neuron in self.columns[depth]}
            for wire in self.wires[depth]:
                if not wire.dead:
                    wire.sum_dw += wire.end.dz * wire.start.out
                slopes[id(wire.start)] += wire.weight * wire.end.dz
            for neuron in self.columns[depth]:
                neuron.dz = slopes[id(neuron)] * neuron.slope(neuron.z)
        self.seen += 1

    def update(self) -> None:
        s, n = self.state, self.seen
        lr, rate = s["learningRate"], s["regularizationRate"]
        for column in self.columns[1:]:
            for neuron in column:
                neuron.bias -= lr / n * neuron.sum_db
                neuron.sum_db = 0.0
        for wire in (wire for wires in self.wires for wire in wires if not wire.dead):
            old = wire.weight
            wire.weight -= lr / n * wire.sum_dw
            wire.sum_dw = 0.0
            if s["regularization"] == "L2":
                wire.weight -= lr * rate * old
            elif s["regularization"] == "L1":
                shrunk = wire.weight - lr * rate * ((old > 0) - (old < 0))
                wire.dead = wire.weight * shrunk < 0
                wire.weight = 0.0 if wire.dead else shrunk
        self.seen = 0

    def epoch(self) -> None:
        for i, (x, y, label) in enumerate(self.train):
            self.forward(x, y)
            self.backward(label)
            if (i + 1) % self.state["batchSize"] == 0:
                self.update()

    def losses(self) -> tuple[float, float]:
        train, test = (
            sum(half_square(self.forward(x, y) - label) for x, y, label in rows) / len(rows)
            for rows in (self.train, self.test)
        )
        return train, test

    def link(self) -> str:
        """The state as the text of a link."""

        def written(value: Any) -> str:
            if isinstance(value, list):
                return ",".join(map(str, value))
            return str(value).lower() if isinstance(value, bool) else str(value)

        return "#" + "&".join(f"{key}={written(value)}" for key, value in self.state.items())
