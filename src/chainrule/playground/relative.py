"""Commands that say a change and no total: of several fast clicks, each counts, however slow the machine."""

from __future__ import annotations

from chainrule.errors import shown
from chainrule.lang.messages import _
from chainrule.playground.configuring import configure
from chainrule.playground.settings import Problems, whole
from chainrule.playground.workspace import Workspace

__all__ = ["activate", "add_layers", "resize", "use"]

#: The units of a hidden layer that is added.
NEW_UNITS = 2
#: No click asks for more at once.
MOST = 100


def resize(workspace: Workspace, layer: object = None, by: object = None) -> None:
    """Give a hidden layer, counted from 1, so many units more, as far as it may grow or shrink."""
    hidden = list(workspace.run.settings.hidden)
    k = _layer(workspace, layer)
    units = hidden[k] + whole(-MOST, MOST)(by, "by")
    hidden[k] = min(max(units, 1), workspace.caps.units)
    configure(workspace, {"hidden": hidden})


def add_layers(workspace: Workspace, by: object = None) -> None:
    """Add so many hidden layers at the end, or take them away, as far as that can be done."""
    settings = workspace.run.settings
    hidden, activations = list(settings.hidden), list(settings.activations)
    wanted = len(hidden) + whole(-MOST, MOST)(by, "by")
    wanted = min(max(wanted, 0), workspace.caps.layers)
    last = activations[-1] if activations else "tanh"
    more = wanted - len(hidden)
    hidden = [*hidden, *[NEW_UNITS] * more][:wanted]
    activations = [*activations, *[last] * more][:wanted]
    configure(workspace, {"hidden": hidden, "activations": activations})


def activate(workspace: Workspace, layer: object = None, activation: object = None) -> None:
    """Change the activation of one hidden layer, counted from 1."""
    activations: list[object] = list(workspace.run.settings.activations)
    activations[_layer(workspace, layer)] = activation
    configure(workspace, {"activations": activations})


def use(workspace: Workspace, feature: object = None, on: object = None) -> None:
    """Take one more input, or one less; they keep the order of the data."""
    run = workspace.run
    if not isinstance(feature, str) or not isinstance(on, bool):
        raise Problems(
            [
                _(
                    "use needs feature, a text, and on, true or false. Got {value}.",
                    value=shown([feature, on]),
                )
            ]
        )
    used = run.settings.features
    if on and feature not in used:
        known = [name for name in run.data.names if name in used or name == feature]
        configure(workspace, {"features": known if feature in known else [*known, feature]})
    elif not on:
        configure(workspace, {"features": [name for name in used if name != feature]})


def _layer(workspace: Workspace, layer: object) -> int:
    """The index of a hidden layer that there is."""
    count = len(workspace.run.settings.hidden)
    if not count:
        raise Problems([_("There is no hidden layer.")])
    return whole(1, count)(layer, "layer") - 1
