"""Recipes: how many epochs to train, with how much weight decay, chosen by cross-validation.

A long training with little weight decay fits a large or clean table well, but overfits a small
noisy one; a short training with strong weight decay stays close to a linear model. Rows left out
of the training in turn show which of them suits a table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, NonFiniteError, SettingError, shown
from chainrule.lang.languages import chosen
from chainrule.lang.messages import Message, _, _n
from chainrule.layers.initial import Seed, generator
from chainrule.networks import Network
from chainrule.optimizers import AdamW, Optimizer
from chainrule.schedules import Cosine
from chainrule.settings import from_zero, language, whole
from chainrule.training.progress import Progress
from chainrule.training.trainer import Trainer

__all__ = ["Choice", "Recipe", "choose_recipe", "folds_for", "part_of_rows", "recipes_for"]

Array = npt.NDArray[Any]

#: About how many steps the longest training takes, and all trials together; the most epochs.
STEPS, MOST = 5000, 200
#: The most epochs of a trial; in a small table more, up to FEW steps.
EPOCHS, FEW = 60, 400
#: From MANY rows on, STEPS steps do not overfit; fewer than HANDFUL rows are too few to compare by.
MANY, HANDFUL = 10_000, 20
#: A recipe is dropped after ENOUGH parts if its loss on each is over BEHIND times the leader's.
ENOUGH, BEHIND = 2, 1.05
#: The most parts that the rows are cut into, each left out once; a single part is a fifth.
PARTS = 5


@dataclass(frozen=True)
class Recipe:
    """The epochs and the weight decay of a training; `trial`: how many epochs a trial of it takes."""

    epochs: int
    weight_decay: float
    trial: int | None = None

    def __post_init__(self) -> None:
        whole(self.epochs, "epochs")
        from_zero(self.weight_decay, "weight_decay")
        if self.trial is not None:
            whole(self.trial, "trial")

    @property
    def told(self) -> Message:
        """The recipe as text, for people."""
        return _n(
            "{n} epoch, weight decay {decay:g}",
            "{n} epochs, weight decay {decay:g}",
            self.epochs,
            decay=self.weight_decay,
        )

    def __str__(self) -> str:
        return self.told.said(chosen())

    @property
    def tried(self) -> Recipe:
        """The recipe of a trial: with `trial` epochs, where that is given."""
        return Recipe(self.trial or self.epochs, self.weight_decay)

    def prepare(self, optimizer: Optimizer, rows: int, batch_size: int) -> None:
        """Set the optimizer's decay, and stretch a cosine schedule over the epochs of so many rows."""
        steps = math.ceil(rows / batch_size) * self.epochs
        optimizer.weight_decay = self.weight_decay
        if isinstance(optimizer.schedule, Cosine):
            rate, end = optimizer.schedule.lr, optimizer.schedule.end
            optimizer.schedule = Cosine(rate, steps=steps, end=end)


@dataclass(frozen=True)
class Choice:
    """The result of `choose_recipe`: the recipes, and the loss of each on the rows left out.

    `losses` is as long as `recipes`; a loss is infinite if the training diverged, or if the recipe
    was dropped after two parts. With a single recipe nothing is tried, and `losses` is empty.
    """

    recipes: tuple[Recipe, ...]
    losses: tuple[float, ...]
    folds: int

    @property
    def recipe(self) -> Recipe:
        """The recipe with the smallest loss; the first of equals."""
        best = int(np.argmin(self.losses)) if self.losses else 0
        return self.recipes[best]


def recipes_for(rows: int, batch_size: int = 32) -> tuple[Recipe, ...]:
    """Recipes for so many rows: a long one with little decay, and shorter ones with more.

    A trial of the long one takes up to 60 epochs: if it is the best by then, more epochs help.
    From 10,000 rows on, and below 20, it is the only recipe.

    >>> for recipe in recipes_for(500):
    ...     print(recipe)
    200 epochs, weight decay 0.1
    20 epochs, weight decay 1
    20 epochs, weight decay 3
    >>> recipes_for(50_000, 128)
    (Recipe(epochs=13, weight_decay=0.1, trial=None),)
    """
    steps = math.ceil(whole(rows, "rows") / whole(batch_size, "batch_size"))
    least, most = (math.ceil(count / steps) for count in (FEW, STEPS))
    long = min(max(most, 10), MOST)
    if not HANDFUL <= rows < MANY:
        return (Recipe(long, 0.1),)
    trial = min(max(EPOCHS, least), long)
    short = math.ceil(trial / 3)
    return Recipe(long, 0.1, trial), Recipe(short, 1.0), Recipe(short, 3.0)


