"""Fault: what is wrong with an answer, said in one sentence with the reader's own numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import Text, _

__all__ = ["Fault", "FaultError", "Suspect", "first_fault", "number"]

Array = npt.NDArray[np.float64]

#: Two numbers are the same that differ by less than these parts of the largest one.
RELATIVE, ABSOLUTE = 1e-7, 1e-10


@dataclass(frozen=True)
class Fault:
    """What is wrong: its kind, a sentence, which of the results has it, and what more there is to say."""

    kind: str
    sentence: Text
    #: The name of the wrong result, such as "dx"; empty where it is no result.
    result: str = ""
    more: tuple[Text, ...] = ()


class FaultError(Exception):
    """A fault that was found while an answer was tried."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.sentence)
        self.fault = fault


@dataclass(frozen=True)
class Suspect:
    """A mistake that is often made: what comes out of it, and the sentence that says so."""

    kind: str
    value: npt.ArrayLike
    sentence: Text


def number(value: object, unlike: object = None) -> str:
    """A number with the four digits that matter, or as many as tell it from one unlike it."""
    number = float(np.asarray(value, float)[()])
    if unlike is None:
        return f"{number:.4g}"
    other = float(np.asarray(unlike, float)[()])
    return next(
        (
            text
            for digits in range(4, 17)
            if (text := f"{number:.{digits}g}") != f"{other:.{digits}g}"
        ),
        repr(number),
    )


def first_fault(
    found: Mapping[str, object],
    wanted: Mapping[str, Array],
    suspects: Mapping[str, Sequence[Suspect]],
    like: Mapping[str, str],
    rows: int,
) -> Fault | None:
    """The most basic fault of what was found; None where all of it is right.

    Of all results the shapes are looked at before any number. `like` says which array a gradient
    belongs to, whose shape it has; `rows` is the size of the batch.
    """
    arrays: dict[str, Array] = {}
    for name, value in found.items():
        fault = _no_array(name, value) or _shape(name, np.asarray(value), wanted[name], like)
        if fault is not None:
            return fault
        arrays[name] = np.asarray(value, float)
    for name, array in arrays.items():
        fault = _numbers(name, array, wanted[name], suspects.get(name, ()), rows)
        if fault is not None:
            return fault
    return None


# -- shapes ------------------------------------------------------------------------------------------


def _no_array(name: str, value: object) -> Fault | None:
    """A result that holds no numbers."""
    if value is Ellipsis:
        return Fault("unwritten", _("{name} is still `...`: it waits for you.", name=name), name)
    if value is None:
        return Fault("nothing", _("{name} is None: nothing was returned for it.", name=name), name)
    try:
        kind = np.asarray(value).dtype.kind
    except ValueError:
        kind = "O"
    if kind in "biuf":
        return None
    return Fault(
        "type",
        _(
            "{name} has to be an array of numbers; it is of the type {type}.",
            name=name,
            type=type(value).__name__,
        ),
        name,
    )


def _shape(
    name: str, value: npt.NDArray[np.generic], wanted: Array, like: Mapping[str, str]
) -> Fault | None:
    """A result of a wrong shape; a missing sum over the batch is called by its name."""
    if value.shape == wanted.shape:
        return None
    owner = like.get(name, "")
    copies = value.size > wanted.size  # else an axis is too many, and no sum is missing
    if owner and copies and _same(_summed(np.asarray(value, float), wanted.shape), wanted):
        return Fault(
            "sum",
            _(
                "{name} has the shape {got}, but {owner} has {wanted}: {owner} was used many times, so its"
                " gradients are still to be added up.",
                name=name,
                got=value.shape,
                owner=owner,
                wanted=wanted.shape,
            ),
            name,
        )
    if value.shape == wanted.shape[::-1]:
        return Fault(
            "transposed",
            _(
                "{name} has the shape {got}, and should have {wanted}: it is transposed.",
                name=name,
                got=value.shape,
                wanted=wanted.shape,
            ),
            name,
        )
    if owner:
        return Fault(
            "shape",
            _(
                "{name} has the shape {got}, but {owner} has {wanted}: a gradient has the shape of its"
                " array.",
                name=name,
                got=value.shape,
                owner=owner,
                wanted=wanted.shape,
            ),
            name,
        )
    if not wanted.shape:
        return Fault(
            "shape",
            _("{name} has the shape {got}, and should be one number.", name=name, got=value.shape),
            name,
        )
    return Fault(
        "shape",
        _(
            "{name} has the shape {got}, and should have {wanted}.",
            name=name,
            got=value.shape,
            wanted=wanted.shape,
        ),
        name,
    )


