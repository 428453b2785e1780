"""The names of a network's values in generated code: W1, b1, hidden, scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from chainrule.engine.protocols import RecordableNetwork
from chainrule.graph.variable import Parameter, Variable

__all__ = ["output_names", "parameter_names"]


def parameter_names(network: RecordableNetwork) -> dict[Parameter, str]:
    """Parameters as W1, b1, W2, gamma: numbered by their layer if several have the same name.

    The network's graph uses the same names.
    """
    parameters = network.named_parameters()
    split = [_split(path) for path in parameters]
    counts = Counter(stem for _, stem in split)
    layers = list(dict.fromkeys(layer for layer, _ in split))
    return {
        p: stem if counts[stem] == 1 else f"{stem}{layers.index(layer) + 1}"
        for p, (layer, stem) in zip(parameters.values(), split, strict=True)
    }


def _split(path: str) -> tuple[str, str]:
    """A parameter's path as layer and name; the name of one in a list includes the list's."""
    layer, _, name = path.rpartition(".")
    return (layer, name) if name.isidentifier() else ("", path.replace(".", "_"))


def output_names(
    network: RecordableNetwork, outputs: Iterable[tuple[Any, Variable]]
) -> dict[Variable, str]:
    """The outputs of layers by name: hidden1, hidden2, and scores or y at the end."""
    loss = getattr(network.loss, "target", "values")
    names: dict[Variable, str] = {}
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
            names[v] = name
    return names
