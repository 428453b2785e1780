"""`chainrule train --preset plain`: Affine layers and an activation; epochs and decay are chosen."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from chainrule import optimizers, schedules
from chainrule.cli.interrupt import CtrlC
from chainrule.cli.model_and_data import Facts
from chainrule.cli.train_options import TrainOptions
from chainrule.cli.train_ways import Array, Outcome, Rows, Way, check_memory, layers_and_width
from chainrule.lang.messages import Text, _, _n
from chainrule.layers import MeanSquaredError, SoftmaxWithLoss
from chainrule.networks import Sequential
from chainrule.optimizers import Optimizer
from chainrule.optimizers.base import optimizer_class
from chainrule.training import Choice, EarlyStopping, Recipe, choose_recipe, recipes_for
from chainrule.training.presets import (
    PLAIN,
    PLAIN_HIDDEN,
    PLAIN_SMOOTHING,
    plain_batch_size,
    plain_network,
)
from chainrule.training.recipes import folds_for

__all__ = ["PlainWay", "recipe_options"]

ACTIVATION, OPTIMIZER, SCHEDULE = "relu", "adamw", "cosine"


def recipe_options(options: TrainOptions) -> list[str]:
    """The options that were given and keep the recipe from being chosen."""
    given = {
        "--epochs": options.epochs is not None,
        "--weight-decay": options.weight_decay is not None,
        "--patience": options.patience is not None,
        "--optimizer": options.optimizer not in (None, OPTIMIZER),
    }
    return [option for option, is_given in given.items() if is_given]


class PlainWay(Way):
    """Affine layers with one activation between them, and a recipe chosen by cross-validation."""

    name = PLAIN
    encoding = "standard"

    def _build(self, x: Array) -> None:
        options = self.options
        self.hidden = PLAIN_HIDDEN if options.hidden is None else options.hidden
        self.activation = options.activation or ACTIVATION
        self.optimizer_name = options.optimizer or OPTIMIZER
        smoothing = options.label_smoothing
        self.smoothing = PLAIN_SMOOTHING if smoothing is None else smoothing
        self.lr = options.lr or optimizer_class(self.optimizer_name).first_lr
        self.batch_size = min(options.batch_size or plain_batch_size(self.count), self.count)
        self.recipes = self._recipes()
        self.epochs = max(recipe.epochs for recipe in self.recipes)
        sizes = (x.shape[1], *self.hidden, self.outputs)
        parameters = sum((a + 1) * b for a, b in pairwise(sizes))
        check_memory(self.hidden, parameters * options.ensemble)
        self.networks = [
            self._network(sizes, seed, own.get("dropout", options.dropout or 0.0))
            for own, (seed, _) in zip(self.drawn, self.seeds, strict=True)
        ]

    def _network(self, sizes: tuple[int, ...], seed: int, dropout: float) -> Sequential:
        classes = self.preparation.classes
        return plain_network(
            sizes[0],
            self.hidden,
            self.outputs,
            activation=self.activation,
            dropout=dropout,
            loss=SoftmaxWithLoss(label_smoothing=self.smoothing) if classes else MeanSquaredError(),
            seed=seed,
        )

    def _recipes(self) -> tuple[Recipe, ...]:
        """The recipes to choose from: a single one where an option decides a part of it."""
        options, usual = self.options, recipes_for(self.count, self.batch_size)
        if not recipe_options(options):
            return usual
        decay = options.weight_decay
        if decay is None:
            own = optimizers.default_numbers(optimizer_class(self.optimizer_name))
            decay = usual[0].weight_decay if "weight_decay" in own else 0.0
        return (Recipe(options.epochs or usual[0].epochs, decay),)

    def _optimizers(self) -> list[Optimizer]:
        if not self.options.drawn:
            return [copy.deepcopy(self.trainer.optimizer) for _network in self.networks]
        made = []
        for own in self.drawn:
            optimizer = self._optimizer(own.get("lr"))
            decay = own.get("weight_decay", self.recipe.weight_decay)
            Recipe(self.recipe.epochs, decay).prepare(optimizer, self.trained, self.batch_size)
            made.append(optimizer)
        return made

    def _optimizer(self, lr: float | None = None) -> Optimizer:
        """The optimizer with its schedule, which the recipe makes as long as the training."""
        rate: float | schedules.Schedule = lr or self.lr
        if (self.options.schedule or SCHEDULE) == "cosine":
            rate = schedules.Cosine(rate, steps=1)
        kind: Any = optimizer_class(self.optimizer_name)
        optimizer: Optimizer = kind(rate, l2=self.options.l2 or 0.0)
        return optimizer

    def network_line(self) -> Text:
        """The network in a line: 64 → 128 relu → 10."""
        inputs, outputs, parameters = self.inputs_and_outputs()
        if not self.hidden:
            line = _(
                "{inputs} → {outputs}; {parameters}",
                inputs=inputs,
                outputs=outputs,
                parameters=parameters,
            )
        else:
            line = _(
                "{inputs} → {hidden} → {outputs}; {parameters}",
                inputs=inputs,
                hidden=" → ".join(f"{size} {self.activation}" for size in self.hidden),
                outputs=outputs,
                parameters=parameters,
            )
        return line

    def training_lines(self) -> Sequence[Text]:
        """The training in a line or two: 200 epochs of 14 steps, AdamW."""
        optimizer = type(self.trainer.optimizer).__name__
        if len(self.recipes) == 1:
            return (self.epochs_and_steps(optimizer),)
        parts = folds_for(self.recipes, self.count, self.batch_size)
        left_out = (
            _("a fifth of these rows")
            if parts == 1
            else _("{parts} parts of these rows in turn", parts=parts)
        )
        epochs = [recipe.epochs for recipe in self.recipes]
        return (
            _(
                "{least} to {most} epochs of {steps}, {optimizer}",
                least=min(epochs),
                most=max(epochs),
                steps=_n("{n:,} step", "{n:,} steps", math.ceil(self.count / self.batch_size)),
                optimizer=optimizer,
            ),
            _(
                "{count} recipes (epochs, weight decay) are tried first, leaving out {left_out}",
                count=len(self.recipes),
                left_out=left_out,
            ),
        )

    @property
    def least_steps(self) -> int:
        """How many updates the shortest recipe makes."""
        return self.steps_of_epoch * min(recipe.epochs for recipe in self.recipes)

    def values(self) -> dict[str, Any]:
        """The settings, by the names of their ranges; epochs and decay are those of the first recipe."""
        return {
            **layers_and_width(self.hidden),
            "lr": self.lr,
            "dropout": self.options.dropout or 0.0,
            "weight_decay": self.recipes[0].weight_decay,
            "label_smoothing": self.smoothing,
            "epochs": self.recipes[0].epochs,
        }

    def facts(self) -> Facts:
        """How training is set up."""
        return {
            "preset": PLAIN,
            "ensemble": self.options.ensemble,
            "hidden": list(self.hidden),
            "activation": self.activation,
            "optimizer": self.optimizer_name,
            "lr": self.lr,
            "schedule": self.options.schedule or SCHEDULE,
            "l2": self.options.l2 or 0.0,
            "batch_size": self.batch_size,
            "dropout": self.options.dropout or 0.0,
            "label_smoothing": self.smoothing if self.preparation.classes else None,
            "seed": self.options.seed,
        }

    def train(
        self, rows: Rows, validation: Rows | None, progress: str | None, ctrl_c: CtrlC
    ) -> Outcome:
        """Choose a recipe by the training rows alone, and train with it."""
        trainer = self.trainer
        if len(self.recipes) == 1:
            self.recipes[0].prepare(trainer.optimizer, self.count, self.batch_size)
            choice = Choice(self.recipes, (), 0)
        else:
            choice = choose_recipe(trainer, *rows, self.recipes, self.batch_size, progress=progress)
        self.recipe = choice.recipe
        patience = self.options.patience
        stopping = None if patience is None else EarlyStopping(patience=patience)
        history = self.fit(rows, validation, choice.recipe.epochs, stopping, progress, ctrl_c)
        facts = {
            "weight_decay": choice.recipe.weight_decay,
            **_tried(choice),
            **(self.chosen.facts if self.chosen else {}),
        }
        lines = (*_recipe_line(choice), *((self.chosen.line,) if self.chosen else ()))
        return Outcome(history, choice.recipe.epochs, lines, facts)


def _tried(choice: Choice) -> Facts:
    """The recipes that were tried, as facts to keep."""
    if not choice.losses:
        return {}
    pairs = zip(choice.recipes, choice.losses, strict=True)
    return {
        "tried": [
            {
                "epochs": recipe.tried.epochs,
                "weight_decay": recipe.weight_decay,
                "loss": loss if math.isfinite(loss) else None,
            }
            for recipe, loss in pairs
        ],
        "folds": choice.folds,
    }


def _recipe_line(choice: Choice) -> tuple[tuple[Text, Text], ...]:
    """The recipe that was chosen, as a line to show."""
    if not choice.losses:
        return ()
    best = _(
        "{epochs}, weight decay {decay:g}: the best of {count} on training rows left out",
        epochs=_n("{n} epoch", "{n} epochs", choice.recipe.epochs),
        decay=choice.recipe.weight_decay,
        count=len(choice.recipes),
    )
    return ((_("recipe"), best),)
