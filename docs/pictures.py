"""Draw the pictures of the README and the docs again: `python docs/pictures.py [NAME ...]`.

The same program, library and matplotlib give the same bytes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.explaining.cells import cell_text
from chainrule.plots.figure import BLUE, SKY, new_figure

IMAGES = Path(__file__).parent / "images"


def spiral() -> None:
    """Loss and decision regions of the chapter's network on the chapter's data."""
    x, t = cr.datasets.spiral()
    net = cr.TwoLayerNet(2, 10, 3)
    history = cr.Trainer(net, cr.SGD(lr=1.0), engine="numpy").fit(x, t, 300, 30, progress=None)
    figure, (left, right) = new_figure(2, width=9.2, height=4.0)
    per_epoch = history.steps / len(history)
    steps = (np.arange(history.steps) + 1) / per_epoch
    left.plot(steps, history.losses, color=SKY, alpha=0.45, linewidth=0.6)
    left.plot(range(1, len(history) + 1), history["loss"], color=BLUE, linewidth=1.8)
    left.set(xlabel="epoch", ylabel="loss", ylim=(0, 1.25), title="300 epochs, 0.2 seconds")
    cr.draw_regions(net, x, t, ax=right)
    right.set(title=f"the regions it learnt: {cr.accuracy(net.predict(x), t):.0%} right")
    figure.savefig(IMAGES / "spiral.png")


def graph() -> None:
    """The README's expression, with values and gradients, every gradient checked."""
    x, W = cr.Variable([[1.0, 2.0]], "x"), cr.Variable([[0.5, -1.0, 0.2], [0.3, 0.8, -0.4]], "W")
    b = cr.Variable([0.1, 0.2, 0.3], "b")
    recorded = cr.sum(cr.sigmoid(x @ W + b)).graph
    recorded.draw(verdicts=recorded.check().verdicts).save(IMAGES / "graph.svg")


def seeing() -> None:
    """The pictures of docs/seeing.md: why, a wrong layer, a node in detail, a network at work."""
    x, W = cr.Variable([[1.0, 2.0]], "x"), cr.Variable([[0.5, -1.0, 0.2], [0.3, 0.8, -0.4]], "W")
    b = cr.Variable([0.1, 0.2, 0.3], "b")
    recorded = cr.sum(cr.sigmoid(x @ W + b)).graph
    why = recorded.explain("W", (1, 0), gradient=True)
    recorded.draw(highlight=why.arrows).save(IMAGES / "seeing-why.svg")
    points, ids = cr.datasets.spiral()
    first = MyAffine(np.random.default_rng(0).normal(size=(2, 4)), np.zeros(4))
    net = cr.Sequential(
        first, cr.Sigmoid(), cr.Affine.sized(4, 3, dtype=float), loss=cr.SoftmaxWithLoss(), seed=0
    )
    recorded = net.graph(points[::60], ids[::60])
    verdicts = recorded.check().verdicts
    recorded.draw(verdicts=verdicts, fold=False).save(IMAGES / "seeing-wrong.svg")
    detail = cr.sigmoid(cr.Variable([2.0, -1000.0], "s")).graph.detailed()
    detail.draw(gradients=False).save(IMAGES / "seeing-detail.svg")
    net, x, t = _digits(50)
    cr.Trainer(net, cr.Adam(lr=0.003), engine="numpy").fit(x, t, 5, 32, progress=None)
    net.draw(x[:32], t[:32], fold=True).save(IMAGES / "seeing-network.svg")


