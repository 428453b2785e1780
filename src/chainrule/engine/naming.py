"""What the values of a network are called in generated text: W1, b1, hidden, scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from chainrule.engine.protocols import RecordableNetwork
from chainrule.graph.variable import Parameter, Variable

__all__ = ["output_names", "parameter_names"]


def parameter_names(network: RecordableNetwork) -> dict[Parameter, str]:
    """Parameters as W1, b1, W2, gamma: numbered by their layer where several have one name.

    The names that the network's graph gives them.
    """
    parameters = network.named_parameters()
    split = [_parted(path) for path in parameters]
    several = Counter(stem for _, stem in split)
    layers = list(dict.fromkeys(layer for layer, _ in split))
    return {
        p: stem if several[stem] == 1 else f"{stem}{layers.index(layer) + 1}"
        for p, (layer, stem) in zip(parameters.values(), split, strict=True)
    }


def _parted(path: str) -> tuple[str, str]:
    """The layer and the name of a parameter in it; one in a list is called by the list, too."""
    layer, _, name = path.rpartition(".")
    return (layer, name) if name.isidentifier() else ("", path.replace(".", "_"))


def output_names(
    network: RecordableNetwork, outputs: Iterable[tuple[Any, Variable]]
) -> dict[Variable, str]:
    """The outputs of layers by name: hidden1, hidden2, and scores or y at the end."""
    loss = getattr(network.loss, "target", "values")
    found: dict[Variable, str] = {}
    groups: list[list[Variable]] = []
    for layer, v in outputs:
        if layer is network.loss:
            continue
        if (
            layer._parameters
            and layer.parameters
            and any(p.ndim >= 2 for p in layer._parameters.values())
        ):
            groups.append([])
        if not groups:
            groups.append([])
        groups[-1].append(v)
    for stage, group in enumerate(groups):
        final = stage == len(groups) - 1
        number = "" if len(groups) == 2 else str(stage + 1)
        last = ("scores" if loss in ("classes", "binary") else "y") if final else f"hidden{number}"
        for i, v in enumerate(group):
            name = last if i == len(group) - 1 else f"z{stage + 1}" if i == 0 else f"h{stage + 1}"
            found[v] = name
    return found
