"""Settings: all that decides a run, checked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from chainrule.errors import ChainruleError, SettingError, nearest, shown
from chainrule.lang.messages import Spelled, Text, _, _n, _p, listed, sentences
from chainrule.layers.initial import NAMED
from chainrule.optimizers import OPTIMIZERS, default_numbers
from chainrule.playground.caps import Caps

__all__ = [
    "ACTIVATIONS",
    "DATA_FIELDS",
    "DATA_SETS",
    "FEATURES",
    "INITS",
    "LIVE",
    "LOSSES",
    "Problems",
    "Settings",
    "Values",
    "sentences_of",
]

DATA_SETS = (
    *("circle", "xor", "gauss", "spiral", "plane", "gaussian"),
    *("book_spiral", "digits", "own", "painted"),
)
#: What a network can be given of a point of the plane.
FEATURES = ("x", "y", "x2", "y2", "xy", "sinx", "siny")
ACTIVATIONS = ("tanh", "relu", "sigmoid", "linear", "leaky_relu", "gelu")
INITS = tuple(NAMED)
#: The first weights of compatible mode: between -0.5 and 0.5, biases 0.1.
REFERENCE = "reference"
LOSSES = ("squared", "softmax")
#: What TensorFlow Playground has of these.
COMPATIBLE_DATA = DATA_SETS[:6]
COMPATIBLE_ACTIVATIONS = {"tanh", "relu", "sigmoid", "linear"}
#: What changes while a run goes on.
LIVE = (*("optimizer", "optimizer_numbers", "learning_rate", "l1", "l2", "dropout", "batch_size"),)
#: What decides the data.
DATA_FIELDS = ("mode", "data", "noise", "train_part", "data_seed", "target", "points")
MOST_SEED = 2**31 - 1
#: Values of fields by name.
Values: TypeAlias = dict[str, Any]
#: So many classes can be painted.
MOST_CLASSES = 8


class Problems(SettingError):  # noqa: N818 - each of them is a sentence
    """What is wrong with a command; `problems` has a sentence for each thing."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__(sentences(*self.problems))


def sentences_of(error: Exception) -> list[str]:
    """What an error says, each sentence of `Problems` by itself."""
    if isinstance(error, Problems):
        return error.problems
    return [error.args[0] if isinstance(error, ChainruleError) else str(error)]


