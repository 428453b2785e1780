"""Two trainings compared: their settings, the loss of every step, and the state after equal steps."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from chainrule.comparing.numbers import (
    TensorDifference,
    TensorName,
    compare_arrays,
    number_difference,
)
from chainrule.comparing.results import Difference, LossDifference, TrainingComparison
from chainrule.comparing.sides import RunSide, Side, State

__all__ = ["compare_trainings"]

Array = npt.NDArray[Any]
#: What a model file and a checkpoint call alike.
COMMON = ("chainrule", "engine")
#: How many steps around the parting `LossDifference.around` has: before it, and from it on.
BEFORE, AFTER = 2, 4


def compare_trainings(name: str, a: Side, b: Side, tolerance: float) -> TrainingComparison:
    """Compare two trainings, of whatever kinds."""
    passed = _Tolerated(tolerance)
    mixed = "model" in (a.kind, b.kind) and a.kind != b.kind
    losses, loss = _compare_losses(a.losses, b.losses, passed)
    equal_steps: list[int] = []
    parting = _Parting()
    for step_a, step_b in _pairs(a, b):
        state_a, state_b = a.state(step_a), b.state(step_b)
        if state_a is None or state_b is None:
            continue
        found = _compare_states(state_a, state_b, passed, mixed=mixed)
        step = step_a if step_b is None else step_b
        parting.add(step, found)
        if found.tensors:
            break
        if step is not None and not parting.begun:
            equal_steps.append(step)
    return TrainingComparison(
        name,
        (a.kind, b.kind),
        (_length(a), _length(b)),
        (a.steps, b.steps),
        _compare_settings(a, b, mixed),
        losses,
        loss,
        tuple(equal_steps),
        parting.tensors_step,
        parting.tensors,
        parting.compared,
        parting.arrays,
        parting.state_step,
        parting.state,
        tolerated=passed.count,
        most_tolerated=passed.most,
        notes=(*a.notes, *b.notes),
    )


@dataclass
class _Tolerated:
    """The tolerance, and what it let pass."""

    tolerance: float
    count: int = 0
    most: float = 0.0

    def add(self, count: int, most: float) -> None:
        self.count, self.most = self.count + count, max(self.most, most)


class _Found(NamedTuple):
    """What came of two states."""

    tensors: tuple[TensorDifference, ...]
    compared: int
    arrays: tuple[Difference, ...]
    state: tuple[Difference, ...]


@dataclass
class _Parting:
    """The first differences of each kind among states after more and more steps."""

    tensors_step: int | None = None
    tensors: tuple[TensorDifference, ...] = ()
    compared: int = 0
    arrays: tuple[Difference, ...] = ()
    state_step: int | None = None
    state: tuple[Difference, ...] = ()

    def add(self, step: int | None, found: _Found) -> None:
        self.compared = found.compared
        self.arrays = self.arrays or found.arrays
        if found.tensors:
            self.tensors_step, self.tensors = step, found.tensors
        if found.state and not self.state:
            self.state_step, self.state = step, found.state

    @property
    def begun(self) -> bool:
        return bool(self.tensors or self.arrays or self.state)


def _length(side: Side) -> int | None:
    return None if side.losses is None else len(side.losses)


def _pairs(a: Side, b: Side) -> Iterable[tuple[int | None, int | None]]:
    """The steps whose states are compared: equal ones, but of two files what is in them."""
    if "model" in (a.kind, b.kind):
        return [(a.steps[-1] if a.steps else None, b.steps[-1] if b.steps else None)]
    if not isinstance(a, RunSide) and not isinstance(b, RunSide):
        return [(a.steps[0], b.steps[0])]
    return [(step, step) for step in sorted({*a.steps} & {*b.steps})]


def _compare_settings(a: Side, b: Side, mixed: bool) -> tuple[Difference, ...]:
    of_a, of_b = a.settings, b.settings
    names = COMMON if mixed else tuple(dict.fromkeys([*of_a, *of_b]))
    told = [Difference(name, of_a.get(name), of_b.get(name)) for name in names]
    if mixed:
        told = [each for each in told if each.a is not None and each.b is not None]
    return tuple(each for each in told if not _same(each.a, each.b))


def _compare_losses(
    a: Array | None, b: Array | None, passed: _Tolerated
) -> tuple[int, LossDifference | None]:
    if a is None or b is None:
        return 0, None
    count = min(len(a), len(b))
    a, b = a[:count], b[:count]
    found, tolerated, most = compare_arrays(TensorName("loss", ""), a, b, passed.tolerance)
    passed.add(tolerated, most)
    if found is None:
        return count, None
    first = found.index[0]
    around = range(max(first - BEFORE, 0), min(first + AFTER, count))
    return count, LossDifference(
        first + 1,
        found.first,
        found.differing,
        found.largest_index[0] + 1,
        found.largest,
        tuple((i + 1, float(a[i]), float(b[i])) for i in around),
    )


def _compare_states(a: State, b: State, passed: _Tolerated, *, mixed: bool) -> _Found:
    """Compare two states; a model file and a checkpoint have network, parameters and buffers in common."""
    of_a, of_b = a.tensors, b.tensors
    rest_a, rest_b = a.rest, b.rest
    if mixed:
        of_a, of_b = (
            {k: v for k, v in of.items() if k.kind in ("parameter", "buffer")}
            for of in (of_a, of_b)
        )
        rest_a, rest_b = ({k: r[k] for k in ("network", "loss")} for r in (rest_a, rest_b))
    tensors: list[TensorDifference] = []
    arrays: list[Difference] = []
    compared = 0
    for name in dict.fromkeys([*of_a, *of_b]):
        x, y = of_a.get(name), of_b.get(name)
        told = Difference(" ".join(filter(None, name)), _form(x), _form(y))
        if x is None or y is None or x.shape != y.shape:
            arrays.append(told)
            continue
        compared += 1
        found, tolerated, most = compare_arrays(name, x, y, passed.tolerance)
        if x.dtype != y.dtype and not passed.tolerance:
            arrays.append(told)
        elif x.dtype != y.dtype and found is None:  # no number has the bits of the other
            tolerated = x.size
        passed.add(tolerated, most)
        if found is not None:
            tensors.append(found)
    return _Found(tuple(tensors), compared, tuple(arrays), _compare_rest(rest_a, rest_b, passed))


def _compare_rest(
    a: Mapping[str, Any], b: Mapping[str, Any], passed: _Tolerated
) -> tuple[Difference, ...]:
    different: list[Difference] = []
    for name in dict.fromkeys([*a, *b]):
        x, y = a.get(name), b.get(name)
        if _same(x, y):
            continue
        if passed.tolerance and isinstance(x, float) and isinstance(y, float):
            found = number_difference(np.float64(x), np.float64(y))
            if found.relative <= passed.tolerance:
                passed.add(1, found.relative)
                continue
        different.append(Difference(name, x, y))
    return tuple(different)


def _form(array: Array | None) -> str | None:
    return None if array is None else f"{array.dtype.name}{list(array.shape)}"


def _same(a: Any, b: Any) -> bool:
    """Whether plain values are equal, numbers to the bit."""
    if isinstance(a, float) and isinstance(b, float):
        return struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and bool(a == b)
