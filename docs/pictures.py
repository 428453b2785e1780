"""Draw the pictures of the README and the docs: `python docs/pictures.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.drawing.curves import BLUE, SKY, draw_regions, new_figure

IMAGES = Path(__file__).parent / "images"


def spiral() -> None:
    """Loss and decision regions of the chapter's network on the chapter's data."""
    x, t = cr.datasets.spiral()
    net = cr.TwoLayerNet(2, 10, 3)
    history = cr.Trainer(net, cr.SGD(lr=1.0)).fit(x, t, 300, 30, progress=None)
    figure, (left, right) = new_figure(2, width=9.2, height=4.0)
    per_epoch = history.steps / len(history)
    steps = (np.arange(history.steps) + 1) / per_epoch
    left.plot(steps, history.losses, color=SKY, alpha=0.45, linewidth=0.6)
    left.plot(range(1, len(history) + 1), history["loss"], color=BLUE, linewidth=1.8)
    left.set(xlabel="epoch", ylabel="loss", ylim=(0, 1.25), title="300 epochs, 0.2 seconds")
    draw_regions(net, x, t, ax=right)
    right.set(title=f"the regions it learnt: {cr.accuracy(net.predict(x), t):.0%} right")
    figure.savefig(IMAGES / "spiral.png")


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    spiral()