@dataclass(frozen=True)
class Settings:
    """All that decides a run. `changed` gives other settings, checked.

    >>> Settings().changed({"hidden": [3], "noise": 0.1}, Caps()).activations
    ('tanh',)
    >>> Settings().changed({"noise": 2}, Caps())
    Traceback (most recent call last):
    ...
    chainrule.playground.settings.Problems: noise must be a number from 0 to 0.8. Got 2.
    """

    mode: str = "teaching"
    data: str = "circle"
    noise: float = 0.0
    train_part: float = 0.5
    data_seed: int | str = 0
    target: str | None = None
    #: Painted by hand: x, y and the number of a class.
    points: tuple[tuple[float, float, int], ...] = ()
    features: tuple[str, ...] = ("x", "y")
    hidden: tuple[int, ...] = (4, 2)
    activations: tuple[str, ...] = ("tanh", "tanh")
    init: str = "xavier"
    weight_seed: int = 0
    loss: str = "squared"
    optimizer: str = "SGD"
    optimizer_numbers: Mapping[str, float] = field(default_factory=dict)
    learning_rate: float = 0.03
    l1: float = 0.0
    l2: float = 0.0
    dropout: float = 0.0
    batch_size: int = 10

    def __post_init__(self) -> None:
        numbers = default_numbers(OPTIMIZERS[self.optimizer]) | dict(self.optimizer_numbers)
        object.__setattr__(self, "optimizer_numbers", numbers)

    def as_dict(self) -> Values:
        """Every field, as JSON has it."""
        return {
            f.name: list(value) if isinstance(value, tuple) else value
            for f in dataclasses.fields(self)
            for value in [getattr(self, f.name)]
        }

    def changed(self, changes: Mapping[str, object], caps: Caps) -> Settings:
        """These settings with some changed; what has to follow from a change follows.

        Activations keep up with the hidden layers, and another optimizer begins with its own
        numbers.

        Raises:
            Problems: fields that are unknown or out of range, a sentence for each.
        """
        checks, problems = _checks(caps), list[str]()
        values: Values = {}
        for name, value in changes.items():
            if name not in checks:
                problems.append(
                    _(
                        "There is no setting {name}; {nearest}.",
                        name=shown(name),
                        nearest=nearest(name, checks),
                    )
                )
                continue
            try:
                values[name] = checks[name](value, _called(name))
            except SettingError as error:
                problems += sentences_of(error)
        if problems:
            raise Problems(problems)
        if "hidden" in values and "activations" not in values:
            n = len(values["hidden"])
            last = self.activations[-1:] or ("tanh",)
            values["activations"] = (self.activations + last * n)[:n]
        given = values.get("optimizer_numbers", {})
        same = values.get("optimizer", self.optimizer) == self.optimizer
        values["optimizer_numbers"] = {**self.optimizer_numbers, **given} if same else given
        new = dataclasses.replace(self, **values)
        if "mode" in values and values["mode"] != self.mode:
            new = new._translated(values)
        new._agree()
        return new

    def _translated(self, asked: Container[str]) -> Settings:
        """These settings after a change of mode, with what the new mode needs."""
        if self.mode == "teaching":
            first: Values = {"init": "xavier", "data_seed": 0, "weight_seed": 0}
        else:
            ordered = tuple(name for name in FEATURES if name in self.features)
            first = {"init": REFERENCE, "data_seed": "0", "weight_seed": 0, "features": ordered}
        return dataclasses.replace(self, **{k: v for k, v in first.items() if k not in asked})

    def _agree(self) -> None:
        """Raise if two fields contradict each other."""
        problems = list[str]()
        if isinstance(self.data_seed, str) and self.mode == "teaching":
            problems.append(
                _(
                    "{name} must be a whole number from 0 to {most}; a text is for TensorFlow"
                    " Playground's links. Got {value}.",
                    name=_called("data_seed"),
                    most=MOST_SEED,
                    value=shown(self.data_seed),
                )
            )
        if len(self.activations) != len(self.hidden):
            layers, activations = len(self.hidden), len(self.activations)
            problems.append(
                _(
                    "There are {layers} and {activations}; give one activation for each hidden layer.",
                    layers=_n("{n} hidden layer", "{n} hidden layers", layers),
                    activations=_n("{n} activation", "{n} activations", activations),
                )
            )
        problems += self._strange()
        known = default_numbers(OPTIMIZERS[self.optimizer])
        for name in self.optimizer_numbers:
            if name not in known:
                problems.append(_no_number(self.optimizer, name, known))
        if not problems:
            try:
                OPTIMIZERS[self.optimizer](**self.optimizer_numbers)
            except SettingError as error:
                problems += sentences_of(error)
        if problems:
            raise Problems(problems)

    def _strange(self) -> Iterable[Text]:
        """What there is none of in the present mode, in sentences."""
        if self.mode == "teaching":
            if self.init == REFERENCE:
                yield _('The first weights "reference" are for compatible mode only.')
            return
        leave = _('Leave its mode (mode "teaching") to use that.')
        if self.data not in COMPATIBLE_DATA:
            yield sentences(_("TensorFlow Playground has no data {name}.", name=self.data), leave)
        if self.init not in (REFERENCE, "zeros"):
            yield sentences(_("TensorFlow Playground has no init {name}.", name=self.init), leave)
        if self.loss != "squared":
            yield sentences(_("TensorFlow Playground has no loss {name}.", name=self.loss), leave)
        if self.optimizer != "SGD":
            yield sentences(
                _("TensorFlow Playground has no optimizer {name}.", name=self.optimizer), leave
            )
        if self.dropout:
            yield sentences(_("TensorFlow Playground has no dropout."), leave)
        if len(set(self.activations)) > 1 or not set(self.activations) <= COMPATIBLE_ACTIVATIONS:
            one = _(
                "TensorFlow Playground has one activation for all hidden layers, out of {names}.",
                names=listed(sorted(COMPATIBLE_ACTIVATIONS)),
            )
            yield sentences(one, leave)
        if self.l1 and self.l2:
            yield sentences(_("TensorFlow Playground has L1 or L2, not both."), leave)

    def differing(self, other: Settings) -> Values:
        """The fields of this that differ from the other's, as JSON has them."""
        before = other.as_dict()
        return {name: value for name, value in self.as_dict().items() if value != before[name]}


