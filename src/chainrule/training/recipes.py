"""How long to train and how tightly to hold the weights: tried on rows that are left out in turn.

A long training with a light hand learns what a large or clean table has to teach, and learns a
small noisy one by heart; a short training with a strong weight decay stays near a straight line.
Which of them a table wants, its own rows tell.
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

__all__ = ["Choice", "Recipe", "choose_recipe", "folds_for", "recipes_for"]

Array = npt.NDArray[Any]

#: About how many steps the longest training takes, and all trials together; and epochs at most.
STEPS, MOST = 5000, 200
#: So many epochs are tried at most, but for a table so small that they are no `FEW` steps.
EPOCHS, FEW = 60, 400
#: From so many rows on, that many steps learn nothing by heart; fewer tell nothing when left out.
MANY, HANDFUL = 10_000, 20
#: Who after so many parts has so many times the leader's loss on each is not tried on the others.
ENOUGH, BEHIND = 2, 1.05
#: In how many parts the rows are cut at most, each left out once; a single one is a fifth.
PARTS = 5


@dataclass(frozen=True)
class Recipe:
    """So many epochs, with this weight decay; `trial`: so many are enough to see whether it is any good."""

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
        """The recipe in words."""
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
        """The recipe as it is tried."""
        return Recipe(self.trial or self.epochs, self.weight_decay)

    def prepare(self, optimizer: Optimizer, rows: int, batch_size: int) -> None:
        """Set the decay, and stretch a cosine schedule over these epochs of so many rows."""
        steps = math.ceil(rows / batch_size) * self.epochs
        optimizer.weight_decay = self.weight_decay
        if isinstance(optimizer.schedule, Cosine):
            rate, end = optimizer.schedule.lr, optimizer.schedule.end
            optimizer.schedule = Cosine(rate, steps=steps, end=end)


@dataclass(frozen=True)
class Choice:
    """What `choose_recipe` found: the recipes, and the loss of each on the rows left out.

    `losses` is as long as `recipes`; infinite where the training went out of bounds, or was left at
    two parts, far behind. Nothing was tried, and it is empty, if there was one recipe only.
    """

    recipes: tuple[Recipe, ...]
    losses: tuple[float, ...]
    folds: int

    @property
    def recipe(self) -> Recipe:
        """The one with the smallest loss; of equals the first."""
        best = int(np.argmin(self.losses)) if self.losses else 0
        return self.recipes[best]


def recipes_for(rows: int, batch_size: int = 32) -> tuple[Recipe, ...]:
    """Ways to train on so many rows: long and light, or much shorter and tighter.

    The long one is tried at up to 60 epochs: if it is the best there, the table has more to teach.
    From 10,000 rows on, and below 20, it is the only one.

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
    """In how many parts to cut so many rows, so that all trials take some 5,000 steps: 1 to 5.

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

    The rows are cut in `folds` parts (see `folds_for`), classes in proportion. Each recipe, as it is
    `tried`, trains the network from where it is now once for every part, on the rows outside it, and
    is judged by its mean loss on the rows left out; one that is 5 % behind on each of two parts is
    left at that.
    Then the network is put back to where it was, so that
    `trainer.fit(x, t, choice.recipe.epochs, batch_size)` trains it on all rows.

    x, t: as for `Trainer.fit`, training rows only: rows held back for the final score must not be
    among them. The optimizer is an AdamW; a `Cosine` schedule is stretched to each training.
    `recipes`: by default `recipes_for(len(x))`. `progress`: None for no word;
    `lang`: of what is said, "en" or "zh"; None is the language of CHAINRULE_LANG, else English.

    Raises:
        SettingError: a model or an optimizer of another kind, no recipes.
        DataError: too few rows to leave any out.
        NonFiniteError: no recipe could be trained to its end.

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
    found = tuple(recipes_for(len(x), batch_size) if recipes is None else recipes)
    if not found or not all(isinstance(recipe, Recipe) for recipe in found):
        raise SettingError(
            _(
                "recipes={recipes}: give some, such as [Recipe(epochs=20, weight_decay=1.0)].",
                recipes=shown(recipes),
            )
        )
    parts = folds_for(found, len(x), batch_size) if folds is None else whole(folds, "folds")
    losses: tuple[float, ...] = ()
    if len(found) > 1:
        if parts > len(x) or len(x) < 2:
            raise DataError(
                _(
                    "{rows} rows cannot be cut in {parts} parts to try recipes on. Give more rows, or one"
                    " recipe.",
                    rows=len(x),
                    parts=max(parts, 2),
                )
            )
        cut = _parts(t, parts, generator(seed))
        losses = _losses(trainer, found, x, t, cut, batch_size, progress, language(lang))
    choice = Choice(found, losses, parts if losses else 0)
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
    """The mean loss of every recipe on the rows left out; all is put back as it was."""
    optimizer, recipes = trainer.optimizer, [recipe.tried for recipe in recipes]
    start, schedule, decay = (
        trainer.snapshot(place=False),
        optimizer.schedule,
        optimizer.weight_decay,
    )
    inner = Trainer(trainer.model, optimizer, engine=trainer.engine, threads=trainer.threads)
    inner._kernel, shown_as = trainer._kernel, "notes" if progress else None
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
                    raise KeyboardInterrupt  # which inner.fit has taken for its own
    finally:
        optimizer.schedule, optimizer.weight_decay = schedule, decay
        trainer._kernel = (
            inner._kernel
        )  # of the same network and optimizer: nothing to compile again
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
                    "{recipe}: far behind ({loss:.4f} on the first of them)",
                    recipe=recipe.told,
                    loss=row[0],
                )
            )
    return tuple(means)


def _still_tried(losses: npt.NDArray[np.float64]) -> list[int]:
    """Which recipes are tried on: after two parts, those that are not far behind on each."""
    if losses.shape[1] < ENOUGH:
        return list(range(len(losses)))
    first = losses[:, :ENOUGH]
    leader = first[int(np.argmin(first.sum(axis=1)))]
    return np.flatnonzero((first <= BEHIND * leader).any(axis=1)).tolist()


def _parts(t: Array, parts: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """The part of every row, 0 … parts - 1, each class spread evenly; -1 is in none.

    One part alone is a fifth of the rows.
    """
    order = random.permutation(len(t))
    if t.ndim == 1 and t.dtype.kind in "iu":
        order = order[np.argsort(t[order], kind="stable")]
    dealt = np.empty(len(t), np.int64)
    dealt[order] = np.arange(len(t)) % (parts if parts > 1 else min(PARTS, len(t)))
    dealt[dealt >= parts] = -1
    return dealt
