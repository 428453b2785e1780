"""`chainrule train --playground`: what a TensorFlow Playground link describes, trained as there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from chainrule.cli.terminal import json_out, number_of, paint, remark, rows, say

if TYPE_CHECKING:
    from chainrule.playground.compatible import Compatible, Link

__all__ = ["refuse_others", "train_link"]

#: What may stand beside --playground.
_BESIDE = ("playground", "epochs", "as_json", "quiet")
_EPOCHS = 100


def refuse_others(ctx: click.Context) -> None:
    """An error for DATA, and for options that have no say in what a link describes."""
    given = [
        param.opts[-1] if isinstance(param, click.Option) else param.make_metavar(ctx)
        for param in ctx.command.params
        if ctx.get_parameter_source(param.name or "") == ParameterSource.COMMANDLINE
        and param.name not in _BESIDE
    ]
    if given:
        raise click.UsageError(
            f"--playground takes data, network and settings from the link, so {', '.join(given)} cannot"
            " be given with it; only --epochs, --json and --quiet can."
        )


def train_link(text: str, epochs: int | None, *, as_json: bool, quiet: bool) -> None:
    """Train for some epochs, and tell the losses."""
    from chainrule.playground.compatible import Compatible, Link

    model = Compatible(Link.parse(text))
    for sentence in Link.passed_over(text):
        remark(f"{sentence} It is passed over, as on the page.")
    epochs = _EPOCHS if epochs is None else epochs
    if as_json:
        model.advance(epochs)
        train, test = model.losses()
        link = f"#{model.link}"
        json_out({"epoch": epochs, "train_loss": train, "test_loss": test, "link": link})
    elif quiet:
        model.advance(epochs)
    else:
        _tell(model, epochs)


def _tell(model: Compatible, epochs: int) -> None:
    """The plan, the losses at more and more distant epochs, and the link in full."""
    rows([*_plan(model), ("training", f"{number_of(epochs, 'epoch')}, {_steps(model.link)}")])
    say()
    say(paint(f"  {'epoch':>9}  {'train loss':>12}  {'test loss':>12}", "dim"))
    for epoch in _told_epochs(epochs):
        model.advance(epoch - model.epoch)
        train, test = model.losses()
        say(f"  {epoch:>9,}  {train:>12.9f}  {test:>12.9f}")
    say()
    rows([("link", f"#{model.link}")])


def _plan(model: Compatible) -> list[tuple[str, str]]:
    """Data and network in a line each."""
    link = model.link
    noise = f", noise {link.noise:g} %" if link.noise else ""
    data = (
        f"{link.data}{noise}; {len(model.train[0])} points to train, {len(model.test[0])} to test"
    )
    hidden = [f"{size} {link.activation}" for size in link.sizes[1:-1]]
    output = "1 tanh output" if link.problem == "classification" else "1 linear output"
    return [
        ("data", data),
        ("network", " → ".join([", ".join(link.features), *hidden, output])),
    ]


def _steps(link: Link) -> str:
    """How a step is taken, in words."""
    penalty = f", {link.regularization} {link.regularization_rate:g}"
    return f"batches of {int(link.batch_size)}, learning rate {link.learning_rate:g}" + (
        "" if link.regularization == "none" else penalty
    )


def _told_epochs(epochs: int) -> list[int]:
    """The epochs whose losses are told: 0, 1, 2, 5, 10, 20, 50 and so on, and the last.

    >>> _told_epochs(30)
    [0, 1, 2, 5, 10, 20, 30]
    """
    steps = (k * 10**power for power in range(7) for k in (1, 2, 5))
    return [0, *(step for step in steps if step < epochs), *([epochs] if epochs else [])]
