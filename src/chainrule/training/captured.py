"""The state of a training as plain values: captured for a checkpoint, and put back into a new process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.layers import Dropout
from chainrule.networks import Network
from chainrule.optimizers import Optimizer
from chainrule.schedules import Schedule
from chainrule.storage.plain_values import is_plain
from chainrule.training.callbacks import Callback
from chainrule.training.history import History
from chainrule.training.state import Training, parameter_arrays

__all__ = ["capture", "named_callbacks", "put_back"]

Array = npt.NDArray[Any]
#: What an optimizer has besides its numbers: its state is looked at apart, the rest is remade.
_APART = frozenset(vars(Optimizer(0.1))) - {"l1", "l2", "weight_decay", "clip_value", "clip_norm"}


def capture(training: Training) -> dict[str, Any]:
    """The state of a training between two steps, as plain values: everything that later steps go by.

    Arrays are those of the training themselves, to be written before the next step.
    """
    model, history = training.model, training.history
    state: dict[str, Any] = {
        "parameters": _parameters(model),
        "optimizer": _optimizer_state(training),
        "generator": training.rng.bit_generator.state,
        "epoch": training.current_epoch,
        "history": {"epochs": history.epochs, "losses": history.losses},
    }
    if isinstance(model, Network):
        state["buffers"] = model.named_buffers()
        state["mask_seeds"] = {path: d.mask_seed for path, d in _dropouts(model)}
    return state


def put_back(training: Training, state: Mapping[str, Any]) -> None:
    """Give a training the state that `capture` found; parameters keep their places in memory.

    Its network and optimizer have to be of the kinds that they were.
    """
    model, optimizer = training.model, training.optimizer
    for name, array in _parameters(model).items():
        array[...] = state["parameters"][name]
    if isinstance(model, Network):
        for name, array in model.named_buffers().items():
            array[...] = state["buffers"][name]
        for path, dropout in _dropouts(model):
            if dropout.mask_seed != state["mask_seeds"][path]:
                dropout.mask_seed = state["mask_seeds"][path]
    kept = state["optimizer"]
    _set_numbers(optimizer, kept["numbers"])
    if isinstance(optimizer, Optimizer):
        optimizer.iter = kept["updates"]
        _set_numbers(optimizer.schedule, kept["schedule"])
        slots = kept["slots"]
        optimizer._put_slots(parameter_arrays(model), [list(slots[n]) for n in _parameters(model)])
    training.rng.bit_generator.state = state["generator"]
    training.current_epoch = state["epoch"]
    history = History()
    history.epochs = [dict(epoch) for epoch in state["history"]["epochs"]]
    losses = np.asarray(state["history"]["losses"])
    history.reserve(len(losses))
    history.add_steps(losses)
    vars(training.history).update(vars(history))


def named_callbacks(callbacks: Iterable[Callback]) -> dict[str, Callback]:
    """Callbacks by a name each, such as `EarlyStopping.0`, by which their state is kept."""
    counts = Counter[str]()
    named = {}
    for callback in callbacks:
        kind = type(callback).__name__
        named[f"{kind}.{counts[kind]}"] = callback
        counts[kind] += 1
    return named


def _parameters(model: Any) -> dict[str, Array]:
    if isinstance(model, Network):
        return {name: p.data for name, p in model.named_parameters().items()}
    return {f"params.{i}": p for i, p in enumerate(parameter_arrays(model))}


def _dropouts(network: Network) -> list[tuple[str, Dropout]]:
    return [(path, layer) for path, layer in network.named_layers() if isinstance(layer, Dropout)]


def _optimizer_state(training: Training) -> dict[str, Any]:
    optimizer = training.optimizer
    if not isinstance(optimizer, Optimizer):  # one of the user's own: what it has of plain values
        return {"numbers": _numbers(optimizer)}
    slots = optimizer._slots_of(parameter_arrays(training.model))
    return {
        "updates": optimizer.iter,
        "numbers": _numbers(optimizer, _APART),
        "schedule": _numbers(optimizer.schedule),
        "slots": dict(zip(_parameters(training.model), slots, strict=True)),
    }


def _numbers(owner: object, apart: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The attributes of an object that are plain values, and those of schedules inside it."""
    found: dict[str, Any] = {}
    for name, value in getattr(owner, "__dict__", {}).items():
        if name in apart:
            continue
        if isinstance(value, Schedule):
            found[name] = {"schedule": _numbers(value)}
        elif is_plain(value):
            found[name] = {"value": value}
    return found


def _set_numbers(owner: object, numbers: Mapping[str, Any]) -> None:
    for name, kept in numbers.items():
        if "schedule" in kept:
            _set_numbers(getattr(owner, name), kept["schedule"])
        elif getattr(owner, name, None) is not kept["value"]:
            setattr(owner, name, kept["value"])