def _no_number(optimizer: str, name: str, known: Iterable[str]) -> Text:
    """The sentence for a number that an optimizer does not have."""
    if not known:
        return _(
            "{optimizer} has no number {name}; it has none.", optimizer=optimizer, name=shown(name)
        )
    return _(
        "{optimizer} has no number {name}; {nearest}.",
        optimizer=optimizer,
        name=shown(name),
        nearest=nearest(name, known),
    )


#: What the page calls the fields, at the beginning of a sentence.
_ON_THE_PAGE = {
    "mode": _p("setting", "Mode"),
    "data": _p("setting", "Data"),
    "noise": _p("setting", "Noise"),
    "train_part": _p("setting", "Training share"),
    "data_seed": _p("setting", "Data seed"),
    "target": _p("setting", "Target"),
    "points": _p("setting", "Points"),
    "features": _p("setting", "Inputs"),
    "hidden": _p("setting", "Hidden units"),
    "activations": _p("setting", "Activations"),
    "init": _p("setting", "Initial weights"),
    "weight_seed": _p("setting", "Weight seed"),
    "loss": _p("setting", "Loss"),
    "optimizer": _p("setting", "Optimizer"),
    "optimizer_numbers": _p("setting", "Optimizer's numbers"),
    "learning_rate": _p("setting", "Learning rate"),
    "l1": _p("setting", "L1 rate"),
    "l2": _p("setting", "L2 rate"),
    "dropout": _p("setting", "Dropout"),
    "batch_size": _p("setting", "Batch size"),
}


def _called(name: str) -> Text:
    """A field as code writes it and as the page calls it."""
    return Spelled(name, page=_ON_THE_PAGE[name])


def _entry(name: str, i: int) -> Text:
    """An entry of a field."""
    return Spelled(f"{name}[{i}]", page=_("{name}, entry {number}", name=name, number=i + 1))


T = TypeVar("T")
#: Takes a value, of any kind, and the name of its field; gives the value as the settings hold it.
Check: TypeAlias = Callable[[object, str], T]


def number(least: float, most: float) -> Check[float]:
    """A number from `least` to `most`."""

    def check(value: object, name: str) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
            or not least <= value <= most
        ):
            raise SettingError(
                _(
                    "{name} must be a number from {least:.15g} to {most:.15g}. Got {value}.",
                    name=name,
                    least=least,
                    most=most,
                    value=shown(value),
                )
            )
        return float(value)

    return check


def whole(least: int, most: int) -> Check[int]:
    """A whole number from `least` to `most`."""

    def check(value: object, name: str) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise SettingError(
                _(
                    "{name} must be a whole number from {least} to {most}. Got {value}.",
                    name=name,
                    least=least,
                    most=most,
                    value=shown(value),
                )
            )
        return value

    return check


def one_of(names: Iterable[str]) -> Check[str]:
    """One of some names."""
    allowed = tuple(names)

    def check(value: object, name: str) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise SettingError(
                _(
                    "{name} cannot be {value}; {nearest}.",
                    name=name,
                    value=shown(value),
                    nearest=nearest(value, allowed),
                )
            )
        return value

    return check


def text(most: int) -> Check[str]:
    """A text."""

    def check(value: object, name: str) -> str:
        if not isinstance(value, str) or len(value) > most:
            raise SettingError(
                _(
                    "{name} must be a text of at most {most} characters. Got {value}.",
                    name=name,
                    most=most,
                    value=shown(value),
                )
            )
        return value

    return check