class MyAffine:
    """An Affine layer by hand, whose gradient of W is divided by the batch size by mistake."""

    def __init__(self, W: np.ndarray, b: np.ndarray) -> None:
        self.params, self.grads = [W, b], [np.zeros_like(W), np.zeros_like(b)]

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The output for x."""
        self.x = x
        W, b = self.params
        return x @ W + b

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """The gradient of x, and those of W and b into `grads`."""
        self.grads[0][...] = self.x.T @ dout / len(self.x)
        self.grads[1][...] = dout.sum(axis=0)
        return dout @ self.params[0].T


def history() -> None:
    """Loss and accuracy on handwritten digits."""
    net, x, t = _digits(100)
    trainer = cr.Trainer(net, cr.Adam(lr=0.003), engine="numpy")
    trainer.fit(x, t, 30, 32, validation=0.2, progress=None)
    trainer.history.plot(IMAGES / "history.png")
    trainer.history.plot(IMAGES / "history-zh.png", lang="zh")


def regions() -> None:
    """Three classes; a yes-or-no question; and a number for every point."""
    _, axes = new_figure(3, width=13.6, height=4.2)
    x, t = cr.datasets.spiral()
    net = cr.TwoLayerNet(2, 20, 3, "tanh")
    cr.Trainer(net, cr.Adam(lr=0.02), engine="numpy").fit(x, t, 150, 30, progress=None)
    cr.draw_regions(net, x, t, ax=axes[0])
    x, t = cr.datasets.moons(noise=0.2)
    net = cr.TwoLayerNet(2, 10, 1, "tanh", loss=cr.SigmoidWithLoss())
    cr.Trainer(net, cr.Adam(lr=0.02), engine="numpy").fit(x, t, 300, 32, progress=None)
    cr.draw_regions(net, x, t, ax=axes[1])
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, (300, 2))
    t = np.sin(x[:, :1]) * np.cos(x[:, 1:]) + 0.1 * rng.normal(size=(300, 1))
    net = cr.TwoLayerNet(2, 40, 1, "tanh", loss=cr.MeanSquaredError())
    cr.Trainer(net, cr.Adam(lr=0.02), engine="numpy").fit(x, t, 200, 32, progress=None)
    cr.draw_regions(net, x, t, ax=axes[2], path=IMAGES / "regions.png")


def features() -> None:
    """What the first layer looks for in handwritten digits; and the weights for iris flowers."""
    net, x, t = _digits(40)
    cr.Trainer(net, cr.AdamW(lr=0.003, weight_decay=0.05), engine="numpy").fit(
        x, t, 60, 32, progress=None
    )
    cr.draw_features(net, path=IMAGES / "features-digits.png")
    x, t = cr.datasets.iris()
    net = cr.TwoLayerNet(4, 8, 3, "tanh")
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    cr.Trainer(net, cr.Adam(lr=0.01), engine="numpy").fit(x, t, 60, 16, progress=None)
    names = ["sepal length", "sepal width", "petal length", "petal width"]
    cr.draw_features(net, path=IMAGES / "features-iris.png", names=names)


def judged() -> None:
    """Which digits are taken for which, and how far a regression is off, on rows held out."""
    net, x, t = _digits(20)
    training, held = cr.datasets.stratified_split(t, 0.3, 0)
    cr.Trainer(net, cr.Adam(lr=0.003), engine="numpy").fit(
        x[training], t[training], 10, 32, progress=None
    )
    counts = cr.confusion_matrix(net.classify(x[held]), t[held], 10)
    cr.draw_confusion(counts, path=IMAGES / "confusion.png")
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (1500, 3)).astype(np.float32)
    t = np.sin(3 * x[:, :1]) + 2 * x[:, 1:2] * x[:, 2:] + rng.normal(0, 0.15, (1500, 1))
    net = cr.TwoLayerNet(3, 40, 1, "relu", loss=cr.MeanSquaredError())
    rate = cr.schedules.Cosine(0.01, steps=60 * 32)
    cr.Trainer(net, cr.Adam(rate), engine="numpy").fit(x[:1000], t[:1000], 60, 32, progress=None)
    cr.draw_residuals(net.predict(x[1000:]), t[1000:], path=IMAGES / "residuals.png")


def explained() -> None:
    """The pictures of docs/explaining.md: importance, dependence, calibration, and why."""
    table = cr.datasets.load("penguins")
    order = np.random.default_rng(0).permutation(len(table))
    rows, new = table.rows(order[70:]), table.rows(order[:70])
    prepared = cr.datasets.Preprocessor.fit(rows, "species", encoding="robust")
    x, t = prepared.transform(rows), prepared.targets(rows)
    preset = cr.PRESETS["table-small"]
    net = preset.network(x, outputs=3, layout=prepared.layout, task="classification", epochs=20)
    optimizer = preset.optimizer(len(x), task="classification", epochs=20)
    trainer = cr.Trainer(net, optimizer, engine="numpy")
    trainer.fit(x, t, 20, preset.batch_size, drop_last=True, progress=None)
    baselines = cr.Baselines.fit(prepared.layout.one_hot(x), t, classes=3)
    model = cr.Model(net, prepared, {}, baselines)
    importance = cr.permutation_importance(model, new, repeats=10)
    cr.draw_importance(importance, IMAGES / "importance.png")
    curves = [cr.partial_dependence(model, new, name) for name in importance.columns[:3]]
    cr.draw_partial_dependence(curves, IMAGES / "dependence.png", names=prepared.classes)
    points, ids = cr.datasets.moons(2000, noise=0.5)
    sure = cr.TwoLayerNet(2, 60, 2, "relu")
    trainer = cr.Trainer(sure, cr.Adam(lr=0.02), engine="numpy")
    trainer.fit(points[::10], ids[::10], 400, progress=None)
    curve = cr.calibration_curve(sure.predict_proba(points[1::2]), ids[1::2])
    cr.draw_calibration(curve, IMAGES / "calibration.png")
    why = cr.explain_rows(model, new, [3])
    cells = [cell_text(new, name, 3, prepared) for name in why.columns]
    assert why.explained is not None
    name = f"log-odds of {prepared.labels(why.explained)[0]}"
    cr.draw_contributions(why, path=IMAGES / "why.png", cells=cells, name=name)


def histograms() -> None:
    """Activations and gradients of a deep network with sigmoids, where gradients vanish."""
    x, t = cr.datasets.digits()
    layers = [cr.Affine.sized(64, 50), cr.Sigmoid()]
    for _ in range(2):
        layers += [cr.Affine.sized(50, 50), cr.Sigmoid()]
    net = cr.Sequential(*layers, cr.Affine.sized(50, 10), loss=cr.SoftmaxWithLoss())
    seen = cr.Histograms(at=[1, 2, 3, 5, 8, 12, 20, 30])
    trainer = cr.Trainer(net, cr.SGD(lr=0.5), engine="numpy")
    trainer.fit(x / 16, t, 30, 32, callbacks=[seen], progress=None)
    seen.plot(IMAGES / "histograms.png")


def surface() -> None:
    """The loss surface of the chapter's network, with the path that training took."""
    x, t = cr.datasets.spiral()
    net = cr.TwoLayerNet(2, 10, 3)
    trajectory = cr.Trajectory(every=5)
    cr.Trainer(net, cr.SGD(lr=1.0), engine="numpy").fit(
        x, t, 300, 30, callbacks=[trajectory], progress=None
    )
    cr.draw_surface(net, x, t, trajectory, IMAGES / "surface-path.png", three_d=True)
    cr.draw_surface(net, x, t, path=IMAGES / "surface.png")


