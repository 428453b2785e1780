"""Where the points of the page come from: painted, generated, a table, or another playground's link."""

from __future__ import annotations

import numpy as np

from chainrule.datasets import playground, spiral, stratified_split
from chainrule.datasets.playground import PLAYGROUND
from chainrule.datasets.table import Table
from chainrule.lang.messages import _
from chainrule.playground.caps import Caps
from chainrule.playground.compatible.training import Compatible
from chainrule.playground.data import SQUARE, Array, Data, Plane, Points
from chainrule.playground.settings import FEATURES, Settings
from chainrule.playground.tables import digit_cells, table_cells
from chainrule.playground.translation import link_of

__all__ = ["draw"]

#: The book's spiral is the one of this seed.
BOOK_SEED = 1984
#: Multiples of the golden ratio, without their whole parts, are spread evenly however many there are.
GOLDEN = (5**0.5 - 1) / 2


def draw(settings: Settings, table: Table | None = None, caps: Caps | None = None) -> Data:
    """The data that the settings ask for; `table` is the learner's own, if there is one."""
    if settings.mode == "compatible":
        return _compatible(settings)
    seed = int(settings.data_seed)
    if settings.data == "painted":
        return _painted(settings, seed)
    if settings.data in ("own", "digits"):
        if settings.data == "digits":
            return digit_cells(settings)
        return table_cells(settings, table, caps or Caps())
    x: Array
    t: Array
    plane = SQUARE
    if settings.data in PLAYGROUND:
        x, t = playground(settings.data, settings.noise, seed)
    else:
        x, t = spiral((BOOK_SEED + seed) % 2**32)
        shift = np.random.default_rng(seed).uniform(-0.2, 0.2, x.shape)
        x, plane = x + settings.noise * shift, Plane((-1.2, 1.2), (-1.2, 1.2))
    # Its own stream: the points are drawn from the seed itself.
    held = np.random.default_rng([seed, 1])
    train, test = stratified_split(t, 1 - settings.train_part, held)
    order = np.concatenate([train, test])
    kinds = int(t.max()) + 1 if t.dtype.kind == "i" else 0
    classes = tuple(str(k) for k in range(kinds)) if kinds else None
    return Points(t[order], len(train), FEATURES, classes, rows=x[order], shown=plane)


def _painted(settings: Settings, seed: int) -> Data:
    """Points painted by hand, the first for training. Where one falls stays so as others come."""
    found = np.array(settings.points, dtype=float).reshape(-1, 3)
    labels = found[:, 2].astype(int)
    train = (np.arange(len(found)) + seed) * GOLDEN % 1 < settings.train_part
    order = np.concatenate([np.flatnonzero(train), np.flatnonzero(~train)])
    classes = tuple(str(k + 1) for k in range(max(2, labels.max(initial=0) + 1)))
    return Points(labels[order], int(train.sum()), FEATURES, classes, rows=found[order, :2])


def _compatible(settings: Settings) -> Data:
    """The data of a TensorFlow Playground link, in its order."""
    link = link_of(settings)
    model = Compatible(link)
    rows, labels = model.points[:, :2], model.points[:, 2]
    classes = None
    if link.problem == "classification":
        labels, classes = (labels > 0).astype(int), ("−1", "+1")
    notes: tuple[str, ...] = ()
    if settings.batch_size > link.train_rows:
        notes = (
            _(
                "A batch of {batch} rows is larger than the {rows} rows to train with, so nothing is"
                " learnt: that is how TensorFlow Playground does it.",
                batch=settings.batch_size,
                rows=link.train_rows,
            ),
        )
    return Points(labels, link.train_rows, FEATURES, classes, notes=notes, rows=rows)
