"""`chainrule train --playground`: what a TensorFlow Playground link describes, trained as there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from chainrule.cli.terminal import json_out, paint, remark, rows, say, spoken
from chainrule.lang.messages import Text, _, _n, listed, sentences
from chainrule.text_width import to_the_right

if TYPE_CHECKING:
    from chainrule.playground.compatible import Compatible, Link

__all__ = ["refuse_others", "train_link"]

#: What may stand beside --playground.
_BESIDE = ("playground", "epochs", "as_json", "quiet", "lang")
_EPOCHS = 100


def refuse_others(ctx: click.Context) -> None:
    """Raise if DATA, or an option that the link decides, is given too."""
    given = [
        param.opts[-1] if isinstance(param, click.Option) else param.make_metavar(ctx)
        for param in ctx.command.params
        if ctx.get_parameter_source(param.name or "") == ParameterSource.COMMANDLINE
        and param.name not in _BESIDE
    ]
    if given:
        raise click.UsageError(
            _(
                "--playground takes data, network and settings from the link, so {given} cannot be given"
                " with it; only --epochs, --json, --quiet and --lang can.",
                given=listed(given),
            )
        )


def train_link(text: str, epochs: int | None, *, as_json: bool, quiet: bool) -> None:
    """Train for some epochs, and print the losses."""
    from chainrule.playground.compatible import Compatible, Link

    model = Compatible(Link.parse(text))
    for sentence in Link.passed_over(text):
        remark(sentences(sentence, _("It is passed over, as on the page.")))
    epochs = _EPOCHS if epochs is None else epochs
    if as_json:
        model.advance(epochs)
        train, test = model.losses()
        link = f"#{model.link}"
        json_out({"epoch": epochs, "train_loss": train, "test_loss": test, "link": link})
    elif quiet:
        model.advance(epochs)
    else:
        _train_and_print(model, epochs)


def _train_and_print(model: Compatible, epochs: int) -> None:
    """Print the plan, the losses at some epochs on the way, and the link in full."""
    count = _n("{n:,} epoch", "{n:,} epochs", epochs)
    told = _("{epochs}, {steps}", epochs=count, steps=_steps(model.link))
    rows([*_plan(model), (_("training"), told)])
    say()
    heads = ((_("epoch"), 9), (_("train loss"), 12), (_("test loss"), 12))
    line = "".join(f"  {to_the_right(spoken(head), cells)}" for head, cells in heads)
    say(paint(line, "dim"))
    for epoch in _printed_epochs(epochs):
        model.advance(epoch - model.epoch)
        train, test = model.losses()
        say(f"  {epoch:>9,}  {train:>12.9f}  {test:>12.9f}")
    say()
    rows([(_("link"), f"#{model.link}")])


def _plan(model: Compatible) -> list[tuple[str, str]]:
    """Data and network in a line each."""
    link = model.link
    name: str = link.data
    if link.noise:
        name = _("{data}, noise {noise:g} %", data=name, noise=link.noise)
    data = _(
        "{data}; {train} points to train, {test} to test",
        data=name,
        train=len(model.train[0]),
        test=len(model.test[0]),
    )
    hidden = [f"{size} {link.activation}" for size in link.sizes[1:-1]]
    classes = link.problem == "classification"
    output = _("1 tanh output") if classes else _("1 linear output")
    parts = [", ".join(link.features), *hidden, spoken(output)]
    return [(_("data"), data), (_("network"), " → ".join(parts))]


def _steps(link: Link) -> Text:
    """Batch size, learning rate and penalty, in words."""
    told = _(
        "batches of {size}, learning rate {lr:g}", size=int(link.batch_size), lr=link.learning_rate
    )
    if link.regularization == "none":
        return told
    return _(
        "{steps}, {penalty} {rate:g}",
        steps=told,
        penalty=link.regularization,
        rate=link.regularization_rate,
    )


def _printed_epochs(epochs: int) -> list[int]:
    """The epochs whose losses are printed: 0, 1, 2, 5, 10, 20, 50 and so on, and the last.

    >>> _printed_epochs(30)
    [0, 1, 2, 5, 10, 20, 30]
    """
    steps = (k * 10**power for power in range(7) for k in (1, 2, 5))
    return [0, *(step for step in steps if step < epochs), *([epochs] if epochs else [])]
