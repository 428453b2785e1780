"""What two sides of a comparison are: model files, checkpoints, and folders with checkpoints, read alike."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from chainrule import optimizers
from chainrule.comparing.numbers import TensorName
from chainrule.errors import DataError, FormatError, shown
from chainrule.files.baselines import arrays_of
from chainrule.files.model import load_model
from chainrule.lang.messages import Text, _, sentences
from chainrule.storage.checkpoint import FORMAT, Checkpoint, read_checkpoint
from chainrule.storage.container import unpack
from chainrule.storage.folder import CheckpointFolder, trainings_in
from chainrule.storage.reading import read_bytes
from chainrule.training.checkpoints import NETWORKS
from chainrule.training.digests import digest
from chainrule.training.run_settings import model_settings
from chainrule.training.state import Training

__all__ = ["CheckpointSide", "ModelSide", "RunSide", "Side", "State", "sides"]

Array = npt.NDArray[Any]
#: What is no part of the state that later steps go by, or is compared by itself.
APART = frozenset(
    (
        *("parameters", "buffers", "optimizer", "generator", "history"),
        *("engine", "threads", "first", "ended"),
    )
)
#: The kinds of values that `leaves` looks for in a list.
INSIDE = (dict, list, np.ndarray)
#: The settings that are a part of the state: with other ones the same arrays mean something else.
WHAT = ("network", "loss")
#: Columns of a history that no two runs have in common.
TIMES = frozenset(("seconds",))
#: Facts of a model file that come of its bits, and are no cause of them.
RESULTS = ("held_out.", "training.stopped")


@dataclass(frozen=True)
class State:
    """A training at one step: its arrays in the network's order, and the rest as plain values."""

    tensors: Mapping[TensorName, Array]
    rest: Mapping[str, Any]


@dataclass
class ModelSide:
    """A model file."""

    path: str
    kind = "model"
    steps: tuple[int, ...] = ()
    losses: Array | None = None
    notes: list[Text] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._model = load_model(self.path)

    @property
    def settings(self) -> dict[str, Any]:
        """What the training went by, as far as the file says."""
        facts = leaves(self._model.facts)
        return {k.removeprefix("training."): v for k, v in facts if not k.startswith(RESULTS)}

    def state(self, step: int | None) -> State:
        """Its network, the preparation of its data, and its baselines."""
        model = self._model
        network = model.network
        tensors = {
            TensorName("parameter", name): p.data for name, p in network.named_parameters().items()
        }
        tensors |= {TensorName("buffer", name): a for name, a in network.named_buffers().items()}
        tensors |= {
            TensorName("baseline", name): a
            for name, a in arrays_of(model.baselines, model.preparation).items()
        }
        rest = _what(model_settings(Training(network, None, np.random.default_rng(0))))
        if model.preparation is not None:
            rest |= leaves(model.preparation.to_json(), "preparation")
        return State(tensors, rest)


class _Read(NamedTuple):
    """A checkpoint, as far as it is compared."""

    step: int
    settings: dict[str, Any]
    losses: Array
    state: State


@dataclass
class CheckpointSide:
    """One checkpoint, or one of the networks in it."""

    path: str
    one: Checkpoint | None = None
    kind = "checkpoint"
    notes: list[Text] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._read = _read(self.path, self.one)
        self.steps: tuple[int, ...] = (self._read.step,)
        self.settings, self.losses = self._read.settings, self._read.losses

    def state(self, step: int | None) -> State:
        """Its state."""
        return self._read.state


@dataclass
class RunSide:
    """A folder with the checkpoints of a training."""

    path: str
    kind = "run"
    notes: list[Text] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._files: dict[int, str] = {}
        newest: _Read | None = None
        for path in reversed(CheckpointFolder(self.path).files()):
            newest = newest or self._whole(path)
            if newest is not None:
                self._files[int(re.findall("[0-9]+", os.path.basename(path))[0])] = path
        if newest is None:
            raise FormatError(
                sentences(
                    _("{folder} has no checkpoint that can be read.", folder=self.path), *self.notes
                )
            )
        self._newest = newest
        self.steps = tuple(sorted(self._files))
        self.settings, self.losses = newest.settings, newest.losses

    def state(self, step: int | None) -> State | None:
        """The state after a step, by default the latest; None if that checkpoint is damaged."""
        if step is None or step == self._newest.step:
            return self._newest.state
        read = self._whole(self._files[step])
        return None if read is None else read.state

    def _whole(self, path: str) -> _Read | None:
        """A checkpoint; None with a note if it is damaged."""
        try:
            return _read(path)
        except (FormatError, DataError) as error:
            self.notes.append(error.args[0])
            return None


Side = ModelSide | CheckpointSide | RunSide


