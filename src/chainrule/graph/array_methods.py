"""The methods that a Variable shares with arrays: each is NumPy's function of the same name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from chainrule.graph.variable import Variable

__all__ = ["ArrayMethods"]


def _call(function: Callable[..., Any], *args: object, **kwargs: object) -> Variable:
    """Call one of NumPy's functions, which gives a Variable for a Variable."""
    result: Variable = function(*args, **kwargs)
    return result


class ArrayMethods:
    """The methods x.sum(), x.T, x.reshape(2, 3), ...; the arguments are NumPy's."""

    __slots__ = ()

    # -- many numbers to few -----------------------------------------------------------------------

    def sum(self, *args: object, **kwargs: object) -> Variable:
        """Σ over the axes; see `numpy.sum`."""
        return _call(np.sum, self, *args, **kwargs)

    def prod(self, *args: object, **kwargs: object) -> Variable:
        """Π over the axes; see `numpy.prod`."""
        return _call(np.prod, self, *args, **kwargs)

    def mean(self, *args: object, **kwargs: object) -> Variable:
        """Σ / n over the axes; see `numpy.mean`."""
        return _call(np.mean, self, *args, **kwargs)

    def var(self, *args: object, **kwargs: object) -> Variable:
        """The variance over the axes; see `numpy.var`."""
        return _call(np.var, self, *args, **kwargs)

    def std(self, *args: object, **kwargs: object) -> Variable:
        """The standard deviation over the axes; see `numpy.std`."""
        return _call(np.std, self, *args, **kwargs)

    def max(self, *args: object, **kwargs: object) -> Variable:
        """The largest over the axes; see `numpy.max`."""
        return _call(np.max, self, *args, **kwargs)

    def min(self, *args: object, **kwargs: object) -> Variable:
        """The smallest over the axes; see `numpy.min`."""
        return _call(np.min, self, *args, **kwargs)

    def argmax(self, *args: object, **kwargs: object) -> Variable:
        """The index of the largest along an axis; see `numpy.argmax`."""
        return _call(np.argmax, self, *args, **kwargs)

    def argmin(self, *args: object, **kwargs: object) -> Variable:
        """The index of the smallest along an axis; see `numpy.argmin`."""
        return _call(np.argmin, self, *args, **kwargs)

    def any(self, *args: object, **kwargs: object) -> Variable:
        """Whether one element is true; see `numpy.any`."""
        return _call(np.any, self, *args, **kwargs)

    def all(self, *args: object, **kwargs: object) -> Variable:
        """Whether every element is true; see `numpy.all`."""
        return _call(np.all, self, *args, **kwargs)

    def trace(self, *args: object, **kwargs: object) -> Variable:
        """The sum along the diagonal; see `numpy.trace`."""
        return _call(np.trace, self, *args, **kwargs)

    # -- along an axis -----------------------------------------------------------------------------

    def cumsum(self, *args: object, **kwargs: object) -> Variable:
        """The running sum along an axis; see `numpy.cumsum`."""
        return _call(np.cumsum, self, *args, **kwargs)

    def cumprod(self, *args: object, **kwargs: object) -> Variable:
        """The running product along an axis; see `numpy.cumprod`."""
        return _call(np.cumprod, self, *args, **kwargs)

    def take(self, *args: object, **kwargs: object) -> Variable:
        """The elements at these indices; see `numpy.take`."""
        return _call(np.take, self, *args, **kwargs)

    def repeat(self, *args: object, **kwargs: object) -> Variable:
        """Each element repeated so many times; see `numpy.repeat`."""
        return _call(np.repeat, self, *args, **kwargs)

    def argsort(self, *args: object, **kwargs: object) -> Any:
        """The indices of the elements in ascending order, a plain array; see `numpy.argsort`."""
        return _call(np.argsort, self, *args, **kwargs)

    def diagonal(self, *args: object, **kwargs: object) -> Variable:
        """The elements on the diagonal; see `numpy.diagonal`."""
        return _call(np.diagonal, self, *args, **kwargs)

    def nonzero(self, *args: object, **kwargs: object) -> Any:
        """The indices of the elements that are not 0, plain arrays; see `numpy.nonzero`."""
        return _call(np.nonzero, self, *args, **kwargs)

    # -- each element ------------------------------------------------------------------------------

    def clip(self, *args: object, **kwargs: object) -> Variable:
        """Limited to a range; see `numpy.clip`."""
        return _call(np.clip, self, *args, **kwargs)

    def round(self, *args: object, **kwargs: object) -> Variable:
        """Rounded to so many decimals; see `numpy.round`."""
        return _call(np.round, self, *args, **kwargs)

    def dot(self, *args: object, **kwargs: object) -> Variable:
        """The product with another array, as `numpy.dot`; see `numpy.dot`."""
        return _call(np.dot, self, *args, **kwargs)

    def copy(self, *args: object, **kwargs: object) -> Variable:
        """The same value; see `numpy.copy`."""
        return _call(np.copy, self, *args, **kwargs)

    def conj(self, *args: object, **kwargs: object) -> Variable:
        """The complex conjugate; of real numbers, the same value; see `numpy.conj`."""
        return _call(np.conj, self, *args, **kwargs)

    # -- another shape -----------------------------------------------------------------------------

    def ravel(self, *args: object, **kwargs: object) -> Variable:
        """All elements in one row; see `numpy.ravel`."""
        return _call(np.ravel, self, *args, **kwargs)

    def squeeze(self, *args: object, **kwargs: object) -> Variable:
        """Without axes of length 1; see `numpy.squeeze`."""
        return _call(np.squeeze, self, *args, **kwargs)

    def swapaxes(self, *args: object, **kwargs: object) -> Variable:
        """Two axes exchanged; see `numpy.swapaxes`."""
        return _call(np.swapaxes, self, *args, **kwargs)

    def reshape(self, *shape: Any, **kwargs: object) -> Variable:
        """The same numbers in another shape; one length may be -1; see `numpy.reshape`."""
        lengths = shape[0] if len(shape) == 1 else shape
        return _call(np.reshape, self, lengths, **kwargs)

    def flatten(self, order: str = "C") -> Variable:
        """All elements in one row."""
        return _call(np.ravel, self, order)

    def transpose(self, *axes: Any) -> Variable:
        """The axes in another order: three numbers, or a tuple; without any, reversed."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int | np.integer) else axes
        return _call(np.transpose, self, order or None)

    @property
    def T(self) -> Variable:  # noqa: N802 - NumPy's name
        """The axes reversed."""
        return _call(np.transpose, self)

    @property
    def mT(self) -> Variable:  # noqa: N802 - NumPy's name
        """The last two axes exchanged."""
        return _call(np.swapaxes, self, -1, -2)

    @property
    def flat(self) -> Variable:
        """All elements in one row, to iterate over."""
        return _call(np.ravel, self)

    @property
    def real(self) -> Variable:
        """The real part; of real numbers, the same value."""
        return _call(np.real, self)