def _summed(array: Array, shape: tuple[int, ...]) -> Array:
    """An array added up over the axes along which one of this shape was copied; see broadcasting."""
    while array.ndim > len(shape):
        array = array.sum(axis=0)
    copied = tuple(
        i for i, (n, m) in enumerate(zip(array.shape, shape, strict=False)) if m == 1 != n
    )
    found: Array = array.sum(axis=copied, keepdims=True) if copied else array
    return found


# -- numbers -----------------------------------------------------------------------------------------


def _same(a: Array, b: Array) -> bool:
    size = float(np.max(np.abs(b), initial=0.0))
    if a.shape != b.shape or not np.isfinite(size):
        return False
    return bool(np.all(np.abs(a - b) <= RELATIVE * size + ABSOLUTE))


def _place(name: str, index: Sequence[int]) -> str:
    return f"{name}[{', '.join(map(str, index))}]" if len(index) else name


def _numbers(
    name: str, got: Array, wanted: Array, suspects: Sequence[Suspect], rows: int
) -> Fault | None:
    """A result with a wrong number, and the simplest mistake that explains it."""
    if _same(got, wanted):
        return None
    if not np.all(np.isfinite(got)):
        index = [int(i) for i in np.argwhere(~np.isfinite(got))[0]]
        return Fault(
            "not finite",
            _(
                "{place} is {got}: a number overflowed on the way, or was divided by 0.",
                place=_place(name, index),
                got=number(got[tuple(index)]),
            ),
            name,
        )
    index = [int(i) for i in np.unravel_index(np.argmax(np.abs(got - wanted)), got.shape)]
    here = {
        "place": _place(name, index),
        "got": number(got[tuple(index)], wanted[tuple(index)]),
        "wanted": number(wanted[tuple(index)], got[tuple(index)]),
    }
    right = int(np.sum(np.abs(got - wanted) <= RELATIVE * np.max(np.abs(wanted)) + ABSOLUTE))
    told = _(
        "{right} of {count} numbers of {name} are right.", right=right, count=got.size, name=name
    )
    more = (told,) if got.size > 1 else ()
    if _same(got, -wanted):
        return Fault(
            "sign",
            _(
                "{name} has the wrong sign: {place} is {got}, and should be {wanted}.",
                name=name,
                **here,
            ),
            name,
        )
    for suspect in suspects:
        if _same(got, np.broadcast_to(np.asarray(suspect.value, float), wanted.shape)):
            return Fault(suspect.kind, suspect.sentence, name, more)
    if not got.any():
        return Fault(
            "zero",
            _("{name} is 0 everywhere; {place} should be {wanted}.", name=name, **here),
            name,
        )
    if got.ndim == 2 and got.shape[0] == got.shape[1] and _same(got.T, wanted):
        return Fault("transposed", _("{name} is transposed.", name=name), name)
    if (factor := _factor(got, wanted)) is not None:
        return Fault("factor", _by_a_factor(name, factor, rows, here), name)
    return Fault("number", _("{place} is {got}, and should be {wanted}.", **here), name, more)


def _factor(got: Array, wanted: Array) -> float | None:
    """The number by which all of a result is too large, if there is one."""
    square = float(np.sum(wanted * wanted))
    factor = float(np.sum(got * wanted)) / square if square else 0.0
    if not factor or number(factor) == "1" or not _same(got, factor * wanted):
        return None
    # One number alone is always some number of times another one.
    whole = [factor, 1 / factor]
    return factor if got.size > 1 or np.isclose(whole, np.round(whole), 0, 1e-6).any() else None


def _by_a_factor(name: str, factor: float, rows: int, here: Mapping[str, str]) -> Text:
    """All of a result is too large or too small by one number."""
    if rows > 1 and np.isclose(factor, rows):
        return _(
            "{name} is {rows} times too large, the size of the batch: {place} is {got}, and should be"
            " {wanted}.",
            name=name,
            rows=rows,
            **here,
        )
    if rows > 1 and np.isclose(factor * rows, 1):
        return _(
            "{name} was divided by {rows}, the size of the batch: {place} is {got}, and should be"
            " {wanted}.",
            name=name,
            rows=rows,
            **here,
        )
    return _(
        "{name} is {factor} times what it should be: {place} is {got}, and should be {wanted}.",
        name=name,
        factor=number(factor),
        **here,
    )
