"""Two arrays compared to the bit: where they differ first, in how many elements, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "NumberDifference",
    "TensorDifference",
    "TensorName",
    "compare_arrays",
    "number_difference",
]

Array = npt.NDArray[Any]


class TensorName(NamedTuple):
    """Which array of a training it is.

    `kind`: "parameter", "buffer", "slot" (of the optimizer, for the parameter `name`; `slot` is what
    it is called there), "baseline" (of a model file), "optimizer" or "callback" (what else they keep).
    """

    kind: str
    name: str
    slot: str = ""


@dataclass(frozen=True)
class NumberDifference:
    """Two numbers that differ in bits.

    absolute: |a - b|; relative: |a - b| / max(|a|, |b|). Both are 0 for 0 and -0, and for two NaN of
    other bits; infinite for NaN and a number. `ulps`: how many steps from one floating-point number of the
    dtype to the next lie between them; None with NaN, or without a common floating-point dtype.
    """

    a: float
    b: float
    absolute: float
    relative: float
    ulps: int | None

    @property
    def same_value(self) -> bool:
        """Whether they are equal all the same: 0 and -0, or two NaN."""
        return self.absolute == 0


@dataclass(frozen=True)
class TensorDifference:
    """Two arrays of one name and shape that differ.

    `index` is the place of the first element that differs (rows first, as in memory), `first` that
    element; `differing` of its `size` elements differ. `largest` has the largest absolute difference,
    at `largest_index`.
    """

    name: TensorName
    shape: tuple[int, ...]
    dtypes: tuple[str, str]
    index: tuple[int, ...]
    first: NumberDifference
    differing: int
    largest_index: tuple[int, ...]
    largest: NumberDifference

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def row(self) -> int | None:
        """The index of the first difference along axis 0; None of a single number."""
        return self.index[0] if self.index else None


class Compared(NamedTuple):
    """What came of two arrays of a shape: the difference, and what the tolerance let pass."""

    difference: TensorDifference | None
    tolerated: int
    most_tolerated: float


def compare_arrays(name: TensorName, a: Array, b: Array, tolerance: float = 0.0) -> Compared:
    """Compare two arrays of one shape; elements whose relative difference is at most `tolerance` are equal.

    With tolerance 0 bits are compared: NaN equals NaN of the same bits, and 0 differs from -0.

    >>> one = np.ones((2, 2))
    >>> found = compare_arrays(TensorName("parameter", "W"), one, one + [[0, 0], [0, 2.0**-52]])
    >>> found.difference.index, found.difference.first.ulps
    ((1, 1), 1)
    """
    differing = _differing(a, b)
    places = np.flatnonzero(differing)
    if not len(places):
        return Compared(None, 0, 0.0)
    flat_a, flat_b = a.reshape(-1)[places], b.reshape(-1)[places]
    absolute, relative = _distances(flat_a, flat_b)
    passed = relative <= tolerance if tolerance else np.zeros(len(places), bool)
    kept = np.flatnonzero(~passed)
    tolerated = len(places) - len(kept)
    most = float(relative[passed].max()) if tolerated else 0.0
    if not len(kept):
        return Compared(None, tolerated, most)
    largest = kept[np.argmax(absolute[kept])]

    def index(at: np.intp) -> tuple[int, ...]:
        return tuple(int(i) for i in np.unravel_index(places[at], a.shape))

    def numbers(at: np.intp) -> NumberDifference:
        return number_difference(flat_a[at], flat_b[at])

    difference = TensorDifference(
        name,
        tuple(a.shape),
        (a.dtype.name, b.dtype.name),
        index(kept[0]),
        numbers(kept[0]),
        len(kept),
        index(largest),
        numbers(largest),
    )
    return Compared(difference, tolerated, most)


def number_difference(a: Any, b: Any) -> NumberDifference:
    """The difference of two NumPy numbers.

    >>> number_difference(np.float32(1), np.float32(1.0000001)).ulps
    1
    """
    absolute, relative = _distances(np.reshape(a, 1), np.reshape(b, 1))
    return NumberDifference(
        np.asarray(a).item(),
        np.asarray(b).item(),
        float(absolute[0]),
        float(relative[0]),
        _ulps(a, b),
    )


def _bits(array: Array) -> Array:
    """The same memory as whole numbers."""
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    return plain.view(f"u{array.dtype.itemsize}").reshape(array.shape)


def _differing(a: Array, b: Array) -> Array:
    """Whether elements differ: in bits, or in value where the dtypes are not the same."""
    if a.dtype.newbyteorder("=") == b.dtype.newbyteorder("="):
        return np.asarray(_bits(a) != _bits(b))
    return np.asarray((a != b) & ~((a != a) & (b != b)))


def _distances(a: Array, b: Array) -> tuple[Array, Array]:
    """The absolute and the relative differences of elements, as float64."""
    with np.errstate(all="ignore"):
        if a.dtype == b.dtype and a.dtype.kind in "iu":  # exact, whatever their size
            absolute = _between(np.minimum(a, b), np.maximum(a, b)).astype(np.float64)
        else:
            absolute = np.abs(a.astype(np.float64) - b.astype(np.float64))
        wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
        nans = np.isnan(wide_a).astype(int) + np.isnan(wide_b)
        absolute = np.where(wide_a == wide_b, np.where(absolute > 0, absolute, 0.0), absolute)
        absolute = np.select([nans == 2, nans == 1], [0.0, np.inf], absolute)
        size = np.fmax(np.abs(wide_a), np.abs(wide_b))
        relative = np.where(np.isinf(absolute), np.inf, absolute / size)
    return absolute, np.where(absolute == 0, 0.0, relative)


def _ulps(a: Any, b: Any) -> int | None:
    """How many numbers of the dtype lie between two, one of them counted."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.dtype.kind != "f" or np.isnan(a) or np.isnan(b):
        return None

    def ordered(number: Array) -> int:
        bits = int(_bits(number))
        sign = 1 << (8 * number.dtype.itemsize - 1)
        return sign - bits if bits & sign else bits  # both zeros are 0

    return abs(ordered(a) - ordered(b))


def _between(low: Array, high: Array) -> Array:
    """high - low of whole numbers, which needs no sign: exact by the modulus."""
    return high.astype(np.uint64) - low.astype(np.uint64)
