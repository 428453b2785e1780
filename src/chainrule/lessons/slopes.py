"""Slopes: the gradient of any NumPy formula by the complex step, what answers are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["slopes"]

Array = npt.NDArray[np.float64]

#: The complex step; its square vanishes beside 1, so that the slope is exact to the last digit.
STEP = 1e-20


def slopes(
    f: Callable[..., Any], arguments: Mapping[str, Any], dout: npt.ArrayLike = 1.0
) -> dict[str, Array]:
    """The gradient of Σ dout · f(…) for every argument that is an array, an array of its shape.

    f takes the arguments by position, and has to be analytic: Im f(x + ih) / h is the slope. Other
    arguments, such as a number of rows, stay as they are.

    >>> slopes(lambda x, y: x * y, {"x": np.array(2.0), "y": np.array(-3.0)})
    {'x': array(-3.), 'y': array(2.)}
    """
    found = {}
    for name, array in arguments.items():
        if not isinstance(array, np.ndarray):
            continue
        gradient = np.empty(array.shape)
        for index in np.ndindex(array.shape):
            moved = array.astype(complex)
            moved[index] += 1j * STEP
            values = [moved if other == name else a for other, a in arguments.items()]
            gradient[index] = np.sum(np.asarray(dout) * np.imag(f(*values))) / STEP
        found[name] = gradient
    return found