def folds_for(recipes: Sequence[Recipe], rows: int, batch_size: int = 32) -> int:
    """The number of parts, 1 to 5, to cut so many rows into, so that all trials take some 5,000 steps.

    >>> [folds_for(recipes_for(rows), rows) for rows in (300, 700, 1500)]
    [5, 3, 1]
    """
    epochs = sum(recipe.tried.epochs for recipe in recipes)
    steps = math.ceil(rows * (1 - 1 / PARTS) / min(batch_size, rows)) * epochs
    return max(1, min(round(STEPS / steps), PARTS, rows))


def choose_recipe(
    trainer: Trainer,
    x: npt.ArrayLike,
    t: npt.ArrayLike,
    recipes: Sequence[Recipe] | None = None,
    batch_size: int = 32,
    *,
    folds: int | None = None,
    seed: Seed = 0,
    progress: str | bool | None = "auto",
    lang: str | None = None,
) -> Choice:
    """Choose a recipe by cross-validation on these rows, and set the trainer's optimizer for it.

    The rows are cut into `folds` parts (see `folds_for`), classes in proportion. For every part,
    each recipe in its `tried` form trains the network from its present state on the rows outside
    the part. A recipe's score is its mean loss on the rows left out; a recipe 5 % behind on each of
    the first two parts is dropped. Then the network is restored, so that
    `trainer.fit(x, t, choice.recipe.epochs, batch_size)` trains it on all rows.

    x, t: as for `Trainer.fit`, training rows only: rows held back for the final score must not be
    among them. The optimizer is an AdamW; a `Cosine` schedule is stretched to each training.
    `recipes`: by default `recipes_for(len(x))`. `progress`: None shows nothing; `lang`: the language
    of what is shown, "en" or "zh"; None is the language of CHAINRULE_LANG, else English.

    Raises:
        SettingError: a model or an optimizer of another kind, or no recipes.
        DataError: too few rows to leave any out.
        NonFiniteError: every recipe diverged.

    >>> import chainrule as cr
    >>> x, t = cr.datasets.moons(noise=0.4)
    >>> net = cr.Sequential(
    ...     cr.Affine.sized(2, 32), cr.ReLU(), cr.Affine.sized(32, 2), loss=cr.SoftmaxWithLoss(), seed=0
    ... )
    >>> trainer = cr.Trainer(net, cr.AdamW(cr.schedules.Cosine(0.01, steps=1)), engine="numpy")
    >>> choice = cr.choose_recipe(trainer, x, t)
    >>> choice.recipe in choice.recipes, len(choice.losses), choice.folds
    (True, 3, 5)
    >>> history = trainer.fit(x, t, choice.recipe.epochs, progress=None)
    """
    model, optimizer = trainer.model, trainer.optimizer
    if not isinstance(model, Network) or not isinstance(optimizer, AdamW):
        raise SettingError(
            _(
                "choose_recipe takes a Trainer of a chainrule network with cr.AdamW, whose decay it chooses;"
                " got {model} with {optimizer}.",
                model=type(model).__name__,
                optimizer=type(optimizer).__name__,
            )
        )
    x, t, _none = model._prepare(x, t, None)
    candidates = tuple(recipes_for(len(x), batch_size) if recipes is None else recipes)
    if not candidates or not all(isinstance(recipe, Recipe) for recipe in candidates):
        raise SettingError(
            _(
                "recipes={recipes}: give some, such as [Recipe(epochs=20, weight_decay=1.0)].",
                recipes=shown(recipes),
            )
        )
    parts = folds_for(candidates, len(x), batch_size) if folds is None else whole(folds, "folds")
    losses: tuple[float, ...] = ()
    if len(candidates) > 1:
        if parts > len(x) or len(x) < 2:
            raise DataError(
                _(
                    "{rows} rows cannot be cut in {parts} parts to try recipes on. Give more rows, or one"
                    " recipe.",
                    rows=len(x),
                    parts=max(parts, 2),
                )
            )
        part = part_of_rows(t, parts, generator(seed))
        losses = _losses(trainer, candidates, x, t, part, batch_size, progress, language(lang))
    choice = Choice(candidates, losses, parts if losses else 0)
    choice.recipe.prepare(optimizer, len(x), batch_size)
    return choice


