"""How long `chainrule train` trains, and with which weight decay: chosen, and told."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from chainrule.lang.messages import Text, _, _n
from chainrule.training import Choice, choose_recipe
from chainrule.training.recipes import folds_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from chainrule.cli.plan import Plan
    from chainrule.training import Recipe

__all__ = ["choose", "chosen", "drawn_up", "tried"]


def drawn_up(
    recipes: Sequence[Recipe], rows: int, batch_size: int, optimizer: str
) -> tuple[Text, ...]:
    """What will be done, in a line or two: 200 epochs of 14 steps, AdamW."""
    steps = _n("{n:,} step", "{n:,} steps", math.ceil(rows / batch_size))
    epochs = [recipe.epochs for recipe in recipes]
    if len(recipes) == 1:
        told = _n("{n:,} epoch", "{n:,} epochs", epochs[0])
        return (
            _("{epochs} of {steps}, {optimizer}", epochs=told, steps=steps, optimizer=optimizer),
        )
    parts = folds_for(recipes, rows, batch_size)
    left_out = (
        _("a fifth of these rows")
        if parts == 1
        else _("{parts} parts of these rows in turn", parts=parts)
    )
    return (
        _(
            "{least} to {most} epochs of {steps}, {optimizer}",
            least=min(epochs),
            most=max(epochs),
            steps=steps,
            optimizer=optimizer,
        ),
        _(
            "{count} recipes (epochs, weight decay) are tried first, leaving out {left_out}",
            count=len(recipes),
            left_out=left_out,
        ),
    )


def choose(
    plan: Plan,
    learned: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    batch_size: int,
    progress: str | None,
) -> Choice:
    """Choose by the training rows alone, and set the optimizer for it."""
    if len(plan.recipes) == 1:
        plan.recipes[0].prepare(plan.trainer.optimizer, len(learned[0]), batch_size)
        return Choice(plan.recipes, (), 0)
    return choose_recipe(plan.trainer, *learned, plan.recipes, batch_size, progress=progress)


def tried(choice: Choice) -> dict[str, Any]:
    """What was tried, as a fact to keep."""
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


def chosen(choice: Choice) -> list[tuple[Text, Text]]:
    """What came out, as a line to show."""
    if not choice.losses:
        return []
    best = _(
        "{epochs}, weight decay {decay:g}: the best of {count} on training rows left out",
        epochs=_n("{n} epoch", "{n} epochs", choice.recipe.epochs),
        decay=choice.recipe.weight_decay,
        count=len(choice.recipes),
    )
    return [(_("recipe"), best)]