def race() -> None:
    """Optimizers from one start: on the digits, and on a long valley."""
    net, x, t = _digits(50)
    optimizers = [cr.SGD(0.1), cr.Momentum(0.05), cr.Nesterov(0.05), cr.AdaGrad(0.02),
                  cr.RMSprop(0.002), cr.Adam(0.002)]  # fmt: skip
    cr.compare_optimizers(
        net, optimizers, x, t, 20, engine="numpy", path=IMAGES / "race-digits.png"
    )
    cr.compare_optimizers(
        lambda x, y: x**2 / 20 + y**2,
        [cr.SGD(0.95), cr.Momentum(0.1), cr.AdaGrad(1.5), cr.Adam(0.3)],
        start=(-7.0, 2.0), steps=40, path=IMAGES / "race-valley.png",
    )  # fmt: skip


def _digits(hidden: int) -> tuple[cr.Sequential, np.ndarray, np.ndarray]:
    x, t = cr.datasets.digits()
    return cr.TwoLayerNet(64, hidden, 10, "relu"), x / 16, t


def playground() -> None:
    """The page of the playground, at work and inside a step; needs Playwright and Chromium."""
    with _page() as page:
        page.keyboard.press("Shift+ArrowRight")
        for _ in range(60):
            page.keyboard.press("Shift+ArrowRight")
        page.wait_for_timeout(1500)
        page.screenshot(path=IMAGES / "playground.png")
        page.keyboard.press(".")
        page.wait_for_timeout(1000)
        page.get_by_role("button", name="Backward", exact=True).click()
        for _ in range(8):
            page.keyboard.press(".")
            page.wait_for_timeout(60)
        page.locator(".cards td button").nth(2).click()
        page.wait_for_timeout(800)
        page.screenshot(path=IMAGES / "playground-inside.png")


@contextmanager
def _page() -> Iterator[Any]:
    """The page in its default state, in Chromium, served by the command itself."""
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "chainrule", "play", "--no-browser", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command
    try:
        assert server.stdout is not None
        link = server.stdout.readline().split()[-1]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-GB")
            page.goto(link)
            page.wait_for_selector("canvas")
            page.wait_for_timeout(500)
            yield page
            browser.close()
    finally:
        server.terminate()
        server.wait()


PICTURES: dict[str, Callable[[], None]] = {
    f.__name__: f
    for f in (
        spiral,
        graph,
        seeing,
        history,
        regions,
        features,
        judged,
        explained,
        histograms,
        surface,
        race,
        playground,
    )
}

if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]()
