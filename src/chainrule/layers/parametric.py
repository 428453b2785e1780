"""Activations with a learnt slope: between a straight line and the activation, for every unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from chainrule.errors import ShapeError
from chainrule.graph import functions
from chainrule.lang.messages import _, says
from chainrule.layers.base import Array, Layer
from chainrule.nodes.base import Value
from chainrule.settings import whole

__all__ = ["ParametricMish", "ParametricSELU"]


class _Parametric(Layer):
    """y = x + a · (f(x) - x), with a factor `a` for every unit; at a = 1 that is f(x), at 0 it is x."""

    function: ClassVar[Callable[[Value], Value]]
    a: Array

    def __init__(self, a: npt.ArrayLike) -> None:
        super().__init__(a=a)
        if self._parameters["a"].ndim != 1:
            raise ShapeError(
                _(
                    "{layer}: a must have one axis, a factor for each unit; got shape {shape}.",
                    layer=type(self).__name__,
                    shape=self._parameters["a"].shape,
                )
            )
        self._parameters["a"].decays = True

    @classmethod
    def sized(cls, units: int, *, dtype: npt.DTypeLike = np.float32) -> Self:
        """A layer whose first factors are 1, so that it begins as the plain activation."""
        return cls(np.ones(whole(units, "units"), dtype))

    @says("y = x + a · (f(x) - x).")
    def formula(self, x: Value, a: Value) -> Value:
        if not x.ndim or x.shape[-1] != a.shape[0]:
            raise ShapeError(
                _(
                    "{layer} has {units} factors, one for each unit; got x of shape {shape}.",
                    layer=type(self).__name__,
                    units=a.shape[0],
                    shape=x.shape,
                )
            )
        return x + a * (type(self).function(x) - x)

    def _widths(self, inputs: int | None) -> tuple[int | None, int | None]:
        return self._parameters["a"].shape[0], self._parameters["a"].shape[0]


class ParametricSELU(_Parametric):
    """y = x + a · (selu(x) - x): x (..., H), a (H,), learnt; it begins as SELU, a = 1.

    Each unit finds how far it bends (Holzmüller et al., "Better by default", 2024, for
    classification; with `lr_factor` 0.1).

    >>> import chainrule as cr, numpy as np
    >>> layer = cr.ParametricSELU(np.array([0.0, 1.0]))
    >>> layer.forward(np.array([[-1.0, -1.0]])).round(3)
    array([[-1.   , -1.111]])
    """

    function = staticmethod(functions.selu)


class ParametricMish(_Parametric):
    """y = x + a · (mish(x) - x): x (..., H), a (H,), learnt; it begins as Mish, a = 1.

    Each unit finds how far it bends (Holzmüller et al., "Better by default", 2024, for
    regression; with `lr_factor` 0.1).

    >>> import chainrule as cr, numpy as np
    >>> cr.ParametricMish.sized(1).forward(np.array([[-1.0]], np.float32)).round(3)
    array([[-0.303]], dtype=float32)
    """

    function = staticmethod(functions.mish)