def several(each: Check[T], most: int, least: int = 0) -> Check[tuple[T, ...]]:
    """A list, each entry checked."""

    def check(value: object, name: str) -> tuple[T, ...]:
        if not isinstance(value, list | tuple) or not least <= len(value) <= most:
            raise SettingError(
                _(
                    "{name} must be a list of {least} to {most} entries. Got {value}.",
                    name=name,
                    least=least,
                    most=most,
                    value=shown(value),
                )
            )
        return tuple(_checked_entry(each, entry, name, i) for i, entry in enumerate(value))

    return check


def _checked_entry(each: Check[T], entry: object, name: str, i: int) -> T:
    """An entry of a list, checked; its own name is made only where something is wrong with it."""
    try:
        return each(entry, name)
    except SettingError:
        return each(entry, _entry(name, i))


def _different(each: Check[tuple[T, ...]]) -> Check[tuple[T, ...]]:
    """A list without an entry that occurs twice."""

    def check(value: object, name: str) -> tuple[T, ...]:
        entries = each(value, name)
        if len(set(entries)) < len(entries):
            raise SettingError(
                _("{name} has an entry twice. Got {value}.", name=name, value=shown(value))
            )
        return entries

    return check


def _point(value: object, name: str) -> tuple[float, float, int]:
    """A painted point, to two decimals."""
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise SettingError(
            _(
                "{name} must be a list of x, y and a class. Got {value}.",
                name=name,
                value=shown(value),
            )
        )
    x, y = (round(number(-6, 6)(v, name), 2) for v in value[:2])
    return x, y, whole(0, MOST_CLASSES - 1)(value[2], name)


def _above_zero(check: Check[float]) -> Check[float]:
    """A number that is not 0."""

    def above(value: object, name: str) -> float:
        checked = check(value, name)
        if not checked:
            raise SettingError(
                _("{name} must be above 0. Got {value}.", name=name, value=shown(value))
            )
        return checked

    return above


def _or_none(check: Check[T]) -> Check[T | None]:
    """What the check allows, or None."""
    return lambda value, name: None if value is None else check(value, name)


def _seed(value: object, name: str) -> int | str:
    """A whole number; in compatible mode a text."""
    return text(100)(value, name) if isinstance(value, str) else whole(0, MOST_SEED)(value, name)


def _numbers(value: object, name: str) -> dict[str, float]:
    """Numbers by name; the optimizer checks them itself."""
    if not isinstance(value, Mapping) or len(value) > 10:
        raise SettingError(
            _("{name} must be an object of numbers. Got {value}.", name=name, value=shown(value))
        )
    return {str(key): number(-1e9, 1e9)(v, _number_called(name, key)) for key, v in value.items()}


def _number_called(name: str, key: object) -> Text:
    """A number of an optimizer."""
    return Spelled(f"{name}.{key}", page=_("{name}, {key}", name=name, key=key))


def _checks(caps: Caps) -> dict[str, Check[object]]:
    """The check of every field."""
    return {
        "mode": one_of(("teaching", "compatible")),
        "data": one_of(DATA_SETS),
        "noise": number(0, 0.8),
        "train_part": number(0.01, 0.99),
        "data_seed": _seed,
        "target": _or_none(text(200)),
        "points": several(_point, caps.points),
        "features": _different(several(text(200), 1000, 1)),
        "hidden": several(whole(1, caps.units), caps.layers),
        "activations": several(one_of(ACTIVATIONS), caps.layers),
        "init": one_of((*INITS, REFERENCE)),
        "weight_seed": whole(0, MOST_SEED),
        "loss": one_of(LOSSES),
        "optimizer": one_of(OPTIMIZERS),
        "optimizer_numbers": _numbers,
        "learning_rate": _above_zero(number(0, caps.learning_rate)),
        "l1": number(0, caps.penalty),
        "l2": number(0, caps.penalty),
        "dropout": number(0, 0.9),
        "batch_size": whole(1, caps.batch_size),
    }
