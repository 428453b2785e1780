"""Controls: what of the page a link hides or locks, as `noise_hide=true` and `dropout_lock=true` say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from chainrule.lang.messages import _
from chainrule.playground.settings import Problems, Settings

__all__ = ["CONTROLS", "WORDS", "Controls", "everything", "mind", "read_controls"]

#: By the name of a control: "hidden" or "locked".
Controls = Mapping[str, str]

#: How their names end in a link.
WORDS = {"_hide": "hidden", "_lock": "locked"}


class Control(NamedTuple):
    """What a control of the page does: the settings it changes, the commands it gives."""

    settings: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


#: The first are those that TensorFlow Playground's links can hide, by its names.
CONTROLS: Mapping[str, Control] = {
    "showTestData": Control(),
    "discretize": Control(),
    "playButton": Control(commands=("play",)),
    "stepButton": Control(commands=("step", "back")),
    "resetButton": Control(commands=("reset",)),
    "learningRate": Control(("learning_rate",)),
    "activation": Control(("activations",)),
    "regularization": Control(("l1", "l2")),
    "regularizationRate": Control(("l1", "l2")),
    "problem": Control(),
    "dataset": Control(("data", "points", "target"), ("paint",)),
    "percTrainData": Control(("train_part",)),
    "noise": Control(("noise",)),
    "batchSize": Control(("batch_size",)),
    "numHiddenLayers": Control(("hidden",)),
    "features": Control(("features",)),
    "units": Control(("hidden",)),
    "initialWeights": Control(("init", "weight_seed"), ("new_weights",)),
    "weights": Control(commands=("edit",)),
    "optimizer": Control(("optimizer", "optimizer_numbers")),
    "loss": Control(("loss",)),
    "dropout": Control(("dropout",)),
    "newData": Control(("data_seed",), ("regenerate",)),
    "ownTable": Control(commands=("paste", "upload")),
    "mode": Control(("mode",)),
    "inside": Control(commands=("inside",)),
    "timeLine": Control(commands=("goto",)),
    "runs": Control(commands=("select_run", "drop_run")),
    "export": Control(commands=("export",)),
    "links": Control(commands=("link",)),
}


def read_controls(pairs: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """What the names and values of a link hide and lock; a control that is hidden is locked, too.

    >>> read_controls([("noise_hide", "true"), ("dropout_lock", "true"), ("loss_lock", "false")])
    {'noise': 'hidden', 'dropout': 'locked'}
    """
    found: dict[str, str] = {}
    for key, value in pairs:
        name, word = key[:-5], WORDS.get(key[-5:])
        if word and name in CONTROLS and value == "true" and found.get(name) != "hidden":
            found[name] = word
    return found


def everything(*, but: Iterable[str] = (), hidden: Iterable[str] = ()) -> dict[str, str]:
    """Every control locked, some hidden, and some left as they are."""
    return {name: "hidden" if name in hidden else "locked" for name in CONTROLS if name not in but}


def mind(
    controls: Controls, settings: Settings, command: object, fields: Mapping[str, Any]
) -> None:
    """Refuse a command that a locked or hidden control would give.

    Raises:
        Problems: it is one.
    """
    if not controls:
        return
    given = fields.get("settings") if command == "configure" else None
    changed = set(_changed(settings, given)) if isinstance(given, Mapping) else set()
    for name in controls:
        control = CONTROLS[name]
        if command in control.commands or name in changed:
            raise Problems([_("This is fixed here: whoever made the link has locked it.")])


def _changed(settings: Settings, given: Mapping[str, Any]) -> Iterable[str]:
    """The controls that would make these changes."""
    for field, new in given.items():
        old = getattr(settings, field, None)
        before = list(old) if isinstance(old, tuple) else old
        if new == before:
            continue
        if field == "hidden" and isinstance(new, list) and isinstance(before, list):
            yield "units" if len(new) == len(before) else "numHiddenLayers"
        elif field == "activations" and isinstance(new, list) and isinstance(before, list):
            if any(one != other for one, other in zip(new, before, strict=False)):
                yield "activation"  # a new layer brings its own, which is no choice
        else:
            yield from (name for name, control in CONTROLS.items() if field in control.settings)
