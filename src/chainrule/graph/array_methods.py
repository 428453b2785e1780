"""The methods of an array that a Variable has, too: each is NumPy's function of the same name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from chainrule.graph.variable import Variable

__all__ = ["ArrayMethods"]


def _call(function: Any, *args: Any, **kwargs: Any) -> Variable:
    """One of NumPy's functions, which a Variable answers."""
    made: Variable = function(*args, **kwargs)
    return made


class ArrayMethods:
    """What people write as x.sum(), x.T, x.reshape(2, 3), ...; the arguments are NumPy's."""

    __slots__ = ()

    # -- many numbers to few -----------------------------------------------------------------------

    def sum(self, *args: Any, **kwargs: Any) -> Variable:
        """Σ over the axes; see `numpy.sum`."""
        return _call(np.sum, self, *args, **kwargs)

    def prod(self, *args: Any, **kwargs: Any) -> Variable:
        """Π over the axes; see `numpy.prod`."""
        return _call(np.prod, self, *args, **kwargs)

    def mean(self, *args: Any, **kwargs: Any) -> Variable:
        """Σ / n over the axes; see `numpy.mean`."""
        return _call(np.mean, self, *args, **kwargs)

    def var(self, *args: Any, **kwargs: Any) -> Variable:
        """The variance over the axes; see `numpy.var`."""
        return _call(np.var, self, *args, **kwargs)

    def std(self, *args: Any, **kwargs: Any) -> Variable:
        """The standard deviation over the axes; see `numpy.std`."""
        return _call(np.std, self, *args, **kwargs)

    def max(self, *args: Any, **kwargs: Any) -> Variable:
        """The largest over the axes; see `numpy.max`."""
        return _call(np.max, self, *args, **kwargs)

    def min(self, *args: Any, **kwargs: Any) -> Variable:
        """The smallest over the axes; see `numpy.min`."""
        return _call(np.min, self, *args, **kwargs)

    def argmax(self, *args: Any, **kwargs: Any) -> Variable:
        """The place of the largest along an axis; see `numpy.argmax`."""
        return _call(np.argmax, self, *args, **kwargs)

    def argmin(self, *args: Any, **kwargs: Any) -> Variable:
        """The place of the smallest along an axis; see `numpy.argmin`."""
        return _call(np.argmin, self, *args, **kwargs)

    def any(self, *args: Any, **kwargs: Any) -> Variable:
        """Whether one element is true; see `numpy.any`."""
        return _call(np.any, self, *args, **kwargs)

    def all(self, *args: Any, **kwargs: Any) -> Variable:
        """Whether every element is true; see `numpy.all`."""
        return _call(np.all, self, *args, **kwargs)

    def trace(self, *args: Any, **kwargs: Any) -> Variable:
        """The sum along the diagonal; see `numpy.trace`."""
        return _call(np.trace, self, *args, **kwargs)

    # -- along an axis -----------------------------------------------------------------------------

    def cumsum(self, *args: Any, **kwargs: Any) -> Variable:
        """The running sum along an axis; see `numpy.cumsum`."""
        return _call(np.cumsum, self, *args, **kwargs)

    def cumprod(self, *args: Any, **kwargs: Any) -> Variable:
        """The running product along an axis; see `numpy.cumprod`."""
        return _call(np.cumprod, self, *args, **kwargs)

    def take(self, *args: Any, **kwargs: Any) -> Variable:
        """The elements at these places; see `numpy.take`."""
        return _call(np.take, self, *args, **kwargs)

    def repeat(self, *args: Any, **kwargs: Any) -> Variable:
        """Each element so many times; see `numpy.repeat`."""
        return _call(np.repeat, self, *args, **kwargs)

    def argsort(self, *args: Any, **kwargs: Any) -> Any:
        """The places of the elements in ascending order, a plain array; see `numpy.argsort`."""
        return _call(np.argsort, self, *args, **kwargs)

    def diagonal(self, *args: Any, **kwargs: Any) -> Variable:
        """The elements on the diagonal; see `numpy.diagonal`."""
        return _call(np.diagonal, self, *args, **kwargs)

    def nonzero(self, *args: Any, **kwargs: Any) -> Any:
        """Where the elements are not 0, plain arrays; see `numpy.nonzero`."""
        return _call(np.nonzero, self, *args, **kwargs)

    # -- each element ------------------------------------------------------------------------------

    def clip(self, *args: Any, **kwargs: Any) -> Variable:
        """Held between two ends; see `numpy.clip`."""
        return _call(np.clip, self, *args, **kwargs)

    def round(self, *args: Any, **kwargs: Any) -> Variable:
        """Rounded to so many decimals; see `numpy.round`."""
        return _call(np.round, self, *args, **kwargs)

    def dot(self, *args: Any, **kwargs: Any) -> Variable:
        """The product with another array, as `numpy.dot`; see `numpy.dot`."""
        return _call(np.dot, self, *args, **kwargs)

    def copy(self, *args: Any, **kwargs: Any) -> Variable:
        """The same value; see `numpy.copy`."""
        return _call(np.copy, self, *args, **kwargs)

    def conj(self, *args: Any, **kwargs: Any) -> Variable:
        """The complex conjugate; of real numbers, the same value; see `numpy.conj`."""
        return _call(np.conj, self, *args, **kwargs)

    # -- another shape -----------------------------------------------------------------------------

    def ravel(self, *args: Any, **kwargs: Any) -> Variable:
        """All elements in one row; see `numpy.ravel`."""
        return _call(np.ravel, self, *args, **kwargs)

    def squeeze(self, *args: Any, **kwargs: Any) -> Variable:
        """Without axes of length 1; see `numpy.squeeze`."""
        return _call(np.squeeze, self, *args, **kwargs)

    def swapaxes(self, *args: Any, **kwargs: Any) -> Variable:
        """Two axes exchanged; see `numpy.swapaxes`."""
        return _call(np.swapaxes, self, *args, **kwargs)

    def reshape(self, *shape: Any, **kwargs: Any) -> Variable:
        """The same numbers in another shape; one length may be -1; see `numpy.reshape`."""
        wanted = shape[0] if len(shape) == 1 else shape
        return _call(np.reshape, self, wanted, **kwargs)

    def flatten(self, order: str = "C") -> Variable:
        """All elements in one row."""
        return _call(np.ravel, self, order)

    def transpose(self, *axes: Any) -> Variable:
        """The axes in another order: three numbers, or a tuple; without any, reversed."""
        wanted = axes[0] if len(axes) == 1 and not isinstance(axes[0], int | np.integer) else axes
        return _call(np.transpose, self, wanted or None)

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
        """All elements in one row, to go through."""
        return _call(np.ravel, self)

    @property
    def real(self) -> Variable:
        """The real part; of real numbers, the same value."""
        return _call(np.real, self)
