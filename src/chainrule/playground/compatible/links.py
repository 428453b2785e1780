"""Links of TensorFlow Playground: all that its page keeps after the `#` of its address."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from random import SystemRandom
from typing import Any, TypeAlias

from chainrule.errors import SettingError, guess, nearest, shown
from chainrule.lang.messages import Text, _, listed, sentences
from chainrule.playground.caps import Caps
from chainrule.playground.compatible.data import FEATURES, SIZES
from chainrule.playground.compatible.javascript import WHITESPACE, number, number_text
from chainrule.playground.compatible.random import fixed5

__all__ = ["ACTIVATIONS", "Link", "LinkError", "new_seed"]

ACTIVATIONS = ("relu", "tanh", "sigmoid", "linear")
REGULARIZATIONS = ("none", "L1", "L2")
DATASETS = ("circle", "xor", "gauss", "spiral")
REG_DATASETS = ("reg-plane", "reg-gauss")
PROBLEMS = ("classification", "regression")
#: Noise is a percentage; beyond the most, the page takes its slider's end.
_NOISE_MOST, _NOISE_END = 80.0, 50.0
_HIDE = "_hide"
_HOME = "playground.tensorflow.org"

Pairs: TypeAlias = dict[str, str | None]


class LinkError(SettingError):
    """A link that asks for what cannot be trained; `problems` has a sentence for each thing."""

    def __init__(self, problems: list[Text]) -> None:
        super().__init__(sentences(*problems))
        self.problems = problems


def new_seed() -> str:
    """A seed as the page makes one: a random number with five decimals."""
    return fixed5(SystemRandom().random())


def _key(key: str, default: Any, words: tuple[str, ...] = ()) -> Any:
    """A field of the link, its name in the link, and what it may say if it is one of some words."""
    return field(default=default, metadata={"key": key, "words": words})


@dataclass(frozen=True)
class Link:
    """What a TensorFlow Playground link says; `str(link)` writes it as the page does.

    The fields stand in the page's order. A number is what JavaScript makes of its text, so it may
    be NaN; `checked` tells whether it can be trained.

    >>> link = Link.parse("https://playground.tensorflow.org/#dataset=xor&noise=5&seed=0.1")
    >>> link.dataset, link.noise, link.activation
    ('xor', 5.0, 'tanh')
    >>> link.features
    ('x', 'y')
    """

    activation: str = _key("activation", "tanh", ACTIVATIONS)
    regularization: str = _key("regularization", "none", REGULARIZATIONS)
    batch_size: float = _key("batchSize", 10.0)
    dataset: str = _key("dataset", "circle", DATASETS)
    regression_dataset: str = _key("regDataset", "reg-plane", REG_DATASETS)
    learning_rate: float = _key("learningRate", 0.03)
    regularization_rate: float = _key("regularizationRate", 0.0)
    #: In percent.
    noise: float = _key("noise", 0.0)
    #: Units in each hidden layer.
    hidden: tuple[float, ...] = _key("networkShape", (4.0, 2.0))
    #: A text: "0.4" and "0.40" are two seeds.
    seed: str = field(default_factory=new_seed, metadata={"key": "seed", "words": ()})
    show_test_data: bool = _key("showTestData", False)
    discretize: bool = _key("discretize", False)
    #: In percent.
    train_percent: float = _key("percTrainData", 50.0)
    x: bool = _key("x", True)
    y: bool = _key("y", True)
    x_times_y: bool = _key("xTimesY", False)
    x_squared: bool = _key("xSquared", False)
    y_squared: bool = _key("ySquared", False)
    #: Kept, and without effect, like `cos_y` and `collect_stats`: so it is on the page.
    cos_x: bool = _key("cosX", False)
    sin_x: bool = _key("sinX", False)
    cos_y: bool = _key("cosY", False)
    sin_y: bool = _key("sinY", False)
    collect_stats: bool = _key("collectStats", False)
    tutorial: str | None = _key("tutorial", None)
    problem: str = _key("problem", "classification", PROBLEMS)
    init_zero: bool = _key("initZero", False)
    hide_text: bool = _key("hideText", False)
    #: What the page does not show: (control, whether hidden), as `playButton_hide=true` says.
    hides: tuple[tuple[str, bool], ...] = ()

    # -- text ---------------------------------------------------------------------------------------

    @classmethod
    def parse(cls, text: str) -> Link:
        """The link in a text: a whole address, `#…`, or what follows the `#`.

        As on the page: an empty value, a word that is not known and a name that is not known are
        passed over; of two values the later counts; noise above 80 is 50, and below 0 it is 0.
        Without a seed a new one is drawn.
        """
        pairs = _pairs(text)
        given: dict[str, Any] = {}
        for one, key in _fields():
            value = pairs.get(key)
            blank = value is None or not value.strip(WHITESPACE)
            if value is not None and isinstance(one.default, tuple):
                given[one.name] = () if blank else tuple(map(number, value.split(",")))
            elif value is not None and not blank:
                given |= _read(one, value)
        hides = tuple(
            (k[: -len(_HIDE)], v == "true") for k, v in pairs.items() if k.endswith(_HIDE)
        )
        return cls(**given, hides=hides)

    @staticmethod
    def is_one(text: str) -> bool:
        """Whether a text says anything that the page knows, or is its plain address; or nothing at all.

        >>> [Link.is_one(text) for text in ("#dataset=xor", "#foo=bar", "https://example.com/#a=b", "")]
        [True, False, False, True]
        """
        known = {key for _one, key in _fields()}
        names = [name for name in _pairs(text) if name]
        if names:
            return any(name in known or name.endswith(_HIDE) for name in names)
        before = text.strip(WHITESPACE).partition("#")[0]
        return not before or _HOME in before

    @staticmethod
    def passed_over(text: str) -> list[Text]:
        """What of a text says nothing to the page, in sentences; a mistyped name, for one.

        >>> Link.passed_over("#dataset=xor&lerningRate=1")
        ['The link says "lerningRate", which is no setting; did you mean "learningRate"?']
        """
        words = {key: one.metadata["words"] for one, key in _fields()}
        found: list[Text] = []
        for key, value in _pairs(text).items():
            if key not in words and not key.endswith(_HIDE) and key:
                hint = guess(key, words)
                name = key if len(key) <= 40 else f"{key[:40]}…"
                found.append(
                    _('The link says "{name}", which is no setting; {hint}', name=name, hint=hint)
                    if hint
                    else _('The link says "{name}", which is no setting.', name=name)
                )
            elif value and words.get(key) and value not in words[key]:
                found.append(_unknown(key, value, words[key]))
        return found

    def __str__(self) -> str:
        """What follows the `#`; regularization and tutorial are left out where there is none."""
        parts = []
        for one, key in _fields():
            value = getattr(self, one.name)
            if value is not None and not (one.name == "regularization" and value == "none"):
                parts.append(f"{key}={_written(value)}")
        parts += [f"{control}{_HIDE}={_written(hidden)}" for control, hidden in self.hides]
        return "&".join(parts)

    # -- what it comes to -----------------------------------------------------------------------------

    @property
    def features(self) -> tuple[str, ...]:
        """The keys of the inputs that are on and not hidden, in the network's order."""
        names = {key: one.name for one, key in _fields()}
        hidden = {control for control, on in self.hides if on}
        return tuple(k for k in FEATURES if getattr(self, names[k]) and k not in hidden)

    @property
    def data(self) -> str:
        """The key of the data set that the problem is about."""
        return self.dataset if self.problem == "classification" else self.regression_dataset

    @property
    def sizes(self) -> list[int]:
        """The width of every column of units: inputs, hidden layers, output."""
        return [len(self.features), *map(int, self.hidden), 1]

    @property
    def train_rows(self) -> int:
        """How many rows of the data are for training; the others are for testing."""
        return math.floor(SIZES[self.data] * self.train_percent / 100)

    def problems(self, caps: Caps) -> list[Text]:
        """A sentence for everything that keeps the link from being trained; none if nothing does."""
        found: list[Text] = [
            _unknown(key, getattr(self, one.name), words)
            for one, key in _fields()
            if (words := one.metadata["words"]) and getattr(self, one.name) not in words
        ]
        if found:  # then it is not known either what the numbers are for
            return found
        found += [*self._bad_numbers(caps), *self._bad_shape(caps)]
        if not self.features:
            found.append(_("No input is on; set one of {names} to true.", names=listed(FEATURES)))
        if SIZES[self.data] > caps.points:
            found.append(
                _(
                    "{name} has {count:,} points, and at most {most:,} are taken.",
                    name=self.data,
                    count=SIZES[self.data],
                    most=caps.points,
                )
            )
        return found

    def checked(self, caps: Caps | None = None) -> Link:
        """The link itself, if it can be trained within the caps.

        Raises:
            LinkError: it cannot; `problems` says all that is wrong.
        """
        problems = self.problems(Caps() if caps is None else caps)
        if problems:
            raise LinkError(problems)
        return self

    def _bad_numbers(self, caps: Caps) -> Iterator[Text]:
        if not (_whole(self.batch_size) and 1 <= self.batch_size <= caps.batch_size):
            yield _(
                "{key}={value} must be a whole number from {least} to {most:,}.",
                key="batchSize",
                value=number_text(self.batch_size),
                least=1,
                most=caps.batch_size,
            )
        for key, value, most in (
            ("learningRate", self.learning_rate, caps.learning_rate),
            ("regularizationRate", self.regularization_rate, caps.penalty),
            ("noise", self.noise, _NOISE_MOST),
        ):
            if not 0 <= value <= most:
                yield _(
                    "{key}={value} must be a number from {least} to {most}.",
                    key=key,
                    value=number_text(value),
                    least=0,
                    most=number_text(most),
                )
        percent = self.train_percent
        if not (0 < percent < 100 and 0 < self.train_rows < SIZES[self.data]):
            yield _(
                "{key}={value} must be a percentage that leaves rows to train with and to test with, such"
                " as 50.",
                key="percTrainData",
                value=number_text(percent),
            )

    def _bad_shape(self, caps: Caps) -> Iterator[Text]:
        said = ",".join(map(number_text, self.hidden))
        said = said if len(said) <= 60 else said[:59] + "…"
        if len(self.hidden) > caps.layers:
            yield _(
                "networkShape={shape} has {count:,} hidden layers, and at most {most} are taken.",
                shape=said,
                count=len(self.hidden),
                most=caps.layers,
            )
        bad = [size for size in self.hidden if not (_whole(size) and 1 <= size <= caps.units)]
        if bad:
            yield _(
                "networkShape={shape} has a layer of {units} units; give whole numbers from 1 to {most}.",
                shape=said,
                units=number_text(bad[0]),
                most=caps.units,
            )
        elif len(self.hidden) <= caps.layers:
            sizes = self.sizes
            count = sum((m + 1) * n for m, n in pairwise(sizes))
            if count > caps.parameters:
                yield _(
                    "networkShape={shape} has {count:,} weights and biases, and at most {most:,} are"
                    " taken.",
                    shape=said,
                    count=count,
                    most=caps.parameters,
                )