def _losses(
    trainer: Trainer,
    recipes: Sequence[Recipe],
    x: Array,
    t: Array,
    part: npt.NDArray[np.int64],
    batch_size: int,
    progress: str | bool | None,
    lang: str,
) -> tuple[float, ...]:
    """The mean loss of every recipe on the rows left out; the trainer's state is restored."""
    optimizer, recipes = trainer.optimizer, [recipe.tried for recipe in recipes]
    start, schedule, decay = (
        trainer.snapshot(place=False),
        optimizer.schedule,
        optimizer.weight_decay,
    )
    inner = Trainer(
        trainer.model,
        optimizer,
        engine=trainer.engine,
        threads=trainer.threads,
        communicator=trainer.communicator,
        reproducible=trainer.reproducible,
    )
    shown_as = "notes" if progress and trainer.communicator.rank == 0 else None
    inner._kernel = trainer._kernel
    say = Progress(shown_as, 0, 0, lang).say
    parts = int(part.max()) + 1
    losses = np.full((len(recipes), parts), math.inf)
    failed: NonFiniteError | None = None
    try:
        for number in range(parts):
            out = part == number
            for i in _still_tried(losses[:, :number]):
                recipes[i].prepare(optimizer, int((~out).sum()), batch_size)
                inner.rng = generator(0)
                try:
                    inner.fit(
                        x[~out],
                        t[~out],
                        recipes[i].epochs,
                        batch_size,
                        progress=shown_as,
                        lang=lang,
                    )
                    losses[i, number] = inner.evaluate_prepared(x[out], t[out], {})["loss"]
                except NonFiniteError as error:
                    failed = error
                finally:
                    trainer.restore(start)
                if inner.stop_reason is not None:
                    raise KeyboardInterrupt  # inner.fit has caught it
    finally:
        optimizer.schedule, optimizer.weight_decay = schedule, decay
        trainer._kernel = inner._kernel  # same network and optimizer: nothing to compile again
    if not np.isfinite(losses).any() and failed is not None:
        raise failed
    sizes = np.bincount(part[part >= 0])
    means = [float(row @ sizes / sizes.sum()) for row in losses]
    for recipe, mean, row in zip(recipes, means, losses, strict=True):
        if math.isfinite(mean):
            say(
                _(
                    "{recipe}: loss {loss:.4f} on training rows left out",
                    recipe=recipe.told,
                    loss=mean,
                )
            )
        else:
            say(
                _(
                    "{recipe}: far behind ({loss:.4f} on the first of them, the best {best:.4f})",
                    recipe=recipe.told,
                    loss=row[0],
                    best=losses[:, 0].min(),
                )
            )
    return tuple(means)


def _still_tried(losses: npt.NDArray[np.float64]) -> list[int]:
    """The indices of the recipes that stay: after two parts, those not far behind on each."""
    if losses.shape[1] < ENOUGH:
        return list(range(len(losses)))
    first = losses[:, :ENOUGH]
    leader = first[int(np.argmin(first.sum(axis=1)))]
    return np.flatnonzero((first <= BEHIND * leader).any(axis=1)).tolist()


def part_of_rows(t: Array, parts: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """The part of every row, 0 … parts - 1, each class spread evenly; -1 for a row in no part.

    A single part is a fifth of the rows.
    """
    order = random.permutation(len(t))
    if t.ndim == 1 and t.dtype.kind in "iu":
        order = order[np.argsort(t[order], kind="stable")]
    part = np.empty(len(t), np.int64)
    part[order] = np.arange(len(t)) % (parts if parts > 1 else min(PARTS, len(t)))
    part[part >= parts] = -1
    return part