def sides(path: str) -> dict[str, Side]:
    """The trainings that a path stands for, by name; a file and a plain folder have one, without a name.

    Raises:
        DataError: no such file, or a folder without checkpoints.
        FormatError: neither a model file of chainrule's nor a checkpoint; or damaged.
    """
    if os.path.isdir(path):
        found: dict[str, Side] = {}
        for name, place in trainings_in(path):
            newest = CheckpointFolder(place).newest()
            if newest is not None and NETWORKS in newest.state:
                found |= _networks(newest, name)
            else:
                found[name] = RunSide(place)
        if not found:
            raise DataError(
                _(
                    "{folder} is a folder without checkpoints. Name a folder that a training keeps"
                    " them in (--checkpoint), a checkpoint, or a model file.",
                    folder=path,
                )
            )
        return found
    if unpack(read_bytes(path), path).description.get("format") == FORMAT:
        read = read_checkpoint(path)
        return _networks(read, "") if NETWORKS in read.state else {"": CheckpointSide(path)}
    return {"": ModelSide(path)}


def _networks(checkpoint: Checkpoint, name: str) -> dict[str, Side]:
    """The networks of a checkpoint of `fit_many`, each as a training."""
    found: dict[str, Side] = {}
    settings = dict(checkpoint.settings)
    for i, own in enumerate(settings.pop(NETWORKS)):
        state = checkpoint.state[NETWORKS][i]
        step = len(state["history"]["losses"])
        one = replace(checkpoint, step=step, settings={**settings, **own}, state=state)
        label = f"{NETWORKS}[{i}]"
        found[f"{name}/{label}" if name else label] = CheckpointSide(checkpoint.path, one)
    return found


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The plain values inside dicts and lists, by their places; a list of plain values is one itself."""
    inside: Iterable[tuple[Any, Any]]
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list | tuple) and any(isinstance(v, INSIDE) for v in value):
        inside = enumerate(value)
    else:
        yield name, value
        return
    for key, each in inside:
        yield from leaves(each, f"{name}.{key}" if name else str(key))


def _read(path: str, one: Checkpoint | None = None) -> _Read:
    """Read a checkpoint, unless it is given.

    Raises:
        FormatError: it is damaged, or is not what a training writes.
    """
    checkpoint = one or read_checkpoint(path)
    try:
        losses = np.asarray(checkpoint.state["history"]["losses"], dtype=np.float64)
        return _Read(checkpoint.step, _settings(checkpoint), losses.reshape(-1), _state(checkpoint))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(
            sentences(
                _(
                    "{where}: the description of the training is not what it should be ({why}).",
                    where=path,
                    why=shown(str(error)),
                ),
                _("Take another checkpoint of the folder."),
            )
        ) from None


def _settings(checkpoint: Checkpoint) -> dict[str, Any]:
    """What the training goes by, the versions that it was written with, and what it began with."""
    state = checkpoint.state
    return {
        **{name: value for name, value in checkpoint.settings.items() if name not in WHAT},
        "engine": state["engine"],
        "threads": state["threads"],
        "generator": digest(state["first"]["generator"]),
        **checkpoint.versions,
    }


def _what(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Network and loss, without the shapes of the arrays, which are compared themselves."""
    return {name: str(settings.get(name, "")).partition("; ")[0] for name in WHAT}


def _state(checkpoint: Checkpoint) -> State:
    state, optimizer = checkpoint.state, dict(checkpoint.state["optimizer"])
    tensors = {TensorName("parameter", name): a for name, a in state["parameters"].items()}
    tensors |= {TensorName("buffer", name): a for name, a in state.get("buffers", {}).items()}
    names = _slot_names(str(checkpoint.settings.get("optimizer", "")))
    for parameter, group in optimizer.pop("slots", {}).items():
        for i, slot in enumerate(group):
            called = names[i] if i < len(names) else str(i)
            tensors[TensorName("slot", parameter, called)] = slot
    rest: dict[str, Any] = {**_what(checkpoint.settings), "generator": state["generator"]}
    others = {name: value for name, value in state.items() if name not in APART}
    for place, value in leaves({"optimizer": optimizer, **others}):
        name = place.removesuffix(".value")
        if isinstance(value, np.ndarray):
            kind, _dot, rest_of_name = name.partition(".")
            tensors[TensorName(kind.removesuffix("s"), rest_of_name)] = value
        elif name.rpartition(".")[2] not in TIMES:
            rest[name] = value
    for i, epoch in enumerate(state["history"]["epochs"]):
        rest |= {f"history.{k}.{i + 1}": v for k, v in epoch.items() if k not in TIMES}
    return State(tensors, rest)


def _slot_names(optimizer: str) -> tuple[str, ...]:
    """What the optimizer of this text calls its slots, if it is one of chainrule's."""
    kind = getattr(optimizers, optimizer.partition("(")[0], None)
    return tuple(getattr(kind, "slots", ()))