def _fields() -> list[tuple[dataclasses.Field[Any], str]]:
    """The fields that have a name of their own in a link, with that name."""
    return [(one, one.metadata["key"]) for one in dataclasses.fields(Link) if one.metadata]


def _pairs(text: str) -> Pairs:
    """Names and values; a name without `=` has None."""
    text = text.strip(WHITESPACE)
    before, hash_, after = text.partition("#")
    query = after if hash_ else "" if "://" in before else before.removeprefix("?")
    found: Pairs = {}
    for part in query.split("&"):
        name, *values = part.split("=")
        found[name] = values[0] if values else None
    return found


def _read(one: dataclasses.Field[Any], value: str) -> dict[str, Any]:
    """The field with its value; nothing if the value is a word that is not known."""
    words = one.metadata["words"]
    if words:
        return {one.name: value} if value in words else {}
    if isinstance(one.default, bool):
        return {one.name: value != "false"}
    if not isinstance(one.default, float):
        return {one.name: value}
    read = number(value)
    if one.name == "noise":
        read = _NOISE_END if read > _NOISE_MOST else 0.0 if read < 0 else read
    return {one.name: read}


def _written(value: Any) -> str:
    """A value as the page writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(map(number_text, value))
    return value if isinstance(value, str) else number_text(value)


def _whole(value: float) -> bool:
    return math.isfinite(value) and value == int(value)


def _unknown(key: str, value: Any, words: tuple[str, ...]) -> Text:
    return _(
        "{key}={value} is not known; {nearest}.",
        key=key,
        value=shown(value),
        nearest=nearest(value, words),
    )
